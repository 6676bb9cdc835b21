"""A real PostgreSQL for the records tests: a given one, else the embedded one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from pipeline.records.embedded import embedded_postgres
from pipeline.records.store import RecordsStore


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a real PostgreSQL."""
    if given := os.environ.get("SPILLWAY_TEST_RECORDS_URL"):
        yield given
    else:
        with embedded_postgres() as url:
            yield url


@pytest.fixture
def empty(postgres: str) -> str:
    """Address of the same PostgreSQL with nothing in it."""
    engine = create_engine(postgres.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres


@pytest.fixture
def store(empty: str) -> Iterator[RecordsStore]:
    """A records store that is set up and empty."""
    records = RecordsStore(empty)
    records.migrate()
    yield records
    records.close()
