"""The projection: what one batch tells becomes rows, in one transaction with how far the topics are in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Connection

from pipeline.core.outward.incident_event import IncidentEvent, ProblemEvent
from pipeline.core.outward.record import Told
from pipeline.core.outward.told import DeliveryTold, EpisodeTold, LedgerTold
from pipeline.models.suppression import Suppression
from pipeline.records import episodes, incidents, outside, problems, suppressions
from pipeline.records.changes import Changed, notify
from pipeline.records.projected import Ends, advance, fresh, lock

Fact = TypeVar("Fact")


def write(connection: Connection, told: Sequence[Told], ends: Ends, *, tells: bool = True) -> int:
    """Write a batch, each record once; the number of those that were not in the store yet.

    How batches are cut, which of them come again, and which topic is ahead of another makes no difference to what the
    store holds in the end.

    Args:
        connection: in a transaction of its own.
        told: in the order of each partition.
        ends: how far the batch goes; a topic that is not in it is written whole, as often as it comes.
        tells: those who listen hear of what has changed.

    Raises:
        SQLAlchemyError: the database is away or refused.
    """
    new = fresh(told, lock(connection, ends))
    changes = _write(connection, new)
    advance(connection, ends)
    if tells:
        notify(connection, changes)
    return len(new)


def _write(connection: Connection, told: Sequence[Told]) -> list[Changed]:
    events = _of(told, IncidentEvent)
    changes = [
        *incidents.write(connection, events),
        *problems.write(connection, _of(told, ProblemEvent)),
    ]
    suppressions.write(connection, _of(told, Suppression))
    outside.write_deliveries(connection, _of(told, DeliveryTold))
    outside.write_ledger(connection, _of(told, LedgerTold))
    episodes.write(connection, _of(told, EpisodeTold), events)
    return changes


def _of(told: Sequence[Told], kind: type[Fact]) -> list[Fact]:
    return [each.fact for each in told if isinstance(each.fact, kind)]
