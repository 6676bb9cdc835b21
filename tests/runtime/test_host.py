"""The host, while its partitions move: what they work under stays in use until they are done with it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from pipeline.core.step import StreamRecord
from pipeline.models.policy import FeedQuota
from pipeline.runtime import host as host_module
from pipeline.runtime import partition as partition_module
from pipeline.runtime.context import StageContext
from pipeline.runtime.health import STALLED_SECONDS_MAX
from pipeline.runtime.host import StageHost
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.partition import PartitionTask
from pipeline.runtime.transport import ConsumerThread
from pipeline.runtime.waiting import Waiting
from pipeline.settings import Settings
from tests.runtime.toy import Count


class Hooks:
    stopped = False

    async def stop(self) -> None:
        self.stopped = True


class Slow:
    """A partition whose transaction ends, and which comes back, when the test says so."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.next_context: Any = None
        self.waiting = Waiting()
        self.go_on = asyncio.Event()

    async def suspend(self) -> None:
        await self.go_on.wait()

    async def resume(self) -> bool:
        await self.go_on.wait()
        return True


def context(hooks: Hooks, version: str) -> Any:
    return SimpleNamespace(
        hooks=hooks,
        config_version=version,
        stage="deliver",
        partition_counts={"a": 1},
        inputs=("a",),
        metrics=Metrics(CollectorRegistry(), ["deliver"], wall=False),
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


RAW = "alerts.raw.slow"


def deferring() -> StageContext:
    """Ingest, of which one feed may hand on one message in a quarter of an hour."""
    return StageContext(
        settings=Settings(),
        stage="ingest",
        inputs=(RAW,),
        partition_counts={RAW: 1},
        factory=Count,
        metrics=Metrics(CollectorRegistry(), ["ingest"], wall=False),
        quotas={RAW: FeedQuota(messages_per_second=0.001, burst=1)},
    )


def test_what_is_held_back_on_purpose_is_no_stall_and_what_hangs_in_a_transaction_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, limit = 1_000.0, int(STALLED_SECONDS_MAX)
    monkeypatch.setattr(host_module, "monotonic", lambda: now)
    monkeypatch.setattr(partition_module, "monotonic", lambda: now)

    def passes(seconds: int) -> None:
        nonlocal now
        for _ in range(seconds):  # a second each, as it is observed
            now += 1
            task.observe(has_unread=True)

    host = StageHost(deferring())
    task = PartitionTask(host.context, 0)
    task.serving, host.tasks = True, {0: task}
    task.waiting.put(RAW, [StreamRecord(RAW, 0, at, 0, b"", b"x") for at in range(30)])
    passes(5)
    assert host.stalled_seconds() == 5  # one may go, and does not
    assert task.waiting.take(2_000)
    passes(limit)
    assert host.stalled_seconds() > limit
    task.waiting.done()
    passes(2 * limit)
    assert host.stalled_seconds() == 0


def test_a_consumer_that_has_not_started_yet_is_stopped_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[Any] = []

    async def stop(thread: Any) -> None:
        stopped.append(thread)

    monkeypatch.setattr(ConsumerThread.__base__, "on_thread_stop", stop)
    thread: Any = ConsumerThread.__new__(ConsumerThread)
    settings = SimpleNamespace(on_stop="leave")
    thread.app = SimpleNamespace(
        transport=SimpleNamespace(host=SimpleNamespace(context=SimpleNamespace(settings=settings)))
    )
    for consumer in (None, SimpleNamespace(_coordinator=None), SimpleNamespace(_coordinator=SimpleNamespace())):
        thread._consumer = consumer
        asyncio.run(thread.on_thread_stop())
    assert stopped == [thread] * 3
    assert thread._consumer._coordinator._group_instance_id is None
