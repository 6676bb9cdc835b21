"""SNMP traps: which ends which and of what, what a trap without a pair does, and the secret that is never kept."""

from __future__ import annotations

import tomllib
from typing import Any

import orjson
import pytest

from pipeline.feeds import ADAPTERS, RawMessage
from pipeline.feeds.snmp_traps import ON_BATTERY_SILENCE_SECONDS, SILENCE_SECONDS_DEFAULT, STANDARD_TRAPS
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord
from tests.feeds.payloads import alerts, document, only, read
from tests.feeds.runs import Run, sample
from tests.feeds.templates import block

T0 = 1_772_590_771_000


def by_telegraf(oid: str, fields: dict[str, Any] | None = None, source: str = "10.44.2.1") -> dict[str, Any]:
    tags = {"source": source, "oid": f".{oid}", "name": oid, "version": "2c", "community": "hunter2"}
    return {"name": "snmp_trap", "timestamp": 1_772_590_771, "tags": tags, "fields": fields or {}}


def by_logstash(oid: str, **fields: Any) -> dict[str, Any]:
    return {"@timestamp": "2026-03-04T02:19:31.000Z", "host": {"ip": "10.44.2.1"}, "1.3.6.1.6.3.1.1.4.1.0": oid,
            **fields}  # fmt: skip


def key(adapter: str, payload: object) -> str:
    chosen = ADAPTERS[adapter]
    (alert,) = chosen(payload, RawMessage("snmp", chosen.feed_class, (), chosen.read_options({})))
    assert isinstance(alert, Alert)
    return alert.alert_key


def test_one_trap_is_one_condition_whoever_received_it() -> None:
    keys = {
        key("snmp-telegraf", document("snmp-telegraf-firing")),
        key("snmp-logstash", document("snmp-logstash-firing")),
    }

    assert len(keys) == 1


# -- the secret


@pytest.mark.parametrize("adapter", ["snmp-telegraf", "snmp-logstash"])
def test_the_community_is_never_kept(adapter: str) -> None:
    payload = orjson.loads(orjson.dumps(document(f"{adapter}-firing")).replace(b"edge-ro", b"hunter2"))
    variables = payload["fields"] if adapter == "snmp-telegraf" else payload
    variables["1.3.6.1.6.3.18.1.4.0"] = "hunter2"
    variables["SNMP-COMMUNITY-MIB::snmpTrapCommunity.0"] = "hunter2"
    assert b"hunter2" in orjson.dumps(payload)

    assert b"hunter2" not in orjson.dumps(only(adapter, payload))


# -- pairs


@pytest.mark.parametrize("row", [row for row in STANDARD_TRAPS if row.ends], ids=lambda row: f"{row.name}-{row.begins}")
def test_every_pair_of_the_table_meets_and_has_no_silence(row: Any) -> None:
    begin = only("snmp-telegraf", by_telegraf(row.begins))

    assert (begin.kind, begin.ttl_seconds) == (Kind.FIRING, None)
    for end in row.ends:
        alert = only("snmp-telegraf", by_telegraf(end))
        assert (alert.kind, alert.alert_key, alert.name) == (Kind.RESOLVED, begin.alert_key, begin.name)


def test_an_interface_that_comes_up_ends_no_other_interfaces_failure() -> None:
    down = [only("snmp-telegraf", by_telegraf("1.3.6.1.6.3.1.1.5.3", {f"ifIndex.{n}": n})) for n in (14, 15)]
    up = only("snmp-telegraf", by_telegraf("1.3.6.1.6.3.1.1.5.4", {"ifIndex.14": 14}))

    assert down[0].alert_key != down[1].alert_key
    assert up.alert_key == down[0].alert_key


@pytest.mark.parametrize(
    "fields",
    [{"ifIndex.14": 14}, {"ifIndex": 14}, {"ifOperStatus.14": 2}, {"IF-MIB::ifIndex.14": 14},
     {".1.3.6.1.2.1.2.2.1.1.14": 14}, {"ifAdminStatus.14": 1, "ifIndex.14": 14}],
)  # fmt: skip
def test_the_interface_is_found_however_the_variable_is_spelled(fields: dict[str, Any]) -> None:
    expected = only("snmp-telegraf", document("snmp-telegraf-firing")).alert_key

    assert only("snmp-telegraf", by_telegraf("1.3.6.1.6.3.1.1.5.3", fields)).alert_key == expected


def test_two_peers_of_a_router_are_two_conditions() -> None:
    def peer(oid: str, address: str) -> Alert:
        return only("snmp-logstash", by_logstash(oid, **{f"1.3.6.1.2.1.15.3.1.2.{address}": 1}))

    lost = peer("1.3.6.1.2.1.15.7.2", "192.0.2.1")
    assert lost.alert_key != peer("1.3.6.1.2.1.15.7.2", "192.0.2.9").alert_key
    assert lost.alert_key == peer("1.3.6.1.2.1.15.7.1", "192.0.2.1").alert_key
    assert lost.summary == "bgpBackwardTransition: 192.0.2.1"


def test_an_alarm_of_a_ups_is_told_apart_by_what_it_is_and_not_by_its_number() -> None:
    def alarm(oid: str, number: int, what: str) -> Alert:
        fields = {f"upsAlarmId.{number}": number, f"upsAlarmDescr.{number}": what}
        return only("snmp-telegraf", by_telegraf(oid, fields))

    low, again = (
        alarm("1.3.6.1.2.1.33.2.3", 1, "upsAlarmLowBattery"),
        alarm("1.3.6.1.2.1.33.2.4", 7, "upsAlarmLowBattery"),
    )
    assert low.alert_key == again.alert_key
    assert low.alert_key != alarm("1.3.6.1.2.1.33.2.3", 1, "upsAlarmFanFailure").alert_key


def test_an_interface_that_somebody_switched_off_is_information() -> None:
    off = only("snmp-telegraf", by_telegraf("1.3.6.1.6.3.1.1.5.3", {"ifIndex.14": 14, "ifAdminStatus.14": 2}))

    assert off.severity == Severity.INFO
    assert off.severity_default_reason is not None
    assert "switched off" in off.severity_default_reason


# -- without a pair


@pytest.mark.parametrize(
    ("oid", "name", "severity", "ttl_seconds"),
    [
        ("1.3.6.1.6.3.1.1.5.1", "coldStart", Severity.WARNING, SILENCE_SECONDS_DEFAULT),
        ("1.3.6.1.6.3.1.1.5.2", "warmStart", Severity.WARNING, SILENCE_SECONDS_DEFAULT),
        ("1.3.6.1.6.3.1.1.5.5", "authenticationFailure", Severity.WARNING, SILENCE_SECONDS_DEFAULT),
        ("1.3.6.1.2.1.33.2.1", "upsTrapOnBattery", Severity.ERROR, ON_BATTERY_SILENCE_SECONDS),
        ("1.3.6.1.4.1.4711.0.1", "1.3.6.1.4.1.4711.0.1", Severity.UNKNOWN, SILENCE_SECONDS_DEFAULT),
    ],
)
def test_what_no_trap_ends_silence_does(oid: str, name: str, severity: Severity, ttl_seconds: int) -> None:
    alert = only("snmp-logstash", by_logstash(oid))

    assert (alert.kind, alert.name, alert.severity) == (Kind.FIRING, name, severity)
    assert alert.ttl_seconds == ttl_seconds
    assert alert.severity_default_reason


def test_silence_after_a_trap_without_a_pair_is_an_expiry_and_ends_the_incident() -> None:
    payload = orjson.dumps(by_logstash("1.3.6.1.6.3.1.1.5.1"))
    run = Run("snmp-logstash", [(T0, payload)], run_on_seconds=SILENCE_SECONDS_DEFAULT + 60)
    (incident,) = run.incidents

    assert incident["state"] == "resolved"
    assert run.decisions == [("opened", "first_symptom")]  # no message said so


# -- options

FAN = {
    "name": "fan failed", "begins": "1.3.6.1.4.1.4711.0.1", "ends": ["1.3.6.1.4.1.4711.0.2"],
    "index": ["1.3.6.1.4.1.4711.1.1"], "severity": "critical",
}  # fmt: skip


def test_a_feed_adds_pairs_of_its_own() -> None:
    def fan(oid: str, number: int) -> Alert:
        payload = by_logstash(oid, **{f"1.3.6.1.4.1.4711.1.1.{number}": "fan"})
        return only("snmp-logstash", payload, traps=[FAN])

    begin, end = fan("1.3.6.1.4.1.4711.0.1", 2), fan("1.3.6.1.4.1.4711.0.2", 2)
    assert (begin.name, begin.severity, begin.ttl_seconds) == ("fan failed", Severity.CRITICAL, None)
    assert (end.kind, end.alert_key) == (Kind.RESOLVED, begin.alert_key)
    assert end.alert_key != fan("1.3.6.1.4.1.4711.0.2", 3).alert_key


def test_a_feed_overrules_the_table() -> None:
    quiet = {"name": "restart", "begins": ".1.3.6.1.6.3.1.1.5.1", "severity": "info", "ttl_seconds": 60}
    alert = only("snmp-logstash", by_logstash("1.3.6.1.6.3.1.1.5.1"), traps=[quiet])

    assert (alert.name, alert.severity, alert.ttl_seconds) == ("restart", Severity.INFO, 60)


def test_a_row_without_an_oid_is_refused_in_the_configuration() -> None:
    with pytest.raises(ValueError, match="begins"):
        read("snmp-logstash", {}, traps=[{"name": "x", "begins": "linkDown"}])


# -- receivers


def test_a_batch_of_telegraf_is_several_alerts_and_one_bad_metric_spoils_no_other() -> None:
    batch = {"metrics": [document("snmp-telegraf-firing"), {"name": "cpu"}, document("snmp-telegraf-resolved")]}
    first, bad, last = read("snmp-telegraf", batch)

    assert isinstance(first, Alert)
    assert isinstance(last, Alert)
    assert isinstance(bad, BadRecord)
    assert "$.metrics[1].name" in bad.detail


@pytest.mark.parametrize("variable", ["snmpTrapAddress.0", ".1.3.6.1.6.3.18.1.3.0"])
def test_a_trap_through_a_proxy_is_about_the_device(variable: str) -> None:
    payload = by_telegraf("1.3.6.1.6.3.1.1.5.3", {"ifIndex.14": 14, variable: "10.44.2.1"}, "10.0.0.1")

    assert only("snmp-telegraf", payload).alert_key == only("snmp-telegraf", document("snmp-telegraf-firing")).alert_key


def test_version_1_names_its_trap_by_three_numbers() -> None:
    def version_1(**packet: Any) -> Alert:
        payload = by_logstash("")
        del payload["1.3.6.1.6.3.1.1.4.1.0"]
        return only("snmp-logstash", {**payload, "message": orjson.dumps(packet).decode()})

    down = version_1(generic_trap=2, specific_trap=0, enterprise="1.3.6.1.4.1.9", agent_addr="10.44.2.7")
    apc = version_1(generic_trap=6, specific_trap=5, enterprise="1.3.6.1.4.1.318", agent_addr="0.0.0.0")  # noqa: S104
    assert (down.name, down.labels["host"]) == ("linkDown", "10.44.2.7")
    assert (apc.name, apc.labels["host"]) == ("upsOnBattery", "10.44.2.1")


def test_variables_below_a_target_and_a_host_without_ecs_are_found() -> None:
    payload = document("snmp-logstash-firing")
    moved = {name: payload.pop(name) for name in list(payload) if name.startswith("1.3.")}
    payload.update(snmp=moved, host="10.44.2.1")

    assert only("snmp-logstash", payload, target="[snmp]") == only("snmp-logstash", document("snmp-logstash-firing"))


def test_translated_oids_are_refused_with_what_to_set() -> None:
    with pytest.raises(BadRecord, match="oid_mapping_format"):
        read("snmp-logstash", by_logstash("iso.org.dod.internet.snmpV2.linkDown"))


def test_a_run_of_the_samples_is_one_incident_that_ends() -> None:
    for adapter in ("snmp-telegraf", "snmp-logstash"):
        run = Run(adapter, [(T0, sample(f"{adapter}-firing.json")), (T0 + 600_000, sample(f"{adapter}-resolved.json"))])

        assert [incident["state"] for incident in run.incidents] == ["resolved"]


# -- the pages


def test_the_telegraf_configuration_of_the_page_writes_what_the_adapter_reads() -> None:
    given = tomllib.loads(block("snmp-telegraf", "toml"))
    (output,) = given["outputs"]["kafka"]
    payload = document("snmp-telegraf-firing")
    for tag in output["tagexclude"]:
        payload["tags"].pop(tag)

    assert "snmp_trap" in given["inputs"]
    assert (output["data_format"], output["json_timestamp_units"]) == ("json", "1s")
    assert output["topic"] == "alerts.raw.snmp-telegraf"
    assert output["namepass"] == ["snmp_trap"]
    assert b"edge-ro" not in orjson.dumps(payload)
    assert alerts("snmp-telegraf", payload) == alerts("snmp-telegraf", document("snmp-telegraf-firing"))


def test_the_logstash_configuration_of_the_page_sets_what_the_adapter_needs() -> None:
    pipeline = block("snmp-logstash", "ruby")

    assert "oid_mapping_format => 'dotted_string'" in pipeline
    assert "topic_id => 'alerts.raw.snmp-logstash'" in pipeline
