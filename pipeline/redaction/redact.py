"""The redactor: records in, records without people and secrets out.

People's names stand in fields, and again in texts that others wrote. So the redactor first learns names from all
records (`learn`), and replaces them wherever they stand when it writes them (`redacted`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from pipeline.core.privacy.fields import VALUES, folded, name_beside_value
from pipeline.core.step import StreamRecord
from pipeline.redaction.pseudonyms import Pseudonyms
from pipeline.redaction.rules import INSTITUTIONS, PEOPLE, SECRET_ENDS, SECRETS, TOLD_BY, RedactionRules

NESTING_LEVELS_MAX: Final = 60
"""Deeper than any source nests; what is below goes as a whole."""

NAME_WORDS_MAX: Final = 50_000
"""Words of names kept; a large company has fewer different ones."""

NAME_LETTERS_MIN: Final = 3
"""Shorter words of names are words of languages, too."""

_NUMBERED: Final = ("id", "ids", "phone", "phonenumber", "mobile", "telephone")
"""Ends of names of fields whose numbers tell who it is."""

_KEPT, _PEOPLE, _SECRET, _PLAIN = "keep", "people", "secret", "plain"

_MAIL: Final = r"(?P<mail>[\w.%+'-]{1,64}(?:@|%40)(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24})"
_KNOWN_SHAPES: Final = (
    r"(?P<pem>-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z))"
    r"|(?P<jwt>\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?)"
    r"|(?P<known>\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[a-z]_\w{20,}|\bgithub_pat_\w{20,}|\bxox[a-z]-[\w-]{10,}"
    r"|\bglpat-[\w-]{15,}|\bsk-[\w-]{20,}|\bAIza[\w-]{30,})"
    r"|(?P<login>(?<=://)[^\s/@:]{0,128}:[^\s/@]{1,256}(?=@))"
)
_QUOTE: Final = r"(?:\\{0,7}[\"'])?"
"""JSON within a text of JSON has strokes before its quotes."""

_SAID_TO_BE: Final = (
    r"(?P<before>\b(?:bearer|basic)\s+)(?P<bearer>(?=[\w.~+/=-]{0,200}[\d+/=])[\w.~+/=-]{8,})"
    rf"|(?P<scheme>\bauthorization{_QUOTE}\s{{0,3}}[=:]\s{{0,3}}{_QUOTE}"
    r"(?:apikey|basic|bearer|digest|geniekey|negotiate|splunk|token)\s+)(?P<credential>[\w.~+/=-]{8,})"
    r"|(?P<flag>(?<![\w-])--(?:[\w-]{0,40}-)?(?:password|passwd|passphrase|pwd|secret|token|api-?key|access-?key)"
    r"\s{1,3})(?P<given>[^\s\"'&,;-][^\s\"'&,;]{2,})"
    r"|(?P<name>\b(?:[\w-]{0,40}[_-])?(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|sig"
    rf"|signature){_QUOTE}\s{{0,3}}[=:]\s{{0,3}}{_QUOTE})"
    r"(?P<said>(?<=[\"'])[^\"'\\]{3,256}(?=\\{0,7}[\"'])|(?:(?!\\{1,7}[\"'])[^\s\"'&,;]){3,})"
)
_PHONE: Final = r"(?P<phone>(?<![\w+])\+\d{1,3}[ (/.-]{0,2}\d(?:[ ()/.-]{0,2}\d){6,12}\b)"
_PATTERN: Final = re.compile(rf"{_KNOWN_SHAPES}|{_MAIL}|{_PHONE}|{_SAID_TO_BE}", re.IGNORECASE)
_ADDRESS: Final = re.compile(_MAIL)
_WORTH_A_LOOK: Final = re.compile(
    r"[@+:=.]|--|\[~|bearer|basic|AKIA|ASIA|gh._|github_|xox|glpat|sk-|AIza", re.IGNORECASE
)
"""Without any of these no pattern can match; most texts have none but a colon."""

_FIELD: Final = re.compile(
    r"(?P<quote>\\{0,7}\")(?P<field>[\w .-]{1,64})(?P=quote)\s{0,8}:\s{0,8}(?P=quote)"
    r"(?P<value>[\s\S]{0,1024}?)(?<!\\)(?P=quote)"
)
"""A field of JSON within a text that is none as a whole: cut off, one of many, not UTF-8, or quoted by somebody."""

_WORDS: Final = re.compile(r"[^\W\d_]+(?:[._'-][^\W\d_]+)*")
_PARTS: Final = re.compile(r"[^\W\d_]+")
_NAME: Final = re.compile(r"[^\W\d_a-z][^\W\d_]+(?:[,.]? +[^\W\d_][\w'.-]*){1,3}")
_MENTION: Final = re.compile(r"(?<!\w)@([A-Za-z][\w.-]{1,63})|\[~([^\]\s]{1,128})\]")


class Redactor:
    """Redacts records by rules, with one key.

    Attributes:
        replaced: how many values and texts have been changed.
    """

    def __init__(
        self, rules: RedactionRules, key: bytes, names: Iterable[str] = (), things: Iterable[str] = ()
    ) -> None:
        """Take rules and key.

        Args:
            rules: what is redacted beside the defaults.
            key: of the pseudonyms.
            names: of people who are known to belong to the company: from on-call rotations.
            things: names of services, hosts and teams, whose words are never taken for a person's.

        Raises:
            ValueError: the key is too short or too long.
        """
        self._pseudonyms = Pseudonyms(key)
        self._kinds = dict.fromkeys(PEOPLE, _PEOPLE) | dict.fromkeys(SECRETS, _SECRET)
        for kind, fields in ((_PEOPLE, rules.people), (_SECRET, rules.secrets), (_KEPT, rules.keep)):
            self._kinds |= {".".join(map(folded, field.split("."))): kind for field in fields}
        self._paths = {each for each in self._kinds if "." in each}
        self._patterns = [re.compile(pattern) for pattern in rules.patterns.values()]
        things = tuple(things)
        self._things = INSTITUTIONS | {word.casefold() for name in things for word in _PARTS.findall(name)}
        # A service may be called service@host.example, which is nobody's address.
        self._no_mail = {found[0].casefold() for name in things if "@" in name for found in _ADDRESS.finditer(name)}
        self._words: set[str] = set()
        self.replaced = 0
        for name in (*rules.names, *names):
            self._learn_name(name)

    # -- names

    def learn(self, record: StreamRecord) -> None:
        """Take note of the names in a record's fields."""
        if record.value is not None and (document := _document(record.value)) is not None:
            self._learn(document, (), 0)

    def _learn(self, value: Any, path: tuple[str, ...], depth: int, *, people: bool = False) -> None:
        if depth > NESTING_LEVELS_MAX:
            return
        if isinstance(value, dict):
            about = name_beside_value(value)
            for name, each in value.items():
                inner = (*path, folded(about if about and name in VALUES else name))
                self._learn(each, inner, depth + 1, people=people or self._kind(inner) == _PEOPLE)
        elif isinstance(value, list):
            for each in value:
                self._learn(each, path, depth + 1, people=people)
        elif isinstance(value, str):
            if (nested := _nested(value)) is not None:
                self._learn(nested, path, depth + 1, people=people)
            elif people and (_NAME.fullmatch(value) or "@" in value):
                self._learn_name(value.partition("@")[0])

    def _learn_name(self, name: str) -> None:
        """Words of a name of two words or more; a single one may be a service's: `root`, `checkout`."""
        words = {word.casefold() for word in _PARTS.findall(name) if len(word) >= NAME_LETTERS_MIN}
        if len(words) > 1 and len(self._words) < NAME_WORDS_MAX and not words & self._things:
            self._words |= words

    # -- records

    def redacted(self, record: StreamRecord) -> StreamRecord:
        """The record without people and secrets. Topic, place, time and what is no text stay."""
        headers = tuple((self._field(name), self._header(name, value)) for name, value in record.headers)
        return record._replace(key=self._value(record.key), value=self._value(record.value), headers=headers)

    def _header(self, name: str, value: bytes) -> bytes:
        kind = self._kind((folded(name),))
        if kind in (_PEOPLE, _SECRET) and value:
            self.replaced += 1
            text = value.decode(errors="replace")
            return (self._pseudonyms.person(text) if kind == _PEOPLE else self._pseudonyms.secret(text)).encode()
        return self._value(value) or value

    def _value(self, value: bytes | None) -> bytes | None:
        document = None if value is None else _document(value)
        if document is None:
            return self._bytes(value)
        before = self.replaced
        changed = self._walk(document, (), 0, _PLAIN)
        return value if self.replaced == before else orjson.dumps(changed)

    def _bytes(self, data: bytes | None) -> bytes | None:
        """Text as bytes; what is no UTF-8 is read byte for byte, so that nothing passes for being unreadable."""
        if not data:
            return data
        try:
            return self._text(data.decode()).encode()
        except UnicodeDecodeError:
            return self._text(data.decode("latin-1")).encode("latin-1", errors="replace")

    def _walk(self, value: Any, path: tuple[str, ...], depth: int, kind: str) -> Any:
        if depth > NESTING_LEVELS_MAX:
            self.replaced += 1
            return None
        if isinstance(value, dict):
            walked, about = {}, name_beside_value(value)
            for name, each in value.items():
                inner = (*path, folded(about if about and name in VALUES else name))
                said = self._kind(inner)
                under = said if said == _KEPT or kind == _PLAIN else kind
                walked[self._field(name)] = each if said == _KEPT else self._walk(each, inner, depth + 1, under)
            return walked
        if isinstance(value, list):
            return [self._walk(each, path, depth + 1, kind) for each in value]
        if value is None or isinstance(value, bool):
            return value
        if not isinstance(value, str):
            return self._number(value, path, kind)
        return self._said(value, path, depth, kind)

    def _said(self, text: str, path: tuple[str, ...], depth: int, kind: str) -> str:
        if (nested := _nested(text)) is not None:
            before = self.replaced
            changed = self._walk(nested, path, depth + 1, kind)
            return text if self.replaced == before else orjson.dumps(changed).decode()
        if kind == _PLAIN or not text:
            return self._text(text)
        self.replaced += 1
        if kind == _SECRET:
            return self._pseudonyms.secret(text)
        return self._pseudonyms.person(text)

    def _number(self, value: float, path: tuple[str, ...], kind: str) -> float:
        """A number that is a secret or names somebody; others are counts, which decisions need."""
        if kind != _SECRET and (kind == _PLAIN or not (path and _names_somebody(path[-1]))):
            return value
        self.replaced += 1
        return self._pseudonyms.number(value)

    def _kind(self, path: tuple[str, ...]) -> str:
        """What a field holds: by the longest rule that its path ends in, one of `keep` before others."""
        if self._paths:
            for start in range(len(path) - 1):
                if (dotted := ".".join(path[start:])) in self._paths:
                    return self._kinds[dotted]
        leaf = path[-1]
        if leaf not in self._kinds and leaf.endswith(TOLD_BY):
            leaf = next(leaf.removesuffix(end) for end in TOLD_BY if leaf.endswith(end))
        return self._kinds.get(leaf) or (_SECRET if path[-1].endswith(SECRET_ENDS) else _PLAIN)

    # -- texts

    def _text(self, text: str) -> str:
        """A text without what looks like an address, a secret or a known name."""
        changed = text
        for pattern in self._patterns:
            changed = pattern.sub(lambda found: self._pseudonyms.secret(found[0]), changed)
        if _WORTH_A_LOOK.search(changed):
            changed = _PATTERN.sub(self._replacement, changed)
            changed = _MENTION.sub(self._mention, changed)
            changed = self._fields(changed)
        if self._words:
            changed = _WORDS.sub(self._names, changed)
        self.replaced += changed != text
        return changed

    def _fields(self, text: str) -> str:
        """A text without what its fields of JSON hold, where they hold people or secrets."""
        return _FIELD.sub(self._held, text) if '"' in text else text

    def _held(self, found: re.Match[str]) -> str:
        kind, value = self._kind((folded(found["field"]),)), found["value"]
        makers = {_PEOPLE: self._pseudonyms.person, _SECRET: self._pseudonyms.secret, _PLAIN: self._fields}
        begin, end = (each - found.start() for each in found.span("value"))
        return found[0][:begin] + makers.get(kind, str)(value) + found[0][end:]

    def _field(self, name: str) -> str:
        """The name of a field, which may be an address or a person's name: those have spaces, fields have none."""
        changed = _PATTERN.sub(self._replacement, name) if "@" in name else name
        changed = _WORDS.sub(self._names, changed) if " " in changed else changed
        self.replaced += changed != name
        return changed

    def _replacement(self, found: re.Match[str]) -> str:
        said, how = found.lastgroup, self._pseudonyms
        if said == "mail" and found[0].casefold() in self._no_mail:
            return found[0]
        makers: dict[str | None, Callable[[str], str]] = {"mail": how.mail, "phone": how.phone}
        if said in ("bearer", "credential", "given", "said"):
            return found[0].removesuffix(found[said]) + how.secret(found[said])
        return makers.get(said, how.secret)(found[0])

    def _mention(self, found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if any(part.casefold() in self._things for part in _PARTS.findall(name)):
            return found[0]
        return found[0].replace(name, self._pseudonyms.person(name))

    def _names(self, found: re.Match[str]) -> str:
        """Words that belong to a name: with a capital, or several of them joined as in a login."""
        known, text = self._words, found[0]
        parts = _PARTS.findall(text)
        if not any(part.casefold() in known for part in parts):
            return text
        joined = len(parts) > 1 and all(part.casefold() in known for part in parts)

        def one(part: re.Match[str]) -> str:
            word = part[0]
            if word.casefold() in known and (joined or not word[0].islower()):
                return self._pseudonyms.token(word)
            return word

        return _PARTS.sub(one, text)


def _names_somebody(field: str) -> bool:
    """Whether a number under this name tells who it is; `users: 5` is a count."""
    return field.endswith(_NUMBERED) or (field in PEOPLE and not field.endswith("s"))


def _document(value: bytes) -> Any:
    """The JSON object, list or text of a value, or None."""
    if value.lstrip()[:1] not in (b"{", b"[", b'"'):
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


def _nested(text: str) -> Any:
    """The JSON object, list or text that a text holds, as notifications wrap the messages of others; or None."""
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
