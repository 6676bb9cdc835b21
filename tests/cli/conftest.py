"""A records store that holds what the three stories come to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import orjson
import pytest

from pipeline.catalog import load_config
from pipeline.core.outward.incident_event import IncidentEvent, read_event
from pipeline.core.step import StreamRecord
from pipeline.examples import config_directory, one_day
from pipeline.models.suppression import Suppression
from pipeline.records.store import RecordsStore
from pipeline.replay import Outcome, Replay

RUN_ON_SECONDS = 600


@cache
def day() -> Outcome:
    """What the stories come to."""
    return Replay(load_config(config_directory())).run(one_day(), run_on_seconds=RUN_ON_SECONDS)


@cache
def told() -> tuple[IncidentEvent, ...]:
    """Every incident event of the stories, in order."""
    return tuple(
        read_event(StreamRecord(event.topic, 0, offset, event.timestamp_ms, event.key, event.value, event.headers))
        for offset, event in enumerate(day().events)
    )


@pytest.fixture
def records(database: str) -> Iterator[RecordsStore]:
    """A records store that is set up and empty."""
    store = RecordsStore(database)
    store.migrate()
    yield store
    store.close()


@pytest.fixture
def stories(records: RecordsStore, database: str) -> str:
    """Address of a records store with the stories in it."""
    records.project(told())
    records.keep([Suppression(**orjson.loads(each.value or b"{}")) for each in day().suppressions])
    return database
