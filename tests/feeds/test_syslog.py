"""Syslog: lines of both standards, what begins and ends a condition, what is masked; and the same through Vector."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from pipeline.cli.feed import feed
from pipeline.feeds import ADAPTERS, RawMessage
from pipeline.feeds.log_text import template
from pipeline.feeds.syslog import decode
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from tests.feeds.payloads import SAMPLES, document, only, read
from tests.feeds.runs import Run, sample
from tests.feeds.templates import block

FIRING = (SAMPLES / "syslog-rfc5424-firing.log").read_bytes()
T0, T1 = 1_772_587_180_003, 1_772_587_992_110


def line(text: str, pri: int = 11, head: str = "1 2026-03-04T02:19:40Z db-1 postgres 412 - -") -> str:
    return f"<{pri}>{head} {text}"


def told(text: str, pri: int = 11, **options: Any) -> Alert:
    return only("syslog", line(text, pri), **options)


def refused(value: bytes) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        read("syslog", decode(value))
    return caught.value


# -- framing


@pytest.mark.parametrize("value", [FIRING, FIRING.rstrip(), FIRING.rstrip() + b"\r\n", FIRING.rstrip() + b"\0"])
def test_line_ends_are_no_part_of_the_line(value: bytes) -> None:
    assert decode(value) == decode(FIRING)


def test_an_octet_count_is_taken_off_and_checked() -> None:
    bare = FIRING.rstrip(b"\n")

    assert decode(b"%d %b" % (len(bare), bare)) == decode(FIRING)
    assert decode(b"%d %b\n" % (len(bare), bare)) == decode(FIRING)
    for wrong in (len(bare) - 1, len(bare) + 1):
        with pytest.raises(BadRecord, match="octet count"):
            decode(b"%d %b" % (wrong, bare))


def test_the_byte_order_mark_is_no_part_of_the_message() -> None:
    assert "\ufeff".encode() in FIRING
    assert only("syslog", decode(FIRING)).summary == "HA heartbeat lost, peer considered down"
    assert decode(b"\xef\xbb\xbf<13>1 x") == "<13>1 x"


def test_bytes_that_are_not_utf_8_are_shown_as_well_as_they_can() -> None:
    assert only("syslog", decode(line("").encode() + b"L\xfcfter")).summary == "L\ufffdfter"


@pytest.mark.parametrize("value", [b"", b"\n", b" \r\n"])
def test_a_record_without_a_line_is_empty(value: bytes) -> None:
    assert refused(value).reason == Reason.EMPTY


# -- RFC 5424


def test_a_dash_is_a_value_that_is_not_there() -> None:
    alert = only("syslog", "<11>1 - - - - - - disk full")

    assert (alert.event_at_ms, alert.summary) == (None, "disk full")
    assert alert.labels == {"facility": "user"}


@pytest.mark.parametrize(
    ("data", "labels"),
    [
        (r'[a@1 text="say \"hi\" \] \\ \n"]', {"text": r'say "hi" ] \ \n'}),
        ('[a@1 x="1"][b@1 x="2" y=""]', {"x": "1", "b@1.x": "2"}),
        ('[a@1 host="liar"]', {"a@1.host": "liar"}),
        ("[a@1]", {}),
        ("-", {}),
    ],
)
def test_structured_data_becomes_labels(data: str, labels: dict[str, str]) -> None:
    alert = only("syslog", f"<11>1 - db-1 postgres - - {data} disk full")

    assert alert.labels == {"host": "db-1", "app": "postgres", "facility": "user", **labels}
    assert alert.summary == "disk full"


def test_a_line_without_a_text_is_known_by_its_message_id() -> None:
    alert = only("syslog", '<11>1 - db-1 postgres - PANIC [a@1 x="1"]')

    assert (alert.name, alert.summary) == ("PANIC", "PANIC")


@pytest.mark.parametrize(
    ("pri", "facility", "native", "severity"),
    [
        (0, "kern", "emerg", Severity.CRITICAL), (9, "user", "alert", Severity.CRITICAL),
        (34, "auth", "crit", Severity.CRITICAL), (27, "daemon", "err", Severity.ERROR),
        (188, "local7", "warning", Severity.WARNING), (189, "local7", "notice", Severity.INFO),
        (190, "local7", "info", Severity.INFO), (191, "local7", "debug", Severity.INFO),
    ],
)  # fmt: skip
def test_facility_and_severity_are_in_the_priority(pri: int, facility: str, native: str, severity: Severity) -> None:
    alert = told("disk full", pri, severity_at_least="debug")

    assert (alert.labels["facility"], alert.severity_native, alert.severity) == (facility, native, severity)
    assert alert.kind == Kind.FIRING


@pytest.mark.parametrize(
    "value",
    [
        b"disk full", b"<192>1 - - - - - - x", b"<11>2 - - - - - - x", b"<11>1 - - - - - [a@1 x=1] x",
        b'<11>1 - - - - - [a@1 x="1"]x', b"<11>disk full", b"<11>Mar  4 02:19:40 disk is full", b"<11>",
    ],
)  # fmt: skip
def test_what_is_no_syslog_is_refused_without_its_text(value: bytes) -> None:
    bad = refused(value)

    assert bad.detail.startswith("$")
    assert "full" not in bad.detail


def test_a_time_that_is_none_is_refused() -> None:
    assert refused(b"<11>1 yesterday db-1 postgres - - - x").reason == Reason.WRONG_TYPE


# -- RFC 3164


@pytest.mark.parametrize(
    ("text", "host", "app", "procid", "summary"),
    [
        ("Mar  4 02:19:40 db-1 postgres[412]: disk full", "db-1", "postgres", "412", "disk full"),
        ("Mar  4 02:19:40 db-1.meridian.example postgres: disk full", "db-1.meridian.example", "postgres", None,
         "disk full"),
        ("Mar  4 02:19:40 su: error: no shell", None, "su", None, "error: no shell"),
        ("Mar 04 2026 02:19:40 fw-1 : %ASA-2-106001: denied", "fw-1", "%ASA-2-106001", None, "denied"),
        ("2026-03-04T02:19:40.003+01:00 db-1 postgres[412]: disk full", "db-1", "postgres", "412", "disk full"),
    ],
)  # fmt: skip
def test_old_lines_are_read_where_host_and_tag_are_unmistakable(
    text: str, host: str | None, app: str, procid: str | None, summary: str
) -> None:
    alert = only("syslog", f"<11>{text}")

    assert (alert.labels.get("host"), alert.labels["app"], alert.labels.get("procid")) == (host, app, procid)
    assert alert.summary == summary


@pytest.mark.parametrize(
    ("time", "zone", "expected"),
    [
        ("Mar  4 02:19:40", "Europe/Berlin", None),  # no year: nobody knows which
        ("Mar 04 2026 02:19:40", "Europe/Berlin", 1_772_587_180_000),
        ("Mar 04 2026 02:19:40", None, None),
        ("2026-03-04T02:19:40.003+01:00", None, T0),
        ("2026-03-04T02:19:40.003", "Europe/Berlin", T0),
    ],
)
def test_an_old_line_has_a_time_only_where_it_names_a_moment(time: str, zone: str | None, expected: int | None) -> None:
    assert only("syslog", f"<11>{time} db-1 postgres: disk full", zone=zone).event_at_ms == expected


# -- what begins and what ends


def test_lines_below_the_feeds_severity_are_control_and_say_why() -> None:
    alert = told("cache is cold", 12)

    assert alert.kind == Kind.CONTROL
    assert alert.summary == "warning is below err, from which on lines are alerts"
    assert told("cache is cold", 12, severity_at_least="warning").kind == Kind.FIRING


def test_what_no_line_ends_silence_does() -> None:
    assert told("disk full").ttl_seconds == 3_600
    assert told("disk full", ttl_seconds=60).ttl_seconds == 60
    run = Run("syslog", [(T0, line("disk full").encode())], run_on_seconds=3_700)
    assert [incident["state"] for incident in run.incidents] == ["resolved"]


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("Interface ge-0/0/14, changed state to down", "Interface ge-0/0/14, changed state to up"),
        ("[12345.678901] e1000e: eth0 NIC Link is Down", "[99999.1] e1000e: eth0 NIC Link is Up 1000 Mbps"),
        ("000123: *Mar  4 02:19:40.003: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
         "000345: *Mar  5 03:19:40.003: %LINK-3-UPDOWN: Interface Gi0/1, changed state to up"),
        ("lost connection to db-1 (timeout 35 ms)", "restored connection to db-1"),
        ("HA heartbeat lost, peer considered down", "HA heartbeat restored"),
        ("UPS apc@srv on battery", "UPS apc@srv on line power"),
    ],
)  # fmt: skip
def test_a_phrase_ends_what_its_counterpart_began(begin: str, end: str) -> None:
    firing, resolved = told(begin), told(end, 14)

    assert (firing.kind, firing.ttl_seconds) == (Kind.FIRING, None)
    assert (resolved.kind, resolved.alert_key) == (Kind.RESOLVED, firing.alert_key)


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("link down on port 5", "link up on port 6"),
        ("lost connection to 10.0.0.1", "restored connection to 10.0.0.2"),
        ("heartbeat lost", "link up"),
    ],
)
def test_a_phrase_about_something_else_ends_nothing(begin: str, end: str) -> None:
    assert told(begin).alert_key != told(end, 14).alert_key


@pytest.mark.parametrize("text", ["failed to bring link up on port 5", "replica is not up", "waiting until db-1 is up"])
def test_a_sentence_that_denies_is_no_recovery(text: str) -> None:
    assert told(text).kind == Kind.FIRING


def test_a_feed_adds_phrases_of_its_own() -> None:
    pairs = [{"firing": ["Lüfter steht"], "resolved": ["Lüfter dreht"]}]
    firing, resolved = (
        told(f"{text} in rack 4", pri, pairs=pairs) for text, pri in (("Lüfter steht", 11), ("Lüfter dreht", 14))
    )

    assert (resolved.kind, resolved.alert_key) == (Kind.RESOLVED, firing.alert_key)


def test_a_state_in_the_data_counts_more_than_words() -> None:
    def peer(state: str, name: str = "fw-2", text: str = "heartbeat lost", pri: int = 10) -> Alert:
        return only("syslog", f'<{pri}>1 - fw-1 ha - - [ha@1 peer="{name}" state="{state}"] {text}')

    down = peer("down")
    assert peer("up", text="any words").alert_key == down.alert_key
    assert peer("UP", text="any words", pri=14).kind == Kind.RESOLVED
    assert peer("down", "fw-3").alert_key != down.alert_key  # another peer is another condition


def test_a_word_of_state_in_the_message_id_ends_what_its_opposite_began() -> None:
    fail = only("syslog", "<10>1 - fw-1 ha - HA_FAIL - peer gone")
    ok = only("syslog", "<14>1 - fw-1 ha - HA_OK - peer here")

    assert (fail.kind, ok.kind, ok.alert_key) == (Kind.FIRING, Kind.RESOLVED, fail.alert_key)
    assert fail.ttl_seconds == 3_600  # nobody knows whether such an OK exists
    assert only("syslog", "<10>1 - fw-1 backup - BACK_UP - tape broken").kind == Kind.FIRING


# -- identity


def test_what_changes_from_line_to_line_is_masked() -> None:
    first = told("checkpoint 88aa-12 of 10.0.0.1:5432 failed after 35ms at 2026-03-04T02:19:40Z")
    second = told("checkpoint 41cf-07 of 10.0.0.2:5432 failed after 1200ms at 2026-03-05T03:00:01Z")

    assert first.alert_key == second.alert_key
    assert first.name == "checkpoint <id> of <address> failed after <num> at <time>"
    assert told("vacuum 88aa-12 of 10.0.0.1:5432 failed after 35ms").alert_key != first.alert_key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user 550e8400-e29b-41d4-a716-446655440000", "user <id>"),
        ("std::vector at 0xdeadbeef in fe80::1:2 and ::1", "std::vector at <id> in <address> and <address>"),
        ("peer 00:1a:2b:3c:4d:5e  gone\nat line 7", "peer <address> gone"),
        ("no numbers here", "no numbers here"),
        ("12.5% of 7", "<num>% of <num>"),
    ],
)
def test_templates(text: str, expected: str) -> None:
    assert template(text) == expected


def test_host_program_and_message_id_are_the_condition_whatever_the_text_says() -> None:
    def of(host: str = "a", app: str = "b", msgid: str = "c", text: str = "x") -> str:
        return only("syslog", f"<11>1 - {host} {app} - {msgid} - {text}").alert_key

    assert of() == of(text="other words")
    assert len({of(), of(host="z"), of(app="z"), of(msgid="z")}) == 4


@pytest.mark.parametrize("name", ["unit", "job@1.unit"])
def test_chosen_parameters_tell_conditions_of_one_message_id_apart(name: str) -> None:
    def job(unit: str) -> str:
        text = f'<11>1 - a cron - FAILED [job@1 unit="{unit}" took="35"] x'
        return only("syslog", text, identity_params=[name]).alert_key

    assert job("backup") == job("backup")
    assert job("backup") != job("mail")


# -- Vector


def key(adapter: str, payload: object) -> str:
    chosen = ADAPTERS[adapter]
    (alert,) = chosen(payload, RawMessage("syslog", chosen.feed_class, (), chosen.read_options({})))
    assert isinstance(alert, Alert)
    return alert.alert_key


def test_a_line_is_one_condition_whether_it_comes_as_it_is_or_through_vector() -> None:
    assert key("syslog", decode(FIRING)) == key("syslog-vector", document("syslog-vector-firing"))


def test_what_vector_could_not_parse_stays_missing() -> None:
    alert = only("syslog-vector", {"message": "disk full", "severity": "err", "timestamp": "2026-03-04T01:19:40Z"})

    assert alert.labels == {}
    with pytest.raises(BadRecord, match=r"\$\.severity: missing"):
        read("syslog-vector", {"message": "disk full"})


@pytest.mark.parametrize("adapter", ["syslog", "syslog-vector"])
def test_a_run_of_the_samples_is_one_incident_that_ends(adapter: str) -> None:
    stem, ending = ("syslog-rfc5424", "log") if adapter == "syslog" else ("syslog-vector", "json")
    run = Run(adapter, [(T0, sample(f"{stem}-firing.{ending}")), (T1, sample(f"{stem}-resolved.{ending}"))])

    assert [incident["state"] for incident in run.incidents] == ["resolved"]


# -- command and pages


def test_feed_test_reads_a_file_of_lines(tmp_path: Path) -> None:
    (tmp_path / "messages").write_bytes(FIRING + sample("syslog-rfc5424-resolved.log") + b"no syslog\n")
    result = CliRunner().invoke(feed, ["test", "syslog", str(tmp_path / "messages"), "--json"])
    found = [orjson.loads(each) for each in result.stdout.splitlines()]

    assert [each["message"] for each in found] == [1, 2, 3]
    assert [each["alert"]["kind"] for each in found[:2]] == ["firing", "resolved"]
    assert found[2]["refused"] == "unknown_shape"


def test_the_rsyslog_template_of_the_page_writes_lines_that_the_adapter_reads() -> None:
    config = block("syslog", "conf")
    values = {
        "PRI": "10", "TIMESTAMP:::date-rfc3339": "2026-03-04T02:19:40.003512+01:00", "APP-NAME": "kernel",
        "HOSTNAME": "ber-fw-1.meridian.example", "PROCID": "412", "MSGID": "HA_FAIL",
        "STRUCTURED-DATA": '[origin ip="10.9.0.1" software="fwos" swVersion="11.2"]'
        '[ha@32473 peer="ber-fw-2" state="down"]',
        "msg": "HA heartbeat lost, peer considered down",
    }  # fmt: skip
    (written,) = [each.partition('"')[2] for each in config.split("string=")[1:]]
    text = written.partition('"')[0]
    for name, value in values.items():
        assert f"%{name}%" in text
        text = text.replace(f"%{name}%", value)

    assert 'topic="alerts.raw.syslog"' in config
    assert only("syslog", decode(text.encode())) == only("syslog", decode(FIRING))


def test_the_vector_configuration_of_the_page_writes_what_the_adapter_reads() -> None:
    given = tomllib.loads(block("syslog-vector", "toml"))
    (source,), (sink,) = given["sources"].values(), given["sinks"].values()

    assert source["type"] == "syslog"
    assert (sink["type"], sink["topic"], sink["encoding"]["codec"]) == ("kafka", "alerts.raw.syslog-vector", "json")
    assert sink["inputs"] == list(given["sources"])
