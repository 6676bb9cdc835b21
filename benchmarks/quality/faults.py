"""What goes wrong in a world on a day, and whom it reaches: the truth that every grouping is held against.

A fault has one root and spreads from callee to caller, hop by hop, with a chance and a delay each; on a host, a rack
or a zone it strikes whatever runs there first. Some come back a while after they seemed to be over. Work on a host or a
service looks like a fault; where it was announced, its alerts are expected.

How fast a fault spreads is in the range of the real data (docs/quality.md compares them). Guesses, in the range that
incident reports tell of: which kinds happen how often, how far a fault spreads, how long it lasts, how often one comes
back, how much work is done. The real systems are two small ones, where nearly everything is touched.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, NamedTuple

from benchmarks.quality.world import PLATFORM, World

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
DAY_MS: Final = 24 * 60 * MINUTE_MS

# Failures come in bunches (releases, working hours), and concurrency is what tells methods apart: so many begin soon
# after another one. With those that meet by chance a third (calm) to four fifths (storm) have another within 400 s.
BUNCHED_SHARE: Final = 0.12
BUNCH_MS_MAX: Final = 400 * SECOND_MS
HOPS_MAX: Final = 4
SPREAD_CHANCE: Final = 0.55
SHARED_SPREAD_CHANCE: Final = 0.25
DELAY_MS_MEDIAN: Final = 40 * SECOND_MS
DELAY_SPREAD: Final = 1.0
STRUCK_CHANCE: Final = 0.75
STRUCK_MS_MEDIAN: Final = 12 * SECOND_MS
DURATION_MS_MEDIAN: Final = 22 * MINUTE_MS
DURATION_SPREAD: Final = 0.7
SLOW_FACTOR: Final = 6.0
COMES_BACK_SHARE: Final = 0.08
COMES_BACK_MS: Final = (3 * MINUTE_MS, 20 * MINUTE_MS)
"""How long a fault that comes back seemed to be over."""
COMES_BACK_REACH: Final = 0.7
"""Chance of each service that it had reached to fail again; the root always does."""
WORKS_A_DAY: Final = 8
WORK_ANNOUNCED_SHARE: Final = 0.5
WORK_MS_MEDIAN: Final = 25 * MINUTE_MS
WORK_SPREAD_CHANCE: Final = 0.15


class FaultKind(StrEnum):
    """What breaks."""

    SERVICE = "service"
    DATABASE = "database"
    HOST = "host"
    RACK = "rack"
    ZONE = "zone"
    SHARED = "shared service"
    CERTIFICATE = "expired certificate"
    DEPLOYMENT = "bad deployment"
    PROVIDER = "provider outage"
    SLOW_BURN = "slow burn"
    MAINTENANCE = "maintenance"


SHARES: Final[dict[FaultKind, float]] = {
    FaultKind.SERVICE: 0.24,
    FaultKind.DATABASE: 0.14,
    FaultKind.HOST: 0.12,
    FaultKind.RACK: 0.04,
    FaultKind.ZONE: 0.01,
    FaultKind.SHARED: 0.06,
    FaultKind.CERTIFICATE: 0.07,
    FaultKind.DEPLOYMENT: 0.20,
    FaultKind.PROVIDER: 0.05,
    FaultKind.SLOW_BURN: 0.07,
}
"""How often each kind is what happened: a guess after published post-mortems, where changes lead."""


class Level(NamedTuple):
    """How much goes on.

    Attributes:
        faults: in a day on some 400 services.
        noise: conditions in a day that belong to nothing.
    """

    faults: int
    noise: int


LEVELS: Final = {"calm": Level(20, 40), "busy": Level(60, 90), "storm": Level(150, 160)}


class Reached(NamedTuple):
    """One service that a fault reaches.

    Attributes:
        at_ms: when it begins to fail there.
        hops: from the root; 0 is the root itself, or what runs on it.
        through: the callee that it came through; None at the root.
    """

    service: str
    at_ms: int
    hops: int
    through: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """One true incident.

    Attributes:
        name: its true class.
        root: reference of what broke, in the catalogue.
        host: the host, rack or zone that broke, where it was one.
        reached: services that it truly reaches, in order of time.
        again: those that it reaches when it comes back; empty: it does not.
        again_ended_ms: when it is over for good, if it comes back.
        is_expected: it is work that was announced.
    """

    name: str
    kind: FaultKind
    root: str
    at_ms: int
    ended_ms: int
    host: str | None = None
    reached: tuple[Reached, ...] = field(default=())
    again: tuple[Reached, ...] = field(default=())
    again_ended_ms: int = 0
    is_expected: bool = False


def make_faults(world: World, level: Level, begin_ms: int, seed: int, span_ms: int = DAY_MS) -> list[Fault]:
    """The faults of a span of time, by their beginning."""
    chance = random.Random(f"faults-{seed}")  # noqa: S311 a repeatable sequence, not a secret
    count = round(level.faults * span_ms / DAY_MS)
    moments = _moments(chance, count, begin_ms, span_ms)
    kinds = chance.choices(list(SHARES), list(SHARES.values()), k=count)
    made = [
        _fault(world, chance, f"fault-{number}", kind, at_ms, begin_ms)
        for number, (kind, at_ms) in enumerate(zip(kinds, moments, strict=True))
    ]
    later = random.Random(f"again-{seed}")  # noqa: S311 a repeatable sequence, not a secret
    return [_comes_back(later, fault) if later.random() < COMES_BACK_SHARE else fault for fault in made]


def make_works(world: World, begin_ms: int, seed: int, span_ms: int = DAY_MS) -> list[Fault]:
    """Maintenance of a span of time: on a host or a service, announced or not."""
    chance = random.Random(f"works-{seed}")  # noqa: S311 a repeatable sequence, not a secret
    hosts, own = sorted(world.rack_of), sorted(name for name, each in world.services.items() if each.hosts)
    works = []
    for number in range(round(WORKS_A_DAY * span_ms / DAY_MS)):
        at_ms = begin_ms + chance.randrange(span_ms)
        host = chance.choice(hosts) if chance.random() < 0.5 else None
        service = chance.choice(own)
        struck = [service] if host is None else world.within(host, at_ms - begin_ms)
        first = [
            Reached(name, at_ms + _delay(chance, STRUCK_MS_MEDIAN), 0, None)
            for name in struck
            if host is None or chance.random() < STRUCK_CHANCE
        ]
        reached = tuple(_spread(world, chance, first, WORK_SPREAD_CHANCE, 1.0, begin_ms))
        ended_ms = at_ms + round(WORK_MS_MEDIAN * chance.lognormvariate(0, 0.5))
        root = world.services[service].ref if host is None else f"resource:default/{host}"
        announced = chance.random() < WORK_ANNOUNCED_SHARE
        name = f"work-{number}"
        works.append(Fault(name, FaultKind.MAINTENANCE, root, at_ms, ended_ms, host, reached, is_expected=announced))
    return works


def _comes_back(chance: random.Random, fault: Fault) -> Fault:
    """A fault that seemed to be over and is not: a second time for most of what it had reached."""
    if not fault.reached:
        return fault
    shift_ms = fault.ended_ms + round(chance.uniform(*COMES_BACK_MS)) - fault.reached[0].at_ms
    again = tuple(
        each._replace(at_ms=each.at_ms + shift_ms)
        for place, each in enumerate(fault.reached)
        if not place or chance.random() < COMES_BACK_REACH
    )
    last_ms = max(each.at_ms for each in again)
    ended_ms = round(max(fault.ended_ms + shift_ms - (fault.ended_ms - fault.at_ms) / 2, last_ms + 5 * MINUTE_MS))
    return replace(fault, again=again, again_ended_ms=ended_ms)


def _moments(chance: random.Random, count: int, begin_ms: int, span_ms: int) -> list[int]:
    moments: list[int] = []
    while len(moments) < count:
        if moments and chance.random() < BUNCHED_SHARE:
            moments.append(chance.choice(moments) + chance.randrange(BUNCH_MS_MAX))
        else:
            moments.append(begin_ms + chance.randrange(span_ms))
    return sorted(moments)


def _fault(world: World, chance: random.Random, name: str, kind: FaultKind, at_ms: int, begin_ms: int) -> Fault:
    duration = DURATION_MS_MEDIAN * chance.lognormvariate(0, DURATION_SPREAD)
    pace = SLOW_FACTOR if kind is FaultKind.SLOW_BURN else 1.0
    root, host, struck = _root(world, chance, kind, at_ms - begin_ms)
    first = [
        Reached(service, at_ms + _delay(chance, STRUCK_MS_MEDIAN * pace), 0, None)
        for service in struck
        if host is None or chance.random() < STRUCK_CHANCE
    ]
    shared = kind in (FaultKind.SHARED, FaultKind.PROVIDER)
    spread = SHARED_SPREAD_CHANCE if shared else SPREAD_CHANCE
    reached = tuple(_spread(world, chance, first, spread, pace, begin_ms))
    last_ms = max((each.at_ms for each in reached), default=at_ms)
    return Fault(name, kind, root, at_ms, round(max(at_ms + duration * pace, last_ms + 5 * MINUTE_MS)), host, reached)


def _root(world: World, chance: random.Random, kind: FaultKind, since_ms: int) -> tuple[str, str | None, Sequence[str]]:
    """What breaks: its reference, the host where it is one, and the services that feel it first."""
    places = {
        FaultKind.HOST: sorted(world.rack_of),
        FaultKind.RACK: sorted(world.zone_of),
        FaultKind.ZONE: sorted(set(world.zone_of.values())),
    }
    if kind in places:
        place = chance.choice(places[kind])
        return f"resource:default/{place}", place, world.within(place, since_ms)
    own = [each for each in world.services.values() if not each.is_provider and each.name not in PLATFORM]
    choices = {
        FaultKind.SHARED: [world.services[name] for name in PLATFORM],
        FaultKind.PROVIDER: [each for each in world.services.values() if each.is_provider],
        FaultKind.DATABASE: [each for each in own if not each.calls and each.name in world.callers],
    }.get(kind, own)
    service = chance.choice(choices)
    return service.ref, None, (service.name,)


def _spread(
    world: World, chance: random.Random, first: Sequence[Reached], spread: float, pace: float, begin_ms: int
) -> Iterator[Reached]:
    """From callee to caller, each service once, at most `HOPS_MAX` hops."""
    seen = {each.service for each in first}
    wave = list(first)
    yield from first
    for hops in range(1, HOPS_MAX + 1):
        following: list[Reached] = []
        for reached in wave:
            for caller in world.callers_of(reached.service, reached.at_ms - begin_ms):
                if caller not in seen and chance.random() < spread / hops**0.5:
                    seen.add(caller)
                    at_ms = reached.at_ms + _delay(chance, DELAY_MS_MEDIAN * pace)
                    following.append(Reached(caller, at_ms, hops, reached.service))
        yield from following
        wave = following


def _delay(chance: random.Random, median_ms: float) -> int:
    return round(median_ms * chance.lognormvariate(0, DELAY_SPREAD))
