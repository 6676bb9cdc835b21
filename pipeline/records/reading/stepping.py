"""The newest incidents that match a question to the search index, however common its words are.

An index over words knows nothing of time: all that has a common word would have to be sorted first. So the day and the
month of opening are words of it, too, and what is asked for is looked for in the newest days first, then in ever longer
spans, until there is enough. What is rare is found by a handful of questions, each of which finds next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

from pipeline.records.lexemes import day_fact, month_fact
from pipeline.records.reading.lexical import either

OPENED: Final = "coalesce(incidents.opened_at, '1971-01-01 00:00:00+00'::timestamptz)"
"""When an incident was opened, as the index `incidents_newest` has it; the sort key of what is newest."""

_PLACE: Final = f"{OPENED} AS opened, incidents.id"
ORDER: Final = f"{OPENED} DESC, incidents.id DESC"
KEY_KINDS: Final = (datetime, str)

_OLDEST: Final = datetime(1971, 1, 1, tzinfo=UTC)

# Spans one after the other, in days: each is so much longer that few are needed, and no longer than finds enough soon.
_DAYS: Final = (2, 8)
_MONTHS: Final = (1, 3, 9)


class Place(NamedTuple):
    """Where an incident is among all, the newest of which are the greatest."""

    opened: datetime
    id: str


def newest(
    connection: Connection,
    facts: Sequence[str],
    where: str,
    parameters: dict[str, Any],
    rows_max: int,
    *,
    before: datetime | None = None,
    since: datetime | None = None,
) -> list[Place]:
    """The newest that match, the newest first.

    Args:
        connection: to the records store.
        facts: parts of a `tsquery`, all of which must match.
        where: a further condition.
        parameters: of ``where``.
        rows_max: how many at most.
        before: no newer than this, as far as the spans go; ``where`` says it exactly.
        since: no older than this.
    """
    if not facts:
        every = f"SELECT {_PLACE} FROM incidents WHERE {where}"  # noqa: S608  # of our own words
        return _places(connection, every, parameters, rows_max)
    found: list[Place] = []
    for spanned, bounds in spans(connection, before, since):
        tsquery = " & ".join([*facts, spanned] if spanned else facts)
        bounded = " AND ".join([where, *(_BOUNDS[name] for name in bounds)])
        # OFFSET 0: the index over words answers this, and it alone. Walking through all of a span by time, or fetching
        # all of it from the index over time to cut it with what was found, looks cheaper to the planner, and is not.
        matching = f"""SELECT {_PLACE} FROM (SELECT * FROM incidents
            WHERE words @@ cast(:tsquery AS tsquery) OFFSET 0) AS incidents WHERE {bounded}"""  # noqa: S608  # of our own words
        found += _places(connection, matching, parameters | bounds | {"tsquery": tsquery}, rows_max - len(found))
        if len(found) >= rows_max:
            break
    return found


def _places(connection: Connection, query: str, parameters: dict[str, Any], rows_max: int) -> list[Place]:
    asked = text(f"{query} ORDER BY {ORDER} LIMIT :rows")
    return [Place(*row) for row in connection.execute(asked, parameters | {"rows": rows_max})]


_BOUNDS: Final = {"span_from": f"{OPENED} >= :span_from", "span_to": f"{OPENED} < :span_to"}


def spans(
    connection: Connection, before: datetime | None, since: datetime | None
) -> Iterator[tuple[str, dict[str, datetime]]]:
    """Spans from the newest to the oldest without a gap: the days or months as one part of a `tsquery`, and bounds.

    The last span has no days: what was never opened, or opened before all, is found in it.
    """
    asked = text(f"SELECT {OPENED} AS opened, now() AS now FROM incidents ORDER BY {ORDER} LIMIT 1")  # noqa: S608  # of our own words
    row = connection.execute(asked).one_or_none()
    if row is None:
        return
    top = min(row.opened, before) if before else row.opened
    end = _day(min(top, row.now)) + timedelta(days=1)
    if top >= end:  # opened in the future, by some wrong clock: they are few
        yield "", {"span_from": end}
    lowest = since or _OLDEST
    for days in _DAYS:
        begin = end - timedelta(days=days)
        yield (
            either(day_fact(begin + timedelta(days=each)) for each in range(days)),
            {"span_from": begin, "span_to": end},
        )
        end = begin
        if end <= lowest:
            return
    for count in _MONTHS:
        months = list(_months_before(end, count))
        begin = datetime(*months[-1], 1, tzinfo=UTC)
        yield either(month_fact(*each) for each in months), {"span_from": begin, "span_to": end}
        end = begin
        if end <= lowest:
            return
    yield "", {"span_to": end}


def _months_before(end: datetime, count: int) -> Iterator[tuple[int, int]]:
    """The month that a moment lies in, or ends, and those before it."""
    last = end - timedelta(microseconds=1)
    year, month = last.year, last.month
    for _ in range(count):
        yield year, month
        year, month = (year - 1, 12) if month == 1 else (year, month - 1)


def _day(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
