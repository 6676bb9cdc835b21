"""A request that is being answered, and where records go: what the doors share."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web

from pipeline.gateway.headers import KafkaHeaders


class Records(Protocol):
    """Where records go."""

    async def send(self, topic: str, key: bytes | None, value: bytes, headers: KafkaHeaders) -> None:
        """Write a record, and return when it is acknowledged; raise `Refusal` where it is not."""


class Taken:
    """A request that is being answered, and what is known of it for counting and logging.

    Attributes:
        feed: name of the feed, or ``sinks/NAME``; None while nobody knows.
    """

    __slots__ = ("body_bytes", "feed", "request", "request_id")

    def __init__(self, request: web.BaseRequest, request_id: str) -> None:
        self.request = request
        self.request_id = request_id
        self.feed: str | None = None
        self.body_bytes = 0
