"""Encoded queries of ServiceNow, as far as they are used: conditions with ``^``, ``^OR``, ``^NQ`` and ``ORDERBY``.

As documented, a condition on a field that does not exist is left out, so that it finds everything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

Record = Mapping[str, str]

_CONDITION = re.compile(r"(?P<field>[a-z_.]+)(?P<operator>>=|<=|!=|=|>|<|IN|LIKE|STARTSWITH)(?P<value>.*)", re.DOTALL)
_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
    "IN": lambda left, right: left in right.split(","),
    "LIKE": lambda left, right: right.lower() in left.lower(),
    "STARTSWITH": lambda left, right: left.startswith(right),
}


def query(records: Iterable[Record], text: str, value_of: Callable[[Record, str], str | None]) -> list[Record]:
    """The records that a query finds, in its order. ``value_of``: a field's value; None: no such field."""
    order: list[tuple[str, bool]] = []
    alternatives = [_conditions(part, order) for part in text.split("^NQ")]
    found = [record for record in records if any(_matches(record, conditions, value_of) for conditions in alternatives)]
    for field, descending in reversed(order):
        found.sort(key=lambda record: value_of(record, field) or "", reverse=descending)
    return found


def _conditions(text: str, order: list[tuple[str, bool]]) -> list[list[str]]:
    """Groups of which each has to hold, by any of its members."""
    groups: list[list[str]] = []
    for part in text.split("^"):
        if part.startswith("ORDERBYDESC"):
            order.append((part.removeprefix("ORDERBYDESC"), True))
        elif part.startswith("ORDERBY"):
            order.append((part.removeprefix("ORDERBY"), False))
        elif part.startswith("OR") and groups:
            groups[-1].append(part.removeprefix("OR"))
        elif part:
            groups.append([part])
    return groups


def _matches(record: Record, groups: list[list[str]], value_of: Callable[[Record, str], str | None]) -> bool:
    return all(any(_holds(record, condition, value_of) for condition in group) for group in groups)


def _holds(record: Record, condition: str, value_of: Callable[[Record, str], str | None]) -> bool:
    found = _CONDITION.fullmatch(condition)
    value = value_of(record, found["field"]) if found else None
    return True if found is None or value is None else _OPERATORS[found["operator"]](value, found["value"])
