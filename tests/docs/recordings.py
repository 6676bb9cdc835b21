"""What stands in for the recordings of a reader's own: the stories, a drill, and a night whose batch fails."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import orjson

from pipeline.core.step import StreamRecord
from pipeline.recording import write_line
from tests.cli import drill
from tests.docs.collected import ROOT
from tests.stories.payloads import alertmanager

RECORDINGS: Final = {
    "day": "checkout",
    "march": "checkout",
    "monday": "checkout",
    "checkout": "checkout",
    "drill": "",
    "night": "",
}
"""Names that the pages use -> the story that is meant."""


def record(place: Path, name: str) -> None:
    """Put a recording in its place; a command before may have captured into it."""
    file = place / f"{name}.ndjson"
    if name == "drill":
        drill.write(file)
    elif name == "night":
        file.write_bytes(night())
    else:
        shutil.copy(ROOT / "tests" / "stories" / f"{RECORDINGS[name]}.ndjson", file)


def night() -> bytes:
    """Two jobs of one nightly batch fail, five minutes apart."""
    lines = []
    for number in range(2):
        at = datetime(2026, 3, 10, 1, 20, tzinfo=UTC) + timedelta(minutes=5 * number)
        labels = {"alertname": "JobFailed", "instance": f"worker-{number + 1}", "severity": "critical"}
        alert = alertmanager({**labels, "schedule": "nightly", "batch": "close-day"}, "JobFailed", at)
        at_ms = round(at.timestamp() * 1_000)
        lines.append(write_line(StreamRecord("alerts.raw.alertmanager", 0, number, at_ms, None, orjson.dumps(alert))))
    return b"".join(lines)
