"""A loop whose clock jumps to the next timer: waits of hours take no time, and a test knows when what happened."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

TURNS_MAX = 200_000


class _Selector(selectors.SelectSelector):
    """Never waits: it takes the time that it should have waited off the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        self.turns += 1
        assert self.turns < TURNS_MAX, "the loop turns without an end"
        if not found:
            assert timeout is not None, "everybody waits, and nothing would ever happen"
            self.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its `time` is virtual."""

    def __init__(self) -> None:
        self.selector = _Selector()
        super().__init__(self.selector)

    def time(self) -> float:
        return self.selector.now

    @property
    def turns(self) -> int:
        """How often it has looked for something to do."""
        return self.selector.turns


def run_virtually(test: Callable[[VirtualLoop], Coroutine[Any, Any, None]]) -> None:
    """Run a test on a virtual loop; it gets the loop."""
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(test(loop))
