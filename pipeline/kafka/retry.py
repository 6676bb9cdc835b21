"""The way back for dead letters: each record goes once, whatever happens to the command that sends it.

A retry is one Kafka transaction: the original record goes back to its topic, and a mark goes to the dead-letter
topic that names the letter. Who retries first shuts out who came before, under one transactional id, and only then
reads the marks. So a letter goes back once also when a command is killed and run again, or two people run it at once.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from pipeline.core.identity import partition_of
from pipeline.core.step import StreamRecord
from pipeline.flow import DEAD_LETTER_RECORD_BYTES_MAX
from pipeline.kafka.dead_letters import FIRST_LETTER, OURS, RETRIED, RETRY_OF, Box, Letter, Source
from pipeline.kafka.scan import ScanError, scan

# What the client takes, which is wider than what we give.
SentHeaders = list[tuple[str, str | bytes | None]]

TRANSACTION_SECONDS_MAX: Final = 60.0
# The largest letter, twice for margin: limits of the client are on whole requests.
REQUEST_BYTES_MAX: Final = 2 * DEAD_LETTER_RECORD_BYTES_MAX
# One transaction holds this many letters or bytes at most; the client keeps its records in memory.
BATCH_LETTERS_MAX: Final = 200
BATCH_BYTES_MAX: Final = 2 * DEAD_LETTER_RECORD_BYTES_MAX
# What brokers answer to a producer whose transactional id another one has taken over.
_SHUT_OUT: Final = (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)


@dataclass(slots=True)
class Plan:
    """What a retry will do.

    Attributes:
        letters: the letters that go back: one for each raw record, with its bytes.
        with_them: further letters of the same records.
        gone: records that are asked for and went back before.
        without_bytes: ids of letters whose bytes are in a letter that is there no more.
    """

    letters: list[Letter]
    with_them: int
    gone: int
    without_bytes: list[str]


def plan_retry(box: Box, asked: Iterable[Letter], *, again: bool = False, limit: int | None = None) -> Plan:
    """Choose what goes back: each raw record once, since it brings all members of its message.

    Args:
        box: the topic as read.
        asked: letters that are asked for.
        again: also records that went back before.
        limit: so many records at most, the oldest.
    """
    members: dict[Source, list[Letter]] = {}
    for letter in box.letters:
        members.setdefault(letter.source, []).append(letter)
    sources = dict.fromkeys(letter.source for letter in asked)
    gone = [source for source in sources if source in box.gone]
    chosen: list[Letter] = []
    lost: list[str] = []
    with_them = 0
    for source in sources if again else (each for each in sources if each not in box.gone):
        holders = [letter for letter in members[source] if letter.bytes_in is None]
        if not holders:
            lost.extend(letter.id for letter in members[source])
        elif limit is None or len(chosen) < limit:
            chosen.append(holders[0])
            with_them += len(members[source]) - 1
    return Plan(chosen, with_them, 0 if again else len(gone), lost)


def original(record: StreamRecord, letter: Letter) -> tuple[bytes | None, bytes | None, SentHeaders]:
    """Key, value and headers to send back: the original ones, how often this has been done, and the first letter."""
    headers: SentHeaders = [(name, value) for name, value in record.headers if not name.startswith(OURS)]
    headers.append((RETRIED, str(letter.retries + 1).encode()))
    headers.append((FIRST_LETTER, (letter.first or letter.id).encode()))
    return record.key, record.value, headers


class Retry:
    """Sends letters back.

    Args:
        client: configuration of the librdkafka client: the bootstrap address at least.
        transactional_id: one for each installation.
        prefix: topic prefix on the wire.
        topic: the dead-letter topic on the wire.
        partitions: of the topics that exist, by name on the wire.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        transactional_id: str,
        prefix: str,
        topic: str,
        partitions: Mapping[str, Sequence[int]],
    ) -> None:
        self._client = client
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
        self._partitions = partitions
        self._open = False

    def begin(self) -> None:
        """Shut out every other retry; marks that are read from now on are all there will be but ours.

        Raises:
            ScanError: the brokers refuse.
        """
        try:
            self._producer.init_transactions(TRANSACTION_SECONDS_MAX)
        except KafkaException as error:
            raise _failure(error) from error

    def send(self, letters: Sequence[Letter]) -> Generator[Letter, None, None]:
        """Send the letters back; gives each when its transaction has been committed.

        Raises:
            ScanError: a topic is not there, or the brokers refuse.
        """
        for letter in letters:
            if (wire := self._prefix + letter.topic) not in self._partitions:
                there = f"letter {letter.id} came from {wire}, which does not exist"
                raise ScanError(f"{there}: make the topics, then retry; nothing was sent")
        batch: list[Letter] = []
        size = 0
        try:
            for record, letter in self._records(letters):
                if not batch:
                    self._producer.begin_transaction()
                    self._open = True
                self._produce(record, letter)
                batch.append(letter)
                size += letter.size_bytes
                if len(batch) >= BATCH_LETTERS_MAX or size >= BATCH_BYTES_MAX:
                    self._commit()
                    yield from batch
                    batch, size = [], 0
            if batch:
                self._commit()
                yield from batch
        except KafkaException as error:
            raise _failure(error) from error
        finally:
            self._abort()

    def _records(self, letters: Sequence[Letter]) -> Iterator[tuple[StreamRecord, Letter]]:
        """Read the letters again, now with their bytes, one at a time."""
        left = {letter.id: letter for letter in letters}
        if not left:
            return
        for record in scan(self._client, {self._topic: self._partitions[self._topic]}):
            letter = left.get(f"{record.partition}:{record.offset}")
            if letter is not None:
                del left[letter.id]
                yield record, letter
                if not left:
                    return

    def _produce(self, record: StreamRecord, letter: Letter) -> None:
        wire = self._prefix + letter.topic
        known = self._partitions[wire]
        key, value, headers = original(record, letter)
        partition = letter.partition
        if partition not in known:  # of another cluster, or a topic made anew
            partition = partition_of(key, len(known)) if key is not None else known[0]
        self._producer.produce(wire, value, key, partition, headers=headers)
        mark: SentHeaders = [(RETRY_OF, letter.id.encode())]
        self._producer.produce(self._topic, None, letter.id.encode(), record.partition, headers=mark)

    def _commit(self) -> None:
        self._producer.commit_transaction(TRANSACTION_SECONDS_MAX)
        self._open = False

    def _abort(self) -> None:
        """End what was begun, so that readers need not wait for it; the brokers do it later where this fails."""
        if not self._open:
            return
        self._open = False
        try:
            self._producer.abort_transaction(TRANSACTION_SECONDS_MAX)
        except KafkaException:
            return


def _failure(error: KafkaException) -> ScanError:
    cause: KafkaError = error.args[0]
    if cause.code() in _SHUT_OUT:
        return ScanError("another retry has taken over; see what it did with spillway dead-letter list, then run again")
    return ScanError(f"cannot retry: {cause.str()} ({cause.name()}); what was not named as sent was not sent")
