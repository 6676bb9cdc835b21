"""What aiokafka has fetched, unpacked batch by batch into the core's own records.

aiokafka makes an object of eleven fields of every record, one by one through a generator; that cost more than reading
the record did. Here a fetched answer is taken whole, and what holds for a batch is looked at once for it: its
checksum, whether its transaction was aborted, whether it is a mark, where reading goes on behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, NamedTuple, cast

from aiokafka.consumer.fetcher import FetchError
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import TopicPartition

from pipeline.core.step import Record, StreamRecord

_ANY_ISOLATION: Final = 0
"""aiokafka's number for reading what is not committed, too."""

_make: Final = cast("Callable[[type[StreamRecord], tuple[Any, ...]], StreamRecord]", tuple.__new__)
"""A named tuple without the call of its own `__new__`, which would be half of the cost of a record."""


class Taken(NamedTuple):
    """Records of one partition.

    Attributes:
        records: in order; none where everything fetched was aborted, or marks.
        size: bytes that the broker sent for them; None where that says little about them, as they were compressed.
    """

    records: list[Record]
    size: int | None


class Answer:
    """One partition's part of a fetched answer. Once its batches are read, the reader's position is behind them.

    Attributes:
        place: the partition.
        size: bytes, as the broker sent them.
    """

    def __init__(self, result: Any) -> None:
        self.place: TopicPartition = result._topic_partition
        self.size: int = result._partition_records._records.size_in_bytes()
        self._result = result
        # Not used here, and it holds its owner and the megabytes of the answer until the collector, which runs seldom.
        result._partition_records._records_iterator = None

    def batches(self) -> Iterator[tuple[Any, int]]:
        """Batches with records that readers of committed records see, each with the first offset that counts.

        Raises:
            CorruptRecordException: a checksum is wrong. The position stays before the answer.
        """
        source = self._result._partition_records
        fetched = source._records
        while fetched.has_next():
            batch = fetched.next_batch()
            if source._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self.place}")
            if _visible(source, batch):
                yield batch, source.next_fetch_offset
            # The batch knows its end even if compaction took its last record: reading always gets on.
            source.next_fetch_offset = batch.next_offset
        self._result._update_position()

    def unpacked(self, topic: str) -> Taken:
        """All records, under the given topic name.

        Raises:
            CorruptRecordException: a checksum is wrong.
        """
        number, plain = self.place.partition, True
        make, kind = _make, StreamRecord
        records: list[Record] = []
        for batch, first in self.batches():
            plain = plain and type(batch) is DefaultRecordBatch and not batch.compression_type
            found = [
                make(
                    kind,
                    (
                        topic,
                        number,
                        each.offset,
                        each.timestamp,
                        each.key,
                        each.value,
                        tuple(headers) if (headers := each.headers) else (),
                    ),
                )
                for each in batch
            ]
            if found and found[0].offset < first:  # we were sent to the middle of the batch
                found = [each for each in found if each.offset >= first]
            records += found
        return Taken(records, self.size if plain else None)


def next_answer(fetcher: Any, places: Collection[TopicPartition]) -> Answer | None:
    """Take the oldest answer that has come for one of the partitions, or None. The fetcher may ask for more then.

    Raises:
        KafkaError: the broker's answer was an error.
    """
    for place in list(fetcher._records):
        if place in places:
            result = _removed(fetcher, place)
            if type(result) is FetchError:
                result.check_raise()
            elif result.check_assignment(place) and result.has_more():
                return Answer(result)
        elif not fetcher._subscriptions.is_assigned(place):
            del fetcher._records[place]
    return None


async def wait_for_answer(fetcher: Any, seconds: float) -> None:
    """Return when another answer has come, or after so many seconds.

    Raises:
        KafkaError: we have no right to read.
    """
    waiter = fetcher._create_fetch_waiter()
    await asyncio.wait([waiter], timeout=seconds)
    if waiter.done():
        waiter.result()
    else:
        waiter.cancel()


def take(
    fetcher: Any, places: Collection[TopicPartition], bytes_enough: int, prefix: str
) -> dict[TopicPartition, Taken]:
    """Whole answers of some partitions until they are enough, under the logical names of their topics.

    Args:
        fetcher: aiokafka's.
        places: partitions whose records are wanted.
        bytes_enough: stop at so many; the last answer may go over.
        prefix: what the topics' names on the broker begin with.

    Raises:
        KafkaError: the broker's answer was an error; not while there are records to hand over.
    """
    taken: dict[TopicPartition, Taken] = {}
    size = 0
    while size < bytes_enough and not (taken and _error_waits(fetcher, places)):
        answer = next_answer(fetcher, places)
        if answer is None:
            break
        taken[answer.place] = answer.unpacked(answer.place.topic.removeprefix(prefix))
        size += answer.size
    return taken


def _error_waits(fetcher: Any, places: Collection[TopicPartition]) -> bool:
    """The oldest of what has come for the partitions is an error, which `next_answer` would raise."""
    first = next((result for place, result in fetcher._records.items() if place in places), None)
    return type(first) is FetchError


def _removed(fetcher: Any, place: TopicPartition) -> Any:
    result = fetcher._records.pop(place)
    fetcher._notify(fetcher._wait_consume_future)
    return result


def _visible(source: Any, batch: Any) -> bool:
    """Whether the batch holds records for a reader; keeps count of the aborted transactions on the way."""
    if source._isolation_level == _ANY_ISOLATION or batch.producer_id is None:
        return not batch.is_control_batch
    source._consume_aborted_up_to(batch.base_offset)
    if batch.is_control_batch:
        if source._contains_abort_marker(batch):
            source._aborted_producers.discard(batch.producer_id)
        return False
    return not (batch.is_transactional and batch.producer_id in source._aborted_producers)
