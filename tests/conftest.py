"""The broker that tests run on, and names that keep tests apart on it.

A broker comes from, in this order: ``KAFKA_BOOTSTRAP``; a container, where Docker answers; the embedded one.
No broker is a failure, never a skip: a green run has run everything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import count

import pytest

from pipeline.kafka.embedded import EmbeddedKafka
from tests.broker import docker_answers, kafka_container

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
