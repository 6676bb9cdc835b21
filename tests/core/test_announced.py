"""Maintenance that sources announce mutes what it is about, until its end or a limit; windows that change while on."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models.alert import Kind
from pipeline.models.decision import Disposition, Reason
from pipeline.models.maintenance import MaintenanceWindow
from tests.core.builders import DB, HOUR, MINUTE, PAY, SHOP, T0, Bench, alert, config, feed, moment, values
from tests.core.rooms import Room


class Line:
    """Dedupe and correlate in a line."""

    def __init__(self, **fields: Any) -> None:
        self.dedupe, self.room = Bench("dedupe", config(**fields)), Room(config(**fields))

    def alert(self, key: str, at_ms: int = T0, **fields: Any) -> None:
        for each in self.dedupe.put("alerts", alert(key, **({"entity": DB, "service": PAY} | fields)), at_ms):
            self.room.put("episodes", each.value, at_ms)

    def notice(self, at_ms: int = T0, kind: Kind = Kind.MAINTENANCE_START, **fields: Any) -> None:
        self.alert("work", at_ms, **({"kind": kind, "summary": "patching", "event_at_ms": at_ms} | fields))

    def tick(self, at_ms: int) -> None:
        for each in self.dedupe.tick(at_ms):
            self.room.put("episodes", each.value, at_ms)
        self.room.tick(at_ms)


def test_a_notice_is_counted_as_control_and_mutes_what_it_is_about_until_its_end() -> None:
    line = Line()
    line.notice(ended_at_ms=T0 + HOUR)
    assert line.dedupe.decisions[-1][1:3] == (Disposition.CONTROL, Reason.MAINTENANCE_NOTICE)
    line.alert("a", T0 + 1)
    assert line.room.decisions[-1][1:3] == (Disposition.SUPPRESSED, Reason.MAINTENANCE)
    line.alert("s", T0 + 1, entity=SHOP, service=SHOP)
    assert line.room.one()["services"] == [SHOP]
    line.tick(T0 + HOUR)
    assert sum(each["episodes_total"] for each in line.room.incidents().values()) == 2


@pytest.mark.parametrize(("source_id", "ended"), [("d-1", True), ("d-2", False)])
def test_the_end_of_a_notice_ends_it_and_no_other(source_id: str, ended: bool) -> None:
    line = Line()
    line.notice(ended_at_ms=T0 + HOUR, source_episode_id="d-1")
    line.alert("a", T0 + 1)
    line.notice(T0 + MINUTE, Kind.MAINTENANCE_END, source_episode_id=source_id, event_at_ms=None)
    assert bool(line.room.incidents()) is ended


def test_a_notice_that_comes_again_moves_its_end() -> None:
    line = Line()
    for minutes in (60, 120, 90):
        line.notice(ended_at_ms=T0 + minutes * MINUTE)
    line.alert("a", T0 + 1)
    line.tick(T0 + 90 * MINUTE - 1)
    assert line.room.incidents() == {}
    line.tick(T0 + 90 * MINUTE)
    assert line.room.one()["episodes_total"] == 1


@pytest.mark.parametrize(("hours", "muted_hours"), [(None, 24), (2, 2)])
def test_a_notice_without_an_end_mutes_no_longer_than_its_feed_may(hours: int | None, muted_hours: int) -> None:
    line = Line(**({"feeds": {"monitor": feed(maintenance_hours_max=hours)}} if hours is not None else {}))
    line.notice()
    line.alert("a", T0 + 1)
    line.tick(T0 + muted_hours * HOUR - 1)
    assert line.room.incidents() == {}
    line.tick(T0 + muted_hours * HOUR)
    assert line.room.one()["state"] == "logged"


def test_a_feed_whose_notices_mute_nothing() -> None:
    line = Line(feeds={"monitor": feed(maintenance_hours_max=0)})
    line.notice(ended_at_ms=T0 + HOUR)
    line.alert("a", T0 + 1)
    assert len(line.room.incidents()) == 1


def test_a_notice_of_what_is_to_come_mutes_when_it_comes() -> None:
    line = Line()
    line.notice(event_at_ms=T0 + HOUR, ended_at_ms=T0 + 2 * HOUR)
    line.alert("a", T0 + 1)
    line.alert("b", T0 + HOUR, name="other")
    assert sum(each["episodes_total"] for each in line.room.incidents().values()) == 1


def test_work_on_one_check_of_a_host_mutes_that_check_alone() -> None:
    line = Line()
    host: Any = {"entity": None, "service": None, "host": "lab-7"}
    line.notice(ended_at_ms=T0 + HOUR, labels={"host": "lab-7", "service": "disk"}, **host)
    line.alert("disk", T0 + 1, labels={"service": "disk"}, **host)
    line.alert("ping", T0 + 1, labels={"service": "ping"}, **host)
    assert (line.room.one()["episodes_total"], line.room.one()["symptoms"]) == (1, ["ping is out of bounds"])


def test_a_notice_survives_a_restart_and_is_suspected_as_a_change() -> None:
    line = Line()
    line.notice(ended_at_ms=T0 + HOUR)
    line.room.restart()
    line.alert("a", T0 + 1)
    assert line.room.incidents() == {}
    line.tick(T0 + HOUR)
    (suspect,) = [each for each in line.room.one()["suspects"] if each["change_id"]]
    assert suspect["change_id"] == "monitor/work"


# -- windows of the configuration that change while they are on


def planned(*ends_ms: int, version: str) -> dict[str, Any]:
    windows = (
        MaintenanceWindow(name=f"w{at}", start=moment(T0), end=moment(end), targets=("pay-db",))
        for at, end in enumerate(ends_ms)
    )
    return {"maintenance": tuple(windows), "version": version}


CHANGED: dict[str, tuple[tuple[int, ...], int]] = {
    "extended": ((T0 + 2 * HOUR,), T0 + 2 * HOUR),
    "cut short": ((T0 + 30 * MINUTE,), T0 + 30 * MINUTE),
    "cancelled": ((), T0 + 10 * MINUTE),
    "another besides": ((T0 + HOUR, T0 + 3 * HOUR), T0 + 3 * HOUR),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_window_that_changes_while_it_is_on_ends_when_it_says_now(case: str) -> None:
    ends_ms, over_ms = CHANGED[case]
    bench = Bench("dedupe", config(**planned(T0 + HOUR, version="1")))
    bench.put("alerts", alert("a", entity=DB), T0 + 1)
    bench.changes()
    bench.setup = config(**planned(*ends_ms, version="2"))
    bench.restart()
    told = [each["change"] for each in values(bench.tick(max(T0 + 10 * MINUTE, over_ms - 1)), "episodes")]
    assert told == ([] if over_ms > T0 + 10 * MINUTE else ["opened"])
    told += [each["change"] for each in values(bench.tick(over_ms), "episodes")]
    assert told == ["opened"]
