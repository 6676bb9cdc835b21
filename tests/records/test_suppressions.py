"""Suppressions in a real PostgreSQL: each once, the later one stands, asked for by time; the rest is refused."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace
from typing import Any

import orjson
import pytest

from pipeline.agents.record import RecordHooks
from pipeline.core.outward.record import RecordProcessor
from pipeline.core.step import Effects, StreamRecord
from pipeline.models.decision import Reason
from pipeline.models.suppression import Ended, Suppression, What
from pipeline.records.store import RecordsStore
from pipeline.records.suppressions import begun_between, between
from tests.records.test_record import event

BEGIN_MS = 1_772_590_302_318
PAGE = {"person": "ann", "service": "component:default/shop", "rotation": "shop"}


def hidden(episode: str = "EP-1", **fields: Any) -> Suppression:
    given: dict[str, Any] = {
        "what": What.TRANSIENT,
        "ended": Ended.OVER,
        "episode_id": episode,
        "alert_key": "k1",
        "space": "production",
        "feed": "monitor",
        "summary": "is slow",
        "severity": "warning",
        "since_ms": BEGIN_MS,
        "until_ms": BEGIN_MS + 40_000,
        "alerts": 3,
        "pages": [PAGE],
    }
    return Suppression(**(given | fields))


def kept(store: RecordsStore, from_ms: int = 0, to_ms: int = 2 * BEGIN_MS) -> list[Suppression]:
    return store.ask(lambda connection: list(between(connection, from_ms, to_ms)))


def test_what_was_written_comes_back_field_by_field_however_often_it_is_written(store: RecordsStore) -> None:
    decided = {"learned_seconds": 60, "runs": 8.1}
    whole = hidden(
        decided_by=decided,
        entity="e",
        service="s",
        domain="d",
        incident_id="INC-1",
        let_in_by="time",
        priority="P2",
        runs=7,
    )
    for _ in range(3):
        store.keep([whole, hidden("EP-2")])
    assert kept(store) == [whole, hidden("EP-2")]


def test_of_one_that_is_told_again_the_later_stands_in_whatever_order_they_come(store: RecordsStore) -> None:
    first = hidden(what=What.CHRONIC, ended=Ended.TOLD, until_ms=BEGIN_MS)
    raised = replace(first, ended=Ended.LET_IN, until_ms=BEGIN_MS + 1, pages=[])
    store.keep([raised, first])
    assert kept(store) == [raised]
    store.keep([first])
    assert kept(store) == [raised]
    again = replace(first, since_ms=BEGIN_MS + 5, until_ms=BEGIN_MS + 5)
    store.keep([again])
    assert kept(store) == [raised, again], "another time is another suppression"


def test_more_than_one_statement_takes_are_written(store: RecordsStore) -> None:
    store.keep([hidden(f"EP-{number:05}") for number in range(2_345)])
    assert len(kept(store)) == 2_345


def test_a_span_of_time_holds_what_ended_in_it_in_order(store: RecordsStore) -> None:
    store.keep([hidden(f"EP-{at}", until_ms=BEGIN_MS + at) for at in (40, 10, 30, 20)])
    found = kept(store, BEGIN_MS + 10, BEGIN_MS + 40)
    assert [each.episode_id for each in found] == ["EP-10", "EP-20", "EP-30"]


def test_characters_that_the_database_cannot_hold_are_replaced(store: RecordsStore) -> None:
    store.keep([hidden(summary="a\0b", pages=[{"person": "\0"}])])
    (found,) = kept(store)
    assert (found.summary, found.pages) == ("a\N{REPLACEMENT CHARACTER}b", [{"person": "\N{REPLACEMENT CHARACTER}"}])


def record(value: bytes | None, topic: str = "suppressions", offset: int = 0) -> StreamRecord:
    return StreamRecord(topic, 0, offset, BEGIN_MS, b"k1", value)


def test_the_record_stage_writes_events_and_suppressions_of_one_batch_and_refuses_what_is_neither(empty: str) -> None:
    async def write() -> Effects:
        processor, effects = RecordProcessor(), Effects()
        records = [record(event(1), "incidents"), record(orjson.dumps(hidden())), record(b"{}")]
        await hooks.on_assigned(0, processor)
        processor.handle(records, effects)
        await hooks.before_commit(0, processor, records, effects)
        await hooks.stop()
        return effects

    store = RecordsStore(empty)
    hooks = RecordHooks(store)
    (letter,) = asyncio.run(write()).outputs
    assert dict(letter.headers)["spillway-reason"] == Reason.UNKNOWN_SCHEMA.encode()
    assert [each["revision"] for each in store.events("INC-1")] == [1]
    assert kept(store) == [hidden()]


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": 2},
        {"what": "nonsense"},
        {"ended": "nonsense"},
        {"episode_id": ""},
        {"episode_id": "x" * 300},
        {"alert_key": 7},
        {"since_ms": -1},
        {"until_ms": 1 << 60},
        {"alerts": -1},
        {"alerts": 1 << 63},
        {"runs": 1.5},
        {"runs": True},
        {"entity": 7},
        {"decided_by": []},
        {"pages": {}},
        {"pages": ["ann"]},
        {"pages": [{}] * 1_001},
    ],
    ids=str,
)
def test_what_is_no_suppression_is_refused_with_its_bytes(wrong: dict[str, Any]) -> None:
    processor, effects = RecordProcessor(), Effects()
    body = orjson.dumps(asdict(hidden()) | wrong)
    processor.handle([record(body), record(None), record(b"[]")], effects)
    assert [letter.value for letter in effects.outputs] == [body, None, b"[]"]
    assert processor.take() == []


def test_a_suppression_that_lacks_a_field_is_refused() -> None:
    for name in asdict(hidden()):
        processor, effects = RecordProcessor(), Effects()
        document = asdict(hidden())
        del document[name]
        processor.handle([record(orjson.dumps(document))], effects)
        assert len(effects.outputs) == 1, name


def test_incidents_that_began_in_a_span_are_found_with_what_they_are_about(store: RecordsStore) -> None:
    from tests.records.test_incident_command import START_MS, row

    about = {"entities": ["e1", "e2"], "updated_at_ms": START_MS + 500_000}
    store.project([row("INC-1", detected_at_ms=START_MS, **about), row("INC-2", detected_at_ms=START_MS + 99, **about)])
    store.project([row("MI-1", detected_at_ms=START_MS, kind="bridge", **about)])
    found = store.ask(lambda connection: list(begun_between(connection, START_MS, START_MS + 99)))
    assert found == [("INC-1", START_MS, ["e1", "e2"])]
