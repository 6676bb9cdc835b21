"""What every stage promises: conservation at each record, the same result twice, and the same after a restart."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.step import TICK_KEY, Effects, StreamRecord
from pipeline.core.timers import Timers
from pipeline.models.alert import Kind, Severity
from pipeline.models.maintenance import MaintenanceWindow
from tests.core.builders import (
    DB,
    HOUR,
    MINUTE,
    PAY,
    SHOP,
    T0,
    WIKI,
    Bench,
    alert,
    change,
    config,
    feed,
    moment,
    opened,
    report,
)
from tests.core.builders import settings as thresholds
from tests.core.halls import summary

Play = list[tuple[str, bytes | None, int]]
"""Topic, value and milliseconds since the record before; the topic ``tick`` carries only time."""

QUICK = settings(max_examples=100, deadline=None)
STEPS_MS = st.sampled_from([0, 1, 999, 10_000, MINUTE, 5 * MINUTE, 20 * MINUTE, HOUR, 26 * HOUR, -5_000])
SETUP = config(
    feeds={"monitor": feed(hold_seconds={"warning": 60}), "desk": feed("desk")},
    correlation=thresholds(flap_transitions=3, flap_quiet_seconds=120),
    maintenance=(
        MaintenanceWindow(name="w", start=moment(T0 + 60_000), end=moment(T0 + 900_000), targets=("pay-db",)),
    ),
)
PLACES = [(SHOP, SHOP), (PAY, PAY), (DB, PAY), (WIKI, WIKI), (None, None)]


@st.composite
def alerts(draw: st.DrawFn) -> tuple[str, bytes]:
    key = draw(st.sampled_from("abc"))
    entity, service = PLACES["abc".index(key)]
    fields: dict[str, Any] = {
        "kind": draw(st.sampled_from([Kind.FIRING, Kind.FIRING, Kind.RESOLVED, Kind.ACKNOWLEDGED, Kind.HEARTBEAT])),
        "severity": draw(st.sampled_from([Severity.CRITICAL, Severity.WARNING])),
        "event_at_ms": draw(st.none() | st.integers(T0, T0 + 50)),
        "source_episode_id": draw(st.sampled_from([None, "run-1", "run-2"])),
        "delivery_id": draw(st.sampled_from([None, "d"])),
        "ttl_seconds": 600 if key == "b" else None,
    }
    return "alerts", orjson.dumps(alert(key, entity=entity, service=service, **fields))


@st.composite
def episodes(draw: st.DrawFn) -> tuple[str, bytes]:
    number = draw(st.integers(0, 5))
    entity, service = PLACES[number % 5]
    about = alert(f"k{number}", entity=entity, service=service, domain=draw(st.sampled_from(["shop", "office"])))
    if number == 5:
        about = report("k5", "shop is slow", entity=entity, service=service)
    about.severity = draw(st.sampled_from([Severity.CRITICAL, Severity.ERROR, Severity.WARNING]))
    what = draw(st.sampled_from(["changed", "resolved", "resolved", "expired", "acknowledged"]))
    counted = what != "expired"
    return "episodes", orjson.dumps(opened(about, change=what, counted=counted))


@st.composite
def openings(draw: st.DrawFn) -> tuple[str, bytes]:
    """The first alert of a run; `_fit` gives each run an id of its own, as dedupe promises."""
    number = draw(st.integers(0, 5))
    entity, service = PLACES[number % 5]
    about = alert(f"k{number}", entity=entity, service=service)
    return "episodes", orjson.dumps(opened(report("k5", "shop is slow") if number == 5 else about))


@st.composite
def commands(draw: st.DrawFn) -> tuple[str, bytes]:
    kinds = ["acknowledge", "start", "resolve", "reopen", "close", "set_priority", "note", "split", "merge", "assign"]
    target = draw(
        st.sampled_from([{"service": "shop"}, {"service": "wiki"}, {"episode_id": "EP-k2"}, {"ticket": "T-k5"}])
    )
    value = {
        "command_id": f"c{draw(st.integers(0, 30))}",
        "type": draw(st.sampled_from(kinds)),
        "actor": "ann",
        "target": target,
        "priority": draw(st.sampled_from(["P1", "P3", "P4", "nonsense"])),
        "episodes": draw(st.lists(st.sampled_from(["EP-k0", "EP-k1", "EP-k2"]), max_size=2)),
        "note": "said",
        "assignee": "bob",
    }
    return "commands", orjson.dumps(value)


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, bytes]:
    start = T0 + draw(st.integers(-60, 60)) * MINUTE
    ended = draw(st.none() | st.integers(1, 120))
    value = change(
        f"CHG-{draw(st.integers(0, 2))}",
        start,
        None if ended is None else start + ended * MINUTE,
        suppress=draw(st.booleans()),
        targets=(draw(st.sampled_from(["pay-db", "wiki"])),),
    )
    return "changes", orjson.dumps(value.model_dump(mode="json"))


@st.composite
def summaries(draw: st.DrawFn) -> tuple[str, bytes]:
    number = draw(st.integers(0, 4))
    fields: dict[str, Any] = {
        "state": draw(st.sampled_from(["logged", "acknowledged", "resolved", "closed", "merged"])),
        "priority": draw(st.sampled_from(["P1", "P1", "P3"])),
        "users": draw(st.sampled_from([3_000, 6_000])),
        "tickets": draw(st.integers(0, 3)),
        "identified": draw(st.sampled_from([None, DB])),
        "merged_into": draw(st.sampled_from([None, "INC-0"])),
    }
    return "incidents.summaries", orjson.dumps(summary(f"INC-{number}", [SHOP, PAY, DB, WIKI, SHOP][number], **fields))


@st.composite
def bridge_commands(draw: st.DrawFn) -> tuple[str, bytes]:
    value = {
        "command_id": f"c{draw(st.integers(0, 20))}",
        "type": draw(st.sampled_from(["acknowledge", "resolve", "reopen", "close", "note", "set_priority"])),
        "actor": "ann",
        "target": {"incident_id": "the newest bridge"},
        "priority": "P2",
        "note": "said",
    }
    return "bridge.commands", orjson.dumps(value)


GARBAGE = st.sampled_from([b"", b"{", b"[]", b"7", b'{"schema":1}'])
SOURCES: dict[str, st.SearchStrategy[tuple[str, bytes]]] = {
    "dedupe": alerts() | alerts() | alerts() | st.tuples(st.just("alerts"), GARBAGE),
    "correlate": openings() | openings() | episodes() | episodes() | commands() | changes()
    | st.tuples(st.sampled_from(["episodes", "commands", "changes"]), GARBAGE),
    "bridge": summaries() | summaries() | summaries() | bridge_commands()
    | st.tuples(st.just("incidents.summaries"), GARBAGE),
}  # fmt: skip


def plays(stage: str) -> st.SearchStrategy[Play]:
    step = st.tuples(SOURCES[stage] | st.just(("tick", b"")), STEPS_MS)
    return st.lists(step.map(lambda each: (each[0][0], each[0][1] or None, each[1])), min_size=1, max_size=40)


def perform(bench: Bench, topic: str, value: bytes | None, at_ms: int, turn: int) -> list[Any]:
    """Play one step; answers all that the rest of the pipeline and the changelog would see of it."""
    before, written = len(bench.decisions), len(bench.effects.outputs)
    bench.tick(at_ms) if topic == "tick" else bench.put(topic, _fit(bench, value, turn), at_ms)
    changes = bench.changes()  # which ends the batch, and may write more
    return [bench.effects.outputs[written:], bench.decisions[before:], changes, bench.processor.next_deadline_ms()]


def _fit(bench: Bench, value: bytes | None, turn: int) -> bytes | None:
    """Runs get ids of their own; commands find the newest bridge."""
    if value is None:
        return None
    for bridge in sorted(bench.state):
        if bridge.startswith(b"b/"):
            value = value.replace(b"the newest bridge", bridge[2:])
    if b'"change":"opened"' in value:
        taken = any(each[2:] in value for each in bench.state if each[:2] in (b"m/", b"s/"))
        return value.replace(b'"episode_id":"EP-k', b'"episode_id":"EP-%d-k' % turn) if taken else value
    return value


@pytest.mark.parametrize("stage", sorted(SOURCES))
def test_a_restart_at_any_moment_changes_nothing(stage: str) -> None:
    @QUICK
    @given(plays(stage), st.data())
    def check(play: Play, data: st.DataObject) -> None:
        restarts = data.draw(st.sets(st.integers(0, max(0, len(play) - 1)), max_size=3), label="restarts before")
        steady, restarted = Bench(stage, SETUP), Bench(stage, SETUP)
        at_ms = T0
        for turn, (topic, value, after_ms) in enumerate(play):
            at_ms += after_ms
            if turn in restarts:
                restarted.restart()
            assert perform(restarted, topic, value, at_ms, turn) == perform(steady, topic, value, at_ms, turn)
        assert restarted.state == steady.state

    check()


@pytest.mark.parametrize("stage", sorted(SOURCES))
def test_a_batch_gives_what_its_records_give_one_by_one(stage: str) -> None:
    @settings(max_examples=20, deadline=None)
    @given(plays(stage))
    def check(play: Play) -> None:
        records, at_ms = [], T0
        for offset, (topic, value, after_ms) in enumerate(play):
            at_ms += after_ms
            key = TICK_KEY if topic == "tick" else b"k"
            records.append(StreamRecord(topic, 0, offset, at_ms, key, value))
        single, batch = Bench(stage, SETUP), Bench(stage, SETUP)
        for record in records:
            single.processor.handle([record], single.effects)
        batch.processor.handle(records, batch.effects)
        assert batch.effects == single.effects
        assert batch.changes() == single.changes()
        assert batch.processor.ledger.remainder() == 0

    check()


def test_timers_fire_in_order_of_time_then_key_and_only_the_newest_setting_counts() -> None:
    timers = Timers()
    for key, due_ms in [("b", 5), ("a", 5), ("c", 1), ("c", 9), ("d", 2), ("e", 3)]:
        timers.set(key, due_ms)
    timers.set("d", None)
    fired = []
    while (each := timers.pop(8)) is not None:
        fired.append(each)
    assert fired == [(3, "e"), (5, "a"), (5, "b")]
    assert timers.next_ms() == 9


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.integers(0, 20)), max_size=200))
def test_timers_agree_with_a_plain_table(moves: list[tuple[str, int | None]]) -> None:
    timers, table = Timers(), dict[str, int]()
    for key, due_ms in moves:
        timers.set(key, due_ms)
        if due_ms is None:
            table.pop(key, None)
        else:
            table[key] = due_ms
        assert timers.next_ms() == min(table.values(), default=None)
    fired = []
    while (each := timers.pop(20)) is not None:
        fired.append(each)
    assert fired == sorted((due_ms, key) for key, due_ms in table.items())


def test_a_timer_acts_at_its_own_time_before_the_record_that_made_it_due() -> None:
    bench = Bench("dedupe", SETUP)
    bench.put("alerts", alert(ttl_seconds=60), T0)
    outputs = bench.put("alerts", alert("other"), T0 + HOUR)
    assert [each.timestamp_ms for each in outputs] == [T0 + MINUTE, T0 + HOUR]


def test_stream_time_never_goes_back_also_over_a_restart() -> None:
    bench = Bench("dedupe", SETUP)
    bench.tick(T0)
    bench.restart()
    bench.tick(T0 - 1)
    assert bench.processor.clock_ms == T0


def test_a_tick_alone_is_a_change_of_state_and_silence_is_none() -> None:
    bench = Bench("dedupe", SETUP)
    assert bench.changes() == []
    bench.tick(T0)
    assert [key for key, _ in bench.changes()] == [b"spillway.partition"]
    assert bench.changes() == []


def test_a_dead_letter_says_where_it_came_from_and_keeps_headers_and_bytes() -> None:
    bench = Bench("dedupe", SETUP)
    effects = Effects()
    bench.processor.handle_one(StreamRecord("alerts", 2, 7, T0, b"k", b"\xff\x00", (("trace", b"1"),)), effects)
    (letter,) = effects.outputs
    headers = dict(letter.headers)
    assert (letter.key, letter.value, headers["trace"]) == (b"k", b"\xff\x00", b"1")
    assert (headers["spillway-topic"], headers["spillway-partition"], headers["spillway-offset"]) == (
        b"alerts",
        b"2",
        b"7",
    )
    assert headers["spillway-reason"] == b"unknown_schema"


def test_state_of_another_schema_is_refused() -> None:
    with pytest.raises(ValueError, match="schema"):
        Bench("dedupe").processor.restore(b"spillway.partition", b'{"schema":99}')


@given(st.lists(st.integers(0, 60), max_size=80), st.integers(0, 60), st.integers(0, 20))
def test_more_are_due_than_so_many_exactly_where_that_is_so(dues: list[int], now_ms: int, count: int) -> None:
    timers = Timers()
    for number, due_ms in enumerate(dues):
        timers.set(str(number), due_ms)
    assert timers.more_due(now_ms, count) is (sum(due_ms <= now_ms for due_ms in dues) > count)
