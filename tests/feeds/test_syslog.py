"""What syslog lines mean: what begins and ends a condition, what is masked; and the same through Vector."""

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
from pipeline.models.alert import Alert, Kind
from pipeline.models.decision import BadRecord
from tests.feeds.payloads import document, only, read
from tests.feeds.runs import Run, sample
from tests.feeds.templates import block

FIRING = sample("syslog-rfc5424-firing.log")
T0, T1 = 1_772_587_180_003, 1_772_587_992_110


def line(text: str, pri: int = 11, head: str = "1 2026-03-04T02:19:40Z db-1 postgres 412 - -") -> str:
    return f"<{pri}>{head} {text}"


def told(text: str, pri: int = 11, **options: Any) -> Alert:
    return only("syslog", line(text, pri), **options)


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


def test_a_line_that_cisco_numbers_is_known_by_its_mnemonic_where_a_relay_took_the_number_for_the_program() -> None:
    """As rsyslog writes them."""
    texts = (
        "<187>1 - rtr-1 000123 - - -  *Mar  4 02:19:40.003: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
        "<189>1 - rtr-1 000199 - - -  *Mar  4 03:19:40.003: %LINK-3-UPDOWN: Interface Gi0/1, changed state to up",
    )
    down, up = (only("syslog", text) for text in texts)
    other = only("syslog", texts[0].replace("LINK-3", "LINEPROTO-3"))

    assert down.labels["app"] == "%LINK-3-UPDOWN"
    assert down.name == "%LINK-3-UPDOWN Interface <id>/<num>, changed state to down"
    assert (up.kind, up.alert_key) == (Kind.RESOLVED, down.alert_key)
    assert other.alert_key != down.alert_key


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
