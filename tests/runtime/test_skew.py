"""Clock skew of feeds: what was nearest to now counts, for some minutes."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from pipeline.core.alerts.ingest import note_ahead, put_back
from pipeline.core.step import Effects
from pipeline.models.alert import Kind
from pipeline.runtime.skew import WINDOW_SECONDS, SkewGauge
from tests.core.builders import HOUR, MINUTE, SECOND, T0, alert


@pytest.mark.parametrize(
    ("fields", "ahead_ms"),
    [
        ({"event_at_ms": T0 - 2 * SECOND}, -2 * SECOND),
        ({"event_at_ms": T0 - HOUR, "ended_at_ms": T0 - SECOND}, -SECOND),
        ({"event_at_ms": T0 + 30 * SECOND}, 30 * SECOND),
        ({"event_at_ms": T0 + 7 * MINUTE}, 7 * MINUTE),
        ({"event_at_ms": None}, None),
        ({"event_at_ms": T0 + HOUR, "kind": Kind.MAINTENANCE_START}, None),
    ],
)
def test_the_newest_time_that_an_alert_tells_is_compared(fields: dict[str, Any], ahead_ms: int | None) -> None:
    given, effects = alert(**fields), Effects()
    put_back(given, T0)  # as ingest does first: what was told counts, not what became of it
    note_ahead(given, "monitor", effects)
    assert effects.ahead_ms.get("monitor") == ahead_ms


def test_of_a_batch_the_nearest_to_now_counts() -> None:
    effects = Effects()
    for ago in (HOUR, SECOND, MINUTE):
        note_ahead(alert(event_at_ms=T0 - ago), "monitor", effects)
    assert effects.ahead_ms == {"monitor": -SECOND}


def test_the_gauge_shows_the_most_of_the_last_minutes_and_forgets_older_ones() -> None:
    registry = CollectorRegistry()
    gauge = SkewGauge(registry)

    def shown() -> float | None:
        return registry.get_sample_value("spillway_feed_clock_skew_seconds", {"feed": "a"})

    shows = []
    for now, ahead in ((0, -50.0), (10, 3.0), (20, -60.0), (WINDOW_SECONDS, -5.0), (2 * WINDOW_SECONDS, -7.0)):
        gauge.observe("a", ahead, float(now))
        shows.append(shown())
    assert shows == [-50.0, 3.0, 3.0, 3.0, -5.0]
    gauge.observe("a", -9.0, 10 * WINDOW_SECONDS)
    assert shown() == -9.0
