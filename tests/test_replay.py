"""Replay: the same input and configuration give the same bytes, in the formats that others build on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.catalog import load_config
from pipeline.cli.replay import replay
from pipeline.core.step import StreamRecord
from pipeline.models.policy import Config
from pipeline.recording import read_recording
from pipeline.replay import STAGES, Replay, event_line, incident_lines
from tests.stories.generate import STORIES

ROOT: Final = Path(__file__).parent.parent
FILES: Final = ("decisions", "changes", "incidents")
DAY_SECONDS: Final = 3 * 24 * 3_600


def recording(name: str) -> list[StreamRecord]:
    lines = (ROOT / "tests" / "stories" / f"{name}.ndjson").read_bytes().splitlines()
    return list(read_recording(lines, name))


@pytest.fixture(scope="module")
def company() -> Config:
    return load_config(ROOT / "config")


def command(name: str, folder: Path, *more: str) -> list[str]:
    files = [part for each in FILES for part in (f"--{each}", str(folder / each))]
    return [str(ROOT / "tests" / "stories" / f"{name}.ndjson"), "--config", str(ROOT / "config"), *files, *more]


def read(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_two_replays_with_different_hash_seeds_write_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for seed in ("1", "4242"):
        folder = tmp_path / seed
        folder.mkdir()
        for name in STORIES:
            (folder / name).mkdir()
            arguments = command(name, folder / name, "--run-on", str(DAY_SECONDS))
            code = f"from pipeline.cli.replay import replay; replay({arguments!r})"
            environment = {**os.environ, "PYTHONHASHSEED": seed}
            subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=ROOT, capture_output=True)
        written.append({path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    assert len(written[0]) == len(FILES) * len(STORIES)
    assert written[0] == written[1]


@pytest.mark.parametrize("name", sorted(STORIES))
def test_a_replay_that_loses_all_workers_after_every_record_gives_the_same(name: str, company: Config) -> None:
    steady, restarted = Replay(company), Replay(company)
    events = [event for step in steady.steps(recording(name), run_on_seconds=DAY_SECONDS) for event in step.events]
    states: dict[str, dict[bytes, bytes | None]] = {stage: {} for stage in STAGES}
    again = []
    for step in restarted.steps(recording(name), run_on_seconds=DAY_SECONDS):
        again += step.events
        fresh = Replay(company)
        for stage, state in states.items():
            state.update(restarted.processors[stage].take_changes())
            for key, value in state.items():
                fresh.processors[stage].restore(key, value)
            fresh.processors[stage].restored()
        restarted.processors.update(fresh.processors)
    assert again == events
    assert restarted.remainder() == 0


@pytest.mark.parametrize("name", sorted(STORIES))
def test_the_files_are_as_the_design_says(name: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(replay, command(name, tmp_path, "--json"))
    assert result.exit_code == 0, result.output
    summary = orjson.loads(result.output)
    decisions, changes, incidents = (read(tmp_path / each) for each in FILES)
    assert summary["alerts"] == len(decisions) == sum(summary["dispositions"].values())
    assert (summary["changes"], summary["incidents"]) == (len(changes), len(incidents))
    assert (summary["remainder"], summary["dead_letters"]) == (0, 0)
    wanted = "topic partition offset index disposition reason alert_key episode_id incident_id bridge_id"
    assert all(list(each) == wanted.split() for each in decisions)
    raw = [each for each in recording(name) if each.topic.startswith("alerts.raw.")]
    assert [(each["topic"], each["offset"]) for each in decisions] == [(each.topic, each.offset) for each in raw]
    for incident in incidents:
        assert {"episodes", "alerts", "suspects", "bridge_id", "timeline"} <= incident.keys()
        assert all(len(origin) == 4 for origin in incident["alerts"])
    assert {each["specversion"] for each in changes} == {"1.0"}
    for change in changes:
        assert change["id"] == f"{change['data']['incident_id']}/{change['data']['revision']}"
        assert change["type"] == f"dev.spillway.incident.{change['data']['change']}.v1"


@pytest.mark.parametrize("name", sorted(STORIES))
def test_revisions_count_up_by_one_at_the_time_of_their_event(name: str, company: Config) -> None:
    outcome = Replay(company).run(recording(name), run_on_seconds=DAY_SECONDS)
    revisions: dict[str, int] = {}
    for event in outcome.events:
        body = orjson.loads(event.value or b"")
        assert body["revision"] == revisions.get(body["incident_id"], 0) + 1
        revisions[body["incident_id"]] = body["revision"]
        assert event.timestamp_ms == body["at_ms"]


@pytest.mark.parametrize("name", sorted(STORIES))
def test_every_alert_is_in_at_most_one_incident_at_the_end(name: str, company: Config) -> None:
    outcome = Replay(company).run(recording(name))
    incidents = [
        orjson.loads(line) for line in incident_lines(outcome.decisions, (each.value or b"" for each in outcome.events))
    ]
    alerts = [tuple(each) for incident in incidents for each in incident["alerts"]]
    assert len(alerts) == len(set(alerts))
    episodes = [each for incident in incidents for each in incident["episodes"]]
    assert len(episodes) == len(set(episodes))
    assert sum(each["episodes_total"] for each in incidents if each["kind"] == "incident") == len(episodes)


def test_a_line_that_is_no_record_is_one_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "broken.ndjson"
    path.write_bytes(b'{"topic":"alerts.raw.jira","timestamp":"2026-03-04T02:11:42.318Z","value":{}}\n{"topic":1\n')
    result = CliRunner().invoke(replay, [str(path)])
    assert result.exit_code == 1
    assert result.output.startswith("Error: broken.ndjson:2: not a recorded Kafka record")


def test_an_event_line_is_a_cloudevent_in_json() -> None:
    outcome = Replay(load_config(ROOT / "config")).run(recording("hospital"))
    line = orjson.loads(event_line(outcome.events[0]))
    assert list(line)[:6] == ["datacontenttype", "specversion", "id", "type", "source", "subject"]


# -- hostile recordings: any bytes, any order, any time

_KNOWN: Final = [each for name in STORIES for each in recording(name)]
_RECORDS: Final = st.tuples(
    st.sampled_from(_KNOWN),
    st.sampled_from(["as it is", "as it is", "cut", "elsewhere", "empty", "none"]),
    st.integers(-3_600_000, 3_600_000),
    st.sampled_from(["alerts.raw.jira", "alerts.raw.nobody", "commands", "changes", "alerts", "episodes"]),
)


def spoil(record: StreamRecord, how: str, shift_ms: int, topic: str, offset: int) -> StreamRecord:
    value = record.value or b""
    spoiled = {"cut": value[: len(value) // 2], "empty": b"", "none": None}.get(how, value)
    return StreamRecord(
        topic if how == "elsewhere" else record.topic, 0, offset, record.timestamp + shift_ms, record.key, spoiled
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(play=st.lists(_RECORDS, min_size=5, max_size=40))
def test_nothing_that_arrives_is_lost_and_nothing_stops_the_rest(
    play: list[tuple[StreamRecord, str, int, str]], company: Config
) -> None:
    machine = Replay(company)
    records = [spoil(record, how, shift, topic, at) for at, (record, how, shift, topic) in enumerate(play)]
    outcome = machine.run(records, run_on_seconds=DAY_SECONDS)
    assert all(each.ledger.remainder() == 0 for each in machine.processors.values())
    assert len(outcome.decisions) == sum(sum(each.ledger.decided.values()) for each in machine.processors.values())
