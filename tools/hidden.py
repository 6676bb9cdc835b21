"""A real suppression report for the documentation: of the noisy fortnight of the stories."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from pipeline.cli.records import PIPED_CHARACTERS
from pipeline.cli.suppression import of_recording, tell
from tests.stories import fortnight

RUN_ON_SECONDS = 3_600


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
