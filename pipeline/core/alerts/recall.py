"""Recall: what a message came to, so that the same bytes again cost a look-up. Sources repeat themselves.

Only what is a pure function of the bytes belongs here: an answer from memory equals one worked out anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.core.step import Output

MESSAGE_BYTES_MAX: Final = 16_384
"""Larger messages are not remembered: groups of many alerts are hardly the same twice."""

RECALL_BYTES_MAX: Final = 32 * 1_048_576
"""What one process remembers, messages and answers: some ten thousand conditions that fire at the same time."""

ENTRY_BYTES: Final = 600
"""Of an entry, beside message and answer: objects and places in tables."""


class Remembered(list[Output]):
    """What a message came to.

    Attributes:
        unmatched: how many of its alerts are about nothing that the catalogue knows.
    """

    __slots__ = ("unmatched",)

    def __init__(self, outputs: Iterable[Output], unmatched: int = 0) -> None:
        super().__init__(outputs)
        self.unmatched = unmatched


class Recall:
    """Messages by topic and bytes, in two generations: as one is full, the one before it is forgotten."""

    __slots__ = ("_bytes", "_bytes_max", "_older", "_younger")

    def __init__(self, bytes_max: int = RECALL_BYTES_MAX) -> None:
        self._bytes_max = bytes_max // 2
        self._bytes = 0
        self._younger: dict[tuple[str, bytes], Remembered] = {}
        self._older: dict[tuple[str, bytes], Remembered] = {}

    def get(self, topic: str, message: bytes) -> Remembered | None:
        """What a message of a topic came to, where it is known."""
        place = (topic, message)
        known = self._younger.get(place)
        if known is None:
            known = self._older.pop(place, None)
            if known is not None:
                self._keep(place, known)
        return known

    def put(self, topic: str, message: bytes, outputs: Remembered) -> None:
        """Remember what a message came to, unless it is too large."""
        if len(message) <= MESSAGE_BYTES_MAX:
            self._keep((topic, message), outputs)

    def _keep(self, place: tuple[str, bytes], outputs: Remembered) -> None:
        size = len(place[1])
        for output in outputs:
            size += len(output.value or b"") + ENTRY_BYTES
        if self._bytes + size > self._bytes_max:
            self._younger, self._older, self._bytes = {}, self._younger, 0
        self._younger[place] = outputs
        self._bytes += size
