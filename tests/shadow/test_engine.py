"""The shadow finds on the stream what a backtest finds in its recording; a restart changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.backtest.compare import Comparison, compare
from pipeline.backtest.run import decide
from pipeline.backtest.side import Collector
from pipeline.catalog import load_config
from pipeline.core.step import Effects, Output, Processor, StreamRecord
from pipeline.examples import config_directory, one_day
from pipeline.models.incident import IncidentKind
from pipeline.models.policy import Config
from pipeline.recording import write_line
from pipeline.replay import Replay, Step
from pipeline.shadow import window as windows
from pipeline.shadow.engine import COMMANDS, SETTLE_MS, Beginning, Engine
from pipeline.shadow.window import ACTIVE, SAME_RUN_MS, SHADOW, Window
from tools.backtests import threshold

ACTIVE_CONFIG = load_config(config_directory())
RUN_ON_SECONDS = 3_600
CONFIGS = {
    "the same": ACTIVE_CONFIG,
    "stricter": ACTIVE_CONFIG.model_copy(
        update={
            "version": "stricter",
            "correlation": ACTIVE_CONFIG.correlation.model_copy(update={"join_at_least": threshold()}),
        }
    ),
    "calmer": ACTIVE_CONFIG.model_copy(
        update={
            "version": "calmer",
            "correlation": ACTIVE_CONFIG.correlation.model_copy(update={"flap_transitions": 2}),
        }
    ),
}
# What a backtest counts that a stream of episodes cannot: alerts, and those that no episode came of.
PER_ALERT = {"alerts", "alerts_moved", "suppressed_gained", "suppressed_lost", "alerts_unmatched"}


def stream(renamed: Callable[[StreamRecord], StreamRecord] = lambda record: record) -> Iterator[StreamRecord]:
    """The day as topics hold it: what came from outside, and what the active configuration made of it."""
    made: list[StreamRecord] = []

    def watch(processor: Processor, record: StreamRecord, effects: Effects) -> None:
        made.extend(
            StreamRecord(each.topic, 0, len(made), each.timestamp_ms, each.key, each.value, each.headers)
            for each in effects.outputs
            if each.topic in ("episodes", "incidents", "commands")
        )

    active = Replay(ACTIVE_CONFIG, watch=watch, keep=False)
    for step in active.steps(one_day(), run_on_seconds=RUN_ON_SECONDS):
        yield step.record
        yield from map(renamed, made)
        made.clear()


STREAM = tuple(stream())


def engine_of(config: Config, since_ms: int = 0) -> Engine:
    return Engine(config, Beginning("SH-1", config.version, ACTIVE_CONFIG.version, since_ms, 0))


def taken(engine: Engine, records: tuple[StreamRecord, ...] = STREAM) -> Comparison:
    for record in records:
        engine.take(record)
    engine.advance(engine.clock_ms + RUN_ON_SECONDS * 1_000)
    return engine.compare()


@pytest.mark.parametrize("name", CONFIGS)
def test_a_shadow_finds_what_a_backtest_of_the_recording_finds(name: str, tmp_path: Path) -> None:
    recording = tmp_path / "day.ndjson"
    recording.write_bytes(b"".join(map(write_line, one_day())))
    old, new = (decide(recording, each, RUN_ON_SECONDS, lambda read: None) for each in (ACTIVE_CONFIG, CONFIGS[name]))
    engine = engine_of(CONFIGS[name])
    found, expected = taken(engine).summary, compare(old, new).summary
    figures = expected.keys() - PER_ALERT
    assert {each: found[each] for each in figures} == {each: expected[each] for each in figures}
    assert engine.remainder() == 0
    assert engine.skipped == 0
    assert found["same"] >= 4


@pytest.mark.parametrize("every", [1, 17])
def test_a_restart_after_any_record_changes_nothing(every: int) -> None:
    whole, state = engine_of(CONFIGS["stricter"]), dict[str, bytes]()
    expected = taken(whole)
    piecewise = engine_of(CONFIGS["stricter"])
    for number, record in enumerate(STREAM):
        piecewise.take(record)
        if number % every == 0:
            for key, value in piecewise.take_changes():
                if value is None:
                    state.pop(key, None)
                else:
                    state[key] = value
            piecewise = engine_of(CONFIGS["stricter"])
            piecewise.restore(state.items())
    found = taken(piecewise, ())
    assert found.summary == expected.summary
    assert [each.document() for each in found.differences] == [each.document() for each in expected.differences]
    assert (piecewise.taken, piecewise.clock_ms) == (whole.taken, whole.clock_ms)


def test_what_people_do_to_an_active_incident_is_done_to_its_counterpart() -> None:
    """On several partitions the active side has other ids, for it has another time: here all are renamed."""

    def renamed(record: StreamRecord) -> StreamRecord:
        value = (record.value or b"").replace(b'"INC-', b'"INC-OTHER-').replace(b'"EP-', b'"EP-OTHER-')
        return record._replace(value=value)

    opened = next(number for number, record in enumerate(STREAM) if record.topic == "incidents")
    incident_id = (STREAM[opened].key or b"").decode()
    command = {"command_id": "1", "actor": "ada", "target": {"incident_id": incident_id}}
    command |= {"type": "set_priority", "priority": "P1"}
    told = StreamRecord(COMMANDS, 0, 0, STREAM[opened].timestamp, b"production", orjson.dumps(command))
    streams = [(*records[: opened + 1], told, *records[opened + 1 :]) for records in (STREAM, tuple(stream(renamed)))]
    same, other = engine_of(ACTIVE_CONFIG), engine_of(ACTIVE_CONFIG)
    expected = taken(same, streams[0])
    found = taken(other, tuple(renamed(record) if record is told else record for record in streams[1]))
    assert (same.skipped, other.skipped) == (0, 0)
    assert found.summary == expected.summary
    assert expected.summary["priority_changed"] == 1


def test_a_command_about_an_incident_that_the_shadow_does_not_have_is_counted() -> None:
    engine = engine_of(ACTIVE_CONFIG)
    command = {"command_id": "1", "type": "acknowledge", "actor": "ada", "target": {"incident_id": "INC-NOWHERE"}}
    engine.take(StreamRecord(COMMANDS, 0, 0, 1, b"production", orjson.dumps(command)))
    assert (engine.skipped, engine.taken) == (1, 0)
    assert engine.remainder() == 0


def test_what_began_before_the_start_is_known_and_not_compared() -> None:
    moments = sorted(record.timestamp for record in STREAM)
    middle = moments[len(moments) // 2]
    engine = engine_of(CONFIGS["stricter"], since_ms=middle)
    summary = taken(engine).summary
    whole = taken(engine_of(CONFIGS["stricter"])).summary
    assert 0 < summary["incidents_new"] < whole["incidents_new"]
    assert summary["pages_baseline"] < whole["pages_baseline"]


def test_what_has_just_begun_is_not_compared_yet() -> None:
    engine = engine_of(ACTIVE_CONFIG)
    first = next(number for number, record in enumerate(STREAM) if record.topic == "incidents")
    for record in STREAM[: first + 1]:
        engine.take(record)
    assert engine.unsettled()
    assert engine.compare().summary["incidents_baseline"] == 0
    engine.advance(engine.clock_ms + SETTLE_MS)
    assert not engine.unsettled()
    assert engine.compare().summary["same"] == 1


def test_the_window_holds_the_newest_and_forgets_with_an_episode_all_that_hung_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(windows, "UNITS_MAX", 3)
    window, state = Window(0, ("a", "b")), dict[str, bytes]()
    for number in range(10):
        for side in (ACTIVE, SHADOW):
            window.opened(side, f"EP-{side}-{number}", f"key {number}", number, ("t", 0, number, 0))
            window.happened(side, event(f"INC-{number}", [f"EP-{side}-{number}"]))
    for key, value in window.take_changes():
        if value is not None:
            state[key] = value
    old, new = window.sides(100)
    assert [each.id for each in old.incidents] == [each.id for each in new.incidents] == ["INC-7", "INC-8", "INC-9"]
    assert len(state) == 3 + 2 * 3
    assert window.counterpart("INC-0") is None
    assert window.counterpart("INC-9") == "INC-9"


def test_runs_of_one_condition_are_matched_in_order_and_not_across_a_long_time() -> None:
    window = Window(0, ("a", "b"))
    window.opened(ACTIVE, "EP-1", "key", 0, ("t", 0, 0, 0))
    window.opened(ACTIVE, "EP-2", "key", 60_000, ("t", 0, 1, 0))
    window.opened(SHADOW, "EP-9", "key", 61_000, ("t", 0, 1, 0))
    assert window.episode("EP-1") == "EP-9"
    assert window.episode("EP-2") is None
    window.opened(SHADOW, "EP-10", "key", 60_001 + SAME_RUN_MS, ("t", 0, 2, 0))
    assert window.episode("EP-2") is None


def event(incident_id: str, joined: list[str]) -> dict[str, object]:
    incident = {
        "id": incident_id,
        "kind": IncidentKind.INCIDENT.value,
        "title": "",
        "service": None,
        "priority": "P3",
        "detected_at_ms": 0,
    }
    return {"incident": incident, "joined": joined, "entries": []}


def told(incident_id: str, joined: list[str], at_ms: int, *people: str) -> dict[str, Any]:
    """An event on an incident that takes episodes in and calls people."""
    pages = [{"at_ms": at_ms, "action": "page", "facts": {"person": each, "service": "s"}} for each in people]
    incident = {"id": incident_id, "kind": "incident", "title": "t", "service": "s", "priority": "P2"}
    return {"incident": incident | {"detected_at_ms": at_ms}, "joined": joined, "entries": pages}


def test_calls_of_an_incident_that_was_merged_count_where_its_episodes_went_live_and_in_a_backtest() -> None:
    events = [told("INC-1", ["EP-1"], 1, "ann"), told("INC-2", ["EP-2"], 2, "bob"), told("INC-2", ["EP-1"], 3)]
    window, collector = Window(0, ("old", "new")), Collector("new")
    for number, name in enumerate(("EP-1", "EP-2")):
        window.opened(SHADOW, name, name, 1, ("alerts.raw.any", 0, number, 0))
    for event in events:
        window.happened(SHADOW, event)
        output = Output("incidents", b"", orjson.dumps(event), 0)
        collector.take(Step(STREAM[0], is_tick=False, written={}, decisions=[], events=[output]))
    (merged,) = window.sides(10)[SHADOW].incidents
    assert (merged.id, [page.person for page in merged.pages]) == ("INC-2", ["ann", "bob"])
    assert [[page.person for page in each.pages] for each in collector.side.incidents] == [[], ["ann", "bob"]]
