"""Secrets that must not be quoted: a downstream may echo our credential in its error page, and that text is shown.

Known values are taken out of any text, in the spellings in which they come back: as they are, in base64 (also as a part
of something longer, such as a dump of the request), percent-encoded once or twice, escaped for JSON or for HTML. A
downstream that means harm can spell one in ways that nobody foresees; it knows the secret already.
"""

from __future__ import annotations

import html
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

import orjson

HIDDEN: Final = "[secret]"

SECRET_CHARACTERS_MIN: Final = 4
"""What is shorter protects nothing, and hiding it would leave no text to read."""

LONG_CHARACTERS_MIN: Final = 16
"""Who chooses "production" as a password must still read the titles that hold it; no title holds so many by chance."""

LEARNED_MAX: Final = 50
"""Values out of headers that are remembered: tokens that are renewed each hour need some, and a process lives long."""

# Not every key is a secret: one of idempotency is another for each request.
_CREDENTIAL_HEADERS: Final = re.compile(r"authorization|token|api-?key|secret|cookie|password", re.IGNORECASE)
_PERCENT: Final = re.compile("%[0-9A-F]{2}")
_FOR_ADDRESSES: Final = str.maketrans("+/", "-_")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class Secrets:
    """The secrets of one credential."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._known: dict[str, None] = {}
        self._from_headers: dict[str, None] = {}
        self._spelled: re.Pattern[str] | None = None
        self._long: re.Pattern[str] | None = None
        self.learn(values)

    def learn(self, values: Iterable[str]) -> None:
        """Hide these too, for good."""
        if self._add(self._known, values):
            self._spell()

    def learn_headers(self, headers: Mapping[str, str]) -> None:
        """Hide what the headers of a request show who we are by, as long as it is among the newest."""
        found: list[str] = []
        for name, value in headers.items():
            if _CREDENTIAL_HEADERS.search(name):
                scheme, _, credential = value.rpartition(" ")
                found += (value, credential, *(_password(credential) if scheme.casefold() == "basic" else ()))
        if self._add(self._from_headers, found):
            while len(self._from_headers) > LEARNED_MAX:
                del self._from_headers[next(iter(self._from_headers))]
            self._spell()

    def _add(self, known: dict[str, None], values: Iterable[str]) -> bool:
        fresh = [value for value in values if len(value) >= SECRET_CHARACTERS_MIN and value not in known]
        known.update(dict.fromkeys(fresh))
        return bool(fresh)

    def _spell(self) -> None:
        values = (*self._known, *self._from_headers)
        self._spelled = _pattern(values)
        self._long = _pattern([value for value in values if len(value) >= LONG_CHARACTERS_MIN])

    def hide(self, text: str) -> str:
        """The text without them."""
        return self._spelled.sub(HIDDEN, text) if self._spelled is not None and text else text

    def hide_long(self, text: str) -> str:
        """The text without those that stand nowhere by chance: for words that are worked with, and not only shown."""
        return self._long.sub(HIDDEN, text) if self._long is not None and text else text

    def shown(self, text: str, characters_max: int) -> str:
        """The beginning of a text as it may be shown: no secret, also none that is cut; nothing that terminals obey."""
        return _CONTROL.sub(" ", self.hide(text)).strip()[:characters_max]


def _lower_percent(text: str) -> str:
    return _PERCENT.sub(lambda found: found[0].lower(), text)


def _pattern(values: Iterable[str]) -> re.Pattern[str] | None:
    spellings = {text for value in values for text in _spellings(value)}
    # The longest first: a secret may be the beginning of another one.
    ordered = sorted(spellings, key=lambda text: (-len(text), text))
    return re.compile("|".join(re.escape(text) for text in ordered)) if ordered else None


def _password(credential: str) -> tuple[str, ...]:
    """What stands behind the user's name in a credential of the scheme ``Basic``."""
    try:
        return (b64decode(credential, validate=True).decode().partition(":")[2],)
    except (Base64Error, ValueError):
        return ()


def _within_base64(value: str) -> Iterator[str]:
    """What a secret looks like inside of something longer that is in base64, whatever stands before and behind it."""
    for before, unsure in enumerate((0, 2, 3)):  # characters that what stands before has a part in
        data = b"\0" * before + value.encode()
        encoded = b64encode(data).decode()[unsure : len(data) // 3 * 4]
        if len(encoded) >= LONG_CHARACTERS_MIN:
            yield encoded
            yield encoded.translate(_FOR_ADDRESSES)


def _spellings(value: str) -> set[str]:
    encoded = b64encode(value.encode()).decode()
    return {
        *_within_base64(value),
        encoded.translate(_FOR_ADDRESSES),
        _lower_percent(quote(value, safe="")),
        quote(quote(value, safe=""), safe=""),
        value,
        encoded,
        encoded.rstrip("="),
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        orjson.dumps(value).decode()[1:-1],
        html.escape(value),
        html.escape(value, quote=False),
    }
