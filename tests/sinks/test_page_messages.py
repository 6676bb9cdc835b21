"""What of an incident's messages reaches a status page, and what the record there is expected to say."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.outward.carried import carried
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.core.outward.ownership import wanted
from pipeline.core.outward.sides import Sides
from pipeline.models.remote import Remote
from pipeline.models.sinks.status_pages import IncidentIo, Statuspage
from tests.sinks.bodies import INCIDENT_ID, snapshot


def event(actor: str = "spillway", **snapshot_fields: Any) -> IncidentEvent:
    facts = {"audience": "public", "page": "p", "state": "investigating", "number": 1, "status": "published"}
    entry = {"at_ms": 5, "action": "communication", "actor": actor, "facts": facts | {"subject": "s", "message": "t"}}
    return IncidentEvent(INCIDENT_ID, 2, "noted", 5, [entry], snapshot(**snapshot_fields))


@pytest.mark.parametrize(("actor", "approved_by"), [("spillway", ""), ("grace", "grace")])
def test_a_message_says_which_person_answers_for_it(actor: str, approved_by: str) -> None:
    [found] = carried(event(actor), [], {}, late=False).messages
    assert (found["text"], found["approved_by"]) == ("t", approved_by)


@pytest.mark.parametrize(
    ("by", "approved", "expected"),
    [("spillway", None, ""), ("spillway", "grace", "grace"), ("ada", None, "ada")],
)
def test_so_does_one_of_the_record_that_is_told_late(by: str, approved: str | None, expected: str) -> None:
    told = {"audience": "public", "page": "p", "state": "investigating", "number": 1, "status": "published"}
    record = [told | {"subject": "s", "text": "t", "by": by, "approved_by": approved, "at_ms": 1}]
    late = event()._replace(entries=[], incident=snapshot(communications=record))
    [found] = carried(late, [], {}, late=True).messages
    assert found["approved_by"] == expected


@pytest.mark.parametrize("rules", [Statuspage, IncidentIo])
@pytest.mark.parametrize(("state", "expected"), [("mitigated", {}), ("resolved", {}), ("closed", {"state": "closed"})])
def test_the_state_of_a_page_is_asked_for_only_once_the_incident_has_ended(
    rules: type[Statuspage] | type[IncidentIo], state: str, expected: dict[str, str]
) -> None:
    page = rules(name="page", secret_env="KEY", page_id="abc")
    sides = Sides()
    sides.add(event(state=state))
    remote = Remote(id="p1", fields={"state": "open"})
    assert wanted(page, remote, sides, sides.desired["state"]) == expected
