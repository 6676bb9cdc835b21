"""The checker: whether the topics hold what they must, each record once, in order, byte for byte."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain

import orjson

from pipeline.core.step import PARTITION_KEY, StreamRecord
from pipeline.flow import DEAD_LETTER_TOPIC, RAW_TOPIC_PREFIX, STAGE_BY_NAME, changelog_topic
from pipeline.models.decision import Reason
from tests.faults.reference import COMPACTED, LOAD, Expectation, Source, expect, standing
from tests.faults.site import Digest, Place, Site, digest, is_tick
from tests.faults.worker import Bug


def outputs(stages: Iterable[str]) -> tuple[str, ...]:
    """Topics that stages write, changelogs aside."""
    return tuple(dict.fromkeys(topic for stage in stages for topic in STAGE_BY_NAME[stage].writes))


class Check(StrEnum):
    """What can be wrong."""

    LOST = "lost"
    DUPLICATED = "duplicated"
    FOREIGN = "foreign"
    """A record that nobody should have written: altered, or decided differently."""
    ORDER = "order"
    REVISIONS = "revisions"
    STATE = "state"
    CONSERVATION = "conservation"
    POISON = "poison"
    OFFSETS = "offsets"


@dataclass(slots=True)
class Verdict:
    """What a check came to.

    Attributes:
        records: output records compared.
        transactions: committed ones.
        ahead: records that were decided before their turn.
        repeated_input: records of the load that its own client stored twice; each is an input like any other.
        counts: by what is wrong; empty where all is right.
        said: sentences on what is wrong, the first of each kind.
    """

    records: int = 0
    transactions: int = 0
    ahead: int = 0
    repeated_input: int = 0
    counts: Counter[Check] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Nothing is wrong."""
        return not self.counts

    def note(self, check: Check, sentence: str, count: int = 1) -> None:
        """Something is wrong."""
        if not self.counts[check]:
            self.said.append(f"{check}: {sentence}")
        self.counts[check] += count


def check(site: Site, bug: Bug | None = None) -> Verdict:
    """Check everything that a site's topics hold. Its load has ended, all is settled, its workers have stopped."""
    verdict = Verdict()
    inputs = (topic for stage in site.stages for topic in site.inputs(stage))
    records = site.read(dict.fromkeys([*inputs, *outputs(site.stages)]))
    found = {place: [digest_of(record) for record in there if not is_tick(record)] for place, there in records.items()}
    counted: dict[str, Counter[Digest]] = defaultdict(Counter)
    for (topic, _), digests in found.items():
        counted[topic].update(digests)
    site.discard_doubtful(counted)
    expectation = expect(site, records, standing(found), bug)
    verdict.transactions, verdict.ahead = expectation.transactions, expectation.ahead
    for fault in expectation.faults:
        verdict.note(Check.OFFSETS, fault)
    for place in sorted(found.keys() | expectation.outputs.keys()):
        verdict.records += len(found.get(place, ()))
        expected: Mapping[Source, Sequence[Digest]] = expectation.outputs.get(place, {})
        if place[0] in COMPACTED:
            expected = _kept(expected, set(found[place]) | set(expectation.newest.values()))
        compare(place, found.get(place, []), expected, verdict)
    check_revisions(chain.from_iterable(records[place] for place in site.places("incidents")), verdict)
    check_states(site, expectation, verdict)
    check_conservation(expectation, verdict)
    check_poison(site, chain.from_iterable(records[place] for place in site.places(DEAD_LETTER_TOPIC)), verdict)
    return verdict


def _kept(expected: Mapping[Source, Sequence[Digest]], kept: Set[Digest]) -> dict[Source, list[Digest]]:
    """What a compacted topic must hold: the newest of each key, and of the others those that it holds still."""
    return {source: [each for each in digests if each in kept] for source, digests in expected.items()}


def digest_of(record: StreamRecord) -> Digest:
    """All bytes of a record, as sixteen."""
    return digest(record.key, record.value, record.timestamp, record.headers)


def compare(
    place: Place, found: Sequence[Digest], expected: Mapping[Source, Sequence[Digest]], verdict: Verdict
) -> None:
    """Compare one partition with what its sources wrote there: each record once, each source's order kept.

    What the load wrote may be there twice: after a leader's death its client (librdkafka) may take a batch that was
    stored for one that was not. The reference goes by what is there, so nothing of ours hides behind it.
    """
    wanted = Counter(each for digests in expected.values() for each in digests)
    there = Counter(found)
    for each, count in (wanted - there).items():
        source = next(name for name, digests in expected.items() if each in digests)
        at = list(expected[source]).index(each)
        verdict.note(Check.LOST, f"{place}: record {at} of {len(expected[source])} of {source} is missing", count)
    for each, count in (there - wanted).items():
        if expected.keys() == {LOAD} and each in wanted:
            verdict.repeated_input += count
            continue
        kind = Check.DUPLICATED if each in wanted else Check.FOREIGN
        verdict.note(kind, f"{place}: data record {found.index(each)} of {len(found)}", count)
    if wanted == there:
        _compare_order(place, found, expected, verdict)


def _compare_order(
    place: Place, found: Sequence[Digest], expected: Mapping[Source, Sequence[Digest]], verdict: Verdict
) -> None:
    """Walk the partition: each record must be the next one of a source."""
    heads: dict[Digest, list[Source]] = defaultdict(list)
    at = dict.fromkeys(expected, 0)
    for source, digests in expected.items():
        if digests:
            heads[digests[0]].append(source)
    for number, each in enumerate(found):
        waiting = heads.get(each)
        if not waiting:
            verdict.note(Check.ORDER, f"{place}: data record {number} comes out of its source's order")
            return
        source = waiting.pop()
        at[source] += 1
        if at[source] < len(expected[source]):
            heads[expected[source][at[source]]].append(source)


def check_revisions(records: Iterable[StreamRecord], verdict: Verdict) -> None:
    """Every incident's revisions are 1, 2, 3... — told by the events alone, without a reference."""
    last: dict[str, int] = defaultdict(int)
    for record in records:
        event = orjson.loads(record.value or b"{}")
        name, revision = event["incident_id"], event["revision"]
        if revision != last[name] + 1:
            verdict.note(Check.REVISIONS, f"incident {name}: revision {revision} follows {last[name]}")
        last[name] = revision


def check_states(site: Site, expectation: Expectation, verdict: Verdict) -> None:
    """The changelogs hold the reference's state."""
    stateful = [changelog_topic(stage) for stage in site.stages if STAGE_BY_NAME[stage].stateful]
    changelogs = site.read(stateful)
    for (stage, partition), state in expectation.states.items():
        if not STAGE_BY_NAME[stage].stateful:
            continue
        newest = {record.key or b"": record.value for record in changelogs[changelog_topic(stage), partition]}
        wanted = {key: value for key, value in state.items() if value is not None}
        there = {key: value for key, value in newest.items() if value is not None}
        differing = [key for key in wanted.keys() | there.keys() if wanted.get(key) != there.get(key)]
        if differing:
            verdict.note(Check.STATE, f"{stage}-{partition}: {min(differing)!r} differs", len(differing))


def check_conservation(expectation: Expectation, verdict: Verdict) -> None:
    """What was received is what was forwarded and decided: in every partition by the state that the changelog
    holds, and from one stage to the next."""
    received: Counter[str] = Counter()
    forwarded: Counter[str] = Counter()
    for source, ledger in expectation.ledgers.items():
        stage, partition = source
        state = expectation.states[source].get(PARTITION_KEY)
        told = orjson.loads(state) if state else None
        if told and told["received"] != told["forwarded"] + sum(told["decided"].values()):
            verdict.note(Check.CONSERVATION, f"{stage}-{partition}: the changelog's ledger does not add up: {told}")
        if ledger.remainder():
            verdict.note(Check.CONSERVATION, f"{stage}-{partition}: remainder {ledger.remainder()}")
        received[stage] += ledger.received
        forwarded[stage] += ledger.forwarded
    for stage, following in (("ingest", "dedupe"), ("dedupe", "correlate")):
        if forwarded[stage] != received[following]:
            verdict.note(
                Check.CONSERVATION, f"{stage} forwarded {forwarded[stage]}, {following} received {received[following]}"
            )


def check_poison(site: Site, letters: Iterable[StreamRecord], verdict: Verdict) -> None:
    """The dead letters of raw topics are the poison that was handed over, bytes intact: told without a reference."""
    wanted = Counter((record.key, record.value) for record in site.poison)
    there = Counter(
        (record.key, record.value)
        for record in letters
        if _said(record, "spillway-topic").startswith(RAW_TOPIC_PREFIX)
        and _said(record, "spillway-reason") != Reason.QUARANTINED
    )
    if missing := (wanted - there).total():
        verdict.note(Check.POISON, f"{missing} of {wanted.total()} bad records are not in the dead letter", missing)
    if more := (there - wanted).total():
        verdict.note(Check.POISON, f"{more} dead letters are not what was sent", more)


def _said(record: StreamRecord, header: str) -> str:
    return dict(record.headers).get(header, b"").decode()
