"""Parts of the statements that figures are counted by: which rows, and of those which are of the period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ARRAY, Connection, DateTime, Text, TextClause, bindparam, text

from pipeline.records.analytics.figures import Adherence, By, Spread
from pipeline.records.analytics.periods import Period

Scope = frozenset[str] | None
"""Domains whose incidents somebody may see; None: all, and those of no domain."""

GROUPS_MAX: Final = 500
"""Groups of one answer: a table of more is read by nobody, and a store may hold thousands of services."""

FINAL_AT: Final = (
    "detected_at",
    "acknowledged_at",
    "restored_at",
    "resolved_at",
    "response_decided_at",
    "resolution_decided_at",
)
"""Moments at which a measure becomes final, and by which it belongs to a period."""

_COLUMNS_OF: Final[Mapping[By, tuple[str, ...]]] = {
    By.PRIORITY: ("priority_rank", "priority"),
    By.CATEGORY: ("domain", "category"),
}
"""A priority is known by its place too, and a category in its domain alone: two that share a name do not compare."""


def columns_of(by: Sequence[By]) -> list[str]:
    """Columns that tell groups apart, each once."""
    found = [column for each in by for column in _COLUMNS_OF.get(each, (each.value,))]
    return list(dict.fromkeys(found))


def within(moment: str, period: Period) -> str:
    """The condition that a moment is in a period."""
    parts = [f"{moment} >= :start"] if period.start is not None else []
    parts += [f"{moment} < :end"] if period.end is not None else []
    return f"({' AND '.join(parts)})" if parts else f"{moment} IS NOT NULL"


def detected_within(period: Period) -> str:
    """The same of the detection, by which an incident is counted; where any time counts, without one as well."""
    bounded = period.start is not None or period.end is not None
    return within("detected_at", period) if bounded else "true"


def visible(scope: Scope, of: str = "domains") -> str:
    """The condition that somebody may see a row."""
    return "true" if scope is None else f"{of} && :scope"


def asked(statement: str, scope: Scope, period: Period, **more: Any) -> TextClause:
    """A statement with its parameters."""
    given: dict[str, Any] = dict(more)
    types: dict[str, Any] = {}
    if ":scope" in statement:
        given["scope"], types["scope"] = sorted(scope or ()), ARRAY(Text)
    for name, moment in (("start", period.start), ("end", period.end)):
        if f":{name}" in statement:
            given[name], types[name] = moment, DateTime(timezone=True)
    binds = [bindparam(name, value, type_=types.get(name)) for name, value in given.items()]
    return text(statement).bindparams(*binds)


def rows(connection: Connection, statement: TextClause) -> list[dict[str, Any]]:
    """The answer as dictionaries."""
    return [dict(row) for row in connection.execute(statement).mappings()]


def spread_columns(name: str, milliseconds: str, condition: str) -> str:
    """Columns of a spread of rows that satisfy a condition; `spread` reads them."""
    kept = f"FILTER (WHERE {condition})"
    return f"""count({milliseconds}) {kept} AS {name}_count, avg({milliseconds}) {kept} AS {name}_mean,
        percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY {milliseconds}::float8) {kept} AS {name}_parts"""


def spread(row: Mapping[str, Any], name: str) -> Spread:
    """A spread from its columns."""
    median, p90 = row[f"{name}_parts"] or (None, None)
    return Spread(row[f"{name}_count"], seconds(row[f"{name}_mean"]), seconds(median), seconds(p90))


def seconds(milliseconds: Any) -> float | None:
    """Milliseconds as seconds, to the millisecond."""
    return None if milliseconds is None else round(float(milliseconds) / 1_000, 3)


def ratio(part: float, whole: float) -> float | None:
    """A share, to four digits; None of nothing."""
    return round(part / whole, 4) if whole else None


def adherence(row: Mapping[str, Any], name: str) -> Adherence:
    """Clocks from their columns ``NAME_kept``, ``NAME_missed`` and ``NAME_used``."""
    kept, missed = row[f"{name}_kept"], row[f"{name}_missed"]
    return Adherence(kept, missed, ratio(kept, kept + missed), seconds(row[f"{name}_used"]))


def label_of(group: Mapping[str, Any]) -> str:
    """A group in one line: its values, without the place of its priority, which a column of its own has."""
    return ", ".join(str(value or "none") for name, value in group.items() if name != "priority_rank") or "all"
