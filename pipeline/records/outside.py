"""What happened outside, in the records store: each attempt to tell a sink, what came back, and what is open there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text

from pipeline.core.outward.told import DeliveryTold, LedgerTold
from pipeline.records.tables import DELIVERIES, LEDGER
from pipeline.records.values import insert_new, moment_of, text_of, upsert

_GONE = """
DELETE FROM ledger USING unnest(CAST(:sinks AS text[]), CAST(:ids AS text[])) AS gone(sink, incident_id)
WHERE ledger.sink = gone.sink AND ledger.incident_id = gone.incident_id
"""


def write_deliveries(connection: Connection, told: Sequence[DeliveryTold]) -> None:
    """Write outcomes; those that are there already change nothing."""
    ordered = sorted(told, key=lambda each: (each.partition, each.offset))
    insert_new(connection, DELIVERIES, [_delivery_row(each) for each in ordered])


def write_ledger(connection: Connection, told: Sequence[LedgerTold]) -> None:
    """Make the ledger's lines what they were told to be last."""
    newest = {(each.sink, each.incident_id): each for each in told}
    ordered = [newest[key] for key in sorted(newest)]
    gone = [each for each in ordered if each.entry is None]
    if gone:
        given = {"sinks": [each.sink for each in gone], "ids": [each.incident_id for each in gone]}
        connection.execute(text(_GONE), given)
    upsert(connection, LEDGER, [_ledger_row(each, each.entry) for each in ordered if each.entry is not None], "true")


def _delivery_row(told: DeliveryTold) -> dict[str, Any]:
    return {
        "topic_partition": told.partition,
        "topic_offset": told.offset,
        "at": moment_of(told.at_ms),
        "incident_id": told.incident_id,
        "sink": told.sink,
        "direction": told.direction,
        "outcome": told.outcome,
        "revision": told.revision,
        "attempt": told.attempt,
        "body": told.body,
    }


def _ledger_row(told: LedgerTold, entry: dict[str, Any]) -> dict[str, Any]:
    names = ("remote_state", "remote_key", "remote_url")
    return {
        "sink": told.sink,
        "incident_id": told.incident_id,
        **{name: text_of(entry.get(name)) or None for name in names},
        "orphan": entry["orphan"],
        "updated_at": moment_of(told.at_ms),
        "entry": entry,
    }
