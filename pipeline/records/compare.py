"""Two stores, row for row: what is in one and not in the other, and what differs. Holds a row of each at a time."""

# ruff: noqa: S608  # statements are put together of names of our own tables, of nothing that anybody sends
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, text

from pipeline.records.contents import COMPARED, Content

FETCHED_AT_ONCE: Final = 2_000
"""Rows that a comparison holds in memory of each side."""

TOLD_MAX: Final = 20
"""Rows of each table that are told one by one; of the others their number."""

Key = tuple[str, ...]
Seen = Callable[[int], None]


class Difference(NamedTuple):
    """One row that is not the same.

    Attributes:
        key: of the row.
        what: ``only in the first``, ``only in the second``, or the columns that differ.
    """

    key: Key
    what: str


class Compared(NamedTuple):
    """One table.

    Attributes:
        first, second: rows of each side.
        different: rows that are not the same, or on one side alone.
        told: the first of them.
    """

    table: str
    first: int
    second: int
    different: int
    told: list[Difference]


def compare(first: Connection, second: Connection, seen: Seen | None = None) -> Iterator[Compared]:
    """Compare all that is made of topics, table by table.

    Args:
        first: to one store.
        second: to the other.
        seen: told how many rows were compared.
    """
    done = 0
    for connection in (first, second):
        # One moment for all tables, and one spelling of times on both sides.
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        connection.execute(text("SET LOCAL timezone = 'UTC'"))
    for content in COMPARED:
        result = _table(first, second, content)
        done += max(result.first, result.second)
        if seen is not None:
            seen(done)
        yield result


def rows_of(connection: Connection) -> int:
    """About how many rows there are to compare."""
    return sum(connection.scalar(text(f"SELECT count(*) FROM {each.name}")) or 0 for each in COMPARED)


def _table(first: Connection, second: Connection, content: Content) -> Compared:
    ones = others = different = 0
    told: list[Difference] = []
    for key, one, other in _beside(_rows(first, content), _rows(second, content)):
        ones, others = ones + (one is not None), others + (other is not None)
        if one == other:
            continue
        different += 1
        if len(told) < TOLD_MAX:
            what = "only in the first" if other is None else "only in the second" if one is None else None
            told.append(Difference(key, what or _columns(first, second, content, key)))
    return Compared(content.name, ones, others, different, told)


def _beside(
    ones: Iterator[tuple[Key, str]], others: Iterator[tuple[Key, str]]
) -> Iterator[tuple[Key, str | None, str | None]]:
    """The rows of both sides in the order of their keys, those of one key together."""
    one, other = next(ones, None), next(others, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None  # noqa: S101 the loop goes on while there is one of the two
            yield *one, None
            one = next(ones, None)
        elif one is None or other[0] < one[0]:
            yield other[0], None, other[1]
            other = next(others, None)
        else:
            yield *one, other[1]
            one, other = next(ones, None), next(others, None)


def _rows(connection: Connection, content: Content) -> Iterator[tuple[Key, str]]:
    """Keys and a digest of each row, in the order of the keys as bytes, which is the same on every machine."""
    keys = ", ".join(f'"{key}"::text COLLATE "C"' for key in content.keys)
    columns = ", ".join(f'"{name}"' for name in content.columns)
    query = f"SELECT {keys}, md5(ROW({columns})::text) FROM {content.name} ORDER BY {keys}"
    rows = connection.execution_options(yield_per=FETCHED_AT_ONCE).execute(text(query))
    for *key, digest in rows:
        yield tuple(key), digest


def _columns(first: Connection, second: Connection, content: Content, key: Key) -> str:
    """Which columns of one row differ."""
    one, other = (_row(connection, content, key) for connection in (first, second))
    return ", ".join(name for name in content.columns if one.get(name) != other.get(name))


def _row(connection: Connection, content: Content, key: Sequence[str]) -> dict[str, Any]:
    where = " AND ".join(f'"{name}"::text = :key{number}' for number, name in enumerate(content.keys))
    query = text(f"SELECT to_jsonb(found) FROM {content.name} AS found WHERE {where}")
    return connection.scalar(query, {f"key{number}": value for number, value in enumerate(key)}) or {}
