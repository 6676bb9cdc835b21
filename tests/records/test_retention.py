"""Retention: what ended long ago goes, whole months at once; what is not over stays, however old it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, text

from pipeline.agents.record import RecordHooks
from pipeline.cli import main
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.core.outward.record import Fact, RecordProcessor, Told
from pipeline.core.outward.told import DeliveryTold, EpisodeTold, LedgerTold
from pipeline.models.suppression import Suppression
from pipeline.records.months import Month, existing
from pipeline.records.retention import Removed, cutoff_of, due, retain, would_remove
from pipeline.records.standing import last_retention
from pipeline.records.store import RecordsStore
from tests.support import wait_until

NOW: Final = datetime.now(UTC)
KEPT_MONTHS: Final = 12
OLD: Final = Month.of(NOW).plus(-20)
OLDER: Final = Month.of(NOW).plus(-22)
NEW: Final = Month.of(NOW).plus(-2)


def ms(month: Month, day: int = 5) -> int:
    return int((month.begins + timedelta(days=day)).timestamp() * 1_000)


def incident(name: str, month: Month, state: str = "closed", **snapshot: Any) -> list[Fact]:
    """One incident with one revision, an episode, a delivery and a line of the ledger."""
    at_ms = ms(month)
    body = {"id": name, "kind": "incident", "state": state, "updated_at_ms": at_ms, "opened_at_ms": at_ms} | snapshot
    entry = {"at_ms": at_ms, "action": "note", "actor": "kim", "text": "looked at it"}
    alert = {"name": "disk", "summary": "disk full", "severity": "error"}
    return [
        IncidentEvent(name, 1, "opened", at_ms, [entry], body, None, [f"EP-{name}"]),
        EpisodeTold(f"EP-{name}", "key", "space", "opened", "new_episode", at_ms, 0, alert),
        DeliveryTold(0, hash(name) % 1_000_000, name, "desk", "out", "delivered", 1, 1, at_ms, {}),
        LedgerTold("desk", name, {"orphan": False}, at_ms),
    ]


def hidden(name: str, month: Month, ended: str = "over", what: str = "transient") -> Suppression:
    at_ms = ms(month)
    return Suppression(
        what=what,
        ended=ended,
        episode_id=name,
        alert_key="key",
        space="space",
        feed="feed",
        summary="summary",
        severity="error",
        since_ms=at_ms,
        until_ms=at_ms + 1_000,
        alerts=1,
    )


def fill(store: RecordsStore, *facts: Fact) -> None:
    store.write([Told("", 0, 0, fact) for fact in facts], {})


def left(store: RecordsStore) -> set[str]:
    return {each["id"] for each in store.incidents()}


def rows(store: RecordsStore, table: str, column: str) -> set[str]:
    query = text(f"SELECT {column} FROM {table}")  # noqa: S608 names of this test
    return store.ask(lambda connection: set(connection.scalars(query)))


def run(store: RecordsStore) -> Removed:
    return retain(store, KEPT_MONTHS, NOW)


def test_an_ended_incident_goes_with_all_that_is_its_own(store: RecordsStore) -> None:
    of_it = replace(hidden("EP-INC-OLD", OLD), incident_id="INC-OLD")
    of_another = replace(hidden("EP-INC-NEW", OLD), incident_id="INC-NEW")
    fill(store, *incident("INC-OLD", OLD), *incident("INC-NEW", NEW), of_it, of_another)
    promised = store.ask(lambda connection: would_remove(connection, KEPT_MONTHS, NOW))
    assert left(store) == {"INC-OLD", "INC-NEW"}
    removed = run(store)
    assert left(store) == {"INC-NEW"}
    for table in ("incident_events", "timeline", "deliveries", "ledger", "episode_members", "measures"):
        assert rows(store, table, "incident_id") == {"INC-NEW"}, table
    assert rows(store, "episodes", "id") == rows(store, "suppressions", "episode_id") == {"EP-INC-NEW"}
    assert removed.rows == promised.rows
    assert removed.dropped == promised.dropped != []


def test_months_whose_incidents_are_all_over_go_as_tables(store: RecordsStore) -> None:
    fill(
        store,
        *incident("INC-OLDER", OLDER),
        hidden("EP-1", OLDER),
        *incident("INC-OLD", OLD),
        *incident("INC-ON", OLD, "logged"),
    )
    removed = run(store)
    gone = {f"{table}_{OLDER.suffix}" for table in ("incident_events", "timeline", "suppressions", "deliveries")}
    assert gone <= set(removed.dropped)
    assert f"incident_events_{OLD.suffix}" not in removed.dropped
    assert left(store) == {"INC-ON"}
    assert not gone & set(store.ask(existing))
    fill(store, *incident("INC-LATE", OLDER))  # a month that was removed is made again when it is needed
    assert f"incident_events_{OLDER.suffix}" in store.ask(existing)


@pytest.mark.parametrize("state", ["logged", "acknowledged", "resolved", "waiting_vendor"])
def test_what_is_not_over_is_never_touched(store: RecordsStore, state: str) -> None:
    fill(store, *incident("INC-1", OLDER, state))
    assert run(store).rows == {}
    assert left(store) == {"INC-1"}
    assert len(store.timeline("INC-1")) == 1
    assert rows(store, "deliveries", "incident_id") == rows(store, "ledger", "incident_id") == {"INC-1"}


def test_a_part_of_what_is_not_over_stays(store: RecordsStore) -> None:
    whole, bridge = incident("INC-WHOLE", OLD, "logged"), incident("MI-1", OLD, "logged", kind="bridge")
    parts = [
        *incident("INC-PART", OLDER, "merged", merged_into="INC-WHOLE"),
        *incident("INC-MEMBER", OLDER, bridge_id="MI-1"),
    ]
    fill(store, *whole, *bridge, *parts)
    run(store)
    assert left(store) == {"INC-WHOLE", "MI-1", "INC-PART", "INC-MEMBER"}


def test_silences_that_are_in_force_stay_and_what_is_of_no_incident_goes(store: RecordsStore) -> None:
    at_ms = ms(OLD)
    alone = EpisodeTold("EP-ALONE", "key", "space", "hidden", "maintenance", at_ms, 0, {"summary": "x"})
    unknown = DeliveryTold(0, 1, "INC-UNKNOWN", "desk", "in", "unknown_incident", None, None, at_ms, {})
    fill(store, hidden("EP-1", OLD), hidden("SIL-1", OLD, "on", "silence"), alone, unknown)
    removed = run(store)
    assert rows(store, "suppressions", "episode_id") == {"SIL-1"}
    assert removed.rows == {"deliveries": 1, "episodes": 1, "suppressions": 1}


def test_each_run_is_written_down_and_told_to_machines(store: RecordsStore) -> None:
    fill(store, *incident("INC-OLD", OLD))
    assert store.ask(lambda connection: due(connection, NOW))
    removed = run(store)
    assert not store.ask(lambda connection: due(connection, NOW))
    query = text("SELECT months, cutoff, actor, removed, dropped FROM retention_runs")
    [row] = store.ask(lambda connection: connection.execute(query).all())
    assert tuple(row) == (KEPT_MONTHS, cutoff_of(KEPT_MONTHS, NOW), "spillway", removed.rows, removed.dropped)
    told = orjson.loads(orjson.dumps(store.ask(last_retention)))
    assert (told["months"], told["removed"]) == (KEPT_MONTHS, removed.rows)


def test_a_run_that_is_interrupted_goes_on_at_the_next(store: RecordsStore) -> None:
    fill(store, *incident("INC-OLD", OLD), *incident("INC-ON", OLD, "logged"))
    retain(store, KEPT_MONTHS, NOW, goes_on=lambda: False)
    assert left(store) == {"INC-OLD", "INC-ON"}
    run(store)
    assert left(store) == {"INC-ON"}


def test_a_month_that_somebody_reads_is_left_to_the_next_run(store: RecordsStore, empty: str) -> None:
    fill(store, *incident("INC-OLD", OLD))
    reader = RecordsStore(empty)

    def reads(connection: Connection) -> Removed:
        connection.execute(text("SELECT * FROM incident_events"))
        return run(store)

    removed = reader.ask(reads)
    reader.close()
    assert f"incident_events_{OLD.suffix}" not in removed.dropped
    assert left(store) == set()  # row by row it goes nevertheless
    assert rows(store, "incident_events", "incident_id") == set()


def test_the_record_stage_runs_it_once_a_day_by_itself(store: RecordsStore, empty: str) -> None:
    fill(store, *incident("INC-OLD", OLD), *incident("INC-NEW", NEW))

    async def serve() -> None:
        workers = [RecordHooks(RecordsStore(empty), retention_months=KEPT_MONTHS) for _ in range(2)]
        for hooks in workers:
            await hooks.on_assigned(0, RecordProcessor())
        await asyncio.to_thread(wait_until, lambda: left(store) == {"INC-NEW"}, 20, "the old one is gone")
        for hooks in workers:
            await hooks.stop()

    asyncio.run(serve())
    assert len(rows(store, "retention_runs", "id")) == 1


def test_the_command_keeps_as_long_as_the_configuration_says_unless_it_is_asked_otherwise(
    store: RecordsStore, empty: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, *incident("INC-OLD", OLD))
    (tmp_path / "privacy.yaml").write_text("retention_months: 84\n")
    monkeypatch.setenv("SPILLWAY_CONFIG", str(tmp_path))
    asked = ["records", "retention", "--dry-run", "--json", "--records-url", empty]
    by_configuration = orjson.loads(CliRunner().invoke(main, asked).output)
    by_hand = orjson.loads(CliRunner().invoke(main, [*asked, "--months", str(KEPT_MONTHS)]).output)
    assert by_configuration["cutoff"] < by_hand["cutoff"]
    assert by_configuration["rows"].get("incidents", 0) == 0
    assert by_hand["rows"]["incidents"] == 1
