"""The key of a raw record, and the limits that requests share."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.gateway import pagerduty
from pipeline.gateway.keys import SOURCE_PATHS, RecordKey
from pipeline.gateway.limits import Room, TokenBucket
from pipeline.gateway.refusal import Refusal
from pipeline.gateway.sns import _message

SAMPLES = Path(__file__).parents[1] / "feeds" / "samples"
PAIRS = [
    ("alertmanager", "alertmanager-firing.json", "alertmanager-resolved.json"),
    ("aws-health", "aws-health-firing.json", "aws-health-resolved.json"),
    ("cloudwatch-eventbridge", "cloudwatch-eventbridge-firing.json", "cloudwatch-eventbridge-resolved.json"),
    ("datadog", "datadog-firing.json", "datadog-resolved.json"),
    ("dynatrace", "dynatrace-firing.json", "dynatrace-resolved.json"),
    ("gcp-monitoring", "gcp-monitoring-firing.json", "gcp-monitoring-resolved.json"),
    ("newrelic", "newrelic-firing.json", "newrelic-resolved.json"),
    ("grafana", "grafana-firing.json", "grafana-resolved.json"),
    ("jira", "jira-ticket-firing.json", "jira-ticket-resolved.json"),
    ("pagerduty", "pagerduty-events-firing.json", "pagerduty-events-resolved.json"),
    ("xurrent", "xurrent-ticket-firing.json", "xurrent-ticket-resolved.json"),
    ("zendesk", "zendesk-ticket-firing.json", "zendesk-ticket-resolved.json"),
]


@pytest.mark.parametrize(("adapter", "firing", "resolved"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_firing_and_resolved_of_one_condition_have_one_key(adapter: str, firing: str, resolved: str) -> None:
    bodies = [(SAMPLES / name).read_bytes() for name in (firing, resolved)]
    by_source, whole = RecordKey("feed", adapter, "source"), RecordKey("feed", adapter, "feed")
    keys = {by_source.of(body, []) for body in bodies}
    assert len(keys) == 1
    assert keys != {whole.of(bodies[0], [])}, "the identity was not found"


def test_every_adapter_with_an_identity_is_in_the_table_above_or_has_tests_of_its_own() -> None:
    assert set(SOURCE_PATHS) == {pair[0] for pair in PAIRS} | {"cloudevents"}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"issue": {"key": {}}}', b'{"issue": 7}', b"\xff"])
def test_what_has_no_identity_shares_the_feed_s_key(body: bytes) -> None:
    assert RecordKey("jira", "jira", "source").of(body, []) == RecordKey("jira", "jira", "feed").of(body, [])


def test_sources_without_a_known_identity_keep_their_order_as_a_whole() -> None:
    key = RecordKey("splunk", "splunk", "source")
    assert key.of(b'{"a": 1}', []) == key.of(b'{"b": 2}', []) is not None


def test_paths_choose_the_key_and_none_is_none() -> None:
    key = RecordKey("own", "cloudwatch", ("$.alerts.0.id", "$.site"))
    one, two = b'{"alerts": [{"id": 7}], "site": "a"}', b'{"alerts": [{"id": 8}], "site": "a"}'
    assert key.of(one, []) == key.of(one + b" ", []) != key.of(two, [])
    assert RecordKey("own", "cloudwatch", "none").of(one, []) is None


def test_cloudevents_are_keyed_by_source_and_subject_in_either_mode() -> None:
    key = RecordKey("cloudevents", "cloudevents", "source")
    binary = key.of(b"anything", [("ce_id", b"1"), ("ce_source", b"/a"), ("ce_subject", b"b")])
    structured = key.of(b'{"id": "2", "source": "/a", "subject": "b"}', [])
    assert binary == structured != key.of(b'{"source": "/a", "subject": "c"}', [])


def test_a_key_shows_no_credential() -> None:
    key = RecordKey("pagerduty", "pagerduty", "source").of(b'{"routing_key": "R0UT1NG", "dedup_key": "d"}', [])
    assert key is not None
    assert b"R0UT1NG" not in key


def test_a_bucket_gives_its_burst_then_its_rate() -> None:
    now = [0.0]
    bucket = TokenBucket(2.0, 3, lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 1]
    now[0] = 0.5
    assert [bucket.take() for _ in range(2)] == [0, 1]
    now[0] = 100.0
    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 1]
    slow = TokenBucket(0.1, 1, lambda: now[0])
    assert [slow.take() for _ in range(2)] == [0, 10]


def test_room_is_given_back() -> None:
    room = Room(10)
    room.take(10)
    with pytest.raises(Refusal):
        room.take(1)
    room.give_back(10)
    room.take(10)


def test_strangers_may_take_half_of_the_room_and_leave_the_rest_to_those_who_are_known() -> None:
    room = Room(10)
    room.take(5, stranger=True)
    with pytest.raises(Refusal):
        room.take(1, stranger=True)
    room.take(5)
    room.give_back(5, stranger=True)
    room.take(5, stranger=True)


NAME = st.text(max_size=5) | st.sampled_from(["Type", "payload", "dedup_key"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=8,
)
EVENT = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("routing_key", "payload", "dedup_key", "Type", "TopicArn", "issue"), JSON),
        "event_action": st.sampled_from(["trigger", "resolve", "acknowledge"]) | JSON,
    },
)


UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine has other work too


@UNHURRIED
@given(document=EVENT)
def test_no_json_brings_more_than_a_refusal(document: object) -> None:
    body = orjson.dumps(document)
    RecordKey("jira", "jira", ("$.issue.key", "$.payload.0.a")).of(body, [])
    for read in (lambda: pagerduty.checked(body, pagerduty.parsed(body)), lambda: _message(body)):
        try:
            read()
        except Refusal:
            continue


@UNHURRIED
@given(body=st.binary())
def test_no_bytes_bring_more_than_a_refusal(body: bytes) -> None:
    RecordKey("jira", "jira", "source").of(body, [])
    for read in (pagerduty.parsed, _message):
        try:
            read(body)
        except Refusal:
            continue
