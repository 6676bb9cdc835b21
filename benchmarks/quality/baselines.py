"""What others do, on the same episodes: the simple rules that users run today, and those of the literature.

Each takes the episodes in the order of arrival and gives each a group, at once and for good, as a person would set
it up with the same catalogue. "Everything within a minute is one incident" is very hard to beat on a calm day.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final

from benchmarks.quality.episodes import Episode, Labels
from pipeline.core.terms import terms_of
from pipeline.models.catalog import Catalogue

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
SERVICE_MS: Final = 15 * MINUTE_MS
APPLICATION_MS: Final = 600 * SECOND_MS
TOPOLOGY_MS: Final = 600 * SECOND_MS
TEXT_MS: Final = 30 * MINUTE_MS
TEXT_LIKENESS_MIN: Final = 0.6
GAPS_SECONDS: Final = (30, 60, 120)

Method = Callable[[Sequence[Episode], Catalogue], Labels]


def baselines() -> dict[str, Method]:
    """Every baseline by the name that the tables use."""
    methods: dict[str, Method] = {
        "Alertmanager by alert name and application": _grouped(lambda each: (each.name, each.application)),
        "Alertmanager by service": _grouped(lambda each: each.service),
        "service, 15 minutes": _keyed(lambda each: each.service, SERVICE_MS),
        "application, 600 s": _keyed(lambda each: each.application, APPLICATION_MS),
        "topology, 1 hop, 600 s": topology,
        "text, single link": text,
    }
    for seconds in GAPS_SECONDS:
        methods[f"global gap {seconds} s"] = _keyed(lambda _: "all", seconds * SECOND_MS)
    return methods


def _keyed(key: Callable[[Episode], Hashable], gap_ms: int) -> Method:
    """One group for each key, until the key has been quiet for longer than the gap. Without a key: alone."""

    def label(episodes: Sequence[Episode], _: Catalogue) -> Labels:
        last: dict[Hashable, tuple[int, str]] = {}
        labels: Labels = {}
        for episode in episodes:
            name = key(episode)
            if name is None:
                labels[episode.episode_id] = episode.episode_id
                continue
            at_ms, group = last.get(name, (0, ""))
            if not group or episode.at_ms - at_ms > gap_ms:
                group = episode.episode_id
            last[name] = (episode.at_ms, group)
            labels[episode.episode_id] = group
        return labels

    return label


def _grouped(key: Callable[[Episode], Hashable]) -> Method:
    """As Alertmanager groups: what has the same key as something that still fires belongs to it."""

    def label(episodes: Sequence[Episode], _: Catalogue) -> Labels:
        groups: dict[Hashable, tuple[float, str]] = {}
        labels: Labels = {}
        for episode in episodes:
            name = key(episode)
            until_ms, group = groups.get(name, (0.0, ""))
            if name is None or episode.at_ms > until_ms:
                until_ms, group = 0.0, episode.episode_id
            ends_ms = inf if episode.ended_at_ms is None else float(episode.ended_at_ms)
            groups[name] = (max(until_ms, ends_ms), group)
            labels[episode.episode_id] = group
        return labels

    return label


@dataclass(slots=True)
class _Sets:
    """Disjoint sets of episodes."""

    parents: dict[str, str] = field(default_factory=dict)

    def root(self, name: str) -> str:
        path = []
        while (parent := self.parents.setdefault(name, name)) != name:
            path.append(name)
            name = parent
        for each in path:
            self.parents[each] = name
        return name

    def join(self, one: str, other: str) -> None:
        self.parents[self.root(other)] = self.root(one)

    def labels(self, episodes: Sequence[Episode]) -> Labels:
        return {each.episode_id: self.root(each.episode_id) for each in episodes}


def topology(episodes: Sequence[Episode], catalogue: Catalogue) -> Labels:
    """Connected components: two episodes of one service, or of neighbours in the graph, within 600 s."""
    neighbours = _neighbours(catalogue)
    sets, newest = _Sets(), dict[str, Episode]()
    for episode in episodes:
        sets.root(episode.episode_id)
        if episode.service is None:
            continue
        for ref in (episode.service, *neighbours.get(episode.service, ())):
            other = newest.get(ref)
            if other is not None and episode.at_ms - other.at_ms <= TOPOLOGY_MS:
                sets.join(other.episode_id, episode.episode_id)
        newest[episode.service] = episode
    return sets.labels(episodes)


def _neighbours(catalogue: Catalogue) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for ref, entity in catalogue.entities.items():
        for other in entity.depends_on:
            found.setdefault(ref, set()).add(other)
            found.setdefault(other, set()).add(ref)
    return found


def text(episodes: Sequence[Episode], catalogue: Catalogue) -> Labels:
    """Single link over words: two episodes whose words are alike (Jaccard 0.6) within 30 minutes."""
    del catalogue  # words alone
    sets, recent = _Sets(), list[tuple[int, str, frozenset[str]]]()
    for episode in episodes:
        words = frozenset(terms_of(episode.text))
        sets.root(episode.episode_id)
        recent = [each for each in recent if episode.at_ms - each[0] <= TEXT_MS]
        for _, other, others in recent:
            if words and len(words & others) >= TEXT_LIKENESS_MIN * len(words | others):
                sets.join(other, episode.episode_id)
        recent.append((episode.at_ms, episode.episode_id, words))
    return sets.labels(episodes)
