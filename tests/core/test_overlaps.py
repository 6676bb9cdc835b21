"""What happens while an attempt is under way: the incident goes on, the record there is deleted, answers come late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import orjson

from pipeline.core.outward.send import Send
from pipeline.models.remote import Remote
from pipeline.models.sinks.base import Owners
from pipeline.models.sinks.streams import Webhook
from tests.core.builders import MINUTE
from tests.core.downstream import Office, links, tickets
from tests.core.sync_office import asked, edit, office

RETRY: Final = {"schema": 1, "kind": "retry", "sink": "*", "incident_id": "*", "at": "2026-03-10T10:00:00Z"}


def under_way(desk: Office) -> tuple[Send, Remote | None]:
    """An attempt that has taken effect, and whose outcome is not known yet."""
    send = desk.sends()[0]
    return send, desk.there[send.sink].send(send, desk.now_ms)


def published(desk: Office, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The entry of a published message, and how it stands on the record."""
    facts = {"status": "published", "number": number, "audience": "users", "page": "shop", "state": "identified"}
    entry = {"at_ms": desk.now_ms, "action": "communication", "actor": "ann", "text": "said", "facts": facts}
    entry["facts"] = facts | {"message": f"message {number}"}
    return entry, facts | {"text": f"message {number}", "at_ms": desk.now_ms}


def messages(send: Send) -> list[int]:
    return [each["number"] for each in orjson.loads(send.body)["data"]["messages"]]


def test_a_value_that_was_ours_for_a_moment_and_was_written_is_put_right() -> None:
    desk = office(owners=Owners(assignee="ours"))
    desk.event(2, "updated", assignee="kim")
    send, remote = under_way(desk)
    desk.event(3, "updated", assignee=None)
    desk.answer(send, "delivered", remote=remote)
    assert desk.ticket().fields["assignee"] == "kim"
    desk.deliver()
    assert desk.ticket().fields["assignee"] == ""


def test_a_value_that_was_ours_for_a_moment_is_put_right_where_the_answer_to_its_writing_was_lost() -> None:
    desk = office(owners=Owners(priority="ours"))
    desk.event(2, "updated", priority="P3")
    send, _ = under_way(desk)
    desk.event(3, "updated", priority="P1")
    desk.answer(send, "retry", unknown=True)
    assert desk.ticket().fields["priority"] == "P3"
    desk.restart()
    desk.tick(MINUTE)
    assert desk.sends()[0].wanted == {"priority": "P1"}
    desk.deliver()
    assert desk.ticket().fields["priority"] == "P1"
    assert desk.processor.outboxes()[0].sides.asked == {}


def test_a_message_that_waits_is_told_once_where_the_record_is_made_again_and_in_order() -> None:
    desk = office()
    first, stands_first = published(desk, 1)
    desk.event(2, "updated", entries=[first], communications=[stands_first])
    desk.deliver()
    second, stands_second = published(desk, 2)
    desk.event(3, "updated", entries=[second], communications=[stands_first, stands_second])
    there = desk.there["desk"]
    there.delete(desk.ticket(), desk.now_ms)
    desk.hear()
    before = len(there.told)
    desk.deliver()
    assert [number for send in there.told[before:] for number in messages(send)] == [1, 2]


def test_a_message_that_was_given_up_is_told_once_where_the_record_is_made_again_before_it_is_retried() -> None:
    desk = office()
    entry, stands = published(desk, 1)
    desk.event(2, "updated", entries=[entry], communications=[stands])
    desk.attempt(desk.sends()[0], "rejected")
    there = desk.there["desk"]
    there.delete(desk.ticket(), desk.now_ms)
    desk.hear()
    desk.back(RETRY | {"update_id": "r"})
    before = len(there.told)
    desk.deliver()
    assert [number for send in there.told[before:] for number in messages(send)] == [1]


def test_what_is_given_up_while_newer_things_wait_behind_it_is_sent_again_as_the_newest() -> None:
    desk = Office(Webhook(name="hook", url="https://hook.example", secret_env="HOOK"))
    desk.event(1, "opened")
    desk.event(2, "resolved", state="resolved")
    desk.answer(desk.sends()[0], "rejected", status=400)
    desk.back(RETRY | {"update_id": "r"})
    told = []
    while sends := desk.sends():
        told.append(orjson.loads(sends[0].body))
        desk.answer(sends[0], "delivered")
    assert [each["data"]["incident"]["state"] for each in told] == ["resolved", "resolved"]
    assert [each["data"]["revision"] for each in told] == [2, 2]
    assert told[1]["type"] == "dev.spillway.incident.updated.v1"
    assert told[1]["data"]["changes"] == ["opened", "updated"]
    assert [each["action"] for each in told[1]["data"]["entries"]] == ["opened"]


def test_a_command_without_an_answer_leaves_the_field_alone_for_an_hour_and_no_longer() -> None:
    desk = office()
    edit(desk, "state", "resolved")
    assert [kind for kind, _ in asked(desk)] == ["resolve"]
    desk.tick(59 * MINUTE)
    assert not desk.sends()
    desk.check_twin()
    desk.tick(MINUTE)
    desk.deliver()
    assert desk.ticket().fields["state"] == "open"
    assert desk.processor.next_deadline_ms() is None


def test_a_field_without_an_answer_wakes_nobody_where_its_sink_is_no_more() -> None:
    desk = office()
    edit(desk, "state", "resolved")
    desk.restart(tickets("other"))
    desk.tick(60 * MINUTE)
    assert desk.processor.next_deadline_ms() is None


def test_that_a_former_record_is_gone_does_not_forget_the_one_that_is_being_made_at_the_end() -> None:
    desk = Office(tickets())
    there = desk.there["desk"]
    desk.event(1, "opened")
    desk.attempt(desk.sends()[0], "lost")
    former = desk.ticket()
    there.edit(former, "title", "Shop", desk.now_ms)
    there.delete(former, desk.now_ms)
    desk.tick(MINUTE)
    desk.event(2, "cancelled", state="cancelled")
    send, remote = under_way(desk)
    desk.hear()
    assert remote is not None
    assert remote.id != former.id
    desk.answer(send, "delivered", remote=remote)
    desk.deliver()
    assert all(each.ended for each in there.tickets)
    assert not desk.processor.outboxes()


def test_an_outcome_of_a_worker_that_was_thought_dead_says_nothing_of_what_is_there_now() -> None:
    desk = office()
    desk.event(2, "updated", entries=[])
    send, remote = under_way(desk)
    assert remote is not None
    desk.answer(send, "delivered", remote=replace(remote, extra={"steps": ["1/ann"]}))
    desk.answer(send, "delivered", remote=replace(remote, extra={}))
    known = desk.processor.outboxes()[0].remote
    assert known is not None
    assert known.extra == {"steps": ["1/ann"]}


def test_who_has_it_no_more_is_told_once_and_is_no_dispute() -> None:
    desk = office(owners=Owners(assignee="ours"))
    desk.event(2, "updated", assignee="kim")
    desk.deliver()
    desk.event(3, "updated", assignee=None)
    send, remote = under_way(desk)
    assert remote is not None
    without = {name: value for name, value in remote.fields.items() if value}  # as a sink that leaves out what is empty
    desk.answer(send, "delivered", remote=replace(remote, fields=without))
    assert desk.sends() == []
    assert desk.processor.outboxes()[0].sides.contested == {}


def test_what_an_attempt_only_repeats_does_not_hide_a_change_there_that_was_heard_of_meanwhile() -> None:
    desk = office(owners=Owners(state="ours"))
    desk.event(2, "updated")
    send = desk.sends()[0]
    assert send.remote is not None
    assert send.wanted == {}
    edit(desk, "state", "resolved")
    desk.answer(send, "delivered", remote=replace(send.remote))
    desk.deliver()
    assert desk.ticket().fields["state"] == "open"


def test_a_machine_that_changes_the_state_back_each_time_is_answered_thrice_though_links_are_told_meanwhile() -> None:
    desk = office(owners=Owners(state="ours"))
    there, revision = desk.there["desk"], 1
    there.quiet_about_us = True
    writes, found = there.writes, desk.new()
    for _ in range(30):
        for _ in links(found):
            revision += 1
            desk.event(revision, "updated", entries=[])
        there.edit(desk.ticket(), "state", "waiting", desk.now_ms, "robot")
        found = desk.hear()
        desk.deliver()
        desk.tick(1_000)
        found += desk.hear()
    assert there.writes - writes == 3


def test_what_a_lost_attempt_may_have_opened_again_is_ended_though_we_heard_that_it_had_ended() -> None:
    desk = office()
    desk.event(2, "acknowledged", state="in_progress")
    there = desk.there["desk"]
    there.edit(desk.ticket(), "state", "closed", desk.now_ms, "robot")
    send, _ = under_way(desk)  # ours is written after theirs, and its outcome is lost
    desk.answer(send, "retry", unknown=True)
    assert desk.ticket().fields["state"] == "in_progress"
    there.updates = [each for each in there.updates if each["author"] == "robot"]
    desk.event(3, "merged", state="merged")
    desk.hear()
    desk.tick(MINUTE)
    desk.deliver()
    assert desk.ticket().ended
    assert not desk.processor.outboxes()


def test_what_is_looked_up_was_changed_by_others_where_we_never_wrote_it_though_we_wrote_last() -> None:
    desk = office()
    there = desk.there["desk"]
    there.edit(desk.ticket(), "assignee", "kim", desk.now_ms)
    there.updates.clear()  # the webhook about it was lost
    desk.event(2, "mitigated", state="mitigated")
    desk.deliver()
    desk.hear()
    desk.tick(10 * MINUTE)
    desk.new()
    desk.back(there.look(desk.ticket()))
    assert [kind for kind, _ in asked(desk)] == ["assign"]


def test_what_we_wrote_after_a_change_there_is_there_though_their_clock_is_ahead_and_it_came_late() -> None:
    desk = office()
    there, hour = desk.there["desk"], 60 * MINUTE
    there.edit(desk.ticket(), "state", "closed", desk.now_ms + hour)
    desk.tick(1_000)
    desk.event(2, "updated", state="in_progress")
    send = desk.sends()[0]
    remote = there.send(send, desk.now_ms + hour)  # by their clock
    desk.answer(send, "delivered", remote=remote)
    desk.tick(1_000)
    desk.hear()
    desk.event(3, "closed", state="closed")
    desk.deliver()
    assert desk.ticket().ended


def test_what_is_given_up_a_second_time_is_sent_again_as_the_newest_too() -> None:
    desk = Office(Webhook(name="hook", url="https://hook.example", secret_env="HOOK"))
    desk.event(1, "opened")
    desk.event(2, "updated")
    desk.answer(desk.sends()[0], "rejected", status=400)
    desk.back(RETRY | {"update_id": "r1"})
    desk.event(3, "closed", state="closed")
    for _ in range(2):
        desk.answer(desk.sends()[0], "rejected", status=400)
    desk.back(RETRY | {"update_id": "r2"})
    while sends := desk.sends():
        last = orjson.loads(sends[0].body)["data"]["incident"]["state"]
        desk.answer(sends[0], "delivered")
    assert last == "closed"
