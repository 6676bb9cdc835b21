"""A store of the release before has rows: all of them are there afterwards, in the tables of their months."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from pipeline.records.months import Month, existing, make
from pipeline.records.retention import would_remove
from pipeline.records.store import RecordsStore

ENDS_OF_TIME: Final = "9999-12-01T00:00:00+00:00"
TIMES: Final = ("2025-12-31T23:59:59+00:00", "2026-01-01T00:00:00+00:00", "2026-03-10T11:30:00+00:00", ENDS_OF_TIME)


@pytest.fixture
def before(empty: str) -> RecordsStore:
    """A store of version 0001 with an incident that has a revision at each of `TIMES`."""
    store = RecordsStore(empty)
    store.change(_version_0001)
    store.change(_filled)
    return store


def _version_0001(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "pipeline.records:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")


def _filled(connection: Connection) -> None:
    snapshot = '{"id": "INC-1", "state": "closed", "title": "disk full"}'
    connection.execute(
        text(
            "INSERT INTO incidents (id, revision, kind, state, title, updated_at, snapshot)"
            " VALUES ('INC-1', 4, 'incident', 'closed', 'disk full', '2026-03-10+00', cast(:snapshot AS jsonb))"
        ),
        {"snapshot": snapshot},
    )
    for revision, at in enumerate(TIMES, 1):
        given: dict[str, Any] = {"revision": revision, "at": at, "body": snapshot}
        connection.execute(
            text("INSERT INTO incident_events VALUES ('INC-1', :revision, 'noted', :at, cast(:body AS jsonb))"), given
        )
        connection.execute(
            text(
                "INSERT INTO timeline (incident_id, revision, position, at, action, actor, text, facts)"
                " VALUES ('INC-1', :revision, 0, :at, 'note', 'kim', 'replaced the valve ' || :revision, '{}')"
            ),
            given,
        )
        connection.execute(
            text(
                "INSERT INTO suppressions VALUES ('EP-' || :revision, 'transient', :at, :at, 'over', 'key', 'space',"
                " 'feed', 'summary', 'error', 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, '[]', '{}')"
            ),
            given,
        )


def test_rows_of_version_0001_are_all_there_in_their_months(before: RecordsStore) -> None:
    before.migrate()
    assert [event["at"].isoformat() for event in before.events("INC-1")] == list(TIMES)
    assert [entry["text"] for entry in before.timeline("INC-1")] == [
        f"replaced the valve {each}" for each in range(1, 5)
    ]

    def places(connection: Connection) -> dict[str, list[str]]:
        tables = ("incident_events", "timeline", "suppressions")
        query = "SELECT tableoid::regclass::text FROM {} ORDER BY 1"
        return {table: list(connection.scalars(text(query.format(table)))) for table in tables}

    months = ("2025_12", "2026_01", "2026_03", "odd")
    assert before.ask(places) == {
        table: [f"{table}_{month}" for month in months] for table in ("incident_events", "timeline", "suppressions")
    }
    before.close()


def test_what_people_wrote_before_is_found_by_the_search(before: RecordsStore) -> None:
    before.migrate()
    query = text("SELECT id FROM incidents WHERE words @@ to_tsquery('english', 'valve & disk')")
    assert before.ask(lambda connection: list(connection.scalars(query))) == ["INC-1"]
    before.close()


def test_a_month_that_is_made_takes_its_rows_from_the_odd_ones(store: RecordsStore) -> None:
    month = Month(2003, 7)
    insert = text("INSERT INTO incident_events VALUES ('INC-1', 1, 'opened', '2003-07-09+00', '{}')")
    store.change(lambda connection: connection.execute(insert))
    assert len(store.change(lambda connection: make(connection, month))) == 4
    assert store.change(lambda connection: make(connection, month)) == []
    place = text("SELECT tableoid::regclass::text FROM incident_events")
    assert store.ask(lambda connection: connection.scalar(place)) == "incident_events_2003_07"
    assert ("timeline", month) in store.ask(existing).values()


def test_months_are_made_ahead_and_when_they_are_needed(store: RecordsStore) -> None:
    store.write([], {})
    this = Month.of(datetime.now(UTC))
    assert {month for _, month in store.ask(existing).values()} == {this, this.plus(1), this.plus(2)}


@pytest.mark.parametrize("months", [0, 1_000])
def test_an_impossible_number_of_months_is_refused(store: RecordsStore, months: int) -> None:
    with pytest.raises(ValueError, match="months"):
        store.ask(lambda connection: would_remove(connection, months, datetime.now(UTC)))
