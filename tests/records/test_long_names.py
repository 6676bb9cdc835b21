"""What is too long for an index of the records store is stored all the same: one record cannot stop the stage."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.records.questions import entries_of_alert
from pipeline.records.store import RecordsStore
from tests.records.test_suppressions import hidden, kept

LONG = hashlib.shake_256(b"long").hexdigest(3_000)
"""Not to be compressed below the 2,704 bytes that an index entry may have."""


def event(facts: dict[str, Any]) -> IncidentEvent:
    entry = {"at_ms": 1, "action": "join", "actor": "spillway", "text": "joined", "facts": facts}
    return IncidentEvent("INC-1", 1, "updated", 1, [entry], {"id": "INC-1", "state": "logged", "revision": 1})


@pytest.mark.parametrize(
    "facts",
    [
        {"episode_id": LONG},
        {"alert_key": LONG},
        {"source_episode_id": LONG},
        {"origin": [LONG, 0, 0, 0]},
        {"alert_key": {"nested": LONG}},
        {"episodes": [LONG]},
    ],
    ids=["episode", "key", "source", "origin", "object", "episodes"],
)
def test_an_entry_with_a_name_that_no_index_takes_is_stored(store: RecordsStore, facts: dict[str, Any]) -> None:
    store.project([event(facts | {"score": 0.5})])
    (row,) = store.timeline("INC-1")
    assert row["facts"]["score"] == 0.5


def test_an_entry_is_found_by_a_name_of_the_length_that_an_alert_may_have(store: RecordsStore) -> None:
    name = "\N{SNOWMAN}" * 512
    store.project([event({"source_episode_id": name})])
    assert len(store.ask(lambda connection: entries_of_alert(connection, name, None))) == 1


def test_a_suppression_with_a_key_that_no_index_takes_is_stored(store: RecordsStore) -> None:
    store.keep([hidden(alert_key=LONG)])
    assert [each.episode_id for each in kept(store)] == ["EP-1"]
