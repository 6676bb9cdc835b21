"""CloudEvents: two modes of one event, what a type's words mean, tombstones, and what is refused."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from pipeline.core.alerts.ingest import IngestProcessor
from pipeline.core.step import Effects, StreamRecord
from pipeline.feeds import ADAPTERS, DEFAULT_FEEDS
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage
from pipeline.models.policy import Config
from tests.feeds.payloads import SAMPLE_OF, document, facts, only, read

STRUCTURED = ("content-type", b"application/cloudevents+json")
BINARY = SAMPLE_OF["cloudevents-binary-firing"].headers


def event(**changed: Any) -> dict[str, Any]:
    return {**document("cloudevents-structured-firing"), **changed}


def refusal(payload: object, *headers: tuple[str, bytes], **options: object) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        read("cloudevents", payload, *headers, **options)
    return caught.value


def typed(event_type: str, data: object = None, **options: object) -> Alert:
    return only("cloudevents", event(type=event_type, data=data), STRUCTURED, **options)


# -- two modes


@pytest.mark.parametrize("word", ["firing", "resolved"])
def test_both_modes_of_an_event_are_the_same_alert(word: str) -> None:
    found = [SAMPLE_OF[f"cloudevents-{mode}-{word}"] for mode in ("binary", "structured")]
    one, two = (sample.read(sample.document())[0] for sample in found)

    assert isinstance(one, Alert)
    assert isinstance(two, Alert)
    assert facts(one) == facts(two)
    assert one.alert_key == two.alert_key


@pytest.mark.parametrize(
    "content_type",
    [b"application/cloudevents+json", b"Application/CloudEvents+JSON; charset=UTF-8", b"application/cloudevents+json "],
)
def test_the_content_type_says_structured_in_any_case(content_type: bytes) -> None:
    # The attributes in headers would be another event: the content type decides.
    headers = (("ce_id", b"other"), ("Content-Type", content_type))

    assert (only("cloudevents", event(), *headers).delivery_id or "").startswith("01JNQ2V6Y7K3M9T5W1X0Z8B4C6 ")


def test_an_event_whose_headers_a_bridge_dropped_is_known_by_its_shape() -> None:
    assert only("cloudevents", event()) == only("cloudevents", event(), STRUCTURED)


def test_headers_in_capitals_are_the_same_attributes() -> None:
    headers = tuple((name.upper(), value) for name, value in BINARY)

    assert only("cloudevents", document("cloudevents-binary-firing"), *headers) == only(
        "cloudevents", document("cloudevents-binary-firing"), *BINARY
    )


@pytest.mark.parametrize("data", [7, 1.5, True, None, [1, {"a": 2}], "text", {"deep": {"er": [1]}}, ""])
def test_data_may_be_any_json(data: object) -> None:
    structured = only("cloudevents", event(data=data), STRUCTURED)

    assert (structured.kind, structured.name) == (Kind.FIRING, "checkout/login-journey")
    assert structured.severity == Severity.UNKNOWN
    if data is not None:
        assert only("cloudevents", data, *BINARY).alert_key == structured.alert_key


def test_data_that_is_text_is_the_description() -> None:
    decode = ADAPTERS["cloudevents"].decode
    assert decode is not None
    headers = tuple((name, b"text/plain" if name == "content-type" else value) for name, value in BINARY)

    assert only("cloudevents", decode(b"no answer within 30 s"), *headers).description == "no answer within 30 s"


def test_data_in_base64_is_read() -> None:
    payload = event(data_base64=base64.b64encode(b'{"severity": "high"}').decode())
    del payload["data"]

    assert only("cloudevents", payload, STRUCTURED).severity == Severity.ERROR
    payload["data_base64"] = "###"
    assert refusal(payload, STRUCTURED).detail == "$.data_base64: expected base64"


def test_the_delivery_is_source_and_id_and_a_long_source_never_hides_the_id() -> None:
    alert = only("cloudevents", event(source="s" * 2_000), STRUCTURED)

    assert (alert.delivery_id or "").startswith("01JNQ2V6Y7K3M9T5W1X0Z8B4C6 ")


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
def test_what_the_sdk_of_the_standard_writes_is_read(write: Callable[[CloudEvent], KafkaMessage]) -> None:
    found = [
        write(
            CloudEvent(
                {
                    "id": word, "source": "/synthetics/köln", "type": f"com.example.check.{word}", "specversion": "1.0",
                    "subject": "checkout/login", "time": datetime(2026, 3, 4, 2, 26, 1, 120_000, UTC),
                    "datacontenttype": "application/json", "partitionkey": "checkout",
                },
                {"severity": "critical", "service": "identity"},
            )
        )
        for word in ("failed", "recovered")
    ]  # fmt: skip
    decode = ADAPTERS["cloudevents"].decode
    assert decode is not None
    failed, recovered = (only("cloudevents", decode(each.value), *each.headers.items()) for each in found)

    assert (failed.kind, failed.event_at_ms, failed.severity) == (Kind.FIRING, 1_772_591_161_120, Severity.CRITICAL)
    assert (recovered.kind, recovered.ended_at_ms) == (Kind.RESOLVED, 1_772_591_161_120)
    assert failed.alert_key == recovered.alert_key
    assert failed.delivery_id == "failed /synthetics/köln"


# -- what is firing, what is resolved


@pytest.mark.parametrize(
    ("event_type", "kind"),
    [
        ("com.example.check.failed", "firing"),
        ("com.example.check.failed.v1", "firing"),
        ("com.example.check.failed.2", "firing"),
        ("com.example.check_failed", "firing"),
        ("com.example.check-recovered", "resolved"),
        ("com.example.CheckFailed", "firing"),
        ("com.example.CheckRecovered", "resolved"),
        ("com.example.error.resolved", "resolved"),
        ("com.example.alert.acknowledged", "acknowledged"),
        ("failed", "firing"),
    ],
)
def test_the_last_word_of_a_type_says_it(event_type: str, kind: str) -> None:
    assert typed(event_type).kind == kind


@pytest.mark.parametrize(
    ("firing", "resolved"),
    [
        ("com.example.check.failed.v1", "com.example.check.recovered.v1"),
        ("com.example.check_failed", "com.example.check_recovered"),
        ("com.example.CheckFailed", "com.example.CheckRecovered"),
    ],
)
def test_what_is_left_of_a_type_is_the_same_at_the_end(firing: str, resolved: str) -> None:
    assert typed(firing).alert_key == typed(resolved).alert_key
    assert typed(firing).alert_key != typed(firing.replace("heck", "hart")).alert_key


def test_where_the_type_does_not_say_it_the_data_does() -> None:
    firing = typed("com.example.check.changed", {"status": "DOWN"})
    resolved = typed("com.example.check.changed", {"status": "up"})

    assert (firing.kind, resolved.kind) == (Kind.FIRING, Kind.RESOLVED)
    assert firing.alert_key == resolved.alert_key
    assert typed("com.example.changed", {"phase": "down"}, state_fields=["phase"]).kind == Kind.FIRING


def test_the_type_wins_over_the_data() -> None:
    assert typed("com.example.check.recovered", {"state": "failed"}).kind == Kind.RESOLVED


def test_a_feed_has_its_own_words() -> None:
    words = {"firing_words": ["kaputt"], "resolved_words": ["heile"]}

    assert typed("de.beispiel.pruefung.kaputt", **words).kind == Kind.FIRING
    assert typed("de.beispiel.pruefung.Heile", **words).kind == Kind.RESOLVED
    assert refusal(event(type="com.example.failed", data=None), STRUCTURED, **words).reason == Reason.UNKNOWN_SHAPE


def test_a_type_without_a_known_word_is_refused_with_what_to_do() -> None:
    bad = refusal(event(type="com.github.push", data={"state": "secretly"}), STRUCTURED)

    assert bad.reason == Reason.UNKNOWN_SHAPE
    assert "$.type" in bad.detail
    assert "ignored_types" in bad.detail
    assert "secretly" not in bad.detail


def test_a_type_as_long_as_a_message_may_be_is_decided_by_its_end_alone() -> None:
    assert typed("com.example." + "a-" * 400_000 + "failed").kind == Kind.FIRING
    assert refusal(event(type="a-" * 400_000, data=None), STRUCTURED).reason == Reason.UNKNOWN_SHAPE


def test_a_type_that_the_feed_ignores_is_control() -> None:
    assert typed("com.github.push", ignored_types=["com.github."]).kind == Kind.CONTROL


def test_a_silent_source_ends_where_the_feed_says_so() -> None:
    assert typed("com.example.failed").ttl_seconds is None
    assert typed("com.example.failed", ttl_seconds=600).ttl_seconds == 600
    assert typed("com.example.recovered", ttl_seconds=600).ttl_seconds is None


def test_a_severity_may_be_an_extension_attribute() -> None:
    assert only("cloudevents", event(data=None, severity="page"), STRUCTURED).severity == Severity.CRITICAL
    assert typed("a.failed", {"level": "9"}, severity_field="level", severity_words={"9": "error"}).severity == (
        Severity.ERROR
    )


# -- tombstones


def ingested(value: bytes | None, headers: tuple[tuple[str, bytes], ...], feed: str = "cloudevents") -> Effects:
    ingest, effects = IngestProcessor(Config(), ADAPTERS, DEFAULT_FEEDS), Effects()
    ingest.handle_one(StreamRecord(f"alerts.raw.{feed}", 0, 0, 1_772_599_999_000, b"key", value, headers), effects)
    return effects


def test_a_tombstone_is_control_and_no_dead_letter() -> None:
    (output,) = ingested(None, BINARY).outputs

    assert output.topic == "alerts"
    assert orjson.loads(output.value or b"")["kind"] == "control"


def test_a_record_with_neither_value_nor_attributes_is_empty() -> None:
    (output,) = ingested(None, ()).outputs

    assert output.topic == "dead.letter"
    assert dict(output.headers)["spillway-reason"] == b"empty"


@pytest.mark.parametrize("feed", [name for name, adapter in ADAPTERS.items() if name != "cloudevents"])
def test_of_every_other_source_a_record_without_a_value_is_refused(feed: str) -> None:
    outputs = ingested(None, (("content-type", b"application/json"),), feed).outputs

    assert [output.topic for output in outputs] == ["dead.letter"]


# -- what is refused


def test_a_batch_is_refused_with_what_to_do() -> None:
    bad = refusal([event(), event()], ("content-type", b"application/cloudevents-batch+json"))

    assert "each event as a record of its own" in bad.detail


def test_other_formats_than_json_are_refused() -> None:
    assert (
        "only application/cloudevents+json" in refusal("Obj", ("content-type", b"application/cloudevents+avro")).detail
    )


@pytest.mark.parametrize("attribute", ["id", "source", "type", "specversion"])
def test_an_event_without_a_required_attribute_is_refused_by_its_name(attribute: str) -> None:
    headers = tuple(pair for pair in BINARY if pair[0] != f"ce_{attribute}")
    payload = event()
    del payload[attribute]

    assert refusal(document("cloudevents-binary-firing"), *headers).detail == f"$headers.{attribute}: missing or empty"
    assert refusal(payload, STRUCTURED).detail == f"$.{attribute}: missing or empty"


def test_broken_json_is_refused_where_json_is_promised() -> None:
    decode = ADAPTERS["cloudevents"].decode
    assert decode is not None

    assert refusal(decode(b"{"), STRUCTURED).reason == Reason.BROKEN_JSON
    assert refusal(decode(b"{"), *BINARY).reason == Reason.BROKEN_JSON
    capitals = tuple((name, b"Application/JSON" if name == "content-type" else value) for name, value in BINARY)
    assert refusal(decode(b"{"), *capitals).reason == Reason.BROKEN_JSON
    with pytest.raises(BadRecord, match="neither JSON nor text"):
        decode(b"\xff\xfe")


def test_an_attribute_that_is_not_utf_8_is_refused() -> None:
    message = RawMessage("f", "saas", (*BINARY, ("ce_note", b"\xff")), ADAPTERS["cloudevents"].read_options({}))

    with pytest.raises(BadRecord, match="not UTF-8"):
        ADAPTERS["cloudevents"](document("cloudevents-binary-firing"), message)


def test_another_version_of_the_standard_is_refused() -> None:
    assert "not 1.0" in refusal(event(specversion="0.3"), STRUCTURED).detail
