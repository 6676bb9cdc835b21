"""The operator's dashboard: does it decide in time, does it tell everybody, what is refused."""

from __future__ import annotations

from typing import Final

from tools.observability.dashboards.grafana import Dashboard, Panel, Query, Row
from tools.observability.objectives import OBJECTIVES

NS: Final = 'namespace=~"$namespace"'
STAGE: Final = f'{NS},stage=~"$stage"'


def _left(name: str) -> Query:
    objective = next(each for each in OBJECTIVES if each.name == name)
    return Query(f"1 - max(namespace:spillway_{name}_bad:ratio_rate6h{{{NS}}}) / {objective.budget:.4g}", name)


PROMISES: Final = Row(
    title="Promises",
    panels=(
        Panel(
            title="Error budget left at this rate",
            description="1 - the share of bad events of six hours over what the objective allows. Below 0 the budget "
            "of the month would not last.",
            unit="percentunit",
            kind="stat",
            width=6,
            below=True,
            warns=0.25,
            alarms=0,
            runbook="SpillwayDecisionsLate",
            queries=[_left(each.name) for each in OBJECTIVES],
        ),
        Panel(
            title="Raw alert to incident, p99",
            description="From the raw alert's timestamp to the incident that it opened, committed.",
            unit="s",
            width=6,
            warns=2,
            alarms=5,
            runbook="SpillwayIncidentsOpenLate",
            queries=[
                Query(f"namespace:spillway_incident_open_seconds:p99_rate5m{{{NS}}}", "{{namespace}} p99"),
            ],
        ),
        Panel(
            title="Alerts decided late",
            description="Share of alerts that took more than 5 s. The objective allows one in a thousand.",
            unit="percentunit",
            width=6,
            warns=0.001,
            alarms=0.0144,
            runbook="SpillwayDecisionsLate",
            queries=[Query(f"namespace:spillway_decisions_bad:ratio_rate5m{{{NS}}}", "{{namespace}}")],
        ),
        Panel(
            title="Alerts unaccounted for",
            description="Received - forwarded - decided. Anything but 0 is a defect.",
            unit="short",
            kind="stat",
            width=6,
            alarms=1,
            runbook="SpillwayConservationBroken",
            queries=[Query(f"sum(abs(spillway_conservation_remainder{{{NS}}}))", "remainder")],
        ),
    ),
)

FLOW: Final = Row(
    title="Flow, by stage",
    panels=(
        Panel(
            title="Records handled",
            description="Rate of each stage. Dedupe should see what ingest writes; correlate a tenth of it or less.",
            unit="ops",
            queries=[Query(f"sum by (stage) (namespace_stage:spillway_records:rate5m{{{STAGE}}})", "{{stage}}")],
        ),
        Panel(
            title="Lag in seconds",
            description="Age of the oldest record that waits. A stage with no work is at 0.",
            unit="s",
            warns=60,
            alarms=300,
            runbook="SpillwayStageLagging",
            queries=[Query(f"max by (stage) (namespace_stage:spillway_lag_seconds:max{{{STAGE}}})", "{{stage}}")],
        ),
        Panel(
            title="Transaction, p99",
            description="Deciding and committing one batch. What is slow here is slow for each record of the batch.",
            unit="s",
            warns=1,
            alarms=5,
            runbook="SpillwayStageLagging",
            queries=[
                Query(
                    f"max by (stage) (namespace_stage:spillway_transaction_seconds:p99_rate5m{{{STAGE}}})", "{{stage}}"
                )
            ],
        ),
        Panel(
            title="Records that wait",
            description="By topic: on the broker and in the process.",
            unit="short",
            queries=[Query(f"sum by (stage, topic) (spillway_lag_records{{{STAGE}}}) > 0", "{{stage}} {{topic}}")],
        ),
        Panel(
            title="Refused records",
            description="To the dead letter, by stage and reason. A new reason is a source that changed its shape.",
            unit="ops",
            runbook="SpillwayDeadLettersRising",
            queries=[
                Query(
                    f"sum by (stage, reason) (namespace_stage_reason:spillway_dead_letters:rate15m{{{STAGE}}}) > 0",
                    "{{stage}} {{reason}}",
                )
            ],
        ),
        Panel(
            title="What became of alerts",
            description="By disposition. The sum is what came in; a jump of `held` or `suppressed` is worth a look.",
            unit="ops",
            stacked=True,
            queries=[Query(f"sum by (disposition) (rate(spillway_alerts_total{{{NS}}}[5m]))", "{{disposition}}")],
        ),
    ),
)

FEEDS: Final = Row(
    title="Sources",
    panels=(
        Panel(
            title="Latency by feed, p99",
            description="From the raw record to its decision. One feed alone that is late has a clock that is wrong.",
            unit="s",
            width=12,
            warns=2.5,
            alarms=5,
            runbook="SpillwayDecisionsLate",
            queries=[
                Query(
                    f"topk(10, max by (feed) (namespace_feed:spillway_end_to_end_seconds:p99_rate5m{{{NS}}}))",
                    "{{feed}}",
                )
            ],
        ),
        Panel(
            title="Decided alerts by feed",
            description="The ten loudest.",
            unit="ops",
            width=12,
            stacked=True,
            queries=[
                Query(f"topk(10, sum by (feed) (rate(spillway_end_to_end_seconds_count{{{NS}}}[5m])))", "{{feed}}")
            ],
        ),
        Panel(
            title="Seconds since a feed spoke",
            description="Of feeds with `expect`. One that should speak and does not is an incident of its own.",
            unit="s",
            width=12,
            runbook="SpillwayFeedSilent",
            queries=[
                Query(
                    f"topk(10, time() - max by (feed) (spillway_feed_last_seen_timestamp_seconds{{{NS}}}))",
                    "{{feed}}",
                )
            ],
        ),
        Panel(
            title="Clock of each feed",
            description="By how much the times that a source tells are off the brokers' clock; the ten worst.",
            unit="s",
            width=12,
            warns=10,
            alarms=60,
            runbook="SpillwayFeedClockWrong",
            queries=[Query(f"topk(10, max by (feed) (abs(spillway_feed_clock_skew_seconds{{{NS}}})))", "{{feed}}")],
        ),
        Panel(
            title="Gateway: requests",
            description="By status. 4xx: a source is refused; 5xx: we fail.",
            unit="reqps",
            runbook="SpillwayGatewayErrors",
            queries=[Query(f"sum by (code) (rate(spillway_gateway_requests_total{{{NS}}}[5m]))", "{{code}}")],
        ),
        Panel(
            title="Gateway: answer, p99",
            description="From the end of the headers to the answer, which waits for all in-sync brokers.",
            unit="s",
            warns=0.5,
            alarms=1,
            runbook="SpillwayGatewaySlow",
            queries=[
                Query(
                    "histogram_quantile(0.99, sum by (le, namespace) "
                    f"(rate(spillway_gateway_request_seconds_bucket{{{NS}}}[5m])))",
                    "{{namespace}}",
                )
            ],
        ),
        Panel(
            title="Gateway: refused, by feed",
            description="Why requests were not taken.",
            unit="reqps",
            runbook="SpillwayGatewayRefusing",
            queries=[
                Query(
                    f"topk(10, sum by (feed, reason) (rate(spillway_gateway_refused_total{{{NS}}}[5m])) > 0)",
                    "{{feed}} {{reason}}",
                )
            ],
        ),
    ),
)

SINKS: Final = Row(
    title="Sinks",
    panels=(
        Panel(
            title="Oldest that waits",
            description="Age of the oldest event that a sink was not told of.",
            unit="s",
            warns=60,
            alarms=600,
            runbook="SpillwaySinkBehind",
            queries=[Query(f"max by (sink) (spillway_sink_oldest_waiting_seconds{{{NS}}})", "{{sink}}")],
        ),
        Panel(
            title="Attempts that failed",
            description="Share of attempts that were not delivered, by sink.",
            unit="percentunit",
            warns=0.05,
            alarms=0.5,
            runbook="SpillwaySinkDown",
            queries=[
                Query(
                    f'sum by (sink) (rate(spillway_sink_attempts_total{{{NS},outcome!="delivered"}}[15m]))'
                    f" / sum by (sink) (rate(spillway_sink_attempts_total{{{NS}}}[15m]))",
                    "{{sink}}",
                )
            ],
        ),
        Panel(
            title="Sinks that are down",
            description="1: left alone; 0.5: one attempt asks whether it is back.",
            unit="none",
            kind="bargauge",
            warns=0.5,
            alarms=1,
            runbook="SpillwaySinkDown",
            queries=[Query(f"max by (sink) (spillway_sink_breaker{{{NS}}})", "{{sink}}")],
        ),
        Panel(
            title="Told, p99",
            description="From the event on an incident to the sink's yes.",
            unit="s",
            warns=30,
            alarms=120,
            runbook="SpillwayAnnouncementsLate",
            queries=[
                Query(f"max by (sink) (namespace_sink:spillway_sink_told_seconds:p99_rate15m{{{NS}}})", "{{sink}}")
            ],
        ),
        Panel(
            title="Waiting and given up",
            description="Deliveries that wait for their sink, and those that were given up until somebody retries.",
            unit="short",
            runbook="SpillwayDeliveriesParked",
            queries=[
                Query(f"sum by (sink) (spillway_deliveries_waiting{{{NS}}})", "{{sink}} waiting"),
                Query(f"sum by (sink) (spillway_deliveries_parked{{{NS}}}) > 0", "{{sink}} given up"),
            ],
        ),
        Panel(
            title="P1 not delivered",
            description="Age of the oldest news of a P1 that a sink was not told of.",
            unit="s",
            kind="stat",
            warns=30,
            alarms=60,
            runbook="SpillwayUrgentNotDelivered",
            queries=[Query(f"max by (sink) (spillway_sink_urgent_waiting_seconds{{{NS}}})", "{{sink}}")],
        ),
    ),
)

OPERATOR: Final = Dashboard(
    uid="spillway-operator",
    title="Spillway: operator",
    description="Whether it decides in time and tells everybody. From the top: promises, flow, sources, sinks.",
    variables={"stage": "spillway_records_total"},
    rows=(PROMISES, FLOW, FEEDS, SINKS),
)
