"""The problem agent: incident summaries of all spaces to problems."""

from __future__ import annotations

from pipeline.agents.shared import Shared
from pipeline.core.problems.problem import ProblemProcessor


def processor(shared: Shared) -> ProblemProcessor:
    """What decides for one partition."""
    return ProblemProcessor(shared.desk, shared.topology, shared.config.known_errors, shared.enricher.resolve)
