"""What the Major Incident criteria of one policy pack must hold together: conditions, priorities, managers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.catalog.packs import Packs, Source
from pipeline.catalog.problems import Findings, suggestion
from pipeline.models.major import Thresholds
from pipeline.models.policy import DomainPolicy

_HERE: Final = "major_incident"
OWNER: Final = "owner"


def check_major(policy: DomainPolicy, source: Source, packs: Packs, findings: Findings) -> None:
    """Every rule of ``major_incident``."""
    rule = policy.major_incident
    _priorities(rule.priorities, policy, source, findings, _HERE, "priorities")
    stated = [name for name in Thresholds.model_fields if name in rule.model_fields_set]
    if rule.rules and stated and rule.stated:
        where = source.at(_HERE, stated[0])
        findings.problem(where, f"{stated[0]}: with 'rules' thresholds stand in the rules; make it one of them")
    names: dict[str, int] = {}
    for index, trigger in enumerate(rule.rules):
        here = source.at(_HERE, "rules", index)
        if not trigger.stated:
            findings.problem(here, "rules: a rule without a condition never holds; state a threshold")
        if trigger.name and names.setdefault(trigger.name, index) != index:
            where = source.at(_HERE, "rules", index, "name")
            findings.problem(where, f"rules: '{trigger.name}' is already rule {names[trigger.name] + 1}")
        if trigger.priorities is not None:
            _priorities(trigger.priorities, policy, source, findings, _HERE, "rules", index, "priorities")
    _managers(policy, source, packs, findings)


def _priorities(
    names: Iterable[str], policy: DomainPolicy, source: Source, findings: Findings, *path: str | int
) -> None:
    for index, name in enumerate(names):
        if name not in policy.priorities:
            near = suggestion(name, policy.priorities) or f"; known: {', '.join(policy.priorities)}"
            findings.problem(source.at(*path, index), f"priorities: unknown priority '{name}'{near}")


def _managers(policy: DomainPolicy, source: Source, packs: Packs, findings: Findings) -> None:
    if any(kind == "rotation" for kind, _ in packs.broken):
        return  # a person may be in a broken one
    people = {person for rotation in packs.rotations.values() for person in rotation.everybody()}
    known = (OWNER, *sorted(packs.names("rotation")), *sorted(people))
    for index, name in enumerate(policy.major_incident.manager):
        if name not in known:
            where = source.at(_HERE, "manager", index)
            findings.problem(where, f"manager: unknown rotation or person '{name}'{suggestion(name, known)}")
