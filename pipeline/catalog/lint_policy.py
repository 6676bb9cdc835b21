"""Rules about policy packs: lines that can never win, priorities that never come, escalation that leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import time
from itertools import product
from typing import Final

from pipeline.catalog.lint_context import Context, Finding
from pipeline.catalog.packs import Source
from pipeline.core.prioritise import Facts, assess, plain
from pipeline.models.catalog import Entity
from pipeline.models.clocks import BusinessHours
from pipeline.models.escalation import EscalationLevel, EscalationPath
from pipeline.models.incident import Incident
from pipeline.models.policy import DomainPolicy
from pipeline.models.scales import Category, ImpactRule, UrgencyRule

_URGENT: Final = ("P1", "P2")
_DEPENDENCY: Final = "dependency"
_PROBE: Final = "\0"  # no level is called so
_NOON_MS: Final = 12 * 3_600_000
_ALWAYS: Final = BusinessHours(days=tuple(range(7)), start=time(0), end=time(23, 59))
_NEVER: Final = BusinessHours(days=())


def check_policies(context: Context) -> Iterator[Finding]:
    """Every rule about the packs of the directory."""
    for name, policy in sorted(context.config.domains.items()):
        source = context.opened.packs.sources["domain", name]
        if "categories" in policy.model_fields_set:
            yield from _shadowed_categories(policy, source)
        yield from _shadowed_lines(policy, source)
        yield from _unused_priorities(policy, source)
        yield from _loops(policy, source)
        yield from _priorities_without_path(policy, source)
    yield from _paths_to_nobody(context)


# -- lines that can never win


def _shadowed_categories(policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    for index, category in enumerate(policy.categories):
        earlier = policy.categories[:index]
        taken = {word: taker for word in category.words if (taker := _taker(word, earlier))}
        place = source.at("categories", index)
        if not (category.words or category.labels or category.layers):
            message = f"category '{category.name}' never wins: it has no words, labels or layers"
            yield Finding("shadowed-category", place, message)
        elif len(taken) == len(set(category.words)) and _facts_are_taken(category, earlier):
            takers = ", ".join(dict.fromkeys([*taken.values(), *_takers_of_facts(category, earlier)]))
            message = (
                f"category '{category.name}' never wins: all that it matches is taken by {takers}, which come first"
            )
            yield Finding("shadowed-category", place, message)
        elif taken:
            words = "; ".join(f"'{word}' by {taker}" for word, taker in taken.items())
            where = source.at("categories", index, "words")
            yield Finding(
                "shadowed-word", where, f"words of '{category.name}' are taken by earlier categories: {words}"
            )


def _taker(word: str, earlier: tuple[Category, ...]) -> str | None:
    """The earlier category that has every text which holds a word, with its own word where that is another."""
    text = plain(word).rstrip()
    for category in earlier:
        for other in category.words:
            if plain(other).rstrip() in text:
                return category.name if other == word else f"{category.name} ('{other}')"
    return None


def _takers_of_facts(category: Category, earlier: tuple[Category, ...]) -> list[str]:
    """Earlier categories that take what a category matches by its labels and layers."""
    by_labels = [each.name for each in earlier if category.labels and _wider(each.labels, category.labels)]
    by_layers = [each.name for each in earlier if set(each.layers) & set(category.layers)]
    return [*by_labels[:1], *by_layers]


def _facts_are_taken(category: Category, earlier: tuple[Category, ...]) -> bool:
    """Whether earlier categories take all that a category matches by labels and layers."""
    layers = {layer for each in earlier for layer in each.layers}
    labels = not category.labels or any(_wider(each.labels, category.labels) for each in earlier)
    return labels and set(category.layers) <= layers


def _wider(one: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether an alert that has the other's labels has the one's, too."""
    return bool(one) and all(name in other and set(other[name]) <= set(values) for name, values in one.items())


def _shadowed_lines(policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    """Lines of the scales, asked by the rules themselves: is there anything for which this line is the first?

    Conditions are lower bounds or one of several words, so the least that fulfils a line is what earlier lines hold
    for least. If one of them holds even then, the line never wins.
    """
    for index, reach in enumerate(policy.impact):
        if not any(_impact_wins(policy, index, tag) for tag in reach.regulatory or ("",)):
            message = f"impact line {index + 1} ({reach.level}) never wins: an earlier line holds whenever it does"
            yield Finding("shadowed-priority-rule", source.at("impact", index), message)
    for index, haste in enumerate(policy.urgency):
        tried = product(haste.regulatory or ("",), haste.categories or ("",), (_ALWAYS, _NEVER))
        if not any(_urgency_wins(policy, index, tag, category, hours) for tag, category, hours in tried):
            message = f"urgency line {index + 1} ({haste.level}) never wins: an earlier line holds whenever it does"
            yield Finding("shadowed-priority-rule", source.at("urgency", index), message)


def _facts(tag: str, category: str, severity: str | None, rule: ImpactRule | None = None) -> Facts:
    return Facts(
        impacts={},
        users=(rule.users_at_least if rule else None) or 0,
        revenue_per_minute=(rule.revenue_per_minute_at_least if rule else None) or 0.0,
        tier=rule.tier_at_most if rule else None,
        regulatory=[tag] if tag else [],
        severity=severity or "unknown",
        categories=[category] if category else [],
        reporters=0,
    )


def _probe(
    policy: DomainPolicy, impact: tuple[ImpactRule, ...], urgency: tuple[UrgencyRule, ...], hours: BusinessHours
) -> DomainPolicy:
    matrix = {haste.level: {reach.level: "P4" for reach in impact} for haste in urgency}
    return policy.model_copy(update={"impact": impact, "urgency": urgency, "matrix": matrix, "business_hours": hours})


def _impact_wins(policy: DomainPolicy, index: int, tag: str) -> bool:
    marked = policy.impact[index].model_copy(update={"level": _PROBE})
    rules = (*policy.impact[:index], marked, ImpactRule(level=""))
    probe = _probe(policy, rules, (UrgencyRule(level=""),), _ALWAYS)
    return assess(_facts(tag, "", None, marked), probe, _NOON_MS).impact == _PROBE


def _urgency_wins(policy: DomainPolicy, index: int, tag: str, category: str, hours: BusinessHours) -> bool:
    marked = policy.urgency[index].model_copy(update={"level": _PROBE})
    rules = (*policy.urgency[:index], marked, UrgencyRule(level=""))
    probe = _probe(policy, (ImpactRule(level=""),), rules, hours)
    return assess(_facts(tag, category, marked.severity_at_least), probe, _NOON_MS).urgency == _PROBE


# -- priorities


def _given(policy: DomainPolicy) -> set[str]:
    """Priorities that the matrix gives."""
    return {priority for row in policy.matrix.values() for priority in row.values()}


def _unused_priorities(policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    given = _given(policy)
    if "targets" in policy.model_fields_set:
        for priority in policy.targets:
            if priority not in given:
                message = f"targets of {priority}, which the matrix never gives; people may still set it by hand"
                yield Finding("unused-priority", source.at("targets", priority), message)
    if "escalation" not in policy.model_fields_set:
        return
    for index, path in enumerate(policy.escalation):
        if path.priorities and given.isdisjoint(path.priorities):
            names = ", ".join(path.priorities)
            message = f"an escalation path of {names}, which the matrix never gives"
            yield Finding("unused-priority", source.at("escalation", index), message)


def _priorities_without_path(policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    covered = {priority for path in policy.escalation if path.levels for priority in path.priorities}
    for priority in _URGENT:
        if priority in _given(policy) - covered:
            message = f"{priority} has no escalation path with a level: nobody is called"
            yield Finding("priority-without-escalation", source.at("escalation"), message)


# -- escalation


def _loops(policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    if "escalation" not in policy.model_fields_set:
        return
    for index, path in enumerate(policy.escalation):
        called: set[str] = set()
        hops = 0
        for number, level in enumerate(path.levels):
            hops += _DEPENDENCY in level.notify
            fresh = set(level.notify) - called - {_DEPENDENCY}
            if not fresh and (_DEPENDENCY not in level.notify or hops > path.hops_max):
                place = source.at("escalation", index, "levels", number)
                yield Finding("escalation-loop", place, _loop_words(level, path, hops))
            called |= fresh


def _loop_words(level: EscalationLevel, path: EscalationPath, hops: int) -> str:
    when = f"the level after {level.after_minutes:g} min"
    if not level.notify:
        return f"{when} calls nobody"
    if _DEPENDENCY in level.notify:
        return f"{when} asks for service {hops} down the chain, and hops_max is {path.hops_max}"
    return f"{when} calls only whom earlier levels have called ({', '.join(level.notify)}), and nobody is called twice"


def _paths_to_nobody(context: Context) -> Iterator[Finding]:
    by_domain: dict[str | None, list[Entity]] = {}
    for service in context.services:
        by_domain.setdefault(service.domain, []).append(service)
    for domain, services in by_domain.items():
        policy = context.config.policy(domain)
        source = context.opened.packs.sources.get(("domain", policy.domain))
        for index, path in enumerate(policy.escalation):
            if not path.levels:
                continue
            alone = [each for each in services if not calls_anybody(context, each, path)]
            names = ", ".join(path.priorities)
            if alone and len(alone) == len(services) and source is not None:
                message = f"the path of {names} calls nobody, for any service of '{policy.domain}'"
                yield Finding("escalation-nowhere", source.at("escalation", index), message)
                continue
            for each in alone:
                message = (
                    f"the escalation of {names} calls nobody for '{each.name}': give it a rotation or an owner, "
                    "or name a rotation in the path"
                )
                yield Finding("escalation-nowhere", context.place(each.ref), message)


def calls_anybody(context: Context, service: Entity, path: EscalationPath) -> bool:
    """Whether any level of a path reaches a person or team for an incident of a service."""
    incident = Incident(id="", space="", service=service.ref, owner=service.owner, domain=service.domain or "")
    return any(context.escalator.pages(incident, path, level, context.now_ms) for level in path.levels)
