"""A store made anew from real topics: the same row for row; damage is found, and put right while the store is used."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from confluent_kafka import TopicPartition
from sqlalchemy import Connection, create_engine, make_url, text

from pipeline.cli import main
from pipeline.core.identity import partition_of
from pipeline.records.compare import compare
from pipeline.records.projected import next_offsets
from pipeline.records.rebuild import RebuildError, Repaired, rebuild_in_place, rebuild_into
from pipeline.records.retention import cutoff_of
from pipeline.records.source import Source, size
from pipeline.records.standing import behind
from pipeline.records.store import RecordsStore
from tests.live.site import Site
from tests.records.nursery import Nursery
from tests.records.told import PARTITIONS, rows, stories
from tests.support import wait_until

DAMAGE = """
    DELETE FROM timeline WHERE action = 'page';
    DELETE FROM incident_events WHERE revision = 3;
    UPDATE incidents SET title = 'something else', notes_text = '' WHERE kind = 'incident';
    UPDATE episodes SET incident_id = NULL, alerts = 77;
    UPDATE ledger SET remote_state = 'gone';
    INSERT INTO incident_events (incident_id, revision, change, at, body)
        VALUES ('INC-NEVER', 1, 'opened', now(), '{}');
    DELETE FROM measures;
"""


@pytest.fixture
def site(kafka: str, prefix: str, database: str, tmp_path: Path) -> Iterator[Site]:
    """Topics that hold the stories, and a store that holds nothing yet."""
    site = Site(kafka, prefix, tmp_path, records_url=database, partitions=PARTITIONS)
    site.make_topics()
    for output in stories():
        site.send(output.topic, output.value, key=output.key, partition=partition_of(output.key or b"", PARTITIONS))
    site.flush()
    yield site
    site.close()


@pytest.fixture
def live(site: Site) -> Iterator[RecordsStore]:
    """The store, as the record stage has filled it."""
    store = RecordsStore(site.settings.records_url or "")
    store.migrate()
    source = Source(site.settings)
    source.project(store, source.bounds())
    yield store
    store.close()


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    """Starts record workers."""
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def another(postgres: str, database: str) -> Iterator[str]:
    """One more empty database."""
    name = f"{make_url(database).database}_anew"
    engine = create_engine(make_url(postgres).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(database).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def unread(source: Source, store: RecordsStore) -> int:
    return sum(each.records for each in behind(source, store.ask(next_offsets)))


def _execute(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


def in_place(site: Site) -> dict[str, Repaired]:
    source = Source(site.settings)
    rebuilt = rebuild_in_place(source, site.settings.records_url or "", source.bounds(), lambda _: None)
    return {each.table: each for each in rebuilt.repaired if each.missing or each.different or each.extra}


def test_an_empty_store_made_anew_is_the_same_row_for_row(site: Site, live: RecordsStore, another: str) -> None:
    source = Source(site.settings)
    seen: list[int] = []
    rebuilt = rebuild_into(source, another, source.bounds(), seen.append)
    assert rebuilt.counted.records == len(stories()) == seen[-1] == size(source.bounds())
    anew = RecordsStore(another)

    def differences(one: Connection) -> list[str]:
        return anew.ask(lambda other: [each.table for each in compare(one, other) if each.different])

    assert live.ask(differences) == []
    assert anew.ask(rows) == live.ask(rows)
    with pytest.raises(RebuildError, match="not empty"):
        rebuild_into(source, another, source.bounds(), seen.append)
    anew.close()


def test_damage_is_put_right_in_place_and_what_is_right_is_left_alone(site: Site, live: RecordsStore) -> None:
    before = live.ask(rows)
    assert in_place(site) == {}
    for statement in filter(str.strip, DAMAGE.split(";")):
        live.change(partial(_execute, statement=statement))
    repaired = in_place(site)
    assert live.ask(rows) == before
    assert repaired["incident_events"].extra == 1
    assert repaired["incident_events"].missing > 0
    assert repaired["timeline"].missing > 0
    assert repaired["incidents"].different > 0
    assert repaired["episodes"].different == len(before["episodes"])
    assert in_place(site) == {}


def test_who_reads_sees_no_half_of_a_rebuild_and_what_is_not_of_topics_stays(site: Site, live: RecordsStore) -> None:
    live.change(lambda connection: connection.execute(text("DELETE FROM timeline")))
    values = "now(), 1, now(), 'kim', '{}', '{}', 0"
    insert = f"INSERT INTO retention_runs (at, months, cutoff, actor, removed, dropped, seconds) SELECT {values}"
    live.change(lambda connection: connection.execute(text(insert)))

    def reads(connection: Connection) -> tuple[int, int]:
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        count = text("SELECT count(*) FROM timeline")
        first = connection.scalar(count)
        in_place(site)
        return first, connection.scalar(count)

    assert live.ask(reads) == (0, 0)
    assert live.ask(lambda connection: connection.scalar(text("SELECT count(*) FROM timeline"))) > 0
    assert live.ask(lambda connection: connection.scalar(text("SELECT actor FROM retention_runs"))) == "kim"


def test_what_is_older_than_the_topics_stays(site: Site, live: RecordsStore) -> None:
    before = live.ask(rows)
    wire, bounds = site.settings.wire("incidents"), Source(site.settings).bounds()
    ends = {place.partition: end for place, (_, end) in bounds.items() if place.topic == "incidents"}
    gone = [TopicPartition(wire, partition, end // 2) for partition, end in ends.items()]
    for future in site.admin.delete_records(gone).values():
        future.result()
    assert size(Source(site.settings).bounds()) < len(stories())
    assert in_place(site) == {}
    assert live.ask(rows) == before


def test_a_store_that_is_behind_is_brought_up_and_the_worker_goes_on_from_there(
    site: Site, live: RecordsStore, nursery: Nursery, tmp_path: Path
) -> None:
    everything = live.ask(rows)
    site.send("incidents", _another_event(), key=b"INC-MORE", partition=partition_of(b"INC-MORE", PARTITIONS))
    site.flush()
    assert in_place(site)["incidents"].missing == 1
    worker = nursery.worker(site.settings, tmp_path / "worker.log").wait_ready()
    site.send("incidents", _another_event(2), key=b"INC-MORE", partition=partition_of(b"INC-MORE", PARTITIONS))
    site.flush()
    wait_until(lambda: (live.incident("INC-MORE") or {}).get("revision") == 2, 40, "the worker goes on")
    assert worker.terminate() == 0, worker.said()
    events = everything["incident_events"]
    found = live.ask(lambda connection: connection.scalar(text("SELECT count(*) FROM incident_events")))
    assert found == len(events) + 2


def test_a_store_of_a_backup_gets_what_was_committed_since(
    site: Site, database: str, another: str, nursery: Nursery, tmp_path: Path
) -> None:
    first = nursery.worker(site.settings, tmp_path / "first.log").wait_ready()
    source, live, copy = Source(site.settings), RecordsStore(database), RecordsStore(another)
    wait_until(lambda: not unread(source, live), 60, "the store has everything")
    assert first.terminate() == 0, first.said()
    copy.migrate()
    source.project(copy, {place: (0, end // 2) for place, (_, end) in source.bounds().items()})
    assert unread(source, copy)
    settings = site.settings.model_copy(update={"records_url": another})
    heir = nursery.worker(settings, tmp_path / "heir.log").wait_ready()
    assert not unread(source, copy)
    assert copy.ask(rows) == live.ask(rows)
    assert "store caught up" in heir.said()
    assert heir.terminate() == 0, heir.said()
    live.close()
    copy.close()


def test_the_commands_say_how_the_store_stands_and_what_differs(
    site: Site, live: RecordsStore, another: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in site.settings.to_environment().items():
        if name.startswith("SPILLWAY_"):
            monkeypatch.setenv(name, value)
    url = site.settings.records_url or ""
    runner = CliRunner()
    status = runner.invoke(main, ["records", "status", "--json"])
    assert status.exit_code == 0, status.output
    document = orjson.loads(status.stdout)
    assert {each["topic"]: each["records"] for each in document["topics"]} == dict.fromkeys(
        Source(site.settings).topic_ids, 0
    )
    assert "2026-03" in document["months"]
    assert "schema version" in runner.invoke(main, ["records", "status"]).output
    assert (
        "the store holds what the topics hold" in runner.invoke(main, ["records", "rebuild", "--into", another]).output
    )
    same = runner.invoke(main, ["records", "compare", url, another])
    assert (same.exit_code, "the same, row for row" in same.output) == (0, True)
    live.change(lambda connection: connection.execute(text("UPDATE incidents SET title = 'x' WHERE kind = 'bridge'")))
    other = runner.invoke(main, ["records", "compare", url, another])
    assert other.exit_code == 1
    assert ": title, words" in other.output or ": title" in other.output
    put_right = runner.invoke(main, ["records", "rebuild"])
    assert "incidents" in put_right.output, put_right.output
    assert "nothing was changed" in runner.invoke(main, ["records", "rebuild"]).output
    dry = runner.invoke(main, ["records", "retention", "--months", "1", "--dry-run", "--json"])
    assert orjson.loads(dry.stdout)["rows"]["incidents"] > 0
    assert runner.invoke(main, ["records", "retention", "--months", "1"]).exit_code == 0


def _another_event(revision: int = 1) -> bytes:
    snapshot = {"id": "INC-MORE", "state": "logged", "revision": revision}
    event = {
        "schema": 1,
        "incident_id": "INC-MORE",
        "revision": revision,
        "change": "opened",
        "at_ms": 1_773_150_000_000,
    }
    return orjson.dumps({**event, "entries": [], "joined": [], "left": [], "incident": snapshot})


def test_a_store_of_other_topics_is_left_alone_unless_it_is_said_that_they_are_new(
    site: Site, live: RecordsStore
) -> None:
    """Somebody asks for a rebuild of production with the brokers of a test."""
    of_elsewhere = "UPDATE projected SET topic_id = 'of another cluster' WHERE topic_id IS NOT NULL"
    live.change(partial(_execute, statement=of_elsewhere))
    live.change(partial(_execute, statement="UPDATE incidents SET title = 'of production'"))
    before = live.ask(rows)
    source, url = Source(site.settings), site.settings.records_url or ""
    with pytest.raises(RebuildError, match="--new-topics"):
        rebuild_in_place(source, url, source.bounds(), lambda _: None)
    assert live.ask(rows) == before
    rebuilt = rebuild_in_place(source, url, source.bounds(), lambda _: None, new_topics=True)
    assert rebuilt.counted.records == len(stories())


def test_retention_keeps_as_long_as_the_configuration_says_and_guesses_nothing(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RecordsStore(database).migrate()
    monkeypatch.setenv("SPILLWAY_RECORDS_URL", database)
    monkeypatch.delenv("SPILLWAY_CONFIG", raising=False)
    asked, runner = ["records", "retention", "--dry-run", "--json"], CliRunner()
    unknown = runner.invoke(main, asked)
    assert unknown.exit_code == 1
    assert "give --months or set SPILLWAY_CONFIG" in unknown.output
    (tmp_path / "privacy.yaml").write_text("retention_months: 120\n")
    monkeypatch.setenv("SPILLWAY_CONFIG", str(tmp_path))
    said = runner.invoke(main, asked)
    assert said.exit_code == 0, said.output
    assert orjson.loads(said.stdout)["cutoff"] == cutoff_of(120, datetime.now(UTC)).isoformat()
