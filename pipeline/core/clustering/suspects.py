"""Suspects: what probably caused an incident, most likely first, each with its reasons in words.

An entity is suspected the more of the incident it explains: what alerts and needs it, directly or not. Its own
alerts, their severity, being first, and a recent change on it speak for it too. The idea that the cause is the
most upstream alerting dependency is common practice (service-graph root cause ranking).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pipeline.core.clustering.tally import CRITICAL_RANK, Tally
from pipeline.models.command import Change
from pipeline.models.incident_parts import Suspect

SUSPECTS_MAX: Final = 5
"""Listed suspects: more is not read at 3 a.m."""

CHANGE_AGE_MS_MAX: Final = 24 * 60 * 60 * 1_000
"""How long before the first symptom a change is still suspected: overnight work shows in the morning."""

OWN_ALERT: Final = 1.0
OWN_REPORTS: Final = 0.4
EXPLAINS: Final = 2.0
CRITICAL: Final = 0.6
FIRST: Final = 0.4
CHANGED: Final = 1.5
"""A change just before the first symptom. Roughly 70 % of outages are due to changes in a live system (Site Reliability
Engineering, Beyer et al., chapter 1)."""

COINCIDENCE: Final = 6.0
"""How much less a change says for each other one that would have come before the symptom by chance: where all that an
incident needs is changed all the time, something was changed in the last hours whatever broke (decision 0020)."""

SILENT_CHANGE_PENALTY: Final = 0.4
"""A change where nothing alerts."""

SILENT_PENALTY: Final = 0.8
"""A place where nothing alerts and nothing was changed is suspected only when it explains much."""


def rank_suspects(tally: Tally, changes: Mapping[str, Sequence[Change]]) -> list[Suspect]:
    """The most likely causes, best first, ties by reference.

    Args:
        tally: sums over the incident's members.
        changes: recent changes by target, a catalogue reference.
    """
    about = tally.about
    if not about:
        return []
    first_ms = tally.first_ms
    changed = _changed(changes, tally, first_ms) if changes else {}
    candidates = {*tally.upstream, *tally.leaves.foremost(SUSPECTS_MAX), *tally.shared, *changed}
    likely: list[tuple[float, str]] = []
    for ref in candidates:
        score = _score(ref, tally, changed.get(ref), first_ms, len(changed))
        if score > 0:
            likely.append((-score, ref))
    likely.sort()
    return [_suspect(ref, -score, tally, changed.get(ref), first_ms) for score, ref in likely[:SUSPECTS_MAX]]


def _changed(changes: Mapping[str, Sequence[Change]], tally: Tally, first_ms: int) -> dict[str, Change]:
    """The newest change on what alerts, or on what that needs, that began before the first symptom and lately."""
    newest: dict[str, Change] = {}
    for ref in changes:
        if ref not in tally.about and ref not in tally.needed_by:
            continue
        recent = [each for each in changes[ref] if 0 <= _age_ms(each, first_ms) <= CHANGE_AGE_MS_MAX]
        if recent:
            newest[ref] = max(recent, key=lambda each: (each.started_at, each.change_id))
    return newest


def _score(ref: str, tally: Tally, change: Change | None, first_ms: int, changed: int) -> float:
    """How much an entity is suspected, where so many of what alerts or is needed were changed lately."""
    about = tally.about
    own = about.get(ref)
    score = 0.0
    if own is None:
        score -= SILENT_CHANGE_PENALTY if change is not None else SILENT_PENALTY
    else:
        score += OWN_ALERT if own.by_monitor else OWN_REPORTS
        if own.rank >= CRITICAL_RANK:
            score += CRITICAL
        if own.first_ms == first_ms and len(about) > 1:
            score += FIRST
    others = len(about) - (own is not None)
    explains = len(tally.explained(ref) if change is None else _explains(ref, tally))
    if explains and others:
        score += EXPLAINS * explains / others
    if change is not None:
        by_chance = (changed - 1) * _age_ms(change, first_ms) / CHANGE_AGE_MS_MAX
        score += CHANGED / (1 + COINCIDENCE * by_chance)
    return round(score, 3)


def _suspect(ref: str, score: float, tally: Tally, change: Change | None, first_ms: int) -> Suspect:
    about, topology = tally.about, tally.topology
    own, because = about.get(ref), []
    if own is not None:
        because.append(f"{'alerts itself' if own.by_monitor else 'is reported'}: {own.summary}")
        if own.first_ms == first_ms and len(about) > 1:
            because.append("showed the first symptom")
    explains = tally.explained(ref) if change is None else _explains(ref, tally)
    if explains and len(about) > (own is not None):
        because.append(f"{'touches' if change is not None else 'is needed by'} {topology.titles(explains)}")
    if change is not None:
        because.append(f"{change.kind} {change.change_id} before the first symptom: {change.summary}")
    return Suspect(ref=ref, score=score, because=because, change_id=change.change_id if change is not None else None)


def _explains(ref: str, tally: Tally) -> dict[str, None]:
    """What alerts and has to do with what was changed: that breaks what needs it, and overloads what it needs."""
    explains = dict.fromkeys(tally.explained(ref))
    explains.update((each, None) for each in tally.topology.reach(ref) if each != ref and each in tally.about)
    return explains


def _age_ms(change: Change, first_ms: int) -> int:
    return first_ms - round(change.started_at.timestamp() * 1_000)


def is_identified(suspect: Suspect, tally: Tally) -> bool:
    """Whether a suspect is clear enough to be told.

    It was changed and more than one episode speaks for it, or it alerts and explains something else.
    """
    if suspect.change_id is not None:
        return len(tally.newest) > 1
    own = tally.about.get(suspect.ref)
    if own is None or not own.by_monitor:
        return False
    return suspect.ref in tally.needed_by
