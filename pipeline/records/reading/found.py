"""One line of a list: an incident as its columns have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, text


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """What lists show of an incident. Whatever a damaged snapshot did not have is None.

    Attributes:
        priority_rank: 0 is the most urgent.
        owner: team.
        assignee: person.
        bridge_id: the bridge incident that it is a member of.
        opened_at: moments are in UTC.
        due_at: when the next clock that runs is due.
        breached: a clock that is not met yet has missed its target.
        domains: its own, and of a bridge incident those of its members.
        who_is_affected: in words.
        muted: notifications of it are.
        status: of a Major Incident, in words.
    """

    id: str
    revision: int
    kind: str | None
    space: str | None
    state: str | None
    title: str | None
    priority: str | None
    priority_rank: int | None
    category: str | None
    domain: str | None
    domains: list[str]
    service: str | None
    owner: str | None
    assignee: str | None
    commander: str | None
    status: str | None
    severity: str | None
    hosting_model: str | None
    infrastructure_layer: str | None
    bridge_id: str | None
    merged_into: str | None
    users_affected: float | None
    who_is_affected: str | None
    alerts_total: float | None
    episodes_open: float | None
    reopened: float | None
    opened_at: datetime | None
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    closed_at: datetime | None
    updated_at: datetime | None
    state_since_at: datetime | None
    due_at: datetime | None
    breached: bool
    muted: bool


_MADE: Final = {
    "who_is_affected": "incidents.snapshot->>'who_is_affected' AS who_is_affected",
    "muted": "coalesce(jsonb_typeof(incidents.snapshot->'muted') = 'object', false) AS muted",
}
_NAMES: Final = tuple(each.name for each in fields(IncidentRow))

COLUMNS: Final = ", ".join(_MADE.get(name, f"incidents.{name}") for name in _NAMES)
"""What a question selects for `row_of`."""


def row_of(found: RowMapping) -> IncidentRow:
    """The line of a row."""
    told: dict[str, Any] = {name: found[name] for name in _NAMES}
    return IncidentRow(**told)


def rows_of(connection: Connection, ids: Sequence[str], where: str, parameters: dict[str, Any]) -> list[IncidentRow]:
    """The lines of some incidents in the order of their ids; those for which the condition does not hold are left out.

    It is asked again where ids were asked for with it: a row may have changed since.
    """
    asked = text(f"SELECT {COLUMNS} FROM incidents WHERE id = ANY(cast(:ids AS text[])) AND {where}")  # noqa: S608  # of our own words
    rows = connection.execute(asked, parameters | {"ids": list(ids)}).mappings()
    found = {each["id"]: row_of(each) for each in rows}
    return [found[each] for each in ids if each in found]
