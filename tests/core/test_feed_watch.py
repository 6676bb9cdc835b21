"""Feeds that are expected to be heard: silence is an incident, and a backlog or an outage of ours is none."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.alerts.feed_watch import HEARD_HEADER, READ_HEADER, heard, read_to_end, sign_of
from pipeline.core.step import TICK_KEY, Effects, Output, StreamRecord
from pipeline.models.expectation import Expectation
from pipeline.models.maintenance import MaintenanceWindow
from pipeline.replay import Replay
from tests.core.builders import DB, HOUR, MINUTE, SECOND, SHOP, T0, Bench, config, feed, moment, values

WITHIN = 15 * MINUTE


def expecting(*names: str, seconds: int = WITHIN // SECOND, **fields: Any) -> dict[str, Any]:
    expect = Expectation(within_seconds=seconds, **fields)
    return {name: feed(name, expect=expect) for name in names}


class Watch:
    """Dedupe's partition of signs, played by hand."""

    def __init__(self, **feeds: Any) -> None:
        self.bench = Bench("dedupe", config(feeds=feeds))

    def hear(self, name: str, at_ms: int, partition: int = 0) -> list[tuple[str, str]]:
        return self._take(heard(name, partition, at_ms))

    def read(self, at_ms: int, partition: int = 0) -> list[tuple[str, str]]:
        return self._take(read_to_end(partition, at_ms))

    def _take(self, sign: Output) -> list[tuple[str, str]]:
        effects = Effects()
        record = StreamRecord(sign.topic, 0, 0, sign.timestamp_ms, sign.key, sign.value, sign.headers)
        self.bench.processor.handle_one(record, effects)
        self.bench.effects.outputs += effects.outputs
        return [(each["alert"]["summary"], each["change"]) for each in values(effects.outputs, "episodes")]


SILENT = [("Nothing was heard from feed a for 15 min", "opened")]
BACK = [("", "resolved")]
NOBODY = [("Nothing is heard from any feed", "opened")]


def test_a_feed_of_which_nothing_is_expected_is_never_missed() -> None:
    watch = Watch(a=feed("a"))
    watch.hear("a", T0)
    assert watch.read(T0 + 9 * HOUR) == []


def test_a_silent_feed_is_an_episode_that_ends_when_it_is_heard() -> None:
    watch = Watch(**expecting("a"))
    watch.hear("a", T0)
    assert watch.read(T0 + WITHIN - 1) == []
    assert watch.read(T0 + WITHIN) == SILENT
    assert watch.read(T0 + WITHIN + HOUR) == []
    assert watch.hear("a", T0 + 2 * HOUR) == BACK
    assert watch.read(T0 + 2 * HOUR + WITHIN) == SILENT


def test_one_that_was_never_heard_is_watched_from_the_first_look_on() -> None:
    watch = Watch(**expecting("a"))
    assert watch.read(T0) == []
    assert watch.read(T0 + WITHIN) == SILENT


def test_an_outage_of_ours_is_no_silence() -> None:
    """Time goes on, and nobody says that anything was read."""
    watch = Watch(**expecting("a", "b"))
    watch.hear("a", T0)
    watch.bench.tick(T0 + 5 * HOUR)
    assert not values(watch.bench.effects.outputs, "episodes")
    assert watch.hear("b", T0 + 5 * HOUR) == []


def test_a_backlog_is_no_silence() -> None:
    """Its partition has unread records, so no mark comes from it, whatever others say of theirs."""
    watch = Watch(**expecting("a", "b"))
    watch.hear("a", T0, partition=3)
    watch.read(T0, partition=3)
    watch.hear("b", T0 + HOUR, partition=1)
    assert watch.read(T0 + HOUR, partition=1) == []
    assert watch.hear("a", T0 + MINUTE, partition=3) == []
    assert watch.hear("a", T0 + HOUR, partition=3) == []
    assert watch.read(T0 + HOUR, partition=3) == []


def test_a_feed_on_several_partitions_is_silent_when_all_were_read() -> None:
    watch = Watch(**expecting("a"))
    watch.hear("a", T0, partition=0)
    watch.hear("a", T0 + 1, partition=1)
    assert watch.read(T0 + HOUR, partition=0) == []
    assert watch.read(T0 + HOUR, partition=1) == SILENT


def test_of_two_feeds_the_one_that_stops_is_missed_alone() -> None:
    watch = Watch(**expecting("a", "b"))
    watch.hear("a", T0)
    watch.hear("b", T0 + WITHIN - MINUTE)
    assert watch.read(T0 + WITHIN) == SILENT


def test_fifty_feeds_that_stop_at_once_are_one_episode() -> None:
    names = [f"feed-{number}" for number in range(50)]
    watch = Watch(**expecting(*names))
    for number, name in enumerate(names):
        watch.hear(name, T0 + number * 7 % 300 * SECOND)
    told = [each for minute in range(60) for each in watch.read(T0 + minute * MINUTE)]
    assert told == NOBODY


def test_when_the_door_opens_again_each_feed_gets_half_its_time_to_be_heard() -> None:
    watch = Watch(**expecting("a", "b"))
    watch.hear("a", T0)
    watch.hear("b", T0)
    assert watch.read(T0 + WITHIN) == NOBODY
    back = T0 + HOUR
    assert watch.hear("b", back) == BACK
    assert watch.read(back + WITHIN // 2 - 1) == []
    watch.hear("b", back + WITHIN // 2)
    assert watch.read(back + WITHIN // 2) == SILENT


def test_an_old_message_out_of_a_backlog_does_not_end_a_silence() -> None:
    watch = Watch(**expecting("a"))
    watch.hear("a", T0)
    assert watch.read(T0 + HOUR) == SILENT
    assert watch.hear("a", T0 + MINUTE) == []
    assert watch.hear("a", T0 + HOUR) == BACK


def test_what_the_silence_is_about_is_named_by_the_configuration() -> None:
    watch = Watch(**expecting("a", about="shop", severity="critical"))
    watch.hear("a", T0)
    watch.read(T0 + WITHIN)
    (event,) = values(watch.bench.effects.outputs, "episodes")
    assert (event["alert"]["entity"], event["alert"]["severity"], event["counted"]) == (SHOP, "critical", False)
    assert event["reason"] == "feed_silent"
    assert event["alert"]["event_at_ms"] == T0


def test_planned_maintenance_hides_a_silence_and_its_end_tells_it() -> None:
    window = MaintenanceWindow(name="move", targets=(DB,), start=moment(T0), end=moment(T0 + 2 * HOUR))
    bench = Bench("dedupe", config(feeds=expecting("a", about="pay-db"), maintenance=(window,)))
    watch = Watch()
    watch.bench = bench
    watch.hear("a", T0)
    assert watch.read(T0 + WITHIN) == []
    bench.tick(T0 + 2 * HOUR + SECOND)
    assert [each["reason"] for each in values(bench.effects.outputs, "episodes")] == ["released"]


def test_a_silence_that_maintenance_hid_does_not_expire_by_the_patience_for_the_feeds_own_alerts() -> None:
    window = MaintenanceWindow(name="move", targets=(DB,), start=moment(T0), end=moment(T0 + 2 * HOUR))
    expect = Expectation(within_seconds=WITHIN // SECOND, about="pay-db")
    watch = Watch()
    watch.bench = Bench("dedupe", config(feeds={"a": feed("a", expect=expect, ttl_seconds=60)}, maintenance=(window,)))
    watch.hear("a", T0)
    watch.read(T0 + WITHIN)
    for later in (2 * HOUR, 3 * HOUR):
        watch.bench.tick(T0 + later + SECOND)
    assert [each["change"] for each in values(watch.bench.effects.outputs, "episodes")] == ["opened"]
    assert watch.hear("a", T0 + 4 * HOUR) == BACK


def test_a_restart_remembers_who_is_silent() -> None:
    watch = Watch(**expecting("a"))
    watch.hear("a", T0, partition=2)
    watch.read(T0 + WITHIN, partition=2)
    watch.bench.restart()
    assert watch.read(T0 + HOUR, partition=2) == []
    assert watch.hear("a", T0 + HOUR, partition=2) == BACK


def test_a_configuration_that_expects_nothing_ends_the_silence() -> None:
    watch = Watch(**expecting("a"))
    watch.hear("a", T0)
    watch.read(T0 + WITHIN)
    watch.bench.setup = config(version="later", feeds={"a": feed("a")})
    watch.bench.restart()
    watch.bench.tick(T0 + HOUR)
    assert [each["change"] for each in values(watch.bench.effects.outputs, "episodes")] == ["opened", "resolved"]


@pytest.mark.parametrize(
    "headers",
    [(), ((HEARD_HEADER, b"x shop"),), ((READ_HEADER, b""),), ((READ_HEADER, b"\xff"),), (("other", b"0 a"),)],
)
def test_a_tick_of_another_kind_is_no_sign(headers: tuple[tuple[str, bytes], ...]) -> None:
    assert sign_of(StreamRecord("alerts", 0, 0, T0, TICK_KEY, None, headers)) is None


# -- from raw records on


def raw(name: str, at_ms: int, offset: int) -> StreamRecord:
    return StreamRecord(f"alerts.raw.{name}", 0, offset, at_ms, None, b'{"not": "of any shape"}')


def test_ingest_tells_once_a_minute_that_a_feed_is_heard_even_by_what_it_cannot_read() -> None:
    bench = Bench("ingest", config(feeds=expecting("a")))
    told = []
    for offset, at_ms in enumerate((T0, T0 + SECOND, T0 + MINUTE, T0 + MINUTE + 1, T0 - 1)):
        effects = Effects()
        bench.processor.handle_one(raw("a", at_ms, offset), effects)
        told.append(sum(each.key == TICK_KEY for each in effects.outputs))
    assert told == [1, 0, 1, 0, 0]


def test_ingest_tells_nothing_where_nothing_is_expected() -> None:
    bench = Bench("ingest", config(feeds={"a": feed("a")}))
    bench.processor.handle_one(raw("a", T0, 0), bench.effects)
    assert not [each for each in bench.effects.outputs if each.key == TICK_KEY]


def test_a_replay_finds_the_same_silence_each_time_and_accounts_for_every_alert() -> None:
    setup = config(feeds=expecting("a", "b"))
    recording = [raw("a", T0, 0)] + [raw("b", T0 + number * MINUTE, number) for number in range(40)]
    outcomes = []
    for _ in range(2):
        replay = Replay(setup)
        outcomes.append(replay.run(recording, run_on_seconds=3_600))
        assert replay.remainder() == 0
    first, second = outcomes
    assert first.events == second.events
    assert first.decisions == second.decisions
    opened = [
        each["incident"]["title"] for each in values(first.events, "incidents") if each["incident"]["revision"] == 1
    ]
    assert any("feed a" in title for title in opened)
    assert any("any feed" in title for title in opened), "the recording ends, and so does b"
