"""How what is told is worded at every sink: for who has been woken, without codes, and without what is known."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.practice.lifecycle import Step
from pipeline.models.command import CommandType
from pipeline.sinks import ticket_words, wording
from pipeline.sinks.told import IMPORTANT, Call, Told, told
from tests.sinks.bodies import OPENED_MS, entry, send, snapshot

CORE = Path(__file__).parents[2] / "pipeline" / "core"
CHECKOUT = {"ref": "component:default/checkout", "because": ["alerts itself: 12 % fail"]}
DATABASE = {"ref": "resource:default/payments-db", "because": ["alerts itself: 498 of 500", "is needed by Checkout"]}


def showing(*entries: dict[str, Any], **fields: Any) -> Told:
    return told(send(snapshot(**fields), entries=list(entries)).body)


def actions() -> set[str]:
    """Every action that the core can put on a timeline."""
    calls = [
        node.args[0]
        for path in CORE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "note"
        and node.args
    ]
    texts = {each.value for call in calls for each in ast.walk(call) if isinstance(each, ast.Constant)}
    asked = {str(each) for each in (*Step, *CommandType)}
    return (
        {each for each in texts if isinstance(each, str)} | set(map(str, Step)) | {f"refused_{each}" for each in asked}
    )


def test_what_is_told_elsewhere_is_what_the_core_can_say() -> None:
    assert IMPORTANT - actions() == set()


def test_names_and_no_references_and_no_codes() -> None:
    assert wording.name_of("component:default/checkout") == "checkout"
    assert wording.name_of(None) == ""
    assert wording.words_of("cleared_by_itself") == "cleared by itself"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "logged"}, "logged, nobody has it yet"),
        ({"state": "reopened"}, "reopened, nobody has it yet"),
        ({"state": "logged", "assignee": "kim"}, "logged"),
        ({"state": "in_progress"}, "in progress"),
        ({"state": "waiting_vendor"}, "waiting for the vendor"),
        ({"state": "merged", "merged_into": "INC-2"}, "merged into INC-2"),
        ({"state": "closed"}, "closed"),
    ],
)
def test_a_state_says_whether_somebody_is_needed(fields: dict[str, Any], words: str) -> None:
    assert wording.state_words(showing(**fields)) == words


def test_the_three_likeliest_suspects_are_told_with_why_and_the_failure_itself_explains_nothing() -> None:
    service = "component:default/checkout"
    assert wording.suspects({"service": service, "suspects": [CHECKOUT]}) == []
    found = wording.suspects({"service": service, "suspects": [DATABASE, CHECKOUT, DATABASE, CHECKOUT]})
    assert len(found) == wording.SUSPECTS_SHOWN
    assert found[0] == "payments-db: alerts itself: 498 of 500; is needed by Checkout"
    assert wording.suspects({"suspects": "cut off"}) == []


def test_what_the_record_says_itself_is_no_news_and_what_changes_later_is() -> None:
    first = [entry("log", "logged as P1: x"), entry("priority", "impact high: P1"), entry("page", "paged kim")]
    assert [each["action"] for each in wording.news(showing(*first), "important")] == ["page"]
    assert wording.news(showing(*first), "important", calls=False) == []
    assert len(wording.news(showing(*first), "all")) == len(first)
    assert wording.news(showing(*first), "none") == []
    later = showing(entry("priority", "impact low: P3"))
    assert [wording.entry_words(each) for each in wording.news(later, "important")] == ["priority: impact low: P3"]


def test_a_refusal_is_told_as_the_record_goes_back_then() -> None:
    refused = showing(entry("refused_resolve", "resolve changes nothing: it lacks a summary", "kim"))
    assert [wording.entry_words(each) for each in wording.news(refused, "important")] == [
        "kim: resolve changes nothing: it lacks a summary"
    ]


def test_another_record_of_ours_is_told_of_once_and_not_again_when_it_ends() -> None:
    records = ("chat 1772.01 (open)", "status_page 01F (open)", "ticket OPS-1 (open)", "ticket OPS-1 (in_progress)")
    links = [entry("link", f"linked {each}") for each in (*records, "ticket OPS-1 (resolved)")]
    assert [each["text"] for each in wording.news(showing(*links), "important")] == ["linked ticket OPS-1 (open)"]
    [of_a_person] = wording.news(showing(entry("link", "linked case 7 (resolved)", "kim")), "important")
    assert of_a_person["actor"] == "kim"


def test_a_case_that_is_waited_for_is_told_of_once_and_in_words() -> None:
    waits = entry("wait_for_vendor", "kim waits for the vendor, vendor_ticket MX-8: who can see why", "kim")
    case, other = (entry("link", f"linked vendor_ticket {each} (open)", "kim") for each in ("MX-8", "MX-9"))
    found = wording.news(showing(waits, case, other), "important")
    assert [wording.entry_words(each) for each in found] == [
        "kim waits for the vendor, vendor ticket MX-8: who can see why",
        "kim: linked vendor ticket MX-9 (open)",
    ]
    assert wording.entry_words(entry("note", "see vendor_ticket", "kim")) == "kim: see vendor_ticket"


def test_what_we_do_has_the_time_of_when_we_did_it_and_what_people_do_that_of_theirs() -> None:
    late = {"at_ms": OPENED_MS, "event_at_ms": OPENED_MS - 3_600_000}
    said = showing(entry("page", "paged kim") | late, entry("note", "it is the disk", "kim") | late)
    found = ticket_words.notes(said, "important", propose=False, public_audience="")
    assert found == ["02:11 UTC paged kim", "01:11 UTC kim: it is the disk"]


@pytest.mark.parametrize(
    ("actor", "text", "words"),
    [
        ("kim", "restarted", "kim: restarted"),
        ("kim", "closed by kim: documented", "closed by kim: documented"),
        ("spillway", "resolved by spillway: all alerts are clear", "resolved by spillway: all alerts are clear"),
        ("", "something", "something"),
    ],
)
def test_a_person_is_named_once(actor: str, text: str, words: str) -> None:
    assert wording.entry_words({"action": "note", "actor": actor, "text": text}) == words


def test_who_is_called_at_once_reads_for_what() -> None:
    assert (
        wording.because(Call("k", "kim", "opened", None, "component:default/checkout")) == "first in line for checkout"
    )
    assert wording.because(Call("k", "kim", "opened")) == "first in line"
    assert wording.because(Call("k", "kim", "not acknowledged after 6 minutes")) == "not acknowledged after 6 minutes"


def test_a_ticket_begins_with_what_whoever_opens_it_at_night_has_to_know() -> None:
    incident = snapshot(
        detected_at_ms=OPENED_MS, priority_because=["impact high", "urgency high"], symptoms=["12 % fail"],
        services=["component:default/checkout", "component:default/payments-api"], bridge_id="MI-1",
    ) | {"suspects": [DATABASE]}  # fmt: skip
    assert ticket_words.description(incident) == "\n".join(
        [
            "Affected: about 18,000 users of Checkout",
            "Since: 2026-03-04 02:11 UTC",
            "Priority: P1: impact high; urgency high",
            "Service: checkout",
            "Owner: storefront-sre",
            "Runbook: https://runbooks.northwind.example/checkout",
            "Part of the Major Incident: MI-1",
            "",
            "Symptoms:",
            "- 12 % fail",
            "",
            "Suspected:",
            "- payments-db: alerts itself: 498 of 500; is needed by Checkout",
            "",
            "Services:",
            "- checkout",
            "- payments-api",
            "",
            "Spillway incident INC-D5KZHUYBCD7C",
        ]
    )
