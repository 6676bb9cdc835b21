"""The probe: a synthetic alert through the pipeline, in time or not.

It is a heartbeat on Spillway's own feed, so it opens nothing and calls nobody. Ingest reads it as any alert, dedupe
decides it and hands it on, correlate does the same; a reader of committed records sees it on ``incidents.summaries``.
What reads there must then commit past it, and so must deliver and record past a tick of ours on ``deliveries``. A
stage that is down, stuck or far behind does not let it through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from threading import Event, Lock
from time import monotonic
from typing import Any, Final

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.core.alerts.own_alerts import OWN_FEED, PROBE_HEADER, PROBE_LABEL, PROBE_PARTITION
from pipeline.core.step import TICK_KEY
from pipeline.flow import RAW_TOPIC_PREFIX, STAGE_BY_NAME
from pipeline.kafka.client import librdkafka
from pipeline.kafka.offsets import CommittedOffsets
from pipeline.settings import Settings

OWN_TOPIC: Final = RAW_TOPIC_PREFIX + OWN_FEED
SEEN_TOPIC: Final = "incidents.summaries"
"""Where correlate tells that it has the probe."""

OUTWARD_TOPIC: Final = "deliveries"
"""Where the probe of what carries outwards goes: nothing of ours would get there by itself."""

TRAVELLED: Final = ("ingest", "dedupe", "correlate")
"""Stages that hand the probe on."""

FOLLOWERS: Final[Mapping[str, tuple[str, ...]]] = {
    SEEN_TOPIC: ("bridge", "problem"),
    OUTWARD_TOPIC: ("deliver", "record"),
}
"""Topic -> stages that must commit past the probe there."""

POLL_SECONDS: Final = 0.1
REQUEST_SECONDS_MAX: Final = 5.0


class WatchError(Exception):
    """The watch cannot work; the message is one line and says what to do."""


@dataclass(frozen=True, slots=True)
class Round:
    """What became of one probe.

    Attributes:
        seconds: from sending it until every stage had it, or until it was given up.
        waiting: stages that do not have it; empty: it got through. Of those that hand it on, the first.
        error: what Kafka said, where it could not be asked.
    """

    seconds: float
    waiting: tuple[str, ...] = ()
    error: str = ""

    @property
    def through(self) -> bool:
        """It got through in time."""
        return not self.waiting and not self.error


class Prober:
    """Sends probes, one after another: one thread sends, and another may close."""

    def __init__(self, settings: Settings, stages: frozenset[str]) -> None:
        """Connect in the background.

        Args:
            settings: brokers, names.
            stages: those that must have the probe; the travelled ones always.
        """
        self._settings = settings
        self._stages = stages
        self._closing, self._sending = Event(), Lock()
        client: dict[str, Any] = {**librdkafka(settings), "client.id": f"{settings.app_id}-watch"}
        self._producer = Producer(client | {"acks": "all", "enable.idempotence": True, "linger.ms": 0})
        self._admin = AdminClient(client)
        self._offsets = CommittedOffsets(client)
        self._consumer = Consumer(
            client
            | {
                "group.id": f"{settings.app_id}-watch",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "latest",
            }
        )

    def check(self) -> None:
        """Look for the topics.

        Raises:
            WatchError: no broker answers, or the topic of the own feed is missing.
        """
        try:
            found = self._admin.list_topics(timeout=REQUEST_SECONDS_MAX).topics
        except KafkaException as error:
            raise WatchError(f"no broker answers at {self._settings.bootstrap} ({error.args[0].str()})") from error
        if (topic := self._settings.wire(OWN_TOPIC)) not in found:
            raise WatchError(
                f"no topic {topic}: add '{OWN_FEED}: {{adapter: alertmanager}}' to feeds.yaml, then run "
                "spillway topics apply"
            )

    def send(self, within_seconds: float) -> Round:
        """Send a probe and wait for it.

        Args:
            within_seconds: how long at most.
        """
        began = monotonic()
        with self._sending:
            if self._closing.is_set():
                return Round(0.0, TRAVELLED[:1], "closed")
            try:
                waiting = self._follow(token_hex(8), began + within_seconds)
            except KafkaException as error:
                return Round(monotonic() - began, TRAVELLED[:1], error.args[0].str())
        return Round(monotonic() - began, waiting)

    def close(self) -> None:
        """Give up a probe that is under way, wait until nothing is asked for it any more, and disconnect."""
        self._closing.set()
        with self._sending:
            self._offsets.close()
            self._consumer.close()

    def _may_wait(self, until: float) -> bool:
        return monotonic() < until and not self._closing.is_set()

    def _follow(self, probe: str, deadline: float) -> tuple[str, ...]:
        seen = TopicPartition(self._settings.wire(SEEN_TOPIC), PROBE_PARTITION)
        _, seen.offset = self._consumer.get_watermark_offsets(seen, timeout=REQUEST_SECONDS_MAX)
        self._consumer.assign([seen])
        raw_at, taken_ms = self._write(OWN_TOPIC, None, payload(probe), deadline)
        # Its time moves the time of deliver and record, so it is the broker's and not this machine's.
        outward_at, _ = self._write(
            OUTWARD_TOPIC, TICK_KEY, None, deadline, ((PROBE_HEADER, probe.encode()),), timestamp_ms=taken_ms
        )
        seen_at = self._seen(probe, deadline)
        if seen_at is None:
            has_read = self._past({"ingest": (OWN_TOPIC, raw_at)}, lambda: 0.0)
            return ("dedupe or correlate",) if has_read == () else TRAVELLED[:1]
        places = {SEEN_TOPIC: seen_at, OUTWARD_TOPIC: outward_at}
        wanted = {
            stage: (topic, places[topic])
            for topic, stages in FOLLOWERS.items()
            for stage in stages
            if stage in self._stages
        }
        return self._past(wanted, lambda: deadline)

    def _write(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        deadline: float,
        headers: tuple[tuple[str, bytes], ...] = (),
        timestamp_ms: int = 0,
    ) -> tuple[int, int]:
        """Write a record, of a time or else of this machine's: its offset and its time, as the broker has them."""
        told: list[KafkaError | tuple[int, int]] = []
        self._producer.produce(
            self._settings.wire(topic),
            value,
            key,
            partition=PROBE_PARTITION,
            timestamp=timestamp_ms,
            headers=list(headers),
            on_delivery=lambda error, message: told.append(error or (message.offset() or 0, message.timestamp()[1])),
        )
        while not told and self._may_wait(deadline):
            self._producer.poll(POLL_SECONDS)
        if not told:
            raise _no_answer()
        if isinstance(told[0], KafkaError):
            raise KafkaException(told[0])
        return told[0]

    def _seen(self, probe: str, deadline: float) -> int | None:
        """Offset at which correlate tells of a probe; None where it does not in time."""
        wanted = (PROBE_HEADER, probe.encode())
        while self._may_wait(deadline):
            message = self._consumer.poll(POLL_SECONDS)
            if message is None:
                continue
            if (failed := message.error()) is not None:
                raise KafkaException(failed)
            if message.key() == TICK_KEY and wanted in (message.headers() or []):
                return message.offset()
        return None

    def _past(self, wanted: Mapping[str, tuple[str, int]], until: Callable[[], float]) -> tuple[str, ...]:
        """Which stages have not committed past an offset by a moment; asked once at least."""
        while True:
            waiting = tuple(stage for stage, place in wanted.items() if self._committed(stage, place[0]) <= place[1])
            if not waiting or not self._may_wait(until()):
                return waiting
            self._consumer.poll(POLL_SECONDS)  # which also keeps the connection alive

    def _committed(self, stage: str, topic: str) -> int:
        place = (self._settings.wire(topic), PROBE_PARTITION)
        return self._offsets.of(self._settings.group(stage), [place], REQUEST_SECONDS_MAX).get(place, -1)


def _no_answer() -> KafkaException:
    return KafkaException(KafkaError(KafkaError._MSG_TIMED_OUT))


def payload(probe: str) -> bytes:
    """What Alertmanager would send of a rule that always fires."""
    member = {
        "status": "firing",
        "labels": {"alertname": "Watchdog", PROBE_LABEL: probe},
        "annotations": {"summary": "a probe of spillway watch"},
        "startsAt": datetime.now(UTC).isoformat(),
    }
    return orjson.dumps({"version": "4", "status": "firing", "alerts": [member]})


def all_stages() -> frozenset[str]:
    """Every stage of the flow."""
    return frozenset(STAGE_BY_NAME)
