"""What people say to audiences: approved or not, refused in words, and never overwritten."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.practice import ending
from pipeline.core.practice.desk import MACHINE
from pipeline.models.wire import to_json
from tests.core.builders import MINUTE, T0
from tests.core.desks import later
from tests.core.telling import PAGE, actions, ask, at_desk, begun, messages, run


def test_a_public_message_is_a_draft_until_a_commander_approves_it() -> None:
    at = at_desk(public={"every_minutes": 10})
    draft = begun(at)
    (waiting,) = messages(draft.incident)
    assert (waiting.status, draft.incident.streams["public/status"].published) == ("draft", 0)
    refused = ask(at, draft, "approve_communication", T0 + MINUTE, audience="public")
    assert actions(refused) == ["refused_approve_communication"]
    ask(at, draft, "approve_communication", T0 + 2 * MINUTE, audience="public", role="commander")
    assert (waiting.status, waiting.approved_by, waiting.at_ms) == ("published", "ann", T0 + 2 * MINUTE)


def test_a_draft_is_brought_up_to_date_and_never_piles_up() -> None:
    at = at_desk(public={"every_minutes": 10})
    draft = begun(at)
    run(at, draft.incident, T0 + 35 * MINUTE)
    (waiting,) = messages(draft.incident)
    assert (waiting.number, waiting.kind, waiting.next_update_ms) == (1, "update", T0 + 40 * MINUTE)


def test_what_a_person_drafted_is_not_overwritten() -> None:
    at = at_desk(public={"every_minutes": 10})
    draft = begun(at)
    ask(at, draft, "note", T0 + MINUTE, audience="public", note="Please pay by card only.")
    (waiting,) = messages(draft.incident)
    done = [action for _, each in run(at, draft.incident, T0 + 35 * MINUTE) for action in actions(each)]
    assert messages(draft.incident) == [waiting]
    assert (waiting.by, waiting.status) == ("ann", "draft")
    assert done.count("communication_draft") == 3


def test_what_was_never_published_needs_no_end() -> None:
    at = at_desk(public={})
    draft = begun(at)
    step = later(draft, T0 + MINUTE)
    ending.resolve(at, step, MACHINE, None)
    assert messages(draft.incident) == []
    assert "communication_discarded" in actions(step)


def test_a_discarded_draft_is_gone_and_its_number_is_given_again() -> None:
    at = at_desk(public={})
    draft = begun(at)
    ask(at, draft, "discard_communication", T0 + 1, audience="public", note="too early")
    assert messages(draft.incident) == []
    assert actions(ask(at, draft, "discard_communication", T0 + 2, audience="public")) == [
        "refused_discard_communication"
    ]
    ask(at, draft, "communicate", T0 + 3, audience="public", text="hello", role="commander")
    assert [(each.number, each.status) for each in messages(draft.incident)] == [(1, "published")]


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("communicate", {}, "lacks audience"),
        ("communicate", {"audience": "press", "text": "x"}, "there is no audience press; known: internal, affected_u"),
        ("communicate", {"audience": "public", "state": "fine"}, "there is no state fine; known: investigating, ident"),
        ("note", {"audience": "press", "note": "x"}, "there is no audience press"),
        ("approve_communication", {"audience": "executives", "role": "commander"}, "no message for executives waits"),
        ("fulfil_duty", {"duty": "gdpr", "note": "told"}, "it owes no notice gdpr; it owes: none"),
        ("fulfil_duty", {"duty": "gdpr"}, "lacks note"),
    ],
)
def test_what_cannot_be_said_is_refused_in_words_and_changes_nothing(
    kind: str, fields: dict[str, Any], words: str
) -> None:
    at = at_desk(public=PAGE)
    draft = begun(at)
    before = to_json(draft.incident)
    step = ask(at, draft, kind, T0 + 1, **fields)
    assert (actions(step), to_json(draft.incident)) == ([f"refused_{kind}"], before)
    assert words in step.entries[0].text


@pytest.mark.parametrize("audience", ["affected_users", "executives", "responders"])
def test_a_note_to_an_audience_is_a_message_to_it_and_an_internal_one_is_none(audience: str) -> None:
    at = at_desk()
    draft = begun(at)
    ask(at, draft, "note", T0 + 1, note="for us alone")
    ask(at, draft, "note", T0 + 2, note="for us alone", audience="internal")
    assert draft.incident.communications == []
    ask(at, draft, "note", T0 + 3, note="please wait", audience=audience)
    assert [each.text.partition("\n")[0] for each in messages(draft.incident, audience)] == ["please wait"]
