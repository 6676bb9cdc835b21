"""Ingest: every raw record is forwarded or dead-lettered, whatever it holds, and the ledger always balances."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.alerts import ingest
from pipeline.core.alerts.ingest import BAD_MEMBER_BYTES_MAX, CLOCK_SKEW_MS_MAX, IngestProcessor, put_back
from pipeline.core.printable import CONTROLS
from pipeline.core.step import Effects, Output, StreamRecord
from pipeline.feeds import ADAPTERS, DEFAULT_FEEDS
from pipeline.flow import MEBIBYTE, RAW_VALUE_BYTES_MAX
from pipeline.models.alert import Alert, Kind, alert_from_wire
from pipeline.models.catalog import Catalogue, Entity
from pipeline.models.decision import Disposition, Reason
from pipeline.models.feed import Adapter
from pipeline.models.policy import Config, Feed

CHECKOUT = Entity(
    ref="component:default/checkout", kind="component", name="checkout", title="Checkout", domain="retail"
)
CONFIG = Config(catalogue=Catalogue(entities={CHECKOUT.ref: CHECKOUT}))
RECEIVED_MS = 1_772_590_000_000


def group(*members: object) -> bytes:
    return orjson.dumps({"alerts": members})


def member(name: str = "Slow", status: str = "firing", **labels: str) -> dict[str, Any]:
    return {"status": status, "labels": {"alertname": name, **labels}}


def record(value: bytes | None, feed: str = "alertmanager", offset: int = 7) -> StreamRecord:
    return StreamRecord(f"alerts.raw.{feed}", 2, offset, RECEIVED_MS, b"any", value, (("trace", b"t-1"),))


def processor(**feeds: Feed) -> IngestProcessor:
    return IngestProcessor(CONFIG, ADAPTERS, feeds or DEFAULT_FEEDS)


def handled(value: bytes | None, feed: str = "alertmanager") -> tuple[IngestProcessor, Effects]:
    subject, effects = processor(), Effects()
    subject.handle([record(value, feed)], effects)
    assert subject.ledger.remainder() == 0
    return subject, effects


def headers(letter: Output) -> dict[str, str]:
    return {name: value.decode() for name, value in letter.headers}


def test_an_alert_goes_on_enriched_with_its_origin() -> None:
    subject, effects = handled(group(member(service="checkout")))
    (output,) = effects.outputs
    assert output.value is not None
    alert = alert_from_wire(orjson.loads(output.value))

    assert (output.topic, output.key, output.timestamp_ms) == ("alerts", alert.alert_key.encode(), RECEIVED_MS)
    assert tuple(alert.origin) == ("alerts.raw.alertmanager", 2, 7, 0)
    assert (alert.received_at_ms, alert.entity, alert.domain) == (RECEIVED_MS, CHECKOUT.ref, "retail")
    assert (subject.ledger.received, subject.ledger.forwarded, subject.ledger.decided) == (1, 1, {})
    assert effects.decisions == []


@pytest.mark.parametrize(
    ("value", "feed", "reason"),
    [
        (None, "alertmanager", Reason.EMPTY),
        (b"", "alertmanager", Reason.EMPTY),
        (b"{", "alertmanager", Reason.BROKEN_JSON),
        (b'{"alerts": "\xff"}', "alertmanager", Reason.BROKEN_JSON),
        (b'"\\ud800"', "alertmanager", Reason.BROKEN_JSON),
        (b"NaN", "alertmanager", Reason.BROKEN_JSON),
        (b"[" * 100_000, "alertmanager", Reason.BROKEN_JSON),
        (b"[" * 5_000 + b"]" * 5_000, "alertmanager", Reason.BROKEN_JSON),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "alertmanager", Reason.BROKEN_JSON),
        (b" " * (RAW_VALUE_BYTES_MAX + 1), "alertmanager", Reason.TOO_LARGE),
        (b"x" * (5 * MEBIBYTE), "alertmanager", Reason.TOO_LARGE),
        (b"{}", "nobody", Reason.UNKNOWN_FEED),
        (b"[]", "alertmanager", Reason.WRONG_TYPE),
        (b"7", "jira", Reason.WRONG_TYPE),
        (b"{}", "alertmanager", Reason.MISSING_FIELD),
        (b'{"issue": 7}', "jira", Reason.MISSING_FIELD),
        (b'{"event_action": "explode"}', "pagerduty", Reason.UNKNOWN_SHAPE),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_cannot_be_read_is_a_dead_letter_with_its_bytes(value: bytes | None, feed: str, reason: Reason) -> None:
    subject, effects = handled(value, feed)
    (letter,), (decision,) = effects.outputs, effects.decisions

    assert (letter.topic, letter.key, letter.value) == ("dead.letter", b"any", value)
    assert headers(letter)["spillway-reason"] == reason
    assert headers(letter)["trace"] == "t-1"
    assert (decision.disposition, decision.reason) == (Disposition.DEAD_LETTERED, reason)
    assert (subject.ledger.received, subject.ledger.forwarded) == (1, 0)


def test_an_adapter_that_finds_nothing_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Adapter("cloud", lambda _document, _message: [])
    monkeypatch.setitem(ADAPTERS, "jira", silent)
    subject, effects = handled(b"{}", "jira")
    subject.handle_one(record(b"{}", "jira")._replace(headers=()), effects)
    subject.handle_one(record(b"{}", "jira")._replace(headers=()), effects)  # known by its bytes, as repeats are

    assert [headers(output)["spillway-reason"] for output in effects.outputs] == ["unknown_shape"] * 3
    assert (subject.ledger.received, subject.ledger.remainder()) == (3, 0)


def test_the_largest_allowed_message_is_read() -> None:
    value = group(member())
    _, effects = handled(value + b" " * (RAW_VALUE_BYTES_MAX - len(value)))

    assert [output.topic for output in effects.outputs] == ["alerts"]


def test_one_bad_member_is_a_dead_letter_of_its_own_and_the_rest_goes_on() -> None:
    value = group(member("One"), {"status": 5}, member("Two"))
    subject, effects = handled(value)
    letter = effects.outputs[1]

    assert [output.topic for output in effects.outputs] == ["alerts", "dead.letter", "alerts"]
    assert (letter.value, headers(letter)["spillway-index"]) == (value, "1")
    assert headers(letter)["spillway-detail"] == "$.alerts[1].status: expected string, found number"
    assert [decision.origin.index for decision in effects.decisions] == [1]
    assert (subject.ledger.received, subject.ledger.forwarded, subject.ledger.decided) == (3, 2, {"dead_lettered": 1})


def test_thousands_of_bad_members_do_not_multiply_the_message() -> None:
    value = group(*[{"padding": "x" * 200} for _ in range(4_000)])
    _, effects = handled(value)
    with_bytes = [letter for letter in effects.outputs if letter.value is not None]

    assert len(effects.outputs) == len(effects.decisions) == 4_000
    assert len(value) < sum(len(letter.value or b"") for letter in with_bytes) <= BAD_MEMBER_BYTES_MAX
    assert headers(with_bytes[0])["spillway-index"] == "0"
    assert headers(effects.outputs[-1])["spillway-bytes-in"] == "0"


def test_an_alert_is_cut_to_its_bounds() -> None:
    labels = {f"label-{number:03}": "v" * 2_000 for number in range(200)}
    value = orjson.dumps(
        {
            "alerts": [
                {
                    "status": "firing",
                    "labels": labels,
                    "annotations": {"summary": "s" * 50_000, "description": "d" * 50_000},
                    "generatorURL": "https://example/" + "u" * 50_000,
                    "fingerprint": "f" * 50_000,
                    "startsAt": "2026-03-04T02:11:42Z",
                }
            ]
        }
    )
    (output,) = handled(value)[1].outputs
    assert output.value is not None
    alert = alert_from_wire(orjson.loads(output.value))

    assert list(alert.labels) == list(labels)[: ingest.LABELS_MAX]
    assert {len(text) for text in alert.labels.values()} == {ingest.LABEL_VALUE_CHARS_MAX}
    assert (len(alert.summary), len(alert.description)) == (ingest.SUMMARY_CHARS_MAX, ingest.DESCRIPTION_CHARS_MAX)
    assert len(alert.source_episode_id or "") == ingest.ID_CHARS_MAX
    assert alert.links == {}


def test_the_worst_alert_fits_the_topic() -> None:
    worst = "\U0001f4a5" * 1_100  # four bytes a character; controls, which take six in JSON, become spaces
    payload = {
        "routing_key": "r", "event_action": "trigger", "dedup_key": worst, "client": worst,
        "payload": {
            "summary": worst, "source": worst, "severity": worst, "class": worst,
            "custom_details": {f"{number:03}{worst[:126]}": worst[:513] for number in range(60)},
        },
        "links": [{"href": "https://" + worst * 2, "text": f"{number:02}{worst[:511]}"} for number in range(1)]
        + [{"href": "https://" + (worst * 2)[:2_040], "text": f"{number:02}{worst[:511]}"} for number in range(16)],
    }  # fmt: skip
    (output,) = handled(orjson.dumps(payload), "pagerduty")[1].outputs
    assert output.topic == "alerts"
    assert MEBIBYTE // 8 < len(output.value or b"") < MEBIBYTE * 2 // 3


def test_text_that_steers_a_terminal_is_made_harmless() -> None:
    payload = {
        "routing_key": "r", "event_action": "trigger", "dedup_key": "k",
        "payload": {"summary": "\x1b[2Jdisk\x07 \u202efull\x9b", "source": "a", "severity": "error"},
    }  # fmt: skip
    (output,) = handled(orjson.dumps(payload), "pagerduty")[1].outputs
    assert alert_from_wire(orjson.loads(output.value or b"")).summary == " [2Jdisk   full "


HARMLESS = {ord(each): " " for each in "\x00\x1b\x7f\x9b\u202e\u2066"}
TEXTS = st.text(st.sampled_from("ab ßé\u200b💥\n\t\x00\x1b\x7f\x9b\u202e\u2066"), max_size=8).map(
    lambda text: text * (700 if text.startswith("a") else 1)
)


@given(TEXTS, TEXTS, st.dictionaries(TEXTS, TEXTS, max_size=3), st.dictionaries(TEXTS, TEXTS, max_size=3))
def test_what_is_short_and_printable_passes_and_all_else_is_cut_and_cleaned(
    name: str, ticket: str, labels: dict[str, str], links: dict[str, str]
) -> None:
    alert = Alert(
        feed="f", feed_class="cloud", kind="firing", alert_key="k", name=name, summary=name, description=name,
        ticket=ticket, labels=dict(labels), links=dict(links),
    )  # fmt: skip
    ingest.bound(alert)

    def cut(text: str, chars_max: int) -> str:
        return text[:chars_max].translate(HARMLESS)

    assert (alert.name, alert.ticket) == (cut(name, 512), cut(ticket, 512))
    assert (alert.summary, alert.description) == (cut(name, 1_024), cut(name, 4_096))
    assert alert.labels == {cut(label, 128): cut(value, 512) for label, value in labels.items()}
    assert alert.links == {cut(title, 512): cut(link, 2_048) for title, link in links.items() if len(link) <= 2_048}


def test_everything_that_steers_is_taken_for_unprintable() -> None:
    assert not [each for each in CONTROLS if chr(each).isprintable()]


@pytest.mark.parametrize(
    ("ahead_ms", "skew_ms"),
    [(-5_000, None), (0, None), (CLOCK_SKEW_MS_MAX, None), (CLOCK_SKEW_MS_MAX + 1, CLOCK_SKEW_MS_MAX + 1)],
)
def test_a_clock_that_is_far_ahead_is_put_back(ahead_ms: int, skew_ms: int | None) -> None:
    said = Alert(feed="f", feed_class="saas", kind=Kind.RESOLVED, alert_key="k", name="", summary="")
    said.event_at_ms, said.ended_at_ms = RECEIVED_MS + ahead_ms - 90_000, RECEIVED_MS + ahead_ms

    assert put_back(said, RECEIVED_MS) == (skew_ms is not None)
    assert said.clock_skew_ms == skew_ms
    assert said.ended_at_ms - said.event_at_ms == 90_000
    assert said.ended_at_ms == RECEIVED_MS + (0 if skew_ms else ahead_ms)


def test_maintenance_that_is_told_before_it_begins_keeps_its_time() -> None:
    said = Alert(feed="f", feed_class="saas", kind=Kind.MAINTENANCE_START, alert_key="k", name="", summary="")
    said.event_at_ms = RECEIVED_MS + 86_400_000

    assert not put_back(said, RECEIVED_MS)
    assert said.event_at_ms == RECEIVED_MS + 86_400_000


def test_the_same_bytes_are_put_back_by_what_is_ahead_each_time() -> None:
    value = group(member(service="checkout") | {"startsAt": "2026-03-04T02:10:00Z"})
    begun_ms = 1_772_590_200_000
    subject, effects = processor(), Effects()
    for received_ms in (begun_ms + 1, begun_ms - 7_200_000, begun_ms - 3_600_000, begun_ms + 2):
        subject.handle_one(StreamRecord("alerts.raw.alertmanager", 2, 7, received_ms, None, value), effects)
    found = [alert_from_wire(orjson.loads(output.value or b"")) for output in effects.outputs]

    assert [alert.clock_skew_ms for alert in found] == [None, 7_200_000, 3_600_000, None]
    assert [alert.event_at_ms for alert in found] == [begun_ms, begun_ms - 7_200_000, begun_ms - 3_600_000, begun_ms]


def test_a_feeds_ttl_stands_where_the_source_has_none() -> None:
    subject, effects = processor(prom=Feed(name="prom", adapter="alertmanager", ttl_seconds=600)), Effects()
    subject.handle([record(group(member()), "prom")], effects)
    (output,) = effects.outputs
    assert output.value is not None
    alert = orjson.loads(output.value)

    assert (alert["ttl_seconds"], alert["feed"]) == (600, "prom")


def test_a_feed_of_an_unknown_adapter_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match=r"feed x: there is no adapter 'nope'; use one of alertmanager, "):
        processor(x=Feed(name="x", adapter="nope"))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    values=st.lists(
        st.none()
        | st.binary(max_size=30)
        | st.lists(st.sampled_from([member(), {"status": 1}, 5, member(status="resolved")]), max_size=4).map(
            lambda members: group(*members)
        ),
        max_size=8,
    ),
    feed=st.sampled_from([*ADAPTERS, "nobody"]),
)
def test_the_ledger_balances_over_any_batch(values: list[bytes | None], feed: str) -> None:
    subject, effects = processor(), Effects()
    subject.handle([record(value, feed, offset) for offset, value in enumerate(values)], effects)
    ledger = subject.ledger
    forwarded = sum(output.topic == "alerts" for output in effects.outputs)
    letters = sum(output.topic == "dead.letter" for output in effects.outputs)

    assert ledger.remainder() == 0
    assert (ledger.received, ledger.forwarded) == (forwarded + letters, forwarded)
    assert len(effects.decisions) == letters
    assert {output.value for output in effects.outputs if output.topic == "dead.letter"} <= set(values)


def test_the_ledger_comes_back_from_the_changelog() -> None:
    subject, _ = handled(group(member(), {"status": 1}))
    again = processor()
    for key, value in subject.take_changes():
        again.restore(key, value)
    again.restored()

    assert again.ledger == subject.ledger
    assert again.clock_ms == RECEIVED_MS
