"""The ingest agent: raw records of every feed, through its adapter, to enriched alerts."""

from __future__ import annotations

from pipeline.agents.shared import Shared
from pipeline.core.alerts.ingest import IngestProcessor
from pipeline.feeds import adapters_of


def processor(shared: Shared) -> IngestProcessor:
    """What decides for one partition."""
    return IngestProcessor(shared.config, adapters_of(shared.config), shared.feeds, shared.enricher, shared.redactor)
