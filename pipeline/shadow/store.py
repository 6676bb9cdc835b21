"""The shadow's own two topics: its state with the place where it goes on, and what it has found.

Both are written in one transaction, so every record takes effect once, also when the process is killed. The producer's
transactional id is the installation's: a second process fences the first, and there is never more than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from confluent_kafka import Message, Producer

from pipeline.core.migrate import STATE_SCHEMAS
from pipeline.flow import SHADOW_CHANGELOG, SHADOW_STATUS
from pipeline.kafka.client import librdkafka
from pipeline.kafka.scan import Place, existing, scan, scan_spans, spans
from pipeline.runtime.history import check_replication, topic_makes
from pipeline.settings import Settings

SECONDS_MAX: Final = 30.0
"""How long the brokers may take to answer."""

STATUS_KEY: Final = b"status"
STATUS_OFFSETS: Final = 200
"""Offsets from the end of the status topic that are looked at: each status takes two, with its transaction's mark."""

_POSITIONS: Final = b"positions"
_SCHEMAS: Final = b"schemas"

Changes = Iterable[tuple[str, bytes | None]]


class StoreError(Exception):
    """The shadow's topics cannot be used; the message is one line and says what to do."""


class ShadowStore:
    """Writes and reads the two topics. Every key of the state has the shadow's id in front."""

    def __init__(self, settings: Settings) -> None:
        """Describe; nothing connects yet."""
        self._settings = settings
        self._client: dict[str, Any] = {**librdkafka(settings), "group.id": settings.group("shadow")}
        self._changelog = settings.wire(SHADOW_CHANGELOG)
        self._status = settings.wire(SHADOW_STATUS)
        self._failed: list[str] = []
        self._producer: Producer | None = None

    def start(self) -> None:
        """Connect; a former process is fenced when this returns.

        Raises:
            StoreError: the topics are missing.
            RefusedError: in production, a topic does not survive a broker.
            KafkaException: the brokers do not answer.
        """
        there = existing(self._client, [self._changelog, self._status])
        for name in (self._changelog, self._status):
            if there.get(name) != (0,):
                raise StoreError(f"topic {name} is missing: spillway topics apply with SPILLWAY_SHADOW_CONFIG set")
        names = (SHADOW_CHANGELOG, SHADOW_STATUS)
        check_replication(self._settings, topic_makes(self._settings, names))
        more = {"transactional.id": self._settings.group("shadow"), "linger.ms": 5, "message.max.bytes": 16 << 20}
        self._producer = Producer({**librdkafka(self._settings), **more})
        self._producer.init_transactions(SECONDS_MAX)

    def restore(self, shadow_id: str) -> tuple[dict[Place, int], list[tuple[str, bytes]]]:
        """Where to go on, and the state; both empty where there is none, or none that this release reads.

        Keys of other shadows are removed.
        """
        latest: dict[bytes, bytes] = {}
        for record in scan(self._client, {self._changelog: (0,)}):
            key = record.key or b""
            if record.value is None:
                latest.pop(key, None)
            else:
                latest[key] = record.value
        prefix = f"{shadow_id}/".encode()  # of no shadow's id: no key begins with a stroke
        ours = {key.removeprefix(prefix): value for key, value in latest.items() if key.startswith(prefix)}
        positions = _positions(ours.pop(_POSITIONS, b"[]"))
        readable = ours.pop(_SCHEMAS, b"") == _schemas()
        stale = [key for key in latest if not (readable and key.startswith(prefix))]
        if stale:
            self._transact([(self._changelog, key, None) for key in stale])
        if not readable:
            return {}, []
        return positions, [(key.decode(), value) for key, value in ours.items()]

    def commit(self, shadow_id: str, changes: Changes, positions: Mapping[Place, int], status: bytes | None) -> None:
        """Write state, place and, where there is news, the status: all or nothing.

        Raises:
            KafkaException: nothing may be assumed; the process must end.
            StoreError: a record was not written.
        """
        place = orjson.dumps([[topic, partition, offset] for (topic, partition), offset in sorted(positions.items())])
        state = [(f"{shadow_id}/{key}".encode(), value) for key, value in changes]
        prefix = f"{shadow_id}/".encode()
        state += [(prefix + _POSITIONS, place), (prefix + _SCHEMAS, _schemas())]
        records = [(self._changelog, key, value) for key, value in state]
        if status is not None:
            records.append((self._status, STATUS_KEY, status))
        self._transact(records)

    def clear(self) -> None:
        """Remove all state, whichever shadow it is of, and the status."""
        self.restore("")
        self._transact([(self._status, STATUS_KEY, None)])

    def stop(self) -> None:
        """Disconnect. No transaction is open."""
        self._producer = None

    def _transact(self, records: Iterable[tuple[str, bytes, bytes | None]]) -> None:
        producer = self._producer
        assert producer is not None  # noqa: S101 started
        producer.begin_transaction()
        for topic, key, value in records:
            while True:
                try:
                    producer.produce(topic, value, key, partition=0, on_delivery=self._delivered)
                except BufferError:
                    producer.poll(0.1)
                else:
                    break
        producer.commit_transaction(SECONDS_MAX)
        if self._failed:
            raise StoreError(f"a record of the shadow's state was not written: {self._failed[0]}")

    def _delivered(self, error: Any, message: Message) -> None:
        if error is not None:
            self._failed.append(f"{message.topic()}, {len(message.value() or b'')} bytes: {error.str()}")


def read_status(settings: Settings) -> dict[str, Any] | None:
    """The newest status; None where no shadow has told one.

    Raises:
        ScanError: the topic cannot be read.
    """
    client = {**librdkafka(settings), "group.id": settings.group("shadow")}
    topic = settings.wire(SHADOW_STATUS)
    whole = spans(client, existing(client, [topic]), None, None)
    tail = {at: (max(first, end - STATUS_OFFSETS), end) for at, (first, end) in whole.items()}
    found: bytes | None = None
    for wanted in (tail, whole):
        records = list(scan_spans(client, wanted))
        if records:
            found = records[-1].value
            break
    return None if found is None else orjson.loads(found)


def _positions(value: bytes) -> dict[Place, int]:
    return {(topic, partition): offset for topic, partition, offset in orjson.loads(value)}


def _schemas() -> bytes:
    """Forms of the state records that this release writes: state of others is not guessed at."""
    return orjson.dumps(STATE_SCHEMAS, option=orjson.OPT_SORT_KEYS)
