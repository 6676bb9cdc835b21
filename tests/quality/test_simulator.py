"""The simulated day holds what it says it holds, and the same seed is the same day, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from benchmarks.quality.episodes import play
from benchmarks.quality.faults import DAY_MS, LEVELS, Fault, FaultKind, make_faults, make_works
from benchmarks.quality.stream import Day, make_day
from benchmarks.quality.world import World, make_world
from tests.quality.company import topologies

BEGIN_MS = 1_772_600_000_000
SEED = 5


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(topologies(tmp_path_factory.mktemp("world")), SEED, services=120)


@pytest.fixture(scope="module")
def faults(world: World) -> list[Fault]:
    return make_faults(world, LEVELS["storm"], BEGIN_MS, SEED)


@pytest.fixture(scope="module")
def day(world: World, faults: list[Fault]) -> Day:
    return make_day(world, faults, LEVELS["storm"], BEGIN_MS, SEED)


def changes(day: Day) -> Iterator[dict[str, object]]:
    for record in day.records:
        if record.topic == "changes":
            yield orjson.loads(record.value or b"")


def test_the_same_seed_is_the_same_day_and_another_is_not(tmp_path: Path) -> None:
    def made(seed: int) -> list[bytes | None]:
        world = make_world(topologies(tmp_path), seed, services=60)
        faults = make_faults(world, LEVELS["calm"], BEGIN_MS, seed)
        return [each.value for each in make_day(world, faults, LEVELS["calm"], BEGIN_MS, seed).records]

    assert made(SEED) == made(SEED)
    assert made(SEED) != made(SEED + 1)


def test_records_are_in_the_order_of_arrival_and_some_fire_after_their_own_end_was_told(day: Day) -> None:
    arrivals = [each.timestamp for each in day.records]
    assert arrivals == sorted(arrivals)

    alerts = [alert for each in day.records for alert in orjson.loads(each.value or b"").get("alerts", ())]
    over = {each["fingerprint"]: each["endsAt"] for each in alerts if each["status"] == "resolved"}
    told = set[str]()
    late = 0
    for each in alerts:
        late += each["fingerprint"] in told and each["startsAt"] < over[each["fingerprint"]]
        if each["status"] == "resolved":
            told.add(each["fingerprint"])
    assert late > 10


def test_the_clock_of_each_source_is_wrong_by_its_own_amount(day: Day, world: World, faults: list[Fault]) -> None:
    other = make_day(world, faults, LEVELS["storm"], BEGIN_MS, SEED + 1)
    topics = {each.topic for each in day.records}

    assert {"alerts.raw.metrics", "alerts.raw.hosts", "alerts.raw.apm", "alerts.raw.jira", "changes"} <= topics
    assert [each.value for each in day.records] != [each.value for each in other.records]


def test_some_faults_come_back_after_all_of_it_seemed_over(faults: list[Fault]) -> None:
    back = [each for each in faults if each.again]

    assert 0.02 < len(back) / len(faults) < 0.2
    for fault in back:
        assert fault.again[0].at_ms > fault.ended_ms
        assert {each.service for each in fault.again} <= {each.service for each in fault.reached}
        assert fault.again_ended_ms > max(each.at_ms for each in fault.again)


def test_announced_work_is_on_record_before_it_begins_and_its_alerts_are_in_nobodys_incident(
    world: World, faults: list[Fault]
) -> None:
    day = make_day(world, faults[:0], LEVELS["calm"], BEGIN_MS, SEED)
    announced = {each.name for each in day.works if each.is_expected}
    notices = {each["change_id"]: each for each in changes(day) if each["kind"] == "maintenance"}

    assert announced == set(notices)
    assert 0 < len(announced) < len(day.works)
    assert all(each["suppress"] for each in notices.values())

    played = play(world.config, day.records)
    work = [each for each in played.episodes if day.truth[each.place].startswith("work-")]
    held = [each.episode_id not in played.final for each in work if day.truth[each.place] in announced]
    others = [each.episode_id not in played.final for each in work if day.truth[each.place] not in announced]
    assert sum(held) > 0.6 * len(held)
    assert sum(others) < 0.2 * len(others)


def test_a_misleading_change_is_never_on_what_broke(day: Day, world: World, faults: list[Fault]) -> None:
    quiet = make_day(world, faults[:0], LEVELS["storm"], BEGIN_MS, SEED)
    deployments = sum(each.kind is FaultKind.DEPLOYMENT for each in faults)
    misleading = sum(1 for _ in changes(day)) - sum(1 for _ in changes(quiet)) - deployments

    assert 0.15 * len(faults) < misleading < 0.45 * len(faults)


def test_what_is_true_drifts_away_from_the_catalogue_in_the_course_of_the_day(world: World) -> None:
    assert world.moves
    for name, move in world.moves.items():
        assert world.hosts_of(name, move.after_ms - 1) == world.services[name].hosts
        assert world.hosts_of(name, move.after_ms) != world.services[name].hosts
        assert name in world.within(move.hosts[0], DAY_MS)
    for callee, calls in world.new_calls.items():
        assert calls[0].caller not in world.callers_of(callee, calls[0].after_ms - 1)
        assert calls[0].caller in world.callers_of(callee, calls[0].after_ms)


def test_work_is_of_its_own_truth_whatever_else_fails(world: World) -> None:
    assert make_works(world, BEGIN_MS, SEED) == make_works(world, BEGIN_MS, SEED)
    assert {each.kind for each in make_works(world, BEGIN_MS, SEED)} == {FaultKind.MAINTENANCE}
