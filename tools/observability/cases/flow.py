"""Cases of `tools.observability.alerts_flow`."""

from __future__ import annotations

from typing import Final

from tools.observability.cases.case import Case, fires, quiet


def _at(stage: str, pod: str = "0") -> str:
    return f'{{namespace="a",stage="{stage}",pod="{stage}-{pod}"}}'


def _refused(values: str, reason: str = "broken_json") -> dict[str, str]:
    return {f'spillway_dead_letters_total{{namespace="a",stage="ingest",reason="{reason}",pod="i-0"}}': values}


def _partitions(*serving: str) -> dict[str, str]:
    found = {f"spillway_partitions{_at('dedupe', str(pod))}": "4x60" for pod in range(len(serving))}
    return found | {f"spillway_partitions_serving{_at('dedupe', str(pod))}": each for pod, each in enumerate(serving)}


CASES: Final[tuple[Case, ...]] = (
    fires(
        "SpillwayStageLagging",
        "two minutes late",
        {f"spillway_lag_seconds{_at('dedupe')}": "120x20"},
        "10m",
        'stage="dedupe",aspect="late",severity="warning"',
    ),
    fires(
        "SpillwayStageLagging",
        "ten minutes late",
        {f"spillway_lag_seconds{_at('correlate')}": "600x20"},
        "10m",
        'stage="correlate",aspect="outage",severity="critical"',
    ),
    quiet(
        "SpillwayStageLagging",
        "a burst is worked off",
        {
            f"spillway_lag_seconds{_at('dedupe')}": "0 90 90 20 0x20",
        },
        "10m",
    ),
    quiet(
        "SpillwayStageLagging",
        "the records store has an alert of its own",
        {
            f"spillway_lag_seconds{_at('record')}": "600x20",
        },
        "10m",
    ),
    fires("SpillwayRecordsStoreBehind", "it is", {f"spillway_lag_seconds{_at('record')}": "600x20"}, "10m"),
    quiet("SpillwayRecordsStoreBehind", "another stage is", {f"spillway_lag_seconds{_at('dedupe')}": "600x20"}, "10m"),
    fires(
        "SpillwayPartitionsUnserved",
        "one of two workers is gone",
        _partitions("2x60", "2x10 stale"),
        "25m",
        'stage="dedupe"',
    ),
    fires(
        "SpillwayPartitionsUnserved",
        "the whole stage is gone",
        {
            f"spillway_partitions{_at('dedupe')}": "4x10 stale",
            f"spillway_partitions_serving{_at('dedupe')}": "4x10 stale",
        },
        "30m",
        'stage="dedupe"',
    ),
    quiet("SpillwayPartitionsUnserved", "a rolling restart", _partitions("2 4x60", "2 0 0 2 2x60"), "30m"),
    fires(
        "SpillwayConservationBroken",
        "two are missing",
        {
            f"spillway_conservation_remainder{_at('correlate')}": "2x10",
        },
        "3m",
        'stage="correlate"',
    ),
    quiet(
        "SpillwayConservationBroken", "none is", {f"spillway_conservation_remainder{_at('correlate')}": "0x10"}, "3m"
    ),
    fires(
        "SpillwayDeadLettersRising",
        "a source has changed its shape",
        _refused("0x120 0+10x30"),
        "145m",
        'stage="ingest",reason="broken_json"',
    ),
    quiet("SpillwayDeadLettersRising", "as many as every day", _refused("0+10x1500"), "1480m", pace="5m"),
    quiet("SpillwayDeadLettersRising", "a single one", _refused("0x120 1x30"), "130m"),
    fires("SpillwayRecordQuarantined", "one", _refused("0x20 1x20", "quarantined"), "25m", 'stage="ingest"'),
    quiet("SpillwayRecordQuarantined", "one two hours ago", _refused("0x20 1x180", "quarantined"), "160m"),
    fires("SpillwayRestoreSlow", "five minutes", {f"spillway_restore_seconds{_at('dedupe')}": "0x5 300x5"}, "8m"),
    quiet("SpillwayRestoreSlow", "five seconds", {f"spillway_restore_seconds{_at('dedupe')}": "0x5 5x5"}, "8m"),
    quiet(
        "SpillwayRestoreSlow",
        "five minutes, two hours ago",
        {f"spillway_restore_seconds{_at('dedupe')}": "0x5 300x120"},
        "124m",
    ),
    fires(
        "SpillwayStateGrowing",
        "three times as much as yesterday",
        {
            'spillway_state_entries{namespace="a",kind="conditions",pod="dedupe-0"}': "40000x20 120000x20",
        },
        "38h",
        'kind="conditions"',
        interval="1h",
        pace="1h",
    ),
    quiet(
        "SpillwayStateGrowing",
        "a small state may double",
        {
            'spillway_state_entries{namespace="a",kind="conditions",pod="dedupe-0"}': "400x20 1200x20",
        },
        "38h",
        interval="1h",
        pace="1h",
    ),
    fires(
        "SpillwayConfigRefused",
        "a fault in a file",
        {
            'spillway_config_reload_total{namespace="a",result="refused",pod="dedupe-0"}': "0 0 1x20",
        },
        "5m",
    ),
    quiet(
        "SpillwayConfigRefused",
        "a change was taken",
        {
            'spillway_config_reload_total{namespace="a",result="loaded",pod="dedupe-0"}': "0 0 1x20",
            'spillway_config_reload_total{namespace="a",result="refused",pod="dedupe-0"}': "0x20",
        },
        "5m",
    ),
    fires(
        "SpillwayConfigPartitionsBehind",
        "for long",
        {
            f"spillway_config_partitions_behind{_at('correlate')}": "2x20",
        },
        "15m",
        'stage="correlate"',
    ),
    quiet(
        "SpillwayConfigPartitionsBehind",
        "for a minute",
        {
            f"spillway_config_partitions_behind{_at('correlate')}": "2 2 0x20",
        },
        "15m",
    ),
    fires(
        "SpillwayConfigVersionsDiffer",
        "one process has another",
        {
            'spillway_config_version{namespace="a",version="v1",pod="dedupe-0"}': "1x30",
            'spillway_config_version{namespace="a",version="v2",pod="dedupe-1"}': "1x30",
        },
        "20m",
    ),
    quiet(
        "SpillwayConfigVersionsDiffer",
        "tenants have different ones",
        {
            'spillway_config_version{namespace="a",version="v1",pod="dedupe-0"}': "1x30",
            'spillway_config_version{namespace="b",version="v2",pod="dedupe-0"}': "1x30",
        },
        "20m",
    ),
    fires("SpillwayTopicsNotRead", "a new one", {f"spillway_topics_not_read{_at('ingest')}": "1x30"}, "20m"),
    quiet("SpillwayTopicsNotRead", "none", {f"spillway_topics_not_read{_at('ingest')}": "0x30"}, "20m"),
    fires(
        "SpillwayRulesFailing",
        "a condition that cannot be evaluated",
        {
            'spillway_correlation_rules_total{namespace="a",rule="network",outcome="failed",pod="c-0"}': "0+1x30",
        },
        "20m",
        'rule="network"',
    ),
    quiet(
        "SpillwayRulesFailing",
        "it matches",
        {
            'spillway_correlation_rules_total{namespace="a",rule="network",outcome="matched",pod="c-0"}': "0+1x30",
        },
        "20m",
    ),
    fires("SpillwayShadowBehind", "an hour", {'spillway_shadow_lag_seconds{namespace="a"}': "3600x30"}, "20m"),
    quiet("SpillwayShadowBehind", "a second", {'spillway_shadow_lag_seconds{namespace="a"}': "1x30"}, "20m"),
)
