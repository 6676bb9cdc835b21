"""Nagios: macros as strings, SOFT states, flapping, downtimes, local times; and the page's notification command."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from typing import Any

import orjson
import pytest

from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from tests.feeds.payloads import document, only, read
from tests.feeds.runs import Run, sample
from tests.feeds.templates import block

T0 = 1_772_590_702_000


def told(**changes: Any) -> Alert:
    return only("nagios", {**document("nagios-firing"), **changes})


def host_problem(**changes: Any) -> Alert:
    payload = {
        "notificationtype": "PROBLEM", "hostname": "dc1-san-03", "hoststate": "DOWN", "hoststatetype": "HARD",
        "hostoutput": "PING CRITICAL", "hostproblemid": "7", "servicedesc": "$SERVICEDESC$", "timet": "1772590702",
    }  # fmt: skip
    return only("nagios", {**payload, **changes})


@pytest.mark.parametrize("kind", ["PROBLEM", "RECOVERY"])
def test_a_soft_state_is_control_and_says_why(kind: str) -> None:
    alert = told(notificationtype=kind, servicestatetype="SOFT")

    assert alert.kind == Kind.CONTROL
    assert "SOFT" in alert.summary


@pytest.mark.parametrize("word", ["$NOTIFICATIONTYPE$", "", None])
def test_an_event_handler_has_no_notification_type_and_its_state_counts(word: str | None) -> None:
    recovery = {**document("nagios-resolved"), "notificationtype": word}

    assert told(notificationtype=word).kind == Kind.FIRING
    assert told(notificationtype=word, servicestatetype="SOFT").kind == Kind.CONTROL
    assert only("nagios", recovery).kind == Kind.RESOLVED


def test_a_notification_type_that_nagios_does_not_have_is_refused() -> None:
    with pytest.raises(BadRecord, match=r"\$\.notificationtype: not one of PROBLEM"):
        told(notificationtype="PROBLEMS")


def test_all_values_may_be_strings_as_a_shell_writes_them() -> None:
    payload = {name: str(value) for name, value in document("nagios-firing").items()}

    assert only("nagios", payload) == told()


@pytest.mark.parametrize(
    ("state", "severity"),
    [("DOWN", Severity.CRITICAL), ("UNREACHABLE", Severity.ERROR), ("UP", Severity.INFO)],
)
def test_without_a_service_it_is_the_host(state: str, severity: Severity) -> None:
    alert = host_problem(hoststate=state)

    assert (alert.name, alert.severity, alert.severity_native) == ("Host", severity, state)
    assert alert.source_episode_id == "7"
    assert alert.alert_key != told().alert_key
    assert alert.alert_key == host_problem(notificationtype="RECOVERY", hoststate="UP").alert_key


@pytest.mark.parametrize(
    ("word", "state", "kind"),
    [
        ("FLAPPINGSTART", "CRITICAL", Kind.FIRING),
        ("FLAPPINGSTART", "OK", Kind.FIRING),
        ("FLAPPINGSTOP", "OK", Kind.RESOLVED),
        ("FLAPPINGSTOP", "WARNING", Kind.FIRING),
        ("FLAPPINGDISABLED", "OK", Kind.RESOLVED),
        ("ACKNOWLEDGEMENT", "CRITICAL", Kind.ACKNOWLEDGED),
        ("DOWNTIMESTART", "CRITICAL", Kind.MAINTENANCE_START),
        ("DOWNTIMEEND", "OK", Kind.MAINTENANCE_END),
        ("DOWNTIMECANCELLED", "OK", Kind.MAINTENANCE_END),
        ("CUSTOM", "OK", Kind.CONTROL),
    ],
)
def test_each_notification_type_means_a_kind(word: str, state: str, kind: Kind) -> None:
    assert told(notificationtype=word, servicestate=state).kind == kind


def test_flapping_in_a_state_that_is_well_is_a_warning_with_the_reason() -> None:
    alert = told(notificationtype="FLAPPINGSTART", servicestate="OK")

    assert alert.severity == Severity.WARNING
    assert alert.severity_default_reason


def test_what_flapping_ends_in_ends_the_episode_without_a_recovery() -> None:
    start = {**document("nagios-firing"), "notificationtype": "FLAPPINGSTART"}
    stop = {**document("nagios-resolved"), "notificationtype": "FLAPPINGSTOP"}
    run = Run("nagios", [(T0, orjson.dumps(start)), (1_772_594_302_000, orjson.dumps(stop))])

    assert run.decisions[-1] == ("joined", "episode_resolved")


def test_an_acknowledgement_tells_its_comment_and_meets_its_problem() -> None:
    alert = told(notificationtype="ACKNOWLEDGEMENT", notificationcomment="disks are on the way")

    assert alert.summary == "disks are on the way"
    assert alert.alert_key == told().alert_key


def test_a_downtime_is_another_condition_than_the_problem() -> None:
    start, end = told(notificationtype="DOWNTIMESTART"), told(notificationtype="DOWNTIMEEND", servicestate="OK")

    assert start.alert_key == end.alert_key != told().alert_key


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("2026-03-04 03:18:22", {"zone": "Europe/Berlin"}, T0),
        ("03-04-2026 03:18:22", {"zone": "Europe/Berlin", "date_format": "us"}, T0),
        ("04-03-2026 03:18:22", {"zone": "Europe/Berlin", "date_format": "euro"}, T0),
        ("2026-03-04 03:18:22", {}, None),  # no zone, no time
        ("2026-10-25 02:30:00", {"zone": "Europe/Berlin"}, None),  # comes twice that night
        ("2026-03-29 02:30:00", {"zone": "Europe/Berlin"}, None),  # does not come that night
    ],
)
def test_a_text_time_counts_only_where_it_names_one_moment(
    text: str, options: dict[str, str], expected: int | None
) -> None:
    payload = {**document("nagios-firing"), "timet": "$TIMET$", "shortdatetime": text}

    assert only("nagios", payload, **options).event_at_ms == expected


def test_a_time_in_another_order_than_the_feed_says_is_refused_and_not_guessed() -> None:
    payload = {**document("nagios-firing"), "timet": None, "shortdatetime": "03-04-2026 03:18:22"}
    with pytest.raises(BadRecord, match="shortdatetime") as caught:
        read("nagios", payload, zone="UTC")

    assert caught.value.reason == Reason.WRONG_TYPE


def test_a_zone_that_does_not_exist_is_refused_in_the_configuration() -> None:
    with pytest.raises(ValueError, match="Europe/Berlin"):
        read("nagios", document("nagios-firing"), zone="Middle/Earth")


MACROS = {
    "NOTIFICATIONTYPE": "PROBLEM", "HOSTNAME": "dc1-san-03", "HOSTALIAS": "SAN shelf 3", "HOSTADDRESS": "10.20.4.13",
    "HOSTSTATE": "UP", "HOSTSTATETYPE": "HARD", "SERVICEDESC": "Disk health", "SERVICESTATE": "CRITICAL",
    "SERVICESTATETYPE": "HARD", "SERVICEOUTPUT": 'CRITICAL: "2" of 24\\disks failed', "LONGSERVICEOUTPUT": "",
    "SERVICEPROBLEMID": "50311", "LASTSERVICEPROBLEMID": "50311", "SERVICENOTIFICATIONID": "991",
    "SERVICEGROUPNAMES": "storage,dc1", "TIMET": "1772590702",
    "SERVICENOTESURL": "https://runbooks.meridian.example/disks", "SERVICEACTIONURL": "",
    "HOSTOUTPUT": "PING OK", "LONGHOSTOUTPUT": "", "HOSTPROBLEMID": "7", "LASTHOSTPROBLEMID": "7",
    "HOSTNOTIFICATIONID": "992", "HOSTGROUPNAMES": "storage", "HOSTNOTESURL": "", "HOSTACTIONURL": "",
}  # fmt: skip


@pytest.mark.parametrize("command", ["service", "host"])
def test_the_notification_command_of_the_page_gives_what_the_adapter_reads(command: str) -> None:
    line = re.search(rf"command_name\s+notify-{command}-by-spillway\n\s+command_line\s+(.*)", block("nagios", "cfg"))
    assert line is not None
    filled = re.sub(r"\$([A-Z]+)\$", lambda macro: MACROS[macro[1]], line[1])
    words = shlex.split(filled.partition(" | ")[0])
    given = {words[at + 1]: words[at + 2] for at, word in enumerate(words) if word == "--arg"}
    if shutil.which("jq"):
        written = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout
        assert orjson.loads(written) == given
    alert = only("nagios", given)

    assert alert.event_at_ms == T0
    assert alert.delivery_id == ("991" if command == "service" else "992")
    if command == "service":
        assert alert.alert_key == told().alert_key
        assert alert.summary == 'CRITICAL: "2" of 24\\disks failed'
        assert alert.links == {"notes": "https://runbooks.meridian.example/disks"}


def test_a_run_of_the_samples_is_one_incident_that_ends() -> None:
    files = (("nagios-firing", T0), ("nagios-flapping", T0 + 1), ("nagios-resolved", 1_772_594_302_000))
    run = Run("nagios", [(at_ms, sample(f"{name}.json")) for name, at_ms in files])

    assert [incident["state"] for incident in run.incidents] == ["resolved"]
