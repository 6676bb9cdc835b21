"""Each record is in the store once: however batches are cut, repeated and mixed, whoever writes them, whatever dies."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url, select, text

from pipeline.core.step import StreamRecord
from pipeline.records import projection
from pipeline.records.changes import CHANNEL, read_changes
from pipeline.records.projected import Place, Reached, ends_of, lock
from pipeline.records.store import RecordsStore
from pipeline.records.tables import PROJECTED
from tests.records.told import Rows, empty, records, rows, told
from tests.support import wait_until


@pytest.fixture(scope="module")
def once(postgres: str) -> Iterator[tuple[RecordsStore, Rows]]:
    """A store, and what it holds after one pass over everything."""
    maker = RecordsStore(postgres)
    maker.change(lambda connection: connection.execute(text("DROP SCHEMA IF EXISTS once CASCADE; CREATE SCHEMA once")))
    maker.close()
    # Thousands of small transactions: what they write needs to survive no power cut.
    address = make_url(postgres).update_query_dict({"options": "-csearch_path=once -csynchronous_commit=off"})
    store = RecordsStore(address.render_as_string(hide_password=False))
    store.migrate()
    store.write(*told(records()))
    yield store, store.ask(rows)
    store.close()


def test_one_pass_fills_every_table(once: tuple[RecordsStore, Rows]) -> None:
    _, expected = once
    assert all(expected.values()), {name: len(found) for name, found in expected.items()}
    events = [record for record in records() if record.topic == "incidents"]
    assert len(expected["incident_events"]) == len(events)
    outcomes = [record for record in records() if record.topic == "deliveries" and record.value]
    assert len(expected["deliveries"]) == len(outcomes)
    assert {row["direction"] for row in expected["deliveries"]} == {"in", "out"}


@given(st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_cut_any_repetition_and_any_mixture_of_topics_give_the_same_store(
    once: tuple[RecordsStore, Rows], data: st.DataObject
) -> None:
    store, expected = once
    store.change(empty)
    by_place: dict[tuple[str, int], list[StreamRecord]] = defaultdict(list)
    for record in records():
        by_place[record.topic, record.partition].append(record)
    done = dict.fromkeys(by_place, 0)
    while left := sorted(place for place, at in done.items() if at < len(by_place[place])):
        batch: list[StreamRecord] = []
        for place in data.draw(st.lists(st.sampled_from(left), min_size=1, max_size=3, unique=True)):
            back = data.draw(st.integers(0, min(20, done[place])))
            count = data.draw(st.integers(1, 60))
            start, end = done[place] - back, min(done[place] + count, len(by_place[place]))
            batch += by_place[place][start:end]
            done[place] = max(done[place], end)
        store.write(*told(batch))
        if data.draw(st.booleans()):
            store.write(*told(batch))
    assert store.ask(rows) == expected


def test_a_batch_that_fails_leaves_neither_rows_nor_offsets(store: RecordsStore) -> None:
    batch, ends = told(records()[:50])

    class Crash(Exception):
        pass

    def write(connection: object) -> None:
        projection.write(connection, batch, ends)  # type: ignore[arg-type] # the engine gives one
        raise Crash

    with pytest.raises(Crash):
        store.change(write)
    assert not any(store.ask(rows).values())
    assert store.ask(lambda connection: connection.execute(select(PROJECTED)).all()) == []
    assert store.write(batch, ends) == len(batch)
    assert store.write(batch, ends) == 0


def test_a_paused_worker_that_wakes_changes_nothing(store: RecordsStore) -> None:
    """It holds an old batch; its partition has gone to another, who has written that and more."""
    events = [record for record in records(1) if record.topic == "incidents"]
    old, more = events[:20], events[:60]
    store.write(*told(old))
    store.write(*told(more))
    before = store.ask(rows)
    assert store.write(*told(old)) == 0
    assert store.write(*told(events[10:40])) == 0
    assert store.ask(rows) == before


def test_two_owners_of_a_partition_write_one_after_the_other(store: RecordsStore, empty: str) -> None:
    """The second waits from its first look to the commit of the first, and then finds everything written."""
    batch, ends = told(record for record in records(1) if record.topic == "incidents")
    other, written = RecordsStore(empty), []
    second = threading.Thread(target=lambda: written.append(other.write(batch, ends)))

    def first(connection: object) -> None:
        written.append(projection.write(connection, batch, ends))  # type: ignore[arg-type] # the engine gives one
        second.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%projected%'"
        wait_until(lambda: store.ask(lambda asked: asked.scalar(text(waits))), 10, "the second waits")

    store.change(first)
    second.join(timeout=20)
    other.close()
    assert written == [len(batch), 0]


def test_a_topic_that_was_made_anew_is_read_from_its_first_record(store: RecordsStore) -> None:
    events = [record for record in records(1) if record.topic == "incidents"]
    batch, _ = told(events)
    assert store.write(batch[:60], ends_of(events[:60], {"incidents": "one"})) == 60
    anew = [each._replace(offset=number) for number, each in enumerate(batch[60:70])]
    ends = {Place("incidents", 0, "two"): Reached(len(anew), 0)}
    assert store.write(anew, ends) == len(anew)
    assert store.write(anew, ends) == 0
    # and one that has slept through it, with a batch of the old topic, writes nothing twice
    assert store.write(batch[:60], ends_of(events[:60], {"incidents": "one"})) == 0


def test_offsets_never_go_back(store: RecordsStore) -> None:
    place = Place("incidents", 0, "")
    store.write([], {place: Reached(10, 0)})
    store.write([], {place: Reached(4, 0)})
    assert store.change(lambda connection: lock(connection, [place])) == {place: 10}


def test_who_listens_hears_the_newest_revision_of_each_once_it_is_there(store: RecordsStore, empty: str) -> None:
    listener = RecordsStore(empty)
    heard: list[str] = []

    def listen(connection: object) -> None:
        driver = connection.connection.driver_connection  # type: ignore[attr-defined] # psycopg's own
        driver.autocommit = True
        driver.execute(f"LISTEN {CHANNEL}")
        store.write(*told(records()))
        heard.extend(notification.payload for notification in driver.notifies(timeout=1))

    listener.ask(listen)
    listener.close()
    changes = [change for payload in heard for change in read_changes(payload)]
    known = {row["id"]: row["revision"] for name in ("incidents", "problems") for row in store.ask(rows)[name]}
    assert {change.id: change.revision for change in changes} == known
    assert len(changes) == len(known)
    assert {change.kind for change in changes} == {"incident", "bridge", "problem"}
