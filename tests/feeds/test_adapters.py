"""What every adapter owes: its table of samples, one alert key over a run, nothing but alerts and bad records."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.feeds import ADAPTERS, DEFAULT_FEEDS
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from tests.feeds.payloads import SAMPLE_OF, SAMPLES, Sample, facts

EVERY = pytest.mark.parametrize("sample", SAMPLE_OF.values(), ids=SAMPLE_OF)


def alerts_of(sample: Sample, payload: object = None, feed: str | None = None) -> list[Alert]:
    results = sample.read(sample.document() if payload is None else payload, feed)
    assert all(isinstance(result, Alert) for result in results), results
    return [result for result in results if isinstance(result, Alert)]


def keys_of(sample: Sample, feed: str | None = None) -> list[str]:
    return [alert.alert_key for alert in alerts_of(sample, feed=feed)]


@EVERY
def test_a_sample_becomes_the_expected_alerts_in_order(sample: Sample) -> None:
    found = alerts_of(sample)

    assert [facts(alert) for alert in found] == sample.alerts
    assert {alert.feed for alert in found} == {sample.adapter}
    assert all(alert.feed_class in set(FeedClass) for alert in found)


def test_every_sample_has_its_expectation() -> None:
    assert set(SAMPLE_OF) == {file.stem for file in SAMPLES.iterdir()}


def test_every_adapter_has_samples_and_a_default_feed() -> None:
    assert {sample.adapter for sample in SAMPLE_OF.values()} == set(ADAPTERS) == set(DEFAULT_FEEDS)
    assert all(feed.adapter == name == feed.name for name, feed in DEFAULT_FEEDS.items())


@EVERY
def test_firing_and_resolved_share_the_alert_key(sample: Sample) -> None:
    keys = keys_of(sample)

    assert all(keys)
    if sample.meets is not None:
        other = SAMPLE_OF[sample.meets]
        assert other.meets == sample.name
        assert keys_of(other) == keys
        assert len(set(keys)) == len(keys)


@EVERY
def test_a_firing_and_a_resolved_sample_meet_or_no_such_pair_exists(sample: Sample) -> None:
    stem, _, word = sample.name.rpartition("-")
    if word in ("firing", "resolved"):
        both = {f"{stem}-firing", f"{stem}-resolved"} <= set(SAMPLE_OF)
        assert (sample.meets is not None) == both


@EVERY
def test_two_feeds_of_one_adapter_never_share_an_alert_key(sample: Sample) -> None:
    assert set(keys_of(sample, "one")).isdisjoint(keys_of(sample, "two"))


@EVERY
def test_unknown_fields_pass(sample: Sample) -> None:
    payload: Any = sample.document()
    expected = alerts_of(sample)
    if isinstance(payload, dict):  # lines of text have no fields
        payload["added_in_the_next_release"] = {"deep": [1, None, {"er": True}]}

        assert [facts(alert) for alert in alerts_of(sample, payload)] == [facts(alert) for alert in expected]


@EVERY
def test_an_unknown_severity_says_why(sample: Sample) -> None:
    for alert in alerts_of(sample):
        assert alert.severity != Severity.UNKNOWN or alert.severity_default_reason


@EVERY
def test_links_lead_to_web_pages_only(sample: Sample) -> None:
    payload = sample.document()
    if not isinstance(payload, str):
        text = orjson.dumps(payload).replace(b"https://", b"javascript:")

        assert all(not alert.links for alert in alerts_of(sample, orjson.loads(text)))


@EVERY
def test_only_resolved_messages_of_sources_that_tell_have_an_end(sample: Sample) -> None:
    for alert in alerts_of(sample):
        if alert.kind in (Kind.FIRING, Kind.TICKET, Kind.HEARTBEAT):
            assert alert.ended_at_ms is None
