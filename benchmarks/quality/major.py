"""Major Incidents: who was declared one, and when, against those that truly were, by business impact.

The truth: distinct users of the services that a fault has truly reached, the people of one application counted once,
reach the threshold of the company's policy. The answer: a bridge incident, by the fault that most episodes of the
incident that it is opened for then belong to. The other methods are given the product's own rule on their groups: an
alert of error severity or worse stands for all users of its service, beside one a warning does too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from typing import Final, NamedTuple

from benchmarks.quality.episodes import Episode, Labels
from benchmarks.quality.faults import DAY_MS, Fault
from benchmarks.quality.history import Declared
from benchmarks.quality.world import World
from pipeline.core.clustering.tally import IMPAIRED_RANK, OUTAGE_RANK
from pipeline.core.practice.impacts import Impact, total
from pipeline.models.alert import SEVERITY_RANK
from pipeline.models.catalog import Catalogue

GRACE_MS: Final = 1_800_000
"""A Major Incident that is declared later than this after its fault was over is declared for nobody."""


class Crossed(NamedTuple):
    """A fault that truly became a Major Incident: when, and until when it lasted."""

    at_ms: int
    until_ms: int


@dataclass(slots=True)
class Majors:
    """How one method did on one day.

    Attributes:
        first: true ones that it declared, each once.
        duplicates: declared again for the same.
        false: declared for what was none.
        missed: true ones that it never declared.
        delays_ms: of the first declarations after the true crossing; one that came before it counts as 0.
        days: observed.
    """

    first: int = 0
    duplicates: int = 0
    false: int = 0
    missed: int = 0
    delays_ms: list[int] = field(default_factory=list)
    days: float = 1.0


def crossings(world: World, faults: Iterable[Fault], users_at_least: int) -> dict[str, Crossed]:
    """The faults that truly became Major Incidents, by name. Work that was announced is none."""
    found: dict[str, Crossed] = {}
    for fault in faults:
        if fault.is_expected:
            continue
        reached = [(each.at_ms, world.services[each.service]) for each in sorted(fault.reached, key=lambda r: r.at_ms)]
        so_far: list[Impact] = []
        for at_ms, service in reached:
            so_far.append((service.application, service.users, 0.0, service.application))
            if total(so_far)[0] >= users_at_least:
                found[fault.name] = Crossed(at_ms, max(fault.ended_ms, fault.again_ended_ms))
                break
    return found


def by_rule(episodes: Sequence[Episode], labels: Labels, catalogue: Catalogue, users_at_least: int) -> list[Declared]:
    """What a method would declare: each of its groups once, when the product's own rule holds for it."""
    impacts: dict[str, list[Impact]] = {}
    out = set[str]()
    held: dict[str, list[str]] = {}
    declared: dict[str, Declared] = {}
    for episode in episodes:
        group = labels.get(episode.episode_id)
        if group is None or group in declared:
            continue
        held.setdefault(group, []).append(episode.episode_id)
        entity = catalogue.entities.get(episode.service or "")
        rank = 0 if episode.by_people else SEVERITY_RANK.get(episode.severity, 0)
        if entity is None or rank < IMPAIRED_RANK:
            continue
        system = entity.system or entity.ref
        impacts.setdefault(group, []).append((system, entity.users or 0, 0.0, system))
        if rank >= OUTAGE_RANK:
            out.add(group)
        if group in out and total(impacts[group])[0] >= users_at_least:
            declared[group] = Declared(episode.at_ms, frozenset(held[group]))
    return list(declared.values())


def judge(
    declared: Iterable[Declared], truth: Mapping[str, Crossed], classes: Mapping[str, str], span_ms: int = DAY_MS
) -> Majors:
    """Hold what was declared against the truth.

    Args:
        declared: in any order.
        truth: true Major Incidents by name of the fault.
        classes: episode id -> true class.
        span_ms: how long was observed.
    """
    majors, seen = Majors(days=span_ms / DAY_MS), set[str]()
    for each in sorted(declared, key=lambda one: one.at_ms):
        name = _most(classes[episode] for episode in each.episodes if episode in classes)
        crossed = truth.get(name or "")
        if name is None or crossed is None or each.at_ms > crossed.until_ms + GRACE_MS:
            majors.false += 1
        elif name in seen:
            majors.duplicates += 1
        else:
            seen.add(name)
            majors.first += 1
            majors.delays_ms.append(max(0, each.at_ms - crossed.at_ms))
    majors.missed = len(truth) - len(seen)
    return majors


def _most(classes: Iterable[str]) -> str | None:
    """The most frequent class; of several the first by name."""
    counted = Counter(classes)
    return min(counted, key=lambda name: (-counted[name], name)) if counted else None


class MajorFigures(NamedTuple):
    """Over several days.

    Attributes:
        delay_p50_s, delay_p90_s: over all true ones; one that was missed was never declared, which is infinitely late.
    """

    true: int
    recall: float
    precision: float
    false_a_day: float
    delay_p50_s: float
    delay_p90_s: float


def over(days: Sequence[Majors]) -> MajorFigures:
    """Figures over days. Without a true one nothing was missed, without a declared one nothing was wrong."""
    first = sum(each.first for each in days)
    missed = sum(each.missed for each in days)
    told = first + sum(each.duplicates + each.false for each in days)
    delays = sorted(delay_ms / 1_000 for each in days for delay_ms in each.delays_ms) + [inf] * missed
    return MajorFigures(
        true=first + missed,
        recall=first / (first + missed) if first + missed else 1.0,
        precision=first / told if told else 1.0,
        false_a_day=sum(each.false for each in days) / sum(each.days for each in days),
        delay_p50_s=_quantile(delays, 0.5),
        delay_p90_s=_quantile(delays, 0.9),
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The value that so large a share of all does not exceed; 0 where there is none."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else 0.0
