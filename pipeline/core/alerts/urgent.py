"""Which raw messages are urgent: something critical begins in them. Under a backlog these are read first.

Impact is not asked: it takes the catalogue, and correlate's view of what else is down. What is critical in the
source's own words and turns out to be a P3 went first in vain, and nothing is lost by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pipeline.core.alerts.sources import Source
from pipeline.core.step import Headers
from pipeline.flow import RAW_VALUE_BYTES_MAX
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord

_STEMS: Final = ("crit", "disaster", "emerg", "fatal", "highest", "blocker", "outage", "sev0", "urgent")
_WHOLE: Final = (b"DOWN", b"AVAILABILITY", b'"page"', b'"p1"', b'"P1"', b'"top"')
WORDS: Final = (*(form.encode() for stem in _STEMS for form in (stem, stem.capitalize(), stem.upper())), *_WHOLE)
"""One of these stands in most messages of most sources that are critical; where there is no time to read all of them
the others are left out. Who tells it by a number or by a word of their own is found only while there is time."""


class Urgent:
    """Tells urgent messages. Only looks: nothing is redacted, enriched or counted, and nothing goes on from here."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        """``sources``: how each raw topic is read. Adapters that keep something, as CEL programs do, are not shared."""
        self._sources = sources

    def keys(self, topic: str, value: bytes | None, headers: Headers) -> tuple[str, ...]:
        """Alert keys of what is critical and begins in a message; none where it is not urgent, or cannot be read.

        Args:
            topic: the raw topic's logical name.
            value: as it came.
            headers: as they came.
        """
        source = self._sources.get(topic)
        if source is None or not value or len(value) > RAW_VALUE_BYTES_MAX:
            return ()
        try:
            return urgent_keys(source.read(value, headers))
        except BadRecord:
            return ()


def urgent_keys(results: Iterable[Alert | BadRecord]) -> tuple[str, ...]:
    """Alert keys of what is critical and begins in a message."""
    return tuple(each.alert_key for each in results if isinstance(each, Alert) and _begins_critically(each))


def may_be_urgent(value: bytes) -> bool:
    """Whether a message has a word that urgent ones have: thirty times faster than reading it."""
    return any(word in value for word in WORDS)


def _begins_critically(alert: Alert) -> bool:
    return alert.severity == Severity.CRITICAL and alert.kind in (Kind.FIRING, Kind.TICKET)
