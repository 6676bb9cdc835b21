"""One failure with ten thousand alerts: they are one incident, and every one of their recoveries reaches it.

A service with so many instances falls over within ten minutes and comes back within ten more. Rivals stop counting at
a few hundred alerts an incident; what comes after is lost to it, recoveries too.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import orjson

from benchmarks.quality.days import BEGIN_MS, FINAL, Row
from benchmarks.quality.episodes import play
from pipeline.core.step import StreamRecord
from pipeline.models.catalog import Catalogue, Entity
from pipeline.models.policy import Config, Feed

LEVEL: Final = "one failure, 10,500 alerts"
ALERTS: Final = 10_500
FALLING_MS: Final = 600_000
SERVICE: Final = "component:default/checkout"


def measure_large(alerts: int = ALERTS, seed: int = 1) -> Row:
    """Play it.

    Returns:
        A row with ``held``: alerts in the largest incident; ``recovered``: of these, how many recoveries it was told.
    """
    entity = Entity(
        ref=SERVICE, kind="component", name="checkout", title="Checkout", system="shop", tier=1, users=9_000
    )
    feeds = {"metrics": Feed(name="metrics", adapter="alertmanager")}
    config = Config(version="large", catalogue=Catalogue(entities={SERVICE: entity}), feeds=feeds)
    played = play(config, list(_records(alerts, seed)))
    held = Counter(played.final.values())
    largest, count = held.most_common(1)[0]
    last = {}
    for event in played.outcome.events:
        told = orjson.loads(event.value or b"{}")
        last[told["incident_id"]] = told["incident"]
    incident = last[largest]
    recovered = count - incident["episodes_open"]
    row = {"level": LEVEL, "seed": seed, "method": FINAL, "episodes": len(played.episodes), "reassigned": 0}
    return row | {"held": count, "recovered": recovered, "state": incident["state"]}


def _records(alerts: int, seed: int) -> Iterator[StreamRecord]:
    chance = random.Random(f"large-{seed}")  # noqa: S311 a repeatable sequence, not a secret
    starts = sorted(BEGIN_MS + chance.randrange(FALLING_MS) for _ in range(alerts))
    told = [(at_ms, number, at_ms, False) for number, at_ms in enumerate(starts)]
    for number, at_ms in enumerate(starts):
        told.append((BEGIN_MS + FALLING_MS + chance.randrange(FALLING_MS), number, at_ms, True))
    for offset, (at_ms, number, start_ms, over) in enumerate(sorted(told)):
        status = "resolved" if over else "firing"
        member = {
            "status": status,
            "labels": {
                "alertname": "PodDown",
                "severity": "critical",
                "service": "checkout",
                "pod": f"checkout-{number}",
            },
            "annotations": {"summary": f"pod {number} of checkout is down"},
            "startsAt": _time(start_ms),
            "endsAt": _time(at_ms) if over else "0001-01-01T00:00:00Z",
            "fingerprint": f"pod-{number}",
        }
        document = {"version": "4", "status": status, "alerts": [member]}
        yield StreamRecord("alerts.raw.metrics", 0, offset, at_ms, None, orjson.dumps(document))


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds")
