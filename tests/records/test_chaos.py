"""Four kills of the fifty: enough to notice that a row is lost or doubled."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.records.chaos import run

SEED = 20260310
KILLS = 4


@pytest.fixture
def databases(postgres: str, database: str) -> Iterator[tuple[str, str]]:
    """Two databases of this test alone."""
    name = f"{make_url(database).database}_anew"
    engine = create_engine(make_url(postgres).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield database, make_url(database).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def test_no_row_is_lost_or_doubled_when_the_worker_is_killed(
    kafka: str, databases: tuple[str, str], tmp_path: Path
) -> None:
    counts = run(kafka, databases, tmp_path, KILLS, SEED, lambda line: sys.stdout.write(f"seed {SEED}: {line}\n"))
    assert all(counts.values()), counts
