"""Pseudonyms: words for words, digits for digits, the same for the same under one key.

The shape is kept, because decisions look at it: correlation compares the words of texts and passes over numbers, so a
word becomes one word and a number stays a number.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final

KEY_BYTES_MIN: Final = 16
"""A shorter key can be tried through."""

KEY_BYTES_MAX: Final = 64
"""What the keyed hash takes."""

SYLLABLES: Final = 5
"""70 syllables to the fifth: among 10,000 names two share a pseudonym once in thirty recordings."""

DIGITS: Final = 12
"""Enough that two of 10,000 numbers hardly ever meet, and no more than a JSON number keeps exactly."""

PSEUDONYMS_REMEMBERED_MAX: Final = 65_536
"""Names of a large company; below 16 MiB."""

# No pseudonym ends in "s", "ed" or "ing", which correlation would cut off as an ending.
_SYLLABLES: Final = tuple(first + second for first in "bdfgjklmnprtvz" for second in "aeiou")
_TOKEN: Final = re.compile(r"[^\W_]+")
_HAS_DIGIT: Final = re.compile(r"\d")


class Pseudonyms:
    """Gives pseudonyms under one key."""

    def __init__(self, key: bytes) -> None:
        """Take a key.

        Raises:
            ValueError: it is too short or too long.
        """
        if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
            raise ValueError(f"a redaction key has {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes, this one {len(key)}")
        self._key = key
        self.token = lru_cache(PSEUDONYMS_REMEMBERED_MAX)(self._token)

    def person(self, text: str) -> str:
        """A name, login or id with each of its words and numbers replaced; what stands between them stays."""
        return _TOKEN.sub(lambda found: self.token(found[0]), text)

    def mail(self, address: str) -> str:
        """An e-mail address: person and domain replaced, the last part of the domain kept."""
        before, _, last = address.replace("%40", "@").rpartition(".")
        return f"{self.person(before)}.{last}"

    def secret(self, text: str) -> str:
        """What stands for a secret: its length is no secret of ours to keep, so it is not kept."""
        return f"[{self._digits('secret', text)}]"

    def number(self, value: float) -> int:
        """A number that names a person."""
        return int(self._digits("token", str(value)))

    def phone(self, text: str) -> str:
        """A telephone number."""
        return f"+{self._digits('phone', ''.join(_HAS_DIGIT.findall(text)))}"

    def _token(self, text: str) -> str:
        """One word: letters for letters, with the case of the first; digits where there is one."""
        folded = text.casefold()
        if _HAS_DIGIT.search(text):
            return self._digits("token", folded)
        number = self._hash("word", folded)
        word = ""
        for _ in range(SYLLABLES):
            number, which = divmod(number, len(_SYLLABLES))
            word += _SYLLABLES[which]
        return word.upper() if text.isupper() and len(text) > 1 else word.capitalize() if text[0].isupper() else word

    def _digits(self, kind: str, text: str) -> str:
        # Never a leading zero: as a JSON number it would be another one.
        return str(10 ** (DIGITS - 1) + self._hash(kind, text) % (9 * 10 ** (DIGITS - 1)))

    def _hash(self, kind: str, text: str) -> int:
        data = text.encode(errors="surrogatepass")
        return int.from_bytes(blake2b(data, digest_size=8, key=self._key, person=kind.encode()).digest())
