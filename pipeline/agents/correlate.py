"""The correlate agent: episodes, changes and commands of a space to incidents."""

from __future__ import annotations

from pipeline.agents.shared import Shared
from pipeline.core.clustering.correlate import CorrelateProcessor


def processor(shared: Shared) -> CorrelateProcessor:
    """What decides for one partition."""
    enricher = shared.enricher
    return CorrelateProcessor(shared.desk, shared.topology, enricher.resolve, enricher.enrich, shared.rules())
