"""The Jira sink against a site that behaves as documented: the life of an incident, and what is read there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.models.delivery import DeliveryOutcome
from pipeline.sinks.told import Words
from tests.sinks.desk import BRIDGE, INCIDENT, OTHER, Desk, entry
from tests.sinks.jira_site import play
from tests.sinks.receivers import NOW
from tests.sinks.servers.jira import JiraServer
from tests.sinks.servers.jira_workflow import ONE_WAY, Workflow


def test_an_incident_is_opened_with_label_property_and_priority() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        remote = await desk.delivered("opened", 1, entries=[entry("escalate", "escalated to level 2")])
        issue = server.issue_of(INCIDENT)
        assert issue.fields["labels"] == ["spillway", f"inc-{INCIDENT}"]
        assert issue.properties == {"spillway": {"incident_id": INCIDENT}}
        assert issue.fields["priority"] == {"name": "Highest"}
        assert issue.fields["issuetype"] == {"name": "[System] Incident"}
        assert server.comments_on(INCIDENT, public=False) == [
            f"02:11 UTC escalated to level 2\n[Spillway {INCIDENT}/1]"
        ]
        assert remote.fields == {"state": "open", "priority": "P1", "title": "Checkout: 12 % of requests fail"}
        assert remote.url == f"{server.url}/browse/OPS-1"

    play(story)


def test_what_is_so_already_is_not_written() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        requests = len(server.journal)
        answer = await desk.tell("updated", 2)
        assert answer.outcome == DeliveryOutcome.DELIVERED
        assert len(server.journal) == requests

    play(story)


def test_states_are_reached_by_transitions_through_those_between() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        resolution = {"code": "cannot_reproduce", "summary": "It did not happen again."}
        remote = await desk.delivered("resolved", 2, state="resolved", resolution=resolution)
        assert server.status_of(INCIDENT) == "Completed"
        assert server.issue_of(INCIDENT).fields["resolution"] == {"name": "Cannot Reproduce"}
        assert remote.fields["state"] == "resolved"
        requests = len(server.journal)
        await desk.delivered("closed", 3, state="closed")
        assert len(server.journal) == requests  # closed reads back as resolved there

    play(story)


def test_a_status_that_is_named_is_reached_where_its_category_does_not_say_enough() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        await desk.delivered("acknowledged", 2, state="acknowledged")
        assert server.status_of(INCIDENT) == "Work in progress"
        await desk.delivered("updated", 3, state="waiting_vendor")
        assert server.status_of(INCIDENT) == "Pending"
        await desk.delivered("updated", 4, state="in_progress")
        assert server.status_of(INCIDENT) == "Work in progress"
        await desk.delivered("resolved", 5, state="resolved")
        remote = await desk.delivered("closed", 6, state="closed")
        assert (server.status_of(INCIDENT), remote.fields["state"]) == ("Closed", "closed")

    play(story, statuses={"waiting": "Pending", "closed": "Closed", "in_progress": "Work in progress"})


def test_what_is_closed_and_locked_is_reopened_before_anything_is_written() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        server.edit(server.issue_of(INCIDENT), status="Closed")
        desk.remotes[INCIDENT].state = desk.remotes[INCIDENT].fields["state"] = "closed"
        noted = [entry("reopen", "it is back")]
        await desk.delivered("reopened", 2, state="reopened", title="Checkout is down again", entries=noted)
        assert server.status_of(INCIDENT) == "Open"
        assert server.issue_of(INCIDENT).fields["summary"] == "Checkout is down again"

    play(story)


def test_what_was_no_incident_is_cancelled_and_not_done() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        await desk.delivered("acknowledged", 2, state="acknowledged")
        await desk.delivered("cancelled", 3, state="cancelled")
        assert server.status_of(INCIDENT) == "Canceled"

    play(story)


def test_a_workflow_in_which_nothing_ends_is_told_to_a_person() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        server.workflow = ONE_WAY
        await desk.delivered("opened", 1)
        answer = await desk.tell("resolved", 2, state="resolved")
        assert answer.outcome == DeliveryOutcome.REJECTED
        assert "no transition leads from Doing to a status that is done: there is none" in answer.detail

    play(story)


def test_a_resolution_that_the_project_lacks_is_another_one_that_it_has() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        statuses = {"Open": "new", "Done": "done"}
        server.workflow = Workflow(statuses, {"Open": ("Done",), "Done": ()}, ("Done",), resolutions=("Solved",))
        await desk.delivered("opened", 1)
        await desk.delivered("resolved", 2, state="resolved")
        assert server.issue_of(INCIDENT).fields["resolution"] == {"name": "Solved"}

    play(story)


def test_comments_are_internal_and_only_words_for_the_affected_are_public() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        messages = [
            Words(1, "affected_users", "portal", "investigating", "Checkout", "We are looking into it."),
            Words(1, "public", "status", "investigating", "Checkout", "For the world."),
        ]
        entries = [entry("note", "db-7 is full", "kim", audience="internal"), entry("detect", "noise")]
        await desk.delivered("noted", 2, messages=messages, entries=entries, propose=True)
        mark = f"[Spillway {INCIDENT}/2]"
        assert server.comments_on(INCIDENT, public=True) == [f"Checkout\nWe are looking into it.\n{mark}"]
        (internal,) = server.comments_on(INCIDENT, public=False)
        assert internal.startswith("02:11 UTC kim: db-7 is full\nAll alerts are clear")

    play(story)


def test_what_was_merged_duplicates_what_took_it_in_and_ends() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1, id=OTHER)
        await desk.delivered("opened", 1)
        merged = [entry("merge", f"merged into {OTHER}")]
        await desk.delivered("merged", 2, state="merged", merged_into=OTHER, entries=merged)
        (link,) = server.links
        assert (link["kind"], link["source"], link["target"]) == ("Duplicate", "OPS-2", "OPS-1")
        assert server.issue_of(INCIDENT).fields["resolution"] == {"name": "Duplicate"}
        update = await desk.client.look(INCIDENT, desk.remotes[INCIDENT], NOW)
        assert update is not None
        assert (update.duplicate_of, update.resolution_code) == (OTHER, "duplicate")

    play(story)


def test_a_member_hangs_on_its_bridge_incident_as_soon_as_that_is_there() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1)
        await desk.delivered("bridged", 2, bridge_id=BRIDGE)
        assert server.links == []
        await desk.delivered("opened", 1, id=BRIDGE, kind="bridge")
        await desk.delivered("updated", 3, bridge_id=BRIDGE)
        (link,) = server.links
        assert (link["kind"], link["source"], link["target"]) == ("Relates", "OPS-1", "OPS-2")
        await desk.delivered("bridged", 4, bridge_id=None)
        assert server.links == []

    play(story)


def test_teams_components_people_are_mapped_and_what_people_changed_there_stays() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        given: dict[str, Any] = {"assignee": "kim", "theirs": ()}
        await desk.delivered("opened", 1, **given)
        fields = server.issue_of(INCIDENT).fields
        assert fields["components"] == [{"name": "Web shop"}]
        assert fields["customfield_10001"] == "team-7"
        assert fields["assignee"]["accountId"] == "account-kim"
        fields["components"] = [{"name": "Payments"}]
        await desk.delivered("updated", 2, priority="P3", **given)
        assert fields["components"] == [{"name": "Payments"}]
        assert fields["priority"] == {"name": "Medium"}
        assert desk.remotes[INCIDENT].fields["assignee"] == "kim"

    play(
        story,
        components={"checkout": "Web shop"},
        groups={"storefront-sre": "team-7"},
        team_field="customfield_10001",
        people={"account-kim": "kim"},
    )


def test_changes_are_read_page_by_page_with_the_words_of_people() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        for number in range(7):
            await desk.delivered(
                "opened", 1, id=f"INC-{chr(65 + number) * 12}", entries=[entry("escalate", "escalated")]
            )
        before = datetime.now(UTC) - timedelta(minutes=5)
        issue = server.issue_of(INCIDENT)
        for number in range(25):
            server.say(issue, "account-spillway", f"of our own account, {number}")
        server.say(issue, "account-kim", "see the runbook")
        server.say(issue, "account-spillway", "of our own account")
        server.say(server.issue_of(OTHER), "account-customer", "thank you", public=True)
        server.edit(issue, status="Completed", resolution={"name": "Won't Do"})
        found = [each async for each in desk.client.changed(before)]
        assert len(found) == 7
        by_id = {each.incident_id: each for each in found}
        assert [(each.author, each.text, each.public) for each in by_id[INCIDENT].notes] == [
            ("kim", "see the runbook", False)
        ]
        assert by_id[OTHER].notes[0].public
        assert (by_id[INCIDENT].fields.state, by_id[INCIDENT].resolution_code) == ("resolved", "false_alarm")
        assert [each async for each in desk.client.changed(server.now + timedelta(seconds=1))] == []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.sinks.jira.PAGE_ISSUES", 3)
        play(story, people={"account-kim": "kim"})


def test_an_issue_is_looked_at_as_it_is_and_one_that_was_deleted_is_gone() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        remote = await desk.delivered("opened", 1)
        server.edit(server.issue_of(INCIDENT), priority={"name": "Lowest"}, status="Pending")
        update = await desk.client.look(INCIDENT, remote, NOW)
        assert update is not None
        assert (update.kind, update.fields.priority, update.fields.state) == ("read", "P4", "in_progress")
        server.issues.clear()
        update = await desk.client.look(INCIDENT, remote, NOW)
        assert update is not None
        assert (update.kind, update.fields.state) == ("gone", "gone")

    play(story)


def test_nobody_has_it_any_more() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        await desk.delivered("opened", 1, assignee="kim", theirs=())
        await desk.delivered("updated", 2, assignee=None, theirs=())
        assert server.issue_of(INCIDENT).fields["assignee"] is None

    play(story, people={"account-kim": "kim"})


def test_who_we_are_there_is_asked_without_changing_anything() -> None:
    async def story(server: JiraServer, desk: Desk) -> None:
        assert await desk.client.check() == "Spillway, account_id account-spillway"
        assert {each.method for each in server.journal} == {"GET"}

    play(story)
