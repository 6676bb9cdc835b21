"""Turns of one layer: local wall-clock times as moments, exact over daylight saving, and whose turn a moment is in.

A wall-clock time that comes twice means the first of the two. One that never comes, in the gap of a shift, means the
moment after the gap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.models.oncall import DutyHours, Layer

SECOND_MS: Final = 1_000
DAY: Final = timedelta(days=1)
MIDNIGHT: Final = time(0, 0)


def from_ms(at_ms: int) -> datetime:
    """Epoch milliseconds as a moment in UTC."""
    return datetime.fromtimestamp(at_ms // SECOND_MS, UTC) + timedelta(milliseconds=at_ms % SECOND_MS)


def to_ms(moment: datetime) -> int:
    """An aware moment as epoch milliseconds."""
    return round(moment.timestamp() * SECOND_MS)


def wall_of(at_ms: int, zone: ZoneInfo) -> datetime:
    """What a clock on the wall of a zone shows, without the zone."""
    return from_ms(at_ms).astimezone(zone).replace(tzinfo=None)


@lru_cache(maxsize=4_096)
def wall_ms(wall: datetime, zone: ZoneInfo) -> int:
    """When a clock on the wall of a zone shows a time, epoch milliseconds. Of two such moments the first."""
    first = to_ms(wall.replace(tzinfo=zone))
    if wall_of(first, zone) == wall:
        return first
    # In the gap of a shift: the shift itself is the moment after it, between the two readings of the wall.
    before, after = to_ms(wall.replace(tzinfo=zone, fold=1)), first
    while after - before > SECOND_MS:
        middle = (before + after) // (2 * SECOND_MS) * SECOND_MS
        before, after = (before, middle) if wall_of(middle, zone) > wall else (middle, after)
    return after


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn, or one event of a calendar.

    Attributes:
        start_ms: from this moment on, epoch milliseconds.
        end_ms: until before this moment.
        people: who has it, first called first.
        following: who come next, in order; empty where that is not known.
        because: why they have it, in words.
    """

    start_ms: int
    end_ms: int
    people: tuple[str, ...]
    following: tuple[str, ...] = ()
    because: str = ""


def zone_of(layer: Layer) -> ZoneInfo:
    """The zone of a layer of `Rotation.whole`."""
    return ZoneInfo(layer.timezone or "UTC")


def turn_at(layer: Layer, at_ms: int) -> Turn:
    """The turn of a layer of people that a moment is in. Before the first hand-off the turns run backwards."""
    zone = zone_of(layer)
    first, length = _first(layer, zone), layer.length
    number = (wall_of(at_ms, zone) - first) // length
    # The wall clock goes back once a year: it may show a time of another turn.
    while wall_ms(first + number * length, zone) > at_ms:
        number -= 1
    while wall_ms(first + (number + 1) * length, zone) <= at_ms:
        number += 1
    count = len(layer.people)
    order = tuple(layer.people[(number + ahead) % count] for ahead in range(count))
    return Turn(
        wall_ms(first + number * length, zone),
        wall_ms(first + (number + 1) * length, zone),
        order[: layer.at_once],
        order[layer.at_once :],
    )


def _first(layer: Layer, zone: ZoneInfo) -> datetime:
    """The first hand-off on the wall clock."""
    start = layer.start
    if not isinstance(start, datetime):
        raise TypeError(f"layer '{layer.name}' has no first hand-off")
    wall = start.astimezone(zone).replace(tzinfo=None) if start.tzinfo is not None else start
    return wall if layer.hand_off is None else datetime.combine(wall.date(), layer.hand_off)


def hand_offs(layer: Layer, start_ms: int, end_ms: int) -> Iterator[int]:
    """Every hand-off of a layer of people after a moment and before another."""
    at_ms = start_ms
    while (at_ms := turn_at(layer, at_ms).end_ms) < end_ms:
        yield at_ms


def is_on_duty(layer: Layer, at_ms: int) -> bool:
    """Whether the hours of a layer let it be on."""
    if not layer.on_duty:
        return True
    return any(start <= at_ms < end for start, end in duty_spans(layer, at_ms, at_ms + 1))


def duty_spans(layer: Layer, start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """Hours on duty that touch a window, as written: those that meet are not joined."""
    zone = zone_of(layer)
    day = wall_of(start_ms, zone).date() - DAY
    last = wall_of(end_ms, zone).date()
    while day <= last:
        for hours in layer.on_duty:
            if day.weekday() in hours.days:
                opens, closes = _hours_of(hours, day, zone)
                if opens < end_ms and closes > start_ms and opens < closes:
                    yield opens, closes
        day += DAY


def _hours_of(hours: DutyHours, day: date, zone: ZoneInfo) -> tuple[int, int]:
    closing = day if hours.end > hours.start else day + DAY
    return wall_ms(datetime.combine(day, hours.start), zone), wall_ms(datetime.combine(closing, hours.end), zone)
