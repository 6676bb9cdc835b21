"""The three stories, point by point: what an operator was promised, read from a replay with the example company."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from pipeline.catalog import load_config
from pipeline.core.chain import Sealed, content_of, first_break
from pipeline.models.decision import Decision, Disposition, Reason
from pipeline.recording import read_recording
from pipeline.replay import Replay, incident_lines
from tests.stories.generate import STORIES

HERE: Final = Path(__file__).parent
CONFIG: Final = HERE.parent / "config"
RUN_ON_SECONDS: Final = 600


@cache
def played(name: str) -> tuple[list[dict[str, Any]], list[Decision], Replay]:
    """Incidents as lines of the incidents file, decisions, and the machine itself."""
    machine = Replay(load_config(CONFIG))
    lines = (HERE / "stories" / f"{name}.ndjson").read_bytes().splitlines()
    outcome = machine.run(read_recording(lines, name), run_on_seconds=RUN_ON_SECONDS)
    ended = incident_lines(outcome.decisions, (event.value or b"" for event in outcome.events))
    return [orjson.loads(line) for line in ended], outcome.decisions, machine


def the_incident(name: str, service: str) -> dict[str, Any]:
    """The one incident of a story about a service."""
    (found,) = (each for each in played(name)[0] if each["kind"] == "incident" and each["service"] == service)
    return found


def the_bridge(name: str) -> dict[str, Any]:
    (found,) = (each for each in played(name)[0] if each["kind"] == "bridge")
    return found


def entries(incident: dict[str, Any], action: str) -> list[dict[str, Any]]:
    return [each for each in incident["timeline"] if each["action"] == action]


def pages(incident: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["person"], each["service"].rpartition("/")[2]) for each in incident["escalation"]["paged"]]


def the_problem(name: str) -> dict[str, Any]:
    """The one problem of a story, as it is at the end."""
    found = {each["problem_id"]: each["problem"] for each in problem_events(name)}
    (problem,) = found.values()
    assert isinstance(problem, dict)
    return problem


def problem_events(name: str) -> list[dict[str, Any]]:
    return [orjson.loads(event.value or b"") for event in played(name)[2].outcome.problems]


def states_told(incident: dict[str, Any]) -> list[str]:
    return [each["state"] for each in incident["communications"] if each["audience"] == "public"]


@pytest.mark.parametrize("name", sorted(STORIES))
def test_a_recording_is_what_its_generator_makes(name: str) -> None:
    assert (HERE / "stories" / f"{name}.ndjson").read_bytes() == STORIES[name]().lines()


@pytest.mark.parametrize("name", sorted(STORIES))
def test_every_alert_of_a_story_is_accounted_for(name: str) -> None:
    _, decisions, machine = played(name)
    assert machine.remainder() == 0
    assert machine.outcome.dead_letters == []
    assert len({each.origin for each in decisions}) == len(decisions)


@pytest.mark.parametrize("name", sorted(STORIES))
def test_a_timeline_of_a_story_is_in_order_and_in_words(name: str) -> None:
    for incident in played(name)[0]:
        moments = [each["at_ms"] for each in incident["timeline"]]
        assert moments == sorted(moments)
        assert all(each["text"] and each["actor"] for each in incident["timeline"])


# -- checkout

CHECKOUT: Final = "component:default/checkout"
DATABASE: Final = "resource:default/payments-db"


def checkout() -> dict[str, Any]:
    return the_incident("checkout", CHECKOUT)


def test_checkout_is_one_incident() -> None:
    assert [each["id"] for each in played("checkout")[0]] == [checkout()["id"]]


def test_checkout_gathers_all_seven_symptoms_of_three_sources() -> None:
    topics = {topic for topic, *_ in checkout()["alerts"]}
    assert checkout()["episodes_total"] == len(checkout()["episodes"]) == 7
    assert topics == {"alerts.raw.alertmanager", "alerts.raw.cloudwatch", "alerts.raw.uptimerobot"}


def test_checkout_is_p1_within_thirty_seconds_of_the_first_symptom() -> None:
    incident = checkout()
    assert incident["priority"] == "P1"
    assert entries(incident, "priority")[0]["at_ms"] - incident["opened_at_ms"] <= 30_000
    assert incident["logged_at_ms"] - incident["opened_at_ms"] <= 30_000


def test_checkout_suspects_the_database_first_within_thirty_seconds() -> None:
    incident = checkout()
    assert incident["suspects"][0]["ref"] == incident["identified"] == DATABASE
    told = [each for each in entries(incident, "identify") if each["facts"]["ref"] == DATABASE]
    assert told[0]["at_ms"] - incident["opened_at_ms"] <= 30_000


def test_checkout_pages_the_on_call_of_the_owning_services_once_each_with_the_runbook() -> None:
    incident = checkout()
    assert pages(incident) == [("noor.haddad", "checkout"), ("amara.okafor", "payments-api")]
    assert all(page["runbook"].startswith("https://runbooks.") for page in incident["escalation"]["paged"])
    assert incident["runbook"].endswith("/payments-db/connections-exhausted")


def test_checkout_is_told_on_the_status_page_when_open_identified_and_resolved() -> None:
    assert states_told(checkout()) == ["investigating", "identified", "mitigated", "resolved"]


def test_checkout_is_resolved_after_about_eight_minutes() -> None:
    incident = checkout()
    assert 7.5 <= (incident["resolved_at_ms"] - incident["opened_at_ms"]) / 60_000 <= 8.5


def test_checkout_is_mitigated_first_and_its_lasting_repair_is_followed_up_until_it_is_done() -> None:
    incident, problem = checkout(), the_problem("checkout")
    assert incident["mitigated_at_ms"] < incident["resolved_at_ms"]
    (owed,) = incident["corrective_actions"]
    assert (owed["owner"], owed["due_date"], owed["state"]) == ("payments", "2026-03-20", "done")
    assert [(each["text"], each["state"]) for each in problem["actions"]] == [(owed["text"], "done")]


def test_checkout_is_documented_and_closed_by_the_one_who_had_it() -> None:
    incident = checkout()
    (closed,) = entries(incident, "close")
    assert (incident["state"], closed["actor"], incident["resolution"]["code"]) == (
        "closed",
        "amara.okafor",
        "configuration",
    )


def test_checkout_makes_a_problem_candidate_with_its_cause() -> None:
    problem = the_problem("checkout")
    assert (problem["state"], problem["reason"], problem["cause_ref"]) == ("candidate", "review_owed", DATABASE)
    assert problem["cause"].startswith("the new report job opens a connection")
    assert [each["incident_id"] for each in problem["occurrences"]] == [checkout()["id"]]


def test_checkout_tells_each_audience_what_is_meant_for_it() -> None:
    told = {each["audience"]: each["text"] for each in checkout()["communications"]}
    assert set(told) == {"public", "executives", "responders"}
    assert "EUR" in told["executives"]
    assert "EUR" not in told["public"]
    assert "Payments database" in told["responders"]
    assert "database" not in told["public"]


def test_checkout_owes_a_problem_review_on_the_next_business_day() -> None:
    assert checkout()["problem_review"]["due_date"] == "2026-03-11"


def test_checkout_met_both_of_its_clocks() -> None:
    clocks = checkout()["clocks"]
    assert [clocks[name]["breached_at_ms"] for name in ("response", "resolution")] == [None, None]
    assert all(clocks[name]["met_at_ms"] for name in ("response", "resolution"))


def test_the_flapping_disk_joins_nothing() -> None:
    noise = [each for each in played("checkout")[1] if each.reason == Reason.FLAPPING]
    assert noise
    assert all(each.disposition == Disposition.SUPPRESSED and each.incident_id is None for each in noise)
    assert not any("log-archive" in each for each in checkout()["symptoms"])


def test_the_alert_in_maintenance_joins_nothing() -> None:
    noise = [each for each in played("checkout")[1] if each.reason == Reason.MAINTENANCE]
    assert len(noise) == 5
    assert all(each.disposition == Disposition.SUPPRESSED and each.incident_id is None for each in noise)


# -- email

MAIL: Final = "component:default/corporate-mail"


def mail() -> dict[str, Any]:
    return the_incident("email", MAIL)


def test_email_is_one_cluster_of_every_report_and_the_queue_alert() -> None:
    incident = mail()
    assert len(incident["tickets"]) == 13
    assert incident["episodes_total"] == 14
    assert "Mail queue length on mail-relay-1 is above 10,000" in [each["summary"] for each in _joined(incident)]


def _joined(incident: dict[str, Any]) -> list[dict[str, str]]:
    return [{"summary": each["text"].partition("): ")[2]} for each in entries(incident, "join")]


def test_email_tickets_in_other_words_do_not_join() -> None:
    others = [each for each in played("email")[0] if each["kind"] == "incident" and each["service"] != MAIL]
    assert len(others) == 4
    assert all(each["bridge_id"] is None and each["episodes_total"] == 1 for each in others)


def test_the_printer_ticket_is_a_p4_of_its_own() -> None:
    incident = the_incident("email", "component:default/print-service")
    assert (incident["priority"], incident["episodes_total"]) == ("P4", 1)


def test_email_crosses_the_threshold_of_users_and_opens_one_bridge() -> None:
    bridge = the_bridge("email")
    assert (bridge["members"], mail()["bridge_id"]) == ([mail()["id"]], bridge["id"])
    assert bridge["priority_because"] == ["about 500 users affected, threshold 500"]


def test_email_engages_the_messaging_team() -> None:
    assert mail()["escalation"]["paged"][0]["rotation"] == "messaging"


def test_email_names_the_overnight_change_as_suspect() -> None:
    suspect = mail()["suspects"][0]
    assert (suspect["ref"], suspect["change_id"]) == ("component:default/mail-routing", "CHG-2207")
    assert any("CHG-2207" in each for each in suspect["because"])


def test_resolving_the_email_bridge_resolves_the_incident_and_updates_every_ticket() -> None:
    incident, bridge = mail(), the_bridge("email")
    assert incident["resolved_at_ms"] == bridge["resolved_at_ms"]
    assert {each["state"] for each in incident["tickets"]} == {"resolved"}
    assert len(entries(incident, "ticket")) == 13
    assert bridge["resolution"]["code"] == incident["resolution"]["code"] == "change_reverted"


def test_the_email_bridge_alone_speaks_on_the_status_page() -> None:
    assert states_told(the_bridge("email")) == ["investigating", "identified", "resolved"]
    assert states_told(mail()) == []


def test_the_vendors_ticket_and_the_providers_case_hang_on_one_record_with_their_states() -> None:
    linked = [(each["kind"], each["id"], each["state"]) for each in mail()["links"] if each["kind"] != "problem"]
    assert linked == [("vendor_ticket", "MX-88213", "answered"), ("support_case", "CASE-5530187", "resolved")]


def test_email_waits_for_the_vendor_and_the_provider_at_once_and_goes_on_when_both_have_answered() -> None:
    moves = [each["changed"]["state"] for each in mail()["timeline"] if "state" in (each["changed"] or {})]
    assert [after for _, after in moves] == [
        "logged",
        "acknowledged",
        "in_progress",
        "waiting_vendor",
        "waiting_provider",
        "waiting_vendor",
        "in_progress",
        "resolved",
        "closed",
    ]


def test_the_email_bridge_has_one_commander_who_closes_the_whole_cluster() -> None:
    bridge, incident = the_bridge("email"), mail()
    assert bridge["commander"] == "petra.novak"
    assert (bridge["state"], incident["state"]) == ("closed", "closed")
    assert bridge["closed_at_ms"] == incident["closed_at_ms"]


def test_email_makes_a_problem_candidate_out_of_the_change() -> None:
    problem = the_problem("email")
    assert (problem["reason"], problem["changes"]) == ("major_incident", {"CHG-2207": 1})
    assert problem["actions"][0]["text"].startswith("routing rules are tested")


# -- hospital

RECORDS: Final = "component:default/electronic-health-records"


def hospital() -> dict[str, Any]:
    return the_incident("hospital", RECORDS)


def test_hospital_is_p1_by_patient_care_though_the_monitor_only_warns() -> None:
    incident = hospital()
    assert (incident["priority"], incident["severity"]) == ("P1", "warning")
    assert "patient care depends on it" in incident["priority_because"][0]


def test_hospital_gathers_the_certificate_and_the_failing_logins() -> None:
    assert len(hospital()["tickets"]) == 4
    assert "the certificate of sso.st-gabriel.example has expired" in hospital()["symptoms"]
    assert hospital()["suspects"][0]["ref"] == "component:default/identity-provider"


def test_hospital_is_escalated_from_records_to_identity_to_infrastructure() -> None:
    rotations = [each["rotation"] for each in hospital()["escalation"]["paged"]]
    assert rotations[:3] == ["clinical-applications", "identity", "hospital-infrastructure"]


def test_hospital_escalation_stops_with_the_acknowledgement_and_pages_nobody_twice() -> None:
    incident = hospital()
    people = [each["person"] for each in incident["escalation"]["paged"]]
    assert len(people) == len(set(people))
    assert all(each["at_ms"] <= incident["acknowledged_at_ms"] for each in incident["escalation"]["paged"])
    assert incident["escalation"]["next_at_ms"] is None


def test_hospital_has_its_corrective_action_on_the_record_at_closure() -> None:
    incident = hospital()
    assert incident["state"] == "closed"
    assert incident["resolution"]["corrective_action"].startswith("renewal account monitored")
    assert entries(incident, "corrective_action")


def test_hospital_opens_a_bridge_by_regulation() -> None:
    assert the_bridge("hospital")["priority_because"] == ["regulated: patient-safety"]


def test_hospital_missed_its_response_target_and_the_record_says_why_and_by_how_much() -> None:
    (breach,) = entries(hospital(), "sla_breached")
    (late,) = entries(hospital(), "sla_late")
    assert "nobody acknowledged" in breach["text"]
    assert late["text"] == "response target was met 6 min late"


def test_hospital_tells_the_wards_to_work_on_paper_and_the_bridge_alone_goes_on_telling_them() -> None:
    (wards, *_) = [each for each in hospital()["communications"] if each["audience"] == "affected_users"]
    assert "paper" in wards["text"]
    assert {each["at_ms"] for each in hospital()["communications"]} == {hospital()["logged_at_ms"]}
    told = [each["state"] for each in the_bridge("hospital")["communications"] if each["audience"] == "affected_users"]
    assert (told[0], told[-1]) == ("investigating", "resolved")


def test_hospital_makes_a_problem_candidate_that_keeps_its_action() -> None:
    problem = the_problem("hospital")
    assert (problem["reason"], problem["category"]) == ("major_incident", "certificate")
    assert [each["state"] for each in problem["actions"]] == ["open"]


@pytest.mark.parametrize("name", sorted(STORIES))
def test_every_record_of_a_story_is_sealed_from_its_first_action_to_its_last(name: str) -> None:
    by_incident: dict[str, list[dict[str, Any]]] = {}
    for event in played(name)[2].outcome.events:
        body = orjson.loads(event.value or b"")
        by_incident.setdefault(body["incident_id"], []).append(body)
    for events in by_incident.values():
        names = ("incident_id", "revision", "change", "at_ms", "entries")
        sealed = [
            Sealed(each["revision"], content_of(*(each[name] for name in names)).decode(), each["incident"]["chain"])
            for each in events
        ]
        assert first_break(sealed, events[-1]["incident"]["chain"]) is None


def test_hospital_owes_a_problem_review_on_the_next_business_day() -> None:
    assert hospital()["problem_review"]["due_date"] == "2026-03-11"
    assert datetime.fromisoformat("2026-03-11").weekday() < 5
