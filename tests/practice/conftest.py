"""How long the machine of the whole practice runs: few examples with the suite, as many as asked for at night."""

from __future__ import annotations

from secrets import randbelow
from typing import Final

import pytest

EXAMPLES: Final = 25
"""With the suite: well under a minute on one core."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known where this folder is named: ``pytest tests/practice --practice-examples 5000``."""
    parser.addoption("--practice-examples", type=int, default=EXAMPLES, help="examples of the practice's machine")
    parser.addoption("--practice-seed", type=int, default=None, help="seed of the practice's machine")


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    """How many examples to run."""
    return int(request.config.getoption("--practice-examples", default=EXAMPLES))


@pytest.fixture
def practice_seed(request: pytest.FixtureRequest) -> int:
    """Where hypothesis begins; another one each time unless it is given, and printed where it fails."""
    given = request.config.getoption("--practice-seed", default=None)
    return randbelow(1 << 32) if given is None else int(given)
