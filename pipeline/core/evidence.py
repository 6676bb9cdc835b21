"""Evidence: how strongly an episode belongs to an incident, as a sum of named contributions.

Contributions are log-odds; their sum through the logistic function is the probability. The weights are set by hand
so that each line of the table reads as a sentence: one strong structural fact joins while the incident is fresh,
weak facts join only together, time alone never does.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Final

from pipeline.core.tally import Tally
from pipeline.core.terms import likeness
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


def weigh(episode: Member, tally: Tally, gap_ms: int, window_ms: int, *, same_condition: bool) -> Verdict:
    """Weigh an episode against one incident.

    Args:
        episode: the newcomer, not yet in an incident.
        tally: sums over the incident's members.
        gap_ms: stream time since the incident's last news.
        window_ms: the time in which evidence counts.
        same_condition: an earlier run of the episode's condition is a member.
    """
    evidence: dict[str, float] = {}
    if same_condition:
        evidence["same_condition"] = SAME_CONDITION
    structural = _structure(episode, tally)
    if structural is not None:
        evidence[structural[1]] = structural[0]
    if (structural is None or structural[0] < BUSINESS_TERMS) and _names_it(episode, tally):
        evidence["business_terms"] = BUSINESS_TERMS
    fresh = min(1.0, gap_ms / window_ms)
    evidence["time"] = round(TIME_FRESH + (TIME_STALE - TIME_FRESH) * fresh, 3)
    people = episode.feed_class == FeedClass.DESK
    if people or BIAS + sum(evidence.values()) < 0:  # words of monitors only where nothing else decides: it is costly
        text = _text(episode, tally, people=people)
        if text > 0:
            evidence["similar_text"] = text
    score = 1.0 / (1.0 + exp(-(BIAS + sum(evidence.values()))))
    return Verdict(round(score, 4), evidence, _reason(evidence))


def _reason(evidence: dict[str, float]) -> Reason:
    needed = -BIAS - TIME_FRESH  # what joins on its own while everything is fresh
    for name, reason in _REASONS:
        if evidence.get(name, 0.0) >= needed:
            return reason
    return Reason.COMBINED_EVIDENCE


def _structure(episode: Member, tally: Tally) -> tuple[float, str] | None:
    """The strongest relation between the episode's entity and those of the members."""
    here = episode.entity
    if here is None or not tally.about:
        return None
    if here in tally.about:
        return (SAME_ENTITY, "same_entity")
    found: list[tuple[float, str]] = []
    if (distance := tally.needs.get(here)) in DEPENDENCY and distance is not None:
        found.append((DEPENDENCY[distance], "dependency"))
    if episode.service is not None and episode.service in tally.services:
        found.append((SAME_SERVICE, "same_service"))
    for ref, hops in tally.topology.reach(here).items():
        if ref in tally.about and hops in DEPENDENCY:
            found.append((DEPENDENCY[hops], "dependency"))
        elif hops and ref in tally.needs and (kind := tally.topology.hosting(ref)):
            found.append((SHARED_HOSTING[kind], "shared_hosting"))
    return max(found, default=None)


def _names_it(episode: Member, tally: Tally) -> bool:
    """Whether one text names, in business terms, what the other side is about, or something that needs it."""
    if episode.entity is not None and episode.entity in tally.named:
        return True
    reach = tally.topology.reach
    return any(ref in tally.about for named in episode.mentions for ref in reach(named))


def _text(episode: Member, tally: Tally, *, people: bool) -> float:
    """Contribution of the likeness of words to the most similar recent member.

    It counts where both are about one thing, or where the text is all there is.
    """
    best = 0.0
    terms = frozenset(episode.terms)
    for words in tally.newest:
        if episode.entity and words.entity and episode.entity != words.entity:
            continue  # different things described in the same words stay different
        weight = SIMILAR_TEXT if people and words.by_people else SIMILAR_TEXT_MACHINE
        best = max(best, weight * likeness(terms, frozenset(words.terms)))
    return round(best, 3)
