"""``spillway incident show``: an incident's records in other systems, with their states side by side."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from pipeline.cli.incident_view import elsewhere, show_incident
from tests.cli.books import entry

LINKS: list[dict[str, Any]] = [
    {"kind": "ticket", "id": "INC0041877", "state": "in_progress", "url": "https://desk.example/1"},
    {"kind": "support_case", "id": "9014", "state": "answered", "url": None},
    {"kind": "vendor_ticket", "id": "NET-5512"},
    {"kind": "page", "id": "Q1", "state": "acknowledged"},
]
INCIDENT: dict[str, Any] = {"id": "INC-1", "state": "in_progress", "title": "Checkout fails", "links": LINKS}


def test_case_vendor_ticket_ticket_and_page_hang_on_one_record_with_their_states() -> None:
    rows = list(elsewhere(INCIDENT, []))
    assert [row[:3] for row in rows] == [
        ("ticket", "INC0041877", "in progress"),
        ("support case", "9014", "answered"),
        ("vendor ticket", "NET-5512", ""),
        ("page", "Q1", "acknowledged"),
    ]


def test_the_ledger_says_of_each_what_is_still_on_its_way_and_what_has_no_link() -> None:
    ledger = [
        entry(
            "INC-1",
            sink="paging",
            type="pagerduty",
            remote_key="Q1",
            remote_id="Q1",
            remote_state="resolved",
            waiting=2,
        ),
        entry("INC-1", sink="status", remote_key="", remote_id="s1", remote_state="open", parked=1, remote_url=""),
        entry("INC-1", sink="chat", remote_key="", remote_id="", remote_state="", waiting=1),
    ]
    rows = list(elsewhere(INCIDENT, ledger))
    assert [row[1:5] for row in rows[3:]] == [
        ("Q1", "resolved", "paging", "2 waiting"),
        ("s1", "open", "status", "1 parked"),
        ("-", "not made", "chat", "1 waiting"),
    ]


def test_two_sinks_whose_records_have_the_same_number_are_two_rows() -> None:
    ledger = [
        entry("INC-1", sink=name, type="pagerduty", remote_key="Q1", remote_id="Q1") for name in ("first", "second")
    ]
    assert [row[3] for row in elsewhere(INCIDENT, ledger) if row[1] == "Q1"] == ["first", "second"]


def test_records_that_are_called_by_the_incident_s_own_id_are_told_apart_by_what_they_are() -> None:
    page = {"kind": "status_page", "id": "INC-1", "state": "open"}
    ledger = [entry("INC-1", sink=each, type=each, remote_key="INC-1") for each in ("webhook", "status_webhook")]
    assert [row[:4] for row in elsewhere(INCIDENT | {"links": [page]}, ledger)] == [
        ("status page", "INC-1", "open", "status_webhook"),
        ("webhook", "INC-1", "open", "webhook"),
    ]


def test_what_was_open_when_its_incident_ended_is_not_called_open() -> None:
    closed = INCIDENT | {"state": "closed", "links": [*LINKS, {"kind": "ticket", "id": "7", "state": "resolved"}]}
    assert [row[2] for row in elsewhere(closed, [])] == [
        "was in progress", "was answered", "", "was acknowledged", "resolved",
    ]  # fmt: skip


def test_it_is_shown_between_the_facts_and_the_timeline() -> None:
    text = StringIO()
    show_incident(Console(file=text, width=200), INCIDENT, [])
    said = text.getvalue()
    assert "Deliveries" not in said  # nothing is known of them without the ledger
    assert said.index("Elsewhere") < said.index("https://desk.example/1") < said.index("Timeline")
    text = StringIO()
    show_incident(Console(file=text, width=200), INCIDENT | {"links": []}, [])
    assert "Elsewhere" not in text.getvalue()
