"""Values as columns of the records store take them, and how rows are written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.dialects.postgresql import insert

from pipeline.core.outward.incident_event import TIME_MS_MAX

# Rows of one statement: PostgreSQL takes 65,535 parameters in one, and an incident has 26 columns.
ROWS_MAX: Final = 1_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def text_of(value: Any) -> str | None:
    """A value for a text column; the snapshot beside it keeps the original, whatever it is."""
    return value if isinstance(value, str) else None


def mapping_of(value: Any) -> dict[str, Any] | None:
    """A value for a column of objects."""
    return value if isinstance(value, dict) else None


def number_of(value: Any) -> float | None:
    """A value for a column of numbers."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def moment_of(value: Any) -> datetime | None:
    """Epoch milliseconds as a moment; None where it is no time that PostgreSQL can hold."""
    if not isinstance(value, int) or not 0 <= value <= TIME_MS_MAX:
        return None
    return _EPOCH + timedelta(milliseconds=value)


def without_nul(value: Any) -> Any:
    """A value without NUL characters, which PostgreSQL cannot store and a monitored program may well print."""
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [without_nul(member) for member in value]
    if isinstance(value, dict):
        return {without_nul(name): without_nul(member) for name, member in value.items()}
    return value


def insert_new(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    """Insert rows; those that are there already change nothing."""
    for chunk in _chunks(rows):
        connection.execute(insert(table).values(chunk).on_conflict_do_nothing())


def upsert_newest(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    """Insert rows, or replace those of an older revision."""
    for chunk in _chunks(rows):
        statement = insert(table).values(chunk)
        changes = {name: statement.excluded[name] for name in chunk[0] if name != "id"}
        is_newer = table.c.revision < statement.excluded.revision
        connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changes, where=is_newer))


def _chunks(rows: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    return (rows[start : start + ROWS_MAX] for start in range(0, len(rows), ROWS_MAX))
