"""Figures over very many incidents: a few at a time, and once for everybody where they stay as they are."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.console.context import Context
from pipeline.console.counting import AT_ONCE_MAX, KEPT_MAX, KEPT_MS, Counting
from pipeline.records.analytics.periods import Period, quarters_until

NOW = datetime(2026, 5, 4, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1_000)
OVER, GOING_ON = quarters_until(NOW, 2)


class Counted:
    """Counts how often it is counted."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Any:
        self.times += 1
        return object()


@pytest.mark.parametrize(
    ("first", "then", "times"),
    [
        ((None, OVER, 0), (None, OVER, KEPT_MS - 1), 1),
        ((None, OVER, 0), (None, OVER, KEPT_MS), 2),
        ((None, OVER, 0), (None, OVER, -1), 2),  # the clock was set back
        ((None, GOING_ON, 0), (None, GOING_ON, 0), 2),
        ((None, OVER, 0), (frozenset({"retail"}), OVER, 0), 2),
        ((frozenset({"a", "b"}), OVER, 0), (frozenset({"b", "a"}), OVER, 0), 1),
        ((None, OVER, 0), (None, Period(OVER.start, OVER.end, "Europe/Vienna", OVER.name), 0), 2),
    ],
)
def test_a_quarter_that_is_over_is_counted_once_for_a_while(
    first: tuple[Any, Period, int], then: tuple[Any, Period, int], times: int
) -> None:
    counting, counted = Counting(), Counted()
    for scope, quarter, later_ms in (first, then):
        counting.quarter(scope, quarter, NOW_MS + later_ms, counted)
    assert counted.times == times


def test_what_is_kept_is_bounded_and_the_oldest_goes_first() -> None:
    counting, counted = Counting(), Counted()
    scopes = [frozenset({f"domain-{number}"}) for number in range(KEPT_MAX + 1)]
    for scope in (*scopes, scopes[1], scopes[0]):
        counting.quarter(scope, OVER, NOW_MS, counted)
    assert counted.times == KEPT_MAX + 2


def test_only_so_many_are_counted_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    at_once = 0

    async def ask(_self: Context, _question: Any) -> None:
        nonlocal at_once
        at_once += 1
        asked.append(at_once)
        await asyncio.sleep(0)
        at_once -= 1

    async def everybody() -> None:
        context = Context(*[None] * 4)  # type: ignore[arg-type]  # nothing of it is asked
        await asyncio.gather(*(context.count(lambda _: None) for _ in range(10)))

    monkeypatch.setattr(Context, "ask", ask)
    asyncio.run(everybody())
    assert len(asked) == 10
    assert max(asked) == AT_ONCE_MAX
