"""What one policy pack must hold together: levels, priorities, calendars, escalation and closure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pipeline.catalog.check_calendars import check_calendars
from pipeline.catalog.check_closure import check_closure, check_permissions
from pipeline.catalog.check_major import check_major
from pipeline.catalog.check_templates import check_communication
from pipeline.catalog.packs import Packs, Source
from pipeline.catalog.problems import Findings, suggestion
from pipeline.models.alert import SEVERITY_RANK
from pipeline.models.policy import DomainPolicy
from pipeline.models.scales import ScaleRule

NOTIFY_ROLES: Final = ("oncall", "oncall-secondary", "owner", "dependency")
NAMES_LISTED_MAX: Final = 6  # more than these do not help who looks for one
_PRIORITY_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,15}")  # as long as a command may name it
_DAYS: Final = range(7)
_UNCONDITIONAL: Final = frozenset(("level", "because"))  # fields of a rule that are no conditions


def check_known(
    names: Iterable[str], known: Iterable[str], what: str, source: Source, findings: Findings, *path: str | int
) -> None:
    """Each name of a list must be a known one."""
    known = tuple(known)
    for index, name in enumerate(names):
        if name not in known:
            where = source.at(*path, index)
            hint = suggestion(name, known) or all_of(known)
            findings.problem(where, f"{path[-1]}: unknown {what} '{name}'{hint}")


def all_of(known: tuple[str, ...]) -> str:
    """The known names, where there are few."""
    return f"; known: {', '.join(known)}" if 0 < len(known) <= NAMES_LISTED_MAX else ""


def check_policy(policy: DomainPolicy, source: Source, packs: Packs, findings: Findings) -> None:
    """Every rule of one pack."""
    _check_priorities(policy, source, findings)
    _check_categories(policy, source, findings)
    _check_scale("impact", policy.impact, source, findings)
    _check_scale("urgency", policy.urgency, source, findings)
    _check_conditions("impact", policy.impact, policy, source, findings)
    _check_conditions("urgency", policy.urgency, policy, source, findings)
    _check_matrix(policy, source, findings)
    _check_targets(policy, source, findings)
    check_calendars(policy, source, findings)
    check_major(policy, source, packs, findings)
    check_known(policy.silence_never, policy.priorities, "priority", source, findings, "silence_never")
    check_closure(policy, source, findings)
    check_permissions(policy, source, findings)
    check_communication(policy, source, packs, findings)


def _check_priorities(policy: DomainPolicy, source: Source, findings: Findings) -> None:
    """The scale is a list of different names; each has targets where the pack states the scale."""
    for index, priority in enumerate(policy.priorities):
        where = source.at("priorities", index)
        if priority in policy.priorities[:index]:
            findings.problem(where, f"priorities: '{priority}' is there twice")
        elif not _PRIORITY_NAME.fullmatch(priority):
            findings.problem(
                where, f"priorities: '{priority}' must be a letter, then letters, digits, '-', '_', 16 at most"
            )
        elif "priorities" in policy.model_fields_set and priority not in policy.targets:
            findings.problem(where, f"priorities: {priority} has no targets")


def _check_categories(policy: DomainPolicy, source: Source, findings: Findings) -> None:
    seen: dict[str, int] = {}
    for index, category in enumerate(policy.categories):
        first = seen.setdefault(category.name, index)
        if first != index:
            where = source.at("categories", first)
            findings.problem(
                source.at("categories", index, "name"),
                f"category '{category.name}' is already defined on line {where.line}",
            )
        for position, word in enumerate(category.words):
            if word != word.lower():
                findings.problem(
                    source.at("categories", index, "words", position),
                    f"word '{word}' can never match: texts are compared in lower case",
                )


def _check_scale(name: str, rules: tuple[ScaleRule, ...], source: Source, findings: Findings) -> None:
    """The last line, and only the last, must hold for everything, or an incident is left without a level."""
    if not rules:
        findings.problem(source.at(name), f"{name}: needs at least one line such as 'level: low'")
        return
    for index, rule in enumerate(rules):
        stated = rule.model_dump(exclude_defaults=True).keys() - _UNCONDITIONAL
        last = index == len(rules) - 1
        if last and stated:
            findings.problem(
                source.at(name, index),
                f"{name}: the last line must have no condition, so that every incident gets a level",
            )
        elif not last and not stated:
            findings.problem(source.at(name, index + 1), f"{name}: never reached, as the line before has no condition")


def _check_conditions(
    name: str, rules: tuple[ScaleRule, ...], policy: DomainPolicy, source: Source, findings: Findings
) -> None:
    """What the lines of a scale ask for must exist."""
    severities = tuple(SEVERITY_RANK)
    categories = [category.name for category in policy.categories]
    for index, rule in enumerate(rules):
        if rule.severity_at_least is not None and rule.severity_at_least not in severities:
            near = suggestion(rule.severity_at_least, severities)
            where = source.at(name, index, "severity_at_least")
            findings.problem(where, f"severity_at_least: unknown severity '{rule.severity_at_least}'{near}")
        check_known(rule.categories, categories, "category", source, findings, name, index, "categories")


def _check_matrix(policy: DomainPolicy, source: Source, findings: Findings) -> None:
    urgencies = list(dict.fromkeys(rule.level for rule in policy.urgency))
    impacts = list(dict.fromkeys(rule.level for rule in policy.impact))
    for urgency in urgencies:
        for impact in impacts:
            if impact not in policy.matrix.get(urgency, {}):
                where = source.at("matrix", urgency)
                findings.problem(where, f"matrix: no priority for urgency '{urgency}' and impact '{impact}'")
    _check_matrix_cells(policy, urgencies, impacts, source, findings)


def _check_matrix_cells(
    policy: DomainPolicy, urgencies: list[str], impacts: list[str], source: Source, findings: Findings
) -> None:
    stated = "matrix" in policy.model_fields_set  # the default matrix may have levels that this pack has not
    for urgency, row in policy.matrix.items():
        if stated and urgency not in urgencies:
            near = suggestion(urgency, urgencies)
            findings.problem(source.at("matrix", urgency), f"matrix: no urgency line has level '{urgency}'{near}")
        for impact, priority in row.items():
            where = source.at("matrix", urgency, impact)
            if stated and impact not in impacts:
                near = suggestion(impact, impacts)
                findings.problem(where, f"matrix: no impact line has level '{impact}'{near}")
            if priority not in policy.priorities:
                near = suggestion(priority, policy.priorities) or all_of(policy.priorities)
                findings.problem(where, f"matrix: unknown priority '{priority}'{near}")
            elif priority not in policy.targets:
                findings.problem(where, f"matrix: priority {priority} has no targets")


def _check_targets(policy: DomainPolicy, source: Source, findings: Findings) -> None:
    for priority, targets in policy.targets.items():
        if priority not in policy.priorities:
            near = suggestion(priority, policy.priorities) or all_of(policy.priorities)
            findings.problem(source.at("targets", priority), f"targets: unknown priority '{priority}'{near}")
        if targets.respond_minutes > targets.resolve_minutes:
            findings.problem(
                source.at("targets", priority, "respond_minutes"),
                f"targets: {priority} is to be resolved before anybody has to respond",
            )
