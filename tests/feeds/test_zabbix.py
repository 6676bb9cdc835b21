"""Zabbix: one condition through export and webhook, recoveries without labels, macros, updates, local times."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

import orjson
import pytest
import yaml

from pipeline.feeds import ADAPTERS, RawMessage
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord
from tests.feeds.payloads import alerts, document, only, read
from tests.feeds.runs import Run, sample
from tests.feeds.templates import block

FIRED, RECOVERED = 1_772_590_755_000, 1_772_591_955_000


def told(**changes: Any) -> Alert:
    return only("zabbix-webhook", {**document("zabbix-webhook-firing"), **changes})


def key(adapter: str, name: str) -> str:
    chosen = ADAPTERS[adapter]
    message = RawMessage("zabbix", chosen.feed_class, (), chosen.read_options({}))
    (alert,) = chosen(document(name), message)
    assert isinstance(alert, Alert)
    return alert.alert_key


def test_a_problem_is_one_condition_whether_it_comes_by_export_or_webhook() -> None:
    names = ("zabbix-webhook-firing", "zabbix-webhook-resolved")
    exported = {key("zabbix", "zabbix-export-firing"), key("zabbix", "zabbix-export-resolved")}

    assert {key("zabbix-webhook", name) for name in names} == exported
    assert len(exported) == 1


def test_a_recovery_of_ids_alone_ends_the_incident_that_its_problem_opened() -> None:
    run = Run("zabbix", [
        (FIRED, sample("zabbix-export-firing.json")), (RECOVERED, sample("zabbix-export-resolved.json")),
    ])  # fmt: skip
    (incident,) = run.incidents

    assert run.decisions == [("opened", "first_symptom"), ("joined", "episode_resolved")]
    assert incident["state"] == "resolved"
    assert "High ICMP ping loss on muc-sw-22" in incident["title"]  # which only the problem told


def test_a_recovery_of_ids_alone_before_its_problem_opens_nothing() -> None:
    run = Run("zabbix", [
        (RECOVERED, sample("zabbix-export-resolved.json")), (RECOVERED + 1, sample("zabbix-export-firing.json")),
    ])  # fmt: skip

    assert run.incidents == []
    assert run.decisions == [("repeated", "resolved_without_firing"), ("repeated", "out_of_order")]


def test_a_tag_never_hides_the_host_and_may_come_several_times() -> None:
    tags = [{"tag": "host", "value": "liar"}, {"tag": "scope", "value": "a"}, {"tag": "scope", "value": "b"}]
    for adapter, name, field in (
        ("zabbix", "zabbix-export-firing", "tags"), ("zabbix-webhook", "zabbix-webhook-firing", "event_tags_json"),
    ):  # fmt: skip
        labels = only(adapter, {**document(name), field: tags}).labels

        assert (labels["host"], labels["scope"]) == ("muc-sw-22", "a, b")


# -- macros


@pytest.mark.parametrize("unfilled", ["{EVENT.OPDATA}", "*UNKNOWN*", "{$MACRO}", ""])
def test_a_macro_without_a_value_is_absent(unfilled: str) -> None:
    assert told(event_opdata=unfilled).description == ""
    assert "address" not in told(host_ip=unfilled).labels


def test_a_required_macro_without_a_value_is_refused_by_its_path() -> None:
    with pytest.raises(BadRecord, match=r"\$\.event_value: missing"):
        read("zabbix-webhook", {**document("zabbix-webhook-firing"), "event_value": "{EVENT.VALUE}"})


def test_the_button_test_sends_a_control_message() -> None:
    payload = {name: f"{{{name.upper().replace('_', '.')}}}" for name in document("zabbix-webhook-firing")}

    assert only("zabbix-webhook", payload).kind == Kind.CONTROL


def test_tags_may_come_as_the_string_of_the_macro() -> None:
    tags = json.dumps(document("zabbix-webhook-firing")["event_tags_json"])

    assert told(event_tags_json=tags).labels == told().labels
    assert told(event_tags_json="{EVENT.TAGSJSON}").labels.keys() == {"host", "address", "trigger_id"}
    with pytest.raises(BadRecord, match="event_tags_json"):
        told(event_tags_json="[")


def test_severity_is_the_number_because_words_can_be_renamed() -> None:
    alert = told(event_severity="Ganz schlimm", event_nseverity="5")

    assert (alert.severity, alert.severity_native) == (Severity.CRITICAL, "Ganz schlimm")
    assert told(event_nseverity="*UNKNOWN*").severity == Severity.ERROR
    assert told(event_nseverity="9", event_severity="").severity_default_reason


# -- what is told


@pytest.mark.parametrize(
    ("action", "kinds"),
    [
        ("acknowledged", [Kind.ACKNOWLEDGED]),
        ("acknowledged and commented", [Kind.ACKNOWLEDGED]),
        ("unacknowledged", [Kind.UNACKNOWLEDGED]),
        ("commented", [Kind.CONTROL]),
        ("suppressed until 2026.03.05 10:00:00", [Kind.CONTROL]),
        ("changed severity from High to Disaster", [Kind.FIRING]),
        ("acknowledged, changed severity from High to Disaster", [Kind.FIRING, Kind.ACKNOWLEDGED]),
        ("{EVENT.UPDATE.ACTION}", [Kind.ACKNOWLEDGED]),  # a template that does not tell what
    ],
)
def test_an_update_tells_what_was_done(action: str, kinds: list[Kind]) -> None:
    payload = {**document("zabbix-webhook-firing"), "event_update_status": "1", "event_update_action": action}
    results = alerts("zabbix-webhook", payload)

    assert [alert.kind for alert in results] == kinds
    assert {alert.alert_key for alert in results} == {told().alert_key}


def test_a_raised_severity_reaches_the_incident() -> None:
    raised = {
        **document("zabbix-webhook-firing"), "event_update_status": "1", "event_nseverity": "5",
        "event_update_action": "changed severity from High to Disaster",
    }  # fmt: skip
    run = Run("zabbix-webhook", [(FIRED, sample("zabbix-webhook-firing.json")), (FIRED + 9_000, orjson.dumps(raised))])

    assert run.decisions[-1] == ("joined", "episode_updated")


@pytest.mark.parametrize(("source", "kind"), [("1", Kind.CONTROL), ("2", Kind.CONTROL), (3, Kind.FIRING)])
def test_discovery_is_no_problem(source: object, kind: Kind) -> None:
    assert told(event_source=source).kind == kind


# -- times


def test_without_a_zone_there_is_no_time() -> None:
    assert told().event_at_ms is None


def test_the_zone_of_the_server_makes_times_of_local_ones() -> None:
    payload = {**document("zabbix-webhook-resolved"), "event_time": "03:19:15", "event_recovery_time": "03:39:15"}
    alert = only("zabbix-webhook", payload, zone="Europe/Berlin")

    assert (alert.event_at_ms, alert.ended_at_ms) == (FIRED, RECOVERED)


def test_the_timestamp_of_newer_servers_needs_no_zone() -> None:
    payload = {
        **document("zabbix-webhook-resolved"), "event_timestamp": "1772590755", "event_recovery_timestamp": "1772591955"
    }  # fmt: skip
    alert = only("zabbix-webhook", payload)

    assert (alert.event_at_ms, alert.ended_at_ms) == (FIRED, RECOVERED)


def test_the_hour_that_comes_twice_names_no_moment() -> None:
    payload = {**document("zabbix-webhook-firing"), "event_date": "2026.10.25", "event_time": "02:30:00"}

    assert only("zabbix-webhook", payload, zone="Europe/Berlin").event_at_ms is None


# -- the media type of the page

MACROS = {
    "EVENT.ID": "7011223", "EVENT.VALUE": "1", "EVENT.SOURCE": "0", "EVENT.UPDATE.STATUS": "0",
    "EVENT.NAME": "High ICMP ping loss on muc-sw-22", "EVENT.SEVERITY": "High", "EVENT.NSEVERITY": "4",
    "EVENT.STATUS": "PROBLEM", "EVENT.DATE": "2026.03.04", "EVENT.TIME": "02:19:15",
    "EVENT.TAGSJSON": '[{"tag":"component","value":"network"},{"tag":"scope","value":"availability"}]',
    "EVENT.OPDATA": "Loss (1m): 61 %", "HOST.NAME": "muc-sw-22", "HOST.IP": "10.44.2.22", "TRIGGER.ID": "30221",
    "$ZABBIX.URL": "https://zabbix.meridian.example", "HOST.HOST": "muc-sw-22",
}  # fmt: skip


def parameters() -> tuple[dict[str, str], str]:
    (media,) = yaml.safe_load(block("zabbix-webhook", "yaml", "media_types"))["zabbix_export"]["media_types"]
    filled = {}
    for parameter in media["parameters"]:
        macro = parameter["value"].removeprefix("{").removesuffix("}")
        filled[parameter["name"]] = MACROS.get(macro, parameter["value"])
    return filled, media["script"]


def test_the_media_type_of_the_page_gives_what_the_adapter_reads() -> None:
    filled, _ = parameters()
    assert filled.keys() > document("zabbix-webhook-firing").keys()

    alert = only("zabbix-webhook", filled, zone="UTC")
    expected = only("zabbix-webhook", document("zabbix-webhook-firing"), zone="UTC")
    assert alert == expected


@pytest.mark.skipif(
    shutil.which("node") is None and not os.environ.get("CI"),  # in CI no test is left out
    reason="Node.js runs the script as Zabbix does, and is not here",
)
def test_the_script_of_the_page_posts_the_macros_and_not_its_token() -> None:
    filled, script = parameters()
    harness = """
      const sent = {headers: []};
      class HttpRequest {
        addHeader(header) { sent.headers.push(header); }
        post(url, body) { sent.url = url; sent.body = body; return ''; }
        getStatus() { return Number(process.argv[3]); }
      }
      const run = new Function('value', 'HttpRequest', require('fs').readFileSync(0, 'utf8'));
      try { sent.answer = run(process.argv[2], HttpRequest); } catch (error) { sent.error = String(error); }
      console.log(JSON.stringify(sent));
    """
    given = json.dumps({**filled, "url": "https://spillway.example/v1/feeds/zabbix-webhook", "token": "s3cret"})

    def post(status: str) -> dict[str, Any]:
        command = ["node", "-e", harness, "_", given, status]
        done = subprocess.run(command, input=script, check=True, capture_output=True, text=True, timeout=60)
        return dict(orjson.loads(done.stdout))

    sent = post("202")
    assert sent["answer"] == "OK"
    assert sent["url"] == "https://spillway.example/v1/feeds/zabbix-webhook"
    assert "Authorization: Bearer s3cret" in sent["headers"]
    assert "s3cret" not in sent["body"]
    assert only("zabbix-webhook", orjson.loads(sent["body"])).labels == told().labels
    assert "503" in post("503")["error"]  # Zabbix tries again
