"""Ticks: written by the machine's clock where something is due, and not at all while a recording is played."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.core.step import TICK_KEY
from pipeline.flow import STAGES
from pipeline.runtime.context import StageContext
from pipeline.runtime.host import StageHost
from pipeline.runtime.overdue import FIRED_PER_TRANSACTION_MAX
from pipeline.runtime.partition import PartitionTask
from pipeline.runtime.ticks import TickWriter
from tests.runtime.inside import context
from tests.runtime.toy import INPUT, OUTPUT
from tests.runtime.workers import PARTITIONS, Bench, stamp_ms


def test_while_a_recording_is_played_its_ticks_alone_move_the_time(bench: Bench) -> None:
    worker = bench.worker("--clock=recording").wait_ready()
    sent_ms = stamp_ms()
    bench.send("a", b"timer 0")
    bench.send("b", b"timer 50")
    bench.flush()
    bench.read(OUTPUT, 2)
    bench.send_tick(sent_ms + 60_000)
    bench.flush()
    found = bench.read(OUTPUT, 4)
    assert worker.terminate() == 0
    assert [(message.value() or b"").split()[0] for message in found].count(b"fired") == 2
    assert len(bench.read_all(INPUT)) == 3


@pytest.mark.parametrize("clock", ["wall", "recording"])
def test_stages_with_timers_write_ticks_by_the_wall_clock_and_outward_ones_always(clock: str, bench: Bench) -> None:
    for stage in STAGES:
        given = context(bench)
        settings = given.settings.model_copy(update={"clock": clock})
        hosted = StageContext(
            settings=settings,
            stage=stage.name,
            inputs=given.inputs,
            partition_counts=given.partition_counts,
            factory=given.factory,
            metrics=given.metrics,
        )
        assert hosted.timers == (stage.timers and (clock == "wall" or stage.outward))


def test_a_tick_is_followed_by_another_once_it_was_read_whatever_time_the_broker_stamped(bench: Bench) -> None:
    """A broker whose clock is late stamps the tick before the deadline, which then is still due."""
    host = StageHost(context(bench))
    task = PartitionTask(host.context, 0)
    host.tasks = {0: task}
    task.serving = True
    task.processor.timers.set("a", stamp_ms() - 10_000)
    ticks = TickWriter(host)

    async def written() -> None:
        await ticks.write_due()
        await ticks.write_due()  # the first has not been read back
        task.next_offsets[host.context.wire_inputs[0]] = 1  # read, and stream time has not come to the deadline
        await ticks.write_due()
        await ticks.stop()

    asyncio.run(written())
    assert [message.key() for message in bench.read_all(INPUT)] == [TICK_KEY, TICK_KEY]


OVERDUE = 100_000
OVERDUE_SECONDS_MAX = 60.0


def test_a_hundred_thousand_deadlines_due_at_once_after_a_downtime_fire_once_each_in_order(bench: Bench) -> None:
    """In transactions of bounded size, also where the worker is killed in the midst of them."""
    before = bench.worker("--clock=recording").wait_ready()
    sent_ms = stamp_ms()
    bench.send("a", b"plan %d" % OVERDUE)
    bench.flush()
    bench.wait_committed(1)
    assert before.terminate() == 0
    victim = bench.worker("--clock=recording").wait_ready()
    bench.send_tick(sent_ms + 10 * OVERDUE)
    bench.flush()
    bench.read(OUTPUT, OVERDUE // 4)
    victim.kill()
    after = bench.worker("--clock=recording").wait_ready()
    bench.read(OUTPUT, OVERDUE, OVERDUE_SECONDS_MAX)
    assert after.terminate() == 0
    found = bench.read_all(OUTPUT)
    fired = [(message.partition(), int((message.key() or b"").removeprefix(b"plan/"))) for message in found]
    assert sorted(number for _, number in fired) == list(range(OVERDUE))
    for partition in range(PARTITIONS):
        inside = [number for where, number in fired if where == partition]
        assert inside == sorted(inside)
    commits = [each for worker in (victim, after) for each in worker.events() if each.get("records") == 0]
    assert len(commits) >= OVERDUE // FIRED_PER_TRANSACTION_MAX - 1
