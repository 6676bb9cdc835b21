"""The host, while its partitions move: what they work under stays in use until they are done with it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from pipeline.runtime.host import StageHost


class Hooks:
    stopped = False

    async def stop(self) -> None:
        self.stopped = True


class Slow:
    """A partition whose transaction ends, and which comes back, when the test says so."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.next_context: Any = None
        self.go_on = asyncio.Event()

    async def suspend(self) -> None:
        await self.go_on.wait()

    async def resume(self) -> bool:
        await self.go_on.wait()
        return True


def context(hooks: Hooks, version: str) -> Any:
    return SimpleNamespace(
        hooks=hooks, config_version=version, stage="deliver", partition_counts={"a": 1}, inputs=("a",)
    )


def test_hooks_of_the_old_configuration_stay_in_use_while_a_partition_moves_between_two_assignments() -> None:
    async def moved() -> None:
        old, new = Hooks(), Hooks()
        host = StageHost(context(old, "one"))
        task: Any = Slow(host.context)
        host.tasks = {0: task}
        host.renew(context(new, "two"))
        for moving in (host.close, lambda: host.open([0])):
            task.go_on.clear()
            under_way = asyncio.create_task(moving())
            await asyncio.sleep(0)
            assert host.behind() == [0]
            letting_go = asyncio.create_task(host.let_go())
            await asyncio.sleep(0)
            task.go_on.set()
            await under_way
            await letting_go
            assert not old.stopped
        task.context = host.context
        await host.let_go()
        assert (old.stopped, new.stopped) == (True, False)

    asyncio.run(moved())
