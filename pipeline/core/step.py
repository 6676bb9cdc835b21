"""The contract between the pure core and whatever runs it: live agents, replay, the simulator, tests.

A `Processor` holds the decisions and the state of one stage for one input partition. Records go in; outputs,
decisions and state changes come out. It never asks the clock: time is the stream's, and never goes back.

    processor.restore(key, value)            # each record of the changelog, then
    processor.restored()
    processor.handle(records, effects)       # one batch or parts of it; effects gather what to write
    processor.finish(effects)                # what a batch writes once
    processor.take_changes()                 # what the changelog must get in the same transaction
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple, Protocol

import orjson

from pipeline.core.overtaking import Overtaking
from pipeline.core.timers import Timers
from pipeline.flow import DEAD_LETTER_TOPIC
from pipeline.models.decision import BadRecord, Decision, Disposition, Origin
from pipeline.models.wire import to_json

TICK_KEY: Final = b"spillway.tick"
"""Key of a tick: a record that carries nothing but time."""

CONFIG_HEADER: Final = "spillway-config"
"""Header of a tick from which on another configuration decides: the version of that."""

PARTITION_KEY: Final = b"spillway.partition"
"""State key of what belongs to the partition as a whole: its clock and its ledger."""

PARTITION_SCHEMA: Final = 1

_NAMES: Final[dict[str, str]] = {each: each.value for each in Disposition}
"""The plain string of each disposition, as the ledger's come back from the changelog."""

Headers = Sequence[tuple[str, bytes]]


class Record(Protocol):
    """One Kafka record. ``timestamp``: epoch milliseconds."""

    @property
    def topic(self) -> str:
        """Logical name of the topic."""

    @property
    def partition(self) -> int:
        """Partition number."""

    @property
    def offset(self) -> int:
        """Offset in the partition."""

    @property
    def timestamp(self) -> int:
        """Record timestamp, epoch milliseconds."""

    @property
    def key(self) -> bytes | None:
        """Record key."""

    @property
    def value(self) -> bytes | None:
        """Record value, as it came."""

    @property
    def headers(self) -> Headers:
        """Record headers, in order."""


class StreamRecord(NamedTuple):
    """A `Record`, wherever it comes from: a topic, a recording, a test."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Output(NamedTuple):
    """One record to write. The partition follows from the key unless it is given."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Headers = ()
    partition: int | None = None


@dataclass(slots=True)
class Effects:
    """What a batch comes to: records to write, what became of each alert, and what is counted of how it came to that.

    Attributes:
        unmatched: alerts about nothing known, by feed.
        rules: episodes by correlation rule and what the rule did of them (`pipeline.core.clustering.ruling`).
        hidden: alerts that were hidden, by what hid them and how that ended (`pipeline.models.suppression`).
        pages_saved: people who were not called for what was hidden, by what hid it.
        came_back: what downstreams sent, by sink and what became of it (`pipeline.models.delivery.UpdateReason`).
        folded: alerts that go on inside the record of an equal one, by feed.
        ahead_ms: by feed, how far the newest time that a source told is ahead of the brokers' clock, the most of all
            its alerts; below 0 where it is behind, or was under way.
    """

    outputs: list[Output] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    unmatched: dict[str, int] = field(default_factory=dict)
    rules: dict[tuple[str, str], int] = field(default_factory=dict)
    hidden: dict[tuple[str, str], int] = field(default_factory=dict)
    pages_saved: dict[str, int] = field(default_factory=dict)
    came_back: dict[tuple[str, str], int] = field(default_factory=dict)
    folded: dict[str, int] = field(default_factory=dict)
    ahead_ms: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Ledger:
    """Conservation of one partition: received = forwarded + the sum of all dispositions, at any time.

    Attributes:
        received: alerts that came in to be decided.
        forwarded: alerts handed to the next stage, which decides them.
        decided: alerts by `Disposition`.
    """

    received: int = 0
    forwarded: int = 0
    decided: dict[str, int] = field(default_factory=dict)

    def remainder(self) -> int:
        """Alerts unaccounted for; anything but 0 is a defect."""
        return self.received - self.forwarded - sum(self.decided.values())


class Processor(ABC):
    """One stage's decisions over the state of one input partition.

    Attributes:
        stage: the stage's word.
        clock_ms: stream time: the newest record timestamp seen, epoch milliseconds. Never goes back.
        ledger: conservation counts of this partition.
        timers: deadlines; `on_timer` is called with each that is due, before the record that made it due.
        config_version: the configuration that decides; "" where nobody says.
        decided_by: the configuration that decided last, as the state says; None without state.
        pressed: more waits than one transaction takes: what can be said in fewer words should be.
        ahead: logical topic -> its records that were decided before their turn, of stages that look ahead.
    """

    stage: ClassVar[str]

    def __init__(self) -> None:
        self.clock_ms = 0
        self.ledger = Ledger()
        self.timers = Timers()
        self.config_version = ""
        self.decided_by: str | None = None
        self.pressed = False
        self.ahead: Mapping[str, Overtaking] = {}
        self._dirty: dict[str, bytes | None] = {}
        self._touched = False

    # -- what a stage implements

    @abstractmethod
    def process(self, record: Record, effects: Effects) -> None:
        """Decide one record.

        Raises:
            BadRecord: the record is at fault. Raised before anything was changed.
        """

    def on_timer(self, key: str, due_ms: int, effects: Effects) -> None:
        """Act on a deadline. ``due_ms`` is the time it was set for, and is 'now' for the decision."""

    def on_tick(self, record: Record, effects: Effects) -> None:
        """Take a tick, which may say something in its headers. It is no alert and is not counted as one."""

    def goes_ahead(self, record: Record, ahead: Overtaking) -> bool:
        """Whether a record shall be decided before its turn, and if so, note it among those. By default all wait."""
        del record, ahead
        return False

    def load(self, key: str, value: bytes) -> None:
        """Take one state record back from the changelog."""

    def dump(self, key: str) -> bytes | None:
        """The state record of a key as the changelog shall hold it; None where the key is gone."""
        raise LookupError(f"{self.stage} keeps no state under {key!r}")

    def finish(self, effects: Effects) -> None:
        """A batch is decided: write what is written once a batch. What is compared byte for byte belongs to records."""

    def restored(self) -> None:
        """All state records are back: rebuild what is derived from them."""

    # -- what the runtime calls

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take the newest changelog record of a key; called once for each key, None counts as gone."""
        if key == PARTITION_KEY:
            if value is not None:
                self._load_partition(orjson.loads(value))
        elif value is not None:
            self.load(key.decode(), value)

    def handle(self, records: Iterable[Record], effects: Effects) -> None:
        """Decide a batch, in order. A bad record becomes a dead letter and the rest goes on.

        For each record stream time advances to it and what is due fires, then the record is decided. A decision may
        set a deadline that has passed already: the next record fires it, also one that is late.
        """
        timers, process = self.timers, self.process
        for record in records:
            self._touched = True
            stamp_ms, clock_ms = record.timestamp, self.clock_ms
            now_ms = stamp_ms if stamp_ms > clock_ms else clock_ms
            if timers.may_be_due(now_ms):
                self.advance(now_ms, effects)
            else:
                self.clock_ms = now_ms
            if record.key == TICK_KEY and record.value is None:  # with a value it is a record, whatever its key
                self.on_tick(record, effects)
                continue
            try:
                process(record, effects)
            except BadRecord as bad:
                self.refuse(record, bad, effects)

    def handle_one(self, record: Record, effects: Effects) -> None:
        """Decide a batch of one."""
        self.handle((record,), effects)

    def refuse(self, record: Record, bad: BadRecord, effects: Effects) -> None:
        """Send a record to the dead letter, counted as one alert."""
        self.ledger.received += 1
        effects.outputs.append(dead_letter(self.stage, record, bad))
        origin = Origin(record.topic, record.partition, record.offset, 0)
        self.decide(effects, Decision(origin, Disposition.DEAD_LETTERED, bad.reason, record.timestamp))

    def advance(self, now_ms: int, effects: Effects) -> None:
        """Move stream time forward, firing each deadline on the way at its own time, in order."""
        while self.fire(now_ms, effects):
            pass
        self.clock_ms = max(self.clock_ms, now_ms)

    def fire(self, now_ms: int, effects: Effects) -> bool:
        """Fire the earliest deadline that is due at ``now_ms``, at its own time; False where none is."""
        fired = self.timers.pop(now_ms)
        if fired is None:
            return False
        due_ms, key = fired
        self.clock_ms = max(self.clock_ms, due_ms)
        self._touched = True
        self.on_timer(key, self.clock_ms, effects)
        return True

    def next_deadline_ms(self) -> int | None:
        """When the next deadline is due, or None."""
        return self.timers.next_ms()

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """State records changed since the last call, in the order of their first change; None means removed."""
        if not self._touched and not self._dirty:
            return []
        dump = self.dump
        changes = [(key.encode(), dump(key) if value is None else value) for key, value in self._dirty.items()]
        self._dirty.clear()
        self._touched = False
        changes.append((PARTITION_KEY, self._dump_partition()))
        return changes

    def forget_changes(self) -> None:
        """Forget what `take_changes` would give: for those that keep no changelog."""
        self._dirty.clear()
        self._touched = False

    # -- for the stages

    def touch(self, key: str, value: bytes | None = None) -> None:
        """Mark a state key as changed, so that it goes to the changelog: with its newest value, or else its `dump`."""
        self._dirty[key] = value

    def decide(self, effects: Effects, decision: Decision) -> None:
        """Note what became of an alert, in the effects and in the ledger."""
        decided = self.ledger.decided
        name = _NAMES[decision.disposition]
        decided[name] = decided.get(name, 0) + 1
        effects.decisions.append(decision)

    def _dump_partition(self) -> bytes:
        ledger = self.ledger
        return to_json(
            {
                "schema": PARTITION_SCHEMA,
                "clock_ms": self.clock_ms,
                "received": ledger.received,
                "forwarded": ledger.forwarded,
                "decided": ledger.decided,
                "config": self.config_version,
            }
        )

    def _load_partition(self, document: dict[str, Any]) -> None:
        if document["schema"] != PARTITION_SCHEMA:
            raise ValueError(f"{self.stage}: partition record of schema {document['schema']}, not {PARTITION_SCHEMA}")
        self.clock_ms = document["clock_ms"]
        self.decided_by = document.get("config", "")  # older releases do not say
        self.ledger = Ledger(document["received"], document["forwarded"], document["decided"])


def named_version(record: Record) -> str | None:
    """The version of the configuration that decides after this record; None where it says nothing of that."""
    if record.key != TICK_KEY or record.value is not None:
        return None
    return next((value.decode(errors="replace") for name, value in record.headers if name == CONFIG_HEADER), None)


def dead_letter(stage: str, record: Record, bad: BadRecord) -> Output:
    """The dead letter of a record: its bytes as they came, and headers that say where from and why.

    Original headers are kept; ours are prefixed ``spillway-``.
    """
    said = (
        ("spillway-stage", stage),
        ("spillway-reason", bad.reason),
        ("spillway-detail", bad.detail),
        ("spillway-topic", record.topic),
        ("spillway-partition", str(record.partition)),
        ("spillway-offset", str(record.offset)),
        ("spillway-timestamp", str(record.timestamp)),
    )
    headers = (*record.headers, *((name, text.encode()) for name, text in said))
    return Output(DEAD_LETTER_TOPIC, record.key, record.value, record.timestamp, headers)
