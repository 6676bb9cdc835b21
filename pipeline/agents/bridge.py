"""The bridge agent: incident summaries of all spaces to bridge incidents."""

from __future__ import annotations

from pipeline.agents.shared import Shared
from pipeline.core.major.bridge import BridgeProcessor


def processor(shared: Shared) -> BridgeProcessor:
    """What decides for one partition."""
    return BridgeProcessor(shared.desk, shared.topology)
