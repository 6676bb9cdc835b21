"""Rules about policy packs: lines that can never win, priorities that never come, escalation that leads nowhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import time
from itertools import product
from typing import Final

from pipeline.catalog.lint_clocks import check_clocks
from pipeline.catalog.lint_closure import check_the_end
from pipeline.catalog.lint_context import Context, Finding
from pipeline.catalog.lint_major import check_major_rules
from pipeline.catalog.packs import Source
from pipeline.core.practice.prioritise import Facts, assess, plain
from pipeline.models.catalog import Entity
from pipeline.models.clocks import BusinessHours
from pipeline.models.escalation import EscalationLevel, EscalationPath
from pipeline.models.incident import Incident
from pipeline.models.policy import DomainPolicy
from pipeline.models.scales import Category, ImpactRule, ScaleRule, UrgencyRule

_URGENT_MAX: Final = 2
"""The most urgent priorities of a scale: for each of these somebody must be called."""

_DEPENDENCY: Final = "dependency"
_PROBE: Final = "\0"  # no level is called so
_LEAST_MAX: Final = 10_000
"""Services or sites that the least of a line is made of: a mistyped number must not fill memory."""

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
        yield from check_the_end(policy, source)
        yield from check_clocks(policy, source, context.now_ms)
        yield from check_major_rules(policy, source)
    yield from _paths_to_nobody(context)


# -- lines that can never win


def _shadowed_categories(policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    for index, category in enumerate(policy.categories):
        earlier = policy.categories[:index]
        taken = {word: taker for word in category.words if (taker := _taker(word, earlier))}
        place = source.at("categories", index)
        if not (category.words or category.labels or _places(category)):
            message = f"category '{category.name}' never wins: it has no condition"
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
    by_places = [each.name for each in earlier if _places(each) & _places(category)]
    return [*by_labels[:1], *by_places]


def _facts_are_taken(category: Category, earlier: tuple[Category, ...]) -> bool:
    """Whether earlier categories take all that a category matches by labels and layers."""
    places = {place for each in earlier for place in _places(each)}
    labels = not category.labels or any(_wider(each.labels, category.labels) for each in earlier)
    return labels and _places(category) <= places


def _places(category: Category) -> set[tuple[str, str]]:
    """Conditions of a category that one word fulfils, each with what it is asked of."""
    asked = {"layer": category.layers, "feed": category.feeds, "hosting model": category.hosting_models}
    return {(what, word) for what, words in asked.items() for word in words}


def _wider(one: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether an alert that has the other's labels has the one's, too."""
    return bool(one) and all(name in other and set(other[name]) <= set(values) for name, values in one.items())


def _shadowed_lines(policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    """Lines of the scales, asked by the rules themselves: is there anything for which this line is the first?

    Conditions are lower bounds or one of several words, so the least that fulfils a line is what earlier lines hold
    for least. If one of them holds even then, the line never wins.
    """
    for name, rules in (("impact", policy.impact), ("urgency", policy.urgency)):
        for index, rule in enumerate(rules):
            asked = (rule.regulatory, rule.categories, rule.layers, rule.hosting_models)
            words = product(*(each or ("",) for each in asked))
            tried = product((_facts(rule, *each) for each in words), (_ALWAYS, _NEVER))
            if not any(_wins(policy, name, index, facts, hours) for facts, hours in tried):
                message = f"{name} line {index + 1} ({rule.level}) never wins: an earlier line holds whenever it does"
                yield Finding("shadowed-priority-rule", source.at(name, index), message)


def _facts(rule: ScaleRule, tag: str, category: str, layer: str, hosting: str) -> Facts:
    """The least that fulfils a line."""
    return Facts(
        impacts={str(number): ("", 0, 0.0, "") for number in range(min(rule.services_at_least or 0, _LEAST_MAX))},
        users=rule.users_at_least or 0,
        revenue_per_minute=rule.revenue_per_minute_at_least or 0.0,
        tier=rule.tier_at_most,
        regulatory=[tag] if tag else [],
        severity=rule.severity_at_least or "unknown",
        categories=[category] if category else [],
        reporters=rule.reporters_at_least or 0,
        sites=[str(number) for number in range(min(rule.sites_at_least or 0, _LEAST_MAX))],
        layers=[layer] if layer else [],
        hosting_models=[hosting] if hosting else [],
    )


def _wins(policy: DomainPolicy, name: str, index: int, facts: Facts, hours: BusinessHours) -> bool:
    """Whether a line of a scale is the first that holds for what is known."""
    calm: dict[str, tuple[ScaleRule, ...]] = {"impact": (ImpactRule(level=""),), "urgency": (UrgencyRule(level=""),)}
    rules = getattr(policy, name)
    lines = {**calm, name: (*rules[:index], rules[index].model_copy(update={"level": _PROBE}), *calm[name])}
    matrix = {
        haste.level: {reach.level: policy.priorities[-1] for reach in lines["impact"]} for haste in lines["urgency"]
    }
    probe = policy.model_copy(update={**lines, "matrix": matrix, "business_hours": hours})
    return bool(getattr(assess(facts, probe, _NOON_MS), name) == _PROBE)


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
    for priority in policy.priorities[:_URGENT_MAX]:
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
    """Whether any level of a path, or its fall-back, reaches a person or team for an incident of a service."""
    incident = Incident(id="", space="", service=service.ref, owner=service.owner, domain=service.domain or "")
    if any(context.escalator.pages(incident, path, level, context.now_ms) for level in path.levels):
        return True
    return context.escalator.find(incident, 0, path.fallback, context.now_ms, "").anybody
