"""Where the example company and the stories are: inside an installed wheel, or in the source tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.core.step import StreamRecord
from pipeline.recording import read_recording

_INSTALLED = Path(__file__).parent / "_examples"
_SOURCE = Path(__file__).parent.parent

STORIES = ("email", "checkout", "hospital")
"""In the order of their day."""


def config_directory() -> Path:
    """The example company's configuration."""
    return _INSTALLED / "config" if _INSTALLED.is_dir() else _SOURCE / "config"


def story(name: str) -> Path:
    """The recording of a story."""
    folder = _INSTALLED / "stories" if _INSTALLED.is_dir() else _SOURCE / "tests" / "stories"
    return folder / f"{name}.ndjson"


def one_day() -> Iterator[StreamRecord]:
    """The stories as one recording, with the offsets that their records get on empty topics."""
    offsets: dict[str, int] = {}
    records: list[StreamRecord] = []
    for name in STORIES:
        with story(name).open("rb") as lines:
            records += read_recording(lines, name)
    for record in sorted(records, key=lambda each: each.timestamp):
        offset = offsets.get(record.topic, 0)
        offsets[record.topic] = offset + 1
        yield record._replace(offset=offset)
