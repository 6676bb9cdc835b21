"""``spillway oncall``: who is on call and what if nobody, schedules, and gaps and double bookings ahead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import click
import orjson

from pipeline.catalog import open_config
from pipeline.catalog.lint import lint_oncall
from pipeline.catalog.lint_context import Context
from pipeline.catalog.load import Opened
from pipeline.catalog.oncall_answer import answer, shift_document
from pipeline.catalog.oncall_ics import schedule_calendar
from pipeline.catalog.problems import suggestion
from pipeline.cli.cluster import Decorator, json_option
from pipeline.cli.config import DIRECTORY_DEFAULT
from pipeline.cli.config_lint import EXIT_FINDINGS, ends_badly, print_report, report_json
from pipeline.cli.moments import MOMENT, now_ms
from pipeline.cli.oncall_view import answer_document, print_answer, schedule_table
from pipeline.cli.records import line_console
from pipeline.core.escalation.oncall_schedule import DAY_MS, Shift, schedule
from pipeline.feeds import ADAPTERS
from pipeline.models.oncall import POSITIONS, Rotation
from pipeline.settings import Settings, SettingsError

DAYS_MAX: Final = 800
"""Two years and some weeks: nobody plans turns for longer, and a mistyped number ends."""

EXIT_NOBODY: Final = 1
_DAYS: Final = click.IntRange(1, DAYS_MAX)


def _configured() -> Path:
    """The directory that the stages would use here."""
    try:
        return Settings.from_environment().config_dir or DIRECTORY_DEFAULT
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


_config: Decorator = click.option(
    "--config",
    "directory",
    type=click.Path(path_type=Path),
    default=_configured,
    help="Configuration directory; default: SPILLWAY_CONFIG or ./config.",
)


@click.group()
def oncall() -> None:
    """Say who is on call and what if nobody is; show schedules; find gaps and double bookings."""


@oncall.command()
@click.argument("service")
@click.option("--at", "at_ms", type=MOMENT, metavar="TIME", help="At this time; default: now.")
@_config
@json_option
def who(service: str, at_ms: int | None, directory: Path, *, as_json: bool) -> None:
    """Who is on call for SERVICE, why and until when; who is called if nobody answers; its runbooks.

    SERVICE is any name that the catalogue knows: a reference, name, title, alias or host. Exits 1 where nobody is on
    call, in no fall-back either.
    """
    moment = now_ms() if at_ms is None else at_ms
    context = _context(directory, moment)
    ref = context.enricher.resolve(service)
    if ref is None:
        raise click.ClickException(_unknown(context, service))
    found = answer(context, ref, moment)
    if as_json:
        click.echo(orjson.dumps(answer_document(found), option=orjson.OPT_INDENT_2))
    else:
        print_answer(found, line_console())
    if not found.reached:
        raise click.exceptions.Exit(EXIT_NOBODY)


@oncall.command()
@click.argument("rotation")
@click.option("--from", "from_ms", type=MOMENT, metavar="TIME", help="From this time on; default: now.")
@click.option("--days", type=_DAYS, default=28, show_default=True, help="How many days.")
@click.option("--position", type=click.Choice(POSITIONS), help="Of these alone.")
@click.option("--ics", is_flag=True, help="Print iCalendar, for other calendars.")
@_config
@json_option
def show(
    rotation: str,
    from_ms: int | None,
    days: int,
    position: str | None,
    directory: Path,
    *,
    ics: bool,
    as_json: bool,
) -> None:
    """The schedule of ROTATION, or of the rotation that covers a service of that name."""
    start_ms = now_ms() if from_ms is None else from_ms
    found = _rotation(_context(directory, start_ms), rotation)
    shifts = [_only(each, position) for each in schedule(found, start_ms, start_ms + days * DAY_MS)]
    if ics:
        click.echo(schedule_calendar(found, shifts), nl=False)
    elif as_json:
        document = {"rotation": found.name, "timezone": found.timezone, "shifts": list(map(shift_document, shifts))}
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    else:
        line_console().print(schedule_table(found, shifts))


def _only(shift: Shift, position: str | None) -> Shift:
    """A shift with the people of one position, or of all."""
    return replace(shift, people=tuple(each for each in shift.people if position in {None, each.position}))


@oncall.command("lint")
@click.option("--days", type=_DAYS, default=90, show_default=True, help="How many days are looked at.")
@click.option("--from", "from_ms", type=MOMENT, metavar="TIME", help="From this time on; default: now.")
@click.option("--strict", is_flag=True, help="Exit 1 for advice, too.")
@_config
@json_option
def lint_command(days: int, from_ms: int | None, directory: Path, *, strict: bool, as_json: bool) -> None:
    """Name gaps, double bookings, hand-offs at night, overrides of no use, services and runbooks that are missing.

    Exits 1 where there is an error: nobody is on call for a service of tier 1 or 2. With --strict also for advice.
    """
    start_ms = now_ms() if from_ms is None else from_ms
    report = lint_oncall(open_config(directory, ADAPTERS), start_ms, start_ms, days)
    if as_json:
        click.echo(report_json(report, strict=strict))
    else:
        print_report(directory, report)
    if ends_badly(report, strict=strict):
        raise click.exceptions.Exit(EXIT_FINDINGS)


def _context(directory: Path, at_ms: int) -> Context:
    """A usable directory.

    Raises:
        click.ClickException: it is not usable.
    """
    opened: Opened = open_config(directory, ADAPTERS)
    config = opened.checked.config
    if config is None:
        first = opened.checked.problems[0]
        raise click.ClickException(
            f"{directory / first.file}:{first.line}: {first.message}; see spillway config check {directory}"
        )
    return Context(opened, config, at_ms)


def _rotation(context: Context, name: str) -> Rotation:
    """The rotation that a name means: its own, or that of a service.

    Raises:
        click.ClickException: there is none.
    """
    rotations = context.config.rotations
    if name in rotations:
        return rotations[name]
    ref = context.enricher.resolve(name)
    found = context.oncall.rotation_of(ref)
    if found is not None:
        return found
    if ref is not None:
        raise click.ClickException(f"no rotation covers {ref}: list it in the services of one in oncall/")
    near = suggestion(name, rotations)
    raise click.ClickException(f"neither a rotation nor a service is called {name!r}{near}")


def _unknown(context: Context, name: str) -> str:
    if name in context.config.rotations:
        return f"{name!r} is a rotation, not a service: spillway oncall show {name}"
    near = suggestion(name, (each.name for each in context.config.catalogue.entities.values()))
    return f"nothing in the catalogue is called {name!r}{near or ': use a name, reference, title, alias or host'}"
