"""ServiceNow in words: the rules of its mapping, its encoded queries as the server reads them, and what comes back."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from pipeline.models.remote import RemoteState, SinkUpdate
from pipeline.models.sinks.servicenow import Grade, ServiceNow
from pipeline.sinks.servicenow_updates import read
from tests.sinks.desk import HOSTILE, INCIDENT, OTHER
from tests.sinks.receivers import NOW

SYS_ID = f"{1:032x}"


def rules(**fields: Any) -> ServiceNow:
    given: dict[str, Any] = {"name": "snow", "url": "https://x.service-now.example", "secret_env": "SNOW", "user": "us"}
    return ServiceNow(**(given | fields))


def message(**fields: str) -> dict[str, str]:
    return {
        "sys_id": SYS_ID,
        "number": "INC0000001",
        "operation": "update",
        "state": "2",
        "priority": "2",
        "short_description": "Checkout fails",
        "correlation_id": INCIDENT,
        "correlation_display": "Spillway",
        "sys_updated_on": "2026-03-04 02:20:00",
        "sys_updated_by": "kim.lee",
        "sys_mod_count": "7",
        "assigned_to": "",
        **fields,
    }


def updates(document: Any, **fields: Any) -> list[SinkUpdate]:
    return read(orjson.dumps(document), {}, rules(**fields), NOW)


def only(document: Any, **fields: Any) -> SinkUpdate:
    (update,) = updates(document, **fields)
    return update


@pytest.mark.parametrize(
    ("ours", "back"),
    [
        ("open", "open"),
        ("acknowledged", "in_progress"),
        ("in_progress", "in_progress"),
        ("waiting", "waiting"),
        ("mitigated", "in_progress"),
        ("resolved", "resolved"),
        ("closed", "closed"),
    ],
)
def test_a_state_is_read_back_as_what_it_became_there(ours: str, back: str) -> None:
    assert rules().canonical("state", ours) == back


def test_a_state_of_an_instance_s_own_is_read_back_as_ours() -> None:
    own = rules(states=dict(rules().states) | {"acknowledged": "9"})
    assert own.canonical("state", "acknowledged") == "acknowledged"
    assert own.read_state("55") == RemoteState.IN_PROGRESS


@pytest.mark.parametrize("priority", ["P1", "P2", "P3", "P4"])
def test_a_priority_comes_back_as_itself_by_the_default_grades(priority: str) -> None:
    assert rules().canonical("priority", priority) == priority


def test_a_priority_that_has_no_grade_is_as_the_last_one() -> None:
    assert rules().canonical("priority", "SEV9") == "P4"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"auth": "oauth"}, "client_id"),
        ({"states": {"open": "1"}}, "states lacks acknowledged"),
        ({"read_priorities": {"1": "P1"}}, "P2 is impact 1, urgency 2, priority 2 there"),
        ({"matrix": {"1-1": "1"}}, "P2 is impact 1"),
        ({"grades": {"P1": {"impact": 0, "urgency": 1}}}, "greater than or equal to 1"),
        ({"fields": {"priority": "1"}}, "priority cannot be set by a template"),
        ({"table": "incident?x=1"}, "should match pattern"),
        ({"user": "a:b"}, "should match pattern"),
        ({"configuration_items": {"component:default/a": "checkout"}}, "must be a sys_id"),
    ],
)
def test_a_wrong_mapping_is_found_when_the_configuration_is_loaded(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        rules(**fields)


def test_grades_of_an_instance_with_a_matrix_of_its_own_are_taken() -> None:
    grades = {"SEV1": Grade(impact=1, urgency=1), "SEV2": Grade(impact=3, urgency=3)}
    own = rules(grades=grades, read_priorities={"1": "SEV1", "5": "SEV2"})
    assert [own.canonical("priority", each) for each in ("SEV1", "SEV2")] == ["SEV1", "SEV2"]


def test_a_person_s_change_is_told_with_author_time_and_values() -> None:
    update = only(message(assigned_to=f"{7:032x}"), people={f"{7:032x}": "amara", "kim.lee": "kim"})
    assert (update.kind, update.incident_id, update.author, update.own, update.person) == (
        "changed", INCIDENT, "kim", False, True,
    )  # fmt: skip
    assert update.update_id == f"{SYS_ID}/7"
    assert update.at.isoformat() == "2026-03-04T02:20:00+00:00"
    assert update.fields.model_dump() == {
        "state": "in_progress", "priority": "P2", "assignee": "amara", "title": "Checkout fails",
    }  # fmt: skip
    assert update.remote_key == "INC0000001"


@pytest.mark.parametrize("author", ["us", "us.too"])
def test_changes_of_our_own_accounts_are_told_apart(author: str) -> None:
    assert only(message(sys_updated_by=author), own_users=("us.too",)).own


def test_a_business_rule_there_is_no_person() -> None:
    assert not only(message(sys_updated_by="system")).person


def test_new_entries_of_journals_are_notes_and_ours_are_not() -> None:
    heading = "2026-03-04 02:20:00 - Kim Lee (Work notes)\n"
    update = only(message(work_notes=f"{heading}the disk is full\n\n", comments="We are on it."))
    assert [(each.text, each.public) for each in update.notes] == [("the disk is full", False), ("We are on it.", True)]
    ours = f"{heading}logged as P1\n[Spillway {INCIDENT}/1]\n\n"
    assert only(message(work_notes=ours)).notes == ()
    quoted = f"{heading}> logged as P1\n> [Spillway {INCIDENT}/1]\nI disagree."
    assert len(only(message(work_notes=quoted)).notes) == 1


def test_how_it_was_resolved_comes_back_as_a_code_of_ours() -> None:
    update = only(message(state="6", close_code="Workaround provided", close_notes="Failed over."))
    assert (update.fields.state, update.resolution_code, update.resolution) == (
        "resolved", "workaround", "Failed over.",
    )  # fmt: skip
    assert only(message(state="6", close_code="Of our own")).resolution_code == "Of our own"
    assert only(message(state="8")).resolution_code == "false_alarm"
    assert only(message(state="2", close_code="Duplicate")).resolution_code is None


def test_what_was_closed_there_as_a_duplicate_of_another_of_ours_names_it() -> None:
    duplicate = {"state": "7", "close_code": "Duplicate", "parent_incident.correlation_id": OTHER}
    assert only(message(**duplicate)).duplicate_of == OTHER
    assert only(message(**duplicate | {"parent_incident.correlation_id": "ABC-1"})).duplicate_of is None
    assert only(message(**duplicate | {"parent_incident.correlation_id": INCIDENT})).duplicate_of is None
    assert only(message(**duplicate | {"close_code": "Solution provided"})).duplicate_of is None


def test_cases_and_tickets_elsewhere_are_found_in_the_fields_that_are_named() -> None:
    found = only(
        message(u_vendor_ticket="NET-5512", u_provider_case=" ", **{"problem_id.number": "PRB0040001"}),
        link_fields={"u_vendor_ticket": "vendor_ticket", "u_provider_case": "support_case"},
    ).links
    assert [(each.kind, each.id) for each in found] == [("problem", "PRB0040001"), ("vendor_ticket", "NET-5512")]


@pytest.mark.parametrize(
    "changed",
    [
        {"correlation_id": ""},
        {"correlation_id": "ABC-1"},
        {"correlation_display": "Another tool"},
        {"correlation_id": f"{INCIDENT}^ORactive=true" + "x" * 200},
    ],
)
def test_tickets_that_are_not_ours_are_passed_over(changed: dict[str, str]) -> None:
    assert updates(message(**changed)) == []


def test_a_deleted_record_is_gone() -> None:
    update = only(message(operation="delete", sys_updated_by="us"))
    assert (update.kind, update.fields.state, update.own) == ("gone", "gone", True)


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"null", b"{}", b'{"sys_id": 5}', b"\xff", b"[" * 5_000])
def test_what_is_no_message_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
        read(body, {}, rules(), NOW)


def test_hostile_values_become_values_and_no_more() -> None:
    long = HOSTILE * 200
    names = [name for name in message() if name not in {"correlation_id", "correlation_display", "sys_id"}]
    for name in [*names, "work_notes", "close_notes", "close_code", "problem_id.number"]:
        assert len(updates(message(**{name: long}))) == 1, name
    assert updates(message() | {"state": ["6"], "priority": {"a": 1}, "number": None})[0].fields.state is None
