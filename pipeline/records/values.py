"""Values as columns of the records store take them, and how rows are written."""

# ruff: noqa: S608  # statements are put together of names of our own tables, of nothing that anybody sends
from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Table, text

from pipeline.core.outward.incident_event import TIME_MS_MAX

Rows = list[dict[str, Any]]

# As JSON writes it; what has a backslash before it is looked at in vain, which is harmless.
_NUL: Final = b"\\u0000"

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


def insert_new(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows; those that are there already change nothing."""
    if rows:
        execute_with(connection, f"{_insert(table, rows)} ON CONFLICT DO NOTHING", rows)


def upsert_newest(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows, or replace those of an older revision."""
    upsert(connection, table, rows, f"{table.name}.revision < excluded.revision")


def upsert(
    connection: Connection, table: Table, rows: Rows, when: str, changes: Mapping[str, str] | None = None
) -> None:
    """Insert rows, or change those that are there.

    Args:
        connection: in a transaction.
        table: where to.
        rows: no two of one key.
        when: the condition on ``excluded`` and the table under which a row that is there is changed.
        changes: column -> expression, where it is not simply the new value.
    """
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    given = {name: f"excluded.{name}" for name in rows[0] if name not in keys} | dict(changes or {})
    assignments = ", ".join(f"{name} = {value}" for name, value in given.items())
    conflict = f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {assignments} WHERE {when}"
    execute_with(connection, f"{_insert(table, rows)} {conflict}", rows)


def _insert(table: Table, rows: Rows) -> str:
    """All rows are one parameter, JSON that PostgreSQL takes apart: many parameters cost more than the rows do."""
    columns = ", ".join(f'"{name}"' for name in rows[0])
    taken = f"json_populate_recordset(NULL::{table.name}, CAST(:rows AS json))"
    return f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {taken}"


def execute_with(connection: Connection, statement: str, rows: Rows) -> None:
    """Run a statement that takes rows as its parameter ``rows``, as `json_populate_recordset` reads them."""
    payload = orjson.dumps(rows)
    if _NUL in payload:
        payload = orjson.dumps(without_nul(rows))
    connection.execute(text(statement), {"rows": payload.decode()})
