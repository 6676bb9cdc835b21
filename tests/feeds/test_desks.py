"""Service desks: whichever a ticket is in, it says who, what and where in one way, and its end is its desk's own."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from tests.feeds.payloads import document, only, read

DESKS = ("jira", "servicenow", "xurrent", "zendesk")
ON_EVERY_DESK = pytest.mark.parametrize("desk", DESKS)


def opened(desk: str) -> Alert:
    return only(desk, document(f"{desk}-ticket-firing"))


def done(desk: str) -> Alert:
    return only(desk, document(f"{desk}-ticket-resolved"))


def refusal(adapter: str, payload: object) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        read(adapter, payload)
    return caught.value


# -- one way in every desk


@ON_EVERY_DESK
def test_a_ticket_has_the_same_name_in_every_desk_and_people_can_look_it_up(desk: str) -> None:
    ticket = opened(desk)

    assert (ticket.kind, ticket.name) == (Kind.TICKET, "ticket")
    assert ticket.ticket
    assert ticket.labels["status"]
    assert ticket.labels["type"]


@ON_EVERY_DESK
def test_a_form_says_the_same_by_the_same_label(desk: str) -> None:
    shared = {
        "type", "status", "category", "service_instance", "component", "components", "project", "team", "channel",
        "tags",
    }  # fmt: skip

    assert set(opened(desk).labels) <= shared


@ON_EVERY_DESK
def test_who_reported_is_an_opaque_id_and_the_same_in_the_next_ticket(desk: str) -> None:
    ticket = opened(desk)

    assert ticket.reporter == opened(desk).reporter
    assert ticket.reporter is not None
    assert len(ticket.reporter) == 16
    for name in (b"Aylin", b"Zielinski", b"8447388090495", b"5f0000000000000000000001"):
        assert name not in orjson.dumps(ticket)


@ON_EVERY_DESK
def test_the_end_of_a_ticket_is_the_end_of_its_condition(desk: str) -> None:
    first, last = opened(desk), done(desk)

    assert (last.kind, last.alert_key, last.ticket) == (Kind.RESOLVED, first.alert_key, first.ticket)
    assert last.source_episode_id == first.source_episode_id


# -- Jira


def test_an_end_has_begun_when_the_ticket_was_opened() -> None:
    assert done("jira").event_at_ms == opened("jira").event_at_ms


def test_a_description_that_is_a_document_tree_is_read_as_its_text() -> None:
    payload = document("jira-ticket-firing")
    payload["issue"]["fields"]["description"] = {
        "type": "doc",
        "version": 1,
        "content": [
            {
                "type": "paragraph",
                "content": [{"type": "text", "text": "Nobody can "}, {"type": "text", "text": "pay"}],
            },
            {"type": "paragraph", "content": [{"type": "text", "text": "since 03:15"}]},
        ],
    }

    assert only("jira", payload).description == "Nobody can pay\nsince 03:15"


def test_a_document_tree_without_end_or_sense_is_no_reason_to_lose_a_ticket() -> None:
    payload = document("jira-ticket-firing")
    tree: dict[str, Any] = {"type": "text", "text": "deep"}
    for _ in range(5_000):
        tree = {"type": "bulletList", "content": [tree, 7, None]}
    payload["issue"]["fields"]["description"] = tree

    assert only("jira", payload).description == "deep"


def test_a_new_ticket_happens_when_it_was_created_and_a_changed_one_when_it_changed() -> None:
    payload = document("jira-ticket-firing")
    payload["timestamp"] += 90_000
    new = only("jira", payload).event_at_ms
    changed = only("jira", {**payload, "webhookEvent": "jira:issue_updated"}).event_at_ms

    assert (new, changed) == (1_772_591_005_118, 1_772_591_095_118)


def test_what_jira_calls_labels_are_tags_in_every_desk() -> None:
    payload = document("jira-ticket-firing")
    payload["issue"]["fields"]["labels"] = ["checkout", "depot", 7, ""]

    assert only("jira", payload).labels["tags"] == "checkout, depot"


def test_a_deleted_issue_is_over_whatever_its_status() -> None:
    payload = {**document("jira-ticket-firing"), "webhookEvent": "jira:issue_deleted"}

    assert only("jira", payload).kind == Kind.RESOLVED


def test_a_status_called_done_in_another_category_is_not_done() -> None:
    payload = document("jira-ticket-firing")
    payload["issue"]["fields"]["status"] = {"name": "Done", "statusCategory": {"key": "indeterminate"}}

    assert only("jira", payload).kind == Kind.TICKET


@pytest.mark.parametrize("desk", ["jira", "zendesk"])
def test_an_event_that_does_not_tell_the_status_reopens_nothing(desk: str) -> None:
    payload = document(f"{desk}-ticket-resolved")
    ticket = payload["issue"]["fields"] if desk == "jira" else payload["detail"]
    del ticket["status"]

    assert refusal(desk, payload).reason == Reason.MISSING_FIELD
    assert "status" in refusal(desk, payload).detail


# -- Xurrent


def test_a_callback_that_turns_a_webhook_on_is_kept_nowhere() -> None:
    alert = only("xurrent", document("xurrent-ticket-verify"))

    assert alert.kind == Kind.CONTROL
    assert b"code=example" not in orjson.dumps(alert)


def test_a_signed_body_says_that_the_gateway_opens_it() -> None:
    assert "the policy off the webhook" in refusal("xurrent", {"jwt": "eyJ"}).detail
    assert "gateway, which verifies and opens it" in refusal("xurrent", {"jwt": "eyJ"}).detail


def test_a_completed_request_is_done_even_where_the_webhook_has_no_status_field() -> None:
    payload = document("xurrent-ticket-resolved")
    del payload["payload"]["status"]

    assert only("xurrent", payload).kind == Kind.RESOLVED


# -- ServiceNow


@pytest.mark.parametrize(
    ("state", "kind"),
    [("1", "ticket"), ("2", "ticket"), ("3", "ticket"), ("6", "resolved"), ("7", "resolved"), ("8", "resolved")],
)
def test_servicenow_goes_by_the_number_of_the_state(state: str, kind: str) -> None:
    assert only("servicenow", {**document("servicenow-ticket-firing"), "state": state}).kind == kind


def test_a_state_of_your_own_is_open_unless_the_feed_says_otherwise() -> None:
    payload = {**document("servicenow-ticket-firing"), "state": "12"}

    assert only("servicenow", payload).kind == Kind.TICKET
    assert only("servicenow", payload).labels["status"] == "12"
    assert only("servicenow", payload, done_states=["7", "12"]).kind == Kind.RESOLVED


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("state", "Resolved"),
        ("opened_at", "04/03/2026 03:24:10"),
        ("opened_at", "2026-03-04T02:24:10Z"),
        ("sys_updated_on", "2026-02-31 02:24:10"),
    ],
)
def test_display_values_are_refused_with_what_to_send(field: str, value: str) -> None:
    bad = refusal("servicenow", {**document("servicenow-ticket-firing"), field: value})

    assert bad.reason == Reason.WRONG_TYPE
    assert f"$.{field}" in bad.detail
    assert "getValue" in bad.detail
    assert value not in bad.detail


def test_servicenow_times_are_utc_and_a_reopened_ticket_happens_after_its_end() -> None:
    ended = done("servicenow")
    reopened = only(
        "servicenow",
        {
            **document("servicenow-ticket-resolved"),
            "state": "2", "sys_mod_count": "7", "sys_updated_on": "2026-03-04 03:50:00",
        },
    )  # fmt: skip

    assert ended.ended_at_ms == 1_772_595_610_000
    assert (reopened.kind, reopened.event_at_ms) == (Kind.TICKET, 1_772_596_200_000)


def test_a_record_of_another_table_is_refused_until_the_feed_names_it() -> None:
    payload = {**document("servicenow-ticket-firing"), "sys_class_name": "change_request"}

    assert "option tables" in refusal("servicenow", payload).detail
    assert only("servicenow", payload, tables=["incident", "change_request"]).labels["type"] == "change_request"


def test_a_deleted_record_is_over() -> None:
    payload = {**document("servicenow-ticket-firing"), "operation": "delete"}

    assert only("servicenow", payload).kind == Kind.RESOLVED


def test_links_need_the_address_of_the_desk() -> None:
    servicenow = only("servicenow", document("servicenow-ticket-firing"), site="https://meridian.service-now.com/")
    zendesk = only("zendesk", document("zendesk-ticket-firing"), site="https://meridian.zendesk.com")

    assert servicenow.links == {
        "ticket": "https://meridian.service-now.com/nav_to.do?uri=incident.do?sys_id=9d385017c611228701d22104cc95c371"
    }
    assert zendesk.links == {"ticket": "https://meridian.zendesk.com/agent/tickets/88112"}
    assert opened("zendesk").links == {}


# -- Zendesk


@pytest.mark.parametrize(
    ("event", "status", "kind"),
    [
        ("created", "NEW", "ticket"),
        ("status_changed", "PENDING", "ticket"),
        ("status_changed", "HOLD", "ticket"),
        ("status_changed", "SOLVED", "resolved"),
        ("comment_added", "CLOSED", "resolved"),
        ("priority_changed", "OPEN", "ticket"),
        ("soft_deleted", "OPEN", "resolved"),
        ("marked_as_spam", "NEW", "resolved"),
        ("merged", "CLOSED", "merged"),
        ("an_event_of_next_year", "OPEN", "ticket"),
    ],
)
def test_zendesk_goes_by_status_unless_the_ticket_is_gone(event: str, status: str, kind: str) -> None:
    payload = {**document("zendesk-ticket-firing"), "type": f"zen:event-type:ticket.{event}"}
    payload["detail"]["status"] = status

    assert only("zendesk", payload).kind == kind


def test_a_ticket_that_is_opened_again_happens_when_the_event_did() -> None:
    payload = {**document("zendesk-ticket-resolved"), "time": "2026-03-04T04:30:00Z"}
    payload["detail"]["status"] = "OPEN"
    ended_at_ms, again = done("zendesk").ended_at_ms, only("zendesk", payload)

    assert again.kind == Kind.TICKET
    assert again.event_at_ms is not None
    assert ended_at_ms is not None
    assert again.event_at_ms > ended_at_ms


def test_a_ticket_without_a_priority_says_so() -> None:
    payload = document("zendesk-ticket-firing")
    payload["detail"]["priority"] = None
    alert = only("zendesk", payload)

    assert (alert.severity, alert.severity_default_reason) == (Severity.UNKNOWN, "detail.priority is absent")


def test_events_about_people_are_refused() -> None:
    payload = {**document("zendesk-ticket-firing"), "type": "zen:event-type:user.created"}

    assert "ticket events only" in refusal("zendesk", payload).detail
