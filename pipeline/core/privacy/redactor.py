"""The redactor at the door: a document in, the same without personal data out.

    redactor = Redactor(config.privacy, key).of_feed("servicenow")   # None: no rule is for it, and nothing is done
    document = redactor.document(document)

What was taken out once is not taken out again: the gateway writes what it redacted to Kafka, and ingest redacts it
once more. Pure: the key is handed in.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

import orjson

from pipeline.core.privacy.fields import ANY, VALUES, fits, folded, name_beside_value, path_of
from pipeline.core.privacy.patterns import READY, Pattern, own
from pipeline.core.step import Headers, Record, StreamRecord
from pipeline.models.privacy import KEY_BYTES_MIN, Privacy, RedactAction, RedactRule, Unreadable

MASK: Final = "[redacted]"
REMOVED: Final = "[removed]"
PSEUDONYM: Final = "anon-"

PSEUDONYM_BYTES: Final = 10
"""80 bits: among a billion people two share one once in two million installations."""

NESTING_LEVELS_MAX: Final = 60
"""Deeper than any source nests; what is below goes as a whole."""

PSEUDONYMS_REMEMBERED_MAX: Final = 16_384

# Decides offline, where nobody has the key: which pseudonyms there are does not matter, but that they differ.
OFFLINE_KEY: Final = b"decided without the key of pseudonyms"

_LETTERS: Final = str.maketrans("0123456789", "ghijklmnop")
"""Pseudonyms have no digits: what compares texts passes over numbers, and no pattern of numbers finds them."""

_LEFT: Final = re.compile(rf"{PSEUDONYM}[a-p]{{{PSEUDONYM_BYTES * 2}}}(?![a-z])|\[[a-z][a-z0-9_]{{0,39}}\]")
"""What stands where something was taken out."""

_NESTED: Final = ("{", "[", '"')


class PrivacyKeyError(ValueError):
    """The key of pseudonyms cannot be used; the message is one line."""


class _Way(NamedTuple):
    """What one rule does: to fields that it names, or to what it finds in texts."""

    action: RedactAction
    paths: tuple[tuple[str, ...], ...]
    patterns: tuple[tuple[str, Pattern], ...]


class Pseudonyms:
    """Gives the same pseudonym for the same value, and tells nobody without the key whose it is."""

    def __init__(self, key: bytes) -> None:
        """Take a key.

        Raises:
            PrivacyKeyError: it is too short.
        """
        if len(key) < KEY_BYTES_MIN:
            raise PrivacyKeyError(f"the key of pseudonyms has {len(key)} bytes; it needs {KEY_BYTES_MIN} or more")
        self._key = key
        self.of = lru_cache(PSEUDONYMS_REMEMBERED_MAX)(self._of)

    def _of(self, value: str) -> str:
        # One address is written in several ways; an id with digits may differ from another in case alone.
        said = value.strip()
        same = said if "@" not in said and any(map(str.isdecimal, said)) else said.casefold()
        digest = hmac.digest(self._key, same.encode(errors="surrogatepass"), "sha256")[:PSEUDONYM_BYTES]
        return PSEUDONYM + digest.hex().translate(_LETTERS)


class FeedRedactor:
    """Redacts what comes from one feed, or what people write.

    Attributes:
        drops_unreadable: what cannot be read is dropped, and its text is not kept.
    """

    def __init__(self, ways: Sequence[_Way], pseudonyms: Pseudonyms, *, drops_unreadable: bool) -> None:
        self.drops_unreadable = drops_unreadable
        self._pseudonyms = pseudonyms
        # A rule of patterns alone is for every text; one of fields is looked up by the last name of their paths.
        self._texts = tuple(way for way in ways if not way.paths)
        self._by_leaf: dict[str, list[tuple[tuple[str, ...], _Way]]] = {}
        for way in ways:
            for path in way.paths:
                self._by_leaf.setdefault(path[-1], []).append((path, way))
        self._any_leaf = self._by_leaf.pop(ANY, [])

    def value(self, value: bytes) -> bytes:
        """A message as bytes; the same bytes where there is nothing to take out.

        What is no JSON has no fields that could be found: the rules of patterns alone are for its text.
        """
        try:
            document = orjson.loads(value)
        except orjson.JSONDecodeError:
            return self.plain(value)
        redacted = self.document(document)
        return value if redacted is document else orjson.dumps(redacted)

    def plain(self, value: bytes) -> bytes:
        """Bytes that are no JSON, without what the patterns find; what is no UTF-8 is read byte for byte."""
        try:
            text, encoding = value.decode(), "utf-8"
        except UnicodeDecodeError:
            text, encoding = value.decode("latin-1"), "latin-1"
        redacted = self.text(text)
        return value if redacted is text else redacted.encode(encoding)

    def document(self, document: Any) -> Any:
        """A parsed message; the very same object where there is nothing to take out."""
        return self._walk(document, (), 0)

    def text(self, text: str) -> str:
        """A text without what the rules of patterns alone find; the very same where they find nothing."""
        for way in self._texts:
            text = self._without(text, way)
        return text

    def headers(self, headers: Headers) -> Headers:
        """Headers of a record, each as a field of its name; the very same where there is nothing to take out."""
        kept: list[tuple[str, bytes]] = []
        for name, value in headers:
            before = {name.removeprefix("ce_"): value.decode(errors="replace")}
            after = self.document(before)
            kept += [(name, value)] if after is before else [(name, str(each).encode()) for each in after.values()]
        return headers if kept == list(headers) else tuple(kept)

    def record(self, record: Record) -> StreamRecord:
        """A record that could not be processed, for the dead letter."""
        value, key = record.value, record.key
        if value and self.drops_unreadable and not _is_json(value):
            value = None
        return StreamRecord(
            record.topic,
            record.partition,
            record.offset,
            record.timestamp,
            key and self.plain(key),
            value and self.value(value),
            self.headers(record.headers),
        )

    # -- documents

    def _walk(self, value: Any, path: tuple[str, ...], depth: int) -> Any:
        if isinstance(value, str):
            return self._said(value, path, depth)
        if depth > NESTING_LEVELS_MAX:
            return MASK if isinstance(value, dict | list) else value
        if isinstance(value, dict):
            return self._walk_fields(value, path, depth)
        if isinstance(value, list):
            changed = [self._walk(each, path, depth + 1) for each in value]
            return value if all(new is old for new, old in zip(changed, value, strict=True)) else changed
        return value

    def _walk_fields(self, fields: dict[str, Any], path: tuple[str, ...], depth: int) -> dict[str, Any]:
        walked: dict[str, Any] = {}
        same, about = True, name_beside_value(fields)
        for name, value in fields.items():
            inner = (*path, folded(about if about and name in VALUES else name))
            new: Any = value
            removed = False
            for way in self._ways_for(inner):
                if way.patterns:
                    new = self._leaves(new, partial(self._without, way=way), depth + 1)
                elif way.action is RedactAction.REMOVE:
                    removed = True
                else:
                    new = self._leaves(new, partial(self._whole, way=way), depth + 1)
            if removed:
                same = False
                continue
            new = self._walk(new, inner, depth + 1)
            known = self.text(name)
            same = same and new is value and known is name
            walked[known] = new
        return fields if same else walked

    def _ways_for(self, path: tuple[str, ...]) -> list[_Way]:
        named = self._by_leaf.get(path[-1], [])
        if not named and not self._any_leaf:
            return []
        return [way for parts, way in (*named, *self._any_leaf) if fits(path, parts)]

    def _said(self, text: str, path: tuple[str, ...], depth: int) -> str:
        """A text; one that holds JSON, as notifications wrap the messages of others, is walked itself."""
        if text.startswith(_NESTED) and depth <= NESTING_LEVELS_MAX:
            try:
                nested = orjson.loads(text)
            except orjson.JSONDecodeError:
                return self.text(text)
            changed = self._walk(nested, path, depth + 1)
            return text if changed is nested else orjson.dumps(changed).decode()
        return self.text(text)

    def _leaves(self, value: Any, change: Callable[[str], str], depth: int) -> Any:
        """All texts and numbers in a field, changed; what is true, false or nothing says nothing of a person."""
        if isinstance(value, str):
            return change(value)
        if depth > NESTING_LEVELS_MAX:
            return MASK if isinstance(value, dict | list) else value
        if isinstance(value, dict):
            fields = {name: self._leaves(each, change, depth + 1) for name, each in value.items()}
            return value if all(fields[name] is each for name, each in value.items()) else fields
        if isinstance(value, list):
            changed = [self._leaves(each, change, depth + 1) for each in value]
            return value if all(new is old for new, old in zip(changed, value, strict=True)) else changed
        if value is None or isinstance(value, bool):
            return value
        said = orjson.dumps(value).decode()
        whole = change(said)
        return value if whole is said else whole

    # -- what takes its place

    def _whole(self, text: str, way: _Way) -> str:
        """What takes the place of a whole field; an empty one stays empty."""
        if not text or text == MASK or (text.startswith(PSEUDONYM) and _LEFT.fullmatch(text)):
            return text
        return MASK if way.action is RedactAction.MASK else self._pseudonyms.of(text)

    def _without(self, text: str, way: _Way) -> str:
        for name, pattern in way.patterns:
            if pattern.worth and not any(each in text for each in pattern.worth):
                continue
            text = self._found(text, name, pattern, way.action)
        return text

    def _found(self, text: str, name: str, pattern: Pattern, action: RedactAction) -> str:
        def replace(found: Any) -> str:
            what = str(found[0])
            if not what or not pattern.holds(what):
                return what
            if action is RedactAction.PSEUDONYMISE:
                return self._pseudonyms.of(what.replace("%40", "@"))
            return f"[{name}]" if action is RedactAction.MASK else REMOVED

        if PSEUDONYM not in text and "[" not in text:
            changed = pattern.finds.sub(replace, text)
        else:  # what was put there before is no personal data, whatever a pattern takes it for
            changed, after = "", 0
            for left in _LEFT.finditer(text):
                changed += pattern.finds.sub(replace, text[after : left.start()]) + left[0]
                after = left.end()
            changed += pattern.finds.sub(replace, text[after:])
        return text if changed == text else changed


def _is_json(value: bytes) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


class Redactor:
    """Redactors of one configuration."""

    def __init__(self, privacy: Privacy, key: bytes | None = None) -> None:
        """Compile the rules.

        Args:
            privacy: the rules.
            key: of pseudonyms; None decides offline: pseudonyms are others then, and nothing else.

        Raises:
            PrivacyKeyError: the key is too short.
            PatternError: a pattern cannot be used.
            PathError: a field cannot be named so.
            KeyError: a rule names a pattern that is not there.
        """
        self._pseudonyms = Pseudonyms(OFFLINE_KEY if key is None else key)
        self._drops = privacy.unreadable is Unreadable.DROP
        patterns = {**READY, **{name: own(pattern) for name, pattern in privacy.patterns.items()}}
        self._rules = [(rule, _way(rule, patterns)) for rule in privacy.redact.values()]

    def of_feed(self, feed: str) -> FeedRedactor | None:
        """What redacts a feed's messages; None where no rule is for it."""
        ways = [way for rule, way in self._rules if not rule.feeds or feed in rule.feeds]
        return self._made(ways) if ways else None

    def of_commands(self) -> FeedRedactor | None:
        """What redacts the words of people; None where no rule is for them."""
        ways = [way._replace(paths=()) for rule, way in self._rules if rule.commands]
        return self._made(ways) if ways else None

    def _made(self, ways: Sequence[_Way]) -> FeedRedactor:
        return FeedRedactor(ways, self._pseudonyms, drops_unreadable=self._drops)


def _way(rule: RedactRule, patterns: dict[str, Pattern]) -> _Way:
    named = tuple((name, patterns[name]) for name in rule.patterns)
    return _Way(rule.action, tuple(path_of(each) for each in rule.fields), named)
