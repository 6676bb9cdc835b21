"""Builds the pure processors of each stage from a configuration: the same for live agents, replay and tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.core.bridge import BridgeProcessor
from pipeline.core.correlate import CorrelateProcessor
from pipeline.core.dedupe import DedupeProcessor
from pipeline.core.deliver import DeliverProcessor
from pipeline.core.desk import Desk
from pipeline.core.enrich import Enricher
from pipeline.core.escalate import Escalator
from pipeline.core.ingest import IngestProcessor
from pipeline.core.oncall import OncallIndex
from pipeline.core.record import RecordProcessor
from pipeline.core.step import Processor
from pipeline.core.topology import Topology
from pipeline.feeds import ADAPTERS, feeds_of
from pipeline.models.policy import Config, Feed


@dataclass(frozen=True, slots=True)
class Processors:
    """Shares what is built once for a configuration among the processors of all partitions."""

    config: Config
    feeds: dict[str, Feed]
    topology: Topology
    enricher: Enricher
    desk: Desk

    @classmethod
    def of(cls, config: Config) -> Processors:
        """Build the shared parts."""
        topology = Topology(config.catalogue)
        escalator = Escalator(topology, OncallIndex(config.catalogue, config.rotations))
        return cls(config, feeds_of(config), topology, Enricher(config), Desk(config, topology, escalator))

    def build(self, stage: str) -> Processor:
        """A fresh processor for one partition of a stage.

        Raises:
            KeyError: there is no such stage.
        """
        builders: dict[str, Callable[[], Processor]] = {
            "ingest": lambda: IngestProcessor(self.config, ADAPTERS, self.feeds),
            "dedupe": lambda: DedupeProcessor(self.config, self.feeds, self.topology),
            "correlate": lambda: CorrelateProcessor(self.desk, self.topology, self.enricher.resolve),
            "bridge": lambda: BridgeProcessor(self.desk, self.topology),
            "deliver": lambda: DeliverProcessor(self.config),
            "record": RecordProcessor,
        }
        return builders[stage]()


def processor_factory(stage: str, config: Config) -> Callable[[], Processor]:
    """A factory of processors of one stage, one for each partition."""
    shared = Processors.of(config)
    return lambda: shared.build(stage)
