"""The bench of the runtime's tests: topics of one test, and its workers, killed at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runtime.workers import Bench


@pytest.fixture
def bench(kafka: str, prefix: str) -> Iterator[Bench]:
    bench = Bench(kafka, prefix)
    yield bench
    bench.close()
