"""``spillway correlation``: what a recording says about correlation rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
import orjson
import yaml

from pipeline.cli.progress import progress
from pipeline.cli.records import environment_settings
from pipeline.cli.replay import read_config
from pipeline.core.step import StreamRecord
from pipeline.models.correlation_rules import CorrelationRule
from pipeline.models.policy import Config
from pipeline.recording import RecordingError, read_recording
from pipeline.suggest.candidates import PRECISION_MIN, SUPPORT_MIN, Suggestion, suggestions
from pipeline.suggest.figures import concerned, partition_figures
from pipeline.suggest.history import History, TooLongError, learn

LINES_PER_LOOK: Final = 500
ALSO_SHOWN_MAX: Final = 3
LINE_CHARACTERS: Final = 118
"""Of the YAML that is printed: people paste it."""


@click.group()
def correlation() -> None:
    """Learn correlation rules from what people did."""


@correlation.command()
@click.argument("recording", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--config",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Configuration directory (default: SPILLWAY_CONFIG, else the defaults alone).",
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def suggest(recording: Path, directory: Path | None, *, as_json: bool) -> None:
    """Propose rules that do what people did by hand in RECORDING: merges that should have been joins, and splits.

    Each is printed as YAML for correlation.yaml with its figures. Nothing is changed. RECORDING must hold the commands
    topic, as `spillway capture` writes it.
    """
    config = read_config(directory or environment_settings().config_dir)
    size = recording.stat().st_size
    try:
        with progress("reading", size, sizes=True) as tell:
            history = learn(_records(recording, tell), config)
        found = suggestions(history)
        if found:
            _backtest(recording, config, history, found)
    except (RecordingError, TooLongError) as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(orjson.dumps(_document(recording, config, history, found), option=orjson.OPT_INDENT_2))
    else:
        _print(recording, config, history, found)


def _records(recording: Path, tell: Callable[[int], None]) -> Iterator[StreamRecord]:
    with recording.open("rb") as lines:
        yield from read_recording(_counted(lines, tell), recording.name)


def _counted(lines: Any, tell: Callable[[int], None]) -> Iterator[bytes]:
    done = 0
    for number, line in enumerate(lines):
        done += len(line)
        if not number % LINES_PER_LOOK:
            tell(done)
        yield line


def _backtest(recording: Path, config: Config, history: History, found: list[Suggestion]) -> None:
    """Decide the recording without people's acts, before and with each rule; compare with where all ended."""
    size = recording.stat().st_size
    with progress("backtesting", size * (1 + len(found)), sizes=True) as tell:

        def ended(rules: dict[str, CorrelationRule], passes: int) -> dict[str, str]:
            records = _records(recording, lambda done: tell(passes * size + done))
            return learn(records, config, people=False, rules=rules).ended

        known = ended(config.correlation.rules, 0)
        for number, each in enumerate(found, 1):
            names = concerned(each.rule, history)
            before = partition_figures(known, history.ended, names)
            changed = ended({**config.correlation.rules, each.name: each.rule}, number)
            after = partition_figures(changed, history.ended, names)
            each.backtest = {
                "precision_before": round(before[0], 4),
                "precision_with": round(after[0], 4),
                "recall_before": round(before[1], 4),
                "recall_with": round(after[1], 4),
            }


def _document(recording: Path, config: Config, history: History, found: list[Suggestion]) -> dict[str, Any]:
    return {
        "recording": str(recording),
        "config_version": config.version,
        "episodes": len(history.episodes),
        "merges": len(history.merges),
        "splits": len(history.splits),
        "commands_without_effect": history.asked - len(history.merges) - len(history.splits),
        "too_little_evidence": None if found else _why_none(history),
        "suggestions": [
            {
                "name": each.name,
                "rule": _plain(each.rule),
                "episodes": each.figures.episodes,
                "pairs": each.figures.pairs,
                "pairs_right": each.figures.right,
                "precision": round(each.figures.precision, 4),
                "people_pairs": each.figures.act_pairs,
                "people_pairs_right": each.figures.act_right,
                "recall": round(each.figures.recall, 4),
                "acts": each.figures.acts,
                "people": each.people,
                "same_pairs_by": each.also,
                "backtest": each.backtest,
            }
            for each in found
        ],
    }


def _why_none(history: History) -> str:
    acts = (
        f"{_counted_words(len(history.merges), 'merge')} and {_counted_words(len(history.splits), 'split')} by people"
    )
    if max(len(history.merges), len(history.splits)) < SUPPORT_MIN:
        return f"too little evidence: {acts}, and a rule needs {SUPPORT_MIN} of one kind that agree"
    return (
        f"no rule fits: {acts}, and nothing that {SUPPORT_MIN} of them have in common decides at least "
        f"{PRECISION_MIN:.0%} of its pairs as they ended"
    )


def _print(recording: Path, config: Config, history: History, found: list[Suggestion]) -> None:
    acts = (
        f"{_counted_words(len(history.merges), 'merge')} and {_counted_words(len(history.splits), 'split')} by people"
    )
    click.echo(f"# {recording.name}, configuration {config.version}: {len(history.episodes):,} episodes, {acts}")
    lost = history.asked - len(history.merges) - len(history.splits)
    if lost > 0:
        click.echo(f"# {_counted_words(lost, 'command')} had no effect under this configuration, and taught nothing")
    if not found:
        click.echo(f"# {_why_none(history)}")
        return
    click.echo("# Read each, then paste what you agree with into correlation.yaml; nothing was changed.\nrules:")
    for each in found:
        for line in _figures(each):
            click.echo(f"  # {line}")
        written = yaml.safe_dump({each.name: _plain(each.rule)}, sort_keys=False, width=LINE_CHARACTERS)
        click.echo("\n".join(f"  {line}" for line in written.splitlines()))


def _figures(each: Suggestion) -> Iterator[str]:
    figures, joins = each.figures, each.rule.action == "always"
    act = "merge" if joins else "split"
    yield (
        f"agrees with {_counted_words(figures.acts, act)} by {each.people} "
        f"{'person' if each.people == 1 else 'people'}: {figures.act_right:,} of the {figures.act_pairs:,} pairs that "
        f"people {'merged' if joins else 'split'} (recall {figures.recall:.2f})"
    )
    yield (
        f"{'puts together' if joins else 'keeps apart'} {figures.pairs:,} pairs of {figures.episodes:,} episodes, of "
        f"which {figures.right:,} ended {'together' if joins else 'apart'} (precision {figures.precision:.2f})"
    )
    test = each.backtest
    yield (
        "backtest without people's merges and splits, pairs of these and of what people moved: "
        f"precision {test['precision_before']:.2f} -> {test['precision_with']:.2f}, "
        f"recall {test['recall_before']:.2f} -> {test['recall_with']:.2f}"
    )
    if each.also:
        yield f"here the same pairs by {'; '.join(each.also[:ALSO_SHOWN_MAX])}: which of them is meant, only you know"


def _plain(rule: CorrelationRule) -> dict[str, Any]:
    """A rule as it is written; what is the default is left out."""
    document: dict[str, Any] = rule.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    for selector in (document, document.get("with") or {}):
        if "match" in selector:
            selector["match"] = {
                fact: values[0] if len(values) == 1 else values for fact, values in selector["match"].items()
            }
    return document


def _acts(history: History) -> str:
    merges, splits = len(history.merges), len(history.splits)
    return f"{_counted_words(merges, 'merge')} and {_counted_words(splits, 'split')} by people"


def _counted_words(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
