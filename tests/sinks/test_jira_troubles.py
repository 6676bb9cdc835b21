"""The Jira sink where something goes wrong: lost answers, a late index, limits, what the project does not take."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from pipeline.models.delivery import DeliveryOutcome
from pipeline.sinks.told import Words
from tests.sinks.desk import HOSTILE, INCIDENT, OTHER, Desk, entry
from tests.sinks.jira_site import play
from tests.sinks.servers.base import page_of_a_proxy
from tests.sinks.servers.jira import JiraServer


@pytest.mark.parametrize("fault", ["after", "silent"])
@pytest.mark.parametrize("lags", [False, True])
def test_a_creation_whose_answer_was_lost_makes_no_second_issue_though_no_search_shows_it(
    fault: str, *, lags: bool
) -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        for number in range(3):
            await desk.delivered("opened", 1, id=f"INC-{chr(68 + number) * 12}")
        server.index_lags = lags
        server.next_faults = ["", fault]  # the search passes, the creation is done and its answer lost
        answer = await desk.tell("opened", 1, entries=[entry("escalate", "escalated to level 2")])
        assert (answer.outcome, answer.unknown) == (DeliveryOutcome.RETRY, True)
        remote = await desk.delivered("opened", 1, entries=[entry("escalate", "escalated to level 2")])
        assert (len(server.issues), remote.key) == (4, "OPS-4")
        assert len(server.comments_on(INCIDENT)) == 1

    play(story)


def test_what_may_still_be_under_way_is_looked_for_twice_before_it_is_made_again() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        server.next_faults = ["", "silent-before"]
        answers = [await desk.tell("opened", 1) for _ in range(3)]
        assert [each.outcome for each in answers] == ["retry", "retry", "delivered"]
        assert [each.unknown for each in answers] == [True, True, False]
        assert answers[1].retry_after_seconds == 7
        assert len(server.issues) == 1

    play(story, search_again_seconds=7)


def test_an_issue_far_behind_the_newest_that_the_index_knows_is_found() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1, id=OTHER)
        server.index_lags = True
        server.count = 130  # others have made many meanwhile
        for number in range(2, 131):
            server.issues[str(number)] = type(server.issue_of(OTHER))(str(number), f"OPS-{number}", {"labels": []})
        server.next_faults = ["", "after"]
        await desk.tell("opened", 1)
        assert (await desk.delivered("opened", 1)).key == "OPS-131"

    play(story)


@pytest.mark.parametrize("fault", ["after", "silent", "before"])
def test_a_comment_is_written_once_whatever_became_of_the_answer(fault: str) -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        messages = [Words(1, "affected_users", "portal", "resolved", "Checkout", "Solved.")]
        noted = [entry("note", "the disk is full", "kim")]
        for skipped in range(5):
            revision = 2 + skipped
            server.next_faults = [""] * skipped + [fault]
            given: dict[str, Any] = {"entries": noted, "messages": messages, "state": "acknowledged"}
            await desk.delivered("noted", revision, **given)
            server.next_faults = []
        assert len(server.comments_on(INCIDENT, public=False)) == 5
        assert len(server.comments_on(INCIDENT, public=True)) == 5

    play(story)


def test_a_failure_half_way_tells_what_was_made() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        server.next_faults = ["", "", "before"]  # found none, created, and the comment refused
        answer = await desk.tell("opened", 1, entries=[entry("escalate", "escalated to level 2")])
        assert answer.outcome == DeliveryOutcome.RETRY
        assert answer.remote is not None
        assert answer.remote.key == "OPS-1"
        await desk.delivered("opened", 1, entries=[entry("escalate", "escalated to level 2")])
        assert len(server.comments_on(INCIDENT)) == len(server.issues) == 1

    play(story)


def test_an_incident_that_is_acknowledged_before_its_issue_is_made_is_so_there_too() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        server.next_faults = ["", "", "before"]  # the issue is made; its way to the next status is not
        assert (await desk.tell("acknowledged", 2, state="acknowledged")).outcome == DeliveryOutcome.RETRY
        await desk.delivered("acknowledged", 2, state="acknowledged")
        assert server.status_of(INCIDENT) == "Work in progress"

    play(story)


def test_a_field_that_the_project_lacks_costs_itself_and_no_more() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        server.screens_lack = {"priority", "customfield_7"}
        answer = await desk.tell("opened", 1)
        assert answer.outcome == DeliveryOutcome.DELIVERED
        assert "customfield_7: Field 'customfield_7' cannot be set" in answer.detail
        assert server.issue_of(INCIDENT).fields["customfield_8"] == "production"
        server.screens_lack = {"summary"}
        assert (await desk.tell("updated", 2, title="Another")).outcome == DeliveryOutcome.REJECTED

    play(story, fields={"customfield_7": "{{ domain }}", "customfield_8": "{{ space }}"})


def test_too_many_requests_pause_the_credential() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        server.rate_per_second = 0.001
        server._allowance = 0.0
        answer = await desk.tell("opened", 1)
        assert (answer.outcome, answer.status, answer.retry_after_seconds) == (DeliveryOutcome.RETRY, 429, 1)

    play(story)


def test_a_token_that_ended_is_tried_again_and_loses_nothing() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        server.token = "another"
        answer = await desk.tell("opened", 1)
        assert (answer.outcome, answer.status, answer.unknown) == (DeliveryOutcome.RETRY, 401, False)

    play(story)


def test_an_issue_that_was_deleted_there_is_made_anew_while_the_incident_goes_on() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        server.issues.clear()
        await desk.delivered("acknowledged", 2, state="acknowledged", title="Checkout is down")
        assert server.status_of(INCIDENT) == "Work in progress"
        server.issues.clear()
        remote = await desk.delivered("closed", 3, state="closed", title="Checkout was down")
        assert (remote.state, server.issues) == ("gone", {})

    play(story)


def test_an_issue_that_somebody_closed_unheard_takes_no_edit_and_refuses_nothing_else() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        server.edit(server.issue_of(INCIDENT), status="Closed")
        answer = await desk.tell("updated", 2, title="Checkout is slow")
        assert (answer.outcome, answer.detail[:28]) == (DeliveryOutcome.DELIVERED, "left out, it is over there: ")
        assert server.status_of(INCIDENT) == "Closed"
        await desk.delivered("closed", 3, state="closed", title="Checkout is slow")
        assert server.status_of(INCIDENT) == "Closed"

    play(story)


def test_hostile_and_long_text_is_text_and_cut_to_what_the_site_takes() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        noted = [entry("note", HOSTILE * 400, "kim")]
        title = f"{HOSTILE}\n{HOSTILE}"
        remote = await desk.delivered("opened", 1, title=title, symptoms=[HOSTILE] * 50, entries=noted)
        fields, (comment,) = server.issue_of(INCIDENT).fields, server.comments_on(INCIDENT)
        assert len(fields["summary"]) <= 255
        assert "\u202e" not in fields["summary"] + comment
        assert "<script>alert(1)</script>" in comment
        assert comment.endswith(f"[Spillway {INCIDENT}/1]")
        assert remote.fields["title"] == desk.rules.canonical("title", title)
        requests = len(server.journal)
        await desk.delivered("updated", 2, title=title)
        assert len(server.journal) == requests

    play(story)


def test_an_id_that_could_widen_a_query_is_asked_for_in_none() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1, id=OTHER)
        await desk.delivered("opened", 1)
        await desk.delivered("bridged", 2, bridge_id='x" OR project = "OPS')
        assert server.links == []
        assert not any("OR%20project" in each.path or "OR+project" in each.path for each in server.journal)

    play(story)


def test_a_page_of_something_else_makes_no_issue_a_second_time() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        kept = server.handle
        for status in (404, 200):
            server.handle = partial(page_of_a_proxy, status)  # type: ignore[method-assign]
            answer = await desk.tell("acknowledged", 2, state="acknowledged", title="Another")
            assert answer.outcome == DeliveryOutcome.RETRY
            desk.remotes, remotes = {}, desk.remotes
            assert (await desk.tell("opened", 1)).outcome == DeliveryOutcome.RETRY
            desk.remotes = remotes
        server.handle = kept  # type: ignore[method-assign]
        await desk.delivered("acknowledged", 2, state="acknowledged", title="Another")
        assert len(server.issues) == 1

    play(story)


def test_an_issue_that_is_found_after_all_keeps_whom_a_person_gave_it_to() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        server.next_faults = ["", "after"]
        await desk.tell("opened", 1)
        server.edit(server.issue_of(INCIDENT), assignee={"accountId": "account-amara"})
        await desk.delivered("opened", 1, assignee="kim", theirs=())
        assert server.issue_of(INCIDENT).fields["assignee"] == {"accountId": "account-amara"}

    play(story, people={"account-kim": "kim"})
