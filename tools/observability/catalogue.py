"""All groups of rules, by the file that they stand in."""

from __future__ import annotations

from typing import Final

from tools.observability.alerts_flow import FLOW
from tools.observability.alerts_processes import PROCESSES
from tools.observability.alerts_users import USERS
from tools.observability.model import Alert, Group, Recording
from tools.observability.recordings import FLOW as RECORDED_FLOW
from tools.observability.recordings import OBJECTIVE_RATIOS

GROUPS: Final[dict[str, Group]] = {
    "recordings": RECORDED_FLOW,
    "objectives": OBJECTIVE_RATIOS,
    "users": USERS,
    "flow": FLOW,
    "processes": PROCESSES,
}
"""File name, without its ending -> what is in it."""

ALERTS: Final[tuple[Alert, ...]] = tuple(alert for group in GROUPS.values() for alert in group.alerts)


def recorded_names() -> set[str]:
    """What recording rules call the metrics that they record: the middle of ``level:metric:operations``."""
    rules = (rule for group in GROUPS.values() for rule in group.rules)
    return {rule.name.split(":")[1] for rule in rules if isinstance(rule, Recording)}
