"""The dedupe agent: alerts by alert key to episodes by space."""

from __future__ import annotations

from pipeline.agents.shared import Shared
from pipeline.core.alerts.dedupe import DedupeProcessor


def processor(shared: Shared) -> DedupeProcessor:
    """What decides for one partition."""
    return DedupeProcessor(shared.config, shared.feeds, shared.topology, shared.enricher)
