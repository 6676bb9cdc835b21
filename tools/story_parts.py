"""Generated parts of the documentation that show what the checkout story comes to."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import orjson

from pipeline.catalog import load_config
from pipeline.examples import config_directory, story
from pipeline.models.policy import Config
from pipeline.recording import read_recording
from pipeline.replay import Outcome, Replay, decision_line, event_line
from tools import explanations, picture

_SHOWN_OF_SNAPSHOT: Final = (
    "schema",
    "id",
    "state",
    "revision",
    "title",
    "priority",
    "priority_because",
    "service",
    "owner",
    "runbook",
    "who_is_affected",
    "users_affected",
    "suspects",
    "detected_at_ms",
    "clocks",
)
"""Fields of the example event that are printed; the rest is left out, which the text says."""

_ENTRIES_SHOWN: Final = 2


def fenced(language: str, text: str) -> str:
    """A block of code in Markdown."""
    return f"```{language}\n{text.rstrip()}\n```\n"


@cache
def _config() -> Config:
    return load_config(config_directory())


@cache
def checkout() -> Outcome:
    """What a replay of the checkout story comes to."""
    with story("checkout").open("rb") as lines:
        return Replay(_config()).run(read_recording(lines, "checkout"))


def example_event() -> str:
    """The first event of the checkout story, shortened, with its headers."""
    event = checkout().events[0]
    headers = "".join(f"{name}: {value.decode()}\n" for name, value in event.headers)
    document = orjson.loads(event.value or b"")
    left_out = len(document["entries"]) - _ENTRIES_SHOWN
    document["entries"] = document["entries"][:_ENTRIES_SHOWN]
    snapshot = document["incident"]
    document["incident"] = {name: snapshot[name] for name in _SHOWN_OF_SNAPSHOT}
    more = len(snapshot) - len(_SHOWN_OF_SNAPSHOT)
    shown = _pretty(document).replace(_config().version, explanations.VERSION_SHOWN)
    return (
        f"Key `{(event.key or b'').decode()}`, headers:\n\n{fenced('', headers)}\nValue, shortened by {left_out} "
        f"entries and {more} fields of the snapshot:\n\n{fenced('json', shown)}"
    )


def example_decision() -> str:
    """The third decision of the checkout story, and how it came."""
    return fenced("json", _pretty(orjson.loads(decision_line(checkout().decisions[2]))))


def example_change() -> str:
    """The beginning of one line of the changes file."""
    document = orjson.loads(event_line(checkout().events[0]))
    document["data"] = {name: document["data"][name] for name in ("schema", "incident_id", "revision", "change")}
    return fenced("json", _pretty(document))


def _pretty(document: Any) -> str:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def story_in_words() -> str:
    """The timeline of the checkout incident, as the demo tells it."""
    return fenced("", picture.story_text(checkout()))
