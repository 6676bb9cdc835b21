"""Rules about packs as such: parents without heirs, and matrices against the grain."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.catalog.inherit import EXTENDS
from pipeline.catalog.lint_context import Context, Finding
from pipeline.catalog.packs import PARENT, Source
from pipeline.models.policy import DomainPolicy


def check_packs(context: Context) -> Iterator[Finding]:
    """Every rule of this file."""
    packs = context.opened.packs
    extended = {document.value.get(EXTENDS) for document in packs.written.values() if isinstance(document.value, dict)}
    for (kind, name), source in sorted(packs.sources.items(), key=lambda item: item[0]):
        if kind == PARENT and name not in extended:
            yield Finding("unused-parent", source.at(), f"no pack extends '{name}', and no domain works by it")
    for name, policy in sorted(context.config.domains.items()):
        if "matrix" in policy.model_fields_set:
            yield from _falls(policy, packs.sources["domain", name])


def _falls(policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    """Cells that are less urgent than one with less impact or less urgency. Scales begin with what is worst."""
    urgencies = list(dict.fromkeys(rule.level for rule in policy.urgency))
    impacts = list(dict.fromkeys(rule.level for rule in policy.impact))
    for row, urgency in enumerate(urgencies):
        for column, impact in enumerate(impacts):
            priority = policy.matrix[urgency][impact]
            milder = [(urgency, each) for each in impacts[column + 1 : column + 2]]
            milder += [(each, impact) for each in urgencies[row + 1 : row + 2]]
            for other in milder:
                against = policy.matrix[other[0]][other[1]]
                if policy.rank(against) < policy.rank(priority):
                    message = (
                        f"urgency '{urgency}' and impact '{impact}' give {priority}, "
                        f"but '{other[0]}' and '{other[1]}', which is less, give {against}"
                    )
                    yield Finding("matrix-falls", source.at("matrix", urgency, impact), message)
