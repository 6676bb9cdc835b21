"""The service level objectives, and the rules that follow from each.

An objective has a budget of events that may be bad. An alert fires when the budget is spent so fast that it would not
last, seen over a long window, and still so over a short one: it comes early, and goes soon after the trouble.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tools.observability.model import Alert, Recording, Severity

DAYS: Final = 30
"""What the budget is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A service level objective.

    Attributes:
        name: a word for the recorded series.
        words: the objective as a sentence.
        objective: share of events that must be good.
        bad: PromQL of bad events a second by namespace, with ``WINDOW`` for the window.
        total: the same of all events.
        alert: name of the alert that guards it.
        summary: of the alert.
        meaning: for those who use Spillway.
    """

    name: str
    words: str
    objective: float
    bad: str
    total: str
    alert: str
    summary: str
    meaning: str

    @property
    def budget(self) -> float:
        """Share of events that may be bad."""
        return 1 - self.objective

    def ratio(self, window: str) -> str:
        """The recorded series of a window."""
        return f"namespace:spillway_{self.name}_bad:ratio_rate{window}"


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast a budget may be spent.

    Attributes:
        factor: times as fast as lasts for `DAYS` days.
        spent: share of the budget that is gone when it fires.
    """

    severity: Severity
    factor: float
    long: str
    short: str
    spent: str
    hold: str


# The pairs of windows are those of Google's Site Reliability Workbook, chapter 5 (table 5-8).
BURNS: Final = (
    Burn("critical", 14.4, "1h", "5m", "2 % within an hour", "2m"),
    Burn("warning", 6, "6h", "30m", "5 % within six hours", "15m"),
)

DECIDED_SECONDS: Final = "5.0"
"""Bound of a bucket of the latency histograms, as it is exposed."""

OBJECTIVES: Final = (
    Objective(
        name="decisions",
        words=f"99.9 % of alerts are decided within {DECIDED_SECONDS[0]} seconds of their raw record.",
        objective=0.999,
        bad="sum by (namespace) (rate(spillway_end_to_end_seconds_count[WINDOW]))"
        f' - sum by (namespace) (rate(spillway_end_to_end_seconds_bucket{{le="{DECIDED_SECONDS}"}}[WINDOW]))',
        total="sum by (namespace) (rate(spillway_end_to_end_seconds_count[WINDOW]))",
        alert="SpillwayDecisionsLate",
        summary="Alerts are decided late in {{ $labels.namespace }}",
        meaning="Incidents open, change and call people later than promised.",
    ),
    Objective(
        name="gateway",
        words="99.9 % of requests to the gateway are not failed by it (5xx).",
        objective=0.999,
        bad='sum by (namespace) (rate(spillway_gateway_requests_total{code=~"5.."}[WINDOW]))',
        total="sum by (namespace) (rate(spillway_gateway_requests_total[WINDOW]))",
        alert="SpillwayGatewayErrors",
        summary="The gateway in {{ $labels.namespace }} fails requests",
        meaning="Sources that speak HTTP are turned away; those that do not try again lose what they had to say.",
    ),
    Objective(
        name="console",
        words="99.5 % of requests to the console and its API are not failed by it (5xx).",
        objective=0.995,
        bad='sum by (namespace) (rate(spillway_console_requests_total{code=~"5.."}[WINDOW]))',
        total="sum by (namespace) (rate(spillway_console_requests_total[WINDOW]))",
        alert="SpillwayConsoleErrors",
        summary="The console in {{ $labels.namespace }} fails requests",
        meaning="People cannot see or act on incidents on the web or by the API. Decisions and calls go on.",
    ),
)

WINDOWS: Final = tuple(dict.fromkeys(window for burn in BURNS for window in (burn.short, burn.long)))


def recordings(objective: Objective) -> list[Recording]:
    """Share of bad events by window. Without events there is no sample, so nothing fires."""
    return [
        Recording(
            name=objective.ratio(window),
            expression=f"({objective.bad}) / ({objective.total} > 0)".replace("WINDOW", window),
        )
        for window in WINDOWS
    ]


def alerts(objective: Objective) -> list[Alert]:
    """One alert for each speed at which the budget is spent."""
    found = []
    for burn in BURNS:
        limit = f"{burn.factor:g} * {objective.budget:.4g}"
        found.append(
            Alert(
                name=objective.alert,
                aspect="fast-burn" if burn.severity == "critical" else "slow-burn",
                severity=burn.severity,
                hold=burn.hold,
                expression=f"{objective.ratio(burn.long)} > {limit} and {objective.ratio(burn.short)} > {limit}",
                summary=f"{objective.summary}: {{{{ $value | humanizePercentage }}}} over {burn.long}",
                description=f"{objective.meaning} Objective: {objective.words} Of the budget of {DAYS} days "
                f"{burn.spent} is spent.",
            )
        )
    return found
