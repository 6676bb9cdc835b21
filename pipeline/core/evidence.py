"""Evidence: how strongly an episode belongs to an incident, as a sum of named contributions.

Contributions are log-odds; their sum through the logistic function is the probability. The weights are set by hand
so that each line of the table reads as a sentence: one strong structural fact joins while the incident is fresh,
weak facts join only together, time alone never does.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Final

from pipeline.core.terms import likeness
from pipeline.core.topology import Topology
from pipeline.models.alert import FeedClass
from pipeline.models.decision import Reason
from pipeline.models.incident import Member

BIAS: Final = -3.0
"""Two episodes of one space are strangers until something speaks for them."""

SAME_CONDITION: Final = 6.0
SAME_ENTITY: Final = 4.0
SAME_SERVICE: Final = 3.5
DEPENDENCY: Final[dict[int, float]] = {1: 3.6, 2: 2.8, 3: 1.2}
"""By hops between the two along dependence, either direction."""

SHARED_HOSTING: Final[dict[str, float]] = {"host": 2.6, "rack": 1.4, "cluster": 0.9, "zone": 0.4}
"""Both depend on the same place. A zone holds half of everything, so it says little."""

BUSINESS_TERMS: Final = 3.2
"""The text names, in business terms, what is already in the incident or needs it."""

SIMILAR_TEXT: Final = 4.5
"""Times the likeness in [0, 1] of two texts by people."""

SIMILAR_TEXT_MACHINE: Final = 1.5
"""The same where a monitor wrote one of them: templates are alike for unrelated things."""

TIME_FRESH: Final = 1.0
TIME_STALE: Final = -0.5
"""From the moment of the last news to the end of the window, falling in a line."""

COMPARED_MEMBERS_MAX: Final = 12
"""Newest members whose text is compared: bounds the cost of an episode."""


@dataclass(slots=True)
class Verdict:
    """How an episode stands to one incident.

    Attributes:
        score: probability in [0, 1].
        evidence: contribution by name, log-odds, without the bias.
        reason: the strongest structural contribution, as a `Reason`.
    """

    score: float
    evidence: dict[str, float]
    reason: Reason


_REASONS: Final[tuple[tuple[str, Reason], ...]] = (
    ("same_condition", Reason.SAME_CONDITION),
    ("same_entity", Reason.SAME_ENTITY),
    ("same_service", Reason.SAME_ENTITY),
    ("dependency", Reason.DEPENDENCY),
    ("business_terms", Reason.BUSINESS_TERMS),
    ("shared_hosting", Reason.SHARED_HOSTING),
    ("similar_text", Reason.SIMILAR_TEXT),
)


def weigh(
    episode: Member,
    members: list[Member],
    gap_ms: int,
    window_ms: int,
    topology: Topology,
    *,
    same_condition: bool,
) -> Verdict:
    """Weigh an episode against the members of one incident.

    Args:
        episode: the newcomer, not yet in an incident.
        members: the incident's members, oldest first.
        gap_ms: stream time since the incident's last news.
        window_ms: the time in which evidence counts.
        topology: the dependency graph.
        same_condition: an earlier run of the episode's condition is a member.
    """
    evidence: dict[str, float] = {}
    if same_condition:
        evidence["same_condition"] = SAME_CONDITION
    structural = _structure(episode, members, topology)
    if structural is not None:
        evidence[structural[0]] = structural[1]
    if (structural is None or structural[1] < BUSINESS_TERMS) and _names_it(episode, members, topology):
        evidence["business_terms"] = BUSINESS_TERMS
    text = _text(episode, members)
    if text > 0:
        evidence["similar_text"] = text
    fresh = min(1.0, gap_ms / window_ms)
    evidence["time"] = round(TIME_FRESH + (TIME_STALE - TIME_FRESH) * fresh, 3)
    score = 1.0 / (1.0 + exp(-(BIAS + sum(evidence.values()))))
    return Verdict(round(score, 4), evidence, _reason(evidence))


def _reason(evidence: dict[str, float]) -> Reason:
    needed = -BIAS - TIME_FRESH  # what joins on its own while everything is fresh
    for name, reason in _REASONS:
        if evidence.get(name, 0.0) >= needed:
            return reason
    return Reason.COMBINED_EVIDENCE


def _structure(episode: Member, members: list[Member], topology: Topology) -> tuple[str, float] | None:
    """The strongest relation between the episode's entity and those of the members."""
    here = episode.entity
    if here is None:
        return None
    best: tuple[float, str] | None = None
    for there, service in {(member.entity, member.service): None for member in members if member.entity}:
        relation = _relation(here, episode.service, str(there), service, topology)
        if relation is not None and (best is None or relation > best):
            best = relation
    return (best[1], best[0]) if best else None


def _relation(
    here: str, service: str | None, there: str, their_service: str | None, topology: Topology
) -> tuple[float, str] | None:
    if here == there:
        return (SAME_ENTITY, "same_entity")
    mine, theirs = topology.reach(here), topology.reach(there)
    distance = min(mine.get(there, 99), theirs.get(here, 99))
    if distance in DEPENDENCY and (distance == 1 or service != their_service):
        return (DEPENDENCY[distance], "dependency")
    if service is not None and service == their_service:
        return (SAME_SERVICE, "same_service")
    shared = [kind for ref in mine if ref in theirs and (kind := topology.hosting(ref))]
    weights = [SHARED_HOSTING[kind] for kind in shared]
    return (max(weights), "shared_hosting") if weights else None


def _names_it(episode: Member, members: list[Member], topology: Topology) -> bool:
    """Whether one text names, in business terms, what the other side is about, or something that needs it."""
    for member in members:
        about = member.entity
        if about is not None and any(about in topology.reach(named) for named in episode.mentions):
            return True
        if episode.entity is not None and any(episode.entity in topology.reach(named) for named in member.mentions):
            return True
    return False


def _text(episode: Member, members: list[Member]) -> float:
    """Contribution of the likeness of words to the most similar recent member.

    It counts where both are about one thing, or where the text is all there is.
    """
    best = 0.0
    people = episode.feed_class == FeedClass.DESK
    for member in members[-COMPARED_MEMBERS_MAX:]:
        if episode.entity and member.entity and episode.entity != member.entity:
            continue  # different things described in the same words stay different
        weight = SIMILAR_TEXT if people and member.feed_class == FeedClass.DESK else SIMILAR_TEXT_MACHINE
        best = max(best, weight * likeness(episode.terms, member.terms))
    return round(best, 3)
