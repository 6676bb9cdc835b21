"""What a recording tells: every episode with its facts, what people merged and split, and where all ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from sys import intern
from typing import Any, Final

import orjson

from pipeline.core.clustering.rule_facts import RuleFacts
from pipeline.core.practice.desk import MACHINE
from pipeline.core.step import Effects, Output, Processor, StreamRecord, named_version
from pipeline.core.topology import Topology
from pipeline.models.command import CommandType
from pipeline.models.correlation_rules import LABEL_FACT, TEXT_FACTS
from pipeline.models.episode import EpisodeChange, episode_from_wire
from pipeline.models.incident import IncidentKind
from pipeline.models.policy import Config
from pipeline.replay import Replay

EPISODES_MAX: Final = 500_000
"""Episodes learned from, some kilobyte each; a longer recording is cut in time first."""

LABELS_MAX: Final = 30
"""Labels of an episode that are looked at, the first by name: sources have fewer, but for what they generate."""

VALUE_CHARS_MAX: Final = 200
"""Longer values are texts, and tell one episode from another."""

REGROUPING: Final = frozenset((CommandType.MERGE.value, CommandType.SPLIT.value))

_LEFT_OUT: Final = frozenset(("summary", "feed_class", "space", "severity", "hosting_model"))
"""Facts that hold for so much, or for so little, that nothing is grouped by them."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One episode: when it began (stream time, epoch milliseconds), its space, and its facts by name."""

    at_ms: int
    space: str
    facts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Act:
    """What a person did: moved episodes to others (a merge), or away from them (a split)."""

    actor: str
    at_ms: int
    kept: tuple[str, ...]
    moved: tuple[str, ...]


@dataclass(slots=True)
class History:
    """What was learned from.

    Attributes:
        episodes: by id, those that came into an incident, in order of coming.
        merges: by people, as they took effect; ``splits`` as well.
        asked: merges and splits that the recording asks for.
        ended: episode -> the incident that it ended in.
        met: incident -> every episode that was ever in it.
    """

    episodes: dict[str, Seen] = field(default_factory=dict)
    merges: list[Act] = field(default_factory=list)
    splits: list[Act] = field(default_factory=list)
    asked: int = 0
    ended: dict[str, str] = field(default_factory=dict)
    met: dict[str, dict[str, None]] = field(default_factory=dict)


class TooLongError(Exception):
    """The recording holds more episodes than are looked at; the message says so."""


def learn(records: Iterable[StreamRecord], config: Config, *, people: bool = True, rules: Any = None) -> History:
    """Play a recording and gather what it tells.

    Args:
        records: the recording.
        config: what decides, whatever versions the recording names.
        people: obey merges and splits; without them it ends as rules and evidence alone would have it.
        rules: in place of the configuration's correlation rules; None: those.

    Raises:
        TooLongError: there are too many episodes.
    """
    if rules is not None:
        correlation = config.correlation.model_copy(update={"rules": rules})
        config = config.model_copy(update={"correlation": correlation})
    return _Gatherer(config, people=people).run(records)


class _Gatherer:
    def __init__(self, config: Config, *, people: bool) -> None:
        self._history = History()
        self._people = people
        self._topology = Topology(config.catalogue)
        self._replay = Replay(config, watch=self._watch, keep=False)
        self._members: dict[str, dict[str, None]] = {}

    def run(self, records: Iterable[StreamRecord]) -> History:
        for step in self._replay.steps(self._wanted(records)):
            for event in step.events:
                self._take(event)
        history = self._history
        history.episodes = {name: seen for name, seen in history.episodes.items() if name in history.ended}
        return history

    def _wanted(self, records: Iterable[StreamRecord]) -> Iterator[StreamRecord]:
        for record in records:
            if named_version(record) is not None:
                continue
            if record.topic == "commands" and _kind(record.value) in REGROUPING:
                self._history.asked += 1
                if not self._people:
                    continue
            yield record

    def _watch(self, processor: Processor, record: StreamRecord, _: Effects) -> None:
        """Note the facts of an episode that begins."""
        if processor.stage != "correlate" or record.topic != "episodes" or not record.value:
            return
        document = orjson.loads(record.value)
        if document["change"] != EpisodeChange.OPENED:
            return
        event = episode_from_wire(document)
        if len(self._history.episodes) >= EPISODES_MAX:
            raise TooLongError(f"more than {EPISODES_MAX:,} episodes; capture a shorter time (spillway capture --from)")
        given = RuleFacts(event.alert, [], self._topology)
        self._history.episodes[event.episode_id] = Seen(event.at_ms, event.space, _facts(given))

    def _take(self, event: Output) -> None:
        document = orjson.loads(event.value or b"")
        incident = document["incident"]
        if incident["kind"] != IncidentKind.INCIDENT:
            return
        name, history = document["incident_id"], self._history
        members = self._members.setdefault(name, {})
        kept = tuple(members)
        for each in document["left"]:
            members.pop(each, None)
        members |= dict.fromkeys(document["joined"])
        history.met.setdefault(name, {}).update(dict.fromkeys(document["joined"]))
        history.ended |= dict.fromkeys(document["joined"], name)
        for entry in document["entries"]:
            if entry["actor"] == MACHINE:
                continue
            if entry["action"] == "merge" and document["joined"] and kept:
                history.merges.append(Act(entry["actor"], entry["at_ms"], kept, tuple(document["joined"])))
            elif entry["action"] == "split" and document["left"]:
                history.splits.append(Act(entry["actor"], entry["at_ms"], tuple(members), tuple(document["left"])))


def _kind(value: bytes | None) -> str | None:
    try:
        document = orjson.loads(value or b"null")
    except orjson.JSONDecodeError:
        return None
    return document.get("type") if isinstance(document, dict) else None


def _facts(given: RuleFacts) -> dict[str, str]:
    """Facts that something may be grouped by; each text once, however many episodes have it."""
    found = {name: given.values[name] for name in TEXT_FACTS if name not in _LEFT_OUT}
    found |= {LABEL_FACT + name: given.labels[name] for name in sorted(given.labels)[:LABELS_MAX]}
    return {intern(name): intern(value) for name, value in found.items() if value and len(value) <= VALUE_CHARS_MAX}
