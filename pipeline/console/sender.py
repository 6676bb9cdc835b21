"""Commands to Kafka: answered when the brokers have them."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from pipeline.console.commands import BRIDGE_COMMANDS_TOPIC, COMMANDS_TOPIC
from pipeline.console.refusal import Reason, Refusal
from pipeline.kafka.writer import Manner, NotWrittenError, Why, Writer
from pipeline.models.command import Command
from pipeline.models.problem import PROBLEM_COMMANDS_TOPIC, ProblemCommand
from pipeline.runtime.guard import log_line
from pipeline.settings import Settings

RETRY_SECONDS: Final = 5
"""A broker comes back, or another leads, within seconds."""

DELIVERY_SECONDS_MAX: Final = 8.0
"""Somebody waits before a screen: a broker that takes longer is not well, and he is told."""

LINGER_MS: Final = 0
"""People ask one at a time; there is nothing to wait for."""

COMMAND_BYTES_MAX: Final = 1 << 20
"""A split of the largest incident names 10,000 episodes in some 300 KiB."""

MANNER: Final = Manner("console", DELIVERY_SECONDS_MAX, LINGER_MS, COMMAND_BYTES_MAX)

TOPICS: Final = (COMMANDS_TOPIC, BRIDGE_COMMANDS_TOPIC, PROBLEM_COMMANDS_TOPIC)


class CommandSender:
    """Sends commands. Made inside a running event loop.

    Attributes:
        writer: what writes them; it is watched and closed by the process.
    """

    def __init__(self, settings: Settings, recorded_ms: Callable[[], int] | None = None) -> None:
        """Connect in the background.

        Args:
            settings: of the process.
            recorded_ms: the time of the recording that is played, which its records carry; None: brokers' or ours.
        """
        self._wire = settings.wire
        self._recorded_ms = recorded_ms
        self.writer = Writer(settings, frozenset(map(settings.wire, TOPICS)), MANNER)

    async def send(self, command: Command | ProblemCommand, *, topic: str, key: str) -> None:
        """Write one and wait until the brokers have it.

        Raises:
            Refusal: they do not take it, or are not known to have taken it. Repeated with the same key, it is given
                once all the same.
        """
        value = command.model_dump_json(exclude_none=True).encode()
        try:
            at_ms = 0 if self._recorded_ms is None else self._recorded_ms()
            await self.writer.write(self._wire(topic), key.encode(), value, timestamp_ms=at_ms)
        except NotWrittenError as failure:
            log_line("console command not sent", why=failure.why, detail=failure.detail, topic=topic)
            raise _refusal(failure) from None


def _refusal(failure: NotWrittenError) -> Refusal:
    if failure.why == Why.TOO_LARGE:
        detail = f"the command is larger than {COMMAND_BYTES_MAX} bytes"
        return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Reason.TOO_LARGE, detail)
    if failure.why == Why.MISSING_TOPIC:
        detail = "a topic of commands is missing: the operator has to run `spillway topics apply`"
    else:
        detail = (
            "Kafka did not say that it has the command: try again in a moment, with the same Idempotency-Key, "
            "and it is given once"
        )
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, Reason.KAFKA_AWAY, detail, headers=headers)
