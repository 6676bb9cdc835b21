"""Real explanations for the documentation: what `spillway explain` prints about alerts of the stories."""

from __future__ import annotations

from functools import cache
from io import StringIO
from typing import Any, Final

import orjson
from rich.console import Console

from pipeline.catalog import load_config
from pipeline.cli.explain_recording import about_recording
from pipeline.cli.explain_view import show
from pipeline.cli.records import PIPED_CHARACTERS
from pipeline.examples import config_directory, story
from pipeline.recording import read_recording
from pipeline.replay import Replay

VERSION_SHOWN: Final = "<version>"
"""In the place of the configuration's version, which changes with every edit of the example company."""


def not_the_nearest() -> str:
    """A ticket that opened an incident of its own beside one that it might have joined."""
    return _words("email", _episode_of("email", "Printer on floor 3"))


def a_flapping_condition() -> str:
    """A condition that is held, then flaps."""
    return _words("checkout", _alert_of("checkout", "DiskLatencyHigh"))


def facts_of_the_nearest() -> str:
    """The facts of the entry behind `not_the_nearest`, as they are in the incident event."""
    entry = _opened("email", "Printer on floor 3")
    return orjson.dumps(entry["facts"], option=orjson.OPT_INDENT_2).decode().replace(_version(), VERSION_SHOWN)


def _words(name: str, asked: str) -> str:
    with story(name).open("rb") as lines:
        document = about_recording(read_recording(lines, name), [load_config(config_directory())], asked, 0)
    said = StringIO()
    show(Console(file=said, width=PIPED_CHARACTERS, highlight=False), document or {})
    command = f"$ spillway explain {asked} --recording tests/stories/{name}.ndjson --config config"
    return f"{command}\n{said.getvalue().replace(_version(), VERSION_SHOWN)}"


@cache
def _version() -> str:
    return load_config(config_directory()).version


def _opened(name: str, text: str) -> dict[str, Any]:
    """The entry of the episode of a story that opened an incident with such words."""
    with story(name).open("rb") as lines:
        outcome = Replay(load_config(config_directory())).run(read_recording(lines, name))
    entries = (entry for event in outcome.events for entry in orjson.loads(event.value or b"")["entries"])
    found: dict[str, Any] = next(each for each in entries if each["action"] == "detect" and text in each["text"])
    return found


def _episode_of(name: str, text: str) -> str:
    return str(_opened(name, text)["facts"]["episode_id"])


def _alert_of(name: str, text: str) -> str:
    """The fingerprint of the first alert of a story with such words."""
    with story(name).open("rb") as lines:
        records = (orjson.loads(record.value or b"") for record in read_recording(lines, name))
        found = next(each for each in records if "alerts" in each and text in orjson.dumps(each).decode())
    return str(found["alerts"][0]["fingerprint"])
