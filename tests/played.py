"""The three stories, decided and written to a real PostgreSQL, for all folders that read them.

One definition for all: `tests/conftest.py` has the fixtures, so that a process fills a store once.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import create_engine, make_url, text

from pipeline.catalog import load_config
from pipeline.core.outward.record import RecordProcessor
from pipeline.core.step import Effects, Output, Processor, StreamRecord
from pipeline.examples import one_day
from pipeline.flow import STAGE_BY_NAME
from pipeline.models.policy import Config
from pipeline.records.projected import ends_of
from pipeline.records.store import RecordsStore
from pipeline.replay import Replay

CONFIG: Final = Path(__file__).parents[1] / "config"
RUN_ON_SECONDS: Final = 600

OUTAGE_MS: Final = 1_773_147_900_000
"""2026-03-10 13:05 UTC: the hospital's Major Incident goes on since five minutes, and nobody has it."""


_NUMBERS: Final = count()


@pytest.fixture(scope="session")
def company() -> Config:
    """The example company."""
    return load_config(CONFIG)


@dataclass(slots=True)
class Played:
    """What the stages wrote of the stories, in order."""

    outputs: list[Output] = field(default_factory=list)

    def watch(self, processor: Processor, record: StreamRecord, effects: Effects) -> None:
        self.outputs += effects.outputs


@pytest.fixture(scope="session")
def played(company: Config) -> Played:
    """The stories, decided."""
    played = Played()
    Replay(company, watch=played.watch).run(one_day(), run_on_seconds=RUN_ON_SECONDS)
    return played


@pytest.fixture(scope="session")
def stories(played: Played, postgres: str) -> Iterator[str]:
    """Address of a records store that holds the stories. For reading: tests that write have a `database`."""
    with new_database(postgres, "console_stories") as url:
        fill(url, played)
        yield url


@pytest.fixture(scope="session")
def outage(played: Played, postgres: str) -> Iterator[str]:
    """Address of a records store as it was at `OUTAGE_MS`. For reading."""
    until_then = Played([each for each in played.outputs if each.timestamp_ms <= OUTAGE_MS])
    with new_database(postgres, "console_outage") as url:
        fill(url, until_then)
        yield url


@contextmanager
def new_database(postgres: str, name: str = "test") -> Iterator[str]:
    """Address of a new database on a server, for the time of a block."""
    address = make_url(postgres)
    name = f"{name}_{os.getpid()}_{next(_NUMBERS)}"  # where the server is given, all test processes share it
    engine = create_engine(address.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield address.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def fill(url: str, played: Played) -> None:
    """Write what a replay came to, as the record stage does."""
    store = RecordsStore(url)
    store.migrate()
    processor, effects, records = RecordProcessor(), Effects(), list(records_of(played))
    processor.handle(records, effects)
    assert not effects.outputs, "nothing of it is refused"
    store.write(processor.take(), ends_of(records, {}))
    store.close()


def records_of(played: Played) -> Iterable[StreamRecord]:
    """What the record stage reads, in order."""
    offsets: Counter[str] = Counter()
    for each in played.outputs:
        if each.topic in STAGE_BY_NAME["record"].reads:
            yield StreamRecord(each.topic, 0, offsets[each.topic], each.timestamp_ms, each.key, each.value)
            offsets[each.topic] += 1
