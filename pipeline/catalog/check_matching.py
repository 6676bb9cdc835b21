"""``matching.yaml``: rules by name, in the order in which they are written; patterns and entities checked."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.catalog.packs import Packs, Source
from pipeline.catalog.problems import Findings
from pipeline.core.alerts.rules import PatternError, compiled, fields_of
from pipeline.models.matching import RULES_MAX, MatchingRule


def check_matching(packs: Packs, feeds: set[str] | None, find: Callable[[str], bool], findings: Findings) -> None:
    """Every pattern is one, every rule states something, and names what is there.

    Args:
        packs: all files beside the catalogue.
        feeds: the feeds in force; None leaves their names unchecked.
        find: whether a name means an entity.
        findings: takes what is wrong.
    """
    for number, (name, rule) in enumerate(packs.matching.items(), start=1):
        source = packs.sources["matching rule", name]
        if number > RULES_MAX:
            findings.problem(source.at(), f"more than {RULES_MAX} rules; use labels of the catalogue for the others")
            return
        if not rule.labels and rule.text is None:
            findings.problem(source.at(), "a rule needs labels, text or both; this one would match every alert")
        groups = _check_patterns(rule, source, findings)
        if groups is None:
            continue
        for field in sorted(fields_of(rule.entity) - groups):
            findings.problem(source.at("entity"), f"entity: no pattern of this rule has a group (?P<{field}>...)")
        if not fields_of(rule.entity) and not find(rule.entity):
            findings.problem(source.at("entity"), f"entity: nothing is called '{rule.entity[:80]}'")
        for index, feed in enumerate(rule.feeds):
            if feeds is not None and feed not in feeds:
                findings.problem(source.at("feeds", index), f"feeds: there is no feed '{feed[:80]}'")


def _check_patterns(rule: MatchingRule, source: Source, findings: Findings) -> set[str] | None:
    """Names of the groups of all patterns; None where one cannot be used."""
    groups: set[str] = set()
    patterns = [(("labels", label), pattern) for label, pattern in rule.labels.items()]
    usable = True
    for path, pattern in (*patterns, *([(("text",), rule.text)] if rule.text is not None else [])):
        try:
            groups |= set(compiled(pattern).groupindex)
        except PatternError as error:
            findings.problem(source.at(*path), f"{'.'.join(path)}: not a pattern of RE2: {error}")
            usable = False
    return groups if usable else None
