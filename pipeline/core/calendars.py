"""Business hours: whether a moment is inside them, and when a span of working time is over.

Local time, with its daylight saving shifts, through the time zone database.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.models.clocks import BusinessHours

DAYS_AHEAD_MAX: Final = 3_660
"""How far ahead business time is searched: ten years, so that a calendar without working days cannot hang."""


@lru_cache(maxsize=64)
def _holidays(hours: BusinessHours) -> frozenset[date]:
    return frozenset(date.fromisoformat(each) for each in hours.holidays)


def local(hours: BusinessHours, at_ms: int) -> datetime:
    """A moment on the calendar's own wall clock."""
    return datetime.fromtimestamp(at_ms / 1_000, ZoneInfo(hours.timezone))


def is_business_day(hours: BusinessHours, day: date) -> bool:
    """Whether people work on that day."""
    return day.weekday() in hours.days and day not in _holidays(hours)


def is_business_time(hours: BusinessHours, at_ms: int) -> bool:
    """Whether a moment is inside business hours."""
    moment = local(hours, at_ms)
    return is_business_day(hours, moment.date()) and hours.start <= moment.time() < hours.end


def next_business_day(hours: BusinessHours, at_ms: int) -> date:
    """The first working day after the moment's own day.

    Raises:
        ValueError: the calendar has no working day within ten years.
    """
    day = local(hours, at_ms).date()
    for ahead in range(1, DAYS_AHEAD_MAX):
        candidate = day + timedelta(days=ahead)
        if is_business_day(hours, candidate):
            return candidate
    raise ValueError("the business calendar has no working day within ten years: check days and holidays")


def add_business_time(hours: BusinessHours, start_ms: int, span_ms: int) -> int:
    """When a span of working time that begins at a moment is over, epoch milliseconds.

    Raises:
        ValueError: the calendar has no working day within ten years.
    """
    zone = ZoneInfo(hours.timezone)
    day = local(hours, start_ms).date()
    left_ms = span_ms
    for ahead in range(DAYS_AHEAD_MAX):
        today = day + timedelta(days=ahead)
        if not is_business_day(hours, today):
            continue
        opens_ms = _epoch_ms(datetime.combine(today, hours.start, zone))
        closes_ms = _epoch_ms(datetime.combine(today, hours.end, zone))
        from_ms = max(start_ms, opens_ms)
        available_ms = closes_ms - from_ms
        if available_ms <= 0:
            continue
        if left_ms <= available_ms:
            return from_ms + left_ms
        left_ms -= available_ms
    raise ValueError("the business calendar has no working day within ten years: check days and holidays")


def _epoch_ms(moment: datetime) -> int:
    return round(moment.astimezone(UTC).timestamp() * 1_000)
