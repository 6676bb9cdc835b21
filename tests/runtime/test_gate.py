"""A few partitions at a time decide and commit, and none can hold up the others for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pipeline.runtime import gate as gate_module
from pipeline.runtime.gate import ALL_AT_ONCE, Gate


class Visitors:
    """Tasks that go through a gate and stay until they are let out."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.inside: list[str] = []
        self.order: list[str] = []
        self._doors: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def send(self, name: str, rank: int = 0) -> None:
        self._doors[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._visit(name, rank))
        await settle()

    async def _visit(self, name: str, rank: int) -> None:
        async with self.gate.turn(rank):
            self.inside.append(name)
            self.order.append(name)
            await self._doors[name].wait()
            self.inside.remove(name)

    async def let_out(self, *names: str) -> None:
        for name in names:
            self._doors[name].set()
        await settle()

    async def cancel(self, name: str) -> None:
        self._tasks[name].cancel()
        await settle()


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def run(visit: Callable[[Visitors], Awaitable[None]], width: float = 2) -> Visitors:
    async def main() -> Visitors:
        visitors = Visitors(Gate(width))
        await visit(visitors)
        return visitors

    return asyncio.run(main())


def test_no_more_go_through_than_the_gate_is_wide() -> None:
    async def visit(visitors: Visitors) -> None:
        for name in "abcd":
            await visitors.send(name)
        assert visitors.inside == ["a", "b"]
        await visitors.let_out("a")
        assert visitors.inside == ["b", "c"]
        await visitors.let_out("b", "c", "d")
        assert visitors.inside == []

    assert run(visit).order == ["a", "b", "c", "d"]


def test_later_stages_go_first_and_among_equals_who_came_first() -> None:
    async def visit(visitors: Visitors) -> None:
        await visitors.send("first")
        await visitors.send("ingest", 0)
        await visitors.send("correlate 1", -2)
        await visitors.send("dedupe", -1)
        await visitors.send("correlate 2", -2)
        await visitors.let_out("first", "ingest", "correlate 1", "dedupe", "correlate 2")

    assert run(visit, width=1).order == ["first", "correlate 1", "correlate 2", "dedupe", "ingest"]


def test_who_takes_long_does_not_keep_the_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "PATIENCE_SECONDS", 0.0)

    async def visit(visitors: Visitors) -> None:
        await visitors.send("slow")
        await visitors.send("quick")
        await asyncio.sleep(0.01)  # timers of the loop have the resolution of its clock
        assert visitors.inside == ["slow", "quick"]
        await visitors.let_out("slow", "quick")

    run(visit, width=1)


def test_a_place_that_was_left_late_is_not_left_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async def visit(visitors: Visitors) -> None:
        monkeypatch.setattr(gate_module, "PATIENCE_SECONDS", 0.0)
        await visitors.send("slow")
        await asyncio.sleep(0.01)
        await visitors.let_out("slow")
        monkeypatch.setattr(gate_module, "PATIENCE_SECONDS", 60.0)
        for name in "abc":
            await visitors.send(name)
        assert visitors.inside == ["a"]
        await visitors.let_out("a", "b", "c")

    run(visit, width=1)


def test_a_place_given_to_one_that_was_cancelled_goes_to_the_next() -> None:
    async def visit(visitors: Visitors) -> None:
        async with visitors.gate.turn(0):
            await visitors.send("b")
            await visitors.send("c")
        await visitors.cancel("b")  # it has the place by now, and has not run since
        assert visitors.inside == ["c"]
        await visitors.let_out("c")
        await visitors.send("d")
        assert visitors.inside == ["d"]
        await visitors.let_out("d")

    run(visit, width=1)


def test_one_that_was_cancelled_in_the_line_is_passed_over() -> None:
    async def visit(visitors: Visitors) -> None:
        for name in "abc":
            await visitors.send(name)
        await visitors.cancel("b")
        await visitors.let_out("a")
        assert visitors.inside == ["c"]
        await visitors.let_out("c")

    run(visit, width=1)


def test_a_gate_without_a_width_lets_all_through() -> None:
    async def visit(visitors: Visitors) -> None:
        names = [str(number) for number in range(50)]
        for name in names:
            await visitors.send(name)
        assert visitors.inside == names
        await visitors.let_out(*names)

    run(visit, width=ALL_AT_ONCE)
