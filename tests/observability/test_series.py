"""All series keep to Prometheus' conventions, and their number is bounded whatever the alerts say."""

from __future__ import annotations

import re
from typing import Final

import pytest
from prometheus_client import CollectorRegistry

from pipeline.core.step import Effects
from pipeline.flow import STAGES
from pipeline.gateway.metrics import GatewayMetrics
from pipeline.models.decision import Decision, Disposition, Origin, Reason
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.process_metrics import expose_process
from pipeline.sinks.metrics import SinkMetrics
from tools.observability.series import Series, every_series

ALL = pytest.mark.parametrize("series", every_series(), ids=lambda series: series.name)

OURS: Final = re.compile(r"spillway_[a-z0-9]+(_[a-z0-9]+)*")
NOT_BASE: Final = re.compile(
    r"_(ms|millis|milliseconds|minutes|hours|days|kb|kilobytes|mb|megabytes|percent)(_total)?$"
)
# What bounds each label: words of ours, or names in the configuration.
LABELS: Final = frozenset(
    "stage topic disposition reason outcome feed sink what ended result version component rule priority state kind "
    "code route method type by domain statistic clock".split()
)

FEEDS, SINKS, RULES = 200, 50, 500
WORKER_SERIES_MAX: Final = 12_000
"""Of one worker that hosts every stage of a company of `FEEDS` feeds, `SINKS` sinks and `RULES` rules, each in use. A
Prometheus of 2 GiB holds about a hundred times as many."""
GATEWAY_SERIES_MAX: Final = 9_000


@ALL
def test_a_name_is_in_base_units_with_the_suffix_of_its_kind(series: Series) -> None:
    assert OURS.fullmatch(series.name) or series.name.startswith("process_")
    assert not NOT_BASE.search(series.name)
    assert series.name.endswith("_total") == (series.kind == "counter")
    assert not series.name.endswith(("_sum", "_count", "_bucket"))
    if series.kind == "histogram":
        assert series.name.endswith(("_seconds", "_bytes"))


@ALL
def test_the_help_is_a_sentence(series: Series) -> None:
    assert series.meaning.endswith("."), series.meaning
    assert series.meaning[0].isupper() or series.meaning[0].isdigit()


@ALL
def test_every_label_is_one_that_something_bounds(series: Series) -> None:
    assert set(series.labels) <= LABELS


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_has_rate_errors_and_duration_from_its_start(stage: object) -> None:
    name = getattr(stage, "name")  # noqa: B009  # the parameter is an object to pytest
    registry = CollectorRegistry()
    Metrics(registry, [name])
    for series, labels in (
        ("spillway_records_total", {}),
        ("spillway_transactions_total", {"outcome": "failed"}),
        ("spillway_dead_letters_total", {"reason": "quarantined"}),
        ("spillway_transaction_seconds_count", {}),
        ("spillway_lag_seconds", {}),
    ):
        assert registry.get_sample_value(series, {"stage": name, **labels}) == 0


def names(word: str, count: int) -> tuple[str, ...]:
    return tuple(f"{word}-{number}" for number in range(count))


def alert_from(topic: str, key: str) -> Decision:
    return Decision(Origin(topic, 0, 0, 0), Disposition.OPENED, Reason.FIRST_SYMPTOM, 0, key, key, key)


def count(registry: CollectorRegistry) -> int:
    return sum(len(family.samples) for family in registry.collect())


def worker(registry: CollectorRegistry) -> Metrics:
    feeds, sinks = names("feed", FEEDS), names("sink", SINKS)
    expose_process(registry, "worker")
    metrics = Metrics(registry, [stage.name for stage in STAGES], feeds=feeds)
    SinkMetrics(registry).start(sinks)
    metrics.figures.observe("deliver", {"deliveries_waiting": dict.fromkeys(sinks, 1.0)})
    rules = {(rule, outcome): 1 for rule in names("rule", RULES) for outcome in ("matched", "joined", "held", "opened")}
    decisions = [alert_from(f"alerts.raw.{feed}", "k") for feed in feeds]
    metrics.committed("correlate", 1, Effects(decisions=decisions, rules=rules), 0.1, 1.0)
    return metrics


def test_a_worker_of_a_large_company_has_a_bounded_number_of_series() -> None:
    registry = CollectorRegistry()
    worker(registry)
    assert count(registry) < WORKER_SERIES_MAX


def test_a_gateway_of_a_large_company_has_a_bounded_number_of_series() -> None:
    registry = CollectorRegistry()
    expose_process(registry, "gateway")
    GatewayMetrics(registry, names("feed", FEEDS))
    assert count(registry) < GATEWAY_SERIES_MAX


def test_what_alerts_say_adds_no_series() -> None:
    registry = CollectorRegistry()
    metrics = worker(registry)
    metrics.committed("correlate", 1, Effects([], [alert_from("alerts.raw.unheard-of", "first")]), 0.1, 1.0)
    before = count(registry)
    hostile = [alert_from(f"alerts.raw.made-up-{number}", f"key-{number}\n{{}}") for number in range(1_000)]
    metrics.committed("correlate", 1_000, Effects([], hostile), 0.1, 1.0)
    assert count(registry) == before
