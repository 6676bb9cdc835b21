"""``spillway config lint``: what a configuration says and nobody can have meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.agents.processors import build_processor
from pipeline.agents.shared import Shared
from pipeline.catalog.lint import RULES, Level, Report, lint
from pipeline.catalog.lint_context import Finding
from pipeline.catalog.lint_coverage import VALUES_SHOWN_MAX, Coverage, cover
from pipeline.catalog.load import open_config
from pipeline.catalog.problems import PROBLEMS_SHOWN_MAX
from pipeline.cli.dead_letter_view import escaped
from pipeline.cli.moments import MOMENT, now_ms
from pipeline.core.step import StreamRecord
from pipeline.feeds import ADAPTERS
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.models.policy import Config
from pipeline.recording import RecordingError, read_recording

EXIT_FINDINGS: Final = 1
_LINES_SUFFIXES: Final = frozenset({".ndjson", ".jsonl"})
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


class Sample(click.ParamType):
    """``FEED=FILE``: a message of a feed, or one a line in an NDJSON file."""

    name = "feed=file"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        """The feed and the file; ends the command where there is no such file."""
        feed, given, file = str(value).partition("=")
        if not (given and feed):
            self.fail(f"{value!r} is not FEED=FILE, such as zabbix=payload.json", param, ctx)
        return feed, Path(str(_FILE.convert(file, param, ctx)))


def run_lint(
    directory: Path, *, recordings: tuple[Path, ...], samples: tuple[tuple[str, Path], ...], at_ms: int | None
) -> Report:
    """Open a directory and run every rule.

    Args:
        directory: the configuration.
        recordings: recordings whose raw records are read.
        samples: feed and file of further messages.
        at_ms: the moment that maintenance is judged at; None: now.

    Raises:
        click.ClickException: a recording or sample cannot be read.
    """
    opened = open_config(directory, ADAPTERS)
    config = opened.checked.config
    coverage = read_coverage(config, recordings, samples) if config is not None and (recordings or samples) else None
    return lint(opened, now_ms() if at_ms is None else at_ms, coverage, of_all_feeds=bool(recordings))


def read_coverage(
    config: Config, recordings: tuple[Path, ...], samples: tuple[tuple[str, Path], ...]
) -> list[Coverage]:
    """What the messages of recordings and samples come to, through ingest itself.

    Raises:
        click.ClickException: one of them cannot be read.
    """
    ingest = build_processor("ingest", Shared.of(config))
    try:
        return cover(ingest, _records(recordings, samples))
    except RecordingError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from error


def _records(recordings: tuple[Path, ...], samples: tuple[tuple[str, Path], ...]) -> Iterator[StreamRecord]:
    for recording in recordings:
        with recording.open("rb") as lines:
            yield from read_recording(lines, recording.name)
    for feed, file in samples:
        content = file.read_bytes()
        payloads = content.splitlines() if file.suffix in _LINES_SUFFIXES else [content]
        for offset, payload in enumerate(each for each in payloads if each.strip()):
            yield StreamRecord(RAW_TOPIC_PREFIX + feed, 0, offset, 0, None, payload)


def ends_badly(report: Report, *, strict: bool) -> bool:
    """Whether the command ends with 1."""
    return bool(report.count(Level.ERROR) or (strict and report.findings))


def report_json(report: Report, *, strict: bool) -> bytes:
    """The report for machines."""
    return orjson.dumps(
        {
            "ok": not ends_badly(report, strict=strict),
            "errors": report.count(Level.ERROR),
            "advice": report.count(Level.ADVICE),
            "findings": [_document(finding) for finding in report.findings],
            "silenced": [_document(finding) for finding in report.silenced],
            "coverage": [each.document() for each in report.coverage],
        },
        option=orjson.OPT_INDENT_2,
    )


def _document(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "level": RULES[finding.rule].level,
        "file": finding.place.file,
        "line": finding.place.line,
        "message": finding.message,
    }


def print_report(directory: Path, report: Report) -> None:
    """The report for people: one line for each finding, then the coverage."""
    for finding in report.findings[:PROBLEMS_SHOWN_MAX]:
        where = f"{directory / finding.place.file}:{finding.place.line}"
        click.echo(escaped(f"{where}: {RULES[finding.rule].level}: {finding.message} [{finding.rule}]"))
    if len(report.findings) > PROBLEMS_SHOWN_MAX:
        click.echo(f"... and {len(report.findings) - PROBLEMS_SHOWN_MAX:,} more")
    if report.coverage:
        console = Console(markup=False)
        console.print(_coverage_table(report.coverage))
        for each in report.coverage:
            _print_unmatched(each)
    errors, advice = report.count(Level.ERROR), report.count(Level.ADVICE)
    silenced = f", {len(report.silenced):,} silenced" if report.silenced else ""
    click.echo(f"{errors:,} error{'' if errors == 1 else 's'}, {advice:,} of advice{silenced}")


def _coverage_table(coverage: list[Coverage]) -> Table:
    table = Table(title="Alerts of each feed", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in ("feed", "messages", "refused", "alerts", "match", "lead to a service", "by"):
        number = column not in {"feed", "by"}
        table.add_column(column, justify="right" if number else "left", no_wrap=column != "by")
    for each in coverage:
        share = f"{each.matched:,} ({each.matched / each.alerts:.0%})" if each.alerts else "-"
        by = ", ".join(f"{how} {number:,}" for how, number in each.matched_by.most_common())
        numbers = (f"{each.messages:,}", f"{each.refused.total():,}", f"{each.alerts:,}", share, f"{each.to_service:,}")
        table.add_row(*(Text(escaped(cell)) for cell in (each.feed, *numbers, by)))
    return table


def _print_unmatched(each: Coverage) -> None:
    if not each.unmatched:
        return
    click.echo(escaped(f"{each.feed}: label values that match nothing, with the alerts that have them:"))
    for (label, value), number in each.unmatched.most_common(VALUES_SHOWN_MAX):
        click.echo(escaped(f"  {label}={value}  {number:,}"))
    if len(each.unmatched) > VALUES_SHOWN_MAX:
        click.echo(f"  ... and {len(each.unmatched) - VALUES_SHOWN_MAX:,} more")


def print_rules() -> None:
    """Every rule with its level and what it finds."""
    table = Table(box=None, pad_edge=False)
    for column in ("rule", "level", "finds"):
        table.add_column(column, no_wrap=column != "finds")
    for rule in RULES.values():
        table.add_row(*(Text(cell) for cell in (rule.name, rule.level, rule.finds)))
    Console().print(table)


def lint_options(command: Any) -> Any:
    """Options of the command, apart from the directory and ``--json``."""
    options = (
        click.option("--recording", "recordings", type=_FILE, multiple=True, help="A recording to judge the feeds by."),
        click.option(
            "--sample", "samples", type=Sample(), multiple=True, metavar="FEED=FILE",
            help="Messages of one feed: one in the file, or one a line in NDJSON.",
        ),
        click.option("--at", "at_ms", type=MOMENT, metavar="TIME", help="Judge maintenance at this time, not now."),
        click.option("--strict", is_flag=True, help="Exit 1 for advice, too."),
        click.option("--rules", is_flag=True, help="List the rules, and look at nothing."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command
