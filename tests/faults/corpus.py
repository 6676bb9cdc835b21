"""The corpus: what a company's monitors, people and tools send, from one seed.

Firing, repeats, rises of severity, resolves, tickets, groups, changes, commands, and records that nobody can read.
Records have a place in time: alerts on even milliseconds, changes and commands on odd ones, so that no two topics
of a stage ever tie.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from pipeline.core.identity import partition_of
from pipeline.flow import RAW_VALUE_BYTES_MAX
from tests.stories.payloads import alertmanager, jira

SERVICES: Final = ("orders", "payments", "stock", "search", "basket", "mail", "login", "reports")
SPACES: Final = ("production", "staging", "north", "south", "east", "west")
CHECKS: Final = ("ErrorRateHigh", "LatencyHigh", "QueueFull", "DiskFull", "TargetDown")
SEVERITIES: Final = ("warning", "error", "critical")
RAW: Final = "alerts.raw."

COMMAND_SHARE: Final = 0.01
CHANGE_SHARE: Final = 0.005
TICKET_SHARE: Final = 0.03
GROUP_SHARE: Final = 0.02
SILENT_SHARE: Final = 0.2
"""Of the conditions: reported by a feed that never resolves, so that they expire."""

# Poison of every size; the large one is rare because its bytes are stored twice.
LARGE_POISON_SHARE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Sent:
    """One record as it is handed to Kafka, by the topic's logical name."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    poison: bool = False
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(slots=True)
class Condition:
    """Something that can be wrong, as one monitor sees it."""

    feed: str
    labels: dict[str, str]
    summary: str
    began: datetime | None = None
    severity: str = "error"


@dataclass(slots=True)
class Corpus:
    """Records without end, the same for the same arguments.

    Attributes:
        seed: of everything.
        partitions: of the topics that take the default count.
        begin_ms: time of the first record, epoch milliseconds, even.
        step_ms: from one record to the next, even.
        poison_share: records that nobody can read.
        conditions: how many different things can be wrong.
        resolve_share: of the alerts of a condition that fires: how many are its end.
    """

    seed: int
    partitions: int
    begin_ms: int
    step_ms: int = 2
    poison_share: float = 0.01
    conditions: int = 300
    resolve_share: float = 0.15
    _chance: random.Random = field(init=False)
    _pool: list[Condition] = field(init=False)
    _number: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 a repeatable sequence, not a secret
        self._pool = [self._condition(number) for number in range(self.conditions)]

    def __iter__(self) -> Iterator[Sent]:
        return self

    def __next__(self) -> Sent:
        self._number += 1
        at_ms = self.begin_ms + self._number * self.step_ms
        dice = self._chance.random()
        for share, make in (
            (self.poison_share, self._poison),
            (COMMAND_SHARE, self._command),
            (CHANGE_SHARE, self._change),
            (TICKET_SHARE, self._ticket),
            (GROUP_SHARE, self._group),
        ):
            if dice < share:
                return make(at_ms)
            dice -= share
        condition = self._chance.choice(self._pool)
        return self._raw(condition.feed, self._alert(condition, at_ms), at_ms)

    def take(self, count: int) -> list[Sent]:
        """The next records."""
        return [next(self) for _ in range(count)]

    # -- alerts

    def _condition(self, number: int) -> Condition:
        service, check = self._chance.choice(SERVICES), self._chance.choice(CHECKS)
        silent = self._chance.random() < SILENT_SHARE
        labels = {
            "alertname": check,
            "service": service,
            "environment": self._chance.choice(SPACES),
            "instance": f"{service}-{number}",
        }
        return Condition("grafana" if silent else "alertmanager", labels, f"{check} on {service} ({number})")

    def _alert(self, condition: Condition, at_ms: int) -> dict[str, Any]:
        """What the condition's monitor says next: it begins, goes on, changes or ends."""
        at, chance = moment(at_ms), self._chance
        ended = None
        if condition.began is None:
            condition.began, condition.severity = at, chance.choice(SEVERITIES)
        elif condition.feed == "alertmanager" and chance.random() < self.resolve_share:
            ended = at
        elif chance.random() < 0.1:
            condition.severity = chance.choice(SEVERITIES)
        labels = condition.labels | {"severity": condition.severity}
        document = alertmanager(labels, condition.summary, condition.began, ended)
        # The identity of the condition, whatever its severity is now.
        document["alerts"][0]["fingerprint"] = condition.labels["instance"]
        if ended is not None:
            condition.began = None
        return document

    def _group(self, at_ms: int) -> Sent:
        members = [each for each in self._chance.sample(self._pool, 4) if each.feed == "alertmanager"]
        documents = [self._alert(each, at_ms) for each in members]
        if not documents:
            return next(self)
        return self._raw("alertmanager", documents[0] | {"alerts": [each["alerts"][0] for each in documents]}, at_ms)

    def _ticket(self, at_ms: int) -> Sent:
        number, service = self._chance.randrange(200), self._chance.choice(SERVICES)
        done = self._chance.random() < 0.3
        subject = f"I cannot use {service} (ticket {number})"
        return self._raw("jira", jira(f"SHOP-{number}", subject, "", f"p{number}", moment(at_ms), done=done), at_ms)

    def _raw(self, feed: str, document: dict[str, Any], at_ms: int) -> Sent:
        return Sent(RAW + feed, self._chance.randrange(self.partitions), None, orjson.dumps(document), at_ms)

    # -- what people and tools say

    def _command(self, at_ms: int) -> Sent:
        space, service = self._chance.choice(SPACES), self._chance.choice(SERVICES)
        document: dict[str, Any] = {
            "command_id": f"command-{self.seed}-{self._number}",
            "actor": "ada.king",
            "target": {"service": service},
            "note": f"looked at {service}",
        }
        document |= self._chance.choice(
            (
                {"type": "acknowledge"},
                {"type": "note"},
                {"type": "assign", "assignee": "ben.moss"},
                {"type": "link", "link": {"kind": "problem", "id": f"PRB-{self._number}"}},
                {"type": "resolve", "resolution": {"code": "fixed", "summary": "restarted"}},
            )
        )
        return self._keyed("commands", space, document, at_ms)

    def _change(self, at_ms: int) -> Sent:
        space, service = self._chance.choice(SPACES), self._chance.choice(SERVICES)
        at = moment(at_ms)
        document: dict[str, Any] = {
            "change_id": f"change-{self.seed}-{self._number}",
            "kind": "deployment",
            "summary": f"release {self._number} of {service}",
            "targets": [service],
            "started_at": at.isoformat(),
        }
        if self._chance.random() < 0.5:
            document |= {"kind": "maintenance", "suppress": True, "ended_at": (at + timedelta(seconds=2)).isoformat()}
        return self._keyed("changes", space, document, at_ms)

    def _keyed(self, topic: str, space: str, document: dict[str, Any], at_ms: int) -> Sent:
        key = space.encode()
        return Sent(topic, partition_of(key, self.partitions), key, orjson.dumps(document), at_ms + 1)

    # -- what nobody can read

    def _poison(self, at_ms: int) -> Sent:
        chance = self._chance
        value: bytes | None = chance.choice(
            (
                chance.randbytes(chance.randrange(1, 200)),
                b'{"alerts": "not a list"}',
                b"[]",
                b'{"version": "4", "alerts": [{"status": "on fire"}]}',
                b"\xff\xfe\x00",
                b"",
                None,
            )
        )
        if chance.random() < LARGE_POISON_SHARE:
            value = b"x" * (RAW_VALUE_BYTES_MAX + 1)
        feed = chance.choice(("alertmanager", "grafana", "jira"))
        key = None if chance.random() < 0.5 else f"poison-{self._number}".encode()
        headers = (("sent-by", b"nobody"),) if chance.random() < 0.5 else ()
        return Sent(RAW + feed, chance.randrange(self.partitions), key, value, at_ms, poison=True, headers=headers)


def moment(at_ms: int) -> datetime:
    """Epoch milliseconds as a time with a zone."""
    return datetime.fromtimestamp(at_ms / 1_000, UTC)
