"""A store made anew from the topics: into an empty one, or over the one in use while it is used.

In place, a store is made in a schema beside. Then what differs is put right in the one in use, in one transaction: who
reads sees the old rows until it commits, and the record stage waits. So indexes, views and what is not made of topics
(tokens, receipts, the access log, retention runs) stay as they are, and a store that was right is not touched.

Topics keep 90 days. A row that is older than what its topic still holds can be made of nothing any more: it stays.
"""

# ruff: noqa: S608  # statements are put together of names of our own tables, of nothing that anybody sends
from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select, text

from pipeline.records import episodes, incidents
from pipeline.records.analytics.measures import measure
from pipeline.records.contents import PROJECTED_TABLES, Content
from pipeline.records.projected import Place, Reached, advance, lock
from pipeline.records.source import Counted, Seen, Source, Spans, size
from pipeline.records.store import RecordsStore
from pipeline.records.tables import INCIDENTS, PROJECTED
from pipeline.records.values import moment_of

SCHEMA: Final = "spillway_rebuild"

# "rebuild" in ASCII; a key that no other program on the same database is likely to use.
REBUILD_LOCK: Final = 0x72_65627569_6C64

NEARLY_RECORDS: Final = 2_000
"""So few that the record stage may wait for them."""

ROUNDS_MAX: Final = 20
"""A stage that writes as fast as it is read again is never caught up with: then it waits for the rest."""

INCIDENTS_AT_ONCE: Final = 1_000
"""Incidents whose figures are worked out by one statement."""


class RebuildError(Exception):
    """A store cannot be made anew here; the message is one line and says what to do."""


class Repaired(NamedTuple):
    """What was not right in one table.

    Attributes:
        missing: rows that were not there.
        different: rows that were there and said something else.
        extra: rows that no record tells of, though the topic holds all of that time.
    """

    table: str
    missing: int
    different: int
    extra: int


class Rebuilt(NamedTuple):
    """What a rebuild came to; ``repaired`` is empty where it went into an empty store."""

    counted: Counted
    repaired: list[Repaired]


def rebuild_into(source: Source, url: str, spans: Spans, seen: Seen) -> Rebuilt:
    """Make a store of what the topics hold, in an empty database.

    Args:
        source: the topics.
        url: of the database.
        spans: of the topics, as `Source.bounds` says them.
        seen: told how many records were read.

    Raises:
        RebuildError: there is something in it already.
        ScanError: a topic cannot be read.
        SQLAlchemyError: the database is away or refused.
    """
    store = RecordsStore(url)
    try:
        store.migrate()
        if store.ask(lambda connection: connection.scalar(select(func.count()).select_from(PROJECTED))):
            raise RebuildError("the store is not empty: make a new database for it, or rebuild in place without --into")
        if store.ask(lambda connection: connection.scalar(select(INCIDENTS.c.id).limit(1))):
            raise RebuildError("the store has incidents already: make a new database for it, or leave out --into")
        return Rebuilt(source.project(store, spans, seen), [])
    finally:
        store.close()


def rebuild_in_place(source: Source, url: str, spans: Spans, seen: Seen, *, new_topics: bool = False) -> Rebuilt:
    """Put a store right by what the topics hold, while it is used.

    Args:
        source: the topics.
        url: of the store.
        spans: of the topics, as `Source.bounds` says them.
        seen: told how many records were read.
        new_topics: it is well known that the store has read none of these.

    Raises:
        RebuildError: another rebuild is under way, or the topics are none that the store has read.
        ScanError: a topic cannot be read.
        SQLAlchemyError: the database is away or refused.
    """
    live = RecordsStore(url)
    try:
        live.migrate()
        with live.alone(REBUILD_LOCK) as alone:
            if not alone:
                raise RebuildError("another rebuild of this store is under way")
            if not new_topics and live.ask(partial(_is_of_others, source=source)):
                raise RebuildError(
                    "the store was written from other topics than these brokers have, and what those do not hold would "
                    "be removed from it: is the address of both right? If the topics were made anew, give --new-topics"
                )
            with _beside(live, url) as fresh:
                counted = source.project(fresh, spans, seen)
                counted = _catch_up(source, live, fresh, counted, seen)
                return Rebuilt(*live.change(lambda connection: _exchange(connection, source, spans, fresh, counted)))
    finally:
        live.close()


def _is_of_others(connection: Connection, source: Source) -> bool:
    """Whether a store knows what it has read, and nothing of it is of these topics."""
    known = [place for place in _reached(connection) if place.topic_id]
    return bool(known) and all(source.topic_ids.get(place.topic) != place.topic_id for place in known)


@contextmanager
def _beside(live: RecordsStore, url: str) -> Iterator[RecordsStore]:
    """An empty store in a schema of its own, which goes at the end."""
    drop = text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")

    def begin(connection: Connection) -> None:
        connection.execute(drop)
        connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))

    live.change(begin)
    fresh = RecordsStore(url, SCHEMA)
    try:
        fresh.migrate()
        yield fresh
    finally:
        fresh.close()
        live.change(lambda connection: connection.execute(drop))


def _catch_up(source: Source, live: RecordsStore, fresh: RecordsStore, counted: Counted, seen: Seen) -> Counted:
    """Read what the record stage has written meanwhile, until only a little is left."""
    for _ in range(ROUNDS_MAX):
        left = _left(live.ask(_reached), fresh.ask(_reached), source)
        if size(left) <= NEARLY_RECORDS:
            break
        counted = _more(source, fresh, left, counted)
        seen(counted.records)
    return counted


def _more(source: Source, fresh: RecordsStore, left: Spans, counted: Counted) -> Counted:
    more = source.project(fresh, left)
    return Counted(counted.records + more.records, counted.refused + more.refused)


def _left(live: Mapping[Place, Reached], fresh: Mapping[Place, Reached], source: Source) -> Spans:
    """What the one in use has and the new one has not."""
    ours = {
        place: end.next_offset for place, end in live.items() if source.topic_ids.get(place.topic) == place.topic_id
    }
    begun = {place: fresh[place].next_offset if place in fresh else 0 for place in ours}
    return {place: (begun[place], end) for place, end in ours.items() if begun[place] < end}


def _reached(connection: Connection) -> dict[Place, Reached]:
    rows = connection.execute(select(PROJECTED))
    return {
        Place(row.topic, row.partition, row.topic_id): Reached(row.next_offset, _ms(row.reached_at)) for row in rows
    }


def _ms(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1_000) if moment is not None else 0


def _exchange(
    connection: Connection, source: Source, bounds: Spans, fresh: RecordsStore, counted: Counted
) -> tuple[Counted, list[Repaired]]:
    """Nobody writes from here to the commit: read the rest, then put right what differs."""
    connection.execute(text("LOCK TABLE projected IN EXCLUSIVE MODE"))
    before = _reached(connection)
    left = _left(before, fresh.ask(_reached), source)
    counted = _more(source, fresh, left, counted)
    connection.execute(text("CREATE TEMPORARY TABLE touched (incident_id text) ON COMMIT DROP"))
    oldest = _oldest(source, bounds, before, fresh.ask(_reached))
    repaired = [_put_right(connection, content, oldest.get(content.topic)) for content in PROJECTED_TABLES]
    derived = _complete(connection)
    repaired = [each._replace(different=max(each.different, derived.get(each.table, 0))) for each in repaired]
    _measure(connection)
    ends = fresh.ask(_reached)
    lock(connection, ends)
    advance(connection, ends)
    return counted, repaired


def _oldest(
    source: Source, bounds: Spans, live: Mapping[Place, Reached], fresh: Mapping[Place, Reached]
) -> dict[str, int]:
    """Topic -> from when on it holds all; topics that hold everything that they ever held are left out."""
    oldest: dict[str, int] = {}
    for topic, topic_id in source.topic_ids.items():
        is_whole = all(offset == 0 for place, (offset, _) in bounds.items() if place.topic == topic)
        was_another = any(place.topic == topic and place.topic_id != topic_id for place in live)
        unknown = not any(place.topic == topic for place in live)  # of a release that did not say what it had read
        if not is_whole or was_another or unknown:
            firsts = [at_ms for place, at_ms in source.begins_ms.items() if place.topic == topic]
            ends = [end.at_ms for place, end in fresh.items() if place.topic == topic]
            oldest[topic] = max(firsts, default=max(ends, default=_FOREVER_MS))
    return oldest


_FOREVER_MS: Final = 253_402_214_400_000
"""Of a topic that holds nothing: all that the store has of it is older."""


def _put_right(connection: Connection, content: Content, oldest_ms: int | None) -> Repaired:
    """Make the rows of a table what the new store has; those that are older than the topic stay."""
    table, new = content.name, f"{SCHEMA}.{content.name}"
    same = " AND ".join(f"old.{key} = new.{key}" for key in content.keys)
    columns = [name for name in content.columns if name not in content.keys and name not in content.derived]
    listed = ", ".join(f'"{name}"' for name in content.columns)
    before, after = (", ".join(f'{side}."{name}"' for name in columns) for side in ("old", "new"))
    assigned = ", ".join(f'"{name}" = new."{name}"' for name in columns)
    covered = "true" if oldest_ms is None or content.time is None else f"old.{content.time} >= :oldest"

    def run(statement: str) -> int:
        if content.topic == "incidents":  # whose figures have to be worked out anew
            named = "id" if table == "incidents" else "incident_id"
            statement = f"WITH done AS ({statement} RETURNING old.{named}) INSERT INTO touched SELECT * FROM done"
        given = {"oldest": moment_of(oldest_ms)} if ":oldest" in statement else {}
        return connection.execute(text(statement), given).rowcount

    extra = run(f"DELETE FROM {table} AS old WHERE {covered} AND NOT EXISTS (SELECT FROM {new} AS new WHERE {same})")
    different = run(
        f"UPDATE {table} AS old SET {assigned} FROM {new} AS new "
        f"WHERE {same} AND {covered} AND ROW({before}) IS DISTINCT FROM ROW({after})"
    )
    missing = run(f"INSERT INTO {table} AS old ({listed}) SELECT {listed} FROM {new} ON CONFLICT DO NOTHING")
    return Repaired(table, missing, different, extra)


def _complete(connection: Connection) -> dict[str, int]:
    """Work out anew what follows from rows of other topics too, or of before the topics; how many were wrong by table.

    That is the words of notes, and the incident of an episode: the new store may have only some of what they say.
    """
    notes = (
        f"SELECT id FROM incidents JOIN {SCHEMA}.incidents AS new USING (id) "
        "WHERE incidents.notes_text <> new.notes_text"
    )
    homes = (
        f"SELECT id FROM episodes JOIN {SCHEMA}.episodes AS new USING (id) "
        "WHERE episodes.incident_id IS DISTINCT FROM new.incident_id"
    )
    return {
        "incidents": incidents.write_notes(connection, connection.scalars(text(notes)).all()),
        "episodes": episodes.link(connection, connection.scalars(text(homes)).all()),
    }


def _measure(connection: Connection) -> None:
    touched = connection.scalars(text("SELECT DISTINCT incident_id FROM touched ORDER BY incident_id")).all()
    for start in range(0, len(touched), INCIDENTS_AT_ONCE):
        measure(connection, touched[start : start + INCIDENTS_AT_ONCE])
    connection.execute(text("DELETE FROM measures WHERE incident_id NOT IN (SELECT id FROM incidents)"))
