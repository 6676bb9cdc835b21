"""``spillway policy due``: when the clocks of an incident would warn and be due, by the calendars of its domain."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import click
import orjson
from rich.table import Table
from rich.text import Text

from pipeline.catalog import ConfigError, load_config
from pipeline.catalog.pack_diff import domains_of
from pipeline.catalog.problems import suggestion
from pipeline.cli.moments import MOMENT, now_ms
from pipeline.cli.records import environment_settings, line_console
from pipeline.core.clocks.sla_forecast import Forecast, forecast
from pipeline.core.clocks.sla_words import span
from pipeline.feeds import ADAPTERS
from pipeline.models.clocks import ALWAYS, BUSINESS
from pipeline.models.policy import DomainPolicy
from pipeline.recording import to_rfc3339


@click.command("due")
@click.argument("domain")
@click.argument("priority", required=False)
@click.option("--at", "at_ms", type=MOMENT, metavar="TIME", help="Detected at this time (default: now).")
@click.option(
    "--config",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The configuration in force (default: SPILLWAY_CONFIG, else ./config).",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def due_command(domain: str, priority: str | None, at_ms: int | None, directory: Path | None, as_json: bool) -> None:
    """Tell when the clocks of an incident of DOMAIN and PRIORITY (default: each) would warn and be due.

    Nothing pauses them meanwhile. Times are local to the calendar that a clock counts on.
    """
    pack = _pack(domain, directory)
    if priority is not None and priority not in pack.targets:
        raise click.ClickException(f"'{domain}' has no targets of {priority}; it has {', '.join(pack.targets)}")
    detected_ms = now_ms() if at_ms is None else at_ms
    found = {each: forecast(pack, each, detected_ms) for each in ([priority] if priority else pack.targets)}
    if as_json:
        click.echo(orjson.dumps({name: [_document(each) for each in rows] for name, rows in found.items()}))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("Priority", "Clock", "Target", "Warns", "Due", "Holidays"):
        table.add_column(heading, no_wrap=heading != "Holidays")
    for name, rows in found.items():
        for row in rows:
            table.add_row(*(Text(text) for text in _row(pack, name, row)))
    line_console().print(table)


def _pack(domain: str, directory: Path | None) -> DomainPolicy:
    try:
        config = load_config(directory or environment_settings().config_dir or Path("config"), ADAPTERS)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    known = domains_of(config)
    if domain not in known:
        near = suggestion(domain, known) or f"; known: {', '.join(known) or 'none'}"
        raise click.ClickException(f"there is no domain '{domain}'{near}")
    return config.policy(domain)


def _row(pack: DomainPolicy, priority: str, row: Forecast) -> tuple[str, ...]:
    hours = pack.business_hours if row.calendar in (ALWAYS, BUSINESS) else pack.calendars[row.calendar]
    zone = ZoneInfo(hours.timezone)
    target = span(row.target_ms) + ("" if row.calendar == ALWAYS else f" of {row.calendar}")
    warns = ", ".join(_local(each, zone) for each in row.warns_ms)
    return (priority, row.clock, target, warns, _local(row.due_ms, zone), ", ".join(row.holidays))


def _local(at_ms: int, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1_000, zone):%a %Y-%m-%d %H:%M %Z}"


def _document(row: Forecast) -> dict[str, object]:
    return {
        "clock": row.clock,
        "calendar": row.calendar,
        "target_ms": row.target_ms,
        "warns_at": [to_rfc3339(each) for each in row.warns_ms],
        "due_at": to_rfc3339(row.due_ms),
        "holidays": list(row.holidays),
    }
