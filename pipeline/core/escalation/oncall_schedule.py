"""The schedule of a rotation: who is on call from when to when, exact to the moment at which anything changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipeline.core.escalation.oncall import OnCall, duty
from pipeline.core.escalation.oncall_calendar import calendar_turns
from pipeline.core.escalation.oncall_turns import duty_spans, hand_offs, to_ms
from pipeline.models.oncall import Rotation

DAY_MS: Final = 86_400_000
LOOK_AHEAD_DAYS: Final = (35, 400)
"""How far the next change is looked for: a month of turns holds most, and a yearly one the rest."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A time in which the same people are on call.

    Attributes:
        start_ms: from this moment on, epoch milliseconds.
        end_ms: until before this moment.
        people: in the order of calling; empty: nobody.
    """

    start_ms: int
    end_ms: int
    people: tuple[OnCall, ...]


def schedule(rotation: Rotation, start_ms: int, end_ms: int) -> Iterator[Shift]:
    """Every shift of a window, without holes and in order; the first and the last are cut at its ends."""
    moments = [start_ms, *_changes(rotation, start_ms, end_ms), end_ms]
    began, people = start_ms, duty(rotation, start_ms)
    for moment in moments[1:-1]:
        following = duty(rotation, moment)
        if _who(following) != _who(people):
            yield Shift(began, moment, people)
            began, people = moment, following
    if began < end_ms:
        yield Shift(began, end_ms, people)


def _who(people: tuple[OnCall, ...]) -> list[tuple[str, str, str]]:
    return [(each.position, each.person, each.layer) for each in people]


def _changes(rotation: Rotation, start_ms: int, end_ms: int) -> list[int]:
    """Every moment inside a window at which anything may change, in order."""
    found: set[int] = set()
    for layer in rotation.whole():
        if layer.people:
            found.update(hand_offs(layer, start_ms, end_ms))
        else:
            found.update(
                moment for each in calendar_turns(layer, start_ms, end_ms) for moment in (each.start_ms, each.end_ms)
            )
        found.update(moment for span in duty_spans(layer, start_ms, end_ms) for moment in span)
    found.update(to_ms(moment) for each in rotation.overrides for moment in (each.start, each.end))
    return sorted(moment for moment in found if start_ms < moment < end_ms)


def next_change(rotation: Rotation, at_ms: int, *, primary_only: bool = True) -> Shift | None:
    """The shift that comes after the one that a moment is in; None where nothing changes within a year.

    Args:
        rotation: whose.
        at_ms: epoch milliseconds.
        primary_only: changes of the secondary alone do not count.
    """

    def concerned(people: tuple[OnCall, ...]) -> list[tuple[str, str]]:
        return [(each.position, each.person) for each in people if each.position == "primary" or not primary_only]

    here = concerned(duty(rotation, at_ms))
    for days in LOOK_AHEAD_DAYS:
        for shift in schedule(rotation, at_ms, at_ms + days * DAY_MS):
            if concerned(shift.people) != here:
                return shift
    return None


def held_until(rotation: Rotation, at_ms: int, held: OnCall) -> int | None:
    """When somebody no longer has a place that they have at a moment; None: not within a year."""
    place = (held.position, held.person)
    for days in LOOK_AHEAD_DAYS:
        for shift in schedule(rotation, at_ms, at_ms + days * DAY_MS):
            if place not in [(each.position, each.person) for each in shift.people]:
                return shift.start_ms
    return None
