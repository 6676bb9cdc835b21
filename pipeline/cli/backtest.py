"""``spillway backtest``: what another configuration would have made of the same alerts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
import orjson

from pipeline.backtest.compare import Comparison, compare
from pipeline.backtest.run import BacktestError, decide_both
from pipeline.backtest.side import Side
from pipeline.cli.backtest_view import view
from pipeline.cli.cluster import json_option
from pipeline.cli.progress import progress
from pipeline.cli.records import environment_settings
from pipeline.cli.replay import read_config

EXIT_FAILED: Final = 1
"""A figure is over its threshold."""

EXIT_UNUSABLE: Final = 2
"""Nothing was compared: a configuration, the recording or an option cannot be used."""

DIFFERENCES_SHOWN: Final = 20

_DIRECTORY: Final = click.Path(exists=True, file_okay=False, path_type=Path)
_THRESHOLD: Final = re.compile(r"([a-z_]+)=([0-9]+(?:\.[0-9]+)?)(%?)")


class UnusableError(click.ClickException):
    """Nothing was compared; exits with `EXIT_UNUSABLE`."""

    exit_code = EXIT_UNUSABLE


class Threshold(click.ParamType):
    """``FIGURE=MAX``, or ``FIGURE=MAX%`` of the baseline's incidents. Gives (figure, maximum, whether percent)."""

    name = "figure=max"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, float, bool]:
        """A value that is none ends the command with what is allowed."""
        found = _THRESHOLD.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is no threshold: write it as major_lost=0 or merged=2%", param, ctx)
        return found[1], float(found[2]), bool(found[3])


@click.command()
@click.argument("recording", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--config", "new_dir", type=_DIRECTORY, required=True, help="The configuration to be judged.")
@click.option("--baseline", "old_dir", type=_DIRECTORY, help="What it is compared with; SPILLWAY_CONFIG unless given.")
@click.option(
    "--run-on",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Seconds of stream time after the last record.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=DIFFERENCES_SHOWN,
    show_default=True,
    help="Differences shown, the most important first.",
)
@click.option(
    "--fail-on",
    "thresholds",
    type=Threshold(),
    multiple=True,
    help="Exit 1 where a figure of the summary is over this: major_lost=0, merged=2%. May be given several times.",
)
@json_option
def backtest(
    recording: Path,
    new_dir: Path,
    old_dir: Path | None,
    run_on: int,
    limit: int,
    thresholds: tuple[tuple[str, float, bool], ...],
    *,
    as_json: bool,
) -> None:
    """Decide RECORDING by two configurations and say which incidents differ, and why.

    Exit codes: 0 compared; 1 a figure is over its threshold; 2 nothing was compared.
    """
    try:
        configs = read_config(old_dir or environment_settings().config_dir), read_config(new_dir)
        with progress("deciding", 2 * recording.stat().st_size, sizes=True) as tell:
            old, new = decide_both(recording, configs, run_on, tell)
    except BacktestError as error:
        raise UnusableError(str(error)) from error
    except click.ClickException as error:
        raise UnusableError(error.message) from error
    comparison = compare(old, new)
    failed = over(comparison.summary, thresholds)
    if as_json:
        click.echo(orjson.dumps(document(old, new, comparison, limit, failed)).decode())
    else:
        view(old, new, comparison, limit, failed)
    if failed:
        raise SystemExit(EXIT_FAILED)


def over(summary: Mapping[str, float], thresholds: tuple[tuple[str, float, bool], ...]) -> list[str]:
    """Sentences on figures that are over their thresholds.

    Raises:
        UnusableError: there is no such figure.
    """
    said = []
    for figure, most, percent in thresholds:
        if figure not in summary:
            raise UnusableError(f"--fail-on {figure}: no such figure; there are {', '.join(summary)}")
        value = summary[figure]
        if percent:
            value = 100 * value / max(1, summary["incidents_baseline"])
        if value > most:
            unit = " % of the baseline's incidents" if percent else ""
            said.append(f"{figure} is {round(value, 1):g}{unit}, allowed is {most:g}")
    return said


def document(old: Side, new: Side, comparison: Comparison, limit: int, failed: list[str]) -> dict[str, object]:
    """The comparison for machines."""
    return {
        "baseline": _side(old),
        "new": _side(new),
        "summary": comparison.summary,
        "differences_total": len(comparison.differences),
        "differences": [each.document() for each in comparison.differences[:limit]],
        "failed": failed,
    }


def _side(side: Side) -> dict[str, object]:
    return {
        "version": side.version,
        "records": side.records,
        "alerts": len(side.episodes),
        "dispositions": side.dispositions(),
        "changes": side.changes,
        "dead_letters": side.dead_letters,
        "remainder": side.remainder,
        "cpu_seconds": round(side.seconds, 1),
    }
