"""The pages of problems: what comes back and why, what helps, what is owed; and what people ask of them."""

from __future__ import annotations

import pytest

from pipeline.models.command import Role
from pipeline.models.problem import ProblemCommandType
from tests.console.conftest import Client, somebody
from tests.console.reading import card, page, words
from tests.console.sent import Sent

MAIL = "PRB-FK4IPESNVN7U"


def test_problems_are_listed_with_what_helps_and_the_actions_that_are_open(in_the_evening: Client) -> None:
    html = page(in_the_evening(somebody()), "/problems")
    read = words(html)
    assert "3 candidate" in read
    assert f"Mail routing: mail flow {MAIL} candidate 1 650" in read
    assert "routing rules are tested with a probe mail before a maintenance ends" in card(html, "actions")


def test_a_problem_tells_its_cause_its_incidents_its_changes_and_all_that_was_done(in_the_evening: Client) -> None:
    html = page(in_the_evening(somebody()), f"/problems/{MAIL}")
    known = card(html, "known")
    assert "Root cause maintenance CHG-2207 left a rule that sent internal mail through the quarantine relay" in known
    assert "CHG-2207 is suspected by 1 of its incidents" in known
    assert "INC-XZHN5S2OFQ4Y" in card(html, "incidents")
    assert "problem candidate: INC-XZHN5S2OFQ4Y was part of Major Incident" in card(html, "deeds")


def test_problems_of_other_domains_are_not_there(in_the_evening: Client) -> None:
    console = in_the_evening(somebody(Role.VIEWER, "retail"))
    assert MAIL not in page(console, "/problems")
    assert console.get(f"/problems/{MAIL}").status_code == 404
    assert console.get("/problems/%00").status_code == 404


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("accept", {}),
        ("set_workaround", {"text": "send it through relay 2"}),
        ("add_action", {"text": "probe", "assignee": "messaging", "due": "2026-04-01"}),
        ("complete_action", {"action_id": "INC-XZHN5S2OFQ4Y/1"}),
        ("assign", {"assignee": "lukas.brandt"}),
    ],
)
def test_what_somebody_asks_of_a_problem_becomes_a_command(
    in_the_evening: Client, sent: Sent, kind: str, fields: dict[str, str]
) -> None:
    console = in_the_evening(somebody(Role.RESPONDER, "workplace"))
    answer = console.post(f"/problems/{MAIL}/do/{kind}", data=fields)
    ((command, topic, key),) = sent.commands
    assert (answer.status_code, answer.headers["location"]) == (303, f"/problems/{MAIL}?asked={command.command_id}")
    assert "asked, waiting for the pipeline" in page(console, answer.headers["location"])
    assert (topic, key, command.type) == ("problem.commands", MAIL, ProblemCommandType(kind))
    asked = command.model_dump(mode="json")
    assert {name: asked[name] for name in fields} == fields
    assert (asked["actor"], asked["role"]) == ("noor.haddad", "responder")


def test_the_script_is_told_what_to_follow(in_the_evening: Client, sent: Sent) -> None:
    console = in_the_evening(somebody(Role.RESPONDER, "workplace"))
    answer = console.post(f"/problems/{MAIL}/do/accept", headers={"Accept": "application/json"})
    ((command, _, _),) = sent.commands
    assert answer.status_code == 202
    assert answer.json()["asked"][0]["command_id"] == command.command_id
    assert answer.json()["asked"][0]["words"] == f"Accept {MAIL}"


@pytest.mark.parametrize(("role", "status"), [(Role.VIEWER, 403), (Role.RESPONDER, 303), (Role.COMMANDER, 303)])
def test_a_viewer_is_offered_nothing_and_may_nothing(
    in_the_evening: Client, sent: Sent, role: Role, status: int
) -> None:
    console = in_the_evening(somebody(role))
    assert ("/do/accept" in page(console, f"/problems/{MAIL}")) == (status == 303)
    assert console.post(f"/problems/{MAIL}/do/accept").status_code == status
    assert len(sent.commands) == (status == 303)


def test_what_is_no_command_or_forged_is_refused(in_the_evening: Client, sent: Sent) -> None:
    console = in_the_evening(somebody(Role.RESPONDER))
    assert console.post(f"/problems/{MAIL}/do/explode").status_code == 422
    assert console.post(f"/problems/{MAIL}/do/accept", data={"actor": "somebody.else"}).status_code == 422
    assert console.post(f"/problems/{MAIL}/do/note", data={"text": "x" * 5_000}).status_code == 422
    assert sent.commands == []


def test_a_cursor_that_is_none_is_refused(in_the_evening: Client) -> None:
    assert in_the_evening(somebody()).get("/problems?after=nonsense").status_code == 422
