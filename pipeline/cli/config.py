"""``spillway config``: check, lint, test, show and describe a configuration directory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.console import Console

from pipeline.catalog import Checked, ConfigError, Opened, Problem, open_config
from pipeline.catalog.lint import CHECK_RULES, rule_findings, without_silenced
from pipeline.catalog.lint_context import Finding
from pipeline.catalog.problems import PROBLEMS_SHOWN_MAX, Place
from pipeline.catalog.schema import SCHEMA_NAMES, schema_of
from pipeline.cli.config_effective import effective_document, look_up, print_effective
from pipeline.cli.config_lint import (
    EXIT_FINDINGS,
    ends_badly,
    lint_options,
    print_report,
    print_rules,
    report_json,
    run_lint,
)
from pipeline.cli.config_test import run_tests
from pipeline.cli.config_view import counts, tables
from pipeline.cli.moments import MOMENT, now_ms
from pipeline.feeds import ADAPTERS, feeds_of
from pipeline.models.policy import Config
from pipeline.settings import Settings, SettingsError

DIRECTORY_DEFAULT: Final = Path("config")
EXIT_PROBLEMS: Final = 2
INVALID: Final = "invalid"

# Words of the summary that do not become singular by losing their s.
_SINGULAR: Final = {"maintenance": "maintenance window", "rules": "correlation rule"}

_JSON_OPTIONS: Final = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS


def _configured() -> Path:
    """The directory that the stages would use here."""
    try:
        return Settings.from_environment().config_dir or DIRECTORY_DEFAULT
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


_directory = click.argument(
    "directory",
    metavar="[DIR]",
    type=click.Path(path_type=Path),
    default=_configured,  # asked when the command runs, not at import
)
_as_json = click.option("--json", "as_json", is_flag=True, help="For machines.")


@click.group()
def config() -> None:
    """Check, lint, test, show, describe a configuration directory (SPILLWAY_CONFIG or ./config where none is named)."""


@config.command()
@_directory
@_as_json
def check(directory: Path, as_json: bool) -> None:
    """Name every problem with its file and line. Exits 2 where there is one."""
    opened = open_config(directory, ADAPTERS)
    checked = replace(opened.checked, warnings=_warnings(opened))
    if as_json:
        click.echo(_json(_report(checked)))
    else:
        _print_findings(directory, checked)
    if checked.config is None:
        raise click.exceptions.Exit(EXIT_PROBLEMS)


def _warnings(opened: Opened) -> tuple[Problem, ...]:
    """What works and is probably not meant: references that lead nowhere are among it, silenced in place or not."""
    leads_nowhere = [each for each in rule_findings(opened, now_ms()) if each.rule in CHECK_RULES]
    found = [Finding(each.rule, Place(each.file, each.line), each.message) for each in opened.checked.warnings]
    told = without_silenced(opened, [*found, *leads_nowhere])
    return tuple(sorted(Problem(each.place.file, each.place.line, each.message, each.rule) for each in told))


@config.command("lint")
@_directory
@lint_options
@_as_json
def lint_command(
    directory: Path,
    recordings: tuple[Path, ...],
    samples: tuple[tuple[str, Path], ...],
    at_ms: int | None,
    *,
    strict: bool,
    rules: bool,
    as_json: bool,
) -> None:
    """Name what nobody can have meant: shadowed rules, services without owner, paths to nobody, feeds without coverage.

    Exits 1 where there is an error; with --strict also where there is advice.
    """
    if rules:
        print_rules()
        return
    report = run_lint(directory, recordings=recordings, samples=samples, at_ms=at_ms)
    if as_json:
        click.echo(report_json(report, strict=strict))
    else:
        print_report(directory, report)
    if ends_badly(report, strict=strict):
        raise click.exceptions.Exit(EXIT_FINDINGS)


@config.command()
@_directory
@click.option(
    "--effective", "service", metavar="SERVICE", help="What is in force for one service, and where it comes from."
)
@click.option(
    "--at", "at_ms", type=MOMENT, metavar="TIME", help="With --effective: people and maintenance at this time."
)
@click.option(
    "--recording",
    "recordings",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="With --effective: count the alerts about it in a recording, by feed.",
)
@_as_json
def show(directory: Path, service: str | None, at_ms: int | None, recordings: tuple[Path, ...], as_json: bool) -> None:
    """Show what is in effect: entities, domains, rotations, feeds, sinks, maintenance; or all that one service has."""
    if service is None and (at_ms is not None or recordings):
        raise click.ClickException("--at and --recording go with --effective SERVICE")
    opened = open_config(directory, ADAPTERS)
    loaded = opened.checked.config
    if loaded is None:
        raise click.ClickException(_refusal(directory, ConfigError(opened.checked.problems)))
    if service is not None:
        found = look_up(opened, loaded, service, now_ms() if at_ms is None else at_ms, recordings)
        if as_json:
            click.echo(orjson.dumps(effective_document(found), option=orjson.OPT_INDENT_2))
        else:
            print_effective(directory, found, Console(markup=False))
        return
    if as_json:
        click.echo(_json(loaded.model_dump(mode="json")))
        return
    console = Console(markup=False)  # brackets in names are text
    for table in tables(loaded, feeds_of(loaded)):
        console.print(table)


@config.command()
@_directory
@click.option("--mutate", is_flag=True, help="Also take out each part of each rule, and name what no case notices.")
@_as_json
def test(directory: Path, mutate: bool, as_json: bool) -> None:
    """Play the cases in DIR/tests/*.yaml: alerts at times, incidents expected. Say which rules no case needs.

    Exits 1 where a case fails, 2 where the directory or a case is broken.
    """
    run_tests(directory, mutate=mutate, as_json=as_json)


@config.command()
@click.option(
    "--write",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write NAME.json for each kind of file into a folder, and say how editors find them.",
)
@click.argument("name", required=False, type=click.Choice(SCHEMA_NAMES))
def schema(name: str | None, folder: Path | None) -> None:
    """Print the JSON schema of one kind of file, or of all."""
    names = (name,) if name else SCHEMA_NAMES
    if folder is None:
        click.echo(_json(schema_of(name) if name else {each: schema_of(each) for each in names}))
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in names:
            file = folder / f"{each}.json"
            file.write_text(f"{_json(schema_of(each))}\n", encoding="utf-8")
            click.echo(f"{file}: first line of the YAML file: # yaml-language-server: $schema=PATH/TO/{file.name}")
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


def _json(value: Any) -> str:
    return orjson.dumps(value, option=_JSON_OPTIONS).decode()


def _report(checked: Checked) -> dict[str, Any]:
    return {
        "ok": checked.config is not None,
        "version": checked.config.version if checked.config else None,
        "found": counts(checked.config) if checked.config else None,
        "problems": [problem._asdict() | {"rule": INVALID} for problem in checked.problems],
        "warnings": [warning._asdict() for warning in checked.warnings],
    }


def _print_findings(directory: Path, checked: Checked) -> None:
    for warning in checked.warnings:
        click.echo(_line(directory, warning, "warning: "))
    for problem in checked.problems[:PROBLEMS_SHOWN_MAX]:
        click.echo(_line(directory, problem))
    if checked.config is not None:
        click.echo(f"ok: {_summary(checked.config)}")
        return
    hidden = len(checked.problems) - PROBLEMS_SHOWN_MAX
    more = f", {hidden:,} of them not shown" if hidden > 0 else ""
    click.echo(f"{_counted(len(checked.problems), 'problem')}{more}")


def _refusal(directory: Path, error: ConfigError) -> str:
    others = len(error.problems) - 1
    more = f" (and {others:,} more: spillway config check {directory})" if others else ""
    return f"{_line(directory, error.problems[0])}{more}"


def _line(directory: Path, problem: Problem, before: str = "") -> str:
    return f"{directory / problem.file}:{problem.line}: {before}{problem.message}"


def _summary(loaded: Config) -> str:
    found = {_SINGULAR.get(word, word.removesuffix("s")): number for word, number in counts(loaded).items()}
    parts = [_counted(number, word) for word, number in found.items() if number]
    return f"{', '.join(parts) or 'nothing, so defaults alone'}; version {loaded.version}"


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
