"""Changes: brought up to date by id, suspected for a day, suppressing while they run, bounded."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.core.clustering import changes
from pipeline.core.clustering.changes import ChangeLog
from pipeline.models.decision import BadRecord, Reason
from tests.core.builders import DB, HOUR, SHOP, T0, change

DAY = 24 * HOUR


def wire(*given: Any, **fields: Any) -> bytes:
    return orjson.dumps(change(*given, **fields).model_dump(mode="json"))


def log() -> ChangeLog:
    return ChangeLog({"pay-db": DB}.get)


def test_targets_become_references_once_each_and_unknown_names_stay() -> None:
    known = log()
    known.take(wire(targets=("pay-db", DB, "lab-7")), T0)
    assert known.recent().changes[0].targets == (DB, "lab-7")


def test_a_known_id_is_brought_up_to_date() -> None:
    known = log()
    known.take(wire(), T0)
    known.take(wire("CHG-1", T0, T0 + HOUR, summary="done"), T0 + HOUR)
    assert [each.summary for each in known.recent().changes] == ["done"]


@pytest.mark.parametrize(
    ("suppress", "ended_ms", "now_ms", "suppressed"),
    [
        (True, T0 + HOUR, T0, True),
        (True, T0 + HOUR, T0 - 1, False),
        (True, T0 + HOUR, T0 + HOUR, False),
        (True, None, T0 + 9 * HOUR, True),
        (False, T0 + HOUR, T0, False),
    ],
)
def test_a_change_suppresses_while_it_runs_where_it_says_so(
    suppress: bool, ended_ms: int | None, now_ms: int, suppressed: bool
) -> None:
    known = log()
    known.take(wire("CHG-1", T0, ended_ms, suppress=suppress), T0)
    assert (known.suppressing([SHOP, DB], now_ms) == "CHG-1") is suppressed
    assert known.suppressing([SHOP], now_ms) is None


def test_deadlines_are_the_end_of_suppression_then_forgetting() -> None:
    known = log()
    assert known.take(wire("CHG-1", T0, T0 + HOUR, suppress=True), T0) == [("CHG-1", T0 + HOUR)]
    assert known.due("CHG-1", T0 + HOUR) == T0 + HOUR + DAY
    assert known.deadlines(T0 + HOUR) == [("CHG-1", T0 + HOUR + DAY)]
    assert known.due("CHG-1", T0 + HOUR + DAY) is None
    assert (known.recent().changes, known.dump("CHG-1"), known.due("CHG-1", T0)) == ((), None, None)


def test_a_change_that_comes_too_late_to_matter_is_due_at_once_and_then_gone() -> None:
    known = log()
    assert known.take(wire("CHG-1", T0 - 9 * DAY), T0) == [("CHG-1", T0 + 1)]
    assert known.due("CHG-1", T0 + 1) is None


def test_the_oldest_goes_first_beyond_the_bound_whatever_the_order_of_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "CHANGES_KEPT_MAX", 2)
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        known = log()
        for number in order:
            touched = known.take(wire(f"CHG-{number}", T0 + number), T0 + 9)
        assert touched[-1] == ("CHG-0", None)
        assert [each.change_id for each in known.recent().changes] == ["CHG-1", "CHG-2"]


def test_what_the_changelog_holds_comes_back_the_same() -> None:
    known, again = log(), log()
    known.take(wire("CHG-1", T0, T0 + HOUR, suppress=True), T0)
    again.load(known.dump("CHG-1") or b"")
    assert (again.recent().changes, again.deadlines(T0)) == (known.recent().changes, known.deadlines(T0))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, Reason.EMPTY),
        (b"", Reason.EMPTY),
        (b"{", Reason.WRONG_TYPE),
        (b'{"change_id":"x","kind":"maintenance","summary":"s","started_at":"2026-03-10T10:00:00"}', Reason.WRONG_TYPE),
        (b'{"change_id":"","kind":"maintenance","summary":"s","started_at":"2026-03-10T10:00:00Z"}', Reason.WRONG_TYPE),
    ],
)
def test_what_is_no_change_is_refused_and_changes_nothing(body: bytes | None, reason: Reason) -> None:
    known = log()
    with pytest.raises(BadRecord) as caught:
        known.take(body, T0)
    assert caught.value.reason == reason
    assert known.recent().changes == ()
