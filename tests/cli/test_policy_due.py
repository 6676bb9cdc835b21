"""``spillway policy due``: when the clocks of the example company would warn and be due."""

from __future__ import annotations

from typing import Any

import orjson
from click.testing import CliRunner, Result

from pipeline.cli import main
from tests.catalog.directory import EXAMPLE


def asked(*args: str) -> Result:
    return CliRunner().invoke(main, ["policy", "due", *args, "--config", str(EXAMPLE)])


def rows(*args: str) -> dict[str, list[dict[str, Any]]]:
    return orjson.loads(asked(*args, "--json").stdout)  # type: ignore[no-any-return]


def test_each_clock_of_a_priority_is_told_with_its_warnings_and_holidays() -> None:
    (response, resolution) = rows("retail", "P4", "--at", "2026-03-27T17:00:00+01:00")["P4"]
    assert response == {
        "clock": "response",
        "calendar": "business",
        "target_ms": 28_800_000,
        "warns_at": ["2026-03-30T12:00:00.000Z"],
        "due_at": "2026-03-30T14:00:00.000Z",
        "holidays": [],
    }
    assert (resolution["due_at"], resolution["holidays"]) == ("2026-04-07T09:00:00.000Z", ["2026-04-06 Easter Monday"])


def test_without_a_priority_all_are_told_at_local_times() -> None:
    told = asked("workplace", "--at", "2026-12-23T17:00:00+01:00").stdout
    assert set(rows("workplace")) == {"P1", "P2", "P3", "P4"}
    assert "Wed 2026-12-23 18:00 CET" in told
    assert "2026-12-24 works closed" in told


def test_what_nobody_knows_is_named() -> None:
    assert "did you mean 'hospital'?" in asked("hospitl").stderr
    assert "it has P1, P2, P3, P4" in asked("hospital", "P9").stderr
