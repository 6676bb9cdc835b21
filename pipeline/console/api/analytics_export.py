"""Maturity analytics as files: a row for each incident of a period, or its figures, as CSV or Parquet."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Final

from fastapi import APIRouter, Request
from sqlalchemy import Connection
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from pipeline.console.api.analytics import Asked, Groups, Question, bad
from pipeline.console.security.door import TARGET
from pipeline.records.analytics.export import MEASURE_COLUMNS, ExportError, figure_rows, incident_rows, write
from pipeline.records.analytics.figures import By
from pipeline.records.analytics.maturity import maturity

router = APIRouter(prefix="/analytics", tags=["analytics"])

ROWS_MAX: Final = 100_000
"""Incidents of one export: 40 MB. Who has more in a quarter takes shorter times, or the command line."""

ROWS_AT_ONCE: Final = 500
"""Rows written in one go: a few milliseconds, in which the process does nothing else."""


class Format(StrEnum):
    """What is written."""

    CSV = "csv"
    PARQUET = "parquet"


class Of(StrEnum):
    """What of."""

    INCIDENTS = "incidents"
    FIGURES = "figures"


MEDIA_TYPES: Final = {Format.CSV: "text/csv; charset=utf-8", Format.PARQUET: "application/vnd.apache.parquet"}


@router.get(
    "/export",
    summary="Incidents or figures of a period, as CSV or Parquet",
    response_class=FileResponse,
    responses={200: {"content": {each.partition(";")[0]: {} for each in MEDIA_TYPES.values()}}},
)
async def export_analytics(
    request: Request,
    question: Question,
    format: Format = Format.CSV,  # noqa: A002  # a name on the wire
    of: Of = Of.INCIDENTS,
    by: Groups = [],  # noqa: B006  # FastAPI copies it
) -> FileResponse:
    """A row of measures for each incident that the period touches, or the figures of its groups (`by`).

    In CSV, text that a spreadsheet would run as a formula begins with an apostrophe. The access log has each export.
    """
    request.scope[TARGET] = f"{of} of {question.period.name}"
    path = await question.of(lambda connection: _file(connection, question, format, of, by))
    own = f"spillway-{of}-{_plain(question.period.name)}.{format}"
    return FileResponse(path, media_type=MEDIA_TYPES[format], filename=own, background=BackgroundTask(path.unlink))


def _file(connection: Connection, question: Asked, form: Format, of: Of, by: Sequence[By]) -> Path:
    """A file of our own that holds it.

    Raises:
        Refusal: it cannot be written, or is too much.
    """
    handle, name = mkstemp(suffix=f".{form}", prefix="spillway-export-")
    os.close(handle)
    path, is_whole = Path(name), False
    try:
        _write(connection, question, path, of, by)
        is_whole = True
    except ExportError as error:
        raise bad(str(error).replace(f"{path}: ", "")) from error
    finally:
        if not is_whole:
            path.unlink()
    return path


def _write(connection: Connection, question: Asked, path: Path, of: Of, by: Sequence[By]) -> int:
    if of is Of.INCIDENTS:
        parts = incident_rows(connection, question.scope, question.period, ROWS_AT_ONCE)
        return write(path, _bounded(parts), MEASURE_COLUMNS)
    rows = figure_rows(maturity(connection, question.scope, period=question.period, by=by))
    return write(path, iter([rows]), list(dict.fromkeys(name for row in rows for name in row)))


def _bounded(parts: Iterator[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    count = 0
    for part in parts:
        count += len(part)
        if count > ROWS_MAX:
            narrow = "ask for a shorter time or one domain, or use spillway stats --export"
            raise ExportError(f"more than {ROWS_MAX:,} incidents: {narrow}")
        yield part


def _plain(name: str) -> str:
    return "".join(each if each.isascii() and each.isalnum() else "-" for each in name)[:60]
