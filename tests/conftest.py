"""The engines that tests run on, and names that keep tests apart on them.

A broker comes from, in this order: ``KAFKA_BOOTSTRAP``; a container, where Docker answers; the embedded one.
No broker is a failure, never a skip: a green run has run everything. PostgreSQL comes from
``SPILLWAY_TEST_RECORDS_URL``, else it is the embedded one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import count

import pytest

from pipeline.kafka.embedded import EmbeddedKafka
from pipeline.records.embedded import embedded_postgres
from tests.broker import docker_answers, kafka_container
from tests.played import company, new_database, outage, played, stories

__all__ = ["company", "outage", "played", "stories"]  # fixtures of all folders

_PREFIXES = count(1)


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Bootstrap address of a real Apache Kafka."""
    if given := os.environ.get("KAFKA_BOOTSTRAP"):
        yield given
    elif docker_answers():
        with kafka_container() as bootstrap:
            yield bootstrap
    else:
        with EmbeddedKafka() as broker:
            yield broker.bootstrap


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A topic prefix of this test alone, also on a broker that earlier runs have used."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    return f"{name}-{os.getpid()}-{next(_PREFIXES)}."


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a real PostgreSQL."""
    if given := os.environ.get("SPILLWAY_TEST_RECORDS_URL"):
        yield given
    else:
        with embedded_postgres() as url:
            yield url


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """Address of a new database on it, of this test alone."""
    with new_database(postgres) as url:
        yield url
