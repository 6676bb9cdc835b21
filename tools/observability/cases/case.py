"""One unit test of an alert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

USUAL: Final = "1m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Series over time, and whether an alert fires then.

    Attributes:
        alert: its name.
        words: what is the case.
        series: selector -> values at an equal distance, as promtool writes them.
        at: when it is looked.
        labels: of the alert, as in a selector.
        count: how many alerts with these labels fire then.
        interval: between two values.
        pace: how often rules are evaluated: seldom in tests that span hours, which would take minutes otherwise.
    """

    alert: str
    words: str
    series: dict[str, str]
    at: str
    labels: str
    count: int
    interval: str
    pace: str

    def document(self) -> dict[str, Any]:
        """The test as promtool reads it."""
        chosen = ",".join([f'alertname="{self.alert}"', 'alertstate="firing"', *filter(None, [self.labels])])
        return {
            "name": f"{self.alert}: {self.words}",
            "interval": self.interval,
            "input_series": [{"series": series, "values": values} for series, values in self.series.items()],
            "promql_expr_test": [
                {
                    "expr": f"count(ALERTS{{{chosen}}}) or vector(0)",
                    "eval_time": self.at,
                    "exp_samples": [{"labels": "{}", "value": self.count}],
                }
            ],
        }


def fires(
    alert: str,
    words: str,
    series: dict[str, str],
    at: str,
    labels: str = "",
    *,
    interval: str = USUAL,
    pace: str = USUAL,
) -> Case:
    """The alert fires exactly once with these labels."""
    return Case(alert=alert, words=words, series=series, at=at, labels=labels, count=1, interval=interval, pace=pace)


def quiet(
    alert: str,
    words: str,
    series: dict[str, str],
    at: str,
    labels: str = "",
    *,
    interval: str = USUAL,
    pace: str = USUAL,
) -> Case:
    """The alert does not fire with these labels."""
    return Case(alert=alert, words=words, series=series, at=at, labels=labels, count=0, interval=interval, pace=pace)
