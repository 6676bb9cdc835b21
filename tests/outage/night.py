"""The night replayed: what `spillway replay` makes of the recording, with the samples' names put to its output."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.catalog import load_config
from pipeline.core.step import Output
from pipeline.models.decision import Decision
from pipeline.models.policy import Config
from pipeline.replay import Outcome, Replay, incident_lines
from tests.outage.recording import COMPANY, recording, sample_names

RUN_ON_SECONDS: Final = 9 * 24 * 3_600
"""Long enough for what ends by silence: a certificate's warning after a week."""


@dataclass(frozen=True, slots=True)
class Night:
    """A replay of the recording.

    Attributes:
        incidents: as they stand at the end, the first detected first; the bridge incidents among them.
        remainder: alerts unaccounted for.
        samples: name of the sample of each record, by topic and offset.
    """

    outcome: Outcome
    incidents: tuple[dict[str, Any], ...]
    remainder: int
    samples: dict[tuple[str, int], str]

    @classmethod
    def under(cls, config: Config) -> Night:
        """Replay it under a configuration."""
        machine = Replay(config)
        outcome = machine.run(recording(), run_on_seconds=RUN_ON_SECONDS)
        lines = incident_lines(outcome.decisions, values_of(outcome.events))
        return cls(outcome, tuple(map(orjson.loads, lines)), machine.remainder(), sample_names())

    def clusters(self) -> list[dict[str, Any]]:
        """The incidents, without the bridge."""
        return [each for each in self.incidents if each["kind"] == "incident"]

    def sample_of(self, decision: Decision) -> str:
        """Which sample a decision is about."""
        return self.samples[decision.origin.topic, decision.origin.offset]

    def episodes_of(self, sample: str) -> list[str | None]:
        """The episodes that a sample's alerts came to, in order."""
        return [each.episode_id for each in self.outcome.decisions if self.sample_of(each) == sample]

    def samples_in(self, incident: dict[str, Any]) -> list[str]:
        """Samples whose alerts are in an incident, in arrival order, each once."""
        return list(dict.fromkeys(self.samples[origin[0], origin[2]] for origin in incident["alerts"]))

    def cleared(self) -> set[str]:
        """Episodes that ended, by their source's word or by its silence."""
        entries = (entry for each in self.incidents for entry in each["timeline"] if entry["action"] == "clear")
        return {entry["facts"]["episode_id"] for entry in entries}


def values_of(events: Iterable[Output]) -> list[bytes]:
    """Bodies of incident events."""
    return [event.value or b"" for event in events]


@cache
def night(company: Path = COMPANY) -> Night:
    """The night under the configuration of a company."""
    return Night.under(load_config(company))


def table() -> str:
    """The incidents as a table of Markdown."""
    rows = ["| incident | from | to | messages of | joined by | first suspect |", "| --- " * 6 + "|"]
    told = night()
    for incident in told.clusters():
        sources = dict.fromkeys(sample.rsplit("-", 1)[0] for sample in told.samples_in(incident))
        reasons = dict.fromkeys(
            entry["facts"]["reason"].replace("_", " ") for entry in incident["timeline"] if entry["action"] == "join"
        )
        end = _clock(incident["resolved_at_ms"]) if incident["resolved_at_ms"] else "open"
        begin, joined = _clock(incident["detected_at_ms"]), ", ".join(reasons) or "one condition"
        title = f"{incident['priority']} {incident['title']}"
        suspect = incident["suspects"][0]["ref"].partition("/")[2]
        rows.append(f"| {title} | {begin} | {end} | {', '.join(sources)} | {joined} | {suspect} |")
    return "\n".join(rows)


def _clock(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%d %b %H:%M")
