"""Evidence: how strongly an episode belongs to an incident, as a sum of named contributions.

Contributions are log-odds; their sum through the logistic function is the probability. The weights were set after
logistic regression on simulated companies whose truth is known (`benchmarks.quality`), rounded so that each line of
the table reads as a sentence: what is close joins while the incident is young, and the closer the longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log2
from typing import Final

from pipeline.core.tally import About, Tally
from pipeline.core.terms import likeness
from pipeline.models.alert import FeedClass
from pipeline.models.decision import Reason
from pipeline.models.incident import Member

BIAS: Final = 0.0
"""Only incidents that some evidence speaks for are weighed at all (see `Book.candidates`). In a moment in which an
incident begins, that alone is as good as the toss of a coin."""

STRANGER: Final = -4.0
"""Nothing speaks for it but that both happened: what it is, and what it runs on, are others."""

SPEAKS_FROM: Final = 0.25
"""Contribution from which something speaks for it: more than the zone that half of everything runs in."""

DECIDES_FROM: Final = 1.0
"""Contribution from which it is named as the reason; below, several small ones did it together."""

AGE: Final = -1.35
"""For each doubling of the minutes since the incident began. What belongs to a failure shows within minutes, and what
is related to everything that is open is only what shares its platform."""

LONE_ENTITIES_MAX: Final = 2
"""Where an incident is about one thing or two, which still fires, what comes later about that is the same slow burn. Of
a large one's many parts each has troubles of its own in time."""

SLOW_BURN_MS: Final = 2 * 60 * 60 * 1_000
"""As long as the last symptom is no older. A warning that has stood for days must not take the next outage in."""

HOLD: Final = 0.5
"""How much less that weighs where the newcomer needs what still fires, and hardly anything else needs that."""

TIME_FRESH: Final = 1.0
TIME_STALE: Final = -0.8
"""From the moment in which the newest member joined to long after it, falling by half every `NEWS_HALF_MS`."""

NEWS_HALF_MS: Final = 120_000

RELATION_HALF_MS: Final = 600_000
"""What was broken ten minutes ago and has not been heard of since explains half as much."""

SAME_CONDITION: Final = 6.0
SAME_ENTITY: Final = 4.0
SAME_SERVICE: Final = 3.0
DEPENDENCY: Final[dict[int, float]] = {1: 3.6, 2: 2.6, 3: 1.0}
"""By hops between the two along dependence, either direction; less where much else needs the same (`specificity`)."""

SHARED_HOSTING: Final[dict[str, float]] = {"host": 2.0, "rack": 1.1, "cluster": 0.7, "zone": 0.3}
"""Both depend on the same place. A zone holds half of everything, so it says little."""

SAME_SYSTEM: Final = 0.9
"""Both are parts of one application."""

GROWTH: Final = 0.4
"""For each doubling of the entities that are not related to the newcomer: a failure that has reached much reaches
more."""

BUSINESS_TERMS: Final = 4.0
"""The text names, in business terms, what is already in the incident or needs it."""

NAMED: Final = 2.4
"""A monitor's text names what is broken here, or a member's text names the newcomer: "calls to stock time out"."""

SIMILAR_TEXT: Final = 4.5
"""Times the likeness in [0, 1] of two texts by people."""

SIMILAR_TEXT_MACHINE: Final = 1.5
"""The same where a monitor wrote one of them: templates are alike for unrelated things."""


@dataclass(slots=True)
class Verdict:
    """How an episode stands to one incident.

    Attributes:
        score: probability in [0, 1].
        evidence: contribution by name, log-odds, without the bias.
        reason: the strongest contribution but time, as a `Reason`.
    """

    score: float
    evidence: dict[str, float]
    reason: Reason


_REASONS: Final[dict[str, Reason]] = {
    "same_condition": Reason.SAME_CONDITION,
    "same_entity": Reason.SAME_ENTITY,
    "same_service": Reason.SAME_ENTITY,
    "dependency": Reason.DEPENDENCY,
    "business_terms": Reason.BUSINESS_TERMS,
    "named": Reason.BUSINESS_TERMS,
    "shared_hosting": Reason.SHARED_HOSTING,
    "similar_text": Reason.SIMILAR_TEXT,
}


def weigh(episode: Member, tally: Tally, age_ms: int, *, same_condition: bool) -> Verdict:
    """Weigh an episode against one incident.

    Args:
        episode: the newcomer, not yet in an incident.
        tally: sums over the incident's members.
        age_ms: stream time since the incident was opened.
        same_condition: an earlier run of the episode's condition is a member.
    """
    evidence: dict[str, float] = {}
    if same_condition:
        evidence["same_condition"] = SAME_CONDITION
    here = tally.about.get(episode.entity or "")
    structural, related, tie = _structure(episode, tally)
    if structural is not None:
        evidence[structural[1]] = structural[0]
    people = episode.feed_class == FeedClass.DESK
    named = _named(episode, tally, people=people)
    if named is not None and (structural is None or structural[0] < named[1]):
        evidence[named[0]] = named[1]
    _add_system(episode, tally, evidence)
    fresh = 0.5 ** (max(0, episode.opened_at_ms - tally.newest_ms) / NEWS_HALF_MS)
    if not evidence or max(evidence.values()) < SPEAKS_FROM:
        evidence["stranger"] = STRANGER
    evidence["time"] = round(TIME_STALE + (TIME_FRESH - TIME_STALE) * fresh, 3)
    if not (same_condition or _goes_on(here, tally, episode.opened_at_ms)):
        _add_size(tally, related, age_ms, tie, evidence)
    if people or BIAS + sum(evidence.values()) < 0:  # words of monitors only where nothing else decides: it is costly
        text = _text(episode, tally, people=people)
        if text > 0:
            evidence["similar_text"] = text
    score = 1.0 / (1.0 + exp(-(BIAS + sum(evidence.values()))))
    return Verdict(round(score, 4), evidence, _reason(evidence))


def _add_system(episode: Member, tally: Tally, evidence: dict[str, float]) -> None:
    here = tally.topology.entities.get(episode.entity or "")
    if here is not None and here.system in tally.systems:
        evidence["same_system"] = SAME_SYSTEM


def _add_size(tally: Tally, related: int, age_ms: int, tie: float, evidence: dict[str, float]) -> None:
    """What an incident's size and age say."""
    strangers = len(tally.about) / (1 + related)
    if strangers > 1:
        evidence["growth"] = round(GROWTH * log2(strangers), 3)
    if age_ms > 0:
        evidence["age"] = round(AGE * (1 - HOLD * tie) * log2(1 + age_ms / 60_000), 3)


def _reason(evidence: dict[str, float]) -> Reason:
    """What speaks for it most; of equals the first in the table."""
    strongest = max(_REASONS, key=lambda name: evidence.get(name, 0.0))
    return _REASONS[strongest] if evidence.get(strongest, 0.0) >= DECIDES_FROM else Reason.COMBINED_EVIDENCE


def _structure(episode: Member, tally: Tally) -> tuple[tuple[float, str] | None, int, float]:
    """The strongest relation between the episode's entity and those of the members, and how many are related."""
    here = episode.entity
    if here is None or not tally.about:
        return None, 0, 0.0
    topology, now_ms = tally.topology, episode.opened_at_ms
    found: list[tuple[float, str]] = []
    related, tie = 0, 0.0
    about = tally.about.get(here)
    if about is not None:
        found.append(
            (SAME_ENTITY * _fresh(now_ms, now_ms if _goes_on(about, tally, now_ms) else about.last_ms), "same_entity")
        )
        related += 1
    if episode.service is not None and episode.service in tally.services:
        found.append((SAME_SERVICE * _fresh(now_ms, tally.needed_ms.get(episode.service, now_ms)), "same_service"))
    distance = tally.needs.get(here)
    if distance in DEPENDENCY and distance is not None:
        weight = DEPENDENCY[distance] * topology.specificity(here) * _fresh(now_ms, tally.needed_ms[here])
        found.append((weight, "dependency"))
        related += len(tally.explained(here))
    for ref, hops in topology.reach(here).items():
        if not hops:
            continue
        other = tally.about.get(ref)
        if other is not None and hops in DEPENDENCY:
            weight = DEPENDENCY[hops] * topology.specificity(ref) * _fresh(now_ms, other.last_ms)
            found.append((weight, "dependency"))
            related += 1
            if hops == 1 and other.open:
                tie = max(tie, topology.specificity(ref))
        elif ref in tally.needs and (kind := topology.hosting(ref)):
            weight = SHARED_HOSTING[kind] * _fresh(now_ms, tally.needed_ms[ref])
            found.append((weight * topology.specificity(ref), "shared_hosting"))
    best = max(found, default=None)
    return (None if best is None else (round(best[0], 3), best[1])), related, tie


def _goes_on(here: About | None, tally: Tally, now_ms: int) -> bool:
    """Whether the episode is about what the incident is about, and that still fires and was heard of lately."""
    if here is None or not here.open or len(tally.about) > LONE_ENTITIES_MAX:
        return False
    return now_ms - tally.newest_ms <= SLOW_BURN_MS


def _fresh(now_ms: int, then_ms: int) -> float:
    return float(0.5 ** (max(0, now_ms - then_ms) / RELATION_HALF_MS))


def _named(episode: Member, tally: Tally, *, people: bool) -> tuple[str, float] | None:
    """What follows from a text that names what the other side is about, or something that needs it.

    People name what they use, and what is broken lies somewhere behind it. Monitors name what they watch, and with it
    perhaps what they cannot reach: only that counts here.
    """
    here, about = episode.entity, tally.about
    if here is not None and here in tally.named:
        return "business_terms", BUSINESS_TERMS
    if people:
        reach = tally.topology.reach
        found = any(ref in about for named in episode.mentions for ref in reach(named))
        return ("business_terms", BUSINESS_TERMS) if found else None
    found = any(named in about for named in episode.mentions if named != here)
    if found or (here is not None and here in tally.mentions and here not in about):
        return "named", NAMED
    return None


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
