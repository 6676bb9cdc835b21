"""Notices that are owed: reminded of once, missed once, given once, and owed by the bridge for its members."""

from __future__ import annotations

from typing import Any

from pipeline.core import duties, ending
from pipeline.core.desk import MACHINE, Desk
from pipeline.core.draft import Draft
from pipeline.models.communications import CommunicationDuty, CommunicationRules
from tests.core.builders import HOUR, T0
from tests.core.desks import desk, later
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
    assert "duty_moved" in actions(ask(at, draft, "link_bridge", T0 + 1, bridge_id="MI-1"))
    assert draft.incident.duties == []
    ask(at, draft, "unlink_bridge", T0 + 2)
    assert draft.incident.duties[0].due_at_ms == T0 + 72 * HOUR
    assert duties.next_due_ms(draft.incident) is not None
