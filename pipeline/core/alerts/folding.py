"""Folding: under pressure equal alerts of a batch go on as one record that names them all, and none is lost.

A repeat costs the stages after ingest a record each: written, read, parsed. Where more waits than one transaction
takes, repeats that are a message's bytes over again are added to the record of the first, each with its offset and its
time, unless another alert of the same condition came in between. Dedupe decides each of them for itself, at the time
of the first, so that every count and every decision is what it would have been. (`pipeline.models.alert.folded`)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pipeline.core.step import Effects
from pipeline.models.alert import folded

FOLD_ALERTS_MAX: Final = 50
"""Alerts of one record. Dedupe takes 2,000 records a transaction, which so decides 100,000 alerts in half a second."""


FOLD_SPAN_MS: Final = 1_000
"""From the first to the last: by so much a condition may look quiet for longer than it was. A storm is denser, and a
backlog of hours at a slow rate must not lose the signs of life that keep its episodes from expiring."""


Source = tuple[str, bytes | None, int]
"""Raw topic, bytes and place of an alert in its message. Not what memory holds of it: other partitions change that."""


@dataclass(slots=True)
class Fold:
    """One record of the batch and what is added to it.

    Attributes:
        place: of the record among the outputs.
        begin_ms: its time.
        source: which alert of which message it is.
        more: offset and time of each alert that is added.
    """

    place: int
    begin_ms: int
    source: Source
    more: list[tuple[int, int]] = field(default_factory=list)


class Folding:
    """The folds of one partition's batch."""

    __slots__ = ("_effects", "_newest", "_used")

    def __init__(self) -> None:
        self._effects: Effects | None = None
        self._newest: dict[bytes, Fold] = {}
        self._used: list[Fold] = []

    def wrote(self, source: Source, effects: Effects) -> None:
        """The newest record of a condition is written: repeats may be added to it, and to none before it."""
        if self._effects is not effects:
            self._effects, self._newest, self._used = effects, {}, []
        place = len(effects.outputs) - 1
        output = effects.outputs[place]
        self._newest[output.key or b""] = Fold(place, output.timestamp_ms, source)

    def adds(self, key: bytes | None, source: Source, offset: int, now_ms: int, effects: Effects) -> bool:
        """Add an alert to the newest record of its condition; False where that is of another message, or has enough."""
        if self._effects is not effects:
            return False
        fold = self._newest.get(key or b"")
        if fold is None or fold.source != source or len(fold.more) >= FOLD_ALERTS_MAX - 1:
            return False
        if now_ms - fold.begin_ms > FOLD_SPAN_MS:
            return False
        if not fold.more:
            self._used.append(fold)
        fold.more.append((offset, now_ms))
        return True

    def finish(self, effects: Effects) -> None:
        """Put what was added into the batch's records."""
        if self._effects is effects:
            for fold in self._used:
                output = effects.outputs[fold.place]
                effects.outputs[fold.place] = output._replace(value=folded(output.value or b"", fold.more))
        self._effects, self._newest, self._used = None, {}, []
