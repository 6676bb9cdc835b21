"""Faust on batches: one event is one topic-partition's fetched records.

Replaces four parts of Faust's aiokafka driver through its own extension points:

- the consumer thread, to read committed records only and to assign by partition number;
- the drain loop, to hand over fetched batches undecoded;
- everything that acknowledges or commits: offsets are committed by our transactions alone (`PartitionTask`);
- the transaction manager, which Faust calls before it seeks to the committed offsets and resumes: the place to
  fence a partition's former owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import monotonic
from typing import Any, Final, NamedTuple, cast

import aiokafka
import faust
from aiokafka.errors import ConsumerStoppedError, NoOffsetForPartitionError, OffsetOutOfRangeError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.consumer import TransactionManager
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from pipeline.flow import MEBIBYTE
from pipeline.kafka.client import aiokafka as aiokafka_options
from pipeline.runtime.assignor import PartitionNumberAssignor
from pipeline.runtime.committed import fetch_committed, out_of_range
from pipeline.runtime.fetched import Fetched
from pipeline.runtime.first import seek_to_first
from pipeline.runtime.guard import RefusedError, guarded
from pipeline.runtime.host import StageHost
from pipeline.runtime.stable import wait_until_stable
from pipeline.runtime.unpack import Taken, take, wait_for_answer

# Room for one transaction's worth of usual records (600 bytes to 1 KiB) in one fetch.
FETCH_BYTES_MAX: Final = 2 * MEBIBYTE
# One answer of a broker, of all partitions. Beside the limits of what waits, it is what may be in memory.
FETCH_ANSWER_BYTES_MAX: Final = 16 * MEBIBYTE
# Handed over at a time, at least: a transaction's worth. Whole answers are, so one fetch of a partition may go over.
TURN_BYTES_MAX: Final = FETCH_BYTES_MAX
FETCH_WAIT_MS_MAX: Final = 500
FETCH_TIMEOUT_SECONDS: Final = 1.0
# While a partition that holds enough is left out, its room must be noticed soon: a fraction of a transaction.
LOOK_AGAIN_SECONDS: Final = 0.01
HEARTBEATS_PER_SESSION: Final = 5
# A member learns from the answer to a heartbeat that its group is dealing partitions anew, and until all have learnt
# it nobody serves those that moved. Kafka's own three seconds would be most of a rebalance; one small request is not.
HEARTBEAT_MS_MAX: Final = 500
REBALANCE_TIMEOUT_MS: Final = 60_000
# Kafka's number for timestamps that the writers gave; nobody asks for it.
CREATE_TIME: Final = 0
# Faust has its own idea of idleness; a worker whose partitions are quiet must not lose them.
POLL_INTERVAL_MS_MAX: Final = 24 * 60 * 60 * 1000


class Seek(NamedTuple):
    """Where reading resumes.

    Attributes:
        committed: committed offsets with their notes, of all partitions of our topics.
        begins: position of each partition that is ours.
    """

    committed: dict[TP, OffsetAndMetadata]
    begins: dict[TP, int]


def host_of(app: Any) -> StageHost:
    """The stage that a Faust app of ours hosts."""
    return cast(BatchTransport, app.transport).host


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The consumer's own thread and event loop, so that heartbeats go on while the core decides."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        # Positions around what was passed over, since the last records of a partition.
        self._skipped: dict[TopicPartition, tuple[int, int]] = {}

    def _create_worker_consumer(self, transport: Any) -> Any:
        context = host_of(self.app).context
        settings, counts = context.settings, context.partition_counts
        known = {settings.wire(topic): counts[topic] for topic in context.inputs if topic in counts}
        session_ms = int(settings.session_timeout_seconds * 1000)
        return aiokafka.AIOKafkaConsumer(
            client_id=self.app.conf.id,
            group_id=self.app.conf.id,
            **aiokafka_options(settings),
            partition_assignment_strategy=[PartitionNumberAssignor.knowing(known)],
            isolation_level="read_committed",
            enable_auto_commit=False,
            # Never guess: an offset that the log does not have (records gone unread, a topic made anew) ends us.
            auto_offset_reset="none",
            group_instance_id=settings.instance_id,
            max_poll_interval_ms=POLL_INTERVAL_MS_MAX,
            max_partition_fetch_bytes=FETCH_BYTES_MAX,
            fetch_max_bytes=FETCH_ANSWER_BYTES_MAX,
            fetch_max_wait_ms=FETCH_WAIT_MS_MAX,
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=min(HEARTBEAT_MS_MAX, session_ms // HEARTBEATS_PER_SESSION),
            rebalance_timeout_ms=max(REBALANCE_TIMEOUT_MS, session_ms),
        )

    async def on_thread_stop(self) -> None:
        """Close the consumer. A named one leaves its group first where its partitions shall not wait for it."""
        coordinator = getattr(self._consumer, "_coordinator", None)  # before its start a consumer has none
        if coordinator is not None and host_of(self.app).context.settings.on_stop == "leave":
            coordinator._group_instance_id = None  # aiokafka says goodbye without a name only; brokers take it from any
        await super().on_thread_stop()

    async def seek_to_committed(self) -> Seek:  # type: ignore[override]  # Faust's answer has no notes
        """Seek to the committed offsets, and to the beginning where nothing was committed yet."""
        return cast(Seek, await self.call_thread(self._seek_to_committed))

    async def _seek_to_committed(self) -> Seek:
        consumer = self._ensure_consumer()
        everywhere = [
            TopicPartition(topic, number)
            for topic in consumer.subscription()
            for number in consumer.partitions_for_topic(topic) or ()
        ]
        found = await fetch_committed(consumer._coordinator, everywhere)
        committed = {TP(*topic): each for topic, each in found.items()}
        begins: dict[TP, int] = {}
        fresh: list[TopicPartition] = []
        for topic in consumer.assignment():  # now: a rebalance may have come in between
            if topic in committed:
                consumer.seek(topic, committed[topic].offset)
                begins[TP(*topic)] = committed[topic].offset
            else:
                fresh.append(topic)
        # Faust leaves these where they are, which loses what was fetched and dropped in a rebalance.
        begins |= {TP(*topic): position for topic, position in (await seek_to_first(consumer, fresh)).items()}
        return Seek(committed, begins)

    def _positions(self, topics: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Where the next fetch of each begins; those without a position are left out."""
        subscription = self._ensure_consumer()._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return {}
        assignment, wanted = subscription.assignment, set(topics)
        states = {topic: assignment.state_value(topic) for topic in assignment.tps & wanted}
        return {topic: state.position for topic, state in states.items() if state.has_valid_position}

    async def fetch(self, topics: set[TP], seconds: float) -> dict[TopicPartition, Fetched]:
        """Records of the given partitions, as soon as there are any, with the positions that they were read from."""
        return cast("dict[TopicPartition, Fetched]", await self.call_thread(self._fetch, topics, seconds))

    async def _fetch(self, topics: set[TP], seconds: float) -> dict[TopicPartition, Fetched]:
        """Nothing may come between reading a position and taking the records that begin there.

        So records are taken without waiting, and waited for apart.
        """
        if not self.consumer.flow_active:
            return {}
        consumer = self._ensure_consumer()
        fetcher, subscriptions = consumer._fetcher, consumer._subscription
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        prefix, deadline = host_of(self.app).context.settings.topic_prefix, monotonic() + seconds
        with subscriptions.fetch_context():
            while True:
                if subscriptions.reassignment_in_progress:
                    await subscriptions.wait_for_assignment()
                begins = self._positions(topics)
                taken = take(fetcher, topics, TURN_BYTES_MAX, prefix)
                fetched = self._placed(begins, taken, self._positions(topics))
                if fetched:
                    return fetched
                left = deadline - monotonic()
                if left <= 0:
                    return {}
                await wait_for_answer(fetcher, left)

    def _placed(
        self,
        begins: Mapping[TopicPartition, int],
        taken: Mapping[TopicPartition, Taken],
        ends: Mapping[TopicPartition, int],
    ) -> dict[TopicPartition, Fetched]:
        """Records with the positions around them. Marks and aborted records before them count as read with them."""
        placed: dict[TopicPartition, Fetched] = {}
        for topic, begin in begins.items():
            end = ends.get(topic, begin)  # without one a rebalance took it, and reading starts anew
            skipped = self._skipped.pop(topic, None)
            start = skipped[0] if skipped is not None and skipped[1] == begin else begin
            found = taken.get(topic)
            if found is not None and found.records:
                placed[topic] = Fetched(found.records, start, end, found.size)
            elif start != end:
                self._skipped[topic] = (start, end)
        return placed

    def failure(self) -> BaseException | str | None:
        """Why this consumer will never read again, or None.

        Faust goes round aiokafka's own calls, and with them round its check of the tasks behind them: the group
        member would be dead, or wait for ever that somebody takes note of an error, and nothing would say so.
        """
        consumer = self._consumer
        if consumer is None or consumer._closed:
            return None
        coordinator = consumer._coordinator
        if (error := getattr(coordinator, "_pending_exception", None)) is not None:
            return cast(BaseException, error)
        for task in (getattr(coordinator, "_coordination_task", None), consumer._fetcher._fetch_task):
            if task is not None and task.done():
                return "cancelled" if task.cancelled() else task.exception() or "ended"
        return None

    def unread(self) -> dict[tuple[str, int], int]:
        """(topic, partition) -> committed records on the broker behind the fetch position."""
        subscription = self._ensure_consumer()._subscription.subscription
        counts: dict[tuple[str, int], int] = {}
        if subscription is None or subscription.assignment is None:
            return counts
        assignment = subscription.assignment
        for topic in assignment.tps:
            state = assignment.state_value(topic)
            if state is not None and state.has_valid_position and state.lso is not None:
                counts[topic.topic, topic.partition] = max(0, state.lso - state.position)
        return counts


class Consumer(driver.Consumer):
    """Hands over whole batches, and never commits."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._seeking = asyncio.Lock()
        self._again = False

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _drain_messages(self, fetcher: Any) -> None:
        async with guarded("fetch records", stage=host_of(self.app).stage):
            try:
                while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                    await self._drain_once()
            except asyncio.CancelledError:
                # The consumer's thread breaks the fetch off when it ends. In the middle of a rebalance Faust takes that
                # for its own sign to start the fetcher again, and crashes: with 70, and without leaving the group.
                if not self.app.should_stop:
                    raise

    async def _drain_once(self) -> None:
        await asyncio.sleep(0)  # a fetch that returns at once must not keep the loop from everybody else
        if self._again and self.flow_active:
            await self.perform_seek()
        try:
            fetched = await self._fetch()
        except self.consumer_stopped_errors:
            return  # the consumer closes first on a stop, and the fetcher learns of it here
        except NoOffsetForPartitionError:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            return  # a rebalance overtook the fetch: a partition is ours already, and the seek is on its way
        except OffsetOutOfRangeError as error:
            host = host_of(self.app)
            raise RefusedError(out_of_range(error, host.stage, host.context.settings.group(host.stage))) from None
        generation = self.app.consumer_generation_id
        for topic, batch in fetched.items():
            if self.should_stop:
                return
            if generation != self.app.consumer_generation_id or not self.flow_active:
                # Dropped by a rebalance, perhaps after its seek. `StageHost.accept` would notice the gap with the next
                # records; the last ones of a topic would wait for those.
                self.seek_again()
                return
            message = _message(TP(topic.topic, topic.partition), batch, generation)
            await self.wait_first(self.callback(message), self.suspend_flow.wait())

    async def _fetch(self) -> Mapping[TopicPartition, Fetched]:
        """What was read of the partitions that have room for more."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # anything with a wait(), says mode
        active = self._get_active_partitions()
        if not active:
            await self.sleep(FETCH_TIMEOUT_SECONDS)
            return {}
        readable = host_of(self.app).with_room(active)
        if not readable:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            return {}
        seconds = LOOK_AGAIN_SECONDS if len(readable) < len(active) else FETCH_TIMEOUT_SECONDS
        return await cast(ConsumerThread, self._thread).fetch(readable, seconds)

    def seek_again(self) -> None:
        """Something was fetched and is missing: go back to what is committed before the next fetch."""
        self._again = True

    async def perform_seek(self) -> None:
        """Seek to the committed offsets, and to the beginning where nothing was committed yet."""
        host, thread = host_of(self.app), cast(ConsumerThread, self._thread)
        async with self._seeking, guarded("seek to the committed offsets", stage=host.stage):
            self._again = False
            while True:
                openings = host.openings
                places = [(topic.topic, topic.partition) for topic in thread.assignment()]
                if places:
                    settings = host.context.settings
                    await asyncio.to_thread(wait_until_stable, settings, settings.group(host.stage), places)
                seek = await thread.seek_to_committed()
                if openings == host.openings:
                    break  # else a partition was opened meanwhile, and its former owner may have committed more
            committed = {
                (at.topic, at.partition): (found.offset, found.metadata) for at, found in seek.committed.items()
            }
            host.positioned(committed, {(at.topic, at.partition): offset for at, offset in seek.begins.items()})

    async def wait_empty(self) -> None:
        """Finish the running transactions; what waits behind them is uncommitted and will be read again."""
        await host_of(self.app).close()
        self._unacked_messages.clear()

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Nothing: offsets are part of our transactions."""
        return True

    async def verify_all_partitions_active(self) -> None:
        """Nothing: Faust would look for its own commits and report their absence."""

    def failure(self) -> BaseException | str | None:
        """Why this consumer will never read again, or None."""
        return cast(ConsumerThread, self._thread).failure()

    def unread(self) -> Mapping[tuple[str, int], int]:
        """(topic, partition) -> committed records on the broker that were not fetched yet."""
        return cast(ConsumerThread, self._thread).unread()


class Transactions(TransactionManager):
    """Opens and closes the host's partitions when Faust rebalances."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Close everything; `on_rebalance` opens what is ours afterwards."""
        await host_of(self.app).close()

    async def on_rebalance(self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP]) -> None:
        """Open the assigned partitions. Faust seeks to the committed offsets after this, and then resumes."""
        async with guarded("open partitions", stage=host_of(self.app).stage):
            await host_of(self.app).open(topic.partition for topic in assigned)

    async def flush(self) -> None:
        """Nothing: each transaction waits for its own writes."""

    async def commit(self, offsets: Any, start_new_transaction: bool = True) -> bool:
        """Nothing: offsets are part of our transactions."""
        return True


class BatchTransport(driver.Transport):
    """The aiokafka transport with our consumer and transaction manager.

    Attributes:
        host: the stage whose partitions it feeds.
    """

    Consumer = Consumer
    TransactionManager = Transactions

    def __init__(self, app: faust.App, host: StageHost) -> None:
        self.host = host
        super().__init__(app.conf.broker_consumer, app)


class BatchSchema(faust.Schema[Any, Any]):
    """Passes the list of records through undecoded."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Awaitable[Any]]:
        """The function that makes a stream event of a message."""

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return app.create_event(None, message.value, {}, message)

        return decode


def _message(topic: TP, fetched: Fetched, generation: int) -> ConsumerMessage:
    """A Faust message whose value is the batch. Without the generation the stream would drop it as stale."""
    last = fetched.records[-1]
    return ConsumerMessage(
        topic.topic,
        topic.partition,
        last.offset,
        last.timestamp / 1000,
        CREATE_TIME,
        [],
        b"",
        cast(Any, fetched),
        None,
        None,
        None,
        tp=topic,
        generation_id=generation,
    )
