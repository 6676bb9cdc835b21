"""The three stories through a real pipeline: the same incidents as in replay, byte for byte, also over a kill."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Timer

import orjson
import pytest

from pipeline.core.outward.incident_event import TIME_MS_MAX
from pipeline.core.outward.outbox import MILESTONES
from pipeline.core.outward.told import read_suppression
from pipeline.core.press import TYPE_PREFIX
from pipeline.core.step import Output, StreamRecord
from pipeline.demo.receiver import Receiver
from pipeline.examples import one_day
from pipeline.flow import STAGE_BY_NAME
from pipeline.models.suppression import Suppression
from pipeline.player import Player, disagreements
from pipeline.records.store import RecordsStore
from pipeline.records.suppressions import between
from pipeline.replay import Replay, Step
from tests.live.conftest import MakeSite
from tests.live.site import Site
from tests.live.worker import Worker
from tests.support import wait_until

RUN_ON_SECONDS = 600
WRITTEN_SECONDS_MAX = 30.0

PROMISED_SERIES = {
    "spillway_records_total": 1,
    "spillway_alerts_total": 3,
    "spillway_lag_records": 2,
    "spillway_lag_seconds": 1,
    "spillway_open_episodes": 0,
    "spillway_open_incidents": 1,
    "spillway_held_episodes": 0,
    "spillway_alerts_hidden_total": 2,
    "spillway_pages_saved_total": 1,
    "spillway_dead_letters_total": 2,
    "spillway_transactions_total": 2,
    "spillway_conservation_remainder": 1,
}
"""Series -> how many labels it has."""


@dataclass
class Played:
    """A day that was played: what the pipeline did, beside what the replay says."""

    site: Site
    receiver: Receiver
    replay: Replay
    events: list[tuple[bytes, bytes]]
    dead_letters: int

    def newest(self) -> dict[str, bytes]:
        """The newest event of each incident in the replay."""
        return {(event.key or b"").decode(): event.value or b"" for event in self.replay.outcome.events}

    def actions(self) -> dict[str, list[str]]:
        """Texts of each incident's timeline in the replay."""
        texts: dict[str, list[str]] = {}
        for event in self.replay.outcome.events:
            document = orjson.loads(event.value or b"")
            texts.setdefault(document["incident_id"], []).extend(entry["text"] for entry in document["entries"])
        return texts

    def snapshots(self) -> dict[str, object]:
        return {name: orjson.loads(value)["incident"] for name, value in self.newest().items()}


@pytest.fixture
def site(make_site: MakeSite, receiver: Receiver, address: str) -> Site:
    site = make_site(partitions=1, clock="recording")
    site.send_to(address, receiver.secret)
    site.make_topics()
    return site


def check_agreement(played: Played) -> None:
    """Topic, records store and webhooks say what the replay says."""
    replayed = [(event.key or b"", event.value or b"") for event in played.replay.outcome.events]
    assert disagreements(played.events, replayed) == []
    assert Counter(played.events) == Counter(replayed)
    assert played.dead_letters == len(played.replay.outcome.dead_letters) == 0
    check_records(played)
    revisions = {name: orjson.loads(value)["revision"] for name, value in played.newest().items()}
    wait_until(lambda: not played.receiver.behind(revisions), WRITTEN_SECONDS_MAX, "the newest revision is told")
    assert played.receiver.refused == 0
    assert played.receiver.out_of_order == 0
    # While the sink is busy, what waits for it of one incident may become one message; milestones never do.
    told = played.receiver.by_type
    assert sum(told.values()) <= len(replayed)
    changes = Counter(orjson.loads(value)["change"] for _, value in replayed)
    assert {each: told[f"{TYPE_PREFIX}{each}.v1"] for each in MILESTONES} == {
        each: changes[each] for each in MILESTONES
    }


def check_records(played: Played) -> None:
    store = RecordsStore(played.site.settings.records_url or "")
    try:
        assert {each["id"]: each for each in store.incidents()} == played.snapshots()
        for name in played.newest():
            events = store.events(name)
            assert [event["revision"] for event in events] == list(range(1, len(events) + 1))
        written = sum(len(store.events(name)) for name in played.newest())
        assert written == len(played.replay.outcome.events)
        hidden = [read_suppression(_as_record(each)) for each in played.replay.outcome.suppressions]
        assert hidden
        wait_until(
            lambda: kept(store) == by_end(hidden), WRITTEN_SECONDS_MAX, f"{len(hidden)} suppressions in the store"
        )
        actions = {name: [entry["text"] for entry in store.timeline(name)] for name in played.newest()}
        assert actions == played.actions()
    finally:
        store.close()


def kept(store: RecordsStore) -> list[Suppression]:
    return store.ask(lambda connection: by_end(between(connection, 0, TIME_MS_MAX)))


def by_end(hidden: Iterable[Suppression]) -> list[Suppression]:
    return sorted(hidden, key=lambda each: (each.until_ms, each.episode_id, each.what))


def _as_record(output: Output) -> StreamRecord:
    return StreamRecord(output.topic, 0, 0, output.timestamp_ms, output.key, output.value, output.headers)


def check_figures(played: Played, worker: Worker) -> None:
    """The gauges of a worker follow within a second: nothing unaccounted for, open incidents as in the replay."""
    wanted: Counter[tuple[str, ...]] = Counter()
    for priority, number in played.replay.processors["correlate"].gauges()["open_incidents"].items():  # type: ignore[attr-defined]
        wanted[priority,] = number

    def told() -> bool:
        series = worker.series()
        return not any(series["spillway_lag_records"].values()) and +series["spillway_open_incidents"] == wanted

    wait_until(told, WRITTEN_SECONDS_MAX, f"open incidents {wanted} and no lag")
    assert worker.remainder() == 0
    assert played.replay.remainder() == 0


def test_the_stories_live_are_the_stories_replayed_byte_for_byte(site: Site, receiver: Receiver) -> None:
    worker = site.worker().wait_ready()
    played = play(site, receiver, lambda _: worker.check())
    check_agreement(played)
    check_figures(played, worker)
    series = worker.series()
    for name, labels in PROMISED_SERIES.items():
        assert series.get(name), f"{name} is not among the metrics"
        assert {len(each) for each in series[name]} == {labels}, name
    for stage in STAGE_BY_NAME:
        assert series["spillway_records_total"][stage,] > 0, stage
        assert series["spillway_transactions_total"]["committed", stage] > 0, stage
        assert (stage,) in series["spillway_conservation_remainder"], stage
    decisions = played.replay.outcome.decisions
    assert worker.dispositions() == Counter(decision.disposition.value for decision in decisions)
    assert worker.terminate() == 0, worker.said()


@pytest.mark.parametrize("seed", [20260310, 20260311])
def test_the_stories_are_the_same_when_the_worker_is_killed_amid_them(
    site: Site, receiver: Receiver, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 a repeatable sequence, not a secret
    victim = site.worker().wait_ready()
    heirs: list[Worker] = []

    def kill() -> None:
        victim.kill()
        heirs.append(site.worker())

    # It dies while a record that changes incidents is on its way; how far it has come differs from run to run.
    planned = Replay(site.config).steps(one_day(), run_on_seconds=RUN_ON_SECONDS)
    kill_at = chance.choice([number for number, step in enumerate(planned) if number and step.events])
    delay_seconds = chance.uniform(0.0, 0.03)
    sys.stdout.write(f"seed {seed}: killed {delay_seconds * 1_000:.0f} ms after step {kill_at}\n")
    killing = Timer(delay_seconds, kill)
    steps = 0

    def on_step(_: Step) -> None:
        nonlocal steps
        steps += 1
        if steps == kill_at:
            killing.start()

    played = play(site, receiver, on_step)
    killing.join()
    (heir,) = heirs
    assert victim.ended()
    assert heir.dispositions().total() > 0
    check_agreement(played)
    check_figures(played, heir.wait_ready())
    assert heir.terminate() == 0, heir.said()


def play(site: Site, receiver: Receiver, on_step: Callable[[Step], None]) -> Played:
    """Play the day to its end, and wait until the records store has it."""
    replay, player = Replay(site.config), Player(site.settings)
    try:
        player.play(replay.steps(one_day(), run_on_seconds=RUN_ON_SECONDS), on_step)
        player.wait_for("record", "incidents")
    finally:
        player.close()
    return Played(site, receiver, replay, player.events, len(player.dead_letters))
