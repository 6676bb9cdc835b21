"""``inhibit`` of ``correlation.yaml``: every fact, value and condition of a rule is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.catalog.check_rules import check_rule_name, check_selector, unknown_fact
from pipeline.catalog.packs import Packs
from pipeline.catalog.problems import Findings
from pipeline.models.correlation_rules import LIST_FACTS
from pipeline.models.inhibition import INHIBIT_RULES_MAX

INHIBIT: Final = "inhibition rule"
"""Kind of the rules' places in `Packs.sources`."""


def check_inhibition(
    packs: Packs, feeds: set[str] | None, find: Callable[[str], str | None], findings: Findings
) -> None:
    """Check every rule.

    Args:
        packs: all files beside the catalogue.
        feeds: the feeds in force; None leaves their names unchecked.
        find: reference of the entity that a name means.
        findings: takes what is wrong.
    """
    for number, (name, rule) in enumerate(packs.correlation.inhibit.items(), start=1):
        source = packs.sources[INHIBIT, name]
        if number > INHIBIT_RULES_MAX:
            findings.problem(source.at(), f"more than {INHIBIT_RULES_MAX} rules of inhibition; say it by fewer")
            return
        check_rule_name(name, source, findings)
        check_selector(rule.source, ("source",), source, feeds, find, findings)
        check_selector(rule.target, ("target",), source, feeds, find, findings)
        for index, fact in enumerate(rule.equal):
            if (unknown := unknown_fact(fact)) is not None:
                findings.problem(source.at("equal", index), f"equal: {unknown}")
            elif fact in LIST_FACTS:
                findings.problem(source.at("equal", index), f"equal: {fact} has several values; use a label")
