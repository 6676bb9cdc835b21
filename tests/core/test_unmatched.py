"""Alerts that no entity is found for are counted by feed, also those whose message was read before."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from pipeline.core.alerts.ingest import IngestProcessor
from pipeline.core.step import Effects, StreamRecord
from pipeline.feeds import ADAPTERS
from pipeline.models.policy import Feed
from pipeline.runtime.metrics import Metrics
from tests.core.test_ingest import CONFIG, RECEIVED_MS, group, member

FEEDS = {name: Feed(name=name, adapter="alertmanager") for name in ("alertmanager", "x509")}


def record(feed: str, offset: int, *members: object) -> StreamRecord:
    return StreamRecord(f"alerts.raw.{feed}", 0, offset, RECEIVED_MS + offset, None, group(*members))


def unmatched(*records: StreamRecord) -> dict[str, int]:
    effects = Effects()
    IngestProcessor(CONFIG, ADAPTERS, FEEDS).handle(records, effects)
    return effects.unmatched


@pytest.mark.parametrize(
    ("members", "count"),
    [
        ([member(service="checkout")], 0),
        ([member(service="nobody")], 1),
        ([member(service="nobody"), member(service="checkout"), member(service="nowhere")], 2),
        ([member(service="nobody", status="resolved")], 0),
        ([{"status": 5}], 0),
    ],
)
@pytest.mark.parametrize("times", [1, 3])
def test_what_fires_about_nothing_known_is_counted_each_time(members: list[Any], count: int, times: int) -> None:
    found = unmatched(*(record("alertmanager", offset, *members) for offset in range(times)))
    assert found == ({"alertmanager": count * times} if count else {})


def test_each_feed_is_counted_by_itself_and_shown_as_a_series() -> None:
    found = unmatched(record("x509", 0, member(service="a")), record("alertmanager", 0, member(service="b")))
    registry = CollectorRegistry()
    metrics = Metrics(registry, ["ingest"])
    for _ in range(2):
        metrics.committed("ingest", 2, Effects(unmatched=found), 0.1, 0.0)
    assert [registry.get_sample_value("spillway_alerts_unmatched_total", {"feed": feed}) for feed in FEEDS] == [2, 2]
    assert orjson.dumps(found) == b'{"x509":1,"alertmanager":1}'
