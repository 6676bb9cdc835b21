"""One partition's transactional producer: outputs, state changes and input offsets in one Kafka transaction.

Starting it fences whoever owned the partition before and ends what they left open, because both use the same
transactional id. Records go out in whole batches, each record with the timestamp the core gave it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError
from aiokafka.producer import sender
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from pipeline.core.identity import partition_of
from pipeline.core.migrate import FIRST_SCHEMA, STATE_SCHEMAS
from pipeline.core.step import Output
from pipeline.flow import DEAD_LETTER_RECORD_BYTES_MAX, MEBIBYTE, changelog_topic
from pipeline.kafka.client import aiokafka
from pipeline.runtime.restore import SCHEMA_HEADER
from pipeline.settings import Settings

# A batch must fit the smallest record limit of our topics (1 MiB) with room for its own header.
BATCH_BYTES_MAX: Final = 900_000
# The largest record there is (a dead letter) plus the request around it.
REQUEST_BYTES_MAX: Final = DEAD_LETTER_RECORD_BYTES_MAX + MEBIBYTE
# Readers of committed records wait behind a transaction that a dead worker left open, at most this long; less where
# an heir fences it. A live one takes tens of milliseconds, but needs the event loop five times, and on a crowded
# process each time may take seconds: the broker must not give up before we do (REQUEST_TIMEOUT_MS).
TRANSACTION_TIMEOUT_MS: Final = 60_000
REQUEST_TIMEOUT_MS: Final = 20_000
# Since KIP-890 a broker that cannot verify at once that a transaction is open answers its first write with
# "not enough replicas", and can a moment later. aiokafka waits 100 ms before it tries again, of which each stage in a
# row may add its own. Brokers that are down are asked fifty times a second by each partition: bearable.
RETRY_BACKOFF_MS: Final = 20
# A coordinator that moves or a broker that restarts answers within a few seconds.
START_TRIES_MAX: Final = 5
START_RETRY_SECONDS: Final = 0.5
# A commit returns before its marks are written, and until they are the next transaction is told to ask again. The
# marks take a millisecond or two; aiokafka waits 20 ms, which three stages in a row would add up.
sender.BACKOFF_OVERRIDE = 0.002

ToWrite = list[tuple[int, bytes | None, bytes | None, list[tuple[str, bytes]]]]
"""Timestamp, key, value and headers of records for one partition."""

Batches = dict[tuple[str, int], ToWrite]

Offsets = dict[TopicPartition, OffsetAndMetadata]

NO_HEADERS: Final[list[tuple[str, bytes]]] = []
NO_NOTES: Final[Mapping[str, str]] = {}


class TransactionStep(StrEnum):
    """Points that every transaction passes, in this order; where a test stops or kills a worker."""

    DECIDED = "decided"
    """All decisions of the batch are taken; nothing is written, here or outside Kafka."""
    BEGUN = "begun"
    OUTPUTS_WRITTEN = "outputs_written"
    """The brokers have all outputs and state records. The offsets are on their way at the same time."""
    OFFSETS_WRITTEN = "offsets_written"
    COMMITTED = "committed"
    HANDED_ON = "handed_on"
    """Hooks have run, and the batch is counted."""


OnStep = Callable[[TransactionStep], None]


def no_step(step: TransactionStep) -> None:
    """Nobody watches the steps."""


class OversizedRecordError(Exception):
    """A record is larger than its topic takes; the message says which, and what to do."""


class TransactionWriter:
    """The transactional producer of one stage and input partition."""

    def __init__(
        self,
        settings: Settings,
        stage: str,
        partition: int,
        partition_counts: Mapping[str, int],
        on_step: OnStep = no_step,
    ) -> None:
        """Describe the producer; nothing connects yet.

        Args:
            settings: brokers, names.
            stage: the stage's word.
            partition: number of the input partition.
            partition_counts: logical topic name -> its partitions, for placing outputs by key.
            on_step: called when a transaction has reached a step.
        """
        self._on_step = on_step
        self._settings = settings
        self._group = settings.group(stage)
        self._changelog = changelog_topic(stage)
        schema = STATE_SCHEMAS.get(stage, FIRST_SCHEMA)
        self._state_headers = NO_HEADERS if schema == FIRST_SCHEMA else [(SCHEMA_HEADER, b"%d" % schema)]
        self._partition = partition
        self._counts = partition_counts
        self._producer: Any = None
        self._open = False

    async def start(self) -> None:
        """Connect, fence the partition's previous owner and end its open transaction.

        Raises:
            KafkaError: the brokers did not answer in several tries.
        """
        for attempt in range(1, START_TRIES_MAX + 1):
            producer = self._new_producer()
            try:
                await producer.start()
            except KafkaError as error:
                await producer.stop()
                retriable = isinstance(error, KafkaConnectionError) or error.retriable
                if attempt == START_TRIES_MAX or not retriable:
                    raise
                await asyncio.sleep(START_RETRY_SECONDS * attempt)
            else:
                self._producer = producer
                return

    async def commit(
        self,
        outputs: Iterable[Output],
        changes: Iterable[tuple[bytes, bytes | None]],
        changed_at_ms: int,
        offsets: Mapping[str, int],
        notes: Mapping[str, str] = NO_NOTES,
    ) -> None:
        """Write all of a batch's consequences, or none.

        Args:
            outputs: records of the batch, in order.
            changes: state records for the changelog; None removes a key.
            changed_at_ms: stream time, the timestamp of the state records.
            offsets: wire name of each input topic -> next offset to read.
            notes: wire name of input topic -> text beside its offset (see `pipeline.runtime.note`).

        Raises:
            OversizedRecordError: the broker refused a record for its size; it would at every further try.
            KafkaError: nothing may be assumed; the process must end (see `pipeline.runtime.guard`).
        """
        grouped = self._grouped(outputs, changes, changed_at_ms)
        try:
            await self._commit(grouped, self._noted(offsets, notes))
        except MessageSizeTooLargeError as error:
            raise _oversized(grouped) from error

    async def note(self, offsets: Mapping[str, int], notes: Mapping[str, str]) -> None:
        """Write offsets and the texts beside them alone; what is open is aborted before.

        It also proves that nobody else has started this partition's producer since our last transaction: we would
        be fenced.

        Raises:
            KafkaError: nothing may be assumed.
        """
        producer = self._producer
        if self._open:
            await producer.abort_transaction()
        await producer.begin_transaction()
        await producer.send_offsets_to_transaction(self._noted(offsets, notes), self._group)
        await producer.commit_transaction()

    def _noted(self, offsets: Mapping[str, int], notes: Mapping[str, str]) -> Offsets:
        return {
            TopicPartition(topic, self._partition): OffsetAndMetadata(offset, notes.get(topic, ""))
            for topic, offset in offsets.items()
        }

    async def _commit(self, grouped: Batches, offsets: Offsets) -> None:
        producer = self._producer
        await producer.begin_transaction()
        self._open = True
        self._on_step(TransactionStep.BEGUN)
        written = []
        for (topic, partition), records in grouped.items():
            written += await self._send(topic, partition, records)
        # Offsets travel beside the records. Awaiting each write makes a failed one raise here; aiokafka's own flush
        # would only remember it.
        await asyncio.gather(self._all_written(written), producer.send_offsets_to_transaction(offsets, self._group))
        self._on_step(TransactionStep.OFFSETS_WRITTEN)
        await producer.commit_transaction()
        self._open = False
        self._on_step(TransactionStep.COMMITTED)

    async def _all_written(self, written: Iterable[asyncio.Future[Any]]) -> None:
        await asyncio.gather(*written)
        self._on_step(TransactionStep.OUTPUTS_WRITTEN)

    async def stop(self) -> None:
        """Disconnect. No transaction is open."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()
            # Of a fenced producer; who was told has been told, and asyncio would report it as forgotten.
            outcome = producer._txn_manager.wait_for_transaction_end()
            if outcome is not None and outcome.done() and not outcome.cancelled():
                outcome.exception()

    def _new_producer(self) -> Any:
        return AIOKafkaProducer(
            **aiokafka(self._settings),
            client_id=self._group,
            transactional_id=f"{self._group}-{self._partition}",
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            max_batch_size=BATCH_BYTES_MAX,
            max_request_size=REQUEST_BYTES_MAX,
            linger_ms=0,
        )

    def _grouped(
        self, outputs: Iterable[Output], changes: Iterable[tuple[bytes, bytes | None]], changed_at_ms: int
    ) -> Batches:
        grouped: Batches = defaultdict(list)
        counts = self._counts
        for topic, key, value, timestamp_ms, headers, given in outputs:
            if given is not None:
                place = topic, given
            else:
                place = topic, 0 if key is None else partition_of(key, counts[topic])
            # The library takes lists of headers alone, and leaves them as they are.
            grouped[place].append((timestamp_ms, key, value, list(headers) if headers else NO_HEADERS))
        state: ToWrite = [(changed_at_ms, key, value, self._state_headers) for key, value in changes]
        if state:
            grouped[self._changelog, self._partition] = state
        return grouped

    async def _send(self, topic: str, partition: int, records: ToWrite) -> list[asyncio.Future[Any]]:
        """Send records in as few batches as fit. The first record of a batch always fits, whatever its size."""
        producer, wire = self._producer, self._settings.wire(topic)
        sent, start = [], 0
        while start < len(records):
            batch = producer.create_batch()
            start += _fill(batch, records, start)
            batch.close()
            sent.append(await producer.send_batch(batch, wire, partition=partition))
        return sent


def _fill(batch: Any, records: ToWrite, start: int) -> int:
    """Put records from ``start`` on into an empty batch; how many fit, at least one.

    Past the batch's own `append`, which serialises and passes everything on by name: it costs more than the writing.
    """
    append = batch._builder.append
    offset = 0
    for timestamp, key, value, headers in records[start:] if start else records:
        if append(offset, timestamp, key, value, headers) is None:
            break
        offset += 1
    batch._relative_offset = offset
    return offset


def _oversized(grouped: Batches) -> OversizedRecordError:
    """Names the largest record of what was refused: the broker does not say which it was."""
    size, topic, key = max(
        (len(value or b""), topic, key or b"")
        for (topic, _), records in grouped.items()
        for _, key, value, _ in records
    )
    return OversizedRecordError(
        f"a record for {topic}, key {key.decode(errors='replace')!r}, has {size} bytes, more than the topic takes: "
        "raise its max.message.bytes to go on, and report the record, which should be bounded"
    )
