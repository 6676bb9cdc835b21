"""The unit of all figures: the episode, one run of one condition from firing to resolved.

A recording goes through the product's own ingest and dedupe, so that every method is given the same episodes and
repeats are never scored. Ours goes on with them to incidents; the baselines label the episodes by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import orjson

from pipeline.core.step import Output, StreamRecord
from pipeline.models.alert import FeedClass
from pipeline.models.episode import EpisodeChange, EpisodeEvent, episode_from_wire
from pipeline.models.policy import Config
from pipeline.replay import Outcome, Replay

EPISODES_TOPIC: Final = "episodes"

Place = tuple[str, int, int]
"""An alert by its raw topic, offset and index in the message; recordings here have one partition."""

Labels = dict[str, str]
"""Episode id -> the incident that it was put into."""

# What fired last is acknowledged, resolved and forgotten within this time after the last record.
RUN_ON_SECONDS: Final = 3_600
_ENDS: Final = (EpisodeChange.RESOLVED, EpisodeChange.EXPIRED)


class Episode(NamedTuple):
    """One episode as a method may see it.

    Attributes:
        at_ms: when it was opened, on arrival's clock.
        event_at_ms: when it happened by its source's clock, else ``at_ms``.
        entity: reference of what it is about, and ``mentions`` of what its text names, as enrichment found them.
        ended_at_ms: when it was resolved or had expired, on arrival's clock; None: it never was.
        name: of the condition.
        text: summary and description.
        service: reference of the component, where enrichment found one.
        application: system that the service belongs to.
        host: as reported.
        labels: as reported.
        by_people: a ticket.
        place: of its first alert.
        severity: of its first alert.
    """

    episode_id: str
    at_ms: int
    event_at_ms: int
    name: str
    text: str
    service: str | None
    application: str | None
    host: str | None
    labels: Mapping[str, str]
    by_people: bool
    place: Place
    ended_at_ms: int | None = None
    entity: str | None = None
    mentions: tuple[str, ...] = ()
    severity: str = "unknown"


@dataclass(slots=True)
class Played:
    """A recording after it went through the pipeline.

    Attributes:
        episodes: those that correlate was given, in the order of arrival.
        online: ours: the incident of the first decision, which is what people were paged for.
        final: ours: the incident at the end, after merges and splits.
        reassigned: ours: episodes that were in another incident before.
        outcome: decisions and incident events.
    """

    episodes: list[Episode] = field(default_factory=list)
    online: Labels = field(default_factory=dict)
    final: Labels = field(default_factory=dict)
    reassigned: set[str] = field(default_factory=set)
    outcome: Outcome = field(default_factory=Outcome)


class _Watched(Replay):
    """A replay that notes which episodes correlate is given."""

    def __init__(self, config: Config, episodes: list[Episode]) -> None:
        super().__init__(config)
        self._systems = {ref: entity.system for ref, entity in config.catalogue.entities.items()}
        self._episodes = episodes
        self._places: dict[str, int] = {}

    def _record(self, output: Output) -> StreamRecord:
        if output.topic == EPISODES_TOPIC:
            event = episode_from_wire(orjson.loads(output.value or b""))
            if event.change == EpisodeChange.OPENED:
                self._places[event.episode_id] = len(self._episodes)
                self._episodes.append(_episode(event, self._systems))
            elif event.change in _ENDS and event.episode_id in self._places:
                place = self._places[event.episode_id]
                self._episodes[place] = self._episodes[place]._replace(ended_at_ms=event.at_ms)
        return super()._record(output)


def _episode(event: EpisodeEvent, systems: Mapping[str, str | None]) -> Episode:
    alert = event.alert
    topic, _, offset, index = alert.origin
    return Episode(
        episode_id=event.episode_id,
        at_ms=event.at_ms,
        event_at_ms=event.at_ms if alert.event_at_ms is None else alert.event_at_ms,
        name=alert.name,
        text=f"{alert.summary}\n{alert.description}".strip(),
        service=alert.service,
        application=systems.get(alert.service or ""),
        host=alert.host,
        labels=alert.labels,
        by_people=alert.feed_class == FeedClass.DESK,
        place=(topic, offset, index),
        entity=alert.entity,
        mentions=tuple(alert.mentions),
        severity=alert.severity,
    )


def play(config: Config, recording: Iterable[StreamRecord]) -> Played:
    """Play a recording through the pipeline under a configuration.

    Raises:
        ValueError: an alert is unaccounted for, or a record could not be read: the figures would not mean anything.
    """
    played = Played()
    machine = _Watched(config, played.episodes)
    played.outcome = machine.run(recording, run_on_seconds=RUN_ON_SECONDS)
    lost, unread = machine.remainder(), len(played.outcome.dead_letters)
    if lost or unread:
        raise ValueError(f"{lost} alerts unaccounted for, {unread} records not readable")
    for event in played.outcome.events:
        told = orjson.loads(event.value or b"{}")
        for episode_id in told["joined"]:
            if played.online.setdefault(episode_id, told["incident_id"]) != told["incident_id"]:
                played.reassigned.add(episode_id)
            played.final[episode_id] = told["incident_id"]
    return played
