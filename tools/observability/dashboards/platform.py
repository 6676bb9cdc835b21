"""The platform team's dashboard: processes, partitions, state, resources, configuration."""

from __future__ import annotations

from typing import Final

from tools.observability.dashboards.grafana import Dashboard, Panel, Query, Row

NS: Final = 'namespace=~"$namespace"'
OURS: Final = "and on (job, instance) spillway_build_info"

PROCESSES: Final = Row(
    title="Processes",
    panels=(
        Panel(
            title="Releases",
            description="Processes by release and kind. Two releases for longer than an upgrade takes is a stuck one.",
            unit="short",
            kind="table",
            queries=[Query(f"count by (namespace, component, version) (spillway_build_info{{{NS}}})")],
        ),
        Panel(
            title="Restarts in half an hour",
            description="Starts of each process.",
            unit="short",
            warns=1,
            alarms=3,
            runbook="SpillwayCrashLooping",
            queries=[Query(f"changes(process_start_time_seconds{{{NS}}}[30m]) {OURS}", "{{instance}}")],
        ),
        Panel(
            title="Memory",
            description="Resident. It follows the state; without more state it should be flat.",
            unit="bytes",
            runbook="SpillwayMemoryGrowing",
            queries=[
                Query(f"namespace_job_instance:process_resident_memory_bytes:max{{{NS}}}", "{{job}} {{instance}}")
            ],
        ),
        Panel(
            title="CPU",
            description="Cores in use. One process uses one, and some more while it commits and restores.",
            unit="none",
            warns=0.8,
            queries=[Query(f"rate(process_cpu_seconds_total{{{NS}}}[5m]) {OURS}", "{{job}} {{instance}}")],
        ),
        Panel(
            title="File handles",
            description="Share of what the process may open.",
            unit="percentunit",
            warns=0.5,
            alarms=0.8,
            runbook="SpillwayFileHandlesRunningOut",
            queries=[Query(f"process_open_fds{{{NS}}} / process_max_fds{{{NS}}} {OURS}", "{{job}} {{instance}}")],
        ),
        Panel(
            title="Scrapes that fail",
            description="Targets of jobs that have had a Spillway process within a day.",
            unit="short",
            kind="stat",
            alarms=1,
            runbook="SpillwayTargetDown",
            queries=[Query("count(up == 0 and on (job) last_over_time(spillway_build_info[1d])) or vector(0)", "down")],
        ),
    ),
)

PARTITIONS: Final = Row(
    title="Partitions and state",
    panels=(
        Panel(
            title="Partitions served by nobody",
            description="What the input has, less what all processes serve.",
            unit="short",
            alarms=1,
            runbook="SpillwayPartitionsUnserved",
            queries=[
                Query(
                    f"namespace_stage:spillway_partitions:max{{{NS}}}"
                    f" - namespace_stage:spillway_partitions_serving:sum{{{NS}}}",
                    "{{namespace}} {{stage}}",
                )
            ],
        ),
        Panel(
            title="Partitions by process",
            description="Whose they are. Uneven for long: the processes of a stage are not alike.",
            unit="short",
            queries=[Query(f"spillway_partitions_assigned{{{NS}}}", "{{stage}} {{instance}}")],
        ),
        Panel(
            title="Rebalances in an hour",
            description="Times that partitions were given out anew. Each pauses a stage for a moment.",
            unit="short",
            warns=10,
            queries=[
                Query(f"sum by (namespace, stage) (increase(spillway_rebalances_total{{{NS}}}[1h]))", "{{stage}}")
            ],
        ),
        Panel(
            title="State",
            description="Entries in memory, by kind. What grows and never falls opens and never ends.",
            unit="short",
            runbook="SpillwayStateGrowing",
            queries=[Query(f"sum by (kind) (namespace_kind:spillway_state_entries:sum{{{NS}}})", "{{kind}}")],
        ),
        Panel(
            title="Changelog written",
            description="Bytes a second, before compression: what the brokers store of state.",
            unit="bytes",
            queries=[Query(f"sum by (stage) (rate(spillway_changelog_bytes_total{{{NS}}}[5m]))", "{{stage}}")],
        ),
        Panel(
            title="Last restore",
            description="How long a partition took to get its state back.",
            unit="s",
            warns=30,
            alarms=120,
            runbook="SpillwayRestoreSlow",
            queries=[Query(f"max by (stage) (spillway_restore_seconds{{{NS}}})", "{{stage}}")],
        ),
        Panel(
            title="Transactions",
            description="Batches by outcome. Skipped ones come after a rebalance; failed ones end the process.",
            unit="ops",
            queries=[
                Query(
                    f"sum by (stage, outcome) (rate(spillway_transactions_total{{{NS}}}[5m])) > 0",
                    "{{stage}} {{outcome}}",
                )
            ],
        ),
    ),
)

CONFIGURATION: Final = Row(
    title="Configuration, console, shadow",
    panels=(
        Panel(
            title="Configurations in force",
            description="Processes by the version that they have loaded. More than one: somebody is behind.",
            unit="short",
            kind="table",
            runbook="SpillwayConfigVersionsDiffer",
            queries=[Query(f"count by (namespace, version) (spillway_config_version{{{NS}}})")],
        ),
        Panel(
            title="Changes of the configuration",
            description="Looks at changed files within an hour, by result.",
            unit="short",
            runbook="SpillwayConfigRefused",
            queries=[Query(f"sum by (result) (increase(spillway_config_reload_total{{{NS}}}[1h]))", "{{result}}")],
        ),
        Panel(
            title="Brokers and store, as gateway and console see them",
            description="1 while they answer.",
            unit="none",
            kind="stat",
            below=True,
            alarms=1,
            runbook="SpillwayConsoleStoreDown",
            queries=[
                Query(f"min(spillway_gateway_kafka_up{{{NS}}})", "gateway: brokers"),
                Query(f"min(spillway_console_kafka_up{{{NS}}})", "console: brokers"),
                Query(f"min(spillway_console_store_up{{{NS}}})", "console: store"),
            ],
        ),
        Panel(
            title="Console: requests",
            description="By status.",
            unit="reqps",
            runbook="SpillwayConsoleErrors",
            queries=[Query(f"sum by (code) (rate(spillway_console_requests_total{{{NS}}}[5m]))", "{{code}}")],
        ),
        Panel(
            title="Console: answer, p99",
            description="By route, the ten slowest.",
            unit="s",
            warns=0.3,
            alarms=1,
            runbook="SpillwayConsoleSlow",
            queries=[
                Query(
                    "topk(10, histogram_quantile(0.99, sum by (le, route) "
                    f"(rate(spillway_console_request_seconds_bucket{{{NS}}}[5m]))))",
                    "{{route}}",
                )
            ],
        ),
        Panel(
            title="Shadow: lag",
            description="How far the run of a planned configuration is behind.",
            unit="s",
            runbook="SpillwayShadowBehind",
            queries=[Query(f"max(spillway_shadow_lag_seconds{{{NS}}})", "lag")],
        ),
    ),
)

PLATFORM: Final = Dashboard(
    uid="spillway-platform",
    title="Spillway: platform",
    description="Processes, partitions, state, resources and configuration of an installation.",
    rows=(PROCESSES, PARTITIONS, CONFIGURATION),
)
