"""Rules about Major Incident criteria: trigger rules that can never win, proposals that nobody hears of."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.catalog.lint_context import Finding
from pipeline.catalog.packs import Source
from pipeline.models.major import MajorIncidentMode, MajorIncidentRule, MajorIncidentTrigger
from pipeline.models.policy import DomainPolicy


def check_major_rules(policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    """Every rule of ``major_incident``."""
    rule = policy.major_incident
    for index, trigger in enumerate(rule.rules):
        taker = next((each for each in range(index) if _takes(rule, rule.rules[each], trigger)), None)
        if taker is not None:
            message = f"trigger rule {index + 1} never wins: rule {taker + 1} holds whenever it does"
            yield Finding("shadowed-trigger", source.at("major_incident", "rules", index), message)
    proposes = any(each.mode == MajorIncidentMode.PROPOSE for each in rule.rules)
    if proposes and not rule.manager:
        message = "proposals call nobody: name a 'manager'"
        yield Finding("proposal-to-nobody", source.at("major_incident", "rules"), message)


def _takes(rule: MajorIncidentRule, earlier: MajorIncidentTrigger, later: MajorIncidentTrigger) -> bool:
    """Whether an earlier rule holds whenever a later one does."""
    wide, narrow = earlier.stated, later.stated
    if not wide or not narrow:
        return False
    counts = set(rule.priorities if earlier.priorities is None else earlier.priorities)
    if not set(rule.priorities if later.priorities is None else later.priorities) <= counts:
        return False
    return all(name in narrow and _least(narrow[name], wide[name]) for name in wide)


def _least(value: object, limit: object) -> bool:
    if isinstance(value, tuple) and isinstance(limit, tuple):
        return set(value) <= set(limit)
    return isinstance(value, int | float) and isinstance(limit, int | float) and value >= limit
