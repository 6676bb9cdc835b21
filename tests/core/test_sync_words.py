"""Sync: words, cases and merges that come back from a downstream, and what is no update at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.practice.commands import parse_command
from pipeline.core.step import StreamRecord
from pipeline.models.decision import Reason
from pipeline.models.sinks.base import Owners
from tests.core.downstream import became, commands
from tests.core.sync_office import office


def test_words_of_people_there_are_noted_once_and_are_no_news_there() -> None:
    desk = office()
    desk.there["desk"].note(desk.ticket(), "the disk is full", desk.now_ms)
    [update] = desk.there["desk"].updates
    [command] = commands(desk.hear())
    assert (command["type"], command["note"], command["actor"]) == ("note", "the disk is full", "kim")
    assert "audience" not in command
    assert commands(desk.back(update | {"update_id": "polled", "kind": "read"})) == []
    entry = {
        "at_ms": desk.now_ms,
        "event_at_ms": desk.now_ms,
        "action": "note",
        "actor": "kim",
        "text": "the disk is full",
    }
    other = {"at_ms": desk.now_ms, "event_at_ms": None, "action": "note", "actor": "ann", "text": "seen"}
    desk.event(2, "noted", entries=[entry, other])
    desk.deliver()
    assert desk.ticket().notes == ["1 opened number 1", "2 note seen"]


def test_words_stay_there_where_notes_are_ours() -> None:
    desk = office(owners=Owners(notes="ours"))
    desk.there["desk"].note(desk.ticket(), "secret", desk.now_ms)
    found = desk.hear()
    assert (became(found)["note"], commands(found)) == ("stays_there", [])


def test_cases_and_vendor_tickets_that_hang_on_it_there_hang_on_it_here() -> None:
    desk = office()
    link = {"kind": "support_case", "id": "9014", "url": "https://cloud.example/9014", "state": "open"}
    desk.there["desk"].edit(desk.ticket(), "state", "waiting", desk.now_ms, links=[link])
    found = {each["type"]: each for each in commands(desk.hear())}
    assert found["link"]["link"] == {**link, "kind": "provider_case"}
    assert found["wait"]["waiting_for"] == "provider"
    desk.there["desk"].edit(desk.ticket(), "priority", "P2", desk.now_ms, links=[link])
    assert [each["type"] for each in commands(desk.hear())] == ["set_priority"]


def test_a_merge_there_is_a_merge_here() -> None:
    desk = office()
    desk.there["desk"].edit(desk.ticket(), "priority", "P2", desk.now_ms, duplicate_of="INC-2")
    assert [(each["type"], each.get("into")) for each in commands(desk.hear())][-1] == ("merge", "INC-2")


def test_how_it_was_resolved_there_documents_what_ended_by_itself() -> None:
    desk = office()
    desk.event(2, "resolved", state="resolved", resolution={"by": "spillway"})
    desk.deliver()
    desk.hear()
    said = {"resolution": "restarted it", "resolution_code": "fixed"}
    desk.there["desk"].edit(desk.ticket(), "title", "Shop fails (disk)", desk.now_ms, **said)
    [command] = commands(desk.hear())
    assert command["resolution"]["summary"] == "restarted it"


@pytest.mark.parametrize("value", [{}, {"schema": 1}, {"schema": 1, "sink": "desk", "fields": {"state": "asleep"}}])
def test_what_is_no_update_is_in_the_dead_letter(value: dict[str, Any]) -> None:
    desk = office()
    record = {"schema": 2} | value
    with pytest.raises(AssertionError, match="dead"):
        desk.put("sink.updates", "INC-1", record)
    [letter] = [each for each in desk.effects.outputs if each.topic == "dead.letter"]
    assert dict(letter.headers)["spillway-reason"] in {Reason.UNKNOWN_SCHEMA.encode(), Reason.WRONG_TYPE.encode()}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_HOSTILE = st.fixed_dictionaries(
    {},
    optional={
        "kind": _JSON | st.sampled_from(["changed", "read", "gone", "retry"]),
        "update_id": _JSON,
        "sink": st.sampled_from(["desk", "*", "other", ""]),
        "incident_id": st.sampled_from(["INC-1", "*", "", "INC-2"]),
        "at": _JSON | st.sampled_from(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-03-10T10:00:00+14:00"]),
        "author": _JSON,
        "own": _JSON,
        "person": _JSON,
        "fields": _JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(("state", "priority", "assignee"), _JSON)),
        "notes": _JSON | st.lists(st.fixed_dictionaries({"id": st.text(max_size=5), "text": st.text(max_size=9)})),
        "links": _JSON,
        "duplicate_of": _JSON,
        "resolution": _JSON,
        "remote_id": _JSON | st.just("T0"),
    },
)


@given(_HOSTILE, st.booleans())
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # the machine has other work too
def test_whatever_comes_is_taken_or_a_dead_letter_and_never_stops_the_stage(value: dict[str, Any], whole: bool) -> None:
    desk = office()
    sure = {"schema": 1, "update_id": "u", "sink": "desk", "incident_id": "INC-1", "at": "2026-03-10T10:00:00Z"}
    record = StreamRecord("sink.updates", 0, 1, desk.now_ms, b"k", json.dumps((sure if whole else {}) | value).encode())
    before = len(desk.effects.outputs)
    desk.processor.handle_one(record, desk.effects)
    desk.processor.finish(desk.effects)
    for each in desk.effects.outputs[before:]:
        if each.topic in ("commands", "bridge.commands"):
            parse_command(each.value)
    assert len(desk.processor.take_changes()) <= 2


def test_who_is_called_like_the_machine_there_is_not_the_machine_here() -> None:
    desk = office()
    desk.there["desk"].edit(desk.ticket(), "priority", "P2", desk.now_ms, "spillway")
    [command] = commands(desk.hear())
    assert (command["type"], command["actor"], command["role"]) == ("set_priority", "desk", "source")
