"""Damage to the structure of a JSON document: other types, huge values, missing, doubled and foreign parts.

Every function is pure: the same `random.Random` and document give the same result.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any, Final, NamedTuple

NESTING_LEVELS: Final = (2, 30, 300, 1_020, 1_025, 5_000, 100_000)
"""orjson reads 1,024 levels; Python's own recursion ends at about 1,000."""

LONG_CHARACTERS: Final = (200, 600, 1_100, 5_000, 70_000)
"""Around the bounds of an alert's fields, and far beyond."""

_EVERYTHING: Final = "a-b_c d,e:f;g/h.1=2[x]{y}(z)%3<b>'\"\n{{p}} http://a/ 0x7 is lost to Up "
PIECES: Final = (
    _EVERYTHING, _EVERYTHING, _EVERYTHING, _EVERYTHING,
    "a-b_cD ", "a-", "(", "{a", "1", "1.", "::", "[x ", "\n", '"', "%", "2026-03-04T", "a ", "changed state to down ",
    "é", "a,b;",
)  # fmt: skip
"""Repeated to a long text: what a careless reader looks through again from each of them on."""

LONG_BYTES: Final = 300_000
REPEATS: Final = (2, 3, 70, 600)

HUGE_NUMBERS: Final = (
    "9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775809",
    "1e308", "1e309", "-1e400", "1" + "0" * 400, "0.1e-400", "-0", "1772590302318000000000",
    "253402300799", "253402300800", "253402300799999", "253402300800000", "1e15", "NaN", "Infinity", "-Infinity",
)  # fmt: skip
"""As they stand in the text, also where JSON does not allow it."""

WORDS: Final = (
    "", " ", "\n", "\x00", "a\x00b", "\x1b[2J", "\u202e", "\u2028", "\ufeff", "\ud800", "\udfff\ud800", "💥" * 40, "²",
    "firing", "resolved", "ALARM", "OK", "0", "-1", "1e9", "true", "null", "None", "undefined", "{}", "[]", "{", '"',
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999+23:59", "0000-00-00", "2026-02-30T25:61:61Z",
    "2026-03-04 02:11:42", "2026-03-04T02:11:42", "Wed, 4 Mar 2026 02:09:00 GMT", "Wed, 99 Foo 0000",
    "https://", "http://[", "javascript:alert(1)", "file:///etc/passwd", "../../etc/passwd", "{EVENT.ID}",
    "*UNKNOWN*", "${jndi:ldap://x}", "%s%n", "=1+1", "<script>", "__proto__", "İ", "ß" * 300, "a:b:c", "://", "@",
    "[::1",
)  # fmt: skip


class Raw(NamedTuple):
    """JSON text that is written as it is."""

    text: str


class Doubled(NamedTuple):
    """An object with a key that comes twice."""

    pairs: tuple[tuple[str, Any], ...]


def written(value: Any, *, ascii_only: bool = True) -> str:
    """The JSON text of a document, `Raw` and `Doubled` among it."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, dict | Doubled):
        pairs = value.pairs if isinstance(value, Doubled) else value.items()
        return (
            "{"
            + ",".join(f"{_text(key, ascii_only)}:{written(each, ascii_only=ascii_only)}" for key, each in pairs)
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(written(each, ascii_only=ascii_only) for each in value) + "]"
    return _text(value, ascii_only)


def _text(value: Any, ascii_only: bool) -> str:
    return json.dumps(value, ensure_ascii=ascii_only)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a document that holds a value: its holder and its key or index."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from places(inner)


def scalar(random: Random) -> Any:
    """Some plain value, mostly one that hurts."""
    draw = random.random()
    if draw < 0.45:
        return random.choice(WORDS)
    if draw < 0.6:
        return Raw(random.choice(HUGE_NUMBERS))
    if draw < 0.65:
        return random.choice("aZ\x07é💥") * random.choice(LONG_CHARACTERS)
    return random.choice([None, True, False, 0, 1, -1, 3.7, random.getrandbits(63), [], {}, [None], {"": None}])


def nested(random: Random) -> Raw:
    """Arrays or objects in each other, closed or not."""
    levels = random.choice(NESTING_LEVELS)
    begin, end = random.choice([("[", "]"), ('{"a":', "}")])
    return Raw(begin * levels + "1" + end * (levels if random.random() < 0.8 else levels - 1))


def _other_type(value: Any, random: Random) -> Any:
    """The same value as another type says it."""
    as_text = value if isinstance(value, str) else json.dumps(value) if not isinstance(value, Raw | Doubled) else "1"
    ways: tuple[Callable[[], Any], ...] = (
        lambda: [value],
        lambda: {"value": value},
        lambda: as_text,
        lambda: len(as_text),
        lambda: list(value.items()) if isinstance(value, dict) else None,
        lambda: dict(enumerate(map(str, value))) if isinstance(value, list) else not value,
        lambda: list(as_text[:50]),
    )
    changed = random.choice(ways)()
    return {str(key): each for key, each in changed.items()} if isinstance(changed, dict) else changed


def lengthen(document: Any, random: Random) -> Any:
    """A document with one text that is far too long, made of one piece."""
    root = [document]
    texts = [(holder, key) for holder, key in places(root) if isinstance(holder[key], str)]
    if texts:
        holder, key = random.choice(texts)
        piece = random.choice(PIECES)
        holder[key] = random.choice((holder[key], "")) + piece * (LONG_BYTES // len(piece))
    return root[0]


def damage(document: Any, donors: list[Any], random: Random) -> Any:
    """A document with one thing changed.

    Args:
        document: changed in place, where it can be.
        donors: documents of all sources, whose parts are put in.
        random: where chance comes from.
    """
    root = [document]
    spots = list(places(root))
    holder, key = random.choice(spots)
    way = random.choice(_WAYS)
    way(holder, key, donors, random)
    return root[0] if root else None


def _replace(holder: Any, key: Any, _donors: list[Any], random: Random) -> None:
    holder[key] = scalar(random)


def _nest(holder: Any, key: Any, _donors: list[Any], random: Random) -> None:
    holder[key] = nested(random)


def _retype(holder: Any, key: Any, _donors: list[Any], random: Random) -> None:
    holder[key] = _other_type(holder[key], random)


def _drop(holder: Any, key: Any, _donors: list[Any], _random: Random) -> None:
    del holder[key]


def _rename(holder: Any, key: Any, _donors: list[Any], random: Random) -> None:
    if isinstance(holder, dict):
        holder[random.choice([key.upper(), f"{key} ", f"{key}\x00", "", *WORDS[2:12]])] = holder.pop(key)


def _double_key(holder: Any, key: Any, _donors: list[Any], random: Random) -> None:
    inner = holder[key]
    if isinstance(inner, dict) and inner:
        again = random.choice(list(inner))
        holder[key] = Doubled((*inner.items(), (again, scalar(random))))


def _repeat(holder: Any, key: Any, _donors: list[Any], random: Random) -> None:
    inner = holder[key]
    times = random.choice(REPEATS)
    if isinstance(inner, list):
        holder[key] = inner * min(times, 1 + 2_000 // (1 + len(inner)))
    elif isinstance(inner, dict):
        inner.update({f"extra_{number}": random.choice(WORDS) for number in range(times)})
    elif isinstance(inner, str):
        holder[key] = inner * min(times, 1 + LONG_BYTES // (1 + len(inner)))


def _graft(holder: Any, key: Any, donors: list[Any], random: Random) -> None:
    """A part of another source's message, at a place where it does not belong or under a key that both have."""
    donor = random.choice(donors)
    found = list(places([donor]))
    same = [(there, name) for there, name in found if name == key and isinstance(name, str)]
    there, name = random.choice(same or found)
    holder[key] = deepcopy(there[name])


def _swap(holder: Any, key: Any, _donors: list[Any], random: Random) -> None:
    """Two parts of one object or array change places."""
    others = [each for each, _ in enumerate(holder)] if isinstance(holder, list) else list(holder)
    other = random.choice(others)
    holder[key], holder[other] = holder[other], holder[key]


def _inside(holder: Any, key: Any, donors: list[Any], random: Random) -> None:
    """Damage the JSON inside a string: SNS envelopes and templates carry documents so."""
    inner = holder[key]
    if isinstance(inner, str) and inner[:1] in ("{", "["):
        try:
            holder[key] = written(damage(json.loads(inner), donors, random))
        except json.JSONDecodeError:
            holder[key] = inner[: random.randrange(len(inner))]
    elif isinstance(inner, str):
        cut = random.randrange(len(inner) + 1)
        holder[key] = inner[:cut] + random.choice(WORDS) + inner[cut + random.choice((0, 1, 5)) :]


_WAYS: Final = (
    _replace, _replace, _replace, _retype, _retype, _drop, _drop, _rename, _double_key, _repeat, _graft, _graft, _swap,
    _inside, _inside, _inside, _nest,
)  # fmt: skip
