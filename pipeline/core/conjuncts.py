"""Equalities that can be read out of a CEL expression, so that an index can ask for them.

    read('labels.team == "shop" && severity in ["critical", "error"] && tier <= 2')

gives the first two as equalities, and says that they are not all. Only a plain conjunction is read: its parts must
hold for the whole to hold. What is not understood is left to CEL, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from pipeline.models.correlation_rules import LABEL_FACT, LABELS, LIST_FACTS

NESTING_MAX: Final = 20
"""Parentheses around parentheses that are looked into."""

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>"[^"\\\n]*"|'[^'\\\n]*')|(?P<number>\d+(?![\w.]))|(?P<name>[A-Za-z_]\w*)|"""
    r"""(?P<sign>&&|\|\||==|!=|<=|>=|[()\[\]{}.,?:!<>+*/%-]))"""
)
_OPENING: Final = frozenset("([{")
_CLOSING: Final = frozenset(")]}")
_LOOSER: Final = frozenset(("||", "?"))
"""Operators that bind looser than ``&&``: a conjunction with one of them is none."""

_EQUAL: Final = (("sign", "=="), ("name", "in"))

_Tokens = Sequence[tuple[str, str]]


class Equality(NamedTuple):
    """A fact has one of some values. Of a list of texts: one of them is in it."""

    fact: str
    values: frozenset[str | int]


class Read(NamedTuple):
    """What an expression asks for.

    Attributes:
        equalities: parts of a conjunction, each of which must hold.
        whole: there is nothing else in the expression.
    """

    equalities: tuple[Equality, ...]
    whole: bool


def read(source: str, facts: Collection[str]) -> Read:
    """Read the equalities of an expression.

    Args:
        source: in CEL, compiled already: this is no check.
        facts: names of texts and lists that may stand in an equality, ``labels`` aside.
    """
    tokens = _tokens(source)
    if tokens is None:
        return Read((), False)
    found: list[Equality] = []
    whole = _conjunction(tokens, frozenset(facts), found, 0)
    return Read(tuple(found), whole)


def _tokens(source: str) -> _Tokens | None:
    """The parts of an expression; None where one is not known here, such as an escaped text or a comment."""
    found: list[tuple[str, str]] = []
    at, end = 0, len(source.rstrip())
    while at < end:
        token = _TOKEN.match(source, at)
        if token is None or (token["sign"] == "/" and source[token.end() : token.end() + 1] == "/"):
            return None
        kind = str(token.lastgroup)
        text = token[kind]
        # r"x", b"x" and """x""" are other texts than "x".
        if kind == "text" and found and found[-1][0] in ("name", "text") and source[token.start()] not in " \t\r\n":
            return None
        found.append((kind, text))
        at = token.end()
    return found


def _conjunction(tokens: _Tokens, facts: frozenset[str], found: list[Equality], depth: int) -> bool:
    """Add the equalities of a conjunction; whether there is nothing else in it."""
    parts = _parts(tokens)
    if parts is None:
        return False
    whole = True
    for part in parts:
        if len(part) > 1 and part[0] == ("sign", "(") and _closes(part) == len(part) - 1 and depth < NESTING_MAX:
            whole &= _conjunction(part[1:-1], facts, found, depth + 1)
            continue
        equality = _equality(part, facts)
        if equality is None:
            whole = False
        else:
            found.append(equality)
    return whole


def _parts(tokens: _Tokens) -> list[_Tokens] | None:
    """What stands between ``&&`` outside of brackets; None where it is no conjunction."""
    parts: list[_Tokens] = []
    depth = begin = 0
    for number, (kind, text) in enumerate(tokens):
        if kind != "sign":
            continue
        if text in _OPENING:
            depth += 1
        elif text in _CLOSING:
            depth -= 1
        elif not depth and text in _LOOSER:
            return None
        elif not depth and text == "&&":
            parts.append(tokens[begin:number])
            begin = number + 1
    return [*parts, tokens[begin:]]


def _closes(tokens: _Tokens) -> int:
    """Where the bracket closes that the tokens begin with; -1 where it does not."""
    depth = 0
    for number, (kind, text) in enumerate(tokens):
        if kind == "sign":
            depth += (text in _OPENING) - (text in _CLOSING)
            if not depth:
                return number
    return -1


def _equality(tokens: _Tokens, facts: frozenset[str]) -> Equality | None:
    """``fact == "x"``, ``"x" == fact``, ``fact in ["x", "y"]`` or ``"x" in fact`` of a list."""
    middle = next((number for number, each in enumerate(tokens) if each in _EQUAL), None)
    if middle is None:
        return None
    left, right, inside = tokens[:middle], tokens[middle + 1 :], tokens[middle][1] == "in"
    if inside and len(left) == 1 and (fact := _fact(right, facts)) in LIST_FACTS:
        values = _values(left)
    elif inside:
        fact, values = _fact(left, facts), _listed(right)
    else:
        fact, values = _fact(left, facts), _values(right)
        if fact is None:
            fact, values = _fact(right, facts), _values(left)
    if fact is None or not values or (fact in LIST_FACTS) != (inside and len(left) == 1 and left[0][0] != "name"):
        return None
    return Equality(fact, frozenset(values))


def _fact(tokens: _Tokens, facts: frozenset[str]) -> str | None:
    """The name of a fact or label; None where it is none."""
    if len(tokens) == 1 and tokens[0][0] == "name" and tokens[0][1] in facts:
        return tokens[0][1]
    if not tokens or tokens[0] != ("name", LABELS):
        return None
    kinds = [kind if kind != "sign" else text for kind, text in tokens[1:]]
    if kinds == [".", "name"]:
        return LABEL_FACT + tokens[2][1]
    return LABEL_FACT + tokens[2][1][1:-1] if kinds == ["[", "text", "]"] else None


def _values(tokens: _Tokens) -> list[str | int]:
    """One literal as a list; nothing where it is none, or an empty text, which every unknown fact has."""
    if len(tokens) != 1:
        return []
    kind, text = tokens[0]
    if kind == "number":
        return [int(text)]
    return [text[1:-1]] if kind == "text" and len(text) > 2 else []


def _listed(tokens: _Tokens) -> list[str | int]:
    """The literals of a list; nothing where anything else stands in it."""
    if len(tokens) < 3 or tokens[0] != ("sign", "[") or tokens[-1] != ("sign", "]"):
        return []
    inner = tokens[1:-1]
    if any(inner[number] != ("sign", ",") for number in range(1, len(inner), 2)) or not len(inner) % 2:
        return []
    values = [_values(inner[number : number + 1]) for number in range(0, len(inner), 2)]
    return [value for each in values for value in each] if all(values) else []
