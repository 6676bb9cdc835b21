"""Pages of incidents survive what their snapshots do not have: of older releases, or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, text

from pipeline.console.context import Context
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.models.policy import Config
from pipeline.records.address import async_engine_of
from pipeline.records.store import RecordsStore
from pipeline.settings import Settings
from tests.console.conftest import Client, clients_of, somebody
from tests.console.sent import Sent


@pytest.fixture(scope="session")
def examples(stories: str) -> list[dict[str, Any]]:
    """Snapshots of the stories: an incident and a Major Incident, of each the one with the most in it."""

    def asked(connection: Connection) -> list[dict[str, Any]]:
        query = text("""
            SELECT DISTINCT ON (kind) snapshot FROM incidents ORDER BY kind, length(snapshot::text) DESC""")
        return list(connection.scalars(query))

    store = RecordsStore(stories)
    found = store.ask(asked)
    store.close()
    assert {each["kind"] for each in found} == {"incident", "bridge"}
    return found


@pytest.fixture
def damaged(database: str, company: Config, sent: Sent) -> Iterator[tuple[RecordsStore, Client]]:
    """A store that is empty yet, and its console."""
    store = RecordsStore(database)
    store.migrate()
    with clients_of(Context(Settings(records_url=database), company, async_engine_of(database, 4), sent)) as client:
        yield store, client
    store.close()


def written(store: RecordsStore, snapshots: dict[str, dict[str, Any]]) -> None:
    store.project([IncidentEvent(each, 1, "updated", 1, [], told) for each, told in snapshots.items()])


def test_an_incident_of_which_next_to_nothing_is_known_has_its_pages(damaged: tuple[RecordsStore, Client]) -> None:
    store, client = damaged
    written(store, {"INC-1": {"id": "INC-1", "state": "logged"}, "INC-2": {}})
    browser = client(somebody())
    for path in ("/incidents/INC-1", "/incidents/INC-1/timeline", "/incidents/INC-1/similar", "/incidents/INC-2", "/"):
        assert browser.get(path).status_code == 200, path


def test_a_page_shows_what_is_left_of_an_incident(
    damaged: tuple[RecordsStore, Client], examples: list[dict[str, Any]]
) -> None:
    store, client = damaged
    lacking = {
        f"INC-{number}-{name}": {key: value for key, value in snapshot.items() if key != name}
        for number, snapshot in enumerate(examples)
        for name in snapshot
    }
    written(store, lacking)
    assert failed(client, lacking) == []


def test_a_page_survives_what_parts_of_an_incident_lack(
    damaged: tuple[RecordsStore, Client], examples: list[dict[str, Any]]
) -> None:
    store, client = damaged
    lacking = {
        f"INC-{number}-{place}": changed
        for number, snapshot in enumerate(examples)
        for place, changed in enumerate(without_each_part(snapshot))
    }
    written(store, lacking)
    assert failed(client, lacking) == []


def without_each_part(snapshot: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The snapshot without one field of one of its parts, for each that any of these parts has."""
    for name, value in snapshot.items():
        parts = value if isinstance(value, list) else [value]
        for lacks in sorted({key for part in parts if isinstance(part, dict) for key in part}):
            changed = orjson.loads(orjson.dumps(snapshot))
            for part in changed[name] if isinstance(value, list) else [changed[name]]:
                if isinstance(part, dict):
                    part.pop(lacks, None)
            yield changed


def failed(client: Client, snapshots: dict[str, dict[str, Any]]) -> list[str]:
    browser = client(somebody())
    return [each for each in snapshots if browser.get(f"/incidents/{each}").status_code != 200]
