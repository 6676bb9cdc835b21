"""Chronic alerts rank lower and learned holds wait, by what earlier runs came to; neither hides what is real."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.models.alert import Alert, Severity
from pipeline.models.closure import Closure
from pipeline.models.decision import Disposition, Reason
from pipeline.models.episode import EpisodeChange
from pipeline.models.fatigue import ChronicRule
from pipeline.models.policy import Config
from pipeline.models.scales import UrgencyRule
from tests.core.builders import (
    DB,
    HOUR,
    MINUTE,
    PAY,
    SECOND,
    SHOP,
    T0,
    WIKI,
    Bench,
    alert,
    config,
    feed,
    opened,
    policy,
    report,
    values,
)
from tests.core.rooms import Room, actions

DAY = 24 * HOUR
URGENT_WARNINGS = (UrgencyRule(level="high", severity_at_least="warning"), UrgencyRule(level="low"))


def setup(**fields: Any) -> Config:
    """Warnings page here, unless they are chronic."""
    rule = ChronicRule(**({"incidents_at_least": 4, "days_at_least": 3} | fields))
    closure = Closure(close_after_minutes=60, reopen_minutes=0)
    return config(domains={"shop": policy(chronic=rule, urgency=URGENT_WARNINGS, closure=closure)})


def warning(key: str = "a", **fields: Any) -> Alert:
    return alert(key, **({"severity": Severity.WARNING} | fields))


def an_incident(room: Room, at_ms: int, about: Alert, episode: str, *, acknowledged: bool = False) -> None:
    """One that a condition opens, and that is closed two hours later."""
    room.open(about, at_ms, episode_id=episode)
    if acknowledged:
        room.ask("acknowledge", at_ms + SECOND)
    clears = opened(about, at_ms + 10 * MINUTE, episode_id=episode, change=EpisodeChange.RESOLVED, reason="resolved")
    room.put("episodes", clears, at_ms + 10 * MINUTE)
    room.tick(at_ms + 2 * HOUR)


def after_days(setup_: Config, *, mattered_days: int = 0, days: int = 6) -> tuple[Room, int]:
    """A room in which condition ``a`` has been in an incident every morning; and the next morning."""
    room = Room(setup_)
    for day in range(days):
        an_incident(room, T0 + day * DAY, warning(), f"EP-day{day}", acknowledged=day < mattered_days)
    return room, T0 + days * DAY


def newest(room: Room) -> dict[str, Any]:
    return list(room.incidents().values())[-1]


def test_what_is_chronic_opens_an_incident_of_the_lowest_urgency_that_pages_nobody_and_says_why() -> None:
    room, now_ms = after_days(setup())
    first = next(iter(room.incidents().values()))
    assert (first["urgency"], "page" in actions(first), first["chronic"]) == ("high", True, None)
    room.open(warning(), now_ms, episode_id="EP-next")
    incident = newest(room)
    assert (incident["urgency"], "page" in actions(incident)) == ("low", False)
    assert (incident["chronic"]["alert_key"], incident["chronic"]["mattered"]) == ("a", 0.0)
    assert incident["chronic"]["incidents"] > 4
    assert any(each.startswith("urgency low: chronic, it was in some ") for each in incident["priority_because"])
    assert chronic_texts(incident)[0].startswith("chronic, so it has the lowest urgency: it was in some ")


def chronic_texts(incident: dict[str, Any]) -> list[str]:
    return [each["text"] for each in incident["timeline"] if each["action"] == "chronic"]


def test_other_evidence_ends_it_at_once_and_pages() -> None:
    room, now_ms = after_days(setup())
    room.open(warning(), now_ms, episode_id="EP-next")
    room.open(warning("b", entity=PAY, service=PAY), now_ms + MINUTE)
    incident = newest(room)
    assert (incident["chronic"], incident["urgency"], "page" in actions(incident)) == (None, "high", True)
    assert chronic_texts(incident)[-1] == "counts as chronic no longer: b is out of bounds speaks for it too"


def test_a_persons_report_is_other_evidence() -> None:
    room, now_ms = after_days(setup())
    room.open(warning(), now_ms, episode_id="EP-next")
    room.open(report("t", "the shop is slow", entity=SHOP, service=SHOP), now_ms + MINUTE)
    assert newest(room)["chronic"] is None


def test_a_rise_in_severity_ends_it_at_once_and_pages() -> None:
    room, now_ms = after_days(setup())
    room.open(warning(), now_ms, episode_id="EP-next")
    worse = opened(alert("a"), now_ms + MINUTE, episode_id="EP-next", change=EpisodeChange.CHANGED)
    room.put("episodes", worse, now_ms + MINUTE)
    incident = newest(room)
    assert (incident["chronic"], incident["urgency"], "page" in actions(incident)) == (None, "high", True)


def test_an_incident_that_a_person_merges_into_it_is_other_evidence() -> None:
    room, now_ms = after_days(setup())
    room.open(warning(), now_ms, episode_id="EP-next")
    chronic = newest(room)
    room.open(warning("w", entity=WIKI, service=WIKI, domain="office"), now_ms + 1)
    other = newest(room)["id"]
    room.ask("merge", now_ms + 2, target={"incident_id": other}, into=chronic["id"])
    assert chronic["chronic"] is not None
    assert room.incidents()[chronic["id"]]["chronic"] is None


def test_another_run_of_the_same_condition_is_no_other_evidence() -> None:
    room, now_ms = after_days(setup())
    room.open(warning(), now_ms, episode_id="EP-next")
    room.open(warning(), now_ms + MINUTE, episode_id="EP-again")
    assert newest(room)["chronic"] is not None


@pytest.mark.parametrize(
    ("fields", "history", "about"),
    [
        ({"severity_at_most": None}, {}, warning()),
        ({}, {}, alert("a")),
        ({}, {"mattered_days": 3}, warning()),
        ({}, {"days": 3}, warning()),
        ({"days_at_least": 9}, {}, warning()),
        ({}, {}, warning("other")),
    ],
    ids=["switched off", "too severe", "has mattered", "too seldom", "on too few days", "another condition"],
)
def test_what_is_not_chronic_keeps_its_urgency(fields: dict[str, Any], history: dict[str, Any], about: Alert) -> None:
    room, now_ms = after_days(setup(**fields), **history)
    room.open(about, now_ms, episode_id="EP-next")
    assert (newest(room)["chronic"], newest(room)["urgency"]) == (None, "high")


def test_by_default_nothing_above_a_warning_ranks_lower() -> None:
    assert ChronicRule().severity_at_most == "warning"


def test_an_incident_of_an_older_release_is_read_as_one_that_is_not_chronic() -> None:
    room = Room()
    room.open(alert("a"))
    room.changes()
    (key,) = (each for each in room.state if each.startswith(b"i/"))
    room.state[key] = room.state[key].replace(b'"chronic":null,', b"")
    room.restart()
    room.news("a", EpisodeChange.RESOLVED, T0 + 1)
    assert room.one()["chronic"] is None


# -- learned holds


def learning() -> Config:
    return config(feeds={"monitor": feed(hold_seconds={"warning": "learned"}, hold_learned={"most_seconds": 300})})


def learned(about: Alert, at_ms: int, episode: str) -> Any:
    limits = {"least_seconds": 60, "most_seconds": 300}
    return opened(about, at_ms, episode_id=episode, hold_until_ms=at_ms + 300 * SECOND, facts=limits)


def after_runs(count: int, seconds: int = 40) -> Room:
    """A room in which runs of ``a`` have ended by themselves, each in an incident of its own."""
    room = Room(learning())
    for number in range(count):
        at_ms = T0 + number * HOUR
        room.put("episodes", learned(warning(), at_ms, f"EP-{number}"), at_ms)
        over_ms = at_ms + seconds * SECOND
        clears = opened(warning(), over_ms, episode_id=f"EP-{number}", change=EpisodeChange.RESOLVED, reason="resolved")
        room.put("episodes", clears, over_ms)
    return room


def test_dedupe_says_within_which_limits_a_hold_may_be_learned() -> None:
    desk = Bench("dedupe", learning())
    (event,) = values(desk.put("alerts", warning(), T0), "episodes")
    assert event["hold_until_ms"] == T0 + 300 * SECOND
    assert event["facts"] == {"least_seconds": 60, "most_seconds": 300}


def test_nothing_waits_before_anything_was_learned() -> None:
    room = after_runs(5)
    assert Disposition.HELD not in {each.disposition for each in room.decisions}


def test_what_usually_passes_by_itself_waits_for_as_long_as_that_takes_and_says_so() -> None:
    room = after_runs(6)
    at_ms = T0 + 10 * HOUR
    room.put("episodes", learned(warning(), at_ms, "EP-now"), at_ms)
    assert (room.decisions[-1].disposition, room.decisions[-1].reason) == (Disposition.HELD, Reason.TRANSIENT)
    room.tick(at_ms + 60 * SECOND)
    facts = [each["facts"] for each in newest(room)["timeline"] if each["action"] == "held"]
    (told,) = facts
    assert (told["waited_ms"], told["held_for"]["learned_seconds"], told["held_for"]["of"]) == (60_000, 60, "condition")
    assert told["held_for"]["runs"] == pytest.approx(5.8, abs=0.2)


def test_what_usually_lasts_does_not_wait() -> None:
    room = after_runs(8, seconds=2_000)
    room.put("episodes", learned(warning(), T0 + 10 * HOUR, "EP-now"), T0 + 10 * HOUR)
    assert room.decisions[-1].disposition in (Disposition.OPENED, Disposition.JOINED)


def test_a_learned_hold_ends_at_once_when_evidence_speaks_for_it() -> None:
    room = after_runs(6)
    at_ms = T0 + 10 * HOUR
    room.tick(at_ms - MINUTE)
    room.put("episodes", learned(warning(entity=DB, service=PAY), at_ms, "EP-now"), at_ms)
    room.open(alert("outage", entity=PAY, service=PAY), at_ms + SECOND)
    assert newest(room)["episodes_total"] == 2


def test_what_was_learned_survives_a_restart_byte_by_byte() -> None:
    room = after_runs(6)
    room.changes()
    before = {key: value for key, value in room.state.items() if key.startswith(b"k/")}
    room.restart()
    for key in before:
        room.processor.touch(key.decode())
    room.changes()
    assert {key: value for key, value in room.state.items() if key.startswith(b"k/")} == before
    assert len(before) == 2, "the condition's habit and its rule's"
