"""The producer: a raw record is acknowledged by all in-sync replicas, or its request is told so."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from pipeline.flow import RAW_RECORD_BYTES_MAX
from pipeline.gateway.headers import KafkaHeaders
from pipeline.gateway.refusal import RETRY_KAFKA_SECONDS, Reason, Refusal, busy, kafka_unavailable, too_large
from pipeline.kafka.writer import Manner, NotWrittenError, Why, Writer
from pipeline.settings import Settings

DELIVERY_SECONDS_MAX: Final = 8.0
"""Sources wait 10 seconds or more for an answer (Datadog, SNS 15, Zendesk 12): ours must come before they give up."""

LINGER_MS: Final = 5
"""Records that come within it go together: a fifth less CPU at 2,000 a second than with 2. Each answer waits for it."""

MANNER: Final = Manner("gateway", DELIVERY_SECONDS_MAX, LINGER_MS, RAW_RECORD_BYTES_MAX)


class RawProducer(Writer):
    """Writes raw records. Made inside a running event loop."""

    def __init__(self, settings: Settings, topics: frozenset[str]) -> None:
        """Connect in the background.

        Args:
            settings: the brokers, and the way to them.
            topics: names on the wire of those that will be written.

        Raises:
            SettingsError: a file that the settings name cannot be read.
        """
        super().__init__(settings, topics, MANNER)

    async def send(self, topic: str, key: bytes | None, value: bytes, headers: KafkaHeaders) -> None:
        """Write a record, and return when it is acknowledged.

        Raises:
            Refusal: it is not, or not known to be.
        """
        try:
            await self.write(topic, key, value, headers)
        except NotWrittenError as failure:
            raise _refusal(failure) from None


def _refusal(failure: NotWrittenError) -> Refusal:
    if failure.why == Why.TOO_LARGE:
        return too_large(RAW_RECORD_BYTES_MAX)
    if failure.why == Why.BUSY:
        return busy("the producer's queue")
    return _missing() if failure.why == Why.MISSING_TOPIC else kafka_unavailable(failure.detail)


def _missing() -> Refusal:
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        Reason.TOPIC_MISSING,
        "the feed's topic is missing: the operator has to run spillway topics apply",
        retry_after_seconds=RETRY_KAFKA_SECONDS,
    )
