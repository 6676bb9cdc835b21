"""Alerts on the flow of records: stages that are late, stand still or lose count; what is refused; configuration."""

from __future__ import annotations

from typing import Final

from tools.observability.model import Alert, Group

LAG_SECONDS_MAX: Final = 60
LAG_SECONDS_OUTAGE: Final = 300
DEAD_LETTERS_MIN: Final = 10
DEAD_LETTERS_FACTOR: Final = 3
RESTORE_SECONDS_MAX: Final = 120
STATE_FACTOR: Final = 2
STATE_ENTRIES_MIN: Final = 50_000

_LAG: Final = "namespace_stage:spillway_lag_seconds:max"
_DEAD: Final = "namespace_stage_reason:spillway_dead_letters:rate15m"
_STATE: Final = "namespace_kind:spillway_state_entries:sum"

FLOW: Final = Group(
    name="spillway-flow",
    rules=(
        Alert(
            name="SpillwayStageLagging",
            aspect="late",
            severity="warning",
            hold="5m",
            expression=f'{_LAG}{{stage!="record"}} > {LAG_SECONDS_MAX}',
            summary="Stage {{ $labels.stage }} is {{ $value | humanizeDuration }} behind",
            description="Records wait longer than a minute for this stage, so all that follows on it is late by as "
            "much.",
        ),
        Alert(
            name="SpillwayStageLagging",
            aspect="outage",
            severity="critical",
            hold="5m",
            expression=f'{_LAG}{{stage!="record"}} > {LAG_SECONDS_OUTAGE}',
            summary="Stage {{ $labels.stage }} is {{ $value | humanizeDuration }} behind",
            description="Incidents open, change and call people minutes late. Nothing is lost.",
        ),
        Alert(
            name="SpillwayRecordsStoreBehind",
            severity="warning",
            hold="5m",
            expression=f'{_LAG}{{stage="record"}} > {LAG_SECONDS_MAX}',
            summary="The records store is {{ $value | humanizeDuration }} behind",
            description="The console, search and reports show an older state. Decisions, calls and tickets go on.",
        ),
        Alert(
            name="SpillwayPartitionsUnserved",
            severity="critical",
            hold="5m",
            expression="(last_over_time(namespace_stage:spillway_partitions:max[1d])"
            " - (namespace_stage:spillway_partitions_serving:sum"
            " or last_over_time(namespace_stage:spillway_partitions:max[1d]) * 0)) > 0",
            summary="{{ $value }} partitions of stage {{ $labels.stage }} are served by nobody",
            description="What falls on them is not decided at all. Lag does not show it: no process has them.",
        ),
        Alert(
            name="SpillwayConservationBroken",
            severity="critical",
            hold="1m",
            expression="sum by (namespace, stage) (spillway_conservation_remainder) != 0",
            summary="{{ $value }} alerts are unaccounted for in stage {{ $labels.stage }}",
            description="Received is not forwarded plus decided: a defect of Spillway. Alerts may have been lost or "
            "counted twice.",
        ),
        Alert(
            name="SpillwayDeadLettersRising",
            severity="warning",
            hold="5m",
            expression=f'{_DEAD}{{reason!="quarantined"}} * 900 > {DEAD_LETTERS_MIN}'
            f" and {_DEAD} > {DEAD_LETTERS_FACTOR} * (avg_over_time({_DEAD}[1d] offset 30m) or {_DEAD} * 0)",
            summary="Stage {{ $labels.stage }} refuses records as {{ $labels.reason }}",
            description="More than usual cannot be processed: a source has changed its shape, or a feed is not "
            "configured. They are kept, but open no incident.",
        ),
        Alert(
            name="SpillwayRecordQuarantined",
            severity="warning",
            expression="sum by (namespace, stage) "
            '(increase(spillway_dead_letters_total{reason="quarantined"}[1h])) > 0',
            summary="Stage {{ $labels.stage }} has set a record aside that crashed it",
            description="A record ended three processes in a row and went to the dead letter: a defect of ours or of "
            "an adapter. The partition goes on.",
        ),
        Alert(
            name="SpillwayRestoreSlow",
            severity="warning",
            # The series keeps the last restore until the next: an hour of it is enough.
            expression=f"max by (namespace, stage) (spillway_restore_seconds > {RESTORE_SECONDS_MAX}"
            " and changes(spillway_restore_seconds[1h]) > 0)",
            summary="A restore of stage {{ $labels.stage }} took {{ $value | humanizeDuration }}",
            description="A restart or a node lost means that long without decisions in a partition: more than the "
            "objectives allow.",
        ),
        Alert(
            name="SpillwayStateGrowing",
            severity="warning",
            hold="30m",
            expression=f"{_STATE} > {STATE_ENTRIES_MIN} and {_STATE} > {STATE_FACTOR} * ({_STATE} offset 1d)",
            summary="State of {{ $labels.kind }} has doubled within a day: {{ $value | humanize }}",
            description="Something opens and never ends. Memory, restore time and disk of the brokers grow with it.",
        ),
        Alert(
            name="SpillwayConfigRefused",
            severity="warning",
            expression='sum by (namespace) (increase(spillway_config_reload_total{result="refused"}[15m])) > 0',
            summary="A changed configuration was refused in {{ $labels.namespace }}",
            description="It has a fault, so the one before stays in force: what was changed does not work yet.",
        ),
        Alert(
            name="SpillwayConfigPartitionsBehind",
            severity="warning",
            hold="10m",
            expression="max by (namespace, stage) (spillway_config_partitions_behind) > 0",
            summary="{{ $value }} partitions of {{ $labels.stage }} decide by an old configuration",
            description="Some alerts are decided by the new configuration and others by the one before.",
        ),
        Alert(
            name="SpillwayConfigVersionsDiffer",
            severity="warning",
            hold="15m",
            expression="count by (namespace) (count by (namespace, version) (spillway_config_version)) > 1",
            summary="Processes in {{ $labels.namespace }} have loaded {{ $value }} configurations",
            description="A process does not see the change, or refused it. What is decided depends on where.",
        ),
        Alert(
            name="SpillwayTopicsNotRead",
            severity="warning",
            hold="15m",
            expression="max by (namespace, stage) (spillway_topics_not_read) > 0",
            summary="{{ $value }} raw topics are read by nobody",
            description="A source was added after the start: what it sends waits, and opens no incident.",
        ),
        Alert(
            name="SpillwayRulesFailing",
            severity="warning",
            hold="5m",
            expression="sum by (namespace, rule) (increase(spillway_correlation_rules_total"
            '{outcome=~"failed|full"}[15m])) > 0',
            summary="Correlation rule {{ $labels.rule }} does not work",
            description="Its condition cannot be evaluated, or it has too many groups. Episodes are clustered as if it "
            "were not there.",
        ),
        Alert(
            name="SpillwayShadowBehind",
            severity="info",
            hold="15m",
            expression="max by (namespace) (spillway_shadow_lag_seconds) > 600",
            summary="The shadow is {{ $value | humanizeDuration }} behind",
            description="What it says of a planned configuration is about the past. The pipeline is not concerned.",
        ),
    ),
)
