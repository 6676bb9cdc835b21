"""Components at Statuspage: what several incidents need of one, and that none is left down."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from pipeline.models.remote import RemoteState
from tests.sinks.bodies import BRIDGE_ID, INCIDENT_ID, snapshot
from tests.sinks.pages import closed, message
from tests.sinks.receivers import run
from tests.sinks.servers.statuspage import StatuspageServer
from tests.sinks.statuspage_desk import PageDesk, desk, with_desk


def test_impact_and_components_follow_the_priority_without_a_word() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        lower = snapshot(priority="P2", priority_rank=1, services=["component:default/checkout"])
        await found.tell(incident=lower)
        assert (found.only.impact, found.statuses()["web"], len(found.only.updates)) == ("major", "partial_outage", 1)
        assert len(found.server.notified) == 1
        asked = len(found.server.journal)
        await found.tell(incident=lower)
        assert len(found.server.journal) == asked

    with_desk(test)


def test_what_is_mapped_is_configuration() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        assert (found.only.impact, found.statuses()["web"]) == ("minor", "degraded_performance")
        await found.tell(message(2, "mitigated"))
        assert found.statuses()["web"] == "operational"
        assert found.only.name == "Checkout: we are looking into a problem"

    with_desk(
        test,
        impacts={"P1": "minor"},
        component_statuses={"P1": "degraded_performance"},
        mitigated="operational",
        rename=False,
    )


def test_a_body_that_was_cut_changes_nothing_there() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        bare = {"id": INCIDENT_ID, "state": "logged", "priority": "P1", "title": "t"}
        await found.tell(incident=bare)
        assert (found.only.impact, found.statuses()["web"]) == ("critical", "major_outage")
        assert len(found.asked("PATCH")) == 0

    with_desk(test)


def test_a_component_stays_down_while_another_incident_holds_it() -> None:
    async def main() -> None:
        async with desk() as one:
            two = PageDesk(one.server, one.sink)
            minor = snapshot(id="INC-2", priority="P3", priority_rank=2, services=["component:default/checkout"])
            await one.tell(message(1))
            await two.tell(message(1), incident=minor)
            assert one.statuses()["web"] == "major_outage"  # the worse of both
            await one.tell(message(2, "resolved"), incident=snapshot(state="resolved", services=["checkout"]))
            assert one.statuses()["web"] == "degraded_performance"  # what the other needs
            await two.tell(message(2, "resolved"), incident={**minor, "state": "resolved"})
            assert one.statuses()["web"] == "operational"

    run(main())


@pytest.mark.parametrize("status", ["partial_outage", "under_maintenance"])
def test_a_component_that_a_person_holds_is_left_to_the_person(status: str) -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        found.server.by_hand("Works on the web", "web")
        found.server.components["web"].status = status
        await found.tell(message(2, "resolved"))
        assert found.statuses()["web"] == status

    with_desk(test)


def test_metadata_of_others_on_our_incident_stays() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        found.only.metadata["jira"] = {"issue": "OPS-1"}
        await found.tell(message(2, "resolved"))
        assert found.only.metadata["jira"] == {"issue": "OPS-1"}

    with_desk(test)


def test_an_incident_that_a_bridge_speaks_for_ends_there_and_leaves_its_components_down() -> None:
    async def main() -> None:
        async with desk() as member:
            bridge = PageDesk(member.server, member.sink)
            services = ["component:default/checkout", "component:default/payments-api"]
            await member.tell(message(1))
            under = snapshot(bridge_id=BRIDGE_ID, services=services[:1])
            await member.tell(message(2, "moved"), incident=under)
            assert member.only.status == "resolved"
            assert member.statuses()["web"] == "major_outage"
            major = snapshot(id=BRIDGE_ID, kind="bridge", services=services)
            await bridge.tell(message(1), incident=major)
            assert member.statuses()["pay"] == "major_outage"
            await member.tell(incident={**under, "state": "resolved"})
            assert member.statuses()["web"] == "major_outage"  # the bridge holds it
            await bridge.tell(message(2, "resolved"), incident={**major, "state": "resolved"})
            assert set(member.statuses().values()) == {"operational"}

    run(main())


def test_components_of_a_member_come_back_though_its_bridge_was_never_shown() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        under = snapshot(bridge_id=BRIDGE_ID, services=["component:default/checkout"])
        await found.tell(message(2, "moved"), incident=under)
        await found.tell(incident={**under, "state": "resolved"})
        assert found.statuses()["web"] == "operational"
        asked = len(found.server.journal)
        await found.tell(incident={**under, "state": "closed"})
        assert len(found.server.journal) == asked

    with_desk(test)


def test_a_member_that_is_let_go_speaks_again() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        await found.tell(message(2, "moved"), incident=snapshot(bridge_id=BRIDGE_ID, services=["checkout"]))
        await found.tell(message(3))
        assert (found.only.status, found.statuses()["web"]) == ("investigating", "major_outage")
        await found.tell(message(4, "resolved"))
        assert found.statuses()["web"] == "operational"

    with_desk(test)


def test_components_of_an_incident_that_a_person_resolved_there_come_back_when_it_is_over() -> None:
    async def test(found: PageDesk) -> None:
        await found.tell(message(1))
        found.server.change(found.only, status="resolved", body="Solved by hand.")
        assert found.remote is not None
        found.remote = replace(
            found.remote, state=RemoteState.RESOLVED, fields={"state": "resolved"}
        )  # it was looked up
        await found.tell(incident=snapshot(services=["checkout"]))
        assert (found.statuses()["web"], found.only.updates[0]["body"]) == ("major_outage", "Solved by hand.")
        await found.tell(message(2, "resolved"), incident=closed())
        assert (found.statuses()["web"], found.only.updates[0]["body"]) == ("operational", "Solved by hand.")

    with_desk(test)


@pytest.mark.parametrize("seed", range(4))
def test_incidents_that_share_components_leave_none_of_them_down(seed: int) -> None:
    async def main() -> None:
        async with desk(StatuspageServer(seed)) as first:
            random, server = Random(seed), first.server  # noqa: S311  # repeatable, not secret
            server.share_failing = 0.25
            names = ["checkout", "payments-api", "app"]
            lives = []
            for number in range(5):
                facts = {"services": random.sample(names, 2), "priority_rank": random.randrange(3), "priority": "P?"}
                incident = snapshot(id=f"INC-{number}", **facts)
                ends = random.choice([("resolved", "closed"), ("cancelled",), ("merged",), ("closed",)])
                steps: list[tuple[str, str]] = [("logged", "investigating"), ("logged", "identified")]
                steps += [(state, random.choice(["resolved", ""])) for state in ends]
                lives.append((PageDesk(server, first.sink), incident, list(enumerate(steps, 1))))
            while waiting := [each for each in lives if each[2]]:
                one, incident, left = random.choice(waiting)
                number, (state, words) = left.pop(0)
                said = [message(number, words)] if words else []
                await one.until_told(*said, incident={**incident, "state": state})
            server.share_failing = 0.0
            assert set(first.statuses().values()) == {"operational"}
            assert {each.status for each in server.incidents} == {"resolved"}
            assert [each.created for each in server.seen()] == [1] * 5

    run(main())
