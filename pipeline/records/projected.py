"""How far each topic is in the store: kept in the transaction of the rows, so that a record is written exactly once.

A partition of a topic is locked from the first look at how far it is to the commit. A worker that was paused and whose
partition has gone to another finds its old batch written when it wakes, and writes nothing. A topic that was made anew
begins again at offset 0 and has another id: it is another topic here, and nothing of it is taken for written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Connection, select, tuple_

from pipeline.core.outward.record import Told
from pipeline.core.step import Record
from pipeline.records.tables import PROJECTED
from pipeline.records.values import execute_with, insert_new, moment_of


class Place(NamedTuple):
    """One partition of one topic.

    Attributes:
        topic: its logical name.
        topic_id: as the cluster has it; "" where nobody asked.
    """

    topic: str
    partition: int
    topic_id: str


class Reached(NamedTuple):
    """How far a batch goes: the next offset, and the timestamp of its last record in epoch milliseconds."""

    next_offset: int
    at_ms: int


Ends = Mapping[Place, Reached]

_ADVANCE: Final = """
UPDATE projected SET next_offset = reached.next_offset, reached_at = reached.reached_at
FROM json_populate_recordset(NULL::projected, CAST(:rows AS json)) AS reached
WHERE projected.topic = reached.topic AND projected.partition = reached.partition
    AND projected.topic_id = reached.topic_id AND projected.next_offset < reached.next_offset
"""


def ends_of(records: Iterable[Record], topic_ids: Mapping[str, str]) -> dict[Place, Reached]:
    """How far the records of a batch go, in each partition of each topic."""
    ends: dict[Place, Reached] = {}
    for record in records:
        place = Place(record.topic, record.partition, topic_ids.get(record.topic, ""))
        known = ends.get(place)
        if known is None or known.next_offset <= record.offset:
            ends[place] = Reached(record.offset + 1, record.timestamp)
    return ends


def next_offsets(connection: Connection) -> dict[Place, int]:
    """How far each topic is in the store."""
    rows = connection.execute(select(PROJECTED))
    return {Place(row.topic, row.partition, row.topic_id): row.next_offset for row in rows}


def lock(connection: Connection, places: Iterable[Place]) -> dict[Place, int]:
    """Lock partitions until the transaction ends; the next offset of each, 0 where none of it is here yet."""
    wanted = sorted(places)  # in one order, so that two workers wait for each other and not crosswise
    found = _locked(connection, wanted)
    missing = [place for place in wanted if place not in found]
    if missing:
        insert_new(connection, PROJECTED, [{**place._asdict(), "next_offset": 0} for place in missing])
        found |= _locked(connection, missing)
    return found


def advance(connection: Connection, ends: Ends) -> None:
    """Note how far the batch goes; never back."""
    rows = [
        {**place._asdict(), "next_offset": end.next_offset, "reached_at": moment_of(end.at_ms)}
        for place, end in sorted(ends.items())
    ]
    execute_with(connection, _ADVANCE, rows)


def fresh(told: Iterable[Told], next_offsets: Mapping[Place, int]) -> list[Told]:
    """Records that are not in the store yet; of topics about which nothing is known, all."""
    following = {(place.topic, place.partition): offset for place, offset in next_offsets.items()}
    return [each for each in told if each.offset >= following.get((each.topic, each.partition), 0)]


def _locked(connection: Connection, places: list[Place]) -> dict[Place, int]:
    columns = (PROJECTED.c.topic, PROJECTED.c.partition, PROJECTED.c.topic_id)
    query = select(*columns, PROJECTED.c.next_offset).where(tuple_(*columns).in_(places))
    rows = connection.execute(query.order_by(*columns).with_for_update())
    return {Place(topic, partition, topic_id): offset for topic, partition, topic_id, offset in rows}
