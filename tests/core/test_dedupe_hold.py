"""Dedupe and transients: it says how long what may be one may wait, and ends what an older release let wait."""

from __future__ import annotations

import orjson

from pipeline.core.migrate import migrated
from pipeline.models.alert import Severity
from pipeline.models.decision import Disposition, Reason
from tests.core.builders import HOUR, SECOND, T0, Bench, alert, config, feed, resolved, values
from tests.core.test_dedupe import RESOLVED, last, put, told


def holding() -> Bench:
    return Bench("dedupe", config(feeds={"monitor": feed(hold_seconds={"warning": 60, "error": 20})}))


def test_what_may_be_a_transient_is_told_at_once_with_how_long_it_may_wait() -> None:
    desk = holding()
    (event,) = values(desk.put("alerts", alert(severity=Severity.WARNING), T0), "episodes")
    assert (event["change"], event["hold_until_ms"], event["facts"]) == (
        "opened",
        T0 + 60 * SECOND,
        {"set_seconds": 60},
    )
    assert put(desk, alert(severity=Severity.WARNING), T0 + 1) == []
    assert last(desk) == (Disposition.REPEATED, Reason.STILL_FIRING)
    assert put(desk, resolved(), T0 + 59 * SECOND) == RESOLVED


def test_what_is_never_held_says_nothing_of_a_hold() -> None:
    (event,) = values(holding().put("alerts", alert(), T0), "episodes")
    assert "hold_until_ms" not in event
    assert "facts" not in event


HELD_BEFORE = b'[2,"held","EP-1","warning","production",0,%d,%d,null,%d,null,null,null,null,0,0,[%d]]' % (
    T0,
    T0,
    T0 + 60 * SECOND,
    T0,
)


def held_before() -> Bench:
    """A worker that takes over from the release before, in which dedupe let what may be a transient wait itself."""
    desk = holding()
    desk.processor.restore(b"c/k1", migrated("dedupe", b"c/k1", HELD_BEFORE, 1))
    body = orjson.dumps(alert(severity=Severity.WARNING))
    desk.processor.restore(b"a/k1", migrated("dedupe", b"a/k1", body, 1))
    desk.processor.restored()
    return desk


def test_a_hold_that_an_older_release_began_ends_as_it_was_set() -> None:
    desk = held_before()
    assert told(desk.tick(T0 + 60 * SECOND - 1)) == []
    assert told(desk.tick(T0 + 60 * SECOND)) == [("opened", "released", False)]


def test_a_transient_that_an_older_release_held_passes_unseen() -> None:
    desk = held_before()
    assert put(desk, alert(severity=Severity.WARNING), T0 + 1) == []
    assert put(desk, alert(severity=Severity.ERROR), T0 + 2) == []
    assert put(desk, resolved(), T0 + 59 * SECOND) == []
    assert {each.disposition for each in desk.decisions} == {Disposition.HELD}
    assert told(desk.tick(T0 + HOUR)) == []
