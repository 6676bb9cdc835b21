"""Measures: what a newcomer and an incident have to do with each other, in numbers.

Each is a number by name; what is not there is 0 and left out. `pipeline.core.clustering.evidence` says what they are
worth.

Relations between what the newcomer is about and what the members are about, each from 0 to 1, the best one counts:
how much it says (`Topology.specificity`: what a hundred services need says little), fading by half in ten minutes
without news of that member. ``same_entity``; ``needs_1`` to ``needs_3``, the newcomer needs what a member is about, by
hops; ``needed_1`` to ``needed_3``, the other way round; ``common_1`` to ``common_3``, both need the same; ``host``,
``rack``, ``cluster``, ``zone``, both run on the same; ``same_system``.
"""

from __future__ import annotations

from math import log2
from typing import Final

from pipeline.core import terms
from pipeline.core.clustering.tally import Tally
from pipeline.models.alert import FeedClass
from pipeline.models.member import Member

LONE_ENTITIES_MAX: Final = 2
"""Where an open incident is about one thing or two and its own condition comes back, the same trouble goes on: two open
incidents about one condition would help nobody. Of a large one's many parts each has troubles of its own in time."""

RELATION_HALF_MS: Final = 600_000
"""What was broken ten minutes ago and has not been heard of since explains half as much."""

BURST_MS: Final = 60_000
"""What joins within a minute comes in one wave: alerts of one failure reach us so, a few seconds to a minute apart."""

GAP_MS: Final = 30_000
MINUTE_MS: Final = 60_000
"""Units in which time is measured, by powers of two."""

Measures = dict[str, float]
"""Name -> number; what is missing is 0."""

GOES_ON: Final = "goes_on"
"""It is the trouble that the incident is about, see `LONE_ENTITIES_MAX`."""

SPEAKS_FOR: Final = frozenset(
    {"same_condition", "same_entity", "people_name_it", "business_terms", "same_terms", "names_it", "is_named"}
    | {"needs_1", "needs_2", "needs_3", "needed_1", "needed_2", "needed_3", "common_1", "common_2", "common_3"}
    | {"host", "rack", "similar_text"}
)
"""Without any of these nothing speaks for an incident but that both happened. That alone joins nothing, however rarely
two things happen at once: nobody could be told why. Measured, it costs less than a hundredth of the figures. A zone
holds a third of everything, and an application's parts have troubles of their own."""


def measure(episode: Member, tally: Tally, age_ms: int, hot: int, *, same_condition: bool) -> Measures | None:
    """Measure an episode against one incident; None where nothing speaks for it.

    Args:
        episode: the newcomer, not yet in an incident.
        tally: sums over the incident's members.
        age_ms: stream time between the beginnings of the two.
        hot: incidents of the space that took a symptom in just now (`Book.hot`).
        same_condition: an earlier run of the episode's condition is a member.
    """
    found: Measures = {}
    now_ms = episode.opened_at_ms
    if same_condition:
        found["same_condition"] = 1.0
    related = _relations(episode, tally, found) if episode.entity is not None and tally.about else 0
    _words(episode, tally, found)
    if SPEAKS_FOR.isdisjoint(found):
        return None
    about, members = len(tally.about), tally.count
    if same_condition and about <= LONE_ENTITIES_MAX:
        found[GOES_ON] = 1.0
    found["age"] = log2(1 + age_ms / MINUTE_MS)
    found["gap"] = log2(1 + _gap_ms(now_ms, tally) / GAP_MS)
    found["episodes"] = log2(members)
    found["entities"] = log2(1 + about)
    found["strangers"] = log2((1 + about) / (1 + related))
    found["open"] = log2(1 + tally.monitors_open + tally.reports_open)
    found["related"] = log2(1 + related)
    found["burst"] = log2(1 + sum(abs(now_ms - each) <= BURST_MS for each in tally.joined_ms))
    found["hot"] = log2(1 + hot)
    return found


def _gap_ms(now_ms: int, tally: Tally) -> int:
    """Time to the nearest of the newest members: the last one, for who is newer than all."""
    if now_ms >= tally.newest_ms:
        return now_ms - tally.newest_ms
    return min(abs(now_ms - each) for each in tally.joined_ms)


def _relations(episode: Member, tally: Tally, found: Measures) -> int:
    """Enter the best relation of each kind; how many of the incident's entities are related."""
    here, now_ms = episode.entity or "", episode.opened_at_ms
    about, needs, needed_ms, topology = tally.about, tally.needs, tally.needed_ms, tally.topology
    related = 0
    own = about.get(here)
    if own is not None:
        found["same_entity"] = _fresh(now_ms, own.last_ms)
        if own.open:
            found["still_fires"] = 1.0
        related = 1
    distance = needs.get(here)
    if distance:
        _best(found, _NEEDED[distance], topology.specificity(here) * _fresh(now_ms, needed_ms[here]))
        related += len(tally.explained(here))
    for ref, hops, weight, kind in topology.ties(here):
        other = about.get(ref)
        if other is not None:
            related += 1
            _best(found, _NEEDS[hops], weight * _fresh(now_ms, other.last_ms))
        elif ref in needs and own is None:  # a thing has all its needs in common with itself
            name = kind if kind is not None else _COMMON.get(hops + needs[ref])
            if name is not None:
                _best(found, name, weight * _fresh(now_ms, needed_ms[ref]))
    entity = topology.entities.get(here)
    if entity is not None and entity.system in tally.systems:
        found["same_system"] = 1.0
    return related


_NEEDS: Final = ("", "needs_1", "needs_2", "needs_3")
_NEEDED: Final = ("", "needed_1", "needed_2", "needed_3")
_COMMON: Final = {2: "common_1", 3: "common_2", 4: "common_3"}


def _best(found: Measures, name: str, value: float) -> None:
    if value > found.get(name, 0.0):
        found[name] = value


def _fresh(now_ms: int, then_ms: int) -> float:
    return float(0.5 ** (max(0, now_ms - then_ms) / RELATION_HALF_MS))


def _words(episode: Member, tally: Tally, found: Measures) -> None:
    """What texts name, and how alike they are.

    People name what they use, and what is broken lies somewhere behind it. Monitors name what they watch, and with it
    perhaps what they cannot reach: only that counts here. Where words name one thing, a report is about that, and what
    that has to do with the rest tells more.
    """
    here, about = episode.entity, tally.about
    people = episode.feed_class == FeedClass.DESK
    if here is not None and here in tally.named:
        found["people_name_it"] = 1.0
    if people:
        reach = tally.topology.reach
        if here is None and any(ref in about for named in episode.mentions for ref in reach(named)):
            found["business_terms"] = 1.0
        if any(named in tally.mentions for named in episode.mentions):
            found["same_terms"] = 1.0
        found["people"] = 1.0
    else:
        if any(named in about for named in episode.mentions if named != here):
            found["names_it"] = 1.0
        if here is not None and here in tally.mentions and here not in about:
            found["is_named"] = 1.0
    if here is None:
        found["unknown"] = 1.0
    if people or here is None:
        likeness = _text(episode, tally, people=people)
        if likeness:
            found["similar_text"] = likeness


def _text(episode: Member, tally: Tally, *, people: bool) -> float:
    """Likeness of words to the most similar recent member, of texts by people or about one thing."""
    best = 0.0
    mine = frozenset(episode.terms)
    for words in tally.newest:
        if episode.entity and words.entity and episode.entity != words.entity:
            continue  # different things described in the same words stay different
        if people and not words.by_people:
            continue
        best = max(best, terms.likeness(mine, frozenset(words.terms)))
    return best
