"""Dead letters as they lie on the topic: what each says, which were retried, and the way back for one.

A retry is one Kafka transaction: the original record goes back to its topic, and a mark goes to the dead-letter
topic that names the letter. So a letter is retried once, also when the command is killed and run again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaException, Producer

from pipeline.core.identity import partition_of
from pipeline.core.step import StreamRecord
from pipeline.flow import DEAD_LETTER_RECORD_BYTES_MAX
from pipeline.kafka.scan import ScanError, existing, scan

# What the client takes, which is wider than what we give.
SentHeaders = list[tuple[str, str | bytes | None]]

OURS: Final = "spillway-"
RETRIED: Final = "spillway-retried"
"""On a record that was retried: how often. It stays on its next dead letter, so that a loop is visible."""
RETRY_OF: Final = "spillway-retry-of"
"""On a mark in the dead-letter topic: the id of the letter that was retried."""

TRANSACTION_SECONDS_MAX: Final = 60.0
# The largest letter, twice for margin: limits of the client are on whole requests.
REQUEST_BYTES_MAX: Final = 2 * DEAD_LETTER_RECORD_BYTES_MAX
# One transaction holds this many letters or bytes at most; the client keeps its records in memory.
BATCH_LETTERS_MAX: Final = 200
BATCH_BYTES_MAX: Final = 2 * DEAD_LETTER_RECORD_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One dead letter without its bytes.

    Attributes:
        id: ``partition:offset`` in the dead-letter topic.
        at_ms: when the record came that could not be processed, epoch milliseconds.
        stage: stage that refused it.
        reason: why, a `Reason`.
        detail: what was wrong and where.
        topic: logical topic that it came from.
        partition: partition there.
        offset: offset there.
        index: position in a message of several alerts; None where the whole message is bad.
        bytes_in: index of the member whose letter holds the bytes of the message; None where this one does.
        size_bytes: size of the original value.
        retries: how often the record had been retried before it came here (again).
    """

    id: str
    at_ms: int
    stage: str
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    index: int | None
    bytes_in: int | None
    size_bytes: int
    retries: int

    @property
    def source(self) -> tuple[str, int, int]:
        """The raw record: several letters may come from one."""
        return self.topic, self.partition, self.offset


@dataclass(slots=True)
class Box:
    """The dead-letter topic as read: letters in order, and the ids of those that were retried."""

    letters: list[Letter]
    retried: set[str]


def letter_id(record: StreamRecord) -> str:
    """The id of the letter that lies at a record's place."""
    return f"{record.partition}:{record.offset}"


def parse_letter(record: StreamRecord) -> Letter | None:
    """The letter in a record of the dead-letter topic; None for a mark, or what is no letter of ours."""
    said = _said(record)
    if RETRY_OF in said or f"{OURS}topic" not in said:
        return None
    return Letter(
        id=letter_id(record),
        at_ms=record.timestamp,
        stage=said.get(f"{OURS}stage", ""),
        reason=said.get(f"{OURS}reason", ""),
        detail=said.get(f"{OURS}detail", ""),
        topic=said[f"{OURS}topic"],
        partition=_number(said.get(f"{OURS}partition")) or 0,
        offset=_number(said.get(f"{OURS}offset")) or 0,
        index=_number(said.get(f"{OURS}index")),
        bytes_in=_number(said.get(f"{OURS}bytes-in")),
        size_bytes=len(record.value or b""),
        retries=_number(said.get(RETRIED)) or 0,
    )


def _said(record: StreamRecord) -> dict[str, str]:
    return {name: value.decode(errors="replace") for name, value in record.headers if name.startswith(OURS)}


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


def read_box(client: Mapping[str, Any], topic: str) -> Box:
    """All letters and marks, without bytes, in the order of (time, partition, offset).

    Raises:
        ScanError: the topic cannot be read.
    """
    box = Box([], set())
    for record in _scan(client, topic):
        if (letter := parse_letter(record)) is not None:
            box.letters.append(letter)
        elif mark := _said(record).get(RETRY_OF):
            box.retried.add(mark)
    box.letters.sort(key=lambda letter: letter.at_ms)  # stable: offsets stay in order
    return box


def read_letter(client: Mapping[str, Any], topic: str, wanted: str) -> StreamRecord | None:
    """The record of one letter, bytes and all; None where there is none.

    Raises:
        ScanError: the topic cannot be read.
    """
    partition = _number(wanted.partition(":")[0])
    offset = _number(wanted.partition(":")[2])
    if partition is None or offset is None:
        return None
    parts = existing(client, [topic]).get(topic, ())
    if partition not in parts:
        return None
    found = scan(client, {topic: (partition,)}, start_offset=offset)
    return next((record for record in found if record.offset == offset and parse_letter(record)), None)


def _scan(client: Mapping[str, Any], topic: str) -> Iterator[StreamRecord]:
    topics = existing(client, [topic])
    if not topics:
        raise ScanError(f"there is no topic {topic}: make the topics with spillway topics apply")
    return scan(client, topics)


def to_retry(box: Box, reason: str | None) -> tuple[list[Letter], int]:
    """The letters that a retry of all, or of all of one reason, takes.

    One letter for each raw record that has bytes, since it brings all members of the message back.

    Returns:
        The letters, and how many further ones come back with them.
    """
    chosen: dict[tuple[str, int, int], Letter] = {}
    others = 0
    done = {letter.source for letter in box.letters if letter.id in box.retried}
    for letter in box.letters:
        if letter.source in done or (reason is not None and letter.reason != reason):
            continue
        if letter.source in chosen or letter.bytes_in is not None:
            others += 1
        else:
            chosen[letter.source] = letter
    return list(chosen.values()), others


def original(record: StreamRecord, letter: Letter) -> tuple[bytes | None, bytes | None, SentHeaders]:
    """Key, value and headers to send back: the original ones, and how often this has been done."""
    headers: SentHeaders = [(name, value) for name, value in record.headers if not name.startswith(OURS)]
    headers.append((RETRIED, str(letter.retries + 1).encode()))
    return record.key, record.value, headers


class Retry:
    """Sends letters back.

    Args:
        client: configuration of the librdkafka client: the bootstrap address at least.
        transactional_id: one for each installation; a second command fences the first.
        prefix: topic prefix on the wire.
        topic: the dead-letter topic on the wire.
    """

    def __init__(self, client: Mapping[str, Any], transactional_id: str, prefix: str, topic: str) -> None:
        self._producer = Producer(
            {
                **client,
                "transactional.id": transactional_id,
                "message.max.bytes": REQUEST_BYTES_MAX,
                "queue.buffering.max.kbytes": 2 * BATCH_BYTES_MAX >> 10,
                "compression.type": "lz4",
            }
        )
        self._prefix = prefix
        self._topic = topic

    def send(self, records: Iterable[StreamRecord], partitions: Mapping[str, Sequence[int]]) -> Iterator[Letter]:
        """Send the letters back; gives each when its transaction has been committed.

        Args:
            records: of the dead-letter topic.
            partitions: of the topics that exist, by name on the wire.

        Raises:
            ScanError: a topic is gone, or the brokers refuse.
        """
        batch: list[Letter] = []
        size = 0
        try:
            self._producer.init_transactions(TRANSACTION_SECONDS_MAX)
            for record in records:
                if (letter := parse_letter(record)) is None:
                    continue
                if not batch:
                    self._producer.begin_transaction()
                self._produce(record, letter, partitions)
                batch.append(letter)
                size += letter.size_bytes
                if len(batch) >= BATCH_LETTERS_MAX or size >= BATCH_BYTES_MAX:
                    self._producer.commit_transaction(TRANSACTION_SECONDS_MAX)
                    yield from batch
                    batch, size = [], 0
            if batch:
                self._producer.commit_transaction(TRANSACTION_SECONDS_MAX)
                yield from batch
        except KafkaException as error:
            cause = error.args[0]
            raise ScanError(f"cannot retry: {cause.str()} ({cause.name()}); nothing of this batch was sent") from error

    def _produce(self, record: StreamRecord, letter: Letter, partitions: Mapping[str, Sequence[int]]) -> None:
        wire = self._prefix + letter.topic
        known = partitions.get(wire, ())
        if not known:
            raise ScanError(f"letter {letter.id} came from {wire}, which does not exist: make the topics, then retry")
        key, value, headers = original(record, letter)
        partition = letter.partition
        if partition not in known:  # of another cluster, or a topic made anew
            partition = partition_of(key, len(known)) if key is not None else known[0]
        self._producer.produce(wire, value, key, partition, headers=headers)
        mark: SentHeaders = [(RETRY_OF, letter.id.encode())]
        self._producer.produce(self._topic, None, letter.id.encode(), record.partition, headers=mark)
