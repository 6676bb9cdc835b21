"""Unpacking fetched batches: the same records and positions as the library's own way, which is slower."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from struct import pack, pack_into
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchError, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException, OffsetOutOfRangeError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as some

from pipeline.core.step import StreamRecord
from pipeline.runtime.unpack import Answer, next_answer, take

PLACE: Final = TopicPartition("wire.alerts", 3)
OTHER: Final = TopicPartition("wire.alerts", 4)
START_MS: Final = 1_700_000_000_000
CRC_AT, ATTRIBUTES_AT, LAST_OFFSET_DELTA_AT = 17, 21, 23
CONTROL: Final = 0x20
GZIP: Final = 1
ABORT, COMMIT = 0, 1


class Batch(NamedTuple):
    """A batch of a partition's log. ``kept``: offsets in it that compaction has left."""

    offset: int
    kept: Sequence[int]
    length: int
    producer: int = -1
    mark: int | None = None
    compressed: bool = False
    headers: Sequence[tuple[str, bytes | None]] = ()

    def to_bytes(self) -> bytes:
        """As the broker sends it."""
        builder = DefaultRecordBatchBuilder(
            2, GZIP if self.compressed else 0, int(self.producer >= 0), self.producer, 0, 0, 1_000_000
        )
        if self.mark is not None:
            builder.append(0, START_MS, pack(">hh", 0, self.mark), b"\x00\x00\x00\x00\x00\x00", [])
        for offset in self.kept:
            key, value = b"key-%d" % (self.offset + offset), None if offset % 5 == 4 else b"x" * 100
            builder.append(offset, START_MS + offset, key, value, list(self.headers))
        data = bytearray(builder.build())
        pack_into(">q", data, 0, self.offset)
        pack_into(">i", data, LAST_OFFSET_DELTA_AT, self.length - 1)
        if self.mark is not None:
            data[ATTRIBUTES_AT + 1] |= CONTROL
        pack_into(">I", data, CRC_AT, calc_crc32c(data[ATTRIBUTES_AT:]))
        return bytes(data)


class Position:
    """What aiokafka's state of a partition says to the parts under test."""

    paused = False

    def __init__(self, position: int) -> None:
        self.position = position

    def consumed_to(self, position: int) -> None:
        self.position = position


def whole(offset: int, length: int = 4, **more: Any) -> Batch:
    return Batch(offset, range(length), length, **more)


def mark(offset: int, producer: int, kind: int) -> Batch:
    return Batch(offset, (), 1, producer=producer, mark=kind)


def fetched(
    batches: Sequence[Batch],
    start: int = 0,
    aborted: Sequence[tuple[int, int]] = (),
    data: bytes | None = None,
    place: TopicPartition = PLACE,
) -> tuple[FetchResult, Position]:
    """A fetch result, as aiokafka makes it of a broker's answer; aborted: producer and its first offset."""
    position = Position(start)
    assignment = SimpleNamespace(active=True, state_value=lambda place: position)
    sent = MemoryRecords(b"".join(batch.to_bytes() for batch in batches) if data is None else data)
    source = PartitionRecords(place, sent, list(aborted), start, None, None, True, READ_COMMITTED)
    return FetchResult(place, assignment=assignment, partition_records=source, backoff=0), position


def unpacked(batches: Sequence[Batch], start: int = 0, aborted: Sequence[tuple[int, int]] = ()) -> tuple[Any, int]:
    """Our records and the position behind them, checked against aiokafka's own."""
    result, position = fetched(batches, start, aborted)
    taken = Answer(result).unpacked("alerts")
    reference, behind = fetched(batches, start, aborted)
    theirs = [
        StreamRecord("alerts", each.partition, each.offset, each.timestamp, each.key, each.value, each.headers)
        for each in reference.getall()
    ]
    assert taken.records == theirs
    assert position.position == behind.position
    return taken, position.position


def offsets(taken: Any) -> list[int]:
    return [record.offset for record in taken.records]


def test_records_have_their_logical_topic_and_everything_that_was_written() -> None:
    headers: Any = (("schema", b"2"), ("empty", None))
    taken, behind = unpacked([Batch(10, [0], 1, headers=headers), Batch(11, [4], 5)], start=10)
    assert taken.records == [
        StreamRecord("alerts", 3, 10, START_MS, b"key-10", b"x" * 100, headers),
        StreamRecord("alerts", 3, 15, START_MS + 4, b"key-15", None, ()),
    ]
    assert behind == 16


def test_aborted_records_are_left_out_and_those_of_the_same_producer_after_the_mark_are_not() -> None:
    log = [
        whole(0, producer=7),
        whole(4, producer=8),
        mark(8, 7, ABORT),
        whole(9, producer=7),
        mark(13, 8, COMMIT),
        mark(14, 7, COMMIT),
    ]
    taken, behind = unpacked(log, aborted=[(7, 0)])
    assert offsets(taken) == [4, 5, 6, 7, 9, 10, 11, 12]
    assert behind == 15


def test_an_answer_of_aborted_records_and_marks_alone_moves_the_position() -> None:
    taken, behind = unpacked([whole(0, producer=7), mark(4, 7, ABORT)], aborted=[(7, 0)])
    assert taken.records == []
    assert behind == 5


def test_a_reader_that_was_sent_to_the_middle_of_a_batch_gets_the_rest_of_it() -> None:
    taken, behind = unpacked([whole(0), whole(4)], start=2)
    assert offsets(taken) == [2, 3, 4, 5, 6, 7]
    assert behind == 8


def test_gaps_of_compaction_are_passed_over_up_to_the_end_of_the_batch() -> None:
    taken, behind = unpacked([Batch(0, [1, 3], 10), Batch(10, [], 5), Batch(20, [0], 2)])
    assert offsets(taken) == [1, 3, 20]
    assert behind == 22


def test_the_size_is_what_was_sent_unless_that_was_compressed() -> None:
    plain = [whole(0), whole(4)]
    assert unpacked(plain)[0].size == sum(len(batch.to_bytes()) for batch in plain)
    taken = unpacked([whole(0), whole(4, compressed=True)])[0]
    assert taken.size is None
    assert offsets(taken) == list(range(8))


def test_a_batch_with_a_wrong_checksum_is_an_error_and_leaves_the_position() -> None:
    data = bytearray(whole(0).to_bytes() + whole(4).to_bytes())
    data[-1] ^= 1
    result, position = fetched([], data=bytes(data))
    with pytest.raises(CorruptRecordException):
        Answer(result).unpacked("alerts")
    assert position.position == 0


def test_the_bytes_of_an_answer_are_given_back_at_once_and_do_not_wait_for_the_collector() -> None:
    result, _ = fetched([whole(0)])
    bytes_held = weakref.ref(result._partition_records)
    gc.disable()
    try:
        assert Answer(result).unpacked("alerts").records
        del result
        assert bytes_held() is None
    finally:
        gc.enable()


@given(some.data())
def test_any_log_gives_the_records_and_the_position_that_the_library_gives(data: some.DataObject) -> None:
    batches: list[Batch] = []
    open_at: dict[int, int] = {}
    aborted: list[tuple[int, int]] = []
    offset = 0
    for _ in range(data.draw(some.integers(1, 8))):
        producer = data.draw(some.sampled_from((-1, 7, 8)))
        if producer in open_at and data.draw(some.booleans()):
            kind = data.draw(some.sampled_from((ABORT, COMMIT)))
            batches.append(mark(offset, producer, kind))
            began = open_at.pop(producer)
            aborted += [(producer, began)] if kind == ABORT else []
        else:
            length = data.draw(some.integers(1, 5))
            kept = sorted(data.draw(some.sets(some.integers(0, length - 1))))
            compressed = bool(kept) and data.draw(some.booleans())
            batches.append(Batch(offset, kept, length, producer=producer, compressed=compressed))
            if producer >= 0:
                open_at.setdefault(producer, offset)
        offset += batches[-1].length + data.draw(some.integers(0, 2))
    unpacked(batches, data.draw(some.integers(0, batches[0].length - 1)), aborted)


def fetcher(**results: Any) -> Any:
    """A fetcher with what has come, in order, for places by name; it says what is assigned and who was woken."""
    places = {"here": PLACE, "there": OTHER}
    woken: list[object] = []
    return SimpleNamespace(
        _records={places[name]: result for name, result in results.items()},
        _wait_consume_future="waiter",
        _notify=woken.append,
        _subscriptions=SimpleNamespace(is_assigned=lambda place: place == PLACE),
        woken=woken,
    )


def test_an_answer_is_taken_once_and_the_fetcher_may_ask_for_more() -> None:
    ours = fetcher(here=fetched([whole(0)])[0])
    answer = next_answer(ours, {PLACE})
    assert answer is not None
    assert answer.place == PLACE
    assert ours.woken == ["waiter"]
    assert next_answer(ours, {PLACE}) is None


def test_what_came_for_a_partition_that_is_not_wanted_now_stays_and_of_one_that_left_us_goes() -> None:
    ours = fetcher(there=fetched([whole(0)])[0], here=fetched([whole(0)])[0])
    assert next_answer(ours, {TopicPartition("another", 0)}) is None
    assert list(ours._records) == [PLACE]


def test_an_answer_that_a_seek_has_overtaken_is_dropped_and_asked_for_again() -> None:
    result, position = fetched([whole(0)])
    position.position = 100
    ours = fetcher(here=result)
    assert next_answer(ours, {PLACE}) is None
    assert ours._records == {}
    assert ours.woken == ["waiter"]


def test_an_error_is_raised_once() -> None:
    ours = fetcher(here=FetchError(error=OffsetOutOfRangeError({PLACE: 5}), backoff=0))
    with pytest.raises(OffsetOutOfRangeError):
        next_answer(ours, {PLACE})
    assert next_answer(ours, {PLACE}) is None


def test_an_error_waits_until_the_records_before_it_are_handed_over() -> None:
    ours = fetcher(here=fetched([whole(0)])[0], there=FetchError(error=OffsetOutOfRangeError({OTHER: 5}), backoff=0))
    taken = take(ours, {PLACE, OTHER}, 1_000_000, "wire.")
    assert [(place, offsets(found)) for place, found in taken.items()] == [(PLACE, [0, 1, 2, 3])]
    assert taken[PLACE].records[0].topic == "alerts"
    with pytest.raises(OffsetOutOfRangeError):
        take(ours, {PLACE, OTHER}, 1_000_000, "wire.")


def test_no_more_answers_are_taken_than_fill_a_turn() -> None:
    ours = fetcher(here=fetched([whole(0)])[0], there=fetched([whole(0)], place=OTHER)[0])
    assert list(take(ours, {PLACE, OTHER}, 1, "")) == [PLACE]
    assert list(take(ours, {PLACE, OTHER}, 1, "")) == [OTHER]
