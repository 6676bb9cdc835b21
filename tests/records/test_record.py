"""The record stage's hooks: rows are in the database before the commit, and a short outage is waited out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest
from sqlalchemy.exc import OperationalError

from pipeline.agents.record import RecordHooks
from pipeline.core.outward.record import RecordProcessor
from pipeline.core.step import TICK_KEY, Effects, StreamRecord
from pipeline.models.decision import Reason
from pipeline.records.embedded import embedded_postgres
from pipeline.records.store import RecordsStore


def record(offset: int, value: bytes | None, key: bytes = b"INC-1") -> StreamRecord:
    return StreamRecord("incidents", 0, offset, 1_772_590_000_000 + offset, key, value)


def event(revision: int) -> bytes:
    document = {
        "schema": 1,
        "incident_id": "INC-1",
        "revision": revision,
        "change": "updated",
        "at_ms": 1_772_590_000_000,
    }
    return orjson.dumps(
        {**document, "entries": [], "incident": {"id": "INC-1", "state": "logged", "revision": revision}}
    )


async def write(hooks: RecordHooks, records: list[StreamRecord]) -> Effects:
    processor, effects = RecordProcessor(), Effects()
    await hooks.on_assigned(0, processor)
    processor.handle(records, effects)
    await hooks.before_commit(0, processor, records, effects)
    assert processor.take() == []
    return effects


def test_a_batch_is_in_the_database_before_it_is_committed(empty: str) -> None:
    store = RecordsStore(empty)
    hooks = RecordHooks(store)
    effects = asyncio.run(write(hooks, [record(1, event(1)), record(2, event(2)), record(3, None, TICK_KEY)]))
    assert [each["revision"] for each in store.events("INC-1")] == [1, 2]
    assert effects.outputs == []
    asyncio.run(hooks.stop())


def test_a_bad_record_is_in_the_dead_letter_and_the_rest_is_written(empty: str) -> None:
    store = RecordsStore(empty)
    hooks = RecordHooks(store)
    effects = asyncio.run(write(hooks, [record(1, b"{"), record(2, event(2))]))
    [letter] = effects.outputs
    assert (letter.topic, letter.value) == ("dead.letter", b"{")
    assert dict(letter.headers)["spillway-reason"] == Reason.BROKEN_JSON.encode()
    assert effects.decisions == []
    assert [each["revision"] for each in store.events("INC-1")] == [2]
    asyncio.run(hooks.stop())


def test_a_database_that_restarts_is_waited_for(tmp_path: Path) -> None:
    async def test() -> None:
        with embedded_postgres(tmp_path / "records") as url:
            store = RecordsStore(url)
            hooks = RecordHooks(store, waits_seconds=[0.05] * 400)
            await write(hooks, [record(1, event(1))])
        writing = asyncio.create_task(write(hooks, [record(2, event(2))]))
        await asyncio.to_thread(_restart, tmp_path / "records", store, writing)
        await hooks.stop()

    def _restart(directory: Path, store: RecordsStore, writing: asyncio.Task[Effects]) -> None:
        with embedded_postgres(directory):
            loop = writing.get_loop()
            asyncio.run_coroutine_threadsafe(_ended(writing), loop).result(timeout=30)
            assert [each["revision"] for each in store.events("INC-1")] == [1, 2]

    async def _ended(writing: asyncio.Task[Effects]) -> None:
        await writing

    asyncio.run(test())


def test_a_database_that_stays_away_ends_the_batch_with_its_error() -> None:
    hooks = RecordHooks(RecordsStore("postgresql://nobody@/none?host=/nowhere"), waits_seconds=[0.0, 0.0])
    with pytest.raises(OperationalError):
        asyncio.run(write(hooks, [record(1, event(1))]))
