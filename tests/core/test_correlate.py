"""Correlate: episodes become incidents, join, recover, reopen, merge and split; nothing is counted twice or lost."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.models.alert import Kind, Severity
from pipeline.models.decision import Disposition, Reason
from pipeline.models.episode import EpisodeChange
from tests.core.builders import (
    DB,
    HOUR,
    MINUTE,
    PAY,
    SECOND,
    SHOP,
    T0,
    WIKI,
    alert,
    change,
    config,
    policy,
    report,
    values,
)
from tests.core.rooms import Room, actions, two_incidents

# -- joining


def test_the_first_symptom_opens_an_incident_that_is_logged_at_once() -> None:
    room = Room()
    room.open(alert("a"))
    incident = room.one()
    assert (incident["state"], incident["priority"], incident["title"]) == ("logged", "P1", "Shop: a is out of bounds")
    assert room.decisions[-1][1:3] == (Disposition.OPENED, Reason.FIRST_SYMPTOM)
    assert actions(incident)[:4] == ["detect", "log", "affected", "priority"]


def test_symptoms_along_the_dependency_chain_join_and_name_the_cause() -> None:
    room = Room()
    room.open(alert("a"))
    room.open(alert("b", entity=PAY, service=PAY), T0 + 10 * SECOND)
    room.open(alert("c", entity=DB, service=PAY), T0 + 20 * SECOND)
    incident = room.one()
    assert (incident["episodes_total"], incident["suspects"][0]["ref"]) == (3, DB)
    assert [each.disposition for each in room.decisions] == [Disposition.OPENED, Disposition.JOINED, Disposition.JOINED]


def test_what_is_unrelated_opens_an_incident_of_its_own() -> None:
    room, *_ = two_incidents()
    assert len(room.incidents()) == 2


def test_spaces_do_not_meet() -> None:
    room = Room()
    room.open(alert("a"))
    room.open(alert("b", space="staging"))
    assert [each["space"] for each in room.incidents().values()] == ["production", "staging"]


def test_an_incident_without_news_takes_nothing_on_evidence_alone() -> None:
    room = Room()
    room.open(alert("a"))
    room.open(alert("b"), T0 + 20 * SECOND)
    for key in "ab":
        room.news(key, EpisodeChange.RESOLVED, T0 + 901 * SECOND)
    room.ask("note", T0 + 902 * SECOND, note="kept open")
    room.open(alert("c"), T0 + 1_802 * SECOND)
    assert [each["episodes_total"] for each in room.incidents().values()] == [2, 1]


@pytest.mark.parametrize("said", [{"labels": {"service": "ledger"}}, {"host": "db-7"}])
def test_alerts_about_what_the_catalogue_does_not_list_meet_by_the_sources_own_words(said: dict[str, Any]) -> None:
    room = Room()
    for number in range(5):
        room.open(alert(f"k{number}", entity=None, service=None, **said), T0 + number)
    room.open(alert("other", entity=None, service=None, labels={"service": "wiki"}), T0 + 9)
    assert [each["episodes_total"] for each in room.incidents().values()] == [5, 1]


def test_what_comes_about_the_same_thing_hours_later_is_trouble_of_its_own() -> None:
    room = Room()
    room.open(alert("a"))
    room.open(alert("soon"), T0 + 2 * MINUTE)
    room.open(alert("late"), T0 + 3 * HOUR)
    assert sorted(each["episodes_total"] for each in room.incidents().values()) == [1, 2]


def test_a_rise_in_priority_after_an_acknowledgement_calls_somebody_again() -> None:
    room = Room()
    room.open(alert("a", severity=Severity.INFO))
    before = room.one()["priority"]
    room.ask("acknowledge", T0 + MINUTE)
    room.open(alert("b", severity=Severity.CRITICAL), T0 + 2 * MINUTE)
    incident = room.one()
    assert incident["priority"] < before
    assert incident["state"] == "logged"
    assert "unacknowledge" in actions(incident)


def test_a_repeated_run_of_a_condition_finds_its_open_incident_after_any_time() -> None:
    room = Room()
    room.open(alert("a"))
    room.open(alert("b"), T0 + 1)
    room.news("a", "resolved", T0 + 2)
    room.open(alert("a"), T0 + 5 * HOUR, episode_id="EP-again")
    assert (room.one()["episodes_total"], room.decisions[-1].reason) == (3, Reason.SAME_CONDITION)


def test_one_record_makes_at_most_one_revision_of_an_incident() -> None:
    room = Room()
    for at, key in enumerate("abcde"):
        outputs = room.open(alert(key), T0 + at)
        assert [each["revision"] for each in values(outputs, "incidents")] == [at + 1]


def test_the_compacted_twin_is_written_once_a_batch_with_the_last_revision() -> None:
    room = Room()
    for at, key in enumerate("abcde"):
        room.open(alert(key), T0 + at)
    assert values(room.effects.outputs, "incidents.state") == []
    room.changes()
    room.changes()
    (twin,) = (each for each in room.effects.outputs if each.topic == "incidents.state")
    event = [each for each in room.effects.outputs if each.topic == "incidents"][-1]
    assert (twin.key, twin.timestamp_ms) == (event.key, T0 + 4)
    assert orjson.loads(twin.value or b"") == orjson.loads(event.value or b"")["incident"]


def test_the_bridge_is_told_only_what_is_new_to_it_also_over_a_restart() -> None:
    room = Room()
    told = [len(values(room.open(alert(key), T0 + at), "incidents.summaries")) for at, key in enumerate("ab")]
    room.restart()
    told.append(len(values(room.open(alert("c"), T0 + 2), "incidents.summaries")))
    told.append(len(values(room.open(alert("d", entity=WIKI, service=PAY), T0 + 3), "incidents.summaries")))
    assert told == [1, 0, 0, 1]


def test_an_event_is_a_cloudevent_in_binary_mode() -> None:
    event = Room().open(alert("a"))[0]
    headers = dict(event.headers)
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_id"] == (event.key or b"") + b"/1"
    assert headers["ce_type"] == b"dev.spillway.incident.opened.v1"
    assert headers["ce_time"] == b"2026-03-10T10:00:00.000Z"
    assert headers["ce_source"] == b"/spillway/production"


def test_a_worse_severity_raises_the_priority_and_a_better_one_does_not_lower_it() -> None:
    room = Room()
    room.open(alert("a", severity=Severity.WARNING))
    assert room.one()["priority"] == "P3"
    room.news("a", "changed", T0 + 1, severity=Severity.CRITICAL)
    assert room.one()["priority"] == "P1"
    room.news("a", "changed", T0 + 2, severity=Severity.WARNING)
    assert room.one()["priority"] == "P1"


# -- recovery


def test_an_incident_resolves_when_all_was_quiet_for_the_policys_time() -> None:
    room = Room()
    room.open(alert("a"))
    room.open(alert("b"), T0 + 1)
    room.news("a", "resolved", T0 + 2)
    room.tick(T0 + 10 * MINUTE)
    assert room.one()["state"] == "escalated"
    room.news("b", "resolved", T0 + 10 * MINUTE)
    room.tick(T0 + 11 * MINUTE - 1)
    assert room.one()["state"] == "escalated"
    room.tick(T0 + 11 * MINUTE)
    assert (room.one()["state"], room.one()["resolved_at_ms"]) == ("resolved", T0 + 11 * MINUTE)


def test_what_fires_in_the_quiet_time_keeps_the_incident_open() -> None:
    room = Room()
    room.open(alert("a"))
    room.news("a", "resolved", T0 + 1)
    room.open(alert("b"), T0 + 30 * SECOND)
    room.tick(T0 + HOUR)
    assert room.one()["state"] == "escalated"


def test_a_report_in_the_quiet_time_does_not_keep_a_restored_incident_open() -> None:
    room = Room()
    room.open(alert("a"))
    room.news("a", "resolved", T0 + 1)
    room.open(report("r", "the shop is down"), T0 + 30 * SECOND)
    room.tick(T0 + 61 * SECOND)
    assert room.one()["state"] == "resolved"
    assert [each["state"] for each in room.one()["tickets"]] == ["resolved"]


def test_monitors_decide_over_reports_that_nobody_closed() -> None:
    room = Room()
    room.open(report("r", "the shop is down"))
    room.open(alert("a"), T0 + 1)
    room.news("a", "expired", T0 + 2)
    room.tick(T0 + HOUR)
    incident = room.one()
    assert incident["state"] == "resolved"
    assert "fell silent: a is out of bounds" in [each["text"] for each in incident["timeline"]]


def test_a_cluster_of_reports_alone_waits_for_its_tickets() -> None:
    room = Room()
    room.open(report("r1", "the shop is down"))
    room.open(report("r2", "the shop is down"), T0 + 1)
    room.news("r1", "resolved", T0 + 2)
    room.tick(T0 + HOUR)
    assert room.one()["state"] == "logged"
    room.news("r2", "resolved", T0 + HOUR)
    room.tick(T0 + HOUR + MINUTE)
    assert room.one()["state"] == "resolved"


def resolved_room() -> Room:
    """An incident that resolved at T0 + 1 minute."""
    room = Room()
    room.open(alert("a"))
    room.news("a", "resolved", T0)
    room.tick(T0 + MINUTE)
    assert room.one()["state"] == "resolved"
    return room


def test_a_new_run_inside_the_window_reopens_and_the_record_waits_for_somebody_again() -> None:
    room = resolved_room()
    room.open(alert("a"), T0 + 31 * MINUTE, episode_id="EP-again")
    incident = room.one()
    assert (incident["state"], incident["reopened"], incident["resolved_at_ms"]) == ("reopened", 1, None)
    assert incident["resolution"] is None


def test_a_new_run_outside_the_window_opens_a_new_incident() -> None:
    room = resolved_room()
    room.open(alert("a"), T0 + 31 * MINUTE + 1, episode_id="EP-again")
    assert [each["state"] for each in room.incidents().values()] == ["resolved", "logged"]


def test_another_condition_does_not_reopen() -> None:
    room = resolved_room()
    room.open(alert("b"), T0 + 2 * MINUTE)
    assert [each["state"] for each in room.incidents().values()] == ["resolved", "logged"]


def test_a_late_ticket_is_told_that_it_is_restored_and_the_status_page_stays_resolved() -> None:
    room = resolved_room()
    told = [each["state"] for each in room.one()["communications"]]
    room.open(report("late", "the shop is down", users_affected=90_000), T0 + 3 * MINUTE)
    incident = room.one()
    assert (incident["state"], incident["tickets"][0]["state"]) == ("resolved", "resolved")
    assert [each["state"] for each in incident["communications"]] == told


def test_a_resolved_incident_closes_by_itself_and_is_forgotten() -> None:
    room = resolved_room()
    room.tick(T0 + 25 * HOUR)
    assert room.one()["state"] == "closed"
    room.changes()
    left = {key for key in room.state if not key.startswith(b"k/")}  # habits stay: they are what is learned from it
    assert left == {b"spillway.partition", b"o/joined"}
    assert room.processor.next_deadline_ms() is None


def test_news_of_an_episode_whose_incident_is_gone_is_counted_and_changes_nothing() -> None:
    room = resolved_room()
    room.tick(T0 + 25 * HOUR)
    assert room.news("a", "resolved", T0 + 25 * HOUR) == []
    assert room.decisions[-1][1:3] == (Disposition.CONTROL, Reason.INCIDENT_GONE)


def test_an_acknowledgement_at_the_source_acknowledges() -> None:
    room = Room()
    room.open(alert("a"))
    room.news("a", "acknowledged", T0 + 1, kind=Kind.ACKNOWLEDGED)
    assert (room.one()["state"], room.one()["escalation"]["next_at_ms"]) == ("acknowledged", None)


# -- changes that suppress


def work(ended_ms: int | None, **fields: Any) -> dict[str, Any]:
    return change("CHG-1", T0, ended_ms, suppress=True, **fields).model_dump(mode="json")


def test_announced_work_suppresses_and_its_end_lets_in_what_still_fires() -> None:
    room = Room()
    room.put("changes", work(T0 + HOUR), T0)
    assert room.open(alert("a", entity=DB), T0 + 1) == []
    assert room.open(alert("b", entity=DB), T0 + 1) == []
    room.news("b", "resolved", T0 + 2)
    assert {each[1:3] for each in room.decisions} == {(Disposition.SUPPRESSED, Reason.MAINTENANCE)}
    room.tick(T0 + HOUR - 1)
    assert room.incidents() == {}
    room.tick(T0 + HOUR)
    assert (room.one()["episodes_total"], room.one()["symptoms"]) == (1, ["a is out of bounds"])


@pytest.mark.parametrize("ended_ms", [T0 + HOUR, T0 + HOUR - MINUTE])
def test_an_end_that_is_told_when_it_has_come_lets_in_at_once(ended_ms: int) -> None:
    room = Room()
    room.put("changes", work(None), T0)
    room.open(alert("a", entity=DB), T0 + 1)
    room.put("changes", work(ended_ms), T0 + HOUR)
    assert room.one()["episodes_total"] == 1


def test_work_without_an_end_suppresses_for_a_day_at_most() -> None:
    room = Room()
    room.put("changes", work(None), T0)
    room.open(alert("a", entity=DB), T0 + 1)
    room.tick(T0 + 24 * HOUR)
    assert room.one()["state"] == "logged"


# -- bounds


def test_a_revision_does_not_grow_with_the_history_of_its_incident() -> None:
    room = Room()
    room.open(alert("a"))
    sizes = []
    for at in range(300):
        room.ask("note", T0 + at, command_id=f"note-{at:03}", note=f"note {at:03}")
        sizes.append(len(room.effects.outputs[-3].value or b""))
    assert max(sizes[100:]) <= max(sizes[:100]) + 2000


def test_the_record_stays_below_a_kafka_record_whatever_people_write() -> None:
    room = Room()
    room.open(alert("a", summary="\U0001f4a5" * 1_024))
    for at in range(120):
        room.ask("note", T0 + at, note="\U0001f4a5" * 4_000)
        room.ask("link", T0 + at, link={"kind": "chat", "id": f"{at}", "url": "u" * 2_000})
    assert max(len(each.value or b"") for each in room.effects.outputs) < 1 << 20


@pytest.mark.parametrize("body", [None, b"", b"{", b"[]", b"7", b"{}", b'{"schema":1}', b'{"schema":1,"alert":[]}'])
@pytest.mark.parametrize("topic", ["episodes", "changes", "commands"])
def test_what_cannot_be_read_is_a_dead_letter_and_only_episodes_count_as_alerts(topic: str, body: bytes | None) -> None:
    room = Room()
    (letter,) = room.put(topic, body, T0)
    assert (letter.topic, letter.value) == ("dead.letter", body)
    assert room.processor.ledger.received == (topic == "episodes")


def test_nobody_is_paged_by_an_incident_whose_path_ends_before_its_level() -> None:
    room = Room(config(domains={"shop": policy()}))
    room.open(alert("a"))
    room.ask("set_priority", T0 + 1, priority="P4")
    room.tick(T0 + 24 * HOUR)
    assert room.processor.next_deadline_ms() is None or (room.processor.next_deadline_ms() or 0) > T0 + 24 * HOUR
    assert SHOP in room.one()["services"]


def test_that_an_action_of_an_ended_incident_is_done_goes_to_its_problem() -> None:
    room = Room()
    room.open(alert("a"))
    name = room.one()["id"]
    here: dict[str, Any] = {"target": {"incident_id": name}}
    room.ask("add_action", T0 + 1, **here, action={"id": "a1", "text": "raise the pool"})
    room.ask("cancel", T0 + 2, **here, role="commander", reason="false alarm")
    written = room.ask("complete_action", T0 + 3, **here, action={"id": "a1"}, note="raised")
    (onward,) = values(written, "problem.commands")
    assert (onward["problem_id"], onward["action_id"], onward["type"]) == (name, "a1", "complete_action")
