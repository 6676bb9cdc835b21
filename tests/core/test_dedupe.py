"""Dedupe: many alerts of one condition become few episodes, and each alert has exactly one disposition."""

from __future__ import annotations

import tracemalloc
from typing import Any

import orjson
import pytest

from pipeline.core.alerts.condition import Condition
from pipeline.core.step import TICK_KEY, Effects, Output, StreamRecord
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import Disposition, Reason
from pipeline.models.maintenance import MaintenanceWindow
from pipeline.models.policy import Config
from tests.core.builders import (
    DB,
    HOST,
    HOUR,
    MINUTE,
    SECOND,
    T0,
    Bench,
    alert,
    config,
    moment,
    resolved,
    values,
)


def bench(**fields: Any) -> Bench:
    return Bench("dedupe", config(**fields) if fields else None)


def told(outputs: list[Output]) -> list[tuple[str, str, bool]]:
    """What correlate hears: change, reason, and whether the alert is still to be decided."""
    return [(each["change"], each["reason"], each["counted"]) for each in values(outputs, "episodes")]


def last(desk: Bench) -> tuple[Disposition, Reason]:
    return desk.decisions[-1].disposition, desk.decisions[-1].reason


def put(desk: Bench, given: Alert, at_ms: int) -> list[tuple[str, str, bool]]:
    return told(desk.put("alerts", given, at_ms))


OPEN_EPISODE_BYTES_MAX = 600
"""Measured 350 without a deadline and 460 with one."""

OPENED = [("opened", "new_episode", True)]
RESOLVED = [("resolved", "resolved", True)]


def test_the_first_alert_opens_an_episode() -> None:
    assert put(bench(), alert(), T0) == OPENED


def test_a_repeat_changes_nothing() -> None:
    desk = bench()
    put(desk, alert(), T0)
    assert put(desk, alert(), T0 + MINUTE) == []
    assert last(desk) == (Disposition.REPEATED, Reason.STILL_FIRING)


def test_the_same_delivery_twice_is_a_duplicate() -> None:
    desk = bench()
    put(desk, alert(delivery_id="d1"), T0)
    assert put(desk, alert(delivery_id="d1"), T0 + 1) == []
    assert last(desk) == (Disposition.REPEATED, Reason.DUPLICATE_DELIVERY)


def test_a_severity_change_is_told_once() -> None:
    desk = bench()
    put(desk, alert(severity=Severity.WARNING), T0)
    assert put(desk, alert(), T0 + 1) == [("changed", "severity_changed", True)]
    assert put(desk, alert(), T0 + 2) == []


def test_a_severity_change_stays_in_the_space_where_the_episode_is_known() -> None:
    desk = bench()
    put(desk, alert(severity=Severity.WARNING), T0)
    (event,) = values(desk.put("alerts", alert(space="staging"), T0 + 1), "episodes")
    assert event["space"] == event["alert"]["space"] == "production"
    (event,) = values(desk.put("alerts", resolved(space="staging"), T0 + 2), "episodes")
    assert event["space"] == "production"


def test_a_late_alert_of_other_severity_does_not_take_the_newer_one_back() -> None:
    desk = bench()
    put(desk, alert(event_at_ms=T0), T0)
    put(desk, alert(event_at_ms=T0 + 30), T0 + 30)
    assert put(desk, alert(severity=Severity.WARNING, event_at_ms=T0 + 20), T0 + 40) == []
    assert last(desk) == (Disposition.REPEATED, Reason.OUT_OF_ORDER)


def test_a_recovery_resolves_and_a_new_firing_reopens_as_another_episode() -> None:
    desk = bench()
    put(desk, alert(), T0)
    assert put(desk, resolved(), T0 + 1) == RESOLVED
    assert put(desk, alert(), T0 + 2) == [("opened", "reopened_episode", True)]
    first, _, third = (each["episode_id"] for each in values(desk.effects.outputs, "episodes"))
    assert first != third


def test_two_runs_within_one_millisecond_are_two_episodes() -> None:
    desk = bench()
    for _ in range(2):
        put(desk, alert(), T0)
        put(desk, resolved(), T0)
    ids = [each["episode_id"] for each in values(desk.effects.outputs, "episodes")]
    assert ids[0] == ids[1] != ids[2] == ids[3]


def test_a_recovery_names_its_own_origin_and_repeats_nothing_of_what_was_told() -> None:
    desk = bench()
    put(desk, alert(labels={"rack": "4"}), T0)
    (event,) = values(desk.put("alerts", resolved(entity=None, origin=("raw", 0, 9, 0)), T0 + 1), "episodes")
    told = event["alert"]
    assert (told["kind"], told["severity"], told["space"]) == (Kind.RESOLVED, Severity.CRITICAL, "production")
    assert (told["origin"], told["labels"], told["summary"]) == (["raw", 0, 9, 0], {}, "")


def test_a_recovery_without_a_firing_is_kept_quiet() -> None:
    desk = bench()
    assert put(desk, resolved(), T0) == []
    assert last(desk) == (Disposition.REPEATED, Reason.RESOLVED_WITHOUT_FIRING)


@pytest.mark.parametrize("run", ["run-1", None])
def test_a_firing_that_its_recovery_overtook_opens_nothing(run: str | None) -> None:
    desk = bench()
    put(desk, resolved(source_episode_id=run, ended_at_ms=T0 - 10), T0)
    assert put(desk, alert(source_episode_id=run, event_at_ms=T0 - 20), T0 + 1) == []
    assert last(desk) == (Disposition.REPEATED, Reason.OUT_OF_ORDER)


def test_a_firing_in_the_very_moment_of_the_last_recovery_is_a_new_run() -> None:
    desk = bench()
    put(desk, alert(event_at_ms=T0 - 20), T0)
    put(desk, resolved(ended_at_ms=T0), T0)
    assert put(desk, alert(event_at_ms=T0), T0 + 1) == [("opened", "reopened_episode", True)]


@pytest.mark.parametrize("runs", [("run-1", "run-2"), (None, None)])
def test_a_late_recovery_of_an_earlier_run_does_not_end_the_newer_one(runs: tuple[str | None, str | None]) -> None:
    desk = bench()
    put(desk, alert(source_episode_id=runs[0], event_at_ms=T0), T0)
    put(desk, alert(source_episode_id=runs[1], event_at_ms=T0 + 60), T0 + 60)  # overtakes the recovery
    assert put(desk, resolved(source_episode_id=runs[0], ended_at_ms=T0 + 50), T0 + 70) == []
    assert last(desk) == (Disposition.REPEATED, Reason.OUT_OF_ORDER)
    assert put(desk, resolved(source_episode_id=runs[1], ended_at_ms=T0 + 90), T0 + 90) == RESOLVED


def test_a_source_whose_clock_runs_backwards_within_a_run_still_resolves_it() -> None:
    desk = bench()
    put(desk, alert(source_episode_id="run-1", event_at_ms=T0), T0)
    assert put(desk, resolved(source_episode_id="run-1", ended_at_ms=T0 - 500), T0 + 1) == RESOLVED


def test_control_messages_are_counted_and_change_nothing() -> None:
    desk = bench()
    for kind in (Kind.HEARTBEAT, Kind.CONTROL, Kind.UNACKNOWLEDGED):
        assert put(desk, alert(kind=kind), T0) == []
        assert desk.decisions[-1].disposition == Disposition.CONTROL


def test_an_acknowledgement_at_the_source_is_told_only_of_an_open_episode() -> None:
    desk = bench()
    assert put(desk, alert(kind=Kind.ACKNOWLEDGED), T0) == []
    put(desk, alert(), T0)
    assert put(desk, alert(kind=Kind.ACKNOWLEDGED), T0 + 1) == [("acknowledged", "acknowledged_at_source", True)]


# -- maintenance


def in_maintenance(*ends_ms: int, **fields: Any) -> Config:
    windows = [
        MaintenanceWindow(name=f"m{at}", start=moment(T0), end=moment(end), **({"targets": ("pay-db",)} | fields))
        for at, end in enumerate(ends_ms)
    ]
    return config(maintenance=tuple(windows))


def test_maintenance_suppresses_what_runs_on_the_target_and_its_end_tells_what_still_fires() -> None:
    desk = Bench("dedupe", in_maintenance(T0 + HOUR, targets=("node-1",)))
    assert put(desk, alert("k2", entity=HOST), T0) == []
    assert put(desk, alert(entity=DB), T0 + 1) == [], "the database runs on the host"
    assert put(desk, alert("k3"), T0 + 2) == OPENED, "the shop needs the database, and runs elsewhere"
    assert put(desk, resolved("k2"), T0 + MINUTE) == [("hidden", "maintenance", False)], "for the record alone"
    assert last(desk) == (Disposition.SUPPRESSED, Reason.MAINTENANCE)
    assert told(desk.tick(T0 + HOUR - 1)) == []
    assert told(desk.tick(T0 + HOUR)) == [("opened", "released", False)]


def test_maintenance_windows_that_follow_each_other_suppress_to_the_last_end() -> None:
    desk = Bench("dedupe", in_maintenance(T0 + HOUR, T0 + 2 * HOUR))
    put(desk, alert(entity=DB), T0)
    assert told(desk.tick(T0 + 2 * HOUR - 1)) == []
    assert told(desk.tick(T0 + 2 * HOUR)) == [("opened", "released", False)]


@pytest.mark.parametrize(("labels", "suppressed"), [({"team": "db"}, True), ({"team": "web"}, False), ({}, False)])
def test_a_window_of_labels_covers_alerts_that_carry_them(labels: dict[str, str], suppressed: bool) -> None:
    desk = Bench("dedupe", in_maintenance(T0 + HOUR, targets=(), labels={"team": "db"}))
    assert (put(desk, alert(labels=labels), T0) == []) is suppressed


def test_a_window_without_targets_and_labels_covers_nothing() -> None:
    assert put(Bench("dedupe", in_maintenance(T0 + HOUR, targets=())), alert(), T0) == OPENED


def test_a_target_that_the_catalogue_does_not_know_is_a_host_name() -> None:
    desk = Bench("dedupe", in_maintenance(T0 + HOUR, targets=("Lab-7",)))
    assert put(desk, alert(entity=None, host="lab-7"), T0) == []


# -- expiry


def test_a_silent_source_expires_and_comes_back_as_a_new_run() -> None:
    desk = bench()
    put(desk, alert(ttl_seconds=300), T0)
    put(desk, alert(ttl_seconds=300), T0 + 200 * SECOND)
    assert told(desk.tick(T0 + 499 * SECOND)) == []
    assert told(desk.tick(T0 + 500 * SECOND)) == [("expired", "expired", False)]
    assert put(desk, alert(ttl_seconds=300), T0 + 501 * SECOND) == [("opened", "reopened_episode", True)]


def test_a_source_that_reports_recovery_never_expires() -> None:
    desk = bench()
    put(desk, alert(), T0)
    assert told(desk.tick(T0 + 1_000 * HOUR)) == []


def test_what_is_over_is_forgotten_after_a_while() -> None:
    desk = bench()
    put(desk, alert(), T0)
    put(desk, resolved(), T0 + 1)
    desk.changes()
    desk.tick(T0 + 24 * HOUR)
    desk.changes()
    assert set(desk.state) == {b"spillway.partition"}
    assert desk.processor.next_deadline_ms() is None


# -- hostile records


@pytest.mark.parametrize("body", [None, b"", b"{", b"[]", b"7", b"{}", b'{"schema":1}', b'{"schema":1,"nonsense":2}'])
def test_what_is_not_an_alert_is_a_dead_letter_with_its_bytes(body: bytes | None) -> None:
    desk = bench()
    (letter,) = desk.put("alerts", body, T0)
    assert (letter.topic, letter.value) == ("dead.letter", body)
    assert desk.decisions[-1].disposition == Disposition.DEAD_LETTERED
    assert put(desk, alert(), T0 + 1) == OPENED


def test_a_record_with_a_ticks_key_and_a_value_is_decided() -> None:
    desk = bench()
    desk.put("alerts", alert(), T0, key=TICK_KEY)
    assert desk.processor.ledger.received == 1


def test_a_record_from_the_past_is_decided_at_stream_time() -> None:
    desk = bench()
    desk.tick(T0)
    (event,) = values(desk.put("alerts", alert(), T0 - HOUR), "episodes")
    assert event["at_ms"] == T0


def test_a_repeat_writes_one_small_record_to_the_changelog() -> None:
    desk = bench()
    put(desk, alert(), T0)
    assert [key for key, _ in desk.changes()] == [b"c/k1", b"spillway.partition"]
    put(desk, alert(), T0 + 1)
    changes = dict(desk.changes())
    assert sorted(changes) == [b"c/k1", b"spillway.partition"]
    assert Condition.unpacked(changes[b"c/k1"] or b"").repeats == 1
    assert len(changes[b"c/k1"] or b"") < 256
    assert desk.changes() == []


def test_an_alert_is_kept_only_while_its_release_may_have_to_tell_it() -> None:
    desk = Bench("dedupe", in_maintenance(T0 + HOUR))
    put(desk, alert(entity=DB), T0)
    assert b"a/k1" in dict(desk.changes())
    desk.tick(T0 + HOUR)
    assert dict(desk.changes())[b"a/k1"] is None, "it is an episode now, and correlate knows it"
    assert sorted(desk.state) == [b"c/k1", b"spillway.partition"]


def test_state_of_another_release_is_refused_with_its_key() -> None:
    for value in (b'{"schema":1,"phase":"open"}', b'[1,"open"]', b"7"):
        with pytest.raises(ValueError, match="c/k1"):
            bench().processor.restore(b"c/k1", value)


@pytest.mark.parametrize("ttl_seconds", [None, 300])
def test_an_open_episode_takes_little_memory_however_often_it_repeats(ttl_seconds: int | None) -> None:
    episodes, desk = 2_000, bench()
    alerts = [
        orjson.dumps(alert(f"{number:032x}", source_episode_id=f"{number:016x}/{T0}", ttl_seconds=ttl_seconds))
        for number in range(episodes)
    ]
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for turn in range(4):
        for body in alerts:
            record = StreamRecord("alerts", 0, 0, T0 + turn, b"k", body)
            desk.processor.handle_one(record, Effects())
        desk.processor.take_changes()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (after - before) / episodes < OPEN_EPISODE_BYTES_MAX
