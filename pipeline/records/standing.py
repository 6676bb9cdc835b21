"""How the store stands: its version, how far it is behind the topics, how large it is, which months it has."""

# ruff: noqa: S608  # statements are put together of names of our own tables, of nothing that anybody sends
from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select, text

from pipeline.records.contents import COMPARED
from pipeline.records.migrations import present_version
from pipeline.records.months import existing
from pipeline.records.projected import Place
from pipeline.records.source import Source, size
from pipeline.records.tables import RETENTION_RUNS

COUNTED_MAX: Final = 5_000
"""What is unread is read to be counted where it is this little: marks of transactions have offsets too."""


class TableSize(NamedTuple):
    """One table; ``rows`` is what PostgreSQL estimates, of an empty or new one it may be 0."""

    table: str
    rows: int
    bytes: int


class Behind(NamedTuple):
    """One topic.

    Attributes:
        read: records that are in the store, marks of transactions counted.
        records: records that are not in the store yet; at most so many where it is more than `COUNTED_MAX`.
        seconds: age of the oldest of them; None: it is not known, or there is none.
    """

    topic: str
    read: int
    records: int
    seconds: float | None


def version(connection: Connection) -> str | None:
    """Version of the schema; None: it is not set up."""
    return present_version(connection)


def sizes(connection: Connection) -> list[TableSize]:
    """The tables that are made of topics, with their indexes."""
    query = text("""
        SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint, coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
        FROM pg_class WHERE relkind = 'r' AND (oid = CAST(:name AS regclass)
            OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = CAST(:name AS regclass)))
    """)
    found = []
    for each in COMPARED:
        rows, total = connection.execute(query, {"name": each.name}).one()
        found.append(TableSize(each.name, int(rows), int(total)))
    return found


def months(connection: Connection) -> list[str]:
    """Months that have tables of their own, the first first, as ``2026-03``."""
    return sorted({f"{month.year:04}-{month.number:02}" for _, month in existing(connection).values()})


def odd_rows(connection: Connection) -> int:
    """Rows of months that have no table."""
    names = ("incident_events", "timeline", "suppressions", "deliveries")
    return sum(connection.scalar(text(f"SELECT count(*) FROM {name}_odd")) or 0 for name in names)


def last_retention(connection: Connection) -> dict[str, Any] | None:
    """The last run of retention."""
    row = connection.execute(select(RETENTION_RUNS).order_by(RETENTION_RUNS.c.id.desc()).limit(1)).mappings().first()
    # SQLAlchemy's own names of columns are more than strings, and JSON takes nothing else as a key.
    return None if row is None else {str(name): value for name, value in row.items()}


def behind(source: Source, known: dict[Place, int]) -> list[Behind]:
    """How far the store is behind each topic.

    Raises:
        ScanError: a topic cannot be read.
    """
    now_ms = datetime.now(UTC).timestamp() * 1_000
    bounds = source.bounds()
    found = []
    for topic in source.topic_ids:
        spans = {
            place: (max(first, known.get(place, 0)), end)
            for place, (first, end) in bounds.items()
            if place.topic == topic
        }
        left = {place: span for place, span in spans.items() if span[0] < span[1]}
        unread = list(islice(source.records(left), COUNTED_MAX))
        count = len(unread) if len(unread) < COUNTED_MAX else size(left)
        oldest = min((record.timestamp for record in unread), default=None)
        read = sum(offset for place, offset in known.items() if place.topic == topic)
        seconds = None if oldest is None else round(max(0.0, now_ms - oldest) / 1_000, 3)
        found.append(Behind(topic, read, count, seconds))
    return found
