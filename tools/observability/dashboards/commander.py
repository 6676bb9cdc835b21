"""The incident commander's dashboard: what is open, whose clock runs out, is everybody told."""

from __future__ import annotations

from typing import Final

from tools.observability.dashboards.grafana import Dashboard, Panel, Query, Row

NS: Final = 'namespace=~"$namespace"'

NOW: Final = Row(
    title="Now",
    panels=(
        Panel(
            title="Open P1",
            description="Incidents of the first priority that are not resolved.",
            unit="short",
            kind="stat",
            width=4,
            height=5,
            alarms=1,
            queries=[Query(f'sum(spillway_open_incidents{{{NS},priority="P1"}})', "P1")],
        ),
        Panel(
            title="Major Incidents",
            description="Bridge incidents that are not resolved.",
            unit="short",
            kind="stat",
            width=4,
            height=5,
            alarms=1,
            queries=[Query(f"sum(spillway_open_bridges{{{NS}}})", "open")],
        ),
        Panel(
            title="Clocks at risk",
            description="Open incidents of which a response, update or resolution clock is nearly used up.",
            unit="short",
            kind="stat",
            width=4,
            height=5,
            warns=1,
            runbook="SpillwaySlaAtRisk",
            queries=[Query(f"sum(spillway_incidents_sla_at_risk{{{NS}}})", "at risk")],
        ),
        Panel(
            title="Clocks missed",
            description="Open incidents that have missed a target, and still wait for what it was about.",
            unit="short",
            kind="stat",
            width=4,
            height=5,
            alarms=1,
            runbook="SpillwaySlaBreached",
            queries=[Query(f"sum(spillway_incidents_sla_breached{{{NS}}})", "missed")],
        ),
        Panel(
            title="P1 not delivered",
            description="Age of the oldest news of a P1 that some sink was not told of.",
            unit="s",
            kind="stat",
            width=4,
            height=5,
            warns=30,
            alarms=60,
            runbook="SpillwayUrgentNotDelivered",
            queries=[Query(f"max(spillway_sink_urgent_waiting_seconds{{{NS}}})", "oldest")],
        ),
        Panel(
            title="This page is late by",
            description="Lag of correlate: what is shown here is so old.",
            unit="s",
            kind="stat",
            width=4,
            height=5,
            warns=10,
            alarms=60,
            runbook="SpillwayStageLagging",
            queries=[Query(f'max(spillway_lag_seconds{{{NS},stage="correlate"}})', "lag")],
        ),
    ),
)

INCIDENTS: Final = Row(
    title="Incidents",
    panels=(
        Panel(
            title="Open incidents",
            description="By priority.",
            unit="short",
            stacked=True,
            queries=[Query(f"sum by (priority) (spillway_open_incidents{{{NS}}})", "{{priority}}")],
        ),
        Panel(
            title="Clocks at risk and missed",
            description="Open incidents by priority.",
            unit="short",
            runbook="SpillwaySlaAtRisk",
            queries=[
                Query(f"sum by (priority) (spillway_incidents_sla_at_risk{{{NS}}})", "{{priority}} at risk"),
                Query(f"sum by (priority) (spillway_incidents_sla_breached{{{NS}}})", "{{priority}} missed"),
            ],
        ),
        Panel(
            title="Alerts in an hour that opened incidents, or joined one",
            description="Alerts that were news. Many joined for one opened is a storm that correlation holds together.",
            unit="short",
            stacked=True,
            queries=[
                Query(
                    f'sum by (disposition) (increase(spillway_alerts_total{{{NS},disposition=~"opened|joined"}}[1h]))',
                    "{{disposition}}",
                )
            ],
        ),
        Panel(
            title="Kept quiet",
            description="Episodes that fire and call nobody: suppressed by reason, held as perhaps transient, muted.",
            unit="short",
            queries=[
                Query(f"sum by (reason) (spillway_suppressed_episodes{{{NS}}})", "suppressed: {{reason}}"),
                Query(f"sum(spillway_held_episodes{{{NS}}})", "held"),
                Query(f"sum(spillway_muted_incidents{{{NS}}})", "muted incidents"),
            ],
        ),
        Panel(
            title="Where news waits",
            description="Age of the oldest event that a sink was not told of: its readers do not know yet.",
            unit="s",
            warns=60,
            alarms=600,
            runbook="SpillwaySinkBehind",
            queries=[Query(f"max by (sink) (spillway_sink_oldest_waiting_seconds{{{NS}}})", "{{sink}}")],
        ),
        Panel(
            title="Problems",
            description="What lies behind incidents that come back, by state.",
            unit="short",
            queries=[Query(f"sum by (state) (spillway_problems{{{NS}}})", "{{state}}")],
        ),
    ),
)

MONTH: Final = Row(
    title="Last 30 days",
    panels=(
        Panel(
            title="Targets met",
            description="Share of clocks that were met in time.",
            unit="percentunit",
            below=True,
            warns=0.95,
            alarms=0.9,
            queries=[
                Query(f"avg by (priority, clock) (spillway_sla_adherence_ratio{{{NS}}})", "{{priority}} {{clock}}")
            ],
        ),
        Panel(
            title="Time to acknowledge, median",
            description="From detection.",
            unit="s",
            queries=[
                Query(
                    f'avg by (priority) (spillway_maturity_acknowledge_seconds{{{NS},statistic="median"}})',
                    "{{priority}}",
                )
            ],
        ),
        Panel(
            title="Noise taken away",
            description="1 - incidents / alerts, by domain.",
            unit="percentunit",
            below=True,
            warns=0.8,
            queries=[Query(f"avg by (domain) (spillway_noise_reduction_ratio{{{NS}}})", "{{domain}}")],
        ),
    ),
)

COMMANDER: Final = Dashboard(
    uid="spillway-commander",
    title="Spillway: incident commander",
    description="What is open, whose clock runs out, who was not told. The incidents themselves are in the console.",
    rows=(NOW, INCIDENTS, MONTH),
)
