"""The poller: every change there is read once it is visible, whatever fails and whoever goes on polling."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from random import Random

import pytest

from pipeline.core.identity import partition_of
from pipeline.models.remote import SinkUpdate, UpdateKind
from pipeline.sinks.base import Trouble
from pipeline.sinks.looking import TROUBLE_SECONDS_MAX, Surroundings, patience_seconds
from pipeline.sinks.poller import AHEAD_MAX, LOOK_BACK, OVERLAP, Poller, polling_partition
from tests.sinks.record_desk import BEGAN, Books, Clock, DeskClient, DeskServer

SECOND = timedelta(seconds=1)


class Scene:
    """A desk, and a poller of it that can be made anew."""

    def __init__(self, server: DeskServer, client: DeskClient, clock: Clock) -> None:
        self.server = server
        self.clock = clock
        self.written: list[SinkUpdate] = []
        self.counted: list[str] = []
        self._client = client
        self._told = 0
        self.restart()

    def restart(self) -> None:
        """Another worker polls: it knows what was written, and no more."""
        marks = [each for each in self.written if each.kind is UpdateKind.POLLED]
        read_to_ms = int(marks[-1].at.timestamp() * 1_000) if marks else None
        around = Surroundings(
            write=self._write,
            clock=self.clock,
            sleep=self.clock.sleep,
            counted=lambda *each: self.counted.append(each[2]),
        )
        self.poller = Poller("desk", self._client, Books(read_to_ms=read_to_ms), around)

    async def _write(self, update: SinkUpdate) -> None:
        self.written.append(update)

    def told(self) -> list[str]:
        """Incidents told of since the last time, oldest first."""
        found = [each.incident_id for each in self.written[self._told :] if each.kind is not UpdateKind.POLLED]
        self._told = len(self.written)
        return found


def play(test: Callable[[Scene], Awaitable[None]]) -> None:
    async def run() -> None:
        server = DeskServer()
        async with server.running():
            client = DeskClient(server.url)
            try:
                await test(Scene(server, client, Clock()))
            finally:
                await client.close()

    asyncio.run(run())


def test_what_changed_is_told_oldest_first_and_over_several_pages() -> None:
    async def test(scene: Scene) -> None:
        for number in range(8):
            scene.server.put(f"INC-{7 - number}", BEGAN - number * SECOND)
        assert await scene.poller.poll() == 8
        assert scene.told() == [f"INC-{number}" for number in range(8)]

    play(test)


def test_it_goes_on_from_the_newest_change_that_it_saw_by_the_clock_there() -> None:
    async def test(scene: Scene) -> None:
        behind = timedelta(minutes=30)  # of the clock there
        scene.server.put("INC-1", BEGAN - behind)
        await scene.poller.poll()
        scene.clock.now += timedelta(hours=3)
        scene.server.put("INC-2", BEGAN - behind + 3 * SECOND)
        scene.told()
        await scene.poller.poll()
        assert "INC-2" in scene.told()

    play(test)


def test_a_change_that_becomes_visible_after_a_later_one_is_read() -> None:
    async def test(scene: Scene) -> None:
        scene.server.put("INC-1", BEGAN)
        await scene.poller.poll()
        scene.server.put("INC-2", BEGAN - OVERLAP + SECOND)
        scene.told()
        await scene.poller.poll()
        assert scene.told() == ["INC-2", "INC-1"]

    play(test)


def test_another_worker_goes_on_where_the_one_before_it_was() -> None:
    async def test(scene: Scene) -> None:
        scene.server.put("INC-1", BEGAN)
        await scene.poller.poll()
        scene.clock.now += timedelta(days=3)
        scene.server.put("INC-2", BEGAN + timedelta(hours=1))
        scene.restart()
        scene.told()
        await scene.poller.poll()
        assert "INC-2" in scene.told()

    play(test)


def test_who_polls_first_looks_back_a_while() -> None:
    async def test(scene: Scene) -> None:
        scene.server.put("INC-1", BEGAN - LOOK_BACK + SECOND)
        scene.server.put("INC-2", BEGAN - LOOK_BACK - OVERLAP - SECOND)
        await scene.poller.poll()
        assert scene.told() == ["INC-1"]

    play(test)


def test_where_nothing_changes_nothing_is_remembered_anew() -> None:
    async def test(scene: Scene) -> None:
        scene.server.put("INC-1", BEGAN)
        await scene.poller.poll()
        await scene.poller.poll()
        assert [each.kind for each in scene.written].count(UpdateKind.POLLED) == 1

    play(test)


def test_a_change_from_the_far_future_does_not_stop_the_reading() -> None:
    async def test(scene: Scene) -> None:
        scene.server.put("INC-1", BEGAN + AHEAD_MAX + SECOND)
        await scene.poller.poll()
        scene.server.put("INC-2", BEGAN + SECOND)
        scene.told()
        await scene.poller.poll()
        assert "INC-2" in scene.told()

    play(test)


def test_what_was_read_before_the_other_side_failed_is_kept_and_the_rest_read_later() -> None:
    async def test(scene: Scene) -> None:
        for number in range(5):
            scene.server.put(f"INC-{number}", BEGAN + number * SECOND)
        scene.server.next_faults = ["", "before"]
        with pytest.raises(Trouble):
            await scene.poller.poll()
        assert scene.told() == ["INC-0", "INC-1", "INC-2"]
        scene.restart()
        await scene.poller.poll()
        assert {"INC-3", "INC-4"} <= set(scene.told())
        assert scene.counted == ["failed", "changed"]

    play(test)


@pytest.mark.parametrize(("failures", "asked", "seconds"), [(1, None, 30), (2, None, 60), (1, 300, 300), (9, 1, 900)])
def test_patience_doubles_up_to_a_quarter_of_an_hour(failures: int, asked: int | None, seconds: int) -> None:
    assert patience_seconds(failures, asked) == seconds
    assert patience_seconds(10_000, 10**9) == TROUBLE_SECONDS_MAX


def test_one_partition_polls_a_sink_and_another_one_another() -> None:
    assert polling_partition("desk", 4) == partition_of(b"desk", 4)
    assert len({polling_partition(f"desk-{number}", 4) for number in range(50)}) == 4


@pytest.mark.parametrize("seed", range(20))
def test_no_change_is_missed_while_polls_fail_workers_change_and_clocks_differ(seed: int) -> None:
    random = Random(seed)  # noqa: S311  # repeatable, not secret
    skew = timedelta(seconds=random.randint(-1_000, 1_000))

    async def test(scene: Scene) -> None:
        made: set[tuple[str, str]] = set()
        for _ in range(120):
            scene.clock.now += timedelta(seconds=random.randint(1, 90))
            if random.random() < 0.6:
                incident_id = f"INC-{random.randrange(6)}"
                late = timedelta(seconds=random.randint(0, 100))
                at = scene.clock.now + skew - late
                before = scene.server.records.get(f"R-{incident_id}")
                if before is None or before["at"] < at.isoformat():
                    scene.server.put(incident_id, at)
            if random.random() < 0.1:
                scene.restart()
            scene.server.next_faults = [random.choice(["", "", "before", "silent", "after"]) for _ in range(2)]
            try:
                await scene.poller.poll()
            except Trouble:
                continue
            # A record that changed again was seen as it is now: that is what counts.
            made |= {(each["incident_id"], each["at"]) for each in scene.server.records.values()}
        scene.server.next_faults = []
        await scene.poller.poll()
        seen = {(each.incident_id, each.at.isoformat()) for each in scene.written if each.kind is UpdateKind.READ}
        first = (BEGAN - LOOK_BACK - OVERLAP).isoformat()
        now = {(each["incident_id"], each["at"]) for each in scene.server.records.values() if each["at"] >= first}
        assert now <= seen

    play(test)
