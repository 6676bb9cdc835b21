"""The timeline of an incident as an audit: every action as it was sealed, and whether the seals hold.

    trail = read_trail(store, "INC-D5KZHUYBCD7C")
    trail.broken()          # None, or where and what
    trail.document()        # for others to keep and to verify by themselves

A document holds all that `broken_in` needs, so whoever got one can prove later that it was not changed since, and that
the records store still tells the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, select

from pipeline.core.chain import Break, Sealed, first_break
from pipeline.core.outward.delivery_body import rfc3339
from pipeline.records.store import RecordsStore
from pipeline.records.tables import INCIDENT_EVENTS, INCIDENTS

AUDIT_SCHEMA: Final = 1

_SHOWN: Final = (
    "id",
    "kind",
    "title",
    "state",
    "priority",
    "domain",
    "service",
    "owner",
    "policy_version",
    "resolution",
)


class AuditError(Exception):
    """A document is not an audit of this release; the message is one line."""


@dataclass(frozen=True, slots=True)
class Trail:
    """What was done to one incident.

    Attributes:
        incident: its newest snapshot.
        sealed: its revisions that were sealed, in order.
        unsealed: how many revisions of older releases have no seal.
    """

    incident: dict[str, Any]
    sealed: list[Sealed]
    unsealed: int

    def broken(self) -> Break | None:
        """Where the chain does not hold; None where it does."""
        return first_break(self.sealed, str(self.incident.get("chain") or ""))

    def document(self) -> dict[str, Any]:
        """The audit for others: who or what did what, when it happened and when it went on record, why, changes."""
        broken = self.broken()
        return {
            "schema": AUDIT_SCHEMA,
            "incident": {name: self.incident.get(name) for name in _SHOWN},
            "seal": self.incident.get("chain") or "",
            "unsealed_revisions": self.unsealed,
            "intact": broken is None,
            "broken": None if broken is None else broken._asdict(),
            "actions": [action for each in self.sealed for action in _actions(each)],
            "revisions": [each._asdict() for each in self.sealed],
        }


def read_trail(store: RecordsStore, incident_id: str) -> Trail | None:
    """The trail of an incident; None where the store knows of no such incident.

    Raises:
        SQLAlchemyError: the database is away or refused.
    """
    return store.ask(lambda connection: trail_of(connection, incident_id))


def trail_of(connection: Connection, incident_id: str) -> Trail | None:
    """The same of a connection."""
    columns = INCIDENT_EVENTS.c
    revisions = select(columns.revision, columns.sealed, columns.seal).where(columns.incident_id == incident_id)
    incident = connection.scalar(select(INCIDENTS.c.snapshot).where(INCIDENTS.c.id == incident_id))
    if incident is None:
        return None
    rows = connection.execute(revisions.order_by(columns.revision)).all()
    sealed = [Sealed(row.revision, row.sealed, row.seal) for row in rows if row.seal is not None]
    return Trail(incident, sealed, len(rows) - len(sealed))


def ids_between(store: RecordsStore, from_ms: int, to_ms: int) -> list[str]:
    """Incidents that were opened in a span of time, in order of opening."""
    begin, end = (datetime.fromtimestamp(each / 1_000, UTC) for each in (from_ms, to_ms))
    query = select(INCIDENTS.c.id).where(INCIDENTS.c.opened_at >= begin, INCIDENTS.c.opened_at < end)
    ordered = query.order_by(INCIDENTS.c.opened_at, INCIDENTS.c.id)
    return store.ask(lambda connection: list(connection.scalars(ordered)))


def broken_in(document: dict[str, Any]) -> Break | None:
    """Where the chain of a document does not hold; None where it does and its actions are those that were sealed.

    Raises:
        AuditError: it is no audit.
    """
    if not isinstance(document, dict) or document.get("schema") != AUDIT_SCHEMA:
        raise AuditError(f"not an audit of schema {AUDIT_SCHEMA}")
    try:
        sealed = [Sealed(each["revision"], each["content"], each["seal"]) for each in document["revisions"]]
        broken = first_break(sealed, document["seal"])
        listed = [action for each in sealed for action in _actions(each)]
        actions = document["actions"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # whatever others have made of it
        raise AuditError(f"not an audit: {error!r}") from error
    if broken is None and actions != listed:
        return Break(0, "the actions listed are not those that were sealed")
    return broken


def _actions(sealed: Sealed) -> Iterable[dict[str, Any]]:
    """The actions of a revision, in the words of an audit."""
    _, revision, _, _, entries = orjson.loads(sealed.content)
    return [_action(revision, entry) for entry in entries]


def _action(revision: int, entry: dict[str, Any]) -> dict[str, Any]:
    recorded_ms, happened_ms = entry["at_ms"], entry.get("event_at_ms")
    changed = entry.get("changed") or {}
    return {
        "revision": revision,
        "recorded_at": rfc3339(recorded_ms),
        "happened_at": rfc3339(recorded_ms if happened_ms is None else happened_ms),
        "actor": entry["actor"],
        "action": entry["action"],
        "why": entry["text"],
        "changed": {name: {"before": was, "after": became} for name, (was, became) in changed.items()},
        "facts": entry["facts"],
    }
