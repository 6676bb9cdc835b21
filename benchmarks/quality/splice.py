"""Real faults brought onto one time line, so that several happen at once, and every method measured on it.

The faults were injected one after another; what tells methods apart is concurrency. A splice is a row of rounds, an
hour apart; in each so many faults begin within five minutes of each other. Faults are drawn at random, from either
system alike, none twice in a splice. They keep their systems: where two are in one system at once, a condition that
both have is one episode of the first, as it would be live.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import orjson

from benchmarks.quality.baselines import baselines
from benchmarks.quality.days import BEGIN_MS, FINAL, ONLINE, Row, rounded
from benchmarks.quality.episodes import Labels, Place, play
from benchmarks.quality.metrics import figures
from benchmarks.quality.real import RealAlert, RealFault, System, config_of
from pipeline.core.step import StreamRecord

ROUNDS: Final = {1: 12, 3: 5, 10: 2}
"""Faults at once -> rounds of a splice: a few thousand alerts each."""
ROUND_MS: Final = 3_600_000
SPREAD_MS: Final = 300_000


@dataclass(slots=True)
class Spliced:
    """All that arrives, in order, and which fault each alert is of."""

    records: list[StreamRecord] = field(default_factory=list)
    truth: dict[Place, str] = field(default_factory=dict)


def level_of(at_once: int) -> str:
    """The name of the level in tables."""
    return f"real, {at_once} at once"


def splice(systems: Sequence[System], at_once: int, seed: int) -> Spliced:
    """Faults of these systems on one time line.

    Args:
        systems: which are equally likely, however many faults each has.
        at_once: how many begin in each round.
        seed: of the draw; the same seed is the same splice.
    """
    chance = random.Random(f"splice-{at_once}-{seed}")  # noqa: S311 a repeatable sequence, not a secret
    left = {system.name: chance.sample(system.faults, len(system.faults)) for system in systems}
    told: list[tuple[int, int, RealAlert, str, str]] = []
    for number in range(ROUNDS[at_once]):
        for _ in range(at_once):
            name = chance.choice([name for name, faults in left.items() if faults])
            begin_ms = BEGIN_MS + number * ROUND_MS + (chance.randrange(SPREAD_MS) if at_once > 1 else 0)
            _tell(told, left[name].pop(), name, begin_ms)
    told.sort(key=lambda each: each[:2])
    spliced, offsets = Spliced(), dict[str, int]()
    for at_ms, _, alert, system, fault in told:
        topic = f"alerts.raw.{alert.kind}"
        offset = offsets[topic] = offsets.get(topic, -1) + 1
        spliced.records.append(StreamRecord(topic, 0, offset, at_ms, None, _document(alert, system, at_ms)))
        spliced.truth[topic, offset, 0] = fault
    return spliced


def _tell(told: list[tuple[int, int, RealAlert, str, str]], fault: RealFault, system: str, begin_ms: int) -> None:
    shift_ms = begin_ms - fault.alerts[0].at_ms
    for alert in fault.alerts:
        told.append((alert.at_ms + shift_ms, len(told), alert, system, fault.name))


def _document(alert: RealAlert, system: str, at_ms: int) -> bytes:
    member = {
        "status": "firing",
        "labels": {"alertname": alert.name, "severity": alert.severity, "cluster": system, **alert.labels},
        "annotations": {"summary": alert.words},
        "startsAt": datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds"),
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": f"{system}/{alert.kind}/{alert.identity}",
    }
    return orjson.dumps({"version": "4", "status": "firing", "alerts": [member]})


def measure_splice(systems: Sequence[System], at_once: int, seed: int) -> list[Row]:
    """Play a splice, and measure every method on it."""
    spliced, config = splice(systems, at_once, seed), config_of(systems)
    played = play(config, spliced.records)
    classes = {each.episode_id: spliced.truth[each.place] for each in played.episodes}
    labels: dict[str, Labels] = {FINAL: played.final, ONLINE: played.online}
    labels |= {name: method(played.episodes, config.catalogue) for name, method in baselines().items()}
    return [
        {
            "level": level_of(at_once),
            "seed": seed,
            "method": name,
            "episodes": len(classes),
            "all": rounded(figures(groups, classes)),
            "reassigned": len(played.reassigned & classes.keys()) if name == FINAL else 0,
        }
        for name, groups in labels.items()
    ]
