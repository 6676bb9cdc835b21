"""The maturity series of the console: of the last days, by domain and priority, bounded, and never half counted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry
from sqlalchemy.exc import SQLAlchemyError

from pipeline.console.context import Context
from pipeline.console.maturity import DAYS, GROUPS_EXPOSED_MAX, MaturityMetrics, refresh
from pipeline.models.policy import Config
from pipeline.records.address import async_engine_of
from pipeline.records.analytics.figures import Adherence, By, Figures, Maturity, Spread
from pipeline.records.analytics.periods import ALL_TIME
from pipeline.settings import Settings
from tests.console.sent import Sent

NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)


def counted(url: str, company: Config, now: datetime, registry: CollectorRegistry, metrics: MaturityMetrics) -> None:
    """Count once, as the process does every minute."""

    async def once() -> None:
        engine = async_engine_of(url, 1)
        clock = round(now.timestamp() * 1_000)
        context = Context(Settings(records_url=url), company, engine, Sent(), now_ms=lambda: clock)
        try:
            await refresh(context, metrics)
        finally:
            await engine.dispose()

    asyncio.run(once())


def test_series_are_of_the_last_days_by_domain_and_priority(stories: str, company: Config) -> None:
    registry = CollectorRegistry()
    metrics = MaturityMetrics(registry)
    counted(stories, company, NOON, registry, metrics)
    hospital = {"domain": "hospital", "priority": "P1"}

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"spillway_{name}", hospital | labels)

    assert value("maturity_incidents") == 1
    assert value("maturity_acknowledge_seconds", statistic="median") == 540
    assert value("maturity_resolve_seconds", statistic="mean") == 1_200
    assert value("sla_adherence_ratio", clock="response") == 0
    assert value("sla_adherence_ratio", clock="resolution") == 1
    assert value("maturity_escalations", by="machine") == 2, "the second level and the third"
    assert registry.get_sample_value("spillway_noise_reduction_ratio", {"domain": "retail"}) == 0.9902
    assert registry.get_sample_value("spillway_maturity_counted_timestamp_seconds") == NOON.timestamp()
    unresolved = {"domain": "workplace", "priority": "P4", "statistic": "median"}
    assert registry.get_sample_value("spillway_maturity_resolve_seconds", unresolved) is None, "nothing is no 0"

    counted(stories, company, NOON + timedelta(days=DAYS), registry, metrics)
    assert value("maturity_incidents") is None, "what is longer ago has no series any more"


def test_while_the_store_is_away_the_series_stay_and_their_time_tells(stories: str, company: Config) -> None:
    registry = CollectorRegistry()
    metrics = MaturityMetrics(registry)
    counted(stories, company, NOON, registry, metrics)
    try:
        counted("postgresql://nobody@127.0.0.1:1/none", company, NOON + timedelta(hours=1), registry, metrics)
    except SQLAlchemyError:
        away = True
    assert away
    assert registry.get_sample_value("spillway_maturity_counted_timestamp_seconds") == NOON.timestamp()
    labels = {"domain": "retail", "priority": "P1"}
    assert registry.get_sample_value("spillway_maturity_incidents", labels) == 1


def test_there_are_no_more_series_than_are_bounded() -> None:
    registry = CollectorRegistry()
    metrics = MaturityMetrics(registry)
    groups = [_group(number) for number in range(GROUPS_EXPOSED_MAX + 7)]
    metrics.show(Maturity(ALL_TIME, (By.DOMAIN, By.PRIORITY), groups[0], groups), [], 0)
    (family,) = [each for each in registry.collect() if each.name == "spillway_maturity_incidents"]
    assert len(family.samples) == GROUPS_EXPOSED_MAX
    assert min(each.value for each in family.samples) == 7, "those with the fewest incidents are left out"
    assert registry.get_sample_value("spillway_maturity_groups_left_out") == 7


def _group(number: int) -> Figures:
    numbers = {name: 0 for name, kind in Figures.__annotations__.items() if kind == "int"}
    spreads = {name: Spread() for name, kind in Figures.__annotations__.items() if kind == "Spread"}
    group = {"domain": f"domain-{number}", "priority": "P1", "priority_rank": 0}
    clocks = {"response": Adherence(), "resolution": Adherence()}
    figures: dict[str, object] = {**numbers, **spreads, **clocks, "group": group, "label": "", "domains": []}
    return Figures(**(figures | {"incidents": number, "repeat_ratio": None}))  # type: ignore[arg-type]  # by name
