"""Receipts of commands: that one was asked for, by whom, and whether Kafka has it. A key makes a repeat known.

A receipt is written before its command is sent, and marked when the brokers have it: whoever repeats a request whose
answer got lost sends the same command again, or none.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from pipeline.records.tables import INCIDENT_EVENTS, INCIDENTS, PROBLEM_EVENTS, RECEIPTS, SUPPRESSIONS, TIMELINE

KEPT: Final = timedelta(days=30)
"""As long as commands stay in their topics: what is older can be repeated by nobody."""

REFUSED_PREFIX: Final = "refused_"
"""Of the timeline's actions that say why a command changes nothing."""


class Receipt(NamedTuple):
    """One command that was asked for.

    Attributes:
        subject: who asked.
        key: his own name for the request; None: he gave none.
        digest: of what he asked: one key stands for one request.
        kind: ``incident``, ``bridge``, ``problem`` or ``silence``.
        about: id of that.
        accepted_at: when the brokers had it; None: not known to be.
    """

    command_id: str
    subject: str
    key: str | None
    digest: str
    kind: str
    about: str
    type: str
    asked_at: datetime
    accepted_at: datetime | None = None


def keep(connection: Connection, receipt: Receipt) -> Receipt:
    """Write a receipt; where there is one of this command or key, that one stands and is returned."""
    written = connection.execute(insert(RECEIPTS).values(receipt._asdict()).on_conflict_do_nothing())
    if written.rowcount:
        return receipt
    same_key = (RECEIPTS.c.subject == receipt.subject) & (RECEIPTS.c.key == receipt.key)
    query = select(RECEIPTS).where((RECEIPTS.c.command_id == receipt.command_id) | same_key)
    return Receipt(**connection.execute(query).mappings().one())


def accept(connection: Connection, command_id: str, at: datetime) -> None:
    """The brokers have it."""
    connection.execute(update(RECEIPTS).where(RECEIPTS.c.command_id == command_id).values(accepted_at=at))


def receipt(connection: Connection, command_id: str) -> Receipt | None:
    """The receipt of a command."""
    row = connection.execute(select(RECEIPTS).where(RECEIPTS.c.command_id == command_id)).mappings().first()
    return Receipt(**row) if row is not None else None


def of_key(connection: Connection, subject: str, key: str) -> Receipt | None:
    """The receipt of a request that somebody named by a key."""
    query = select(RECEIPTS).where(RECEIPTS.c.subject == subject, RECEIPTS.c.key == key)
    row = connection.execute(query).mappings().first()
    return Receipt(**row) if row is not None else None


def forget(connection: Connection, before: datetime) -> int:
    """Drop receipts that are older; how many."""
    return connection.execute(delete(RECEIPTS).where(RECEIPTS.c.asked_at < before)).rowcount


class Outcome(NamedTuple):
    """What became of a command.

    Attributes:
        refused: it changed nothing, and the words say why.
        revision: of the incident, that says so.
        words: of the timeline.
    """

    refused: bool
    revision: int
    words: tuple[str, ...]


def outcome(connection: Connection, asked: Receipt) -> Outcome | None:
    """What became of a command, as far as the records say; None: nothing yet."""
    if asked.kind == "problem":
        return _of_problem(connection, asked)
    if asked.kind == "silence":
        return _of_silence(connection, asked)
    return _of_incident(connection, asked)


def _of_incident(connection: Connection, asked: Receipt) -> Outcome | None:
    of_command = INCIDENT_EVENTS.c.command_id == asked.command_id
    events = select(INCIDENT_EVENTS.c.incident_id, INCIDENT_EVENTS.c.revision).where(of_command)
    # A merge says so on both incidents: that of the one that was asked about counts.
    found = connection.execute(events.order_by(INCIDENT_EVENTS.c.incident_id != asked.about).limit(1)).first()
    if found is None:
        return None
    own = (TIMELINE.c.incident_id == found.incident_id) & (TIMELINE.c.revision == found.revision)
    entries = list(connection.execute(select(TIMELINE.c.action, TIMELINE.c.text).where(own).order_by("position")))
    refused = any(str(each.action) == REFUSED_PREFIX + asked.type for each in entries)
    return Outcome(refused, found.revision, tuple(each.text for each in entries if each.text))


def _of_problem(connection: Connection, asked: Receipt) -> Outcome | None:
    of_command = (PROBLEM_EVENTS.c.problem_id == asked.about) & (PROBLEM_EVENTS.c.command_id == asked.command_id)
    found = connection.execute(select(PROBLEM_EVENTS.c.revision, PROBLEM_EVENTS.c.entries).where(of_command)).first()
    if found is None:
        return None
    refused = any(str(each.get("action")).startswith(REFUSED_PREFIX) for each in found.entries)
    return Outcome(refused, found.revision, tuple(each["text"] for each in found.entries if each.get("text")))


def _of_silence(connection: Connection, asked: Receipt) -> Outcome | None:
    query = select(SUPPRESSIONS.c.summary, SUPPRESSIONS.c.until, SUPPRESSIONS.c.ended)
    row = connection.execute(query.where(SUPPRESSIONS.c.episode_id == asked.about).limit(1)).first()
    if row is None or (asked.type == "unsilence" and row.ended == "on"):
        return None
    return Outcome(False, 0, (row.summary,))


def incident(connection: Connection, incident_id: str) -> dict[str, Any] | None:
    """The newest snapshot of an incident, with the ``revision`` that the store has of it."""
    row = connection.execute(
        select(INCIDENTS.c.snapshot, INCIDENTS.c.revision).where(INCIDENTS.c.id == incident_id)
    ).first()
    return None if row is None else {**row.snapshot, "revision": row.revision}
