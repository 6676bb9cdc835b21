"""Root causes and incidents that swallow others: what a person who opens an incident is told, and what nobody is told.

The incident of a fault is the one that holds most of its episodes, of several the first by id.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from benchmarks.quality.episodes import Episode, Labels
from benchmarks.quality.faults import Fault
from benchmarks.quality.history import History
from benchmarks.quality.world import World

EARLY_MS: Final = 300_000
"""When somebody who was called has a look."""
NONE: Final = 0
"""The rank of a root that is not among the suspects."""


class Ranks(NamedTuple):
    """The rank of the true root of each fault that was heard of: at the end of its incident, and after 5 minutes."""

    final: list[int]
    early: list[int]


class RankFigures(NamedTuple):
    """Shares of faults, and the mean reciprocal rank."""

    top_1: float
    top_3: float
    reciprocal: float


def incident_of(labels: Labels, classes: Mapping[str, str]) -> dict[str, str]:
    """Class -> the incident that holds most of its episodes."""
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for episode_id, name in classes.items():
        if episode_id in labels:
            held[name][labels[episode_id]] += 1
    return {name: min(counts, key=lambda each: (-counts[each], each)) for name, counts in held.items()}


def ranks(faults: Iterable[Fault], labels: Labels, classes: Mapping[str, str], said: History) -> Ranks:
    """Where the true root stands among the suspects, for every fault with an episode."""
    found, heard = Ranks([], []), set(classes.values())
    incidents = incident_of(labels, classes)
    for fault in faults:
        if fault.name not in heard or fault.is_expected:
            continue
        incident_id = incidents.get(fault.name, "")
        early_ms = said.detected_ms.get(incident_id, 0) + EARLY_MS
        found.final.append(_rank(fault.root, said.suspects_at(incident_id)))
        found.early.append(_rank(fault.root, said.suspects_at(incident_id, early_ms)))
    return found


def _rank(root: str, suspects: Sequence[str]) -> int:
    return suspects.index(root) + 1 if root in suspects else NONE


def rank_figures(found: Sequence[int]) -> RankFigures:
    """Figures over ranks.

    Raises:
        ValueError: there is none.
    """
    if not found:
        raise ValueError("no ranks: nothing can be said")
    count = len(found)
    return RankFigures(
        sum(rank == 1 for rank in found) / count,
        sum(NONE < rank <= 3 for rank in found) / count,
        sum(1 / rank for rank in found if rank) / count,
    )


def swallowed(
    world: World,
    faults: Iterable[Fault],
    episodes: Sequence[Episode],
    classes: Mapping[str, str],
    *labellings: Labels,
) -> list[str]:
    """Faults of the highest priority that got no incident of their own, by name.

    Such a fault has a critical episode about its root, and the root is of tier 1 or a host, rack or zone. It got one of
    its own where it has most of the episodes of an incident, by any of the labellings (the first decisions and those
    at the end). It is swallowed where the incident of that episode belongs to another fault.

    Args:
        world: for tiers.
        faults: all of them.
        episodes: all of them.
        classes: episode id -> true class.
        labellings: of one method; the last is the final one.
    """
    first = _first_critical(world, faults, episodes, classes)
    owners = [_owners(labels, classes) for labels in labellings]
    own = {name for found in owners for name in found.values()}
    names = {each.name for each in faults}
    return sorted(
        name
        for name, episode_id in first.items()
        if name not in own and owners[-1].get(labellings[-1].get(episode_id, "")) in names - {name}
    )


def _first_critical(
    world: World, faults: Iterable[Fault], episodes: Sequence[Episode], classes: Mapping[str, str]
) -> dict[str, str]:
    tiers = {service.ref: service.tier for service in world.services.values()}
    roots = {each.name: each.root for each in faults if tiers.get(each.root, 1) == 1 and not each.is_expected}
    found: dict[str, str] = {}
    for episode in episodes:
        name = classes.get(episode.episode_id, "")
        if episode.severity == "critical" and episode.entity is not None and roots.get(name) == episode.entity:
            found.setdefault(name, episode.episode_id)
    return found


def _owners(labels: Labels, classes: Mapping[str, str]) -> dict[str, str]:
    """Incident -> the class that has most of its episodes; of several the first by name."""
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for episode_id, name in classes.items():
        if episode_id in labels:
            held[labels[episode_id]][name] += 1
    return {group: min(counts, key=lambda each: (-counts[each], each)) for group, counts in held.items()}
