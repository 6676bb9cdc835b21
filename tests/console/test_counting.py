"""Figures over very many incidents: a few at a time, and once for everybody where they stay as they are."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.console import counting
from pipeline.console.context import Context
from pipeline.console.counting import AT_ONCE_MAX, KEPT_MAX, KEPT_MS, WAITING_MAX, Counting
from pipeline.console.refusal import Refusal
from pipeline.records.analytics.periods import Period, quarters_until

NOW = datetime(2026, 5, 4, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1_000)
OVER, GOING_ON = quarters_until(NOW, 2)
JUST_OVER_MS = int(datetime(2026, 4, 1, 12, tzinfo=UTC).timestamp() * 1_000) - NOW_MS


class Counted:
    """Counts how often it is counted."""

    def __init__(self, incidents: int = 1) -> None:
        self.times = 0
        self.incidents = incidents

    def __call__(self) -> Any:
        self.times += 1
        return SimpleNamespace(whole=SimpleNamespace(incidents=self.incidents))


@pytest.mark.parametrize(
    ("first", "then", "times"),
    [
        ((None, OVER, 0), (None, OVER, KEPT_MS - 1), 1),
        ((None, OVER, 0), (None, OVER, KEPT_MS), 2),
        ((None, OVER, 0), (None, OVER, -1), 2),  # the clock was set back
        ((None, GOING_ON, 0), (None, GOING_ON, 0), 2),
        ((None, OVER, JUST_OVER_MS), (None, OVER, JUST_OVER_MS), 2),  # its last incidents are under way
        ((None, OVER, 0), (frozenset({"retail"}), OVER, 0), 2),
        ((frozenset({"a", "b"}), OVER, 0), (frozenset({"b", "a"}), OVER, 0), 1),
        ((None, OVER, 0), (None, Period(OVER.start, OVER.end, "Europe/Vienna", OVER.name), 0), 2),
    ],
)
def test_a_quarter_that_is_over_is_counted_once_for_a_while(
    first: tuple[Any, Period, int], then: tuple[Any, Period, int], times: int
) -> None:
    kept, counted = Counting(), Counted()
    for scope, quarter, later_ms in (first, then):
        kept.quarter(scope, quarter, NOW_MS + later_ms, counted)
    assert counted.times == times


def test_what_is_empty_is_not_kept_as_any_word_may_be_asked_for() -> None:
    kept, counted = Counting(), Counted(incidents=0)
    for _ in range(2):
        kept.quarter(frozenset({"no such domain"}), OVER, NOW_MS, counted)
    assert counted.times == 2
    assert not kept._kept


def test_what_is_kept_is_bounded_and_the_oldest_goes_first() -> None:
    kept, counted = Counting(), Counted()
    scopes = [frozenset({f"domain-{number}"}) for number in range(KEPT_MAX + 1)]
    for scope in (*scopes, scopes[1], scopes[0]):
        kept.quarter(scope, OVER, NOW_MS, counted)
    assert counted.times == KEPT_MAX + 2


class Store:
    """Stands for the records store: says how many ask at once, and answers when it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at_once = self.most = self.answered = 0
        self.may_answer = asyncio.Event()
        self.context = Context(*[None] * 4)  # type: ignore[arg-type]  # nothing else of it is asked
        monkeypatch.setattr(Context, "ask", lambda _, question: self.ask(question))

    async def ask(self, question: Any) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.may_answer.wait()
            question(None)
            self.answered += 1
        finally:
            self.at_once -= 1

    async def all_of(self, questions: list[Any]) -> list[Any]:
        tasks = [asyncio.create_task(self.context.count(each)) for each in questions]
        await asyncio.sleep(0)  # everybody has asked
        await asyncio.sleep(0)
        self.may_answer.set()
        return await asyncio.gather(*tasks, return_exceptions=True)


def question(_: Any) -> None:
    """Asks nothing."""


def test_only_so_many_are_counted_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(monkeypatch)
    asyncio.run(store.all_of([question] * 10))
    assert (store.answered, store.most) == (10, AT_ONCE_MAX)


def test_more_than_may_wait_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(monkeypatch)
    answers = asyncio.run(store.all_of([question] * (AT_ONCE_MAX + WAITING_MAX + 3)))
    refused = [each for each in answers if isinstance(each, Refusal)]
    assert [each.status for each in refused] == [HTTPStatus.SERVICE_UNAVAILABLE] * 3
    assert all(int(each.headers["Retry-After"]) > 0 for each in refused)
    assert store.answered == AT_ONCE_MAX + WAITING_MAX


def test_who_waits_too_long_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "WAIT_SECONDS_MAX", 0.0)
    store = Store(monkeypatch)
    answers = asyncio.run(store.all_of([question] * (AT_ONCE_MAX + 1)))
    assert [type(each) for each in answers] == [type(None)] * AT_ONCE_MAX + [Refusal]


def test_a_question_that_fails_gives_its_turn_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Any) -> None:
        raise ValueError("no such period")

    store = Store(monkeypatch)
    answers = asyncio.run(store.all_of([fails] * 5 + [question]))
    assert [type(each) for each in answers] == [ValueError] * 5 + [type(None)]
