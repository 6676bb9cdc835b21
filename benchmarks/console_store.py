"""A records store with as many incidents as a large company has in two years, made in minutes and kept for reuse."""

from __future__ import annotations

import multiprocessing
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import orjson
import psycopg
from psycopg import sql

from benchmarks.console_incidents import DAYS, END, SEED, Incidents
from benchmarks.results import BenchmarkError, say
from pipeline.catalog import load_config
from pipeline.records.analytics.measures import MEASURES
from pipeline.records.embedded import embedded_postgres
from pipeline.records.months import Month, make
from pipeline.records.store import RecordsStore
from pipeline.records.tables import INCIDENTS

CONFIG: Final = Path(__file__).parents[1] / "config"

COPIES: Final = 20
"""So many resemble each other: making up each by itself would take longer than the store does to take it."""

ROWS_IN_A_CHUNK: Final = 5_000
WORKERS: Final = 2

DETAILED: Final = 5_000
"""Incidents, of the newest, that have revisions, a timeline, episodes and deliveries as well: pages show these."""

ENTRIES: Final = 30
"""Of each of them."""

_COLUMNS: Final = tuple(column.name for column in INCIDENTS.columns if column.name != "words")

# Loading is no part of what is measured: nothing of it needs to survive a crash.
_FAST: Final = (
    "SET synchronous_commit = off; SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 2"
)


@contextmanager
def filled_store(total: int, open_total: int, keep: Path | None) -> Iterator[str]:
    """A store with so many incidents; its address. ``keep``: where it stays, or has stayed from a run before."""
    with embedded_postgres(keep) as url:
        if not _is_filled(url, total):
            began = time.monotonic()
            fill(url, total, open_total)
            say(f"console: {total:,} incidents in {time.monotonic() - began:.0f} s")
        yield url


def fill(url: str, total: int, open_total: int) -> None:
    """Write the incidents, then the indexes; what is there goes."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    store = RecordsStore(url)
    store.migrate()
    for ago in range(DAYS // 30 + 1):
        store.change(partial(make, month=Month.of(END).plus(-ago)))
    store.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_FAST)
        connection.execute("ALTER TABLE incidents SET UNLOGGED")
        kept = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'incidents' AND indexname <> 'incidents_pkey'"
        ).fetchall()
        for name, _ in kept:
            connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
        base = total // COPIES
        _in_parallel(
            _copy_chunk, [(url, base, open_total // COPIES, first) for first in range(0, base, ROWS_IN_A_CHUNK)]
        )
        say(f"console: {base:,} incidents made, each of which {COPIES - 1} others resemble")
        _compute_by_trigger(connection)
        connection.execute("INSERT INTO measures SELECT * FROM measured")
        connection.execute("CREATE UNLOGGED TABLE base AS SELECT * FROM incidents")
        connection.execute("CREATE UNLOGGED TABLE base_measures AS SELECT * FROM measures")
        _in_parallel(_multiply, [(url, copy) for copy in range(1, COPIES)])
        connection.execute("DROP TABLE base, base_measures")
        for name, definition in kept:
            began = time.monotonic()
            connection.execute(definition)
            say(f"console: index {name} in {time.monotonic() - began:.0f} s")
        connection.execute(_OWN_SNAPSHOTS, {"newest": DETAILED})
        connection.execute(_TRIGGER)
        _write_details(connection, newest_ids(connection), Incidents(load_config(CONFIG), 1, 1))
        connection.execute("VACUUM ANALYZE")
        connection.execute(sql.SQL("CREATE TABLE filled AS SELECT {}::bigint AS incidents").format(sql.Literal(total)))


def newest_ids(connection: psycopg.Connection) -> list[tuple[str, datetime]]:
    """Incidents that have all that a page shows, and when they were opened."""
    query = "SELECT id, opened_at FROM incidents ORDER BY opened_at DESC LIMIT %s"
    return list(connection.execute(query, [DETAILED]))


def _in_parallel(work: Callable[[Any], None], pieces: list[Any]) -> None:
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        for done, _ in enumerate(pool.imap_unordered(work, pieces), 1):
            if done % max(1, len(pieces) // 5) == 0:
                say(f"console: {work.__name__.strip('_')} {done / len(pieces):.0%}")


def _multiply(asked: tuple[str, int]) -> None:
    """Write a copy of each incident with an id of its own: what has ended at another time, what is open soon after."""
    url, copy = asked
    own = {"id": "copied.id", "opened_at": "copied.opened", "lexemes": "copied.lexemes", "words": "copied.words"}
    names = (*_COLUMNS, "words")
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    values = sql.SQL(", ").join(sql.SQL(own.get(name, f"base.{name}")) for name in names)
    statement = sql.SQL(_COPY).format(columns=columns, values=values)
    with psycopg.connect(url) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(statement, {"copy": copy, "days": DAYS * copy / COPIES, "whole": DAYS, "end": END})
        connection.execute(_measures_of_copies(), {"copy": copy})


def _measures_of_copies() -> sql.Composed:
    """The measures of what a copy is of, moved to the copy's time."""
    names = [column.name for column in MEASURES.columns]
    moved = [
        "incidents.id"
        if name == "incident_id"
        else f"measured.{name} + (incidents.opened_at - base.opened_at)"
        if name.endswith("_at")
        else f"measured.{name}"
        for name in names
    ]
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    return sql.SQL(_COPY_MEASURES).format(columns=columns, values=sql.SQL(", ".join(moved)))


_COPY_MEASURES: Final = """
    INSERT INTO measures ({columns}) SELECT {values} FROM base_measures AS measured
    JOIN base ON base.id = measured.incident_id
    JOIN incidents ON incidents.id = 'INC-' || upper(substr(md5(base.id || %(copy)s::text), 1, 10))"""

_COPY: Final = """
    INSERT INTO incidents ({columns}) SELECT {values} FROM base
    CROSS JOIN LATERAL (SELECT 'INC-' || upper(substr(md5(base.id || %(copy)s::text), 1, 10)) AS id,
        CASE WHEN base.state <> 'closed' THEN base.opened_at - make_interval(secs => %(copy)s)
            WHEN base.opened_at - make_interval(secs => %(days)s * 86400) < %(end)s - make_interval(days => %(whole)s)
            THEN base.opened_at + make_interval(secs => (%(whole)s - %(days)s) * 86400)
            ELSE base.opened_at - make_interval(secs => %(days)s * 86400) END AS opened) AS made
    CROSS JOIN LATERAL (SELECT
        ARRAY['#id=' || lower(base.id), '#day=' || to_char(base.opened_at, 'YYYY-MM-DD'),
            '#month=' || to_char(base.opened_at, 'YYYY-MM')] AS were,
        ARRAY['#id=' || lower(made.id), '#day=' || to_char(made.opened, 'YYYY-MM-DD'),
            '#month=' || to_char(made.opened, 'YYYY-MM')] AS are) AS facts
    CROSS JOIN LATERAL (SELECT made.id, made.opened,
        array_replace(array_replace(array_replace(base.lexemes, were[1], are[1]), were[2], are[2]), were[3], are[3])
            AS lexemes,
        ts_delete(base.words, were) || array_to_tsvector(are) AS words) AS copied"""

# Snapshots that no page of the benchmark shows stay those of what was copied: writing each of them anew, and taking
# its words apart again, would take longer than all else.
_OWN_SNAPSHOTS: Final = """
    UPDATE incidents SET snapshot = snapshot || jsonb_build_object('id', id,
        'opened_at_ms', floor(extract(epoch FROM opened_at) * 1000))
    WHERE state NOT IN ('closed', 'merged', 'cancelled') OR opened_at >= (
        SELECT opened_at FROM incidents ORDER BY opened_at DESC OFFSET %(newest)s LIMIT 1)"""


def _compute_by_trigger(connection: psycopg.Connection) -> None:
    """Let the words of incidents be written, and computed as they were from now on: a trigger does it for a column."""
    row = connection.execute(
        "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON adrelid = attrelid AND adnum = attnum "
        "WHERE attrelid = 'incidents'::regclass AND attname = 'words'"
    ).fetchone()
    if row is None:
        raise BenchmarkError("incidents.words is not computed")
    names = re.compile(rf"\b({'|'.join(_COLUMNS)})\b")
    expression = names.sub(r"NEW.\1", row[0])
    connection.execute("ALTER TABLE incidents ALTER COLUMN words DROP EXPRESSION")
    connection.execute(
        f"CREATE FUNCTION words_of() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$BEGIN NEW.words := {expression}; RETURN NEW; END$$".encode()
    )


_TRIGGER: Final = "CREATE TRIGGER words BEFORE INSERT OR UPDATE ON incidents FOR EACH ROW EXECUTE FUNCTION words_of()"


def _is_filled(url: str, total: int) -> bool:
    with psycopg.connect(url) as connection:
        try:
            row = connection.execute("SELECT incidents FROM filled").fetchone()
        except psycopg.errors.UndefinedTable:
            return False
    if row is None or row[0] != total:
        raise BenchmarkError("the kept store has another number of incidents: use another directory")
    return True


_MADE: dict[tuple[int, int], Incidents] = {}
"""Of this worker process: making the words takes a while."""


def _copy_chunk(asked: tuple[str, int, int, int]) -> None:
    url, total, open_total, first = asked
    if (total, open_total) not in _MADE:
        _MADE[total, open_total] = Incidents(load_config(CONFIG), total, open_total)
    rows = _MADE[total, open_total].rows(first, min(first + ROWS_IN_A_CHUNK, total))
    statement = sql.SQL("COPY incidents ({}) FROM STDIN").format(sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)))
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        connection.execute("SET synchronous_commit = off")
        with cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([_copied(row[name]) for name in _COLUMNS])


def _copied(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, dict) else value


Detailed = list[tuple[str, datetime]]


def _write_details(connection: psycopg.Connection, newest: Detailed, incidents: Incidents) -> None:
    """Revisions, timelines, episodes and deliveries of the newest incidents."""
    numbers = random.Random(SEED)  # noqa: S311  # made-up data
    for table, columns, rows in (
        ("incident_events", "incident_id, revision, change, at, body", _events(newest)),
        (
            "timeline",
            "incident_id, revision, position, at, action, actor, text, facts, revised_at",
            _entries(newest, incidents, numbers),
        ),
        ("episodes", _EPISODE, _episodes(newest, numbers)),
        ("deliveries", _DELIVERY, _deliveries(newest)),
    ):
        with connection.cursor().copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row([_copied(value) for value in row])


_EPISODE: Final = (
    "id, alert_key, space, state, feed, summary, severity, entity, service, domain, incident_id, reason, alerts, "
    "opened_at, updated_at, alert"
)
_DELIVERY: Final = "topic_partition, topic_offset, at, incident_id, sink, direction, outcome, revision, attempt, body"


def _events(newest: Detailed) -> Iterable[tuple[Any, ...]]:
    return ((incident_id, 1, "opened", opened, {}) for incident_id, opened in newest)


def _entries(newest: Detailed, incidents: Incidents, numbers: random.Random) -> Iterable[tuple[Any, ...]]:
    for number, (incident_id, opened) in enumerate(newest):
        for position in range(ENTRIES):
            said, moment = numbers.choice(incidents.vocabulary.sentences), opened + timedelta(minutes=position)
            facts = {
                "episode_id": f"EP-{number:06}{position % 3}",
                "alert_key": f"alertmanager:{number}:{position % 3}",
            }
            yield incident_id, 1, position, moment, "note", "noor.haddad", said, facts, opened


def _episodes(newest: Detailed, numbers: random.Random) -> Iterable[tuple[Any, ...]]:
    for number, (incident_id, opened) in enumerate(newest):
        for position in range(3):
            about = f"EP-{number:06}{position}", f"alertmanager:rule-{numbers.randrange(5_000)}", "production", "open"
            what = "alertmanager", "it is broken", "error", f"resource:default/host-{number % 4_000}", None, "retail"
            yield *about, *what, incident_id, "joined", 4, opened, opened, {}


def _deliveries(newest: Detailed) -> Iterable[tuple[Any, ...]]:
    body = {"sink": "servicenow", "outcome": "delivered"}
    for offset, (incident_id, opened) in enumerate(newest):
        yield 0, offset, opened, incident_id, "servicenow", "out", "delivered", 1, 1, body
