"""What correlation rules may ask of an episode: its facts, once as texts for the index and once for CEL.

The names and their meaning are in `pipeline.models.correlation_rules`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pipeline.core.topology import Topology
from pipeline.models.alert import Alert
from pipeline.models.correlation_rules import LABEL_FACT, LABELS, LIST_FACTS, NUMBER_FACTS, TEXT_FACTS

SCOPE: Final[dict[str, str]] = {LABELS: "object"} | dict.fromkeys((*TEXT_FACTS, *NUMBER_FACTS, *LIST_FACTS), "any")
"""The names of a condition in CEL, and their kind (`pipeline.core.expressions.Scope`)."""

EQUAL: Final = frozenset((*TEXT_FACTS, *NUMBER_FACTS, *LIST_FACTS))
"""Facts that may stand in an equality, beside labels."""


class RuleFacts:
    """The facts of one episode.

    Attributes:
        labels: of its alert.
        values: every other fact by name.
    """

    __slots__ = ("labels", "values")

    def __init__(self, alert: Alert, terms: list[str], topology: Topology) -> None:
        """Gather.

        Args:
            alert: what opened the episode.
            terms: words of its text (`pipeline.core.terms`).
            topology: of the configuration.
        """
        entity = topology.entities.get(alert.entity) if alert.entity else None
        self.labels = alert.labels
        self.values: dict[str, Any] = {
            "feed": alert.feed,
            "feed_class": str(alert.feed_class),
            "name": alert.name,
            "summary": alert.summary,
            "severity": str(alert.severity),
            "space": alert.space,
            "host": alert.host or "",
            "entity": alert.entity or "",
            "service": alert.service or "",
            "entity_type": entity.type if entity else "",
            "system": (entity.system if entity else None) or "",
            "owner": (entity.owner if entity else None) or "",
            "domain": alert.domain or "",
            "layer": (entity.infrastructure_layer if entity else None) or "",
            "hosting_model": str((entity.hosting_model if entity else None) or ""),
            "tier": entity.tier if entity else None,
            "terms": terms,
            "mentions": alert.mentions,
        }

    def value(self, fact: str) -> Any:
        """A fact or label; None where it is not there. A text that is not known is empty."""
        if fact.startswith(LABEL_FACT):
            return self.labels.get(fact[len(LABEL_FACT) :])
        return self.values.get(fact)

    def of_group(self, facts: Sequence[str]) -> list[str] | None:
        """The values that make up a group; None where one is not known."""
        found: list[str] = []
        for fact in facts:
            value = self.value(fact)
            if value is None or value == "":
                return None
            found.append(str(value))
        return found

    def for_conditions(self) -> dict[str, Any]:
        """All of them, as a condition in CEL reads them."""
        return {LABELS: self.labels, **self.values}
