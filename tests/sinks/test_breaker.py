"""The circuit breaker: what counts as down, how it asks, and that one incident that is not borne stops no other."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.delivery import DeliveryOutcome
from pipeline.sinks.base import Answer
from pipeline.sinks.breaker import (
    FAILURES_MAX,
    INCIDENTS_MIN,
    WAIT_SECONDS_FIRST,
    WAIT_SECONDS_MAX,
    Breaker,
    BreakerState,
    Verdict,
    verdict,
)

RETRY, REJECTED, DELIVERED = DeliveryOutcome.RETRY, DeliveryOutcome.REJECTED, DeliveryOutcome.DELIVERED


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def opened() -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = Breaker(clock)
    for number in range(FAILURES_MAX):
        assert breaker.state is BreakerState.CLOSED
        breaker.ended(Verdict.DOWN, f"INC-{number}", asked=breaker.begin())
    return breaker, clock


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (Answer(DELIVERED, 201), Verdict.UP),
        (Answer(DELIVERED), Verdict.UP),
        (Answer(REJECTED, 400), Verdict.UP),
        (Answer(REJECTED), Verdict.UNCLEAR),
        (Answer(RETRY, 500), Verdict.DOWN),
        (Answer(RETRY, 503), Verdict.DOWN),
        (Answer(RETRY), Verdict.DOWN),
        (Answer(RETRY, 401), Verdict.DOWN),
        (Answer(RETRY, 403), Verdict.DOWN),
        (Answer(RETRY, 302), Verdict.DOWN),
        (Answer(RETRY, 429), Verdict.UNCLEAR),
        (Answer(RETRY, 420), Verdict.UNCLEAR),
        (Answer(RETRY, 409), Verdict.UNCLEAR),
    ],
)
def test_what_an_answer_shows_of_the_sink(answer: Answer, found: Verdict) -> None:
    assert verdict(answer) is found


def test_it_opens_after_failures_in_a_row_and_any_answer_between_them_begins_anew() -> None:
    breaker = Breaker(Clock())
    for _ in range(3):
        for number in range(FAILURES_MAX - 1):
            breaker.ended(Verdict.DOWN, f"INC-{number}", asked=breaker.begin())
        breaker.ended(Verdict.UP, "INC-9", asked=breaker.begin())
    assert breaker.state is BreakerState.CLOSED
    assert opened()[0].state is BreakerState.OPEN


def test_too_many_is_no_failure() -> None:
    breaker = Breaker(Clock())
    for number in range(100):
        breaker.ended(Verdict.UNCLEAR, f"INC-{number}", asked=breaker.begin())
    assert breaker.state is BreakerState.CLOSED


def test_one_asks_after_waits_that_grow_and_an_answer_closes_it() -> None:
    breaker, clock = opened()
    wait = WAIT_SECONDS_FIRST
    for _ in range(12):
        assert breaker.rest_seconds() == pytest.approx(wait)
        clock.now += wait
        assert breaker.rest_seconds() == 0
        assert breaker.begin()
        assert breaker.rest_seconds() == inf
        breaker.ended(Verdict.DOWN, "INC-1", asked=True)
        wait = min(wait * 2, WAIT_SECONDS_MAX)
    clock.now += wait
    assert breaker.begin()
    breaker.ended(Verdict.UP, "INC-1", asked=True)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.wait_seconds("INC-1") == 0


def test_one_that_asks_and_is_broken_off_leaves_the_question_open() -> None:
    breaker, clock = opened()
    clock.now += WAIT_SECONDS_FIRST
    breaker.given_up(asked=breaker.begin())
    assert breaker.state is BreakerState.OPEN
    assert breaker.rest_seconds() == 0


def test_where_one_incident_alone_failed_another_one_asks_at_once() -> None:
    breaker = Breaker(Clock())
    for _ in range(FAILURES_MAX):
        breaker.ended(Verdict.DOWN, "INC-1", asked=breaker.begin())
    assert breaker.wait_seconds("INC-1") == WAIT_SECONDS_FIRST
    assert breaker.wait_seconds("INC-2") == 0
    for number in range(2, INCIDENTS_MIN + 1):
        breaker.ended(Verdict.DOWN, f"INC-{number}", asked=breaker.begin())
    assert breaker.wait_seconds("INC-9") > 0  # it is down, not one incident odd


@given(
    st.lists(
        st.tuples(st.sampled_from([*Verdict, None]), st.integers(0, 6), st.floats(0, 400)), min_size=1, max_size=60
    )
)
def test_while_it_is_open_hardly_anything_is_attempted_and_it_never_stays_open_over_an_answer(
    steps: list[tuple[Verdict | None, int, float]],
) -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for found, number, later in steps:
        clock.now += later
        incident_id = f"INC-{number}"
        if breaker.wait_seconds(incident_id) > 0:
            assert breaker.wait_seconds(incident_id) <= WAIT_SECONDS_MAX
            continue
        was_closed = breaker.state is BreakerState.CLOSED
        asked = breaker.begin()
        assert asked is not was_closed
        if found is None:
            breaker.given_up(asked=asked)
            assert (breaker.state is BreakerState.CLOSED) is was_closed
        else:
            breaker.ended(found, incident_id, asked=asked)
            if found is Verdict.UP or (asked and found is Verdict.UNCLEAR):
                assert breaker.state is BreakerState.CLOSED
            if asked and found is Verdict.DOWN:
                assert breaker.state is BreakerState.OPEN
        assert breaker.state is not BreakerState.HALF_OPEN
