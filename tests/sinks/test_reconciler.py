"""The reconciler: each record is looked at once an interval, evenly, and only what is not as it should be is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest

from pipeline.core.identity import short_id
from pipeline.models.remote import Fields, Remote, RemoteNote, RemoteState, SinkUpdate, UpdateKind
from pipeline.models.sinks.servicenow import ServiceNow
from pipeline.sinks.looking import Surroundings
from pipeline.sinks.reconciler import TROUBLES_MAX, Reconciler, differs, drift, is_due, moment_ms
from tests.sinks.record_desk import BEGAN, Books, Clock, DeskClient, DeskServer, TimeIsOver, known

MINUTES = 60
RULES = ServiceNow(name="desk", url="https://desk.example", user="spillway", secret_env="DESK")
INTERVAL_MS = MINUTES * 60_000
IDS = [short_id("INC", str(number)) for number in range(40)]


class Scene:
    """A desk, what is known of it, and a reconciler that can be made anew."""

    def __init__(self, server: DeskServer, client: DeskClient, clock: Clock) -> None:
        self.server = server
        self.client = client
        self.clock = clock
        self.books = Books()
        self.written: list[SinkUpdate] = []
        self.counted: list[str] = []
        self.restart()

    def restart(self) -> None:
        """Another worker goes on."""
        around = Surroundings(
            write=self._write,
            clock=self.clock,
            sleep=self.clock.sleep,
            counted=lambda *each: self.counted.append(each[2]),
        )
        self.reconciler = Reconciler(RULES, self.client, MINUTES, lambda: [self.books], around)

    async def interval(self) -> None:
        """One whole interval, tick by tick."""
        for _ in range(MINUTES):
            self.clock.now += timedelta(minutes=1)
            await self.reconciler.tick()

    async def _write(self, update: SinkUpdate) -> None:
        self.written.append(update)

    def looked(self) -> list[str]:
        return [each.path.rpartition("/")[2].removeprefix("R-") for each in self.server.journal]


def play(test: Callable[[Scene], Awaitable[None]], until: timedelta = timedelta(days=365)) -> None:
    async def run() -> None:
        server = DeskServer()
        async with server.running():
            client = DeskClient(server.url)
            try:
                await test(Scene(server, client, Clock(until)))
            finally:
                await client.close()

    asyncio.run(run())


def filled(scene: Scene, ids: list[str] = IDS) -> None:
    for each in ids:
        scene.server.put(each, BEGAN)
        scene.books.records.append(known(each))


# -- when


def test_each_record_is_looked_at_once_in_an_interval_and_never_all_at_once() -> None:
    async def test(scene: Scene) -> None:
        filled(scene)
        await scene.interval()
        assert Counter(scene.looked()) == Counter(IDS)
        assert scene.written == []
        assert scene.counted == ["as_it_should_be"] * len(IDS)

    play(test)


def test_looks_are_spread_evenly_over_the_interval() -> None:
    minutes = Counter(moment_ms("desk", str(number), INTERVAL_MS) // 60_000 for number in range(6_000))
    assert len(minutes) == MINUTES
    assert max(minutes.values()) < 160  # of 100 that each minute should have


@pytest.mark.parametrize("seed", range(20))
def test_a_restart_neither_bunches_nor_repeats_the_looks(seed: int) -> None:
    random = Random(seed)  # noqa: S311  # repeatable, not secret

    async def test(scene: Scene) -> None:
        filled(scene)
        for _ in range(MINUTES):
            scene.clock.now += timedelta(minutes=1)
            await scene.reconciler.tick()
            if random.random() < 0.3:
                scene.restart()
        assert Counter(scene.looked()) == Counter(IDS)

    play(test)


def test_moments_follow_one_another_without_a_gap_or_an_overlap() -> None:
    random = Random(7)  # noqa: S311  # repeatable, not secret
    at_ms = 1_772_590_000_000
    times = [at_ms := at_ms + random.randint(1, 900_000) for _ in range(400)]
    spans = list(pairwise(times))
    for each in IDS:
        found = sum(is_due("desk", each, INTERVAL_MS, after, until) for after, until in spans)
        assert abs(found - (times[-1] - times[0]) / INTERVAL_MS) <= 1


# -- what


def test_what_was_closed_or_deleted_behind_our_back_is_told_and_nothing_else() -> None:
    async def test(scene: Scene) -> None:
        filled(scene, IDS[:5])
        scene.server.put(IDS[1], BEGAN, state="closed")
        scene.server.put(IDS[2], BEGAN, assignee="mia")
        del scene.server.records[f"R-{IDS[3]}"]
        await scene.interval()
        told = {each.incident_id: (each.kind, each.fields.state, each.fields.assignee) for each in scene.written}
        assert told == {
            IDS[1]: (UpdateKind.READ, RemoteState.CLOSED, None),
            IDS[2]: (UpdateKind.READ, RemoteState.OPEN, "mia"),
            IDS[3]: (UpdateKind.GONE, None, None),
        }
        assert Counter(scene.counted) == {"as_it_should_be": 2, "drifted": 2, "gone": 1}

    play(test)


def test_what_is_decided_while_a_record_is_looked_up_makes_the_look_worthless() -> None:
    async def test(scene: Scene) -> None:
        filled(scene, IDS[:1])
        scene.server.put(IDS[0], BEGAN, state="closed")
        look = scene.client.look

        async def slowly(incident_id: str, remote: Remote, now: object) -> SinkUpdate | None:
            found = await look(incident_id, remote, scene.clock.now)
            scene.books.records[0] = known(IDS[0], turn=2)
            return found

        scene.client.look = slowly  # type: ignore[method-assign]
        await scene.interval()
        assert (scene.written, scene.counted) == ([], ["overtaken"])
        scene.client.look = look  # type: ignore[method-assign]
        await scene.interval()
        assert [each.incident_id for each in scene.written] == IDS[:1]

    play(test)


def test_a_sink_that_is_away_is_left_alone_until_the_next_tick_and_costs_no_update() -> None:
    async def test(scene: Scene) -> None:
        filled(scene)
        scene.server.down = True
        scene.clock.now += timedelta(hours=1)
        assert await scene.reconciler.tick() == 0
        assert scene.counted == ["failed"] * TROUBLES_MAX
        scene.server.down = False
        scene.server.journal.clear()
        await scene.interval()
        assert Counter(scene.looked()) == Counter(IDS)
        assert scene.written == []

    play(test)


def test_it_runs_by_itself_until_it_is_ended() -> None:
    async def test(scene: Scene) -> None:
        filled(scene, IDS[:3])
        with pytest.raises(TimeIsOver):
            await scene.reconciler.run()
        assert Counter(scene.looked()) == dict.fromkeys(IDS[:3], 4)

    play(test, timedelta(hours=4))


def read(**more: object) -> SinkUpdate:
    given = {"update_id": "1", "sink": "desk", "incident_id": "INC-1", "at": BEGAN, "kind": UpdateKind.READ, **more}
    return SinkUpdate.model_validate(given)


@pytest.mark.parametrize(
    ("update", "is_other"),
    [
        (read(), False),
        (read(fields=Fields(state=RemoteState.OPEN)), False),
        (read(fields=Fields(state=RemoteState.RESOLVED)), True),
        (read(fields=Fields(priority="P1")), True),
        (read(fields=Fields(priority="P2")), False),
        (read(notes=(RemoteNote(id="1", text="words"),)), True),
        (read(duplicate_of="INC-2"), True),
        (read(kind=UpdateKind.GONE), True),
    ],
)
def test_only_what_is_not_known_is_told(update: SinkUpdate, is_other: bool) -> None:
    remote = Remote(id="1", state=RemoteState.OPEN, fields={"state": "open", "priority": "P2"})
    assert differs(update, remote, RULES) is is_other


def test_drift_names_both_sides() -> None:
    remote = Remote(id="1", state=RemoteState.OPEN, fields={"priority": "P2"})
    there = read(fields=Fields(state=RemoteState.CLOSED, priority="P1", title="Neu"))
    assert drift(there, remote, RULES) == {"state": ("open", "closed"), "priority": ("P2", "P1"), "title": ("", "Neu")}
    unassigned = read(fields=Fields(state=RemoteState.ACKNOWLEDGED, assignee=""))
    there_is = Remote(id="1", state=RULES.canonical("state", RemoteState.ACKNOWLEDGED))
    assert drift(unassigned, there_is, RULES) == {}
