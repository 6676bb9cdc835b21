"""Indexes over a configuration, each made when it is asked for: who needs what, who is on call, what names mean."""

from __future__ import annotations

from functools import cached_property

from pipeline.core.alerts.enrich import Enricher
from pipeline.core.escalation.oncall import OncallIndex
from pipeline.core.topology import Topology
from pipeline.models.policy import Config


class Indexes:
    """Over one configuration, which does not change."""

    def __init__(self, config: Config) -> None:
        self.config = config

    @cached_property
    def topology(self) -> Topology:
        """The dependency graph."""
        return Topology(self.config.catalogue)

    @cached_property
    def oncall(self) -> OncallIndex:
        """Which rotation covers what."""
        return OncallIndex(self.config.catalogue, self.config.rotations)

    @cached_property
    def enricher(self) -> Enricher:
        """What names mean, as alerts are matched."""
        return Enricher(self.config)
