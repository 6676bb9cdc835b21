"""What the agents of one process share: built once for a configuration, read by all partitions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from pipeline.core.alerts.enrich import Enricher
from pipeline.core.clustering.correlation_rules import CorrelationRules
from pipeline.core.escalation.escalate import Escalator
from pipeline.core.escalation.oncall import OncallIndex
from pipeline.core.practice.desk import Desk
from pipeline.core.privacy.redactor import Redactor
from pipeline.core.topology import Topology
from pipeline.feeds import feeds_of
from pipeline.models.policy import Config, Feed


@dataclass(frozen=True, slots=True)
class Shared:
    """Indexes over a configuration. ``rules`` are compiled when a stage first asks for them."""

    config: Config
    feeds: dict[str, Feed]
    topology: Topology
    enricher: Enricher
    desk: Desk
    rules: Callable[[], CorrelationRules]
    redactor: Redactor | None

    @classmethod
    def of(cls, config: Config, privacy_key: bytes | None = None) -> Shared:
        """Build them.

        Args:
            config: the configuration.
            privacy_key: of pseudonyms; None decides offline (`pipeline.core.privacy.redactor`).

        Raises:
            PrivacyKeyError: the key is too short.
        """
        topology = Topology(config.catalogue)
        escalator = Escalator(topology, OncallIndex(config.catalogue, config.rotations))
        enricher, desk = Enricher(config), Desk(config, topology, escalator)
        rules = cache(lambda: CorrelationRules(config.correlation.rules, enricher.resolve))
        redactor = Redactor(config.privacy, privacy_key) if config.privacy.redact else None
        return cls(config, feeds_of(config), topology, enricher, desk, rules, redactor)
