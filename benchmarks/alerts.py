"""One stream of alerts for the pipeline, the peers and Alertmanager: seeded, so that each gets the same.

Alerts have the shape of Prometheus Alertmanager, about 750 bytes. Every condition fires first, then repeats; some end
with a recovery, one alert in twenty in all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, NamedTuple

import orjson

START_MS: Final = 1_772_600_000_000
STEP_MS: Final = 10
"""Between two alerts, on the sources' clock."""

RECOVERIES: Final = 0.05
"""Share of all alerts, where conditions repeat at all."""

NAMES: Final = ("HighErrorRate", "HighLatencyP99", "PodCrashLooping", "DiskWillFillIn4Hours", "TargetDown")
SEVERITIES: Final = ("critical", "warning", "info")


class Made(NamedTuple):
    """One alert. ``news``: it is not a repeat, so that something follows from it."""

    fingerprint: str
    alert: dict[str, Any]
    news: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """What a stream consists of.

    Attributes:
        alerts: how many.
        repeats: share of alerts whose condition has fired before, 0 to 1; recoveries are among them.
        services: services that they are about, in turn.
        start_ms: when the first condition began, epoch milliseconds.
        seed: of the order.
        first_condition: number of its first condition; floods that follow each other must not share any.
        even: news come at an even pace, so that every part of the stream costs as much; old conditions repeat more
            often then. Else conditions come in random order, each as often: 80 % of the first twentieth of a stream
            with 90 % repeats are news, and almost nothing in the middle of it.
    """

    alerts: int
    repeats: float
    services: int = 500
    start_ms: int = START_MS
    seed: int = 7
    first_condition: int = 0
    even: bool = False

    @property
    def conditions(self) -> int:
        """Different conditions."""
        return max(1, round(self.alerts * (1 - self.repeats)))

    @property
    def each(self) -> int:
        """Alerts of one condition, rounded down; the rest go to the first conditions."""
        return self.alerts // self.conditions

    @property
    def news(self) -> int:
        """Alerts that are not repeats: first ones and recoveries."""
        return self.conditions + len(self._recovering())

    def _recovering(self) -> frozenset[int]:
        if self.each < 2:
            return frozenset()
        some = min(self.conditions // 2, round(self.alerts * RECOVERIES))
        return frozenset(Random(self.seed + 1).sample(range(self.conditions), some))  # noqa: S311  # as below

    def make(self) -> Iterator[Made]:
        """The alerts, in order."""
        began: dict[int, int] = {}
        for place, (condition, over) in enumerate(self._evenly() if self.even else self._shuffled()):
            now_ms = self.start_ms + STEP_MS * place
            first = condition not in began
            began_ms = began.setdefault(condition, now_ms)
            fingerprint, alert = alert_of(
                self.first_condition + condition, self.services, began_ms, now_ms if over else None
            )
            yield Made(fingerprint, alert, first or over)

    def _shuffled(self) -> Iterator[tuple[int, bool]]:
        """Conditions in random order; whether each ends one."""
        order = [number % self.conditions for number in range(self.alerts)]
        Random(self.seed).shuffle(order)  # noqa: S311  # repeatable, not secret
        last = {condition: place for place, condition in enumerate(order)}
        recovering = self._recovering()
        for place, condition in enumerate(order):
            yield condition, condition in recovering and place == last[condition]

    def _evenly(self) -> Iterator[tuple[int, bool]]:
        """Conditions that begin and end at an even pace; those that are on repeat at random."""
        random, on = Random(self.seed), list[int]()  # noqa: S311  # repeatable, not secret
        begun, ended, recoveries = 0, 0, len(self._recovering())
        for place in range(self.alerts):
            if begun * self.alerts <= place * self.conditions and begun < self.conditions:
                on.append(begun)
                yield begun, False
                begun += 1
                continue
            chosen = random.randrange(len(on))
            # Two places ahead: the last places may be taken by conditions that begin.
            over = len(on) > 1 and ended < recoveries and ended * self.alerts < (place + 2) * recoveries
            yield on[chosen], over
            if over:
                on[chosen] = on[-1]
                on.pop()
                ended += 1


def alert_of(condition: int, services: int, began_ms: int, ended_ms: int | None) -> tuple[str, dict[str, Any]]:
    """One alert of a condition, and its fingerprint.

    Args:
        condition: number of the condition.
        services: size of the company.
        began_ms: start of its run, epoch milliseconds.
        ended_ms: end of its run, for a recovery.
    """
    number = condition % services
    service, namespace = f"service-{number}", f"ns-{number % 50}"
    fingerprint = hashlib.blake2b(f"condition {condition}".encode(), digest_size=8).hexdigest()
    name = NAMES[condition % len(NAMES)]
    address = f"10.{condition >> 16 & 255}.{condition >> 8 & 255}.{condition & 255}:9100"
    return fingerprint, {
        "status": "firing" if ended_ms is None else "resolved",
        "labels": {
            "alertname": name,
            "service": service,
            "cluster": f"prod-eu-{number % 7}",
            "namespace": namespace,
            "instance": address,
            "severity": SEVERITIES[condition % len(SEVERITIES)],
            "team": f"team-{number % 60:02d}",
        },
        "annotations": {
            "summary": f"{name} on {service} (shard {condition}) has crossed its threshold",
            "description": f"{name} for {service} in namespace {namespace} has been above the alerting threshold for "
            "more than five minutes; check the dashboard and the runbook at "
            f"https://runbooks.corp.example/alerts/{name.lower()} before escalating to on-call.",
        },
        "startsAt": timestamp(began_ms),
        "endsAt": "0001-01-01T00:00:00Z" if ended_ms is None else timestamp(ended_ms),
        "generatorURL": f"https://prometheus.corp.example/graph?g0.expr={name}",
        "fingerprint": fingerprint,
    }


def webhook(alert: dict[str, Any]) -> bytes:
    """The alert as Alertmanager's webhook sends it: a group of one."""
    return orjson.dumps({"version": "4", "status": alert["status"], "receiver": "spillway", "alerts": [alert]})


def timestamp(epoch_ms: int) -> str:
    """RFC 3339 with milliseconds."""
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
