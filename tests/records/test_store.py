"""The records store on a real PostgreSQL: idempotent, never backwards, set up once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.records.access.tables import ACCESS_LOG
from pipeline.records.address import RecordsUrlError
from pipeline.records.migrations import VERSION_TABLE, StoreVersionError
from pipeline.records.store import RecordsStore
from pipeline.records.tables import METADATA

START_MS = 1_772_590_302_318


def row(revision: int, change: str = "updated", incident_id: str = "INC-1", **snapshot: Any) -> IncidentEvent:
    at_ms = START_MS + revision * 1_000
    entry = {"at_ms": at_ms, "action": change, "actor": "spillway", "text": f"revision {revision}"}
    incident = {"id": incident_id, "state": "logged", "priority": "P1", "opened_at_ms": START_MS}
    incident |= {"revision": revision, **snapshot}
    return IncidentEvent(incident_id, revision, change, at_ms, [entry], incident)


def connect(url: str) -> Any:
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))


def contents(store: RecordsStore) -> tuple[Any, ...]:
    return (store.incidents(), store.events("INC-1"), store.timeline("INC-1"))


def test_a_batch_is_in_all_tables(store: RecordsStore) -> None:
    store.project([row(1, "opened"), row(2, "acknowledged", state="acknowledged", assignee="kim")])
    incident = store.incident("INC-1")
    assert incident is not None
    assert (incident["revision"], incident["assignee"]) == (2, "kim")
    assert [(event["revision"], event["change"]) for event in store.events("INC-1")] == [
        (1, "opened"),
        (2, "acknowledged"),
    ]
    assert [entry["text"] for entry in store.timeline("INC-1")] == ["revision 1", "revision 2"]
    assert store.events("INC-1")[0]["at"].timestamp() == (START_MS + 1_000) / 1_000
    assert "timeline" not in store.events("INC-1")[0]["body"]


def test_writing_a_batch_again_changes_nothing(store: RecordsStore) -> None:
    batch = [row(1, "opened"), row(2), row(3, "resolved", state="resolved")]
    store.project(batch)
    before = contents(store)
    store.project(batch)
    store.project(batch[:2])
    assert contents(store) == before


def test_an_older_revision_never_overwrites_a_newer(store: RecordsStore) -> None:
    store.project([row(5, title="new")])
    store.project([row(4, title="old")])
    incident = store.incident("INC-1")
    assert incident is not None
    assert incident["title"] == "new"
    assert [event["revision"] for event in store.events("INC-1")] == [4, 5]


def test_a_batch_larger_than_a_statement_is_written_whole(store: RecordsStore) -> None:
    store.project([row(1, "opened", f"INC-{number}") for number in range(2_500)])
    assert len(store.incidents(limit=10_000)) == 2_500


def test_an_empty_batch_is_fine(store: RecordsStore) -> None:
    store.project([])
    assert store.incidents() == []


def test_open_incidents_leave_out_what_is_closed_or_merged(store: RecordsStore) -> None:
    states = ["logged", "acknowledged", "resolved", "closed", "merged"]
    store.project(
        [
            row(1, "opened", f"INC-{number}", state=state, opened_at_ms=START_MS + number)
            for number, state in enumerate(states)
        ]
    )
    assert [incident["id"] for incident in store.incidents(open_only=True)] == ["INC-2", "INC-1", "INC-0"]
    assert len(store.incidents()) == 5
    assert len(store.incidents(limit=2)) == 2
    assert store.incident("INC-9") is None


def test_what_postgres_cannot_hold_is_replaced_not_refused(store: RecordsStore) -> None:
    store.project(
        [row(1, "opened", title="a\0b", symptoms=["\0"], opened_at_ms=10**17, users_affected=2**63, owner=["odd"])]
    )
    incident = store.incident("INC-1")
    assert incident is not None
    assert (incident["title"], incident["symptoms"]) == ("a\N{REPLACEMENT CHARACTER}b", ["\N{REPLACEMENT CHARACTER}"])


def test_workers_that_start_together_set_the_schema_up_once(empty: str) -> None:
    stores = [RecordsStore(empty) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        applied = list(threads.map(RecordsStore.migrate, stores))
    for each in stores:
        each.close()
    assert sorted(applied)[:7] == [0] * 7
    assert max(applied) > 0


def test_workers_that_write_the_same_batch_together_do_not_collide(store: RecordsStore, empty: str) -> None:
    other = RecordsStore(empty)
    with ThreadPoolExecutor(2) as threads:
        for turn in range(5):  # rows that are there already make nobody wait, so each turn has others
            names = [f"INC-{turn}-{number}" for number in range(150)]
            batch = [row(revision, "updated", name) for name in names for revision in (1, 2)]
            list(threads.map(RecordsStore.project, (store, other), (batch, batch[::-1])))
    other.close()
    assert {incident["revision"] for incident in store.incidents()} == {2}


def test_a_database_of_a_newer_release_is_left_alone(store: RecordsStore, empty: str) -> None:
    engine = connect(empty)
    with engine.begin() as connection:
        connection.execute(text("UPDATE spillway_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreVersionError, match="schema version 9999"):
        store.migrate()


def test_the_migrations_lead_to_the_tables_that_the_code_uses(store: RecordsStore, empty: str) -> None:
    engine = connect(empty)
    assert ACCESS_LOG.metadata is METADATA  # tables of other files are among them, once those are imported
    found = METADATA.__class__()
    with engine.connect() as connection:
        months = set(connection.scalars(text("SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")))
    assert "timeline_odd" in months
    found.reflect(engine, only=lambda name, _: name not in months)
    engine.dispose()
    wanted = {name: sorted(str(column.name) for column in table.columns) for name, table in METADATA.tables.items()}
    assert {
        name: sorted(str(column.name) for column in table.columns)
        for name, table in found.tables.items()
        if name != VERSION_TABLE
    } == wanted


@pytest.mark.parametrize("url", ["sqlite:///records.db", "mysql://user:hunter2@db/x", "not an address"])
def test_only_postgres_is_taken_and_no_password_is_shown(url: str) -> None:
    with pytest.raises(RecordsUrlError) as refused:
        RecordsStore(url)
    assert "hunter2" not in str(refused.value)
