"""The real promtool and Prometheus: those on PATH, else Debian's, unpacked into the cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.real.debian import program


@pytest.fixture(scope="session")
def promtool() -> Path:
    return program(("promtool",), "prometheus").path


@pytest.fixture(scope="session")
def prometheus() -> Path:
    return program(("prometheus",), "prometheus").path
