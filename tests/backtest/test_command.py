"""``spillway backtest``: two configurations, the same alerts, every difference with its reason."""

from __future__ import annotations

import multiprocessing
import re
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from pipeline.backtest import run
from pipeline.backtest.run import BacktestError, _received, decide
from pipeline.backtest.side import NONE
from pipeline.catalog import load_config
from pipeline.cli import main
from pipeline.cli.progress import progress
from pipeline.core.step import CONFIG_HEADER, TICK_KEY, StreamRecord
from pipeline.examples import config_directory, one_day
from pipeline.models.incident import IncidentKind
from pipeline.recording import write_line
from pipeline.replay import Replay, incident_lines
from tools.backtests import threshold


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    file = tmp_path / "day.ndjson"
    file.write_bytes(b"".join(map(write_line, one_day())))
    return file


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    directory = tmp_path / "strict"
    shutil.copytree(config_directory(), directory)
    (directory / "correlation.yaml").write_text(f"join_at_least: {threshold()}\n")
    return directory


def backtest(recording: Path, new: Path, *arguments: str, old: Path | None = None) -> Result:
    given = ["backtest", str(recording), "--config", str(new), "--baseline", str(old or config_directory())]
    return CliRunner().invoke(main, [*given, *arguments])


def compared(recording: Path, new: Path, *arguments: str, old: Path | None = None) -> Any:
    said = backtest(recording, new, "--json", *arguments, old=old)
    assert said.exit_code == 0, said.output
    return orjson.loads(said.output)


def test_a_side_holds_what_replay_says_of_the_same_recording(recording: Path) -> None:
    config = load_config(config_directory())
    side = decide(recording, config, 3_600, lambda read: None)
    outcome = Replay(config).run(one_day(), run_on_seconds=3_600)
    lines = [
        orjson.loads(line)
        for line in incident_lines(outcome.decisions, (event.value or b"" for event in outcome.events))
    ]
    alerts: dict[str, list[list[Any]]] = {line["id"]: [] for line in lines}
    for position, episode in enumerate(side.episodes):
        if (number := side.holder(episode)) != NONE:
            alerts[side.incidents[number].id].append(list(side.place(position)))
    assert alerts == {line["id"]: line["alerts"] for line in lines}
    facts = {each.id: each for each in side.incidents}
    for line in lines:
        fact = facts[line["id"]]
        assert (fact.title, fact.service, fact.detected_at_ms) == (
            line["title"],
            line["service"],
            line["detected_at_ms"],
        )
        assert [page.person for page in fact.pages] == [page["person"] for page in line["escalation"]["paged"]]
        assert fact.members == tuple(line["members"])
    assert (side.changes, side.dead_letters, side.remainder) == (len(outcome.events), 0, 0)
    assert side.bytes_read == recording.stat().st_size


def test_a_configuration_compared_with_itself_differs_in_nothing(recording: Path) -> None:
    found = compared(recording, config_directory(), "--fail-on", "merged=0", "--fail-on", "lost=0%")
    assert found["differences"] == []
    assert found["summary"]["same"] == found["summary"]["incidents_baseline"] == found["summary"]["incidents_new"] > 5
    assert found["summary"]["pages_baseline"] == found["summary"]["pages_new"] > 5


def test_a_stricter_threshold_splits_and_says_why_on_both_sides(recording: Path, strict: Path) -> None:
    found = compared(recording, strict)
    summary = found["summary"]
    assert summary["split"] >= 2
    assert summary["incidents_new"] == summary["incidents_baseline"] + summary["split"]
    assert summary["pages_baseline"] - summary["pages_new"] == summary["pages_saved"]
    assert summary["pages_saved"] == summary["no_longer_paged"] - summary["newly_paged"]
    splits = [each for each in found["differences"] if each["kind"] == "split"]
    first = next(each for each in splits if "0.500 needed" in each["why"]["baseline"])  # one may be a first symptom
    assert f"of {threshold():.3f}, below_threshold" in first["why"]["new"]
    assert 1 <= len(first["first"]) <= min(5, first["alerts"])
    back = compared(recording, config_directory(), old=strict)
    assert back["summary"]["merged"] == summary["split"]
    assert back["summary"]["no_longer_paged"] == summary["newly_paged"]


def test_a_person_reads_the_summary_first_and_titles_cannot_steer_the_terminal(recording: Path, strict: Path) -> None:
    found = compared(recording, strict)
    said = backtest(recording, strict, "--limit", "2")
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert lines[0].startswith(f"149 alerts; incidents: {found['summary']['incidents_baseline']} by ")
    split = str(found["summary"]["split"])
    assert any(line.split() == [split, "split", "off", "another", "split"] for line in lines)
    assert f"and {found['differences_total'] - 2} differences more (--limit)" in said.output
    assert "\x1b" not in said.output


def test_a_figure_over_its_threshold_is_exit_code_1(recording: Path, strict: Path) -> None:
    said = backtest(recording, strict, "--fail-on", "split=1", "--fail-on", "lost=0", "--fail-on", "split=0.5%")
    assert said.exit_code == 1
    assert re.search(r"failed: split is \d+, allowed is 1\n", said.output)
    assert re.search(r"failed: split is [\d.]+ % of the baseline's incidents, allowed is 0.5\n", said.output)
    assert "lost is" not in said.output


def test_what_cannot_be_used_is_one_line_and_exit_code_2(recording: Path, strict: Path, tmp_path: Path) -> None:
    said = backtest(recording, strict, "--fail-on", "nonsense=1")
    assert said.exit_code == 2
    assert said.output.startswith("Error: --fail-on nonsense: no such figure; there are alerts, ")
    assert backtest(recording, strict, "--fail-on", "split").exit_code == 2
    broken = tmp_path / "broken.ndjson"
    broken.write_bytes(recording.read_bytes() + b"{}\n")
    said = backtest(broken, strict)
    assert said.exit_code == 2
    assert said.output.startswith("Error: broken.ndjson:174: not a recorded Kafka record")
    (strict / "correlation.yaml").write_text("join_at_least: no\n")
    said = backtest(recording, strict)
    assert said.exit_code == 2
    assert "correlation.yaml:1" in said.output


def test_one_configuration_decides_all_of_a_recording_that_names_others(recording: Path) -> None:
    lines = recording.read_bytes().splitlines(keepends=True)
    named = StreamRecord("alerts.raw.jira", 0, 0, 1, TICK_KEY, None, ((CONFIG_HEADER, b"another"),))
    recording.write_bytes(b"".join([*lines[:50], write_line(named), *lines[50:]]))
    found = compared(recording, config_directory())
    assert found["differences"] == []
    assert found["baseline"]["records"] == len(lines)


def test_a_side_keeps_nothing_of_the_recording_but_arrays(recording: Path) -> None:
    side = decide(recording, load_config(config_directory()), 0, lambda read: None)
    per_alert = sum(
        each.itemsize
        for each in (side.episodes, side.outcomes, side.topics, side.partitions, side.offsets, side.indexes)
    )
    assert per_alert <= 32
    assert {each.kind for each in side.incidents} <= set(IncidentKind)


def test_it_tells_how_many_bytes_are_read_for_the_bar(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "LINES_PER_LOOK", 10)
    told: list[int] = []
    decide(recording, load_config(config_directory()), 0, told.append)
    assert len(told) == 17
    assert told == sorted(told)
    assert 0.9 * recording.stat().st_size < told[-1] <= recording.stat().st_size
    output = StringIO()
    with progress("deciding", 3 << 20, Console(file=output, force_terminal=True), sizes=True) as tell:
        tell(1 << 20)
    assert "3.1/3.1 MB" in output.getvalue()


def test_a_process_that_died_is_told_as_such() -> None:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    theirs.close()
    with pytest.raises(BacktestError, match="died without a word"):
        _received(ours)


def test_a_replay_does_not_remember_changes_that_nobody_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_config(config_directory())
    asked, unasked = Replay(config), Replay(config)
    monkeypatch.setattr("pipeline.replay.FORGET_STEPS", 10**6)
    asked.run(one_day())
    monkeypatch.setattr("pipeline.replay.FORGET_STEPS", 1)
    unasked.run(one_day())
    assert len(asked.take_changes()) > 50
    assert unasked.take_changes() == []
    assert asked.outcome.events == unasked.outcome.events
