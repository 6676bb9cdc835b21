"""The real PostgreSQL of `tests.conftest`, emptied for each of the records tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text

from pipeline.records.store import RecordsStore


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
