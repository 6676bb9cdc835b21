"""The ledger: an outward open gets its close whatever happened between; what does not is an orphan with a reason."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.core.outward.healing import REMADE_MAX, WRITTEN_BACK_MAX
from pipeline.core.outward.outbox import FORMER_SCHEMA, Outbox
from pipeline.core.outward.retries import RETRY_HOURS_MAX
from pipeline.models.ledger import OrphanReason
from pipeline.models.sinks.base import Owners
from pipeline.models.sinks.status_pages import Statuspage
from tests.core.builders import HOUR, MINUTE
from tests.core.downstream import Office, became, tickets
from tests.core.outboxes import config
from tests.core.outboxes import sink as webhook

RETRY = {"schema": 1, "kind": "retry", "update_id": "r", "at": "2026-03-10T10:00:00Z"}


def office(**fields: Any) -> Office:
    desk = Office(tickets(**fields))
    desk.event(1, "opened")
    desk.deliver()
    desk.hear()
    return desk


def orphans(desk: Office) -> list[tuple[str, str]]:
    """What the view says, which is what the ledger says."""
    view = [(each.incident_id, each.reason) for each in desk.processor.orphans()]
    assert view == [(each["incident_id"], each["reason"]) for each in desk.ledger.values() if each["orphan"]]
    return view


def test_a_record_is_in_the_ledger_until_it_and_its_incident_have_ended() -> None:
    desk = office()
    line = desk.ledger["desk/INC-1"]
    assert (line["type"], line["remote_id"], line["remote_state"]) == ("servicenow", "T0", "open")
    assert (line["incident_state"], line["waiting"], line["orphan"], line["last"]["outcome"]) == (
        "logged", 0, False, "delivered",
    )  # fmt: skip
    desk.event(2, "resolved", state="resolved")
    desk.deliver()
    assert desk.ledger["desk/INC-1"]["remote_state"] == "resolved"
    desk.event(3, "closed", state="closed")
    assert desk.ledger["desk/INC-1"]["waiting"] == 1
    desk.deliver()
    assert desk.ledger == {}
    assert desk.processor.outboxes() == []


@pytest.mark.parametrize("end", ["closed", "merged", "cancelled"])
def test_whatever_ends_an_incident_ends_its_record(end: str) -> None:
    desk = office()
    desk.event(2, end, state=end)
    desk.deliver()
    assert desk.ticket().ended
    assert (desk.ledger, orphans(desk)) == ({}, [])


def test_a_close_that_was_given_up_is_an_orphan_until_a_retry_sends_it() -> None:
    desk = office()
    desk.event(2, "closed", state="closed")
    desk.attempt(desk.sends()[0], "rejected")
    assert orphans(desk) == [("INC-1", OrphanReason.PARKED)]
    assert desk.ledger["desk/INC-1"]["parked"] == 1
    assert became(desk.back(RETRY | {"sink": "desk", "incident_id": "*"})) == {"update": "retried"}
    desk.deliver()
    assert (desk.ledger, orphans(desk), desk.ticket().ended) == ({}, [], True)


@pytest.mark.parametrize(("sink", "incident_id"), [("desk", "INC-1"), ("*", "*"), ("desk", "*"), ("*", "INC-1")])
def test_a_retry_is_for_one_or_for_all(sink: str, incident_id: str) -> None:
    desk = office()
    desk.event(2, "resolved", state="resolved")
    desk.attempt(desk.sends()[0], "rejected")
    desk.back(RETRY | {"sink": sink, "incident_id": incident_id})
    assert [each.sink for each in desk.sends()] == ["desk"]
    desk.deliver()
    assert desk.ticket().notes[-1] == "2 resolved number 2"
    assert became(desk.back(RETRY | {"sink": sink, "incident_id": incident_id})) == {"update": "nothing_to_retry"}


def test_a_retry_sends_at_once_what_waits_for_its_next_attempt() -> None:
    desk = office()
    desk.event(2, "updated", priority="P2")
    desk.attempt(desk.sends()[0], "busy")
    assert desk.sends() == []
    desk.back(RETRY | {"sink": "desk", "incident_id": "INC-1"})
    assert [each.attempt for each in desk.sends()] == [2]


def test_what_was_given_up_is_told_by_a_retry_with_calls_and_messages_and_the_newest_state() -> None:
    desk = office()
    facts = {"person": "ann", "step": "1"}
    page = {"at_ms": 1, "action": "page", "actor": "spillway", "text": "paged ann", "facts": facts}
    desk.event(2, "escalated", state="escalated", entries=[page])
    desk.attempt(desk.sends()[0], "rejected")
    desk.event(3, "resolved", state="resolved")
    desk.deliver()
    assert desk.ticket().calls == []
    desk.back(RETRY | {"sink": "desk", "incident_id": "INC-1"})
    desk.deliver()
    assert desk.ticket().calls == ["1/ann"]
    assert desk.ticket().fields["state"] == "resolved"


def test_a_sink_that_was_removed_leaves_an_orphan_that_ends_when_it_comes_back() -> None:
    desk = office()
    desk.restart(webhook("other"))
    desk.event(2, "closed", state="closed")
    assert orphans(desk) == [("INC-1", OrphanReason.SINK_REMOVED)]
    desk.restart(tickets())
    desk.deliver()
    assert (desk.ticket().ended, orphans(desk), list(desk.ledger)) == (True, [], ["other/INC-1"])


def test_a_record_of_a_removed_sink_that_somebody_deleted_is_no_orphan() -> None:
    desk = office()
    desk.restart(webhook("other"))
    desk.event(2, "closed", state="closed")
    desk.there["desk"].delete(desk.ticket(), desk.now_ms)
    assert became(desk.back(desk.there["desk"].updates.pop())) == {"update": "gone"}
    assert orphans(desk) == []


def test_what_is_switched_off_waits_and_is_an_orphan_once_the_incident_has_ended() -> None:
    desk = office()
    desk.restart(tickets(enabled=False))
    desk.event(2, "resolved", state="resolved")
    assert (desk.sends(), orphans(desk)) == ([], [])
    desk.event(3, "closed", state="closed")
    assert orphans(desk) == [("INC-1", OrphanReason.SINK_DISABLED)]
    desk.event(1, "opened", "INC-2")
    assert "desk/INC-2" not in desk.ledger
    desk.restart(tickets())
    desk.deliver()
    assert (desk.ticket().ended, orphans(desk)) == (True, [])


def test_whether_a_record_exists_is_not_forgotten_when_its_making_was_given_up() -> None:
    desk = Office(tickets())
    desk.event(1, "opened")
    desk.attempt(desk.sends()[0], "lost")
    for _ in range(RETRY_HOURS_MAX + 1):
        desk.tick(HOUR)
        for send in desk.sends():
            desk.attempt(send, "busy")
    assert desk.sends() == []
    desk.event(2, "closed", state="closed")
    assert [each.unsure for each in desk.sends()] == [True]
    desk.attempt(desk.sends()[0], "rejected")
    assert orphans(desk) == [("INC-1", OrphanReason.PARKED)]
    desk.back(RETRY | {"sink": "desk", "incident_id": "INC-1"})
    desk.deliver()
    assert (desk.ticket().ended, orphans(desk), len(desk.there["desk"].tickets)) == (True, [], 1)


def test_what_is_deleted_there_is_made_again_with_the_messages_that_stand() -> None:
    desk = office()
    said = {
        "status": "published",
        "number": 1,
        "audience": "public",
        "page": "p",
        "state": "investigating",
        "text": "we look",
    }
    desk.event(2, "noted", communications=[said, {**said, "number": 2, "status": "draft"}])
    desk.deliver()
    first = desk.ticket()
    desk.there["desk"].delete(first, desk.now_ms)
    assert became(desk.hear())["update"] == "made_again"
    [send] = desk.sends()
    assert [each["number"] for each in orjson.loads(send.body)["data"]["messages"]] == [1]
    desk.deliver()
    assert desk.ticket().id != first.id
    assert desk.ticket().fields["state"] == "open"


def test_what_is_deleted_there_again_and_again_is_left_so_and_told() -> None:
    desk = office()
    for _ in range(REMADE_MAX + 1):
        desk.there["desk"].delete(desk.ticket(), desk.now_ms)
        desk.hear()
        desk.deliver()
    assert orphans(desk) == [("INC-1", OrphanReason.GONE)]
    desk.event(2, "noted")
    assert desk.sends() == []
    desk.back(RETRY | {"sink": "desk", "incident_id": "INC-1"})
    desk.deliver()
    assert (orphans(desk), desk.ticket().fields["state"]) == ([], "open")
    desk.event(3, "closed", state="closed")
    desk.deliver()
    assert desk.ledger == {}


def test_what_a_sink_finds_gone_is_made_again_and_what_was_to_be_told_is_told() -> None:
    desk = office()
    desk.ticket().deleted = True
    desk.event(2, "noted")
    desk.deliver()
    assert len(desk.there["desk"].tickets) == 2
    assert not desk.ticket().deleted


def test_what_somebody_took_down_from_a_page_that_the_world_reads_stays_down_until_somebody_asks() -> None:
    page = Statuspage(name="desk", secret_env="PAGE_KEY", page_id="abcdefghijkl")
    desk = Office(page)
    desk.event(1, "opened")
    desk.deliver()
    desk.there["desk"].delete(desk.ticket(), desk.now_ms)
    assert became(desk.hear())["update"] == "gone"
    desk.event(2, "noted")
    desk.deliver()
    assert (len(desk.there["desk"].tickets), orphans(desk)) == (1, [("INC-1", OrphanReason.GONE)])
    desk.back(RETRY | {"sink": "desk", "incident_id": "INC-1"})
    desk.deliver()
    assert len(desk.there["desk"].tickets) == 2


def test_a_record_deleted_there_after_the_end_is_the_end_of_it() -> None:
    desk = office()
    desk.event(2, "closed", state="closed")
    desk.attempt(desk.sends()[0], "rejected")
    desk.there["desk"].delete(desk.ticket(), desk.now_ms)
    assert became(desk.hear())["update"] == "gone"
    assert (desk.ledger, orphans(desk)) == ({}, [])


def test_a_state_that_is_theirs_is_theirs_to_end() -> None:
    desk = office(owners=Owners(state="theirs"))
    desk.event(2, "closed", state="closed")
    desk.deliver()
    assert orphans(desk) == [("INC-1", OrphanReason.STATE_IS_THEIRS)]
    desk.there["desk"].edit(desk.ticket(), "state", "closed", desk.now_ms)
    desk.hear()
    assert (orphans(desk), desk.ledger) == ([], {})


def test_what_a_machine_opens_there_again_and_again_is_closed_at_the_end() -> None:
    desk = office()
    changed = {"at_ms": desk.now_ms, "action": "resolve", "actor": "ann", "text": "", "changed": {"state": ["", ""]}}
    desk.event(2, "resolved", state="resolved", resolution={"by": "ann"}, entries=[changed])
    desk.deliver()
    desk.hear()
    for _ in range(WRITTEN_BACK_MAX + 2):
        desk.tick(MINUTE)
        desk.there["desk"].edit(desk.ticket(), "state", "in_progress", desk.now_ms, "robot")
        desk.hear()
        desk.deliver()
    assert (desk.ticket().fields["state"], desk.ledger["desk/INC-1"]["contested"]) == ("in_progress", ["state"])
    desk.event(3, "closed", state="closed")
    desk.deliver()
    assert (desk.ticket().fields["state"], desk.ledger) == ("closed", {})


def test_what_the_reconciler_finds_open_before_the_close_arrived_is_closed() -> None:
    desk = office()
    desk.event(2, "closed", state="closed")
    desk.attempt(desk.sends()[0], "rejected")
    desk.back(desk.there["desk"].look(desk.ticket()))
    assert orphans(desk) == [("INC-1", OrphanReason.PARKED)]
    desk.back(RETRY | {"sink": "desk", "incident_id": "INC-1"})
    desk.deliver()
    assert (desk.ticket().fields["state"], desk.ledger) == ("closed", {})


def test_no_record_is_made_of_what_is_over() -> None:
    desk = Office(tickets(), webhook("hook"))
    desk.event(4, "resolved", state="resolved")
    desk.event(5, "closed", "INC-2", state="closed")
    assert [each.sink for each in desk.sends()] == ["hook", "hook"]


def test_an_outbox_of_the_release_before_is_read() -> None:
    body = {"type": "t", "timestamp": "", "data": {"incident": {"state": "logged", "priority": "P1"}, "entries": []}}
    pending = {"revision": 3, "change": "opened", "body": orjson.dumps(body).decode(), "at_ms": 5}
    former = {
        "schema": FORMER_SCHEMA,
        "sink": "desk", "incident_id": "INC-1", "queue": [pending], "attempt": 2, "turn": 1, "due_ms": None,
        "failing_since_ms": 5, "final": False, "parked": [], "parked_total": 0,
    }  # fmt: skip
    processor = DeliverProcessor(config())
    processor.restore(b"desk/INC-1", orjson.dumps(former))
    processor.restored()
    [send] = processor.ready()
    assert (send.delivery_id, send.attempt, send.unsure) == ("INC-1/3/desk", 2, True)
    assert processor.orphans() == []


def test_an_outbox_of_a_schema_to_come_is_refused() -> None:
    with pytest.raises(ValueError, match="schema 3"):
        Outbox.from_bytes(orjson.dumps({"schema": 3}))
