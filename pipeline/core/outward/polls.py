"""How far the changes of sinks that are polled have been read: state of the partition that a sink's name falls on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from pipeline.models.remote import SinkUpdate

POLLS_SCHEMA: Final = 1


class Polls:
    """Sink -> how far, epoch milliseconds by the clock there. Their keys end where those of outboxes go on."""

    def __init__(self, touch: Callable[[str], None]) -> None:
        """Know of none.

        Args:
            touch: called with the key of a state record that changed.
        """
        self._touch = touch
        self._read_to_ms: dict[str, int] = {}

    @staticmethod
    def is_key(key: str) -> bool:
        """Whether a state record of this key is one of these."""
        return key.endswith("/")

    def take(self, update: SinkUpdate) -> None:
        """Take a ``polled`` update in. Never back: an old one may come again."""
        read_to_ms = int(update.at.timestamp() * 1_000)
        if read_to_ms > self._read_to_ms.get(update.sink, 0):
            self._read_to_ms[update.sink] = read_to_ms
            self._touch(f"{update.sink}/")

    def read_to_ms(self, sink: str) -> int | None:
        """How far a sink's changes have been read; None: never."""
        return self._read_to_ms.get(sink)

    def load(self, key: str, value: bytes) -> None:
        """Take a state record back.

        Raises:
            ValueError: of a schema that this release does not read.
        """
        document: dict[str, Any] = orjson.loads(value)
        if document["schema"] != POLLS_SCHEMA:
            raise ValueError(f"deliver: polls of schema {document['schema']}, this release reads {POLLS_SCHEMA}")
        self._read_to_ms[key.removesuffix("/")] = document["read_to_ms"]

    def dump(self, key: str) -> bytes | None:
        """The state record; None: there is none."""
        read_to_ms = self._read_to_ms.get(key.removesuffix("/"))
        return None if read_to_ms is None else orjson.dumps({"schema": POLLS_SCHEMA, "read_to_ms": read_to_ms})
