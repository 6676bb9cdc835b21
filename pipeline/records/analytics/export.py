"""Exports: the measures of each incident of a period, or the figures of its groups, as CSV or Parquet."""

# ruff: noqa: S608  # the statements are put together of names in this package; what anybody sends is a parameter
from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

from pipeline.records.analytics.asking import FINAL_AT, Scope, asked, visible, within
from pipeline.records.analytics.figures import Figures, Maturity
from pipeline.records.analytics.measures import MEASURES
from pipeline.records.analytics.periods import Period

ROWS_AT_ONCE: Final = 10_000
"""Rows that are in memory at a time: an export of years does not need that of all of them."""

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a cell begins that a spreadsheet would run as a formula (OWASP, CSV injection), in full width too."""


class ExportError(Exception):
    """An export that cannot be written; the message is one line and says what to do."""


def incident_rows(
    connection: Connection, scope: Scope, period: Period, at_once: int = ROWS_AT_ONCE
) -> Iterator[list[dict[str, Any]]]:
    """Measures of the incidents and bridge incidents that touch a period, so many at a time, by detection."""
    bounded = period.start is not None or period.end is not None
    moments = (*FINAL_AT, "ended_at")
    touched = " OR ".join(within(each, period) for each in moments) if bounded else "true"
    statement = f"SELECT * FROM measures WHERE {visible(scope)} AND ({touched}) ORDER BY detected_at, incident_id"
    streamed = connection.execution_options(stream_results=True, max_row_buffer=at_once)
    for part in streamed.execute(asked(statement, scope, period)).mappings().partitions(at_once):
        yield [dict(row) for row in part]


def figure_rows(found: Maturity) -> list[dict[str, Any]]:
    """Figures of each group, and of all last, one flat row each."""
    return [{"period": found.period.name, **_flat(each)} for each in (*found.groups, found.whole)]


def _flat(figures: Figures) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in asdict(figures).items():
        if name == "group":
            continue
        if isinstance(value, dict):
            flat |= {f"{name}_{part}": each for part, each in value.items()}
        else:
            flat[name] = ";".join(value) if isinstance(value, list) else value
    return flat


def write(path: Path, parts: Iterator[Sequence[dict[str, Any]]], columns: Sequence[str]) -> int:
    """Write rows to a file of the kind that its name ends in; the number of rows.

    Raises:
        ExportError: the name ends in neither, Parquet cannot be written here, or the file cannot.
    """
    kinds = {".csv": _write_csv, ".parquet": _write_parquet}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        raise ExportError(f"{path}: the name must end in .csv or .parquet, which says what is written")
    try:
        return kind(path, parts, columns)
    except OSError as error:
        raise ExportError(f"{path}: cannot be written: {error.strerror or error}") from error


def safe_cell(value: Any) -> Any:
    """A value as a spreadsheet may open it: text that would run as a formula begins with an apostrophe."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list):
        value = ";".join(map(str, value))
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


def _write_csv(path: Path, parts: Iterator[Sequence[dict[str, Any]]], columns: Sequence[str]) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for part in parts:
            writer.writerows([safe_cell(row.get(name)) for name in columns] for row in part)
            count += len(part)
    return count


def _write_parquet(path: Path, parts: Iterator[Sequence[dict[str, Any]]], columns: Sequence[str]) -> int:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ExportError(
            f"{path}: Parquet needs pyarrow, which is not installed: "
            "pip install '.[parquet]' in Spillway's checkout, or write .csv"
        ) from error
    count, schema, writer = 0, _schema(pyarrow, columns), None
    try:
        for part in parts:
            rows = [{name: row.get(name) for name in columns} for row in part]
            table = pyarrow.Table.from_pylist(rows, schema=schema)
            schema = table.schema
            writer = writer or parquet.ParquetWriter(path, schema)
            writer.write_table(table)
            count += len(rows)
        if writer is None:
            writer = parquet.ParquetWriter(
                path, schema or pyarrow.schema([(name, pyarrow.string()) for name in columns])
            )
    finally:
        if writer is not None:
            writer.close()
    return count


def _schema(pyarrow: Any, columns: Sequence[str]) -> Any:
    """Types of the measures; None for figures, whose types follow from their values."""
    if list(columns) != MEASURE_COLUMNS:
        return None
    kinds = {
        "TEXT": pyarrow.string(),
        "BIGINTEGER": pyarrow.int64(),
        "INTEGER": pyarrow.int32(),
        "BOOLEAN": pyarrow.bool_(),
        "DATETIME": pyarrow.timestamp("ms", tz="UTC"),
        "ARRAY": pyarrow.list_(pyarrow.string()),
    }
    return pyarrow.schema([(each.name, kinds[type(each.type).__name__.upper()]) for each in MEASURES.columns])


MEASURE_COLUMNS: Final = [each.name for each in MEASURES.columns]
