"""What monitors, people and tools say about a day: raw records as they arrive, and which fault each is about.

What arrives is not the truth: monitors miss some of what fails and see it late, some labels are lost, one source's
clock is wrong, a condition flaps, people write prose, changes are recorded that did nothing, and some things alarm
for nothing at all.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from benchmarks.quality.episodes import Place
from benchmarks.quality.faults import DAY_MS, MINUTE_MS, SECOND_MS, Fault, FaultKind, Level, Reached
from benchmarks.quality.world import Service, World
from pipeline.core.step import StreamRecord

SEEN_SHARE: Final = 0.85
SERVICE_LABEL_LOST_SHARE: Final = 0.08
HOST_LABEL_SHARE: Final = 0.5
CALLEE_NAMED_SHARE: Final = 0.35
RESOLVED_SHARE: Final = 0.95
FLAPPING_SHARE: Final = 0.04
REPEAT_MS: Final = 5 * MINUTE_MS
# A condition is told when a rule has held for a while, and again by a queue or two: seconds, sometimes a minute.
ARRIVAL_MS_MEDIAN: Final = 6 * SECOND_MS
ARRIVAL_SPREAD: Final = 0.9
# From the moment when a service begins to fail to the first alert of a condition: rules want it to hold for a while,
# and some conditions (queues, memory) take minutes to show.
ONSET_MS_MEDIAN: Final = 30 * SECOND_MS
ONSET_SPREAD: Final = 1.0
LATE_SHARE: Final = 0.2
LATE_MS_MEDIAN: Final = 5 * MINUTE_MS
SKEWED_FEED: Final = "hosts"
SKEW_MS: Final = 20 * SECOND_MS
CHRONIC_CONDITIONS: Final = 15
CHANGES_A_DAY: Final = 60
TICKETS_PER_THOUSAND_USERS: Final = 1.2
TICKETS_MAX: Final = 25
TICKET_DELAY_MS_MEDIAN: Final = 6 * MINUTE_MS
PEOPLE: Final = 3_000

NOISE: Final = ""
"""The class of what belongs to no fault; each such episode is a class of its own."""


class Symptom(NamedTuple):
    """A condition that a monitor tells of: name, words about the service and a number, severity."""

    name: str
    words: str
    severity: str


ROOT_SYMPTOMS: Final = (
    Symptom("TargetDown", "{service} does not answer health checks", "critical"),
    Symptom("HighErrorRate", "{service} answers {number} % of requests with errors", "critical"),
    Symptom("LatencyHigh", "99th percentile latency of {service} is {number} ms", "error"),
    Symptom("PodCrashLooping", "pods of {service} restarted {number} times in 10 minutes", "error"),
    Symptom("CPUThrottling", "{service} is throttled {number} % of the time", "warning"),
)
CALLER_SYMPTOMS: Final = (
    Symptom("HighErrorRate", "{service} answers {number} % of requests with errors", "error"),
    Symptom("LatencyHigh", "99th percentile latency of {service} is {number} ms", "warning"),
    Symptom("QueueGrowing", "queue of {service} holds {number} messages", "warning"),
)
KIND_SYMPTOMS: Final[Mapping[FaultKind, tuple[Symptom, ...]]] = {
    FaultKind.DATABASE: (
        Symptom("DatabaseConnectionsExhausted", "{service} has no free connections, {number} clients wait", "critical"),
        Symptom("ReplicationLag", "replica of {service} is {number} s behind", "error"),
    ),
    FaultKind.CERTIFICATE: (
        Symptom("CertificateExpired", "certificate of {service} expired {number} minutes ago", "critical"),
        Symptom("TLSHandshakeErrors", "{number} TLS handshakes with {service} failed", "error"),
    ),
    FaultKind.SLOW_BURN: (
        Symptom("MemoryLeak", "memory of {service} grows {number} MiB an hour", "warning"),
        Symptom("ErrorBudgetBurn", "{service} burns its error budget {number} times too fast", "warning"),
    ),
    FaultKind.PROVIDER: (Symptom("ProviderErrors", "{service} refuses {number} % of calls", "critical"),),
}
HOST_SYMPTOMS: Final[Mapping[FaultKind, Symptom]] = {
    FaultKind.HOST: Symptom("HostDown", "{service} is unreachable by ICMP", "critical"),
    FaultKind.RACK: Symptom("SwitchDown", "top of rack switch of {service} lost {number} links", "critical"),
    FaultKind.ZONE: Symptom("ZoneUnreachable", "{number} % of probes into {service} fail", "critical"),
}
NOISE_SYMPTOMS: Final = (
    Symptom("DiskFillingUp", "disk of {service} is full in {number} hours", "warning"),
    Symptom("BackupSlow", "backup of {service} took {number} minutes", "info"),
    Symptom("CPUThrottling", "{service} is throttled {number} % of the time", "warning"),
    Symptom("LatencyHigh", "99th percentile latency of {service} is {number} ms", "warning"),
    Symptom("DeadlineMissed", "job of {service} ran {number} minutes late", "error"),
)
PROSE: Final = (
    "{term} is not working, I get an error page",
    "cannot use {term} since this morning",
    "Is there a problem with {term}? Everything hangs",
    "{term} extremely slow, customers are complaining",
    "error when I open {term}",
    "hi team, {term} does not load for me or my colleague. please help",
)


@dataclass(slots=True)
class Day:
    """All that arrives, in order, and the truth about it.

    Attributes:
        records: raw topics and changes, by arrival.
        truth: place of an alert -> name of the fault; `NOISE` for none.
    """

    records: list[StreamRecord] = field(default_factory=list)
    truth: dict[Place, str] = field(default_factory=dict)


class _Told(NamedTuple):
    """A message on its way."""

    arrives_ms: int
    order: int
    topic: str
    document: dict[str, Any]
    fault: str


class _Teller:
    """Makes the messages of one day."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._chance = random.Random(f"stream-{seed}")  # noqa: S311 a repeatable sequence, not a secret
        self.told: list[_Told] = []

    # -- faults

    def fault(self, fault: Fault) -> None:
        """Everything that is said about a fault."""
        if fault.host is not None:
            symptom = HOST_SYMPTOMS[fault.kind]
            self._condition(fault.name, "hosts", symptom, fault.host, {"host": fault.host}, fault.at_ms, fault.ended_ms)
        for reached in fault.reached:
            self._service(fault, reached)
        self._tickets(fault)
        if fault.kind is FaultKind.DEPLOYMENT:
            self.change(fault.root, fault.at_ms - round(self._chance.uniform(0.5, 5) * MINUTE_MS))

    def _service(self, fault: Fault, reached: Reached) -> None:
        chance, service = self._chance, self._world.services[reached.service]
        own = KIND_SYMPTOMS.get(fault.kind, ()) if reached.hops == 0 else ()
        pool = (*own, *(ROOT_SYMPTOMS if reached.hops == 0 else CALLER_SYMPTOMS))
        for symptom in chance.sample(pool, min(len(pool), chance.choice((1, 1, 2, 2, 3)))):
            if chance.random() >= SEEN_SHARE:
                continue
            median_ms = LATE_MS_MEDIAN if chance.random() < LATE_SHARE else ONSET_MS_MEDIAN
            begin_ms = reached.at_ms + round(median_ms * chance.lognormvariate(0, ONSET_SPREAD))
            end_ms = fault.ended_ms + round(60 * SECOND_MS * chance.lognormvariate(0, 0.6))
            through = reached.through if chance.random() < CALLEE_NAMED_SHARE else None
            self._condition(
                fault.name, "metrics", symptom, service.name, self._labels(service), begin_ms, end_ms, through
            )

    def _labels(self, service: Service) -> dict[str, str]:
        chance, labels = self._chance, {"namespace": service.application}
        if chance.random() >= SERVICE_LABEL_LOST_SHARE:
            labels["service"] = service.name
        if service.hosts and chance.random() < HOST_LABEL_SHARE:
            labels["host"] = chance.choice(service.hosts)
        return labels

    # -- conditions

    def _condition(
        self,
        fault: str,
        feed: str,
        symptom: Symptom,
        subject: str,
        labels: Mapping[str, str],
        begin_ms: int,
        end_ms: int,
        through: str | None = None,
    ) -> None:
        """One condition from firing to resolved, with its repeats, and sometimes in several runs."""
        chance = self._chance
        words = symptom.words.format(service=subject, number=chance.randrange(2, 900))
        if through is not None:
            words += f"; calls to {through} time out"
        labels = {"alertname": symptom.name, "severity": symptom.severity, **labels}
        runs = [(begin_ms, end_ms)]
        if chance.random() < FLAPPING_SHARE:
            middle = (begin_ms + end_ms) // 2
            runs = [(begin_ms, middle - MINUTE_MS), (middle, end_ms)]
        for start_ms, stop_ms in runs:
            self._run(fault, feed, subject, words, labels, start_ms, max(stop_ms, start_ms + MINUTE_MS))

    def _run(
        self, fault: str, feed: str, subject: str, words: str, labels: Mapping[str, str], start_ms: int, stop_ms: int
    ) -> None:
        chance = self._chance
        delay_ms = round(ARRIVAL_MS_MEDIAN * chance.lognormvariate(0, ARRIVAL_SPREAD))
        fingerprint = f"{feed}/{labels['alertname']}/{subject}/{labels.get('host', '')}"
        for at_ms in range(start_ms, stop_ms, REPEAT_MS):
            self._alert(fault, feed, fingerprint, words, labels, start_ms, None, at_ms + delay_ms)
        if chance.random() < RESOLVED_SHARE:
            self._alert(fault, feed, fingerprint, words, labels, start_ms, stop_ms, stop_ms + delay_ms)

    def _alert(
        self,
        fault: str,
        feed: str,
        fingerprint: str,
        words: str,
        labels: Mapping[str, str],
        start_ms: int,
        end_ms: int | None,
        arrives_ms: int,
    ) -> None:
        skew_ms = SKEW_MS if feed == SKEWED_FEED else 0
        member = {
            "status": "firing" if end_ms is None else "resolved",
            "labels": labels,
            "annotations": {"summary": words},
            "startsAt": _time(start_ms + skew_ms),
            "endsAt": "0001-01-01T00:00:00Z" if end_ms is None else _time(end_ms + skew_ms),
            "fingerprint": fingerprint,
        }
        document = {"version": "4", "status": member["status"], "alerts": [member]}
        self._tell(arrives_ms, f"alerts.raw.{feed}", document, fault)

    def _tell(self, arrives_ms: int, topic: str, document: dict[str, Any], fault: str) -> None:
        self.told.append(_Told(arrives_ms, len(self.told), topic, document, fault))

    # -- people

    def _tickets(self, fault: Fault) -> None:
        """Users of the front ends that it reaches complain, in words that name no service."""
        chance = self._chance
        for reached in fault.reached:
            service = self._world.services[reached.service]
            if service.term is None:
                continue
            expected = service.users / 1_000 * TICKETS_PER_THOUSAND_USERS
            for _ in range(min(TICKETS_MAX, _poisson(chance, expected))):
                at_ms = reached.at_ms + round(TICKET_DELAY_MS_MEDIAN * chance.lognormvariate(0, 0.8))
                if at_ms < fault.ended_ms:
                    self._ticket(fault.name, service.term, at_ms)

    def _ticket(self, fault: str, term: str, at_ms: int) -> None:
        number, chance = len(self.told), self._chance
        document = {
            "timestamp": at_ms,
            "webhookEvent": "jira:issue_created",
            "issue": {
                "key": f"HELP-{number}",
                "fields": {
                    "summary": chance.choice(PROSE).format(term=term),
                    "created": _time(at_ms),
                    "priority": {"name": "Medium"},
                    "status": {"name": "Open", "statusCategory": {"key": "new"}},
                    "reporter": {"accountId": f"person-{chance.randrange(PEOPLE)}"},
                },
            },
        }
        self._tell(at_ms, "alerts.raw.jira", document, fault)

    # -- what means nothing

    def noise(self, level: Level, begin_ms: int, span_ms: int) -> None:
        """Chronic conditions and single ones that belong to nothing."""
        chance, services = self._chance, sorted(self._world.services)
        chronic = [(chance.choice(services), chance.choice(NOISE_SYMPTOMS)) for _ in range(CHRONIC_CONDITIONS)]
        for number in range(round(level.noise * span_ms / DAY_MS)):
            name, symptom = (
                chance.choice(chronic) if number % 2 else (chance.choice(services), chance.choice(NOISE_SYMPTOMS))
            )
            at_ms = begin_ms + chance.randrange(span_ms)
            end_ms = at_ms + round(10 * MINUTE_MS * chance.lognormvariate(0, 0.7))
            self._condition(NOISE, "metrics", symptom, name, self._labels(self._world.services[name]), at_ms, end_ms)

    def changes(self, begin_ms: int, span_ms: int) -> None:
        """Changes that went well."""
        names = sorted(self._world.services)
        for _ in range(round(CHANGES_A_DAY * span_ms / DAY_MS)):
            ref = self._world.services[self._chance.choice(names)].ref
            self.change(ref, begin_ms + self._chance.randrange(span_ms))

    def change(self, ref: str, at_ms: int) -> None:
        """A change on record."""
        document = {
            "change_id": f"change-{len(self.told)}",
            "kind": "deployment",
            "summary": f"release of {ref.rpartition('/')[2]}",
            "targets": [ref],
            "started_at": _time(at_ms),
        }
        self._tell(at_ms, "changes", document, NOISE)


def make_day(
    world: World, faults: Iterable[Fault], level: Level, begin_ms: int, seed: int, span_ms: int = DAY_MS
) -> Day:
    """Everything that arrives about these faults and about nothing, in order of arrival."""
    teller = _Teller(world, seed)
    for fault in faults:
        teller.fault(fault)
    teller.noise(level, begin_ms, span_ms)
    teller.changes(begin_ms, span_ms)
    day = Day()
    for record, told in _numbered(sorted(teller.told)):
        day.records.append(record)
        day.truth[record.topic, record.offset, 0] = told.fault
    return day


def _numbered(told: Sequence[_Told]) -> Iterator[tuple[StreamRecord, _Told]]:
    offsets: dict[str, int] = {}
    for each in told:
        offset = offsets[each.topic] = offsets.get(each.topic, -1) + 1
        key = b"production" if each.topic == "changes" else None
        yield StreamRecord(each.topic, 0, offset, each.arrives_ms, key, orjson.dumps(each.document)), each


def _poisson(chance: random.Random, mean: float) -> int:
    """A Poisson number (Knuth's method; means here are small)."""
    count, product, limit = -1, 1.0, 2.718281828459045**-mean
    while product > limit:
        product *= chance.random()
        count += 1
    return max(0, count)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds")
