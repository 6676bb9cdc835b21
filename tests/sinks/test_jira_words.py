"""Jira in words: the rules of its mapping, documents, and what comes back."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.models.remote import SinkUpdate
from pipeline.models.sinks.jira import Jira
from pipeline.sinks.jira_updates import read
from pipeline.sinks.jira_words import document, text_of
from tests.sinks.desk import HOSTILE, INCIDENT, OTHER
from tests.sinks.receivers import NOW
from tests.sinks.shapes import faults

KIM = {"accountId": "account-kim", "displayName": "Kim Lee", "accountType": "atlassian"}
US = {"accountId": "account-spillway", "displayName": "Spillway", "accountType": "atlassian"}


def rules(**fields: Any) -> Jira:
    given_: dict[str, Any] = {"name": "jira", "url": "https://x.atlassian.net", "secret_env": "JIRA", "project": "OPS"}
    return Jira(**(given_ | {"user": "us@example.com", "account_id": "account-spillway"} | fields))


def issue(**fields: Any) -> dict[str, Any]:
    return {
        "id": "10001",
        "key": "OPS-1",
        "self": "https://x.atlassian.net/rest/api/2/issue/10001",
        "fields": {
            "summary": "Checkout fails",
            "labels": ["spillway", f"inc-{INCIDENT}"],
            "status": {"name": "Work in progress", "statusCategory": {"key": "indeterminate"}},
            "priority": {"name": "High"},
            "assignee": None,
            "resolution": None,
            "updated": "2026-03-04T02:20:00.000+0000",
            **fields,
        },
    }


def webhook(event: str = "jira:issue_updated", user: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    sent = {"timestamp": 1_772_590_800_000, "webhookEvent": event, "issue": issue()}
    return sent | ({"user": user or KIM} if event.startswith("jira:") else {}) | more


def updates(message: Any, headers: dict[str, str] | None = None, **fields: Any) -> list[SinkUpdate]:
    return read(orjson.dumps(message), headers or {}, rules(**fields), NOW)


def only(message: Any, **fields: Any) -> SinkUpdate:
    (update,) = updates(message, **fields)
    return update


@pytest.mark.parametrize(
    ("ours", "back"),
    [
        ("open", "open"),
        ("acknowledged", "in_progress"),
        ("in_progress", "in_progress"),
        ("waiting", "in_progress"),
        ("mitigated", "in_progress"),
        ("resolved", "resolved"),
        ("closed", "resolved"),
    ],
)
def test_a_state_is_read_back_by_the_category_of_its_status(ours: str, back: str) -> None:
    assert rules().canonical("state", ours) == back


def test_a_state_whose_status_is_named_is_read_back_as_itself() -> None:
    named = rules(statuses={"waiting": "Pending", "closed": "Closed"})
    assert [named.canonical("state", each) for each in ("waiting", "closed", "resolved")] == [
        "waiting", "closed", "resolved",
    ]  # fmt: skip


def test_two_states_of_one_status_are_read_back_as_the_first() -> None:
    named = rules(statuses={"acknowledged": "Doing", "in_progress": "Doing"})
    assert named.canonical("state", "in_progress") == "acknowledged"


@pytest.mark.parametrize("priority", ["P1", "P2", "P3", "P4"])
def test_a_priority_comes_back_as_itself(priority: str) -> None:
    assert rules().canonical("priority", priority) == priority


def test_a_priority_that_has_no_name_is_as_the_last_one_and_a_project_may_have_none() -> None:
    assert rules().canonical("priority", "SEV9") == "P4"
    assert rules(priority_names={}).canonical("priority", "SEV9") == "SEV9"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"project": 'OPS" OR project = "X'}, "should match pattern"),
        ({"statuses": {"gone": "Deleted"}}, "gone is no status"),
        ({"statuses": {"open": "Done", "closed": "done"}}, "cannot be of two categories"),
        ({"fields": {"labels": "x"}}, "labels cannot be set by a template"),
        ({"team_field": "team"}, "should match pattern"),
        ({"user": "a:b"}, "should match pattern"),
    ],
)
def test_a_wrong_mapping_is_found_when_the_configuration_is_loaded(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        rules(**fields)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=300))
def test_any_text_becomes_a_document_that_the_vendor_takes(text: str) -> None:
    assert faults("jira", "document", document(text)) == []


def test_a_document_says_what_the_text_says() -> None:
    text = "first line\nsecond line\n\nanother paragraph @everyone *bold* {color:red}x{color}"
    assert text_of(document(text)) == text.replace("\n\n", "\n")


def test_a_person_s_change_is_told_with_author_time_and_values() -> None:
    message = webhook(issue=issue(assignee={"accountId": "account-amara", "displayName": "Amara"}))
    update = only(message, people={"account-kim": "kim"})
    assert (update.kind, update.incident_id, update.author, update.own, update.person) == (
        "changed", INCIDENT, "kim", False, True,
    )  # fmt: skip
    assert update.at.isoformat() == "2026-03-04T02:20:00+00:00"
    assert update.fields.model_dump() == {
        "state": "in_progress", "priority": "P2", "assignee": "Amara", "title": "Checkout fails",
    }  # fmt: skip
    assert (update.remote_id, update.remote_key) == ("10001", "OPS-1")
    assert update.remote_url == "https://x.atlassian.net/browse/OPS-1"


def test_a_delivery_is_known_by_its_header_and_without_it_by_what_it_is() -> None:
    (named,) = updates(webhook(), {"x-atlassian-webhook-identifier": "d-1"})
    assert named.update_id == "d-1"
    assert only(webhook()).update_id == only(webhook()).update_id == "10001/jira:issue_updated/1772590800000"


@pytest.mark.parametrize("account", [US, {"emailAddress": "us@example.com"}, {"accountId": "account-too"}])
def test_changes_of_our_own_accounts_are_told_apart(account: dict[str, str]) -> None:
    assert only(webhook(user=account), own_users=("account-too",)).own


def test_an_app_is_no_person() -> None:
    assert not only(webhook(user={"accountId": "x", "accountType": "app"})).person


def test_a_comment_of_a_person_is_a_note_and_ours_is_not() -> None:
    comment = {"id": "7", "author": KIM, "body": "the disk is full", "jsdPublic": False}
    update = only(webhook("comment_created", comment=comment))
    assert [(each.id, each.text, each.public, each.author) for each in update.notes] == [
        ("7", "the disk is full", False, "Kim Lee")
    ]
    assert update.fields.state is None
    tree = document("seen by the customer")
    assert only(webhook("comment_created", comment=comment | {"body": tree, "jsdPublic": True})).notes[0].public
    assert only(webhook("comment_created", comment=comment | {"author": US})).notes == ()
    for ours in (f"logged\n[Spillway {INCIDENT}/1]", f"logged\\\\ \\[Spillway INC\\-{INCIDENT[4:]}/1\\]"):
        assert only(webhook("comment_created", comment=comment | {"body": ours}), account_id="").notes == ()


def test_whom_it_waits_for_is_read_from_the_status() -> None:
    status = {"name": "Waiting for customer", "statusCategory": {"key": "indeterminate"}}
    update = only(webhook(issue=issue(status=status)))
    assert (update.fields.state, update.waiting_for) == ("waiting", "customer")


def test_how_it_was_resolved_comes_back_as_a_code_of_ours() -> None:
    done = {"name": "Completed", "statusCategory": {"key": "done"}}
    update = only(webhook(issue=issue(status=done, resolution={"name": "Cannot Reproduce"})))
    assert (update.fields.state, update.resolution_code) == ("resolved", "cannot_reproduce")
    assert only(webhook(issue=issue(status=done, resolution={"name": "Of our own"}))).resolution_code == "Of our own"
    assert only(webhook(issue=issue(resolution={"name": "Done"}))).resolution_code is None


def test_problems_cases_and_tickets_elsewhere_are_found() -> None:
    other = {"key": "PRB-9", "fields": {"status": {"name": "Under investigation"}}}
    links = [{"id": "1", "type": {"name": "Problem/Incident"}, "inwardIssue": other}, {"type": {"name": "Blocks"}}]
    message = webhook(issue=issue(issuelinks=links, customfield_5="NET-5512", customfield_6={"value": "C-1"}))
    found = only(message, link_fields={"customfield_5": "vendor_ticket", "customfield_6": "support_case"}).links
    assert [(each.kind, each.id, each.state) for each in found] == [
        ("problem", "PRB-9", "Under investigation"),
        ("vendor_ticket", "NET-5512", None),
        ("support_case", "C-1", None),
    ]


def test_a_deleted_issue_is_gone() -> None:
    update = only(webhook("jira:issue_deleted"))
    assert (update.kind, update.fields.state, update.author) == ("gone", "gone", "Kim Lee")


@pytest.mark.parametrize(
    "labels", [[], ["inc-"], ["inc-ABC-1"], [f"inc-{INCIDENT}", f"inc-{OTHER}"], ["x" * 300], [{"a": 1}], None, "inc"]
)
def test_issues_that_are_not_ours_are_passed_over(labels: Any) -> None:
    assert updates(webhook(issue=issue(labels=labels))) == []


def test_events_about_anything_else_are_passed_over() -> None:
    assert updates(webhook("worklog_created")) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]", b"{}", b'{"webhookEvent": "jira:issue_updated"}', b'{"issue": {}}', b"\xff", b"[" * 5_000],
)
def test_what_is_no_webhook_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z"):
        read(body, {}, rules(), NOW)


@pytest.mark.parametrize("value", [HOSTILE * 200, 5, True, [], {}, {"name": 5}, None, [[1]], {"name": {"name": []}}])
def test_hostile_values_become_values_and_no_more(value: Any) -> None:
    for name in ("summary", "status", "priority", "assignee", "resolution", "updated", "issuelinks", "customfield_5"):
        assert len(updates(webhook(issue=issue(**{name: value})), link_fields={"customfield_5": "ticket"})) == 1, name
    for name in ("user", "timestamp", "changelog", "comment"):
        assert len(updates(webhook(**{name: value}))) == 1, name
    comment = {"id": value, "author": value, "body": value, "jsdPublic": value}
    assert len(updates(webhook("comment_created", comment=comment))) == 1
