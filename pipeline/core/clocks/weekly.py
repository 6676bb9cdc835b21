"""What is written in a calendar, read: spans of the week, own and public holidays, extra working days."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Final, NamedTuple

from holidays import country_holidays

from pipeline.models.clocks import BusinessHours, PublicHolidays

DAY_MINUTES: Final = 24 * 60

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

STRETCH_DAYS_MAX: Final = 366
"""Days of one stretch of holidays: a year; a longer one is a slip of the pen."""

PUBLIC_YEARS: Final = range(1970, 2_101)
"""Years whose public holidays are asked: the library's own bounds for most countries, within which it is tested."""

NAMES_LOOKED_FOR_IN: Final = range(2_024, 2_034)
"""Years in which a holiday's name must occur, so that an exception is not of a day that never comes."""

LANGUAGE: Final = "en_US"
"""Of holidays' names, where the library has it; a day's name must not depend on a machine's locale."""

Span = tuple[int, int]
"""Minutes from midnight; the end may be over 24 hours."""

_SPAN: Final = re.compile(r"(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_YEARLY: Final = re.compile(r"(\d\d)-(\d\d)")
_LEAP_YEAR: Final = 2_000


class WrongCalendar(ValueError):
    """A part of a calendar means nothing.

    Attributes:
        path: of the field that is wrong, inside the calendar.
    """

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.path = path


class Week(NamedTuple):
    """When people work: by weekday, Monday first, and on extra days."""

    days: tuple[tuple[Span, ...], ...]
    extra: dict[date, tuple[Span, ...]]


def week_of(hours: BusinessHours) -> Week:
    """The working spans of a calendar.

    Raises:
        WrongCalendar: a weekday or span that is none.
    """
    days: list[tuple[Span, ...]] = [()] * len(WEEKDAYS)
    if hours.week is None:
        plain = (hours.start.hour * 60 + hours.start.minute, hours.end.hour * 60 + hours.end.minute)
        for day in hours.days:
            if 0 <= day < len(WEEKDAYS):
                days[day] = (plain,)
    for key, texts in (hours.week or {}).items():
        spans = tuple(_span(text, "week", key, index) for index, text in enumerate(texts))
        for day in _weekdays(key):
            if days[day]:
                raise WrongCalendar(f"week: {WEEKDAYS[day]} is there twice", "week", key)
            days[day] = spans
    return Week(tuple(days), dict(_extra(hours, days)))


def _extra(hours: BusinessHours, days: list[tuple[Span, ...]]) -> Iterator[tuple[date, tuple[Span, ...]]]:
    usual = next((spans for spans in days if spans), ())
    written = hours.working_days
    for index, text in enumerate(written):
        key: str | int = text if isinstance(written, Mapping) else index
        day = _date(text, "working_days", key)
        if isinstance(written, Mapping) and written[text]:
            yield day, tuple(_span(each, "working_days", key, place) for place, each in enumerate(written[text]))
        else:
            yield day, days[day.weekday()] or usual


def _weekdays(key: str) -> Iterator[int]:
    """The days that ``monday``, ``monday-friday`` or ``saturday, sunday`` mean."""
    for part in key.lower().split(","):
        names = [name.strip() for name in part.split("-")]
        if len(names) > 2 or any(name not in WEEKDAYS for name in names):
            raise WrongCalendar(f"week: '{key}' is no day or span of days, as monday or monday-friday", "week", key)
        first, last = WEEKDAYS.index(names[0]), WEEKDAYS.index(names[-1])
        if last < first:
            raise WrongCalendar(f"week: '{key}' ends before it begins; the week begins on monday", "week", key)
        yield from range(first, last + 1)


def _span(text: str, *path: str | int) -> Span:
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise WrongCalendar(f"{path[0]}: '{text}' is no span of time, as 09:00-17:30", *path)
    hour, minute, to_hour, to_minute = map(int, found.groups())
    begins, ends = hour * 60 + minute, to_hour * 60 + to_minute
    if minute > 59 or to_minute > 59 or begins >= DAY_MINUTES or ends > DAY_MINUTES:
        raise WrongCalendar(f"{path[0]}: '{text}' has a time that no day has; midnight at its end is 24:00", *path)
    if begins == ends:
        raise WrongCalendar(f"{path[0]}: '{text}' has no length; the whole day is 00:00-24:00", *path)
    return (begins, ends if ends > begins else ends + DAY_MINUTES)


def days_of(hours: BusinessHours) -> tuple[dict[date, str], dict[tuple[int, int], str]]:
    """Own holidays of a calendar with their names: by date, and by month and day of each year.

    Raises:
        WrongCalendar: a text that is no date.
    """
    own: dict[date, str] = {}
    yearly: dict[tuple[int, int], str] = {}
    written = hours.holidays
    for index, text in enumerate(written):
        key: str | int = text if isinstance(written, Mapping) else index
        name = written[text] if isinstance(written, Mapping) else "holiday"
        if found := _YEARLY.fullmatch(text):
            month, day = map(int, found.groups())
            _date(f"{_LEAP_YEAR}-{text}", "holidays", key, said=text)
            yearly[month, day] = name
        else:
            own.update((each, name) for each in _stretch(text, key))
    return own, yearly


def _stretch(text: str, key: str | int) -> Iterator[date]:
    first_text, _, last_text = text.partition("/")
    first = _date(first_text, "holidays", key, said=text)
    last = _date(last_text, "holidays", key, said=text) if last_text else first
    length = (last - first).days
    if not 0 <= length < STRETCH_DAYS_MAX:
        message = f"holidays: '{text}' has {length + 1:,} days; a stretch has 1 to {STRETCH_DAYS_MAX}"
        raise WrongCalendar(message, "holidays", key)
    for ahead in range(length + 1):
        yield first + timedelta(days=ahead)


def _date(text: str, *path: str | int, said: str | None = None) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        message = f"{path[0]}: '{said or text}' is not a date such as 2026-12-25"
        raise WrongCalendar(message, *path) from None


def public_names(rule: PublicHolidays, year: int) -> dict[date, str]:
    """Public holidays of a year, with their names. What it is asked for was checked (`check_public`)."""
    if year not in PUBLIC_YEARS:
        return {}
    found = _found(rule, year)
    return {
        day: name
        for day, name in found.items()
        if day.year == year and day.isoformat() not in rule.except_days and name not in rule.except_days
    }


def check_public(rule: PublicHolidays) -> None:
    """See that the country, its subdivision, the categories and the exceptions exist.

    Raises:
        WrongCalendar: one does not.
    """
    here = "public_holidays"
    try:
        known = country_holidays(rule.country)
    except (RuntimeError, ValueError):  # a country that it does not know it calls not implemented
        message = f"{here}: no country '{rule.country}' is known; codes are of ISO 3166-1, as DE"
        raise WrongCalendar(message, here, "country") from None
    if rule.subdivision is not None and rule.subdivision not in {*known.subdivisions, *known.subdivisions_aliases}:
        parts = ", ".join(known.subdivisions) or "none"
        raise WrongCalendar(f"{here}: {rule.country} has no '{rule.subdivision}'; it has {parts}", here, "subdivision")
    for index, category in enumerate(rule.categories):
        if category not in known.supported_categories:
            kinds = ", ".join(known.supported_categories)
            message = f"{here}: no category '{category}'; {rule.country} has {kinds}"
            raise WrongCalendar(message, here, "categories", index)
    plain = rule.model_copy(update={"except_days": ()})
    names = {name for year in NAMES_LOOKED_FOR_IN for name in _found(plain, year).values()}
    for index, text in enumerate(rule.except_days):
        if not _DATE.fullmatch(text) and text not in names:
            known_names = ", ".join(sorted(names))
            raise WrongCalendar(f"{here}: no holiday '{text}'; there are {known_names}", here, "except_days", index)


def _found(rule: PublicHolidays, year: int) -> dict[date, str]:
    known = country_holidays(rule.country)
    found = country_holidays(
        rule.country,
        rule.subdivision,
        years=year,
        categories=rule.categories,
        language=LANGUAGE if LANGUAGE in known.supported_languages else None,
    )
    return dict(found.items())
