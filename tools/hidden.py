"""A real suppression report for the documentation: of the noisy fortnight of the stories."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from rich.console import Console

from pipeline.catalog import load_config
from pipeline.cli.records import PIPED_CHARACTERS
from pipeline.cli.suppression import of_recording, tell
from pipeline.recording import read_recording
from pipeline.replay import Replay
from tests.stories import fortnight

RUN_ON_SECONDS = 3_600


def record() -> str:
    """The value of a record on ``suppressions``: a spike that passed after its like had been learned."""
    story = fortnight.fortnight().lines().splitlines()
    with TemporaryDirectory() as directory:
        config = load_config(fortnight.company(Path(directory) / "company"))
        outcome = Replay(config).run(read_recording(story, "fortnight"))
    first = next(each for each in outcome.suppressions if b'"what":"transient"' in (each.value or b""))
    return orjson.dumps(orjson.loads(first.value or b""), option=orjson.OPT_INDENT_2).decode() + "\n"


def report() -> str:
    """What `spillway suppression` prints about it."""
    with TemporaryDirectory() as directory:
        recording = fortnight.write(Path(directory))
        document = of_recording(recording, (Path(directory) / "company",), RUN_ON_SECONDS, 0, None)
    said = StringIO()
    tell(Console(file=said, width=PIPED_CHARACTERS, highlight=False), document)
    commands = (
        "$ python -m tests.stories.fortnight .",
        f"$ spillway suppression --recording fortnight.ndjson --config company --run-on {RUN_ON_SECONDS}",
    )
    lines = (line.rstrip() for line in said.getvalue().splitlines())
    return "\n".join((*commands, *lines)) + "\n"
