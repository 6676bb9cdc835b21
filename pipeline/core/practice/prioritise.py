"""Priority: urgency x impact through the domain's own matrix, with the reasons in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from pipeline.core.clocks.calendars import is_business_time
from pipeline.core.clustering.tally import Tally
from pipeline.core.names import ASCII_WORDS
from pipeline.core.practice.impacts import Impact, population_key
from pipeline.core.topology import Topology
from pipeline.models.alert import SEVERITY_RANK
from pipeline.models.policy import DomainPolicy
from pipeline.models.scales import Category, ScaleRule

START_CHARACTERS: Final = 3
"""By so many first characters words are looked for: fewer find too many, and words of categories may be short."""

_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")


@dataclass(slots=True)
class Facts:
    """What is known of an incident's reach.

    Attributes:
        impacts: affected service -> its `Impact`, in the order in which they were hit. Users of one population are
            counted once.
        users: people affected, estimated.
        revenue_per_minute: money a minute.
        tier: most critical tier affected, or None.
        sites: places of business where what is affected is used.
        layers: infrastructure layers of what is affected; ``hosting_models`` likewise.
        reporters: distinct people who reported.
    """

    impacts: dict[str, Impact]
    users: int
    revenue_per_minute: float
    tier: int | None
    regulatory: list[str]
    severity: str
    categories: list[str]
    reporters: int
    sites: list[str] = field(default_factory=list)
    layers: list[str] = field(default_factory=list)
    hosting_models: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Assessment:
    """A priority and why."""

    urgency: str
    impact: str
    priority: str
    because: list[str]


def plain(*texts: str) -> str:
    """Texts as lower-case words, a space before each, so that words can be found from their beginning."""
    text = " ".join(texts)
    if not text.isascii():
        return " " + _BETWEEN_WORDS.sub(" ", text.lower())
    spaced = text.encode().translate(ASCII_WORDS).decode()  # a third of the time, and nearly every text of a machine
    words = " ".join(spaced.split())
    begin = " " if spaced[:1] == " " else ""
    end = " " if words and spaced[-1] == " " else ""
    return f" {begin}{words}{end}"


class Categories:
    """The categories of a policy, read once: every alert is held against all of them.

    Of the hundred words of a pack an alert has one or none. So words are looked for by how they begin: only those that
    begin as some word of the alert does are searched for.
    """

    __slots__ = ("_always", "_more", "_names", "_starts")

    def __init__(self, policy: DomainPolicy) -> None:
        self._names = [each.name for each in policy.categories]
        self._more = [(place, each) for place, each in enumerate(policy.categories) if _says_more(each)]
        self._always: list[tuple[int, str]] = []  # too short to begin like a word of the alert
        self._starts: dict[str, list[tuple[int, str]]] = {}
        for place, category in enumerate(policy.categories):
            for word in category.words:
                sought = plain(word).rstrip()
                first, *rest = sought.split() or [""]
                short = len(first) < START_CHARACTERS and not rest
                found = self._always if short else self._starts.setdefault(first[:START_CHARACTERS], [])
                found.append((place, sought))

    def of(
        self, text: str, labels: dict[str, str], layer: str | None, feed: str = "", hosting_model: str | None = None
    ) -> str | None:
        """The first category that matches, in the policy's order; None where none does.

        Args:
            text: name, summary and description as `plain` makes them.
            labels: the alert's labels.
            layer: infrastructure layer of what it is about.
            feed: that it came by.
            hosting_model: of what it is about.
        """
        best = len(self._names)
        for start in self._starts.keys() & {word[:START_CHARACTERS] for word in text.split()}:
            for place, word in self._starts[start]:
                if place < best and word in text:  # from a word's beginning: no "lag" in "flagged"
                    best = place
        for place, word in self._always:
            if place < best and word in text:
                best = place
        for place, category in self._more:
            if place >= best:
                break
            if category.labels and all(labels.get(label) in values for label, values in category.labels.items()):
                return category.name
            if layer in category.layers or feed in category.feeds or hosting_model in category.hosting_models:
                return category.name
        return self._names[best] if best < len(self._names) else None


def _says_more(category: Category) -> bool:
    """Whether a category goes by more than words."""
    return bool(category.labels or category.layers or category.feeds or category.hosting_models)


def categorise(
    policy: DomainPolicy,
    text: str,
    labels: dict[str, str],
    layer: str | None,
    feed: str = "",
    hosting_model: str | None = None,
) -> str | None:
    """The category of one alert by a policy; see `Categories.of`."""
    return Categories(policy).of(text, labels, layer, feed, hosting_model)


def gather(tally: Tally, policy: DomainPolicy) -> Facts:
    """Reach of an incident from its members.

    A monitor's alert of error severity or worse stands for the whole population of its service; beside one in the
    same incident a warning does too. Reports by people stand for `DomainPolicy.users_per_report` each, up to the
    population.
    """
    if tally.facts is None:
        for ref in tally.stale:
            tally.impacts.put(ref, _impact(ref, tally, policy))
        tally.stale.clear()
        users, revenue = tally.impacts.total()
        tally.facts = Facts(
            impacts=tally.impacts.by_service,
            users=users,
            revenue_per_minute=revenue,
            tier=tally.tier,
            regulatory=sorted(tally.regulatory),
            severity=tally.severity,
            categories=list(tally.categories),
            reporters=len(tally.reporters),
            sites=sorted(tally.sites),
            layers=sorted(tally.layers),
            hosting_models=sorted(tally.hosting_models),
        )
    return tally.facts


def _impact(ref: str, tally: Tally, policy: DomainPolicy) -> Impact:
    served, entity = tally.served[ref], tally.topology.entities.get(ref)
    system = (entity.system if entity else None) or ref
    population = entity.users if entity else None
    who = population_key(entity.population) if entity and entity.population else system
    revenue = (entity.revenue_per_minute if entity else None) or 0.0
    if served.outages or (tally.outages and served.impaired):
        return (system, population or 0, revenue, who)
    users = max(len(served.reporters) * policy.users_per_report, served.stated)
    if population is not None:
        users = min(users, population)
    return (system, users, revenue * users / population if population else 0.0, who)


def assess(facts: Facts, policy: DomainPolicy, now_ms: int, chronic: str | None = None) -> Assessment:
    """Urgency and impact by the first rule that holds, and the priority that the matrix gives them.

    Args:
        facts: what is known of the incident's reach.
        policy: of its domain.
        now_ms: stream time.
        chronic: why it is chronic and nothing more: then it has the lowest urgency, the last of the policy's scale.
    """
    impact_level, impact_because = policy.impact[-1].level, ""
    for reach in policy.impact:
        if holds(reach, facts, policy, now_ms):
            impact_level, impact_because = reach.level, reach.because
            break
    urgency_level, urgency_because = policy.urgency[-1].level, chronic or ""
    for haste in () if chronic else policy.urgency:
        if holds(haste, facts, policy, now_ms):
            urgency_level, urgency_because = haste.level, haste.because
            break
    priority = policy.matrix[urgency_level][impact_level]
    because = [
        f"impact {impact_level}: {impact_because}" if impact_because else f"impact {impact_level}",
        f"urgency {urgency_level}: {urgency_because}" if urgency_because else f"urgency {urgency_level}",
        f"{policy.title or policy.domain} matrix: {priority}",
    ]
    return Assessment(urgency_level, impact_level, priority, because)


def holds(rule: ScaleRule, facts: Facts, policy: DomainPolicy, now_ms: int) -> bool:
    """Whether every condition that a line of a scale states holds."""
    return _reaches(rule, facts) and _concerns(rule, facts, policy, now_ms)


def _reaches(rule: ScaleRule, facts: Facts) -> bool:
    """Conditions on how much is affected."""
    if rule.tier_at_most is not None and (facts.tier is None or facts.tier > rule.tier_at_most):
        return False
    if rule.users_at_least is not None and facts.users < rule.users_at_least:
        return False
    if rule.revenue_per_minute_at_least is not None and facts.revenue_per_minute < rule.revenue_per_minute_at_least:
        return False
    if rule.reporters_at_least is not None and facts.reporters < rule.reporters_at_least:
        return False
    if rule.sites_at_least is not None and len(facts.sites) < rule.sites_at_least:
        return False
    return rule.services_at_least is None or len(facts.impacts) >= rule.services_at_least


def _concerns(rule: ScaleRule, facts: Facts, policy: DomainPolicy, now_ms: int) -> bool:
    """Conditions on what is affected, how badly and when."""
    wanted = rule.severity_at_least
    if wanted is not None and SEVERITY_RANK.get(facts.severity, 0) < SEVERITY_RANK[wanted]:
        return False
    if rule.regulatory and not _meet(rule.regulatory, facts.regulatory):
        return False
    if rule.categories and not _meet(rule.categories, facts.categories):
        return False
    if rule.layers and not _meet(rule.layers, facts.layers):
        return False
    if rule.hosting_models and not _meet(rule.hosting_models, facts.hosting_models):
        return False
    return rule.business_hours is None or rule.business_hours == is_business_time(policy.business_hours, now_ms)


def _meet(wanted: Iterable[str], found: list[str]) -> bool:
    return any(each in found for each in wanted)


def affected_words(facts: Facts, topology: Topology) -> str:
    """Who is affected, in one sentence for people."""
    names = topology.titles(facts.impacts) or "an unknown service"
    parts = [f"about {facts.users:,} users of {names}" if facts.users else names]
    if facts.reporters:
        parts.append(f"{facts.reporters} report{'s' if facts.reporters > 1 else ''} by people")
    if facts.revenue_per_minute:
        parts.append(f"{facts.revenue_per_minute:,.0f} a minute at stake")
    return "; ".join(parts)
