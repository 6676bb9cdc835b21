"""Which tables of the store are made of the topics, and what tells their rows apart: to compare and to make anew."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Table

from pipeline.records.analytics.measures import MEASURES
from pipeline.records.tables import (
    DELIVERIES,
    EPISODE_MEMBERS,
    EPISODES,
    INCIDENT_EVENTS,
    INCIDENTS,
    LEDGER,
    PROBLEM_EVENTS,
    PROBLEMS,
    SUPPRESSIONS,
    TIMELINE,
)


class Content(NamedTuple):
    """One table that is made of topics.

    Attributes:
        table: in the store.
        topic: what its rows come of.
        time: the column by which a row is older than what its topic still holds; None: the topic holds all of it.
        derived: columns that follow from rows of other topics or months too, and are worked out from those.
    """

    table: Table
    topic: str
    time: str | None
    derived: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the table."""
        return str(self.table.name)

    @property
    def keys(self) -> list[str]:
        """Columns that tell its rows apart."""
        return [column.name for column in self.table.primary_key]

    @property
    def columns(self) -> list[str]:
        """Columns that are written; PostgreSQL works the others out."""
        return [column.name for column in self.table.columns if column.computed is None]


PROJECTED_TABLES: Final = (
    Content(INCIDENT_EVENTS, "incidents", "at"),
    Content(TIMELINE, "incidents", "revised_at"),
    Content(INCIDENTS, "incidents", "updated_at", ("notes_text",)),
    Content(SUPPRESSIONS, "suppressions", "since"),
    Content(PROBLEM_EVENTS, "problems", "at"),
    Content(PROBLEMS, "problems", "updated_at"),
    Content(EPISODES, "episodes", "opened_at", ("incident_id",)),
    Content(EPISODE_MEMBERS, "incidents", "at"),
    Content(DELIVERIES, "deliveries", "at"),
    Content(LEDGER, "deliveries.state", None),
)
"""What the projection writes, in the order in which it may be written."""

COMPARED: Final = (*PROJECTED_TABLES, Content(MEASURES, "incidents", None))
"""The same and what follows from it."""
