"""What monitors, people and tools say about a day: raw records as they arrive, and which fault each is about.

What arrives is not the truth: monitors miss some of what fails and see it late, some labels are lost, each source's
clock is wrong in its own way, messages are stuck in a queue and come late and out of order, a condition flaps, people
write prose, changes are recorded that did nothing, some shortly before a failure and next to it, and some things alarm
for nothing at all.

Fitted to the real data (docs/quality.md compares them): conditions a component, and how they come after its first.
Everything else is a guess: what is missed and lost, how late and how wrong sources are, how many tickets, changes and
false alarms there are.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import orjson

from benchmarks.quality.episodes import Place
from benchmarks.quality.faults import DAY_MS, MINUTE_MS, SECOND_MS, Fault, FaultKind, Level, Reached, make_works
from benchmarks.quality.symptoms import (
    CALLER_SYMPTOMS,
    HOST_SYMPTOMS,
    IDLE_PROSE,
    KIND_SYMPTOMS,
    NOISE_SYMPTOMS,
    PROSE,
    ROOT_SYMPTOMS,
    Symptom,
    feed_of,
)
from benchmarks.quality.world import Service, World
from pipeline.core.step import StreamRecord

CONDITIONS: Final = (1, 1, 2, 2, 3)
"""Conditions that a failing component has; the real ones, where every figure of a process is watched, have 2 to 7."""
SEEN_SHARE: Final = 0.85
SERVICE_LABEL_LOST_SHARE: Final = 0.08
HOST_LABEL_SHARE: Final = 0.5
CALLEE_NAMED_SHARE: Final = 0.35
RESOLVED_SHARE: Final = 0.95
FLAPPING_SHARE: Final = 0.04
REPEAT_MS: Final = 5 * MINUTE_MS
# A condition is told when a rule has held for a while, and again by a queue or two: seconds, sometimes a minute.
ARRIVAL_MS_MEDIANS: Final = {"metrics": 6 * SECOND_MS, "hosts": 6 * SECOND_MS, "apm": 15 * SECOND_MS}
ARRIVAL_SPREAD: Final = 0.9
# From the moment when a service begins to fail to the first alert of a condition: rules want it to hold for a while,
# and some conditions (queues, memory) take minutes to show.
ONSET_MS_MEDIAN: Final = 30 * SECOND_MS
ONSET_SPREAD: Final = 1.0
LATE_SHARE: Final = 0.2
LATE_MS_MEDIAN: Final = 5 * MINUTE_MS
STUCK_SHARE: Final = 0.02
STUCK_MS_MEDIAN: Final = 4 * MINUTE_MS
"""Messages that come late and after later ones, and by how much."""
SKEW_MS_MAX: Final = {"metrics": 5 * SECOND_MS, "hosts": 45 * SECOND_MS, "apm": 45 * SECOND_MS}
"""How wrong the clock of each source may be, either way; each company's are drawn anew."""
CHRONIC_CONDITIONS: Final = 15
CHANGES_A_DAY: Final = 60
MISLEADING_SHARE: Final = 0.3
MISLEADING_MS: Final = (1 * MINUTE_MS, 20 * MINUTE_MS)
"""Failures with a change on record that did nothing, shortly before and on something that fails too, or beside it."""
ANNOUNCED_MS: Final = 30 * MINUTE_MS
WORK_MARGIN_MS: Final = 10 * MINUTE_MS
"""How long before work begins it is announced, and for how much longer than it takes."""
TICKETS_PER_THOUSAND_USERS: Final = 1.2
TICKETS_MAX: Final = 25
IDLE_TICKETS_SHARE: Final = 0.15
"""Tickets about nothing that failed, for each false alarm."""
TICKET_DELAY_MS_MEDIAN: Final = 6 * MINUTE_MS
PEOPLE: Final = 3_000

NOISE: Final = ""
"""The class of what belongs to no fault; each such episode is a class of its own."""


@dataclass(slots=True)
class Day:
    """All that arrives, in order, and the truth about it.

    Attributes:
        records: raw topics and changes, by arrival.
        truth: place of an alert -> name of the fault; `NOISE` for none.
        works: maintenance, each a fault of its own that the faults of the day do not hold.
    """

    records: list[StreamRecord] = field(default_factory=list)
    truth: dict[Place, str] = field(default_factory=dict)
    works: list[Fault] = field(default_factory=list)


class _Told(NamedTuple):
    """A message on its way."""

    arrives_ms: int
    order: int
    topic: str
    document: dict[str, Any]
    fault: str


class _Teller:
    """Makes the messages of one day."""

    def __init__(self, world: World, seed: int, begin_ms: int) -> None:
        self._world = world
        self._begin_ms = begin_ms
        self._chance = random.Random(f"stream-{seed}")  # noqa: S311 a repeatable sequence, not a secret
        clocks = random.Random(f"clocks-{seed}")  # noqa: S311
        self._skew_ms = {feed: round(clocks.uniform(-most, most)) for feed, most in SKEW_MS_MAX.items()}
        self.told: list[_Told] = []

    # -- faults

    def fault(self, fault: Fault) -> None:
        """Everything that is said about a fault."""
        self._symptoms(fault)
        self._tickets(fault)
        if fault.kind is FaultKind.DEPLOYMENT:
            self.change(fault.root, fault.at_ms - round(self._chance.uniform(0.5, 5) * MINUTE_MS))
        if self._chance.random() < MISLEADING_SHARE:
            self._mislead(fault)
        if fault.again:
            began_ms = fault.again[0].at_ms
            self._symptoms(replace(fault, at_ms=began_ms, reached=fault.again, ended_ms=fault.again_ended_ms))

    def work(self, work: Fault) -> None:
        """Everything that is said about maintenance, and before it."""
        self._symptoms(work)
        if not work.is_expected:
            return
        document = {
            "change_id": work.name,
            "kind": "maintenance",
            "summary": f"maintenance of {work.root.rpartition('/')[2]}",
            "targets": [work.root],
            "started_at": _time(work.at_ms - WORK_MARGIN_MS),
            "ended_at": _time(work.ended_ms + WORK_MARGIN_MS),
            "suppress": True,
        }
        self._tell(work.at_ms - ANNOUNCED_MS, "changes", document, NOISE)

    def _symptoms(self, fault: Fault) -> None:
        if fault.host is not None:
            symptom, labels = HOST_SYMPTOMS[fault.kind], {"host": fault.host}
            self._condition(fault.name, "hosts", symptom, fault.host, labels, fault.at_ms, fault.ended_ms)
        for reached in fault.reached:
            self._service(fault, reached)

    def _mislead(self, fault: Fault) -> None:
        """A change that did nothing, on something that fails too or stands beside it."""
        chance, services = self._chance, self._world.services
        beside = [each.service for each in fault.reached if services[each.service].ref != fault.root]
        if fault.reached and (not beside or chance.random() < 0.4):
            application = services[fault.reached[0].service].application
            beside = [name for name, each in services.items() if each.application == application]
        others = [name for name in beside if services[name].ref != fault.root]
        if others:
            self.change(services[chance.choice(others)].ref, fault.at_ms - round(chance.uniform(*MISLEADING_MS)))

    def _service(self, fault: Fault, reached: Reached) -> None:
        chance, service = self._chance, self._world.services[reached.service]
        own = KIND_SYMPTOMS.get(fault.kind, ()) if reached.hops == 0 else ()
        pool = (*own, *(ROOT_SYMPTOMS if reached.hops == 0 else CALLER_SYMPTOMS))
        for symptom in chance.sample(pool, min(len(pool), chance.choice(CONDITIONS))):
            if chance.random() >= SEEN_SHARE:
                continue
            median_ms = LATE_MS_MEDIAN if chance.random() < LATE_SHARE else ONSET_MS_MEDIAN
            begin_ms = reached.at_ms + round(median_ms * chance.lognormvariate(0, ONSET_SPREAD))
            end_ms = fault.ended_ms + round(60 * SECOND_MS * chance.lognormvariate(0, 0.6))
            through = reached.through if chance.random() < CALLEE_NAMED_SHARE else None
            labels = self._labels(service, begin_ms)
            self._condition(fault.name, feed_of(symptom), symptom, service.name, labels, begin_ms, end_ms, through)

    def _labels(self, service: Service, at_ms: int) -> dict[str, str]:
        chance, labels = self._chance, {"namespace": service.application}
        if chance.random() >= SERVICE_LABEL_LOST_SHARE:
            labels["service"] = service.name
        if service.hosts and chance.random() < HOST_LABEL_SHARE:
            labels["host"] = chance.choice(self._world.hosts_of(service.name, at_ms - self._begin_ms))
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
        delay_ms = round(ARRIVAL_MS_MEDIANS[feed] * chance.lognormvariate(0, ARRIVAL_SPREAD))
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
        skew_ms = self._skew_ms[feed]
        if self._chance.random() < STUCK_SHARE:
            arrives_ms += round(STUCK_MS_MEDIAN * self._chance.lognormvariate(0, 0.6))
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
                    self._ticket(fault.name, PROSE, service.term, at_ms)

    def _ticket(self, fault: str, prose: Sequence[str], term: str, at_ms: int) -> None:
        number, chance = len(self.told), self._chance
        document = {
            "timestamp": at_ms,
            "webhookEvent": "jira:issue_created",
            "issue": {
                "key": f"HELP-{number}",
                "fields": {
                    "summary": chance.choice(prose).format(term=term),
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
            labels = self._labels(self._world.services[name], at_ms)
            self._condition(NOISE, feed_of(symptom), symptom, name, labels, at_ms, end_ms)
        terms = sorted({each.term for each in self._world.services.values() if each.term is not None})
        for _ in range(round(IDLE_TICKETS_SHARE * level.noise * span_ms / DAY_MS)):
            self._ticket(NOISE, IDLE_PROSE, chance.choice(terms), begin_ms + chance.randrange(span_ms))

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
    """Everything that arrives about these faults, about maintenance and about nothing, in order of arrival."""
    teller = _Teller(world, seed, begin_ms)
    day = Day(works=make_works(world, begin_ms, seed, span_ms))
    for fault in faults:
        teller.fault(fault)
    for work in day.works:
        teller.work(work)
    teller.noise(level, begin_ms, span_ms)
    teller.changes(begin_ms, span_ms)
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
