"""What a person resolved while monitors report it still: it has a time to clear, and is reopened after that."""

from __future__ import annotations

from pipeline.models.alert import Severity
from pipeline.models.episode import EpisodeChange
from tests.core.builders import HOUR, MINUTE, T0, alert
from tests.core.rooms import Room


def test_what_got_worse_after_a_person_resolved_it_reopens_and_calls() -> None:
    room = Room()
    room.open(alert("a", severity=Severity.WARNING))
    room.ask("resolve", T0 + MINUTE, resolution={"code": "x", "summary": "done"})
    room.news("a", EpisodeChange.CHANGED, T0 + 2 * MINUTE, severity=Severity.CRITICAL)
    incident = room.one()
    assert (incident["state"], incident["reopened"]) == ("reopened", 1)


def resolved_while_it_fires() -> Room:
    room = Room()
    room.open(alert("a"))
    room.ask("resolve", T0 + MINUTE, resolution={"code": "x", "summary": "done"})
    return room


def test_what_a_person_resolved_and_still_fires_is_reopened_after_the_time_that_it_had_to_clear() -> None:
    room = resolved_while_it_fires()
    room.tick(T0 + 15 * MINUTE)
    assert room.one()["state"] == "resolved"
    room.tick(T0 + 16 * MINUTE)
    incident = room.one()
    assert (incident["state"], incident["reopened"], incident["settle_at_ms"]) == ("reopened", 1, None)
    assert "reopened: ann had resolved it, and 1 still fire" in [each["text"] for each in incident["timeline"]]


def test_what_clears_within_the_time_after_a_person_resolved_it_stays_resolved() -> None:
    room = resolved_while_it_fires()
    room.news("a", EpisodeChange.RESOLVED, T0 + 10 * MINUTE)
    room.tick(T0 + 3 * HOUR)
    incident = room.one()
    assert (incident["state"], incident["reopened"], incident["settle_at_ms"]) == ("resolved", 0, None)


def test_more_of_it_within_that_time_is_noted_and_reopens_nothing_yet() -> None:
    room = resolved_while_it_fires()
    room.open(alert("a"), T0 + 6 * MINUTE, episode_id="EP-a-again")
    incident = room.one()
    assert (incident["state"], incident["episodes_open"]) == ("resolved", 2)
    text = incident["timeline"][-1]["text"]
    assert text == "fires after ann resolved it, and reopens it unless it clears within 10 min: a is out of bounds"
    room.tick(T0 + 16 * MINUTE)
    assert room.one()["state"] == "reopened"


def test_nothing_closes_over_what_a_monitor_still_reports() -> None:
    room = resolved_while_it_fires()
    room.tick(T0 + 48 * HOUR)
    incident = room.one()
    assert (incident["state"], incident["reopened"]) == ("escalated", 1)
