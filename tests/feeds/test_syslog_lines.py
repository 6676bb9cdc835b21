"""Syslog on the wire: framing, RFC 5424, RFC 3164 where it is unmistakable, and bytes that are neither."""

from __future__ import annotations

from contextlib import suppress
from time import process_time

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.feeds.syslog import decode
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from tests.feeds.payloads import only, read
from tests.feeds.runs import sample

FIRING = sample("syslog-rfc5424-firing.log")
T0 = 1_772_587_180_003
# Measured 0.01 to 0.4; what is quadratic takes hours.
MEBIBYTE_SECONDS_MAX = 10.0


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
    assert only("syslog", decode(b"<11>1 - db-1 postgres - - - L\xfcfter")).summary == "L\ufffdfter"


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
    alert = only("syslog", f"<{pri}>1 - db-1 postgres - - - disk full", severity_at_least="debug")

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


# -- hostile


_BYTES = st.binary(max_size=60) | st.text(max_size=30).map(str.encode)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(cut=st.integers(0, len(FIRING)), until=st.integers(0, len(FIRING)), piece=_BYTES, octets=st.booleans())
def test_whatever_bytes_come_an_alert_or_a_refusal_is_made_of_them(
    cut: int, until: int, piece: bytes, octets: bool
) -> None:
    damaged = FIRING[:cut] + piece + FIRING[until:]
    value = b"%d %b" % (len(damaged), damaged) if octets else damaged
    result: Alert | BadRecord
    try:
        (result,) = read("syslog", decode(value))
    except BadRecord as bad:
        result = bad
    if isinstance(result, Alert):
        assert result.alert_key
        orjson.dumps(result)
    else:
        assert result.detail.startswith("$")


# Each made a backtracking pattern slow while this was written, or might have.
@pytest.mark.parametrize(
    "evil",
    [
        b"<11>1 - - - - - [a@1" + b" " * 900_000,
        b'<11>1 - - - - - [a@1 x="' + b"\\" * 900_001,
        b"<11>Mar  4 02:19:40 " + b"a" * 900_000,
        b"<11>Mar  4 02:19:40 " + b"a:" * 450_000,
        b"<11>1 - - - - - - " + b"a1-" * 300_000,
        b"<11>1 - - - - - - " + b":1" * 400_000,
    ],
    ids=["blanks", "escapes", "word", "tags", "ids", "addresses"],
)
def test_a_line_of_a_mebibyte_takes_no_longer_than_its_length(evil: bytes) -> None:
    began = process_time()
    with suppress(BadRecord):
        read("syslog", decode(evil))

    assert process_time() - began < MEBIBYTE_SECONDS_MAX
