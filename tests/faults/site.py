"""A site: the topics of one scenario, the load that flows into them, and what they hold in the end."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, Self, cast

from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec

from pipeline.catalog import load_config
from pipeline.core.step import TICK_KEY, StreamRecord
from pipeline.flow import RAW_RECORD_BYTES_MAX
from pipeline.kafka.topics import apply, desired_topics, plan
from pipeline.models.policy import Config
from pipeline.runtime.broker import input_topics
from pipeline.settings import Settings
from tests.faults.corpus import Corpus, Sent
from tests.faults.journal import OFFSETS_TOPIC
from tests.faults.worker import STAGES
from tests.support import POLL_SECONDS, wait_until

COMPANY: Final = Path(__file__).parent / "company"
PARTITIONS: Final = 3
# A dead worker's partitions wait so long where its heir is not known to be its heir.
SESSION_SECONDS: Final = 2.0
SETTLE_SECONDS_MAX: Final = 120.0
READ_SECONDS_MAX: Final = 10.0
# A transaction that nobody ends or fences is ended by the broker after a minute.
OPEN_SECONDS_MAX: Final = 90.0
# More of them than this is only "many".
LAG_COUNTED_MAX: Final = 1_000
FLUSH_SECONDS_MAX: Final = 120.0
# Long enough that nothing is given up while brokers are down.
DELIVERY_MS_MAX: Final = 300_000
REQUEST_SECONDS_MAX: Final = 30.0
READ_RECORDS: Final = 2_000


class SilentError(Exception):
    """A topic could not be read to its end in time."""


Digest = bytes
Place = tuple[str, int]
"""A topic by its logical name, and a partition."""


def digest(key: bytes | None, value: bytes | None, timestamp_ms: int, headers: Iterable[tuple[str, bytes]]) -> Digest:
    """Sixteen bytes that stand for all bytes of a record."""
    hashed = blake2b(digest_size=16)
    for part in (key, value, b"%d" % timestamp_ms, *(each for pair in headers for each in (pair[0].encode(), pair[1]))):
        hashed.update(b"-" if part is None else b"%d:" % len(part) + part)
    return hashed.digest()


class Site:
    """Topics on a cluster, under a prefix of their own.

    Attributes:
        settings: as the workers have them.
        config: the company's.
        sent: place -> digests of what was handed over there, in order.
        poison: records handed over that nobody can read.
        doubtful: digests of what the brokers acknowledged without saying where it is.
        events: records handed over.
        counts: logical name of each topic -> partitions.
        settled: wire name and partition -> end when all was handled; a late tick's outputs may follow it.
        stages: that run here and are checked.
    """

    stages: tuple[str, ...] = STAGES

    def __init__(self, bootstrap: str, prefix: str, *, partitions: int = PARTITIONS, **settings: Any) -> None:
        usual: dict[str, Any] = {"session_timeout_seconds": SESSION_SECONDS, "config_dir": COMPANY}
        usual["app_id"] = prefix.strip(".")
        self.settings = Settings(
            bootstrap=bootstrap, topic_prefix=prefix, partitions=partitions, http_port=0, **(usual | settings)
        )
        self.config: Config = load_config(self.settings.config_dir)
        self.sent: dict[Place, list[Digest]] = defaultdict(list)
        self.poison: list[Sent] = []
        self.doubtful: set[Digest] = set()
        self.events = 0
        self.settled: dict[Place, int] = {}
        self._client: dict[str, Any] = {"bootstrap.servers": bootstrap, "log_level": 0}
        self.admin = AdminClient(self._client)
        self._producer = Producer(
            self._client
            | {
                "message.max.bytes": RAW_RECORD_BYTES_MAX,
                "enable.idempotence": True,
                "linger.ms": 5,
                "delivery.timeout.ms": DELIVERY_MS_MAX,
                "queue.buffering.max.messages": 500_000,
            }
        )
        self._failed: list[str] = []
        self._askers: dict[str, Consumer] = {}
        # The senders' own times, as of a recording, but ticks by the machine's clock, as live.
        as_recording = self.settings.model_copy(update={"clock": "recording"})
        topics = desired_topics(as_recording, self.config)
        apply(self.admin, plan(self.admin, topics))
        self.counts = {each.name.removeprefix(prefix): each.partitions for each in topics}

    # -- what goes in

    def send(self, records: Iterable[Sent]) -> None:
        """Hand records over, at once; `flush` waits for them."""
        for record in records:
            name = digest(record.key, record.value, record.timestamp_ms, record.headers)
            self.sent[record.topic, record.partition].append(name)
            self.events += 1
            if record.poison:
                self.poison.append(record)
            self._produce(record, name)

    def _produce(self, record: Sent, name: Digest) -> None:
        headers: list[tuple[str, str | bytes | None]] = list(record.headers)
        while True:
            try:
                self._producer.produce(
                    self.settings.wire(record.topic),
                    record.value,
                    record.key,
                    record.partition,
                    timestamp=record.timestamp_ms,
                    headers=headers,
                    on_delivery=partial(self._delivered, name),
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return

    def _delivered(self, name: Digest, error: Any, message: Message) -> None:
        if error is not None:
            self._failed.append(error.str())
        elif message.offset() is None:
            self.doubtful.add(name)

    def discard_doubtful(self, there: Mapping[str, Counter[Digest]]) -> None:
        """Take back what the load's own client was told is stored, without an offset, and is not there.

        librdkafka takes a broker's answer "I have that number already" for a success. On a partition that was made a
        moment ago the answer may come for the first records, which nobody has.
        """
        for (topic, _), names in self.sent.items():
            names[:] = [name for name in names if name not in self.doubtful or there[topic][name]]
        self.poison = [
            record
            for record in self.poison
            if (name := digest(record.key, record.value, record.timestamp_ms, record.headers)) not in self.doubtful
            or there[record.topic][name]
        ]

    def flush(self) -> None:
        """Wait until the brokers have all that was handed over."""
        left = self._producer.flush(FLUSH_SECONDS_MAX)
        assert not left, f"{left} records were not taken within {FLUSH_SECONDS_MAX:.0f} s"
        assert not self._failed, f"the load itself was lost: {self._failed[0]}"

    # -- what is there

    def inputs(self, stage: str) -> tuple[str, ...]:
        """Logical input topics of a stage, in the order that its worker has them."""
        return input_topics(stage, self.counts, self.config.feeds)

    def places(self, topic: str) -> list[Place]:
        """A topic's partitions."""
        return [(topic, number) for number in range(self.counts[topic])]

    def read(self, topics: Iterable[str]) -> dict[Place, list[StreamRecord]]:
        """All committed records of topics, under their logical names, each partition in order."""
        places = [place for topic in topics for place in self.places(topic)]
        found: dict[Place, list[StreamRecord]] = {place: [] for place in places}
        names = {self.settings.wire(topic): topic for topic, _ in places}
        for record in self._scan({(self.settings.wire(topic), number): 0 for topic, number in places}):
            topic = names[record.topic]
            found[topic, record.partition].append(record._replace(topic=topic))
        return found

    def read_offsets(self) -> list[StreamRecord]:
        """All committed records of the topic that holds the offsets of all groups, each partition in order.

        Groups share its partitions: what others have open there hides what comes after it, and ends in time.
        """
        partitions = self.admin.list_topics(OFFSETS_TOPIC, timeout=REQUEST_SECONDS_MAX).topics[OFFSETS_TOPIC].partitions
        places = [TopicPartition(OFFSETS_TOPIC, number) for number in partitions]
        written = self._latest(places, IsolationLevel.READ_UNCOMMITTED)

        def visible() -> bool:
            stable = self._latest(places, IsolationLevel.READ_COMMITTED)
            return all(stable[place] >= offset for place, offset in written.items())

        wait_until(visible, OPEN_SECONDS_MAX, "the transactions that are open beside ours end")
        records = list(self._scan({(OFFSETS_TOPIC, number): 0 for number in partitions}))
        return sorted(records, key=lambda record: (record.partition, record.offset))

    # -- whether all is done

    def wait_settled(self, seconds: float = SETTLE_SECONDS_MAX, check: Callable[[], None] = lambda: None) -> None:
        """Wait until every stage has committed all that there is on its inputs, and no transaction is open.

        Args:
            seconds: how long at most.
            check: called before each look; raises where waiting has no sense any more.
        """
        waits: dict[str, object] = {}

        def settled() -> bool:
            check()
            try:
                waits.clear()
                waits.update(self._waits())
            except KafkaException as error:  # brokers that just came back, to which the old client may not find
                waits["no answer"] = str(error)
                self.admin = AdminClient(self._client)
            return not waits

        deadline = time.monotonic() + seconds
        while not settled():
            assert time.monotonic() < deadline, f"not settled within {seconds:g} s: {waits}"
            time.sleep(POLL_SECONDS)

    def _waits(self) -> dict[str, object]:
        """What is not settled: transactions that are open, records that nobody has taken, topics that grow."""
        before, hidden = self._ends()
        if hidden:
            return {"behind open transactions": hidden}
        if any((lag := self.lag()).values()):
            return {"lag": lag}
        after, _ = self._ends()
        grown = {place.topic: offset for place, offset in after.items() if offset != before[place]}
        self.settled = {(place.topic, place.partition): offset for place, offset in after.items()}
        return {"still written": grown} if grown else {}

    def lag(self) -> dict[str, int]:
        """Committed records behind each stage's offsets, up to `LAG_COUNTED_MAX`; ticks do not count."""
        return {stage: self._behind(self.committed(stage)) for stage in self.stages}

    def committed(self, stage: str, seconds: float = REQUEST_SECONDS_MAX) -> dict[Place, int]:
        """The stage's offset at each partition of its inputs, by logical name; 0 where it has none yet."""
        wire = [
            TopicPartition(self.settings.wire(topic), number)
            for topic in self.inputs(stage)
            for number in range(self.counts[topic])
        ]
        prefix = self.settings.topic_prefix
        try:
            found = self._asking(stage).committed(wire, timeout=seconds)
        except KafkaException:
            self._askers.pop(stage).close()  # it may never find to a broker that came back
            raise
        return {(each.topic.removeprefix(prefix), each.partition): max(0, each.offset) for each in found}

    def _asking(self, stage: str) -> Consumer:
        """A client that asks for a group's offsets and never joins it."""
        if stage not in self._askers:
            self._askers[stage] = Consumer(self._client | {"group.id": self.settings.group(stage)})
        return self._askers[stage]

    def close(self) -> None:
        """Disconnect."""
        for asker in self._askers.values():
            asker.close()

    def _behind(self, offsets: dict[Place, int]) -> int:
        count = 0
        begins = {(self.settings.wire(topic), number): at for (topic, number), at in offsets.items()}
        try:
            for record in self._scan(begins):
                count += not is_tick(record)
                if count >= LAG_COUNTED_MAX:
                    break
        except SilentError:
            return count + 1  # a partition has no leader just now, so nobody can say that all is handled
        return count

    def _ends(self) -> tuple[dict[TopicPartition, int], dict[str, int]]:
        """Where each partition ends for readers of committed records, and how much open transactions hide, by topic."""
        places = [TopicPartition(self.settings.wire(topic), number) for topic, number in self._all_places()]
        stable = self._latest(places, IsolationLevel.READ_COMMITTED)
        written = self._latest(places, IsolationLevel.READ_UNCOMMITTED)
        hidden = {f"{each.topic}-{each.partition}": written[each] - stable[each] for each in places}
        return stable, {name: count for name, count in hidden.items() if count}

    def _all_places(self) -> list[Place]:
        return [place for topic in self.counts for place in self.places(topic)]

    def _latest(self, places: Iterable[TopicPartition], level: IsolationLevel) -> dict[TopicPartition, int]:
        """Where partitions end for readers of a kind."""
        latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = self.admin.list_offsets(
            dict.fromkeys(places, latest), isolation_level=level, request_timeout=REQUEST_SECONDS_MAX
        )
        return {place: answer.result().offset for place, answer in asked.items()}

    def _scan(self, begins: Mapping[Place, int]) -> Iterator[StreamRecord]:
        """Committed records from the given offsets to the ends that there are now; places by wire name."""
        consumer = Consumer(
            self._client
            | {
                "group.id": f"{self.settings.app_id}-checker",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "fetch.message.max.bytes": 32 << 20,
                "fetch.wait.max.ms": 10,
                "queued.max.messages.kbytes": 128 << 10,
            }
        )
        consumer.assign([TopicPartition(topic, number, at) for (topic, number), at in begins.items()])
        unread = set(begins)
        deadline = time.monotonic() + READ_SECONDS_MAX
        try:
            while unread:
                for message in consumer.consume(READ_RECORDS, 0.05):
                    deadline = time.monotonic() + READ_SECONDS_MAX
                    error = message.error()
                    if error is None:
                        yield _record(message)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        unread.discard((message.topic() or "", message.partition() or 0))
                    elif not error.retriable():
                        raise KafkaException(error)
                if time.monotonic() > deadline:
                    raise SilentError(f"nothing is read any more of {sorted(unread)}")
        finally:
            consumer.close()


def is_tick(record: StreamRecord) -> bool:
    """Whether a record carries nothing but time."""
    return record.key == TICK_KEY and record.value is None


def _record(message: Message) -> StreamRecord:
    kind, timestamp_ms = message.timestamp()
    return StreamRecord(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        -1 if kind == TIMESTAMP_NOT_AVAILABLE else timestamp_ms,
        message.key(),
        message.value(),
        tuple(cast(list[tuple[str, bytes]], message.headers() or [])),
    )


class Load:
    """A corpus that flows into a site in step with the clock, on a thread of its own, until stopped."""

    def __init__(self, site: Site, corpus: Corpus) -> None:
        self._site = site
        self._corpus = corpus
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._flow: Future[None] | None = None

    def __enter__(self) -> Self:
        self._flow = self._pool.submit(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown()
        assert self._flow is not None
        self._flow.result()  # raises what has ended the flow
        self._site.flush()

    def _run(self) -> None:
        for record in self._corpus:
            # An event's wait and not a sleep: the end of the scenario ends it.
            if self._stop.wait(max(0.0, record.timestamp_ms / 1_000 - time.time())):
                return
            self._site.send([record])


def now_ms() -> int:
    """This machine's time, epoch milliseconds, even: the moment a corpus begins at."""
    return int(time.time() * 500) * 2
