"""Measures of each incident: one row of numbers, written in the transaction of the incident's rows.

What they are is the view ``measured`` of the database, which computes them from the newest snapshot and the timeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, Connection, DateTime, Integer, Table, Text, bindparam, text

from pipeline.models.incident import IncidentState
from pipeline.records.tables import METADATA

STATES: Final = (
    IncidentState.DETECTED,
    IncidentState.LOGGED,
    IncidentState.ACKNOWLEDGED,
    IncidentState.IN_PROGRESS,
    IncidentState.ESCALATED,
    IncidentState.WAITING_CUSTOMER,
    IncidentState.WAITING_VENDOR,
    IncidentState.WAITING_PROVIDER,
    IncidentState.MITIGATED,
    IncidentState.RESOLVED,
    IncidentState.REOPENED,
)
"""States that an incident leaves again, in the order of its life."""

MEASURES: Final = Table(
    "measures",
    METADATA,
    Column("incident_id", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    *(Column(name, Text) for name in ("kind", "state")),
    Column("counted", Boolean, nullable=False),
    Column("priority", Text),
    Column("priority_rank", Integer),
    Column("domain", Text),
    Column("domains", ARRAY(Text), nullable=False),
    *(
        Column(name, Text)
        for name in ("service", "owner", "category", "hosting_model", "infrastructure_layer", "condition", "cause")
    ),
    *(
        Column(f"{name}_at", DateTime(timezone=True))
        for name in ("began", "detected", "acknowledged", "restored", "resolved", "ended")
    ),
    *(Column(f"{name}_ms", BigInteger) for name in ("detect", "acknowledge", "restore", "resolve")),
    *(Column(name, Boolean, nullable=False) for name in ("self_healed", "muted")),
    *(Column(name, BigInteger, nullable=False) for name in ("reopened", "alerts", "episodes")),
    *(
        Column(name, Integer, nullable=False)
        for name in (
            "calls",
            "calls_asked",
            "people",
            "escalations",
            "escalations_asked",
            "routes",
            "exhausted",
            "nobody",
            "reassigned",
            "rerouted",
        )
    ),
    Column("response_decided_at", DateTime(timezone=True)),
    Column("response_kept", Boolean),
    Column("response_used_ms", BigInteger),
    Column("resolution_decided_at", DateTime(timezone=True)),
    Column("resolution_kept", Boolean),
    Column("resolution_used_ms", BigInteger),
    Column("updates_missed", BigInteger, nullable=False),
    *(Column(f"in_{state}_ms", BigInteger) for state in STATES),
    comment="what each incident comes to in numbers: one row each, written with its revisions",
)

_CHANGES: Final = ", ".join(
    f"{column.name} = excluded.{column.name}" for column in MEASURES.columns if not column.primary_key
)
_MEASURE: Final = text(
    "INSERT INTO measures SELECT * FROM measured WHERE incident_id = ANY(:ids)"  # noqa: S608  # names of our own
    f" ON CONFLICT (incident_id) DO UPDATE SET {_CHANGES} WHERE measures.revision <= excluded.revision"
).bindparams(bindparam("ids", type_=ARRAY(Text)))


def measure(connection: Connection, ids: Sequence[str]) -> None:
    """Measure incidents anew, as their rows and timelines are in this transaction.

    Raises:
        SQLAlchemyError: the database is away or refused.
    """
    if ids:
        connection.execute(_MEASURE, {"ids": list(ids)})
