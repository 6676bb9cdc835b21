"""A broker of their own for the short runs: what others leave open on a shared one would hide the journal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.kafka.embedded import EmbeddedKafka
from tests.faults.scenarios.base import Arena


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    place: Path = tmp_path_factory.mktemp("faults")
    with EmbeddedKafka() as broker:
        yield Arena(broker.bootstrap, place)
