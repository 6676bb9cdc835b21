"""A side: what one configuration made of a recording, as little of it as a comparison needs.

A recording may hold millions of alerts, so a side keeps some thirty bytes of each in arrays, and of each incident and
episode what a report says of it. Nothing here decides; `Collector` listens to a replay.
"""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from pipeline.core.step import Output
from pipeline.models.decision import Decision
from pipeline.models.incident import IncidentKind
from pipeline.models.scales import place_of
from pipeline.replay import Step

NONE: Final = -1
"""No episode, or no incident."""

WHY_ACTIONS: Final = frozenset(("detect", "join"))
"""Entries that say why an episode is in its incident."""

OTHERS_KEPT_MAX: Final = 2
"""Incidents named that an episode did not join: the nearest say enough."""


class PageFact(NamedTuple):
    """Somebody was called."""

    at_ms: int
    person: str
    service: str | None


class Place(NamedTuple):
    """Where an alert is in its topic."""

    topic: str
    partition: int
    offset: int
    index: int  # type: ignore[assignment]  # as in `Origin`


@dataclass(slots=True)
class IncidentFact:
    """What a comparison says of an incident.

    Attributes:
        kind: an `IncidentKind`.
        priority: the most urgent that it had; ``priority_rank``: its place in the scale, where that is told.
        members: incidents of a bridge incident.
    """

    id: str
    kind: str
    title: str = ""
    service: str | None = None
    priority: str = ""
    detected_at_ms: int = 0
    members: tuple[str, ...] = ()
    pages: list[PageFact] = field(default_factory=list)
    priority_rank: int | None = None

    @property
    def place(self) -> int:
        """Place of the priority in its scale, 0 the most urgent."""
        return place_of(self.priority, self.priority_rank)

    def note(self, event: dict[str, Any]) -> None:
        """Take what an event on the incident says."""
        incident = event["incident"]
        self.title, self.service = incident["title"], incident["service"]
        priority, rank = incident["priority"], incident.get("priority_rank")
        if (place_of(priority, rank), priority) <= (self.place, self.priority):
            self.priority, self.priority_rank = priority, rank
        self.detected_at_ms = incident["detected_at_ms"]
        if self.kind == IncidentKind.BRIDGE:
            self.members = tuple(incident["members"])
        for entry in event["entries"]:
            if entry["action"] == "page":
                facts = entry["facts"]
                self.pages.append(PageFact(entry["at_ms"], facts["person"], facts.get("service")))

    def inherit(self, pages: list[PageFact]) -> None:
        """Take over the calls of an incident that was emptied into this one: they were made, for this failure."""
        self.pages = sorted([*self.pages, *pages], key=lambda page: page.at_ms)


@dataclass(slots=True)
class Side:
    """What one configuration made of a recording.

    The arrays have one entry for each alert, in order: number of its episode; disposition and reason, by name; its
    place: topic, by name, partition, offset and index in its message.

    Attributes:
        version: of the configuration.
        records: of the recording.
        bytes_read: of the recording.
        changes: incident events.
        dead_letters: records that were refused.
        remainder: alerts unaccounted for; anything but 0 is a defect.
        seconds: CPU time of reading and deciding.
        holders: number of each episode -> number of its incident at the end.
        whys: number of an episode -> JSON of why it is where it is.
    """

    version: str
    records: int = 0
    bytes_read: int = 0
    changes: int = 0
    dead_letters: int = 0
    remainder: int = 0
    seconds: float = 0.0
    episodes: array[int] = field(default_factory=lambda: array("i"))
    outcomes: array[int] = field(default_factory=lambda: array("H"))
    topics: array[int] = field(default_factory=lambda: array("H"))
    partitions: array[int] = field(default_factory=lambda: array("I"))
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    indexes: array[int] = field(default_factory=lambda: array("I"))
    topic_names: list[str] = field(default_factory=list)
    outcome_names: list[tuple[str, str]] = field(default_factory=list)
    holders: array[int] = field(default_factory=lambda: array("i"))
    whys: dict[int, bytes] = field(default_factory=dict)
    incidents: list[IncidentFact] = field(default_factory=list)

    def place(self, position: int) -> Place:
        """Where the alert at a position of the arrays is."""
        topic = self.topic_names[self.topics[position]]
        return Place(topic, self.partitions[position], self.offsets[position], self.indexes[position])

    def holder(self, episode: int) -> int:
        """Number of the incident that an episode ended in, or `NONE`."""
        return NONE if episode == NONE else self.holders[episode]

    def dispositions(self) -> dict[str, int]:
        """Alerts by disposition."""
        counts: Counter[str] = Counter()
        for outcome, count in Counter(self.outcomes).items():
            counts[self.outcome_names[outcome][0]] += count
        return dict(sorted(counts.items()))


class Collector:
    """Makes a side of the steps of a replay."""

    def __init__(self, version: str) -> None:
        self.side = Side(version)
        self._episodes: dict[str, int] = {}
        self._incidents: dict[str, int] = {}
        self._held: Counter[int] = Counter()
        self._topics: dict[str, int] = {}
        self._outcomes: dict[tuple[str, str], int] = {}

    def take(self, step: Step) -> None:
        """Take one step, in order."""
        side = self.side
        for decision in step.decisions:
            self._alert(decision)
        for event in step.events:
            self._event(event)
        side.records += not step.is_tick

    def _alert(self, decision: Decision) -> None:
        side, origin = self.side, decision.origin
        side.episodes.append(NONE if decision.episode_id is None else self._episode(decision.episode_id))
        outcome = (decision.disposition.value, decision.reason.value)
        side.outcomes.append(_number(self._outcomes, side.outcome_names, outcome))
        side.topics.append(_number(self._topics, side.topic_names, origin.topic))
        side.partitions.append(origin.partition)
        side.offsets.append(origin.offset)
        side.indexes.append(origin.index)

    def _episode(self, episode_id: str) -> int:
        number = self._episodes.setdefault(episode_id, len(self._episodes))
        if number == len(self.side.holders):
            self.side.holders.append(NONE)
        return number

    def _event(self, output: Output) -> None:
        event = orjson.loads(output.value or b"null")
        self.side.changes += 1
        number = self._incident(event["incident"])
        for episode_id in event["joined"]:
            self._join(self._episode(episode_id), number)
        for entry in event["entries"]:
            if (why := why_of(entry)) is not None:
                self.side.whys[self._episode(entry["facts"]["episode_id"])] = why
        self.side.incidents[number].note(event)

    def _join(self, episode: int, number: int) -> None:
        """An episode came into an incident, perhaps as the last of another: then that was merged."""
        side, before = self.side, self.side.holders[episode]
        side.holders[episode] = number
        self._held[number] += 1
        if before == NONE:
            return
        self._held[before] -= 1
        if not self._held[before]:
            side.incidents[number].inherit(side.incidents[before].pages)
            side.incidents[before].pages = []

    def _incident(self, incident: dict[str, Any]) -> int:
        name = incident["id"]
        number = self._incidents.setdefault(name, len(self._incidents))
        if number == len(self.side.incidents):
            self.side.incidents.append(IncidentFact(name, incident["kind"], priority=incident["priority"]))
        return number


def _number(numbers: dict[Any, int], names: list[Any], name: Any) -> int:
    """The number of a name, a new one where it comes for the first time."""
    number = numbers.get(name)
    if number is None:
        number = numbers[name] = len(names)
        names.append(name)
    return number


def why_of(entry: dict[str, Any]) -> bytes | None:
    """JSON of why an episode is in its incident, where a timeline entry says that of one."""
    facts: dict[str, Any] = entry["facts"]
    if entry["action"] not in WHY_ACTIONS or "episode_id" not in facts:
        return None
    kept: dict[str, Any] = {name: facts[name] for name in _TOLD if name in facts}
    if others := facts.get("others"):
        kept["others"] = others[:OTHERS_KEPT_MAX]
    return orjson.dumps(kept)


_TOLD: Final = ("reason", "score", "evidence", "join_at_least", "rule")
