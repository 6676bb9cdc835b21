"""What every Python peer does with one alert, and how it tells where it is. `Peer.java` does the same.

Imports nothing of ours: Quix runs it in an environment of its own.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

import orjson

GAP_MS: Final = 60_000
PARTITIONS: Final = 8

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """One run, as the peer's environment says.

    Attributes:
        bootstrap: address of the broker.
        source: topic of raw alerts.
        accepted: topic between the stages.
        changes: topic of results.
        group: consumer group, application id and transactional id.
        state: directory for state on disk.
        commit_seconds: time between two commits, where the peer has such a setting.
        warm_up: how many alerts come before the first that counts.
        alerts: how many there are, those included.
        news: how many of them are sent on.
        services: service -> facts about it.
    """

    bootstrap: str
    source: str
    accepted: str
    changes: str
    group: str
    state: str
    commit_seconds: float
    warm_up: int
    alerts: int
    news: int
    services: dict[str, Document]

    @classmethod
    def from_environment(cls) -> Job:
        """Read what `benchmarks.peers.run` wrote."""
        given = os.environ
        return cls(
            given["JOB_BOOTSTRAP"],
            given["JOB_SOURCE"],
            given["JOB_ACCEPTED"],
            given["JOB_CHANGES"],
            given["JOB_GROUP"],
            given["JOB_STATE"],
            int(given["JOB_COMMIT_MS"]) / 1000,
            int(given["JOB_WARM_UP"]),
            int(given["JOB_ALERTS"]),
            int(given["JOB_NEWS"]),
            orjson.loads(Path(given["JOB_SERVICES"]).read_bytes()),
        )


def flatten(alert: Document, services: dict[str, Document]) -> Document:
    """An alert of Alertmanager's shape as a flat document of 12 fields, with the facts about its service."""
    labels, notes = alert["labels"], alert["annotations"]
    status = alert["status"]
    when = alert["startsAt"] if status == "firing" else alert["endsAt"]
    return {
        "fingerprint": alert["fingerprint"],
        "status": status,
        "alertname": labels["alertname"],
        "service": labels["service"],
        "cluster": labels["cluster"],
        "namespace": labels["namespace"],
        "instance": labels["instance"],
        "severity": labels["severity"],
        "team": labels["team"],
        "summary": notes["summary"],
        "description": notes["description"],
        "at_ms": int(datetime.fromisoformat(when).timestamp() * 1000 + 0.5),
        **services[labels["service"]],
    }


def count(known: Document | None, flat: Document) -> tuple[Document, bool]:
    """The condition's new state, and whether the alert is news."""
    at_ms, status = flat["at_ms"], flat["status"]
    if known is None:
        return {"count": 1, "first_ms": at_ms, "last_ms": at_ms, "status": status}, True
    seen = {
        "count": known["count"] + 1,
        "first_ms": known["first_ms"],
        "last_ms": max(known["last_ms"], at_ms),
        "status": status,
    }
    return seen, known["status"] != status


def group(known: Document | None, flat: Document) -> tuple[Document, Document]:
    """The domain's new group, and the change to send."""
    at_ms, domain = flat["at_ms"], flat["domain"]
    opened = known is None or at_ms - known["last_ms"] > GAP_MS
    if known is None or opened:
        now = {"id": f"{domain}-{at_ms}", "start_ms": at_ms, "last_ms": at_ms, "count": 1}
    else:
        now = {
            "id": known["id"],
            "start_ms": known["start_ms"],
            "last_ms": max(known["last_ms"], at_ms),
            "count": known["count"] + 1,
        }
    return now, {
        "incident_id": now["id"],
        "change": "opened" if opened else "updated",
        "domain": domain,
        "count": now["count"],
        "start_ms": now["start_ms"],
        "last_ms": now["last_ms"],
        "fingerprint": flat["fingerprint"],
        "status": flat["status"],
        "service": flat["service"],
        "severity": flat["severity"],
    }


@dataclass(slots=True)
class Meter:
    """Counts records of both stages and says FIRST and DONE on standard output, with times.

    FIRST is the first alert after the warm-up.

    Attributes:
        commits: the peer calls `done` itself after each commit; else the last record ends the run.
    """

    job: Job
    commits: bool = False
    first: int = 0
    second: int = 0
    said: bool = False
    # The real one: Faust redirects sys.stdout to its log.
    _out: TextIO = field(default_factory=lambda: sys.__stdout__ or sys.stdout)

    def one(self) -> None:
        """The first stage has handled one more."""
        self.first += 1
        if self.first == self.job.warm_up + 1:
            self._say("FIRST")
        if not self.commits:
            self.done()

    def two(self) -> None:
        """The second stage has handled one more."""
        self.second += 1
        if not self.commits:
            self.done()

    def done(self) -> None:
        """Say so once, if all is handled."""
        if self.first >= self.job.alerts and self.second >= self.job.news and not self.said:
            self.said = True
            self._say("DONE")

    def _say(self, word: str) -> None:
        self._out.write(f"{word} {self.first} {self.second} {time.time()}\n")
        self._out.flush()
