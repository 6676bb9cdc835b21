"""Full-text search over titles, symptoms, notes and resolutions, narrowed by filters.

The newest that match come in windows of some hundreds; within a window what matches best comes first: words of a title
weigh more than those of a resolution, of symptoms, of notes; what is newer weighs more than what is older. So the first
page is the best of what is recent, however many match, and the pages after it go back in time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from pipeline.records.reading import cursor
from pipeline.records.reading.conditions import conditions
from pipeline.records.reading.filters import Filters
from pipeline.records.reading.found import IncidentRow, rows_of
from pipeline.records.reading.lexical import Asked, asked_of, facts_of
from pipeline.records.reading.pieces import TEXTS, Piece, marked
from pipeline.records.reading.scope import Scope
from pipeline.records.reading.stepping import KEY_KINDS, OPENED, Place, newest

PAGE_MAX: Final = 100

# So many of the newest that match are ranked together: more costs more than a reader of the first pages gains.
WINDOW: Final = 300

# What was opened so much earlier than the newest of its window weighs half as much.
HALF_LIFE_DAYS: Final = 90


@dataclass(frozen=True, slots=True)
class Hit:
    """An incident that was found.

    Attributes:
        incident: its line.
        score: how well it matches; comparable within one answer.
        title: the title in pieces, those that match marked.
        excerpts: of symptoms, notes and resolution, where they match: what it is of, and its pieces.
        named: it has a name that was searched for: its own id, a ticket's or case's number, a host.
    """

    incident: IncidentRow
    score: float
    title: list[Piece]
    excerpts: list[tuple[str, list[Piece]]]
    named: bool


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A part of what was found.

    Attributes:
        hits: the best first, among the newest.
        next: cursor of what comes after; None: that was all.
        understood: False: what was typed holds no word that could be searched for: stop words or punctuation alone.
    """

    hits: list[Hit]
    next: str | None
    understood: bool = True


class _Found(NamedTuple):
    """The place of an incident in its window; the greatest is the first."""

    score: float
    opened: datetime
    id: str
    named: bool

    @property
    def place(self) -> tuple[float, datetime, str]:
        return self.score, self.opened, self.id


_CURSOR_KINDS: Final = (*KEY_KINDS, float, *KEY_KINDS)
"""The top of the window, and the place of the last of it that was told."""

# Greater than any score: nothing of the window was told yet.
_NOTHING_TOLD: Final = (1e9, datetime(1971, 1, 1, tzinfo=UTC), "")


def search(
    connection: Connection,
    scope: Scope,
    typed: str,
    filters: Filters | None = None,
    after: str | None = None,
    limit: int = 20,
) -> SearchPage:
    """Incidents whose texts say what was typed, or that are known by a name in it.

    With nothing typed it is the newest that the filters let through.

    Args:
        connection: to the records store.
        scope: what may be seen.
        typed: words, ``"a phrase"``, ``or``, ``-without``; the last word may be only begun.
        filters: what it is narrowed to; their ``q`` is not looked at.
        after: cursor of the page before; None for the first.
        limit: hits at most; 100 at most.

    Raises:
        BadCursorError: no cursor of this search with these filters.
    """
    filters = replace(filters or Filters(), q=typed)
    limit = max(1, min(limit, PAGE_MAX))
    question = f"search {filters.question}"
    top, told = _going_on(question, after)
    asked = asked_of(connection, typed)
    if asked.nothing:
        return SearchPage([], None, understood=False)
    hits: list[_Found] = []
    place: tuple[Place, tuple[float, datetime, str]] | None = None
    while True:
        window, top, below = _window(connection, scope, asked, filters, top)
        left = [each for each in window if each.place < told]
        taken = left[: limit - len(hits)]
        hits += taken
        if len(taken) < len(left):
            place = top, taken[-1].place
        elif below is not None:
            place = below, _NOTHING_TOLD
        else:
            place = None
        if place is None or len(hits) == limit:
            break
        top, told = place
    next_one = None if place is None else cursor.encode(question, [*place[0], *place[1]])
    return SearchPage(_shown(connection, hits, asked, filters, scope), next_one)


def _going_on(question: str, after: str | None) -> tuple[Place | None, tuple[float, datetime, str]]:
    """The top of the window that a cursor is in, and what was told of it last."""
    if after is None:
        return None, _NOTHING_TOLD
    opened, top_id, *told = cursor.decode(question, after, _CURSOR_KINDS)
    return Place(opened, top_id), (told[0], told[1], told[2])


def _window(
    connection: Connection, scope: Scope, asked: Asked, filters: Filters, top: Place | None
) -> tuple[list[_Found], Place, Place | None]:
    """The newest that match, ranked; the top of their window, and that of the one below."""
    where, parameters = conditions(filters, scope)
    before = filters.opened_to
    if top is not None:
        where += f" AND ({OPENED}, incidents.id) <= (:top_opened, :top_id)"
        before, parameters = top.opened, parameters | {"top_opened": top.opened, "top_id": top.id}
    facts = [f"({asked.words})"] if asked.words else []
    facts += facts_of(filters, scope)
    since = filters.opened_from
    places = newest(connection, facts, where, parameters, WINDOW + 1, before=before, since=since)
    if not places:
        return [], top or Place(_NOTHING_TOLD[1], ""), None
    ranked = _ranked(connection, places[:WINDOW], asked)
    return ranked, places[0], places[WINDOW] if len(places) > WINDOW else None


def _ranked(connection: Connection, places: list[Place], asked: Asked) -> list[_Found]:
    """What matches best first, among these."""
    ranks: dict[str, tuple[float, bool]] = {}
    if asked.words:
        given = {"ids": [each.id for each in places], "words": asked.words, "names": asked.names}
        for each in connection.execute(_RANKS, given).mappings():
            ranks[each["id"]] = float(each["rank"]), bool(each["named"])
    newest_one = places[0].opened
    found = []
    for place in places:
        rank, named = ranks.get(place.id, (0.0 if asked.words else 1.0, False))
        halved = (newest_one - place.opened).total_seconds() / 86_400 / HALF_LIFE_DAYS
        score = (rank + (1.0 if named else 0.0)) * 0.5 ** min(halved, 100.0)
        found.append(_Found(round(score, 9), place.opened, place.id, named))
    return sorted(found, key=lambda each: each.place, reverse=True)


# A long text says a word more often than a short one: 1 divides by the logarithm of its length.
_RANKS: Final = text("""
    SELECT id, ts_rank(words, cast(:words AS tsquery), 1) AS rank, words @@ cast(:names AS tsquery) AS named
    FROM incidents WHERE id = ANY(cast(:ids AS text[]))""")


def _shown(connection: Connection, hits: list[_Found], asked: Asked, filters: Filters, scope: Scope) -> list[Hit]:
    """The lines of what was found, with what matches in them."""
    if not hits:
        return []
    ids = [each.id for each in hits]
    where, parameters = conditions(filters, scope)
    rows = {each.id: each for each in rows_of(connection, ids, where, parameters)}
    pieces = marked(connection, ids, asked.words) if asked.words else {}
    return [_hit(each, rows[each.id], pieces.get(each.id, {})) for each in hits if each.id in rows]


def _hit(found: _Found, row: IncidentRow, pieces: dict[str, list[Piece]]) -> Hit:
    title = pieces.get("title") or [Piece(row.title or "", is_match=False)]
    excerpts: list[tuple[str, list[Piece]]] = [(name, pieces[name]) for name in TEXTS if name in pieces]
    return Hit(row, found.score, title, excerpts, found.named)
