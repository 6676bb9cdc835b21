"""Commands of the documentation that need no more than recordings, configurations, a store and topics, each run on
them; `collected.py` says where the others are."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from benchmarks import sizing
from pipeline.cli import main
from tests.docs.collected import ROOT, Written, of

RECORDINGS: Final = {
    "day": "checkout",
    "march": "checkout",
    "monday": "checkout",
    "drill": "checkout",
    "checkout": "checkout",
    "night": "email",
}
"""What stands in for the reader's own recordings."""

STANDS_FOR: Final = {
    r"/etc/spillway/config|\bDIR\b": "config",
    r"\bREASON\b": "broken_json",
    r"INC-CRXG3UAWYA2W|INC-\.\.\.|\bID\b": "INC-D5KZHUYBCD7C",
}
"""Values of the reader's own, and those of the stories."""

ENDS: Final = {
    r"spillway config lint": (0, 1),  # it counts what it remarks
    r"spillway backtest .*--fail-on": (0, 1),  # whether the day exceeds the bounds is the example's point
    r"spillway catalog unmatched": (0, 1),
    r"spillway explain (00000000a1b2c3d4|EP-UED2XVX3F6LO|backup-store-1|payments-api) ": (
        0,
        1,
    ),  # ids of the reader's day
    r"spillway explain|spillway communication|spillway policy preview": (0, 1),
}
"""Commands that may end otherwise than with 0."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, stories: str, kafka: str) -> Iterator[Path]:
    """A directory as a reader's after the quick start: a configuration, variants of it, recordings, a store, topics."""
    here = tmp_path_factory.mktemp("reader")
    for name in ("config", "stricter", "monday", "tuesday", "next", "company"):
        shutil.copytree(ROOT / "config", here / name)
    rules = here / "stricter" / "correlation.yaml"
    rules.write_text(re.sub(r"(?m)^join_at_least: .*$", "join_at_least: 0.9417", rules.read_text()))
    for name in RECORDINGS:
        record(here, name)
    shutil.copy(ROOT / "tests/feeds/samples/alertmanager-firing.json", here / "payload.json")
    (here / "tests").symlink_to(ROOT / "tests")
    before = Path.cwd()
    variables = {
        "SPILLWAY_RECORDS_URL": stories,
        "SPILLWAY_CONFIG": str(here / "config"),
        "SPILLWAY_BOOTSTRAP": kafka,
        "SPILLWAY_TOPIC_PREFIX": f"docs-{os.getpid()}.",
        "SPILLWAY_PARTITIONS": "1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        os.chdir(here)
        applied = CliRunner().invoke(main, ["topics", "apply"])
        assert applied.exit_code == 0, applied.output
        CliRunner().invoke(main, ["replay", "day.ndjson", "--incidents", "incidents.ndjson"])
        yield here
        os.chdir(before)


def record(place: Path, name: str) -> None:
    """Put a recording of the reader's in its place; a command before may have captured into it."""
    shutil.copy(ROOT / "tests" / "stories" / f"{RECORDINGS[name]}.ndjson", place / f"{name}.ndjson")


def ends(text: str) -> tuple[int, ...]:
    """How a command may end."""
    return next((codes for begins, codes in ENDS.items() if re.match(begins, text)), (0,))


@pytest.mark.parametrize("written", of("commands"), ids=lambda written: written.text[:70])
def test_a_command_of_the_documentation_works(
    written: Written, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = written.text
    for stands, value in STANDS_FOR.items():
        text = re.sub(stands, value, text)
    words = shlex.split(text, comments=True)
    for name in RECORDINGS:
        if f"{name}.ndjson" in words:
            record(place, name)
    if words[0] == "python":
        if "--help" not in words:
            assert sizing.main(words[3:]) == 0
        return
    assert words[0] == "spillway", written
    result = CliRunner().invoke(main, words[1:])
    capsys.readouterr()

    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in ends(written.text), f"{written.page}: {written.text}: {result.output[-600:]}"
    assert "Traceback" not in result.output
    assert result.output.strip() or "-o " in written.text
