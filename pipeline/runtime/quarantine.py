"""Quarantine: a record that makes the decisions raise, again and again, goes to the dead letter.

An unexpected exception leaves the state in memory in doubt, so it ends the process. Before that, a note of the crash
is committed beside the input offset, which stays where it was (`pipeline.runtime.note`). The next owner of the
partition reads the note and gives the suspected record a transaction of its own, or, where it is one of several, each
of them. After `CRASHES_MAX` crashes at one record the next owner refuses it unread: bytes intact, reason
``quarantined``, the error in the detail. The note goes with the first commit that passes the record.

Not counted are ends that no record is to blame for: a kill, a failed commit, a hook, a deadline that fires. A record
that takes the process down without an exception (out of memory, a fault in native code) is not seen either: a note
before each batch would cost every batch a round trip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import length_hint
from types import TracebackType
from typing import Final

from pipeline.core.step import TICK_KEY, Effects, Processor, Record, StreamRecord
from pipeline.models.decision import BadRecord, Reason
from pipeline.runtime.context import StageContext
from pipeline.runtime.guard import log_line
from pipeline.runtime.note import ERROR_CHARACTERS_MAX, Crash
from pipeline.runtime.transaction import OversizedRecordError

CRASHES_MAX: Final = 3
"""Crashes at one record, after which it is refused unread: one may be the machine's fault, and so may two."""

TIMER_ADVICE: Final = (
    "a deadline raised, and no record is at fault: quarantine cannot help; install a release that handles it, "
    "or remove the state key from the changelog"
)


class Quarantine:
    """What is known of crashes in one partition, and who is to blame for the next.

    Attributes:
        crashes: logical topic -> its pending note, as it came with the offset or as the last crash made it.
        ahead: what is in hand is decided before its turn: to suspect all up to it would suspect a backlog.
    """

    def __init__(self) -> None:
        self.crashes: dict[str, Crash] = {}
        self._blamed: Sequence[Record] = ()
        self._in_hand: Sequence[Record] = ()
        self._slice: tuple[int, Iterator[Record]] | None = None
        self.ahead = False

    def hold(self, records: Sequence[Record]) -> None:
        """These records are handled from here on, and one of them is to blame for what is raised."""
        self._in_hand = self._blamed = records
        self._slice = None

    def slice(self, start: int, stop: int) -> Iterator[Record]:
        """Some of the records held, to be decided; where a defect stops the iterator tells which it was."""
        records = iter(self._in_hand[start:stop])
        self._slice = min(stop, len(self._in_hand)), records
        return records

    def acquit(self) -> None:
        """What is raised from here on is no record's fault."""
        self._blamed = ()

    def blame(self, error: Exception) -> dict[str, Crash]:
        """The notes that a defect leaves, by logical topic; none where no record is to blame."""
        if isinstance(error, OversizedRecordError):
            return self._crashed(self._in_hand, None, error)
        if not self._blamed:
            return {}
        position = None if self._slice is None else self._slice[0] - length_hint(self._slice[1]) - 1
        return self._crashed(self._blamed, position, error)

    def offset_of(self, topic: str) -> int:
        """Offset of the first record of a topic that is in hand."""
        return next(record.offset for record in self._in_hand if record.topic == topic)

    def portions(self, records: Sequence[Record]) -> Iterator[Sequence[Record]]:
        """A batch in the pieces that it must be handled in: suspected records alone, others as they come."""
        if not self.crashes:
            yield records
            return
        start = 0
        for position, record in enumerate(records):
            if self._suspected(record):
                if start < position:
                    yield records[start:position]
                yield records[position : position + 1]
                start = position + 1
        if start < len(records):
            yield records[start:]

    def _suspected(self, record: Record) -> bool:
        crash = self.crashes.get(record.topic)
        if crash is None or record.offset > crash.through:
            return False
        return crash.offset is None or crash.offset == record.offset

    def refused(self, record: Record) -> Crash | None:
        """The note of a record that is refused from now on, or None."""
        crash = self.crashes.get(record.topic)
        if crash is None or crash.offset != record.offset or crash.times < CRASHES_MAX:
            return None
        return crash

    def pending(self, topic: str, following: int) -> Crash | None:
        """The note that an offset must carry: none once it has passed the suspected records."""
        crash = self.crashes.get(topic)
        return None if crash is None or crash.through < following else crash

    def passed(self, topic: str, following: int) -> None:
        """An offset is committed: forget what lies before it."""
        if topic in self.crashes and self.pending(topic, following) is None:
            del self.crashes[topic]

    def _crashed(self, records: Sequence[Record], position: int | None, error: Exception) -> dict[str, Crash]:
        said = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS_MAX]
        if len(records) == 1:
            return {records[0].topic: self._at(records[0], said)}
        # A stage that reads ahead would point at the wrong record. If that had happened, there would be a note: then
        # trust no position any more.
        if position is not None and not self.crashes:
            return {records[position].topic: self._at(records[position], said)}
        if self.ahead:  # the first of each topic stands for them: nothing of it goes ahead until that has had its turn
            firsts = {record.topic: record for record in reversed(records)}
            return {topic: self._at(record, said) for topic, record in firsts.items()}
        last = {record.topic: record.offset for record in records}
        return {topic: Crash(self._count(topic) + 1, None, through, said) for topic, through in last.items()}

    def _at(self, record: Record, error: str) -> Crash:
        before = self.crashes.get(record.topic)
        same = before is not None and (
            before.offset == record.offset or (before.offset is None and self._suspected(record))
        )
        return Crash((before.times if before is not None and same else 0) + 1, record.offset, record.offset, error)

    def _count(self, topic: str) -> int:
        before = self.crashes.get(topic)
        return before.times if before is not None and before.offset is None else 0


def set_aside(processor: Processor, record: Record, crash: Crash, effects: Effects) -> None:
    """Send a record to the dead letter without deciding it. Time goes on to it, as to any other."""
    tick = StreamRecord(record.topic, record.partition, record.offset, record.timestamp, TICK_KEY, None)
    processor.handle([tick], effects)
    said = f"crashed {crash.times} workers, the last with {crash.error}"
    processor.refuse(record, BadRecord(Reason.QUARANTINED, said), effects)


def tell_quarantined(context: StageContext, partition: int, record: Record, crash: Crash) -> None:
    """Log that a record was refused unread, and where to find it."""
    log_line(
        "record quarantined",
        stage=context.stage,
        topic=context.settings.wire(record.topic),
        partition=partition,
        offset=record.offset,
        crashes=crash.times,
        error=crash.error,
        see="spillway dead-letter list --reason quarantined",
    )


def timer_at_fault(error: BaseException) -> str | None:
    """The state key whose deadline raised, "" where it cannot be told, or None where none did."""
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_name == "on_timer":
            return str(traceback.tb_frame.f_locals.get("key", ""))
        traceback = traceback.tb_next
    return None
