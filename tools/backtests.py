"""The backtest that its page shows: the stories of the demo under a threshold that a part of their joins miss."""

from __future__ import annotations

from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import orjson
from rich.console import Console

from pipeline.backtest.compare import compare
from pipeline.backtest.run import decide
from pipeline.catalog import load_config
from pipeline.cli.backtest_view import view
from pipeline.examples import config_directory, one_day
from pipeline.recording import write_line
from pipeline.redaction.rules import PEOPLE, SECRETS
from pipeline.replay import Replay

MISSED: Final = 1 / 5
"""Share of the joins whose score is below the threshold."""

DIFFERENCES_SHOWN: Final = 3
WIDTH_MAX: Final = 400


@cache
def threshold() -> float:
    """A score that a fifth of the day's joins miss, whatever the evidence weighs at the moment."""
    outcome = Replay(load_config(config_directory())).run(one_day())
    entries = (entry for event in outcome.events for entry in orjson.loads(event.value or b"")["entries"])
    scores = sorted(entry["facts"]["score"] for entry in entries if "score" in entry["facts"])
    return float(scores[round(len(scores) * MISSED)])


def comparison() -> str:
    """What ``spillway backtest`` says of it."""
    active = load_config(config_directory()).model_copy(update={"version": "<config>"})
    correlation = active.correlation.model_copy(update={"join_at_least": threshold()})
    stricter = active.model_copy(update={"version": "<stricter>", "correlation": correlation})
    with TemporaryDirectory() as place:
        recording = Path(place) / "day.ndjson"
        recording.write_bytes(b"".join(map(write_line, one_day())))
        old, new = (decide(recording, each, 0, lambda read: None) for each in (active, stricter))
    said = StringIO()
    view(old, new, compare(old, new), DIFFERENCES_SHOWN, [], Console(file=said, width=WIDTH_MAX))
    lines = "\n".join(line.rstrip() for line in said.getvalue().splitlines())
    return (
        f"The example is the day of `make demo`; `stricter` has `join_at_least: {threshold()}`:\n\n```\n{lines}\n```\n"
    )


def redacted_fields() -> str:
    """Fields that a capture redacts by their names."""
    people, secrets = (", ".join(f"`{name}`" for name in names) for names in (PEOPLE, SECRETS))
    return f"People: {people}.\n\nSecrets: {secrets}.\n"
