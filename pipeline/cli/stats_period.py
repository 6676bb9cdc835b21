"""What ``spillway stats`` is asked of a period, and its answer: on the terminal, as JSON, or as a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import click
import orjson
from sqlalchemy import Connection

from pipeline.cli.moments import MOMENT, now_ms
from pipeline.cli.records import line_console, read_records
from pipeline.cli.stats_maturity import document, gather, tell
from pipeline.records.analytics.export import (
    MEASURE_COLUMNS,
    ExportError,
    figure_rows,
    incident_rows,
    write,
)
from pipeline.records.analytics.figures import By
from pipeline.records.analytics.maturity import maturity
from pipeline.records.analytics.periods import (
    ALL_TIME,
    Period,
    PeriodError,
    last_days,
    quarter_named,
    zone_of,
)
from pipeline.records.analytics.trend import Every, Measure

TREND_DAYS: Final = 84
"""Days of a trend where no period is named: twelve weeks, about a quarter."""


class ExportOf(StrEnum):
    """What an export holds."""

    INCIDENTS = "incidents"
    FIGURES = "figures"


@dataclass(frozen=True, slots=True)
class PeriodAsked:
    """The options, as `period_options` declares them."""

    by: tuple[str, ...]
    since: int | None
    until: int | None
    quarter: str | None
    zone: str | None
    trend: str | None
    every: str | None
    export: Path | None
    export_of: str | None

    def period(self) -> Period:
        """The period that is asked for; all time where none is named, but of a trend the last weeks.

        Raises:
            PeriodError: it is none.
        """
        zone = self.zone or "UTC"
        now = datetime.fromtimestamp(now_ms() / 1_000, UTC)
        if self.quarter is not None:
            if self.since is not None or self.until is not None:
                raise PeriodError("name a quarter, or --since and --until, not both")
            return quarter_named(self.quarter, zone)
        if self.since is None and self.until is None:
            zone_of(zone)
            return last_days(TREND_DAYS, now, zone) if self.trend else ALL_TIME
        start = None if self.since is None else datetime.fromtimestamp(self.since / 1_000, UTC)
        end = now if self.until is None else datetime.fromtimestamp(self.until / 1_000, UTC)
        words = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC" if start else f"until {end:%Y-%m-%d %H:%M} UTC"
        return Period(start, end, zone, words)


def _words(of: type[StrEnum]) -> list[str]:
    return [each.value for each in of]


_OPTIONS: Final[tuple[Callable[[Any], Any], ...]] = (
    click.option("--by", multiple=True, type=click.Choice(_words(By)), help="Tell groups apart; may be given twice."),
    click.option("--since", type=MOMENT, help="From then on, such as 2026-01-01 or 30d."),
    click.option("--until", type=MOMENT, help="Until then; now, unless it is given."),
    click.option("--quarter", metavar="YYYY-QN", help="A calendar quarter, such as 2026-Q1, beside the one before."),
    click.option("--zone", metavar="ZONE", help="IANA time zone in which quarters and days begin. [default: UTC]"),
    click.option("--trend", type=click.Choice(_words(Measure)), help="How a figure went, as a line of bars."),
    click.option("--every", type=click.Choice(_words(Every)), help="Step of the trend. [default: week]"),
    click.option(
        "--export",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Write FILE.csv or FILE.parquet: a row for each incident that the period touches.",
    ),
    click.option(
        "--export-of",
        type=click.Choice(_words(ExportOf)),
        help="Export the figures of the groups instead of incidents.",
    ),
)


def period_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a period, in order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def answer(records_url: str | None, asked: PeriodAsked, *, as_json: bool) -> None:
    """Answer on the terminal, as JSON, or into a file.

    Raises:
        ClickException: what is asked for is no period, or cannot be written.
        UsageError: options that mean nothing together.
    """
    if asked.export_of is not None and asked.export is None:
        raise click.UsageError("--export-of needs --export FILE")
    try:
        period = asked.period()
        if asked.export is not None:
            _export(records_url, asked, asked.export, period, as_json=as_json)
        else:
            _show(records_url, asked, period, as_json=as_json)
    except (PeriodError, ExportError) as error:
        raise click.ClickException(str(error)) from error


def _show(records_url: str | None, asked: PeriodAsked, period: Period, *, as_json: bool) -> None:
    measure = Measure(asked.trend) if asked.trend else None
    every, by = Every(asked.every or Every.WEEK), [By(each) for each in asked.by]
    found = read_records(
        records_url, lambda store: store.ask(lambda connection: gather(connection, period, by, measure, every))
    )
    if as_json:
        click.echo(orjson.dumps(document(found), option=orjson.OPT_INDENT_2))
    else:
        tell(line_console(), found, measure, every)


def _export(records_url: str | None, asked: PeriodAsked, path: Path, period: Period, *, as_json: bool) -> None:
    of = ExportOf(asked.export_of or ExportOf.INCIDENTS)

    def written(connection: Connection) -> int:
        if of is ExportOf.INCIDENTS:
            return write(path, incident_rows(connection, None, period), MEASURE_COLUMNS)
        rows = figure_rows(maturity(connection, None, period=period, by=[By(each) for each in asked.by]))
        columns = list(dict.fromkeys(name for row in rows for name in row))
        parts: Iterable[list[dict[str, Any]]] = [rows]
        return write(path, iter(parts), columns)

    count = read_records(records_url, lambda store: store.ask(written))
    if as_json:
        click.echo(orjson.dumps({"file": str(path), "rows": count, "of": of.value, "period": period.name}))
    else:
        click.echo(f"{path}: {count:,} rows, {of.value} of {period.name}")
