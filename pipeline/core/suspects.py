"""Suspects: what probably caused an incident, most likely first, each with its reasons in words.

An entity is suspected the more of the incident it explains: what alerts and needs it, directly or not. Its own
alerts, their severity, being first, and a recent change on it speak for it too. The idea that the cause is the
most upstream alerting dependency is common practice (service-graph root cause ranking).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline.core.tally import About, Tally
from pipeline.core.topology import Topology
from pipeline.models.alert import SEVERITY_RANK, Severity
from pipeline.models.command import Change
from pipeline.models.incident import Suspect

SUSPECTS_MAX: Final = 5
"""Listed suspects: more is not read at 3 a.m."""

CHANGE_AGE_MS_MAX: Final = 24 * 60 * 60 * 1_000
"""How long before the first symptom a change is still suspected: overnight work shows in the morning."""

OWN_ALERT: Final = 1.0
OWN_REPORTS: Final = 0.4
EXPLAINS: Final = 2.0
CRITICAL: Final = 0.3
FIRST: Final = 0.2
CHANGED: Final = 2.0
"""A change just before the first symptom, fading to nothing over `CHANGE_AGE_MS_MAX`. Roughly 70 % of outages are
due to changes in a live system (Site Reliability Engineering, Beyer et al., chapter 1)."""

SILENT_PENALTY: Final = 0.8
"""A place where nothing alerts and nothing was changed is suspected only when it explains much."""

SILENT_EXPLAINS_MIN: Final = 2


def rank_suspects(tally: Tally, changes: Sequence[Change]) -> list[Suspect]:
    """The most likely causes, best first, ties by reference.

    Args:
        tally: sums over the incident's members.
        changes: recent changes; ``targets`` hold catalogue references.
    """
    about, topology = tally.about, tally.topology
    if not about:
        return []
    explained: dict[str, set[str]] = {}
    for entity in about:
        for ref in topology.reach(entity):
            if ref != entity:
                explained.setdefault(ref, set()).add(entity)
    first_ms = min(each.first_ms for each in about.values())
    changed = _changed(changes, first_ms)
    candidates = set(about)
    candidates.update(ref for ref, who in explained.items() if len(who) >= SILENT_EXPLAINS_MIN or ref in changed)
    suspects = [
        _suspect(ref, about, explained.get(ref, set()), changed.get(ref), first_ms, topology)
        for ref in sorted(candidates)
    ]
    suspects.sort(key=lambda suspect: (-suspect.score, suspect.ref))
    return [suspect for suspect in suspects if suspect.score > 0][:SUSPECTS_MAX]


def _changed(changes: Sequence[Change], first_ms: int) -> dict[str, Change]:
    """The newest change on each target that began before the first symptom and is recent enough."""
    newest: dict[str, Change] = {}
    for change in changes:
        age_ms = first_ms - round(change.started_at.timestamp() * 1_000)
        if not 0 <= age_ms <= CHANGE_AGE_MS_MAX:
            continue
        for target in change.targets:
            known = newest.get(target)
            if known is None or (known.started_at, known.change_id) < (change.started_at, change.change_id):
                newest[target] = change
    return newest


def _suspect(
    ref: str, about: dict[str, About], explains: set[str], change: Change | None, first_ms: int, topology: Topology
) -> Suspect:
    own = about.get(ref)
    score, because = 0.0, []
    if own is None:
        score -= 0.0 if change is not None else SILENT_PENALTY
    else:
        score += OWN_ALERT if own.by_monitor else OWN_REPORTS
        because.append(f"{'alerts itself' if own.by_monitor else 'is reported'}: {own.summary}")
        if own.rank >= SEVERITY_RANK[Severity.CRITICAL]:
            score += CRITICAL
        if own.first_ms == first_ms and len(about) > 1:
            score += FIRST
            because.append("showed the first symptom")
    others = len(about) - (own is not None)
    if change is not None:  # what was changed breaks what needs it, and also overloads what it needs
        explains = explains | {each for each in about if each != ref and each in topology.reach(ref)}
    if explains and others:
        score += EXPLAINS * len(explains) / others
        names = ", ".join(topology.title(each) for each in sorted(explains))
        because.append(f"{'touches' if change is not None else 'is needed by'} {names}")
    if change is not None:
        age_ms = first_ms - round(change.started_at.timestamp() * 1_000)
        score += CHANGED * (1 - age_ms / CHANGE_AGE_MS_MAX)
        because.append(f"{change.kind} {change.change_id} before the first symptom: {change.summary}")
    return Suspect(
        ref=ref, score=round(score, 3), because=because, change_id=change.change_id if change is not None else None
    )


def is_identified(suspect: Suspect, tally: Tally) -> bool:
    """Whether a suspect is clear enough to be told.

    It was changed and more than one episode speaks for it, or it alerts and explains something else.
    """
    if suspect.change_id is not None:
        return len(tally.newest) > 1
    own = tally.about.get(suspect.ref)
    if own is None or not own.by_monitor:
        return False
    return any(ref != suspect.ref and suspect.ref in tally.topology.reach(ref) for ref in tally.about)
