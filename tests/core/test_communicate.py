"""Streams of messages: who is told what when, what was promised is kept, and nothing follows the last words."""

from __future__ import annotations

from itertools import pairwise

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.communication import communicate
from pipeline.core.communication.communicate import (
    COMMUNICATIONS_FIRST_KEPT,
    COMMUNICATIONS_MAX,
    LAST_WORDS,
    Words,
    phase,
)
from pipeline.core.draft import Draft
from pipeline.core.practice import ending, response
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.core.practice.lifecycle import ENDED_STATES, OPEN_STATES, Step
from pipeline.models.incident import Incident, incident_from_wire
from pipeline.models.policy import DomainPolicy
from pipeline.models.wire import to_json
from tests.core.builders import HOUR, MINUTE, SECOND, T0, config, policy
from tests.core.desks import desk, later
from tests.core.telling import PAGE, actions, ask, at_desk, begun, messages, run, states, told_by


def test_each_audience_has_a_stream_of_its_own() -> None:
    at = at_desk(public=PAGE, executives={"channel": "board"}, responders={"priorities": ("P2",)})
    incident = begun(at).incident
    assert [(each.audience, each.page, each.state, each.number) for each in incident.communications] == [
        ("public", "status", "investigating", 1),
        ("executives", "board", "investigating", 1),
    ]


def test_an_update_comes_when_it_was_promised_in_whole_minutes_and_promises_the_next() -> None:
    at = at_desk(public=PAGE | {"every_minutes": 15})
    draft = begun(at, now_ms=T0 + 17 * SECOND)
    assert messages(draft.incident)[0].next_update_ms == T0 + 15 * MINUTE
    assert "Next update: 10:15 UTC." in messages(draft.incident)[0].text
    run(at, draft.incident, T0 + 50 * MINUTE)
    assert [(each.kind, each.at_ms - T0) for each in messages(draft.incident)] == [
        ("state", 17 * SECOND), ("update", 15 * MINUTE), ("update", 30 * MINUTE), ("update", 45 * MINUTE)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("every", "priority", "minutes"),
    [
        (20, "P1", 20),
        ({"P1": 5}, "P1", 5),
        ({"P2": 5}, "P1", 30),
        (None, "P1", 30),
        (None, "P2", 60),
        (0, "P1", None),
    ],
)
def test_the_cadence_is_the_audiences_or_else_the_prioritys(
    every: float | dict[str, float] | None, priority: str, minutes: int | None
) -> None:
    at = at_desk(public=PAGE | {"every_minutes": every, "priorities": ("P1", "P2")})
    due_ms = begun(at, priority=priority).incident.streams["public/status"].next_update_ms
    assert due_ms == (None if minutes is None else T0 + minutes * MINUTE)


def test_after_a_long_silence_one_update_is_said_not_all_that_were_missed() -> None:
    at = at_desk(public=PAGE | {"every_minutes": 5})
    draft = begun(at)
    late = later(draft, T0 + 3 * HOUR)
    communicate.on_due(at, late)
    communicate.on_due(at, late)
    assert [each.at_ms for each in messages(draft.incident)] == [T0, T0 + 3 * HOUR]
    assert draft.incident.streams["public/status"].next_update_ms == T0 + 3 * HOUR + 5 * MINUTE


def test_what_somebody_writes_is_the_update_and_moves_the_next_one() -> None:
    at = at_desk(public=PAGE | {"every_minutes": 30})
    draft = begun(at)
    ask(at, draft, "communicate", T0 + 10 * MINUTE, audience="public", text="We have called the provider.")
    said = messages(draft.incident)[-1]
    assert (said.by, said.kind, said.next_update_ms) == ("ann", "message", T0 + 40 * MINUTE)
    assert said.text == "We have called the provider.\n\nNext update: 10:40 UTC."
    assert [due_ms for due_ms, each in run(at, draft.incident, T0 + 45 * MINUTE) if "communication" in actions(each)] \
        == [T0 + 40 * MINUTE]  # fmt: skip


def test_what_somebody_writes_is_never_a_template() -> None:
    at = at_desk(public=PAGE)
    draft = begun(at)
    ask(at, draft, "communicate", T0 + 1, audience="public", text="{{ title }} {% include 'x' %}")
    assert messages(draft.incident)[-1].text.startswith("{{ title }} {% include 'x' %}")


def test_the_life_of_an_incident_is_told_to_its_end_and_no_further() -> None:
    at = at_desk(public=PAGE | {"every_minutes": 30})
    draft = begun(at)
    ask(at, draft, "wait", T0 + MINUTE, waiting_for="provider", link={"kind": "case", "id": "C-1"})
    assert messages(draft.incident)[-1].text.startswith("We cannot solve the problem with Shop alone: we are waiting")
    ask(at, draft, "resume", T0 + 2 * MINUTE)
    ask(at, draft, "mitigate", T0 + 3 * MINUTE, workaround="traffic goes the other way")
    ask(at, draft, "resolve", T0 + 4 * MINUTE, resolution={"code": "fixed", "summary": "done"})
    run(at, draft.incident, T0 + 72 * HOUR)
    assert draft.incident.state == "closed"
    assert states(draft) == ["investigating", "waiting", "investigating", "mitigated", "resolved"]
    assert messages(draft.incident)[-1].next_update_ms is None
    assert "traffic" not in "".join(each.text for each in messages(draft.incident))


def test_a_cancelled_incident_is_told_to_have_been_none() -> None:
    at = at_desk(public=PAGE)
    draft = begun(at)
    ask(at, draft, "cancel", T0 + MINUTE, reason="false alarm", role="commander")
    assert states(draft) == ["investigating", "cancelled"]


def test_an_audience_that_was_told_hears_the_end_though_the_priority_was_lowered() -> None:
    at = at_desk(public=PAGE | {"every_minutes": 5})
    draft = begun(at)
    ask(at, draft, "set_priority", T0 + MINUTE, priority="P3")
    run(at, draft.incident, T0 + HOUR)
    ending.resolve(at, later(draft, T0 + HOUR), MACHINE, None)
    told = [(each.state, each.at_ms - T0, each.next_update_ms) for each in messages(draft.incident)]
    assert told == [
        ("investigating", 0, T0 + 5 * MINUTE), ("investigating", 5 * MINUTE, None), ("resolved", HOUR, None)
    ]  # fmt: skip


def test_an_audience_hears_of_an_incident_when_its_priority_has_risen() -> None:
    at = at_desk(public=PAGE)
    draft = begun(at, priority="P3")
    assert states(draft) == []
    ask(at, draft, "set_priority", T0 + MINUTE, priority="P1")
    assert states(draft) == ["investigating"]


def test_members_of_a_bridge_say_so_once_are_silent_and_speak_again_when_it_lets_them_go() -> None:
    at = at_desk(public=PAGE | {"every_minutes": 5})
    draft = begun(at)
    ask(at, draft, "link_bridge", T0 + MINUTE, bridge_id="MI-1", role="system")
    run(at, draft.incident, T0 + HOUR)
    assert states(draft) == ["investigating", "moved"]
    ask(at, draft, "unlink_bridge", T0 + HOUR, role="system")
    assert states(draft) == ["investigating", "moved", "investigating"]
    ask(at, draft, "link_bridge", T0 + HOUR + 1, bridge_id="MI-2", role="system")
    ending.resolve(at, later(draft, T0 + 2 * HOUR), MACHINE, None)
    communicate.keep(at, later(draft, T0 + 2 * HOUR))
    assert states(draft) == ["investigating", "moved", "investigating", "moved"]


def test_a_bridge_speaks_to_the_audiences_of_all_its_members_domains() -> None:
    packs: dict[str, DomainPolicy] = {
        "shop": policy(communication=told_by(public=PAGE, executives={})),
        "office": policy("office", communication=told_by(public=PAGE | {"channel": "office"}, affected_users={})),
    }
    at = desk(config(domains=packs))
    draft = begun(at, kind="bridge", domains=["office", "shop"])
    assert sorted(draft.incident.streams) == [
        "affected_users/affected_users", "executives/executives", "public/office", "public/status"
    ]  # fmt: skip


# -- bounds, languages, old records


def test_the_record_keeps_the_first_messages_and_the_newest() -> None:
    at = at_desk(public=PAGE | {"every_minutes": 1})
    draft = begun(at)
    run(at, draft.incident, T0 + 3 * HOUR)
    numbers = [each.number for each in messages(draft.incident)]
    assert len(numbers) == COMMUNICATIONS_MAX
    assert numbers[:COMMUNICATIONS_FIRST_KEPT] == [1, 2, 3, 4]
    assert numbers[-1] == draft.incident.streams["public/status"].number == 181


def test_a_message_has_a_text_in_each_language() -> None:
    own = {"investigating": "We zoeken het uit.", "investigating.en": "We look into it."}
    rules = told_by(public=PAGE | {"templates": own}).model_copy(update={"languages": ("nl", "en")})
    (said,) = messages(begun(desk(communication=rules)).incident)
    assert (said.text, said.translations) == ("We zoeken het uit.", {"en": {"subject": "", "text": "We look into it."}})


def test_a_template_that_fails_at_night_is_replaced_by_the_built_in_words_and_told() -> None:
    at = at_desk(public=PAGE | {"templates": {"investigating": "{{ nowhere }}"}})
    draft = begun(at)
    assert messages(draft.incident)[0].text.startswith("Since 10:00 UTC there is a problem with Shop.")
    assert "template_failed" in actions(draft)


def test_streams_and_duties_survive_a_restart_and_records_of_before_have_none() -> None:
    at = at_desk(public=PAGE)
    incident = begun(at).incident
    document = orjson.loads(to_json(incident))
    again = incident_from_wire(orjson.loads(to_json(incident)))
    assert (again.streams, again.communications) == (incident.streams, incident.communications)
    for name in ("streams", "duties", "domains"):
        del document[name]
    document["communications"] = [{"at_ms": 1, "page": "p", "state": "resolved", "text": "x"}]
    old = incident_from_wire(document)
    assert (old.streams, old.duties, old.communications[0].audience) == ({}, [], "public")


# -- invariants

STEPS = st.sampled_from(
    ["tick", "tick", "ack", "wait", "resume", "mitigate", "resolve", "reopen", "P1", "P3", "say", "bridge", "unbridge"]
)


def act(at: Desk, incident: Incident, what: str, now_ms: int) -> None:
    draft = Draft(incident, now_ms)
    match what:
        case "ack":
            response.acknowledge(at, draft, "ann")
        case "wait":
            at.step(draft, Step.WAIT_FOR_VENDOR, "ann", "waits")
        case "resume":
            at.step(draft, Step.RESUME, "ann", "goes on")
        case "mitigate":
            at.step(draft, Step.MITIGATE, "ann", "works again")
        case "resolve":
            ending.resolve(at, draft, MACHINE, None)
        case "reopen":
            ending.reopen(at, draft, "ann", "again")
        case "P1" | "P3":
            incident.priority = what
        case "say":
            state = incident.streams["public/status"].state
            communicate.speak(at, draft, "public", Words(phase(incident, state), "message", "ann", "hello"))
        case "bridge":
            incident.bridge_id = "MI-1"
        case "unbridge":
            incident.bridge_id = None
    communicate.keep(at, draft)


@settings(max_examples=60)
@given(st.lists(st.tuples(STEPS, st.integers(1, 40 * MINUTE)), max_size=25), st.sampled_from([None, 1, 7, 30]))
def test_what_was_promised_is_kept_once_and_nothing_follows_the_end(
    steps: list[tuple[str, int]], every: float | None
) -> None:
    at = at_desk(public=PAGE | {"every_minutes": every})
    incident = begun(at).incident
    stream, now_ms = incident.streams["public/status"], T0
    for what, span_ms in steps:
        now_ms += span_ms
        run(at, incident, now_ms)
        if incident.state not in ENDED_STATES:
            act(at, incident, what, now_ms)
        assert stream.next_update_ms is None or stream.next_update_ms > now_ms
        assert incident.state in OPEN_STATES or (stream.state in LAST_WORDS and stream.next_update_ms is None)
    for before, after in pairwise(messages(incident)):
        if after.number == before.number + 1:  # those between the first and the newest are not kept
            assert before.next_update_ms is None or after.at_ms <= before.next_update_ms, "a promise was missed"
            assert after.kind != "update" or after.at_ms == before.next_update_ms, "an update that nothing made due"
            assert after.kind != "state" or after.state != before.state, "the same was told twice"
            assert before.state not in LAST_WORDS or after.kind != "update", "an update after the end"


APPROVED = {"priorities": ("P1",), "approval": "required"}


def _told_once() -> tuple[Desk, Draft]:
    at = at_desk(public=APPROVED)
    draft = begun(at)
    ask(at, draft, "approve_communication", T0 + 1, role="commander", audience="public")
    return at, draft


def test_a_draft_that_a_person_left_does_not_keep_an_audience_from_hearing_the_end() -> None:
    at, draft = _told_once()
    ask(at, draft, "communicate", T0 + 2, audience="public", text="we expect it at five")
    step = later(draft, T0 + 3)
    ending.resolve(at, step, MACHINE, None)
    communicate.keep(at, step)
    assert [(each.state, each.status, each.by) for each in messages(draft.incident)] == [
        ("investigating", "published", MACHINE), ("resolved", "draft", MACHINE)
    ]  # fmt: skip
    assert "communication_discarded" in actions(step)
    assert [each.number for each in messages(draft.incident)] == [1, 2]


@pytest.mark.parametrize("kind", ["cancel", "close"])
@pytest.mark.parametrize("spoken", [False, True])
def test_what_nobody_can_approve_any_more_is_not_left_open_outside(kind: str, spoken: bool) -> None:
    at, draft = _told_once()
    if kind == "close":
        ending.resolve(at, later(draft, T0 + 3), MACHINE, None)
        if spoken:
            ask(at, draft, "communicate", T0 + 4, audience="public", text="more tomorrow")
        run(at, draft.incident, T0 + 48 * HOUR)
    else:
        ask(at, draft, "cancel", T0 + 3, role="commander", reason="false alarm")
    assert draft.incident.state in ENDED_STATES
    last = messages(draft.incident)[-1]
    assert (last.state in LAST_WORDS, last.status, last.by) == (True, "published", MACHINE)
    assert all(each.status == "published" for each in draft.incident.communications)


def test_an_audience_that_was_told_nothing_is_told_nothing_at_the_end() -> None:
    at = at_desk(public=APPROVED)
    draft = begun(at)
    ask(at, draft, "cancel", T0 + 3, role="commander", reason="false alarm")
    assert messages(draft.incident) == []
