"""The timeline as an audit: what each action changed, and seals that show every change made afterwards."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.chain import Sealed, content_of, first_break, seal
from pipeline.core.draft import Draft
from pipeline.models.incident import Incident
from tests.core.builders import MINUTE, PAY, T0, alert
from tests.core.rooms import Room


def told() -> list[dict[str, Any]]:
    """The events of an incident from its opening to its resolution."""
    room = Room()
    room.open(alert("a", event_at_ms=T0 - MINUTE))
    room.open(alert("b", entity=PAY), T0 + MINUTE)
    room.news("a", "resolved", T0 + 2 * MINUTE)
    room.news("b", "resolved", T0 + 3 * MINUTE)
    room.tick(T0 + 10 * MINUTE)
    return [orjson.loads(each.value or b"") for each in room.effects.outputs if each.topic == "incidents"]


def sealed(events: list[dict[str, Any]]) -> list[Sealed]:
    """The events as the records store keeps them."""
    found = []
    for event in events:
        content = content_of(*(event[name] for name in ("incident_id", "revision", "change", "at_ms", "entries")))
        found.append(Sealed(event["revision"], content.decode(), event["incident"]["chain"]))
    return found


def test_each_revision_is_sealed_with_the_one_before() -> None:
    events = told()
    assert len(events) >= 4
    before = [event["chain_before"] for event in events]
    assert before == ["", *(event["incident"]["chain"] for event in events[:-1])]
    assert first_break(sealed(events), events[-1]["incident"]["chain"]) is None


def _changed(chain: list[Sealed], at: int) -> list[Sealed]:
    text = chain[at].content.replace("spillway", "nobody", 1)
    return [*chain[:at], chain[at]._replace(content=text), *chain[at + 1 :]]


def _sealed_again(chain: list[Sealed], at: int) -> list[Sealed]:
    """The forger knows the method, and makes every seal after the change anew."""
    forged, before = [], ""
    for each in _changed(chain, at):
        before = seal(before, each.content.encode())
        forged.append(each._replace(seal=before))
    return forged


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize(
    "forge",
    [
        _changed,
        _sealed_again,
        lambda chain, at: [*chain[:at], *chain[at + 1 :]],
        lambda chain, at: [*chain[:at], chain[at], chain[at], *chain[at + 1 :]],
        lambda chain, at: [*chain[:at], *reversed(chain[at:])] if at < len(chain) - 1 else chain[:at],
    ],
    ids=["changed", "changed and sealed again", "removed", "doubled", "turned round"],
)
def test_whatever_is_changed_afterwards_is_noticed(at: int, forge: Any) -> None:
    events = told()
    head = events[-1]["incident"]["chain"]
    assert first_break(forge(sealed(events), at), head) is not None


def test_the_newest_revisions_cannot_be_left_out() -> None:
    events = told()
    assert first_break(sealed(events)[:-1], events[-1]["incident"]["chain"]) is not None
    assert first_break([], events[-1]["incident"]["chain"]) is not None


def test_a_record_that_an_older_release_began_is_sealed_from_where_this_one_took_over() -> None:
    content = sealed(told())[2].content
    taken_over = Sealed(3, content, seal("", content.encode()))
    assert first_break([taken_over], taken_over.seal) is None


def test_an_action_says_what_it_changed_and_when_it_happened() -> None:
    entries = [each for event in told() for each in event["entries"]]
    first = entries[0]
    assert first["at_ms"] - first["event_at_ms"] == MINUTE
    moves = [each["changed"]["state"] for each in entries if "state" in (each["changed"] or {})]
    assert moves == [["detected", "logged"], ["logged", "resolved"]]


WORDS = st.sampled_from(["P1", "P2", "P3"])


@given(st.lists(st.tuples(st.sampled_from(["priority", "assignee", "service"]), WORDS, st.booleans()), max_size=12))
def test_the_changes_on_the_record_lead_from_the_first_state_to_the_last(moves: list[tuple[str, str, bool]]) -> None:
    incident = Incident(id="INC-1", space="s")
    start = {name: getattr(incident, name) for name in ("priority", "assignee", "service")}
    draft = Draft(incident, T0)
    draft.note("begin", "ann", "begins")
    for name, value, noted in moves:
        setattr(incident, name, value)
        if noted:
            draft.note("move", "ann", f"{name} is {value}")
    draft.finish()
    for entry in draft.entries:
        for name, (was, became) in (entry.changed or {}).items():
            assert start[name] == was != became
            start[name] = became
    assert start == {name: getattr(incident, name) for name in start}
