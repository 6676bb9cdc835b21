"""What stands beside an offset: it fits, the next owner knows what went ahead, and a crash claims nothing."""

from __future__ import annotations

from typing import Final

import pytest

from pipeline.core.overtaking import Overtaking
from pipeline.core.step import Record, StreamRecord
from pipeline.runtime.note import ERROR_CHARACTERS_MAX, Crash, OffsetNote
from pipeline.runtime.offset_notes import OffsetNotes
from pipeline.runtime.quarantine import Quarantine
from pipeline.runtime.transaction import OversizedRecordError
from tests.runtime.test_lanes import RUNAWAY, context
from tests.runtime.toy import Count

OFFSET_METADATA_BYTES_MAX: Final = 4_096
"""Kafka's default of ``offset.metadata.max.bytes``."""


def notes() -> OffsetNotes:
    return OffsetNotes(context(), Quarantine())


def test_a_note_with_all_that_may_stand_in_it_fits_beside_an_offset() -> None:
    topics = {f"a-topic-of-a-long-name-{number}": 1_000 for number in range(4)}
    ahead, offset = Overtaking(), 2**34
    while ahead.has_room(offset, 1):
        ahead.add(offset, [str(offset)])
        offset += 2**21
    crash = Crash(2, offset, offset, "x" * ERROR_CHARACTERS_MAX)
    note = OffsetNote("A" * 22, "B" * 22, topics, crash, ahead.to_text())

    assert len(note.to_text()) < OFFSET_METADATA_BYTES_MAX
    assert OffsetNote.from_text(note.to_text()) == note


def test_what_stands_beside_an_offset_is_ahead_for_the_next_owner() -> None:
    ahead = Overtaking()
    ahead.add(70, ["disk"])
    subject = notes()
    subject.learn(RUNAWAY, OffsetNote(ahead=ahead.to_text()).to_text())
    records: list[Record] = [StreamRecord(RUNAWAY, 0, offset, 0, None, b"x") for offset in range(68, 73)]

    assert [record.offset for record in subject.undecided(RUNAWAY, records, 69)] == [69, 71, 72]
    assert OffsetNote.from_text(subject.texts({RUNAWAY: 69})[RUNAWAY]).ahead
    assert OffsetNote.from_text(subject.texts({RUNAWAY: 71})[RUNAWAY]).ahead == ""


def test_where_a_record_has_crashed_a_worker_nothing_goes_ahead_until_it_is_passed() -> None:
    subject = notes()
    subject.learn(RUNAWAY, OffsetNote("T", crash=Crash(1, None, 80, "RuntimeError")).to_text())
    assert not subject.may_go_ahead(RUNAWAY)
    subject.committed({RUNAWAY: 81})
    assert subject.may_go_ahead(RUNAWAY)


class Willing(Count):
    """Lets everything go ahead; what crashes the toy crashes the question, too."""

    def goes_ahead(self, record: Record, ahead: Overtaking) -> bool:
        if record.value == b"crash":
            raise RuntimeError("the toy was told to crash")
        ahead.add(record.offset, [f"condition {record.offset}"])
        return True


def test_what_has_had_its_turn_in_the_meantime_goes_not_again() -> None:
    subject, processor = notes(), Willing()
    records = [StreamRecord(RUNAWAY, 0, offset, 0, None, b"x") for offset in (5, 9, 9, 12)]
    going, beside = subject.going_ahead(processor, records, {RUNAWAY: 6})
    assert [record.offset for record in going] == [9, 12]
    assert beside == {RUNAWAY: 6}
    assert subject.going_ahead(processor, records, {}) == ([], {})


def test_a_record_that_crashes_a_worker_on_its_way_ahead_is_the_one_that_is_blamed() -> None:
    quarantine = Quarantine()
    subject = OffsetNotes(context(), quarantine)
    said = ((5, b"x"), (9, b"crash"))
    records: list[Record] = [StreamRecord(RUNAWAY, 0, offset, 0, None, value) for offset, value in said]
    with pytest.raises(RuntimeError) as raised:
        subject.going_ahead(Willing(), records, {RUNAWAY: 2})
    crashes = quarantine.blame(raised.value)

    assert {topic: crash[:3] for topic, crash in crashes.items()} == {RUNAWAY: (1, 9, 9)}
    successor = notes()
    successor.learn(RUNAWAY, subject.of_crashes(crashes)[RUNAWAY])
    assert not successor.may_go_ahead(RUNAWAY)
    assert successor.undecided(RUNAWAY, records, 2) == records


def test_what_was_not_committed_did_not_go_ahead_and_what_was_before_stays_so() -> None:
    quarantine = Quarantine()
    subject = OffsetNotes(context(), quarantine)
    records: list[Record] = [StreamRecord(RUNAWAY, 0, offset, 0, None, b"x") for offset in (5, 9, 12)]
    going, beside = subject.going_ahead(Willing(), records[:1], {RUNAWAY: 2})
    subject.committed(beside)
    going, _ = subject.going_ahead(Willing(), records, {RUNAWAY: 2})
    quarantine.hold(going)
    crashes = quarantine.blame(OversizedRecordError("too large"))

    assert {topic: crash[:3] for topic, crash in crashes.items()} == {RUNAWAY: (1, 9, 9)}, "and not a whole backlog"
    successor = notes()
    successor.learn(RUNAWAY, subject.of_crashes(crashes)[RUNAWAY])
    assert successor.undecided(RUNAWAY, records, 2) == records[1:]
