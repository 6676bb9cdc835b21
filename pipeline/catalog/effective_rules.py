"""The part of `effective` that correlation decides: its thresholds, and the rules that may concern an entity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipeline.catalog.check_rules import RULE, selectors
from pipeline.catalog.effective_facts import DEFAULT, Fact, at
from pipeline.catalog.lint_context import Context
from pipeline.catalog.rule_words import asks_for, does
from pipeline.core.clustering.rule_facts import EQUAL
from pipeline.core.conjuncts import Equality, read
from pipeline.core.names import Place
from pipeline.models.catalog import Entity
from pipeline.models.correlation_rules import REFERENCE_FACTS, CorrelationRule, Selector

RULES_SHOWN_MAX: Final = 50  # rules by labels may concern every entity; `config show` has all


def thresholds(context: Context) -> Iterator[Fact]:
    """Limits and thresholds."""
    settings = context.config.correlation
    document = context.opened.files.get("correlation.yaml")
    lines = (document or b"").decode("utf-8", "replace").splitlines()
    for name, value in settings.model_dump(exclude={"rules"}).items():
        number = next((number for number, line in enumerate(lines, 1) if line.startswith(f"{name}:")), 0)
        yield Fact(name, value, f"correlation.yaml:{number}" if number else DEFAULT)


def correlation_rules(context: Context, entity: Entity, follows: Place) -> Iterator[Fact]:
    """Rules that an alert about the entity may match, in the order in which they are asked.

    Args:
        context: a usable directory.
        entity: what alerts are about.
        follows: its service and domain.
    """
    stated: dict[str, object] = {
        "entity": entity.ref,
        "service": follows.service,
        "entity_type": entity.type,
        "system": entity.system,
        "owner": entity.owner,
        "domain": follows.domain,
        "layer": entity.infrastructure_layer,
        "hosting_model": entity.hosting_model,
        "tier": entity.tier,
    }
    shown = 0
    for name, rule in context.config.correlation.rules.items():
        if not any(_may_match(selector, stated, context) for selector, _ in selectors(rule)):
            continue
        shown += 1
        if shown <= RULES_SHOWN_MAX:
            yield Fact(name, _words(rule), at(context.opened.packs.sources[RULE, name].at()))
    if shown > RULES_SHOWN_MAX:
        yield Fact("and more", shown - RULES_SHOWN_MAX, DEFAULT)


def _words(rule: CorrelationRule) -> str:
    return f"{asks_for(rule)}: {does(rule)}"


def _may_match(selector: Selector, stated: dict[str, object], context: Context) -> bool:
    """Whether nothing that is stated of the entity speaks against it."""
    asked = [Equality(fact, frozenset(values)) for fact, values in selector.match.items()]
    if selector.when is not None:
        asked += read(selector.when, EQUAL).equalities
    for fact, values in asked:
        wanted = frozenset(context.enricher.resolve(str(each)) or each for each in values)
        if fact in stated and stated[fact] not in (wanted if fact in REFERENCE_FACTS else values):
            return False
    return True
