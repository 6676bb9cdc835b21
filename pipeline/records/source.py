"""The topics that the records store is made of, read outside of the record stage: to make a store anew, to catch up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from pipeline.core.outward.record import RecordProcessor
from pipeline.core.step import Effects, StreamRecord
from pipeline.flow import STAGE_BY_NAME
from pipeline.kafka.client import librdkafka
from pipeline.kafka.scan import ScanError, Span, bounds, committed, existing, scan_spans
from pipeline.records.projected import Place, ends_of
from pipeline.records.store import RecordsStore
from pipeline.runtime.history import topic_makes
from pipeline.settings import Settings

BATCH_RECORDS: Final = 2_000
"""Records of one transaction, as of the record stage by default."""

Seen = Callable[[int], None]
"""Told how many records were read."""

Spans = Mapping[Place, Span]


class Counted(NamedTuple):
    """What reading came to.

    Attributes:
        records: read, ticks and refused ones included.
        refused: records that are not what their topic holds; the record stage has sent them to the dead letter.
    """

    records: int
    refused: int


class Source:
    """The topics in one cluster.

    Attributes:
        topic_ids: logical name -> id in the cluster.
        begins_ms: timestamp of the first record that was read of each partition of each topic.
    """

    def __init__(self, settings: Settings) -> None:
        """Ask which topics there are.

        Raises:
            StartError: the brokers do not answer.
            ScanError: a topic is missing.
        """
        self._prefix = settings.topic_prefix
        self._group = settings.group("record")
        self._client: dict[str, Any] = {**librdkafka(settings), "group.id": self._group}
        self._topics = STAGE_BY_NAME["record"].reads
        self.topic_ids = {topic: make.id for topic, make in topic_makes(settings, self._topics).items()}
        if missing := [topic for topic in self._topics if topic not in self.topic_ids]:
            raise ScanError(f"topic {settings.wire(missing[0])} is missing: run `spillway topics apply`")
        self.begins_ms: dict[Place, int] = {}

    def bounds(self) -> dict[Place, Span]:
        """The first and the next offset of each partition as they are now, also of one that is empty.

        Raises:
            ScanError: a topic cannot be read.
        """
        partitions = existing(self._client, [self._prefix + topic for topic in self._topics])
        return {self._place(*at): span for at, span in bounds(self._client, partitions).items()}

    def records(self, wanted: Spans) -> Iterator[StreamRecord]:
        """Committed records of these spans, by the logical names of their topics, in order within each partition.

        Raises:
            ScanError: a topic cannot be read.
        """
        named = {(self._prefix + at.topic, at.partition): span for at, span in wanted.items() if span[0] < span[1]}
        for record in scan_spans(self._client, named):
            topic = record.topic.removeprefix(self._prefix)
            place = Place(topic, record.partition, self.topic_ids[topic])
            self.begins_ms.setdefault(place, record.timestamp)
            yield record._replace(topic=topic)

    def committed(self, places: Iterable[Place]) -> dict[Place, int]:
        """What the record stage has committed of these, as far as they are of the topics that there are.

        Raises:
            ScanError: the brokers do not say.
        """
        ours = {
            (self._prefix + place.topic, place.partition): place
            for place in places
            if self.topic_ids.get(place.topic) == place.topic_id
        }
        found = committed(self._client, list(ours))
        return {ours[at]: offset for at, offset in found.items()}

    def missed(self, known: Mapping[Place, int], partition: int) -> dict[Place, Span]:
        """What the record stage has committed of a partition and a store has not: it is an older copy, of a backup.

        Args:
            known: how far each topic is in the store.
            partition: of all topics.

        Raises:
            ScanError: the brokers do not say.
        """
        if not known:  # filled by a release that did not say how far
            return {}
        ends = self.committed(Place(topic, partition, topic_id) for topic, topic_id in self.topic_ids.items())
        return {place: (known.get(place, 0), end) for place, end in ends.items() if known.get(place, 0) < end}

    def project(self, store: RecordsStore, wanted: Spans, seen: Seen | None = None, *, tells: bool = False) -> Counted:
        """Write what these spans hold into a store, as the record stage does.

        Raises:
            ScanError: a topic cannot be read.
            SQLAlchemyError: the database is away or refused.
        """
        count = refused = 0
        for batch in _batches(self.records(wanted)):
            processor, effects = RecordProcessor(), Effects()
            processor.handle(batch, effects)
            store.write(processor.take(), ends_of(batch, self.topic_ids), tells=tells)
            count, refused = count + len(batch), refused + len(effects.outputs)
            if seen is not None:
                seen(count)
        return Counted(count, refused)

    def _place(self, wire: str, number: int) -> Place:
        topic = wire.removeprefix(self._prefix)
        return Place(topic, number, self.topic_ids[topic])


def size(spans: Spans) -> int:
    """Records of spans at most: what is not a record but a mark of a transaction counts too."""
    return sum(end - first for first, end in spans.values())


def _batches(records: Iterable[StreamRecord]) -> Iterator[list[StreamRecord]]:
    left = iter(records)
    while batch := list(islice(left, BATCH_RECORDS)):
        yield batch
