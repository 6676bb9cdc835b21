"""An adapter in YAML: where each fact comes from, what is missing, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.identity import content_hash
from pipeline.models.alert import Alert, Kind, Severity
from tests.feeds.declared import LEAST, adapter, only, read, refusal, with_alert

MESSAGE: dict[str, Any] = {"id": 7, "state": "on"}


@pytest.mark.parametrize(
    ("written", "document", "expected"),
    [
        ("a", {"a": "x"}, "x"),
        ("a.b[1].c", {"a": {"b": [{}, {"c": 5}]}}, "5"),
        ("a[-1]", {"a": [1, 2.5]}, "2.5"),
        ("'\"a-b\".c'", {"a-b": {"c": True}}, "true"),
        ("tags[?key=='service'].value | [0]", {"tags": [{"key": "service", "value": "x"}]}, "x"),
        ("\"join(', ', groups)\"", {"groups": ["a", "b"]}, "a, b"),
        ("[a, b.c]", {"a": None, "b": {"c": "x"}}, "x"),
        ("[a, {const: none said}]", {"a": ""}, "none said"),
        ("{const: 5}", {}, "5"),
        ("{const: false}", {}, "false"),
        ('{template: "{a} of {b.c}: {{{d}}}"}', {"a": 1, "b": {"c": "x"}, "d": "y"}, "1 of x: {y}"),
        ('{template: "{a} of {b}"}', {"a": 1}, ""),
        ("{header: X-Name}", {}, "from the header"),
        ("{header: x-absent}", {}, ""),
        ("a", {}, ""),
        ("a", {"a": None}, ""),
        ("a.b", {"a": "text"}, ""),
        ("a", {"a": "${a}"}, ""),
        ("a", {"a": " *monitorID* "}, ""),
        ("a", {"a": "costs ${a} or so"}, "costs ${a} or so"),
        ("a", {"a": "*two words*"}, "*two words*"),
        ("[a, b]", {"a": "${a}", "b": "x"}, "x"),
    ],
)
def test_a_fact_comes_from_where_it_is_written(tmp_path: Path, written: str, document: Any, expected: str) -> None:
    macros = 'macros: [{begin: "${", end: "}"}, {begin: "*", end: "*"}]\n'
    subject = adapter(tmp_path, with_alert(f"name: {written}") + macros)

    assert only(subject, MESSAGE | document, ("x-name", b"from the header")).name == expected


@pytest.mark.parametrize(
    ("written", "document", "detail"),
    [
        ("name: a", {"a": {"b": 1}}, "wrong_type: $.a: expected text, number or boolean, found object"),
        ("name: '@'", {}, "wrong_type: $: expected text, number or boolean, found object"),
        ('name: "length(a)"', {"a": 5}, "wrong_type: $.length(a): a function finds another type"),
        ("labels: {all_of: [a]}", {"a": [1]}, "wrong_type: $.a: expected object, found array"),
        ("labels: {pairs: [{path: a}]}", {"a": {}}, "wrong_type: $.a: expected array, found object"),
        ("labels: {pairs: [{path: a}]}", {"a": [[]]}, "wrong_type: $.a[0]: expected object, found array"),
        ("users_affected: a", {"a": "many"}, "wrong_type: $.a: expected a whole number"),
        ("users_affected: a", {"a": -1}, "wrong_type: $.a: expected a whole number"),
        ("event_at: a", {"a": "yesterday"}, "wrong_type: $.a: expected ISO 8601 time with a zone"),
        ("event_at: a", {"a": "2026-03-04T02:11:00"}, "wrong_type: $.a: expected ISO 8601 time with a zone"),
    ],
)
def test_a_fact_of_another_type_is_refused_with_its_path(
    tmp_path: Path, written: str, document: Any, detail: str
) -> None:
    assert refusal(adapter(tmp_path, with_alert(written)), MESSAGE | document) == detail


@pytest.mark.parametrize(
    ("written", "said", "expected_ms"),
    [
        ("event_at: a", "2026-03-04T02:11:42.318Z", 1_772_590_302_318),
        ("event_at: a", "2026-03-04T03:11:42.318+0100", 1_772_590_302_318),
        ("event_at: a", "0001-01-01T00:00:00Z", None),
        ("event_at: {path: a, spelling: epoch_seconds}", 1_772_590_302, 1_772_590_302_000),
        ("event_at: {path: a, spelling: epoch_seconds}", "1772590302", 1_772_590_302_000),
        ("event_at: {path: a, spelling: epoch_seconds}", 1_772_590_302.5, 1_772_590_302_500),
        ("event_at: {path: a, spelling: epoch_milliseconds}", "1772590302318", 1_772_590_302_318),
        ("event_at: {path: a, spelling: epoch_nanoseconds}", 1_772_590_302_318_999_999, 1_772_590_302_318),
        ("event_at: {path: a, spelling: epoch_milliseconds, absent: ['-1']}", -1, None),
        ("event_at: {path: a, spelling: rfc1123}", "Wed, 4 Mar 2026 02:11:42 GMT", 1_772_590_302_000),
        ("event_at: {path: a, format: '%d.%m.%Y %H:%M', zone: Europe/Berlin}", "04.03.2026 03:11", 1_772_590_260_000),
        ("event_at: {path: a, format: '%d.%m.%Y %H:%M', zone: Europe/Berlin}", "04.07.2026 04:11", 1_783_131_060_000),
        ("event_at: {path: a, format: '%d.%m.%Y %H:%M', zone: Europe/Berlin}", "25.10.2026 02:30", None),
        ("event_at: {path: a, format: '%d.%m.%Y %H:%M', zone: Europe/Berlin}", "29.03.2026 02:30", None),
        ("event_at: {path: a, format: '%Y/%m/%d %H:%M %z'}", "2026/03/04 02:11 +0000", 1_772_590_260_000),
    ],
)
def test_a_time_is_read_in_its_one_spelling(tmp_path: Path, written: str, said: Any, expected_ms: int | None) -> None:
    subject = adapter(tmp_path, with_alert(written))

    assert only(subject, MESSAGE | {"a": said}).event_at_ms == expected_ms


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{path: a, spelling: epoch_seconds}", "2026-03-04T02:11:42Z"),
        ("{path: a, spelling: epoch_seconds}", -1),
        ("{path: a, spelling: epoch_seconds}", "²"),
        ("{path: a, spelling: epoch_seconds}", "nan"),
        ("{path: a, spelling: epoch_seconds}", "1e999"),
        ("{path: a, spelling: epoch_nanoseconds}", 1.5),
        ("{path: a, spelling: epoch_nanoseconds}", "9" * 30),
        ("{path: a, spelling: rfc1123}", "2026-03-04T02:11:42Z"),
        ("{path: a, spelling: rfc1123}", "Wed, 4 Mar 2026 02:11:42 -0000"),
        ("{path: a, format: '%d.%m.%Y %H:%M', zone: UTC}", "2026-03-04 02:11"),
        ("{path: a, format: '%d.%m.%Y %H:%M', zone: UTC}", "04.03.1926 02:11"),
    ],
)
def test_a_time_in_another_spelling_is_refused(tmp_path: Path, written: str, said: Any) -> None:
    detail = refusal(adapter(tmp_path, with_alert(f"event_at: {written}")), MESSAGE | {"a": said})

    assert detail.startswith("wrong_type: $.a: expected time")
    assert str(said) not in detail


def test_an_end_is_read_only_where_something_has_ended(tmp_path: Path) -> None:
    subject = adapter(tmp_path, with_alert("ended_at: end"))
    end = {"end": "2026-03-04T02:11:00Z"}

    assert only(subject, MESSAGE | end).ended_at_ms is None
    assert only(subject, MESSAGE | {"state": "off"} | end).ended_at_ms == 1_772_590_260_000


def test_identity_is_the_same_in_both_messages_and_all_of_it_must_be_there(tmp_path: Path) -> None:
    subject = adapter(tmp_path, LEAST.replace("[id]", "[site, [id, name]]"))

    assert only(subject, {"state": "on", "site": "a", "id": 7}).alert_key == content_hash("declared", "a", "7")
    assert only(subject, {"state": "off", "site": "a", "name": "7"}).alert_key == content_hash("declared", "a", "7")
    assert refusal(subject, {"state": "on", "site": "a"}) == "missing_field: $.id or $.name: missing or empty"
    assert refusal(subject, {"state": "on", "id": 1}) == "missing_field: $.site: missing or empty"


def test_facts_of_one_kind_may_come_from_elsewhere_or_nowhere(tmp_path: Path) -> None:
    text = with_alert("name: rule\nsummary: text") + "by_kind: {resolved: {identity: [opener], summary: null}}\n"
    subject = adapter(tmp_path, text)
    firing = only(subject, {"state": "on", "id": 7, "rule": "disk", "text": "disk is full"})
    resolved = only(subject, {"state": "off", "id": 9, "opener": 7, "rule": "disk", "text": "disk is full"})

    assert firing.alert_key == resolved.alert_key
    assert (firing.summary, resolved.summary) == ("disk is full", "disk")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"p": "P1"}, (Severity.CRITICAL, "P1", None)),
        ({"p": " p1 "}, (Severity.CRITICAL, " p1 ", None)),
        ({"p": 3}, (Severity.INFO, "3", None)),
        ({"p": "other"}, (Severity.ERROR, "other", "all of these matter")),
        ({}, (Severity.ERROR, None, "all of these matter")),
        ({"p": 3, "load": 99}, (Severity.CRITICAL, "3", None)),
        ({"p": 3, "load": 98.5}, (Severity.CRITICAL, "3", None)),
        ({"p": 3, "load": "99"}, (Severity.INFO, "3", None)),
    ],
)
def test_a_severity_keeps_the_native_word_and_says_why_it_is_assumed(
    tmp_path: Path, document: Any, expected: tuple[Any, ...]
) -> None:
    text = with_alert(
        """
        severity:
          rules: [{when: member.load >= 95, severity: critical, on_error: ignore}]
          path: p
          map: {P1: critical, "3": info}
          default: error
          because: all of these matter
        """
    )
    alert = only(adapter(tmp_path, text), MESSAGE | document)

    assert (alert.severity, alert.severity_native, alert.severity_default_reason) == expected


@pytest.mark.parametrize(
    ("written", "document", "expected"),
    [
        ("severity: p", {"p": "Major"}, (Severity.ERROR, "Major", None)),
        ("severity: p", {"p": "odd"}, (Severity.UNKNOWN, "odd", "p is not a word that we know")),
        ("severity: p", {}, (Severity.UNKNOWN, None, "p is absent")),
        ("name: p", {"p": "critical"}, (Severity.UNKNOWN, None, "this source has no severity")),
    ],
)
def test_a_severity_is_never_invented(tmp_path: Path, written: str, document: Any, expected: tuple[Any, ...]) -> None:
    alert = only(adapter(tmp_path, with_alert(written)), MESSAGE | document)

    assert (alert.severity, alert.severity_native, alert.severity_default_reason) == expected


def test_an_unknown_kind_is_refused_unless_there_is_a_default(tmp_path: Path) -> None:
    strict = adapter(tmp_path, LEAST)
    lenient = adapter(tmp_path, LEAST.replace("off: resolved}", "off: resolved}, default: control"))
    ours = adapter(tmp_path, LEAST.replace("{path: state, map: {on: firing, off: resolved}}", "state"))

    assert refusal(strict, {"id": 1, "state": "odd"}) == "unknown_shape: $.state: not one of on, off"
    assert refusal(strict, {"id": 1}) == "missing_field: $.state: missing or empty"
    assert only(lenient, {"id": 1, "state": "odd"}).kind == Kind.CONTROL
    assert only(lenient, {"id": 1}).kind == Kind.CONTROL
    assert only(ours, {"id": 1, "state": "acknowledged"}).kind == Kind.ACKNOWLEDGED


def test_labels_come_from_objects_pairs_and_names_and_later_ones_win(tmp_path: Path) -> None:
    text = with_alert(
        """
        labels:
          all_of: [a, b]
          pairs: [{path: tags, name: tag}]
          named: {host: node, absent: nothing}
          without: [uptime]
        """
    )
    document = {
        "a": {"host": "a", "x": 1, "nested": {"y": 2}, "uptime": 99},
        "b": {"x": 2, "none": None},
        "tags": [{"tag": "team", "value": "ops"}, {"tag": "empty"}, {"value": "nameless"}],
        "node": "N1",
    }

    assert only(adapter(tmp_path, text), MESSAGE | document).labels == {"host": "N1", "x": "2", "team": "ops"}


def test_links_lead_to_web_pages_only(tmp_path: Path) -> None:
    subject = adapter(tmp_path, with_alert("links: {page: a, other: b}"))

    assert only(subject, MESSAGE | {"a": "https://x.example", "b": "javascript:alert(1)"}).links == {
        "page": "https://x.example"
    }


def test_tickets_have_an_opaque_reporter_and_a_count(tmp_path: Path) -> None:
    text = with_alert(
        "name: {const: ticket}\nticket: id\nreporter: who\nusers_affected: users\nttl_seconds: 3600"
    ).replace("on: firing", "on: ticket")
    alert = only(adapter(tmp_path, text), MESSAGE | {"who": "ada", "users": "12"})

    assert (alert.kind, alert.name, alert.ticket, alert.users_affected, alert.ttl_seconds) == (
        Kind.TICKET, "ticket", "7", 12, 3_600,
    )  # fmt: skip
    assert alert.reporter
    assert "ada" not in alert.reporter


SPLIT = "split: events\n" + LEAST


def test_a_bad_member_takes_its_place_and_the_others_go_on(tmp_path: Path) -> None:
    results = read(adapter(tmp_path, SPLIT), {"events": [MESSAGE, 5, {"id": 1, "state": "odd"}, MESSAGE]})

    assert [getattr(result, "detail", "") for result in results] == [
        "", "$.events[1]: expected object, found number", "$.events[2].state: not one of on, off", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("split", "document", "detail"),
    [
        ("events", {}, "missing_field: $.events: missing or empty"),
        ("events", {"events": []}, "missing_field: $.events: missing or empty"),
        ("events", {"events": {}}, "wrong_type: $.events: expected array, found object"),
        ("events", {"events": [0] * 9_000}, "too_large: $.events: 9000 members, at most 8192"),
        ("events", [], "missing_field: $.events: missing or empty"),
        ('"@"', {}, "wrong_type: $: expected array, found object"),
    ],
)
def test_a_message_without_members_is_refused(tmp_path: Path, split: str, document: Any, detail: str) -> None:
    assert refusal(adapter(tmp_path, SPLIT.replace("events", split)), document) == detail


def test_a_list_of_lists_and_a_list_alone_are_split_too(tmp_path: Path) -> None:
    deep = adapter(tmp_path, SPLIT.replace("events", '"groups[].events[]"'))
    bare = adapter(tmp_path, SPLIT.replace("events", '"@"'))

    assert len(read(deep, {"groups": [{"events": [MESSAGE, MESSAGE]}, {"events": [MESSAGE]}]})) == 3
    assert len(read(bare, [MESSAGE, MESSAGE])) == 2


CONDITIONS = """\
require:
  - {when: message.version == 2, otherwise: only version 2 is read}
  - {when: member.id > 0, otherwise: ids begin at 1}
skip:
  - {when: "has(message.ping)", because: a sign of life}
  - {when: "headers['x-test'] == 'yes'", on_error: ignore, because: a test}
"""


def test_what_is_no_news_is_counted_as_control_and_what_is_not_required_is_refused(tmp_path: Path) -> None:
    subject = adapter(tmp_path, CONDITIONS + SPLIT)
    good = {"version": 2, "events": [MESSAGE, {"id": -1, "state": "on"}]}
    first, second = read(subject, good)

    assert isinstance(first, Alert)
    assert getattr(second, "detail", "") == "$.events[1]: ids begin at 1"
    assert refusal(subject, good | {"version": 3}) == "unknown_shape: $: only version 2 is read"
    assert refusal(subject, {"events": [MESSAGE]}) == (
        "unknown_shape: $: a condition reads 'version', which is absent: message.version == 2"
    )
    ping = only(subject, {"ping": 1})
    assert (ping.kind, ping.summary) == (Kind.CONTROL, "a sign of life")
    tests = read(subject, good, ("X-Test", b"yes"))
    assert [alert.kind for alert in tests if isinstance(alert, Alert)] == [Kind.CONTROL, Kind.CONTROL]


def test_an_identity_that_nobody_has_filled_in_is_refused(tmp_path: Path) -> None:
    subject = adapter(tmp_path, f"{LEAST}macros: [{{begin: $}}]\n")

    assert refusal(subject, {"id": "$ALERT_ID", "state": "on"}) == "missing_field: $.id: missing or empty"
    assert only(subject, {"id": "17 $", "state": "on"}).alert_key == content_hash("declared", "17 $")
