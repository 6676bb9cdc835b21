"""How far the clocks of sources are from the brokers', as far as their messages show it.

A message is under way for a while and tells of what may be old, so its newest time is behind by all of that. What was
nearest to now within some minutes says most: above 0 the source's clock is ahead, by at least as much; below 0 it is
behind by as much at most, or nothing fresh came.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, Gauge

WINDOW_SECONDS: Final = 300.0
"""The newest is judged by what came within once or twice as long: sources that repeat do so within minutes."""


class _Window(NamedTuple):
    begin: float
    most: float
    before: float | None


class SkewGauge:
    """The series, by feed; a feed of which no time is known has none."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register it."""
        self._windows: dict[str, _Window] = {}
        self._gauge = Gauge(
            "spillway_feed_clock_skew_seconds",
            "By how much the newest time that a feed told was ahead of the brokers' clock, the most of some minutes; "
            "below 0: behind, or under way.",
            ["feed"],
            registry=registry,
        )

    def observe(self, feed: str, ahead_seconds: float, now_seconds: float) -> None:
        """Take what was nearest to now in a batch.

        Args:
            feed: its name.
            ahead_seconds: newest time told less the time of the record.
            now_seconds: epoch seconds.
        """
        window = self._windows.get(feed)
        if window is None:
            window = _Window(now_seconds, ahead_seconds, None)
        elif now_seconds - window.begin >= WINDOW_SECONDS:
            recent = now_seconds - window.begin < 2 * WINDOW_SECONDS
            window = _Window(now_seconds, ahead_seconds, window.most if recent else None)
        else:
            window = window._replace(most=max(window.most, ahead_seconds))
        self._windows[feed] = window
        self._gauge.labels(feed).set(window.most if window.before is None else max(window.most, window.before))
