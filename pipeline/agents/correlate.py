"""The correlate agent: episodes, changes and commands of a space to incidents."""

from __future__ import annotations

from pipeline.agents.shared import Shared
from pipeline.core.correlate import CorrelateProcessor


def processor(shared: Shared) -> CorrelateProcessor:
    """What decides for one partition."""
    return CorrelateProcessor(shared.desk, shared.topology, shared.enricher.resolve, shared.enricher.enrich)
