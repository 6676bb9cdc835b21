"""Notices that are owed: reminded of once, missed once, given once, and owed by the bridge for its members."""

from __future__ import annotations

from typing import Any

from pipeline.core.communication import duties
from pipeline.core.draft import Draft
from pipeline.core.practice import ending
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.models.closure import Closure
from pipeline.models.communications import CommunicationDuty, CommunicationRules
from tests.core.builders import HOUR, MAJOR, MINUTE, SHOP, T0, WIKI, alert, config, policy
from tests.core.desks import desk, later
from tests.core.halls import Hall
from tests.core.rooms import Room
from tests.core.rooms import actions as room_actions
from tests.core.telling import actions, ask, begun, run

GDPR = CommunicationDuty(
    name="gdpr", regulatory=("gdpr",), notify="the authority", within_minutes=4_320, text="say what was seen"
)


def owing(**fields: Any) -> tuple[Desk, Draft]:
    at = desk(communication=CommunicationRules(status_page=(), duties=(GDPR,)))
    return at, begun(at, **({"regulatory": ["gdpr"], "priority": "P3"} | fields))


def test_a_duty_is_owed_reminded_of_once_and_missed_once() -> None:
    at, draft = owing()
    assert draft.incident.duties[0].due_at_ms == T0 + 72 * HOUR
    done = [action for _, each in run(at, draft.incident, T0 + 200 * HOUR) for action in actions(each)]
    assert (done.count("duty_warning"), done.count("duty_missed")) == (1, 1)


def test_a_duty_that_was_fulfilled_is_on_the_record_with_how_and_is_not_reminded_of() -> None:
    at, draft = owing()
    step = ask(at, draft, "fulfil_duty", T0 + HOUR, duty="gdpr", note="by their form, case 7")
    assert step.entries[0].text == "notice to the authority (gdpr) was given: by their form, case 7"
    done = [action for _, each in run(at, draft.incident, T0 + 200 * HOUR) for action in actions(each)]
    assert not {"duty_warning", "duty_missed"} & set(done)


def test_an_incident_without_the_tag_owes_nothing() -> None:
    _, draft = owing(regulatory=["pci"])
    assert draft.incident.duties == []


def test_a_resolved_incident_does_not_close_before_its_notice_was_due() -> None:
    at, draft = owing()
    ending.resolve(at, later(draft, T0 + HOUR), MACHINE, None)
    closed = [due_ms for due_ms, each in run(at, draft.incident, T0 + 200 * HOUR) if "close" in actions(each)]
    assert closed == [T0 + 72 * HOUR]


def test_a_bridge_owes_the_notice_for_its_members_and_a_demoted_one_gives_it_back() -> None:
    at, draft = owing()
    assert "duty_moved" in actions(ask(at, draft, "link_bridge", T0 + 1, bridge_id="MI-1", role="system"))
    assert draft.incident.duties == []
    ask(at, draft, "unlink_bridge", T0 + 2, role="system")
    assert draft.incident.duties[0].due_at_ms == T0 + 72 * HOUR
    assert duties.next_due_ms(draft.incident) is not None


HERE = CommunicationDuty(name="notice", notify="the authority", within_minutes=120)
THERE = CommunicationDuty(name="contract", notify="the customer", within_minutes=180)


def _two_that_owe(**fields: Any) -> tuple[Room, str, str]:
    shop = CommunicationRules(status_page=(), duties=(HERE,))
    office = CommunicationRules(status_page=(), duties=(HERE, THERE))
    packs = {"shop": policy(communication=shop, **fields), "office": policy("office", communication=office)}
    room = Room(config(domains=packs))
    room.open(alert("w", entity=WIKI, service=WIKI, domain="office"))
    room.open(alert("a"), T0 + HOUR)
    first, second = room.incidents()
    return room, first, second


def test_what_a_merged_incident_owes_is_owed_by_the_one_that_goes_on_and_not_a_minute_later() -> None:
    room, first, second = _two_that_owe()
    room.ask("merge", T0 + HOUR + 1, target={"incident_id": first}, into=second)
    owed = {each["name"]: each["due_at_ms"] for each in room.incidents()[second]["duties"]}
    assert owed == {"notice": T0 + 2 * HOUR, "contract": T0 + 3 * HOUR}
    room.restart()
    room.tick(T0 + 3 * HOUR)
    assert [each["missed_at_ms"] for each in room.incidents()[second]["duties"]] == [T0 + 2 * HOUR, T0 + 3 * HOUR]


def test_a_notice_that_a_merged_incident_gave_is_not_owed_again() -> None:
    room, first, second = _two_that_owe()
    room.ask("fulfil_duty", T0 + HOUR, target={"incident_id": first}, duty="notice", note="by their form")
    room.ask("merge", T0 + HOUR + 1, target={"incident_id": first}, into=second)
    done = {each["name"]: each["done_at_ms"] for each in room.incidents()[second]["duties"]}
    assert done == {"notice": T0 + HOUR, "contract": None}


def test_a_reminder_of_a_notice_does_not_reopen_what_a_person_resolved_though_it_fires() -> None:
    room, _, second = _two_that_owe(closure=Closure(settle_minutes=24 * 60))
    room.ask("resolve", T0 + HOUR + MINUTE, target={"incident_id": second}, resolution={"code": "x", "summary": "y"})
    room.tick(T0 + HOUR + 100 * MINUTE)
    incident = room.incidents()[second]
    assert (incident["state"], room_actions(incident)[-1]) == ("resolved", "duty_warning")
    room.tick(T0 + 40 * HOUR)
    assert "reopen" in room_actions(room.incidents()[second]), "nothing closes silently over what still fires"


def test_a_major_incident_that_is_declared_late_leaves_no_more_time_for_the_notice() -> None:
    hall = Hall()
    told = CommunicationRules(status_page=(), duties=(HERE,))
    hall.setup = config(domains={"shop": policy(communication=told, major_incident=MAJOR)})
    hall.restart()
    hall.tell("INC-1", SHOP, T0, opened_at_ms=T0 - HOUR)
    assert [each["due_at_ms"] for each in hall.one()["duties"]] == [T0 + HOUR]
