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
from tests.docs.collected import ROOT, Written, of, shown
from tests.docs.reader import says
from tests.docs.recordings import RECORDINGS, record

STANDS_FOR: Final = {
    r"/etc/spillway/config|\bDIR\b": "config",
    r"\bREASON\b": "broken_json",
    r"00000000a1b2c3d4": "000000004a69ce27",
    r"INC-CRXG3UAWYA2W|INC-\.\.\.|\bID\b": "INC-D5KZHUYBCD7C",
}
"""Values of the reader's own, and those of the stories."""

ENDS: Final = {r"spillway backtest .*--fail-on": 1}  # what exceeds the bounds is the example's point
"""Commands that end otherwise than with 0."""

VARIES: Final[tuple[tuple[str, str], ...]] = (
    (r"spillway audit export --from", "names the digest of a file of this moment"),
    (r"spillway records status", "tells how large a store is at the moment"),
    (r"spillway silence (add|extend|end)", "is given an id of chance"),
    (r"spillway topics grants", "the topics here have a prefix"),
    (r"spillway (silence list|sink list|dead-letter list)", "the reader's has something to list"),
    (r"spillway (config (check|lint|test)|catalog unmatched|oncall lint)", "the reader's configuration has mistakes"),
    (r"spillway (correlation suggest|policy preview)", "the reader's people have merged, and changed a policy"),
    (r"spillway explain EP-IOQ5WZ5YQIMR", "a generated part, which tests/test_docs.py compares"),
)
"""What a command begins with whose output is not that of its page -> why not."""


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
        "SPILLWAY_CONFIG": "config",
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
    columns = "400" if "--effective" in words else "110"  # as wide as what the pages show
    result = CliRunner(env={"COLUMNS": columns}).invoke(main, words[1:])
    capsys.readouterr()

    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    ends = next((code for begins, code in ENDS.items() if re.match(begins, written.text)), 0)
    assert result.exit_code == ends, f"{written.page}: {written.text}: {result.output[-600:]}"
    assert "Traceback" not in result.output
    assert result.output.strip() or "-o " in written.text
    if (lines := shown(written)) and not any(re.match(begins, written.text) for begins, _ in VARIES):
        assert says(result.output, lines), f"{written.page}: {written.text}: {result.output[-600:]}"
