"""The three dashboards: for who operates Spillway, who commands incidents, and who runs the platform."""

from __future__ import annotations

from typing import Final

from tools.observability.dashboards.commander import COMMANDER
from tools.observability.dashboards.grafana import Dashboard, as_json
from tools.observability.dashboards.operator import OPERATOR
from tools.observability.dashboards.platform import PLATFORM

DASHBOARDS: Final[tuple[Dashboard, ...]] = (OPERATOR, COMMANDER, PLATFORM)


def documents() -> dict[str, str]:
    """Files by name."""
    return {dashboard.uid: as_json(dashboard) for dashboard in DASHBOARDS}
