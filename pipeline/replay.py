"""Replay: the whole pipeline over a recording, without a broker, by the same core that runs live.

One partition for every topic. Stream time follows the recording; between two records each stage whose deadline
has come gets a tick at the next whole second, as the owner of an idle partition writes them live. Records that
stages write are handled in the order in which they were written, so the same input gives the same output.

A recorded tick that names a version of the configuration is where all stages go on under that one, as live: by new
processors that get the state of those before.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from pipeline.agents.processors import build_processor
from pipeline.agents.shared import Shared
from pipeline.core.alerts.dedupe import DedupeProcessor
from pipeline.core.alerts.feed_watch import SIGN_MS, FeedWatch, read_to_end
from pipeline.core.step import TICK_KEY, Effects, Output, Processor, StreamRecord, named_version
from pipeline.flow import RAW_TOPIC_PREFIX, SECOND_MS, STAGE_BY_NAME
from pipeline.models.decision import Decision
from pipeline.models.policy import Config

STAGES: Final = ("ingest", "dedupe", "correlate", "bridge", "problem")
"""What decides. Deliver and record carry outwards what was decided."""

FORGET_STEPS: Final = 1_000
"""Between two times at which what nobody asks for is forgotten: a batch of a stage, live."""

_STAGES_OF: Final[dict[str, tuple[str, ...]]] = {
    topic: tuple(stage for stage in STAGES if topic in STAGE_BY_NAME[stage].reads)
    for name in STAGES
    for topic in STAGE_BY_NAME[name].reads
    if not topic.startswith(RAW_TOPIC_PREFIX)
}


@dataclass(frozen=True, slots=True)
class Step:
    """One record from outside, or a tick, and what the pipeline had written after everything had settled.

    Attributes:
        record: what to produce, in topic, key, value, headers and timestamp.
        is_tick: it carries nothing but time.
        written: records on each topic so far, by logical name; empty where nothing is kept.
        decisions: what became of the alerts of the record, in their order inside it.
        events: incident events that it led to, in order.
    """

    record: StreamRecord
    is_tick: bool
    written: dict[str, int]
    decisions: list[Decision]
    events: list[Output]


@dataclass(slots=True)
class Outcome:
    """All that a replay came to.

    Attributes:
        decisions: one for each alert, in the order of the recording.
        events: incident events, in order.
        dead_letters: records that could not be processed.
        suppressions: what was hidden from people, in the order in which that ended.
        problems: problem events, in order.
    """

    decisions: list[Decision] = field(default_factory=list)
    events: list[Output] = field(default_factory=list)
    dead_letters: list[Output] = field(default_factory=list)
    suppressions: list[Output] = field(default_factory=list)
    problems: list[Output] = field(default_factory=list)


Watch = Callable[[Processor, StreamRecord, Effects], None]
"""Called after each record with the processor that handled it and what came of it."""


class UnknownVersionError(Exception):
    """The recording goes on under a configuration that was not given; the message is one line and names it."""


class Replay:
    """The deciding stages, one partition each, driven by hand.

    Attributes:
        processors: by stage.
        outcome: all that it came to, where it is kept.
        dead_letters: records refused so far.
    """

    def __init__(
        self,
        config: Config,
        *later: Config,
        watch: Watch | None = None,
        keep: bool = True,
        privacy_key: bytes | None = None,
    ) -> None:
        """Begin under a configuration.

        Args:
            config: what decides first.
            later: others that records of the recording may name.
            watch: who looks on.
            keep: gather everything in `outcome`; else it stays empty, and the steps alone tell.
            privacy_key: of pseudonyms; without it those of records that came in the clear are others than live.
        """
        self._watch = watch
        self._configs = {each.version: each for each in (config, *later)}
        self._states: dict[str, dict[bytes, bytes | None]] = {stage: {} for stage in STAGES}
        self._privacy_key = privacy_key
        self.processors = _processors(config, privacy_key)
        self._feeds = _watch_of(self.processors)
        self.outcome = Outcome()
        self.dead_letters = 0
        self._keep = keep
        self._written: Counter[str] = Counter()
        self._clock_ms = 0

    def steps(self, recording: Iterable[StreamRecord], *, run_on_seconds: int = 0) -> Iterator[Step]:
        """Play a recording, one step at a time.

        Args:
            recording: records of raw topics, changes and commands, in arrival order.
            run_on_seconds: how long stream time goes on after the last record.
        """
        for record in recording:
            yield from self._advance(record.timestamp)
            self._clock_ms = max(self._clock_ms, record.timestamp)
            version = named_version(record)
            if version is None:
                yield self._settle(record, is_tick=False)
            elif version != self.processors[STAGES[0]].config_version:
                yield from self._renew(record, version)
        if run_on_seconds:
            yield from self._advance(self._clock_ms + run_on_seconds * SECOND_MS)

    def advance(self, now_ms: int) -> Iterator[Step]:
        """Let stream time go on to a moment at which no record came."""
        yield from self._advance(now_ms)
        self._clock_ms = max(self._clock_ms, now_ms)

    def take_changes(self) -> list[tuple[str, bytes, bytes | None]]:
        """Stage, key and value of the state records changed since the last call; None means removed."""
        return [(stage, *each) for stage, processor in self.processors.items() for each in processor.take_changes()]

    def forget_changes(self) -> None:
        """Nobody asks for the state records changed so far: what changed must not be remembered for ever."""
        for processor in self.processors.values():
            processor.forget_changes()

    def restore(self, records: Iterable[tuple[str, bytes, bytes]]) -> None:
        """Take all state records back, before the first step."""
        for stage, key, value in records:
            self.processors[stage].restore(key, value)
        for processor in self.processors.values():
            processor.restored()
        self._clock_ms = max(processor.clock_ms for processor in self.processors.values())

    @property
    def clock_ms(self) -> int:
        """Stream time, epoch milliseconds."""
        return self._clock_ms

    def run(self, recording: Iterable[StreamRecord], *, run_on_seconds: int = 0) -> Outcome:
        """Play a recording to its end."""
        for number, _ in enumerate(self.steps(recording, run_on_seconds=run_on_seconds)):
            if number % FORGET_STEPS == 0 and len(self._configs) == 1:
                self.forget_changes()
        return self.outcome

    def remainder(self) -> int:
        """Alerts unaccounted for over all stages; anything but 0 is a defect."""
        ledgers = {stage: processor.ledger for stage, processor in self.processors.items()}
        handed = ledgers["ingest"].forwarded - ledgers["dedupe"].received
        handed += ledgers["dedupe"].forwarded - ledgers["correlate"].received
        return handed + sum(ledger.remainder() for ledger in ledgers.values())

    def _renew(self, record: StreamRecord, version: str) -> Iterator[Step]:
        """Go on under another configuration; every stage handles the record that names it first, as live.

        Raises:
            UnknownVersionError: it was not given.
        """
        config = self._configs.get(version)
        if config is None:
            raise UnknownVersionError(
                f"{record.topic}, partition {record.partition}, offset {record.offset}: from here on configuration "
                f"{version} decided, and no --config has that version (spillway config check DIR tells a version)"
            )
        firsts = [record.topic, *(STAGE_BY_NAME[stage].reads[0] for stage in STAGES[1:])]
        for topic in dict.fromkeys(firsts):
            named = StreamRecord(topic, 0, record.offset, record.timestamp, TICK_KEY, None, record.headers)
            yield self._settle(named, is_tick=True)
        fresh = _processors(config, self._privacy_key)
        for stage, processor in fresh.items():
            before, state = self.processors[stage], self._states[stage]
            if STAGE_BY_NAME[stage].stateful:
                for key, value in state.items():
                    processor.restore(key, value)
            else:
                processor.ledger, processor.clock_ms = before.ledger, before.clock_ms
            processor.restored()
        self.processors, self._feeds = fresh, _watch_of(fresh)

    def _advance(self, now_ms: int) -> Iterator[Step]:
        """Go on to a moment: what is due on the way, and, where a feed may be missed, that nothing is left unread."""
        while (due_ms := self._feed_due_ms()) is not None and due_ms <= now_ms:
            yield from self._tick(due_ms)
            yield self._settle(read_to_end_record(due_ms), is_tick=True)
            self._clock_ms = due_ms
        yield from self._tick(now_ms)

    def _feed_due_ms(self) -> int | None:
        """The next whole minute after a feed is missed; None: none would be."""
        if self._feeds is None or not self._clock_ms or (due_ms := self._feeds.due_ms()) is None:
            return None
        return -(-max(due_ms, self._clock_ms + 1) // SIGN_MS) * SIGN_MS

    def _tick(self, now_ms: int) -> Iterator[Step]:
        """Tick every stage through the whole seconds up to a moment at which something is due."""
        # Hardly ever is anything due, and this is asked before every record.
        while any(processor.timers.may_be_due(now_ms) for processor in self.processors.values()):
            due_ms = self._next_due_ms()
            if due_ms is None:
                return
            tick_ms = -(-due_ms // SECOND_MS) * SECOND_MS
            if tick_ms > now_ms:
                return
            for stage, processor in self.processors.items():
                deadline_ms = processor.next_deadline_ms()
                if deadline_ms is not None and deadline_ms <= tick_ms:
                    topic = STAGE_BY_NAME[stage].reads[0]
                    yield self._settle(StreamRecord(topic, 0, 0, tick_ms, TICK_KEY, None), is_tick=True)

    def _next_due_ms(self) -> int | None:
        dues = (processor.next_deadline_ms() for processor in self.processors.values())
        return min((due for due in dues if due is not None), default=None)

    def _settle(self, record: StreamRecord, *, is_tick: bool) -> Step:
        """Handle a record and everything that it leads to, in the order of writing."""
        queue, decisions, events = deque(self._readers(record)), list[Decision](), list[Output]()
        while queue:
            stage, current = queue.popleft()
            effects = Effects()
            processor = self.processors[stage]
            processor.handle_one(current, effects)
            processor.finish(effects)
            if self._watch is not None:
                self._watch(processor, current, effects)
            if len(self._configs) > 1:
                self._states[processor.stage].update(processor.take_changes())
            decisions += effects.decisions
            for output in effects.outputs:
                self._written[output.topic] += 1
                if output.topic in _STAGES_OF:
                    queue += self._readers(self._record(output))
                elif output.topic == "incidents":
                    events.append(output)
                elif output.topic == "suppressions" and self._keep:
                    self.outcome.suppressions.append(output)
                elif output.topic == "problems" and self._keep:
                    self.outcome.problems.append(output)
                elif output.topic == "dead.letter":
                    self.dead_letters += 1
                    if self._keep:
                        self.outcome.dead_letters.append(output)
        if len(decisions) > 1:
            decisions.sort(key=lambda decision: decision.origin)
        if self._keep:
            self.outcome.decisions += decisions
            self.outcome.events += events
        return Step(record, is_tick, dict(self._written) if self._keep else {}, decisions, events)

    def _readers(self, record: StreamRecord) -> list[tuple[str, StreamRecord]]:
        """Who handles a record, in the order of the flow."""
        return [(stage, record) for stage in _STAGES_OF.get(record.topic, ("ingest",))]

    def _record(self, output: Output) -> StreamRecord:
        offset = self._written[output.topic] - 1
        return StreamRecord(output.topic, 0, offset, output.timestamp_ms, output.key, output.value, output.headers)


def _processors(config: Config, privacy_key: bytes | None) -> dict[str, Processor]:
    shared = Shared.of(config, privacy_key)
    return {stage: build_processor(stage, shared) for stage in STAGES}


def _watch_of(processors: dict[str, Processor]) -> FeedWatch | None:
    """What hears of feeds, where something is expected of one."""
    dedupe = processors["dedupe"]
    return dedupe.feed_watch if isinstance(dedupe, DedupeProcessor) and dedupe.feed_watch.expects else None


def read_to_end_record(at_ms: int) -> StreamRecord:
    """What the owner of a partition writes that has nothing unread in it."""
    output = read_to_end(0, at_ms)
    return StreamRecord(output.topic, 0, 0, at_ms, output.key, None, output.headers)


def decision_line(decision: Decision) -> bytes:
    """One line of the decisions file."""
    origin = decision.origin
    document = {
        "topic": origin.topic,
        "partition": origin.partition,
        "offset": origin.offset,
        "index": origin.index,
        "disposition": decision.disposition,
        "reason": decision.reason,
        "alert_key": decision.alert_key,
        "episode_id": decision.episode_id,
        "incident_id": decision.incident_id,
        "bridge_id": decision.bridge_id,
    }
    return orjson.dumps(document) + b"\n"


def event_line(key_value_headers: Output) -> bytes:
    """One incident event as a line of the changes file: a CloudEvent in its JSON format."""
    attributes: dict[str, Any] = {}
    for name, value in key_value_headers.headers:
        attributes[name.removeprefix("ce_").replace("content-type", "datacontenttype")] = value.decode()
    attributes["data"] = orjson.Fragment(key_value_headers.value or b"null")
    return orjson.dumps(attributes) + b"\n"


def incident_lines(decisions: Iterable[Decision], events: Iterable[bytes]) -> list[bytes]:
    """The incidents file: one line for each incident at the end, oldest first, with episodes and alerts.

    Args:
        decisions: of all alerts.
        events: values of the incident events, in order.
    """
    snapshots: dict[str, dict[str, Any]] = {}
    timelines: dict[str, list[dict[str, Any]]] = {}
    holder: dict[str, str] = {}
    for value in events:
        event = orjson.loads(value)
        incident_id = event["incident_id"]
        snapshots[incident_id] = event["incident"]
        timelines.setdefault(incident_id, []).extend(event["entries"])
        holder.update(dict.fromkeys(event["joined"], incident_id))
    episodes: dict[str, list[str]] = {}
    for episode_id, incident_id in holder.items():
        episodes.setdefault(incident_id, []).append(episode_id)
    alerts: dict[str, list[list[Any]]] = {}
    for decision in decisions:
        held_by = holder.get(decision.episode_id or "")
        if held_by is not None:
            alerts.setdefault(held_by, []).append(list(decision.origin))
    ordered = sorted(snapshots.values(), key=lambda each: (each["detected_at_ms"], each["id"]))
    return [_incident_line(each, timelines, episodes, alerts) for each in ordered]


def _incident_line(
    snapshot: dict[str, Any],
    timelines: dict[str, list[dict[str, Any]]],
    episodes: dict[str, list[str]],
    alerts: dict[str, list[list[Any]]],
) -> bytes:
    name = snapshot["id"]
    added = {"timeline": timelines[name], "episodes": episodes.get(name, []), "alerts": alerts.get(name, [])}
    return orjson.dumps(snapshot | added) + b"\n"
