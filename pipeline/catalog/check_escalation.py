"""What the escalation of one pack must hold together: priorities, levels that rise, and names that somebody has."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import Final

from pipeline.catalog.check_policy import NOTIFY_ROLES, check_known
from pipeline.catalog.packs import Packs, Source
from pipeline.catalog.problems import Findings
from pipeline.models.escalation import EscalationPath
from pipeline.models.policy import DomainPolicy

_WHAT: Final = "role, rotation or person"


def check_escalation(
    policy: DomainPolicy, source: Source, packs: Packs, groups: Collection[str], findings: Findings
) -> None:
    """Every rule of the paths of one pack.

    Args:
        policy: the pack.
        source: where it stands.
        packs: all files beside the catalogue.
        groups: names of the catalogue's groups.
        findings: takes what is wrong.
    """
    people = {person for rotation in packs.rotations.values() for person in rotation.everybody()}
    rotations_whole = all(kind != "rotation" for kind, _ in packs.broken)  # else a person may be in a broken one
    known = (*NOTIFY_ROLES, *sorted(packs.names("rotation")), *sorted(people), *sorted(groups))
    owners: dict[str, int] = {}
    for index, path in enumerate(policy.escalation):
        here: tuple[str | int, ...] = ("escalation", index)
        check_known(path.priorities, policy.priorities, "priority", source, findings, *here, "priorities")
        for priority in path.priorities:
            if owners.setdefault(priority, index) != index:
                where = source.at(*here, "priorities")
                findings.problem(where, f"escalation: priority {priority} has a path already; it takes the first")
        _check_levels(path, source, findings, here)
        _check_routes(policy, path, source, findings, here)
        if rotations_whole:
            _check_names(path, known, source, findings, here)


def _check_levels(path: EscalationPath, source: Source, findings: Findings, here: tuple[str | int, ...]) -> None:
    for number, (before, level) in enumerate(pairwise(path.levels), 1):
        if level.after_minutes <= before.after_minutes:
            where = source.at(*here, "levels", number, "after_minutes")
            findings.problem(where, "escalation: a level must come later than the one before")


def _check_routes(
    policy: DomainPolicy, path: EscalationPath, source: Source, findings: Findings, here: tuple[str | int, ...]
) -> None:
    categories = [each.name for each in policy.categories]
    seen: set[str] = set()
    for number, route in enumerate(path.routes):
        there = (*here, "routes", number)
        check_known(route.categories, categories, "category", source, findings, *there, "categories")
        if route.title in seen:
            findings.problem(source.at(*there), f"routes: '{route.title}' is there twice; give it a name of its own")
        seen.add(route.title)
        if not (route.notify or route.also or route.case):
            findings.problem(
                source.at(*there), "routes: a route needs 'notify', 'also' or 'case', or it changes nothing"
            )


def _check_names(
    path: EscalationPath, known: Collection[str], source: Source, findings: Findings, here: tuple[str | int, ...]
) -> None:
    for number, level in enumerate(path.levels):
        check_known(level.notify, known, _WHAT, source, findings, *here, "levels", number, "notify")
    for number, route in enumerate(path.routes):
        check_known(route.notify, known, _WHAT, source, findings, *here, "routes", number, "notify")
        check_known(route.also, known, _WHAT, source, findings, *here, "routes", number, "also")
    check_known(path.fallback, known, _WHAT, source, findings, *here, "fallback")
