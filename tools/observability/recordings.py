"""Recording rules: what alerts and dashboards ask again and again."""

from __future__ import annotations

from typing import Final

from tools.observability.model import Group, Recording
from tools.observability.objectives import OBJECTIVES, recordings


def _quantile(quantile: str, series: str, level: str, window: str = "5m") -> str:
    by = ", ".join(("le", *level.split("_")))
    return f"histogram_quantile({quantile}, sum by ({by}) (rate({series}_bucket[{window}])))"


def _rate(series: str, level: str, window: str) -> str:
    return f"sum by ({', '.join(level.split('_'))}) (rate({series}_total[{window}]))"


FLOW: Final = Group(
    name="spillway-recordings",
    rules=(
        Recording(
            name="namespace_stage:spillway_records:rate5m",
            expression=_rate("spillway_records", "namespace_stage", "5m"),
        ),
        Recording(
            name="namespace_stage:spillway_transaction_seconds:p99_rate5m",
            expression=_quantile("0.99", "spillway_transaction_seconds", "namespace_stage"),
        ),
        Recording(
            name="namespace_stage:spillway_lag_seconds:max",
            expression="max by (namespace, stage) (spillway_lag_seconds)",
        ),
        Recording(
            name="namespace_stage:spillway_partitions:max",
            expression="max by (namespace, stage) (spillway_partitions)",
        ),
        Recording(
            name="namespace_stage:spillway_partitions_serving:sum",
            expression="sum by (namespace, stage) (spillway_partitions_serving)",
        ),
        Recording(
            name="namespace_stage_reason:spillway_dead_letters:rate15m",
            expression=_rate("spillway_dead_letters", "namespace_stage_reason", "15m"),
        ),
        Recording(
            name="namespace_feed:spillway_end_to_end_seconds:p99_rate5m",
            expression=_quantile("0.99", "spillway_end_to_end_seconds", "namespace_feed"),
        ),
        Recording(
            name="namespace:spillway_incident_open_seconds:p99_rate5m",
            expression=_quantile("0.99", "spillway_incident_open_seconds", "namespace"),
        ),
        Recording(
            name="namespace_sink:spillway_sink_told_seconds:p99_rate15m",
            expression=_quantile("0.99", "spillway_sink_told_seconds", "namespace_sink", "15m"),
        ),
        Recording(
            name="namespace_kind:spillway_state_entries:sum",
            expression="sum by (namespace, kind) (spillway_state_entries)",
        ),
        Recording(
            name="namespace_job_instance:process_resident_memory_bytes:max",
            expression="max by (namespace, job, instance) (process_resident_memory_bytes)"
            " and on (job, instance) spillway_build_info",
        ),
    ),
)

OBJECTIVE_RATIOS: Final = Group(
    name="spillway-objectives",
    rules=tuple(each for objective in OBJECTIVES for each in recordings(objective)),
)
