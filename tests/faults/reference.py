"""The reference: what the outputs must be, computed by the pure core from the inputs as they are on the brokers.

A stage's partition is deterministic in the order of its records. Where it reads one topic, that is the topic's order.
Where it reads several, the journal says what each committed transaction took, and within a transaction records go
by timestamp, each topic's own order kept. So the reference is exact for every interleaving that the brokers, the
load and the faults came to, with nothing asked of the workers.

Each stage is judged on its own: its reference starts from what is on its input topics, and those are outputs of a
stage before it (judged there) or what the load handed over (known).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from heapq import merge
from itertools import permutations
from math import inf
from typing import Final

from pipeline.agents.processors import processor_factory
from pipeline.core.identity import partition_of
from pipeline.core.overtaking import Overtaking
from pipeline.core.step import TICK_KEY, Effects, Ledger, Output, Processor, StreamRecord
from pipeline.flow import STAGE_BY_NAME
from pipeline.models.decision import BadRecord, Reason
from pipeline.runtime.note import OffsetNote
from pipeline.runtime.quarantine import CRASHES_MAX
from tests.faults.journal import Taken, transactions
from tests.faults.site import Digest, Place, Site, digest, is_tick
from tests.faults.worker import Bug

COMPACTED: Final = ("incidents.state",)
"""Output topics of which brokers keep the newest record of each key, and may drop the others."""

Source = tuple[str, int]
"""Whose outputs they are: a stage and its input partition, or the load."""

LOAD: Final = ("load", 0)

Found = Mapping[Place, Mapping[Digest, Sequence[int]]]
"""Place -> record -> where it stands there, to decide between orders that the journal leaves open."""


def standing(there: Mapping[Place, Sequence[Digest]]) -> Found:
    """Where each record stands."""
    found: dict[Place, dict[Digest, list[int]]] = {}
    for place, digests in there.items():
        positions = found[place] = {}
        for position, name in enumerate(digests):
            positions.setdefault(name, []).append(position)
    return found


def stand_so(outputs: Iterable[tuple[Place, Digest]], found: Found) -> bool:
    """Whether all of these are there, and those of one place in this order."""
    reached: dict[Place, int] = {}
    for place, name in outputs:
        after = reached.get(place, -1)
        following = next((at for at in found.get(place, {}).get(name, ()) if at > after), None)
        if following is None:
            return False
        reached[place] = following
    return True


def _by_source() -> dict[Source, list[Digest]]:
    return defaultdict(list)


@dataclass(slots=True)
class Expectation:
    """What the topics must hold.

    Attributes:
        outputs: place -> source -> digests of its records there, in order.
        newest: topic and key -> digest of the last record, of compacted topics.
        states: (stage, partition) -> changelog key -> value; None where the key is gone.
        ledgers: (stage, partition) -> its counts.
        faults: what is wrong with the journal itself.
        transactions: how many were committed.
        ahead: records that were decided before their turn.
    """

    outputs: dict[Place, dict[Source, list[Digest]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    newest: dict[tuple[str, bytes | None], Digest] = field(default_factory=dict)
    states: dict[Source, dict[bytes, bytes | None]] = field(default_factory=dict)
    ledgers: dict[Source, Ledger] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    transactions: int = 0
    ahead: int = 0


Records = Mapping[Place, Sequence[StreamRecord]]
"""What is on the topics, each partition in order."""


def expect(site: Site, records: Records, found: Found, bug: Bug | None = None) -> Expectation:
    """Compute what a site's topics must hold.

    Args:
        site: whose load has ended and whose workers have stopped.
        records: what its topics hold.
        found: where each of them stands.
        bug: a defect that lasts: the records that show it must be quarantined.
    """
    expectation = Expectation()
    for place, digests in site.sent.items():
        expectation.outputs[place][LOAD] = digests
    journal = transactions(site.read_offsets(), [site.settings.group(stage) for stage in site.stages])
    for stage in site.stages:
        factory = processor_factory(stage, site.config)
        for partition in range(max(site.counts[topic] for topic in site.inputs(stage))):
            taken = journal.get((site.settings.group(stage), partition), [])
            expectation.transactions += len(taken)
            _Play(site, (stage, partition), factory, records, found, expectation, bug).run(taken)
    return expectation


class _Play:
    """One stage's partition, played again."""

    def __init__(
        self,
        site: Site,
        source: Source,
        factory: Callable[[], Processor],
        records: Records,
        found: Found,
        expectation: Expectation,
        bug: Bug | None,
    ) -> None:
        self._bug = bug if bug is not None and bug.stage == source[0] else None
        self._site = site
        self._stage, self._partition = self._source = source
        self._factory = factory
        self._processor = factory()
        self._processor.restored()
        self._found = found
        self._expectation = expectation
        self._state: dict[bytes, bytes | None] = {}
        topics = [topic for topic in site.inputs(self._stage) if self._partition < site.counts[topic]]
        self._inputs = {topic: records[topic, self._partition] for topic in topics}
        self._ahead = {topic: Overtaking() for topic in topics}
        self._processor.ahead = self._ahead
        self._next = dict.fromkeys(topics, 0)
        self._offsets = dict.fromkeys(topics, 0)

    def run(self, taken: Sequence[Taken]) -> None:
        for transaction in taken:
            logical = {
                topic: topic.removeprefix(self._site.settings.topic_prefix) for topic in transaction.next_offsets
            }
            early = [
                self._gone_ahead(logical[topic], OffsetNote.from_text(text).ahead)
                for topic, text in transaction.texts.items()
            ]
            batch = [self._slice(logical[topic], offset) for topic, offset in transaction.next_offsets.items()]
            for output in self._handle([records for records in (*early, *batch) if records], ahead=any(early)):
                self._expect(output)
            for topic, offset in transaction.next_offsets.items():
                self._ahead[logical[topic]].passed(offset)
        self._expectation.states[self._source] = self._state
        self._expectation.ledgers[self._source] = self._processor.ledger
        for topic, records in self._inputs.items():
            end = self._site.settled.get((self._site.settings.wire(topic), self._partition), inf)
            rest = records[self._next[topic] :]
            if left := sum(record.offset < end and not is_tick(record) for record in rest):
                self._fault(f"{left} records of {topic} were never taken")

    def _gone_ahead(self, topic: str, text: str) -> Sequence[StreamRecord]:
        """Records that went before their turn with a transaction: those that its note names for the first time."""
        noted, before = Overtaking.from_text(text), self._ahead[topic]
        if not noted:
            return ()
        news = [each for each in self._inputs[topic] if each.offset in noted and each.offset not in before]
        if news:
            self._ahead[topic] = noted
            self._expectation.ahead += len(news)
        return news

    def _slice(self, topic: str, following: int) -> Sequence[StreamRecord]:
        """What a transaction took of a topic."""
        if following < self._offsets[topic]:  # the same again is a note beside it, or a proof of ownership
            self._fault(f"the offset of {topic} went from {self._offsets[topic]} to {following}")
        self._offsets[topic] = following
        records, begin = self._inputs[topic], self._next[topic]
        end = begin
        while end < len(records) and records[end].offset < following:
            end += 1
        self._next[topic] = max(begin, end)
        return [record for record in records[begin:end] if record.offset not in self._ahead[topic]]

    def _handle(self, by_topic: Sequence[Sequence[StreamRecord]], *, ahead: bool = False) -> list[Output]:
        tied, folds = len(by_topic) > 1 and _ties(by_topic), self._stage == "ingest" and not ahead
        if not (tied or folds):
            return self._decide(_in_order(by_topic))
        # Which topic goes first where timestamps are equal is chance; so is whether more waited, in which case ingest
        # folds repeats. What was written tells.
        orders = permutations(by_topic) if tied else iter([by_topic])
        tries = ((ordered, pressed) for ordered in orders for pressed in ((False, True) if folds else (False,)))
        known, before = dict(self._state), self._processor
        outputs: list[Output] = []
        for ordered, pressed in tries:
            self._processor, self._state = self._again(known, before), dict(known)
            self._processor.pressed = pressed
            outputs = self._decide(_in_order(list(ordered)))
            asked = [output for output in outputs if output.topic not in COMPACTED]  # of those some may be gone
            if stand_so([(self._place(output), _digest(output)) for output in asked], self._found):
                break
        return outputs

    def _again(self, state: Mapping[bytes, bytes | None], before: Processor) -> Processor:
        """A processor with that state, as a worker that takes over has it; without any, with the counts so far."""
        processor = self._factory()
        processor.ahead = self._ahead
        if not STAGE_BY_NAME[self._stage].stateful:
            processor.ledger, processor.clock_ms = deepcopy(before.ledger), before.clock_ms
        for key, value in state.items():
            processor.restore(key, value)
        processor.restored()
        return processor

    def _decide(self, records: list[StreamRecord]) -> list[Output]:
        effects = Effects()
        for record in records:
            if self._bug is not None and self._bug.mark in (record.value or b""):
                self._give_up(record, self._bug, effects)
            else:
                self._processor.handle((record,), effects)
        self._processor.finish(effects)
        if STAGE_BY_NAME[self._stage].stateful:
            self._state.update(self._processor.take_changes())
        return effects.outputs

    def _give_up(self, record: StreamRecord, bug: Bug, effects: Effects) -> None:
        """What becomes of a record that crashes whoever decides it: time goes on, and its bytes are set aside."""
        self._processor.handle((record._replace(key=TICK_KEY, value=None),), effects)
        said = f"crashed {CRASHES_MAX} workers, the last with {bug.error}"
        self._processor.refuse(record, BadRecord(Reason.QUARANTINED, said), effects)

    def _place(self, output: Output) -> Place:
        partition = output.partition
        if partition is None:
            partition = 0 if output.key is None else partition_of(output.key, self._site.counts[output.topic])
        return output.topic, partition

    def _expect(self, output: Output) -> None:
        name = _digest(output)
        self._expectation.outputs[self._place(output)][self._source].append(name)
        if output.topic in COMPACTED:
            self._expectation.newest[output.topic, output.key] = name

    def _fault(self, text: str) -> None:
        self._expectation.faults.append(f"{self._stage}-{self._partition}: {text}")


def _digest(output: Output) -> Digest:
    return digest(output.key, output.value, output.timestamp_ms, output.headers)


def _in_order(by_topic: Sequence[Sequence[StreamRecord]]) -> list[StreamRecord]:
    return list(merge(*by_topic, key=lambda record: record.timestamp))


def _ties(by_topic: Sequence[Sequence[StreamRecord]]) -> bool:
    """Whether records of different topics have one timestamp. A tick changes nothing by standing first or second."""
    stamps = [{record.timestamp for record in records if not is_tick(record)} for records in by_topic]
    return len(set().union(*stamps)) < sum(len(each) for each in stamps)
