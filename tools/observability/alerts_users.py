"""Alerts on what users of Spillway notice: decisions late, nobody told, clocks that run out, sources gone quiet."""

from __future__ import annotations

from typing import Final

from tools.observability.model import Alert, Group
from tools.observability.objectives import OBJECTIVES, alerts

OPEN_SECONDS_MAX: Final = 5
URGENT_SECONDS_MAX: Final = 60
"""A P1 that no sink has taken for a minute is a P1 that nobody knows of."""
SINK_SECONDS_MAX: Final = 600
TOLD_SECONDS_MAX: Final = 120
AHEAD_SECONDS_MAX: Final = 60
"""Correlation weighs times in minutes, and nothing comes from the future."""
BEHIND_SECONDS_MAX: Final = 300
"""Less may be the way of the messages: sources that evaluate or send by the minute."""

_SKEW: Final = "max by (namespace, feed) (spillway_feed_clock_skew_seconds)"

USERS: Final = Group(
    name="spillway-users",
    rules=(
        *(each for objective in OBJECTIVES for each in alerts(objective)),
        Alert(
            name="SpillwayIncidentsOpenLate",
            severity="critical",
            hold="5m",
            expression=f"namespace:spillway_incident_open_seconds:p99_rate5m > {OPEN_SECONDS_MAX}",
            summary="Incidents open late in {{ $labels.namespace }}: p99 {{ $value | humanizeDuration }}",
            description=f"One new incident in a hundred takes more than {OPEN_SECONDS_MAX} s from its first alert. "
            "People are called that much later.",
        ),
        Alert(
            name="SpillwayUrgentNotDelivered",
            severity="critical",
            hold="1m",
            expression=f"max by (namespace, sink) (spillway_sink_urgent_waiting_seconds) > {URGENT_SECONDS_MAX}",
            summary="{{ $labels.sink }} was not told of a P1 for {{ $value | humanizeDuration }}",
            description="News of an incident of the first priority waits for this sink. Who is reached by it alone "
            "does not know yet: call them by hand.",
        ),
        Alert(
            name="SpillwaySinkDown",
            severity="warning",
            hold="5m",
            expression="max by (namespace, sink) (spillway_sink_breaker) == 1",
            summary="Sink {{ $labels.sink }} of {{ $labels.namespace }} is down",
            description="It does not answer, or refuses our credential. Nothing is lost and no retry is used up; those "
            "who are reached by it alone hear nothing meanwhile.",
        ),
        Alert(
            name="SpillwaySinkBehind",
            severity="warning",
            hold="10m",
            expression=f"max by (namespace, sink) (spillway_sink_oldest_waiting_seconds) > {SINK_SECONDS_MAX}",
            summary="Sink {{ $labels.sink }} is {{ $value | humanizeDuration }} behind",
            description="Tickets, pages or messages there show an older state of incidents than the console does.",
        ),
        Alert(
            name="SpillwayAnnouncementsLate",
            severity="warning",
            hold="15m",
            expression=f"namespace_sink:spillway_sink_told_seconds:p99_rate15m > {TOLD_SECONDS_MAX}",
            summary="Sink {{ $labels.sink }} is told late: p99 {{ $value | humanizeDuration }}",
            description="The sink takes what it is told, but long after it happened: it is slow, limits us, or has "
            "more to take than its rate allows.",
        ),
        Alert(
            name="SpillwayDeliveriesParked",
            severity="warning",
            hold="5m",
            expression="sum by (namespace, sink) (spillway_deliveries_parked) > 0",
            summary="{{ $value }} deliveries to {{ $labels.sink }} were given up",
            description="The sink refused them as wrong, or failed for a day. Its records of these incidents stay as "
            "they are until somebody has the deliveries sent again.",
        ),
        Alert(
            name="SpillwaySlaAtRisk",
            severity="warning",
            hold="2m",
            expression='sum by (namespace, priority) (spillway_incidents_sla_at_risk{priority=~"P1|P2"}) > 0',
            summary="{{ $value }} {{ $labels.priority }} incidents are about to miss a target",
            description="A response, update or resolution clock has used up a share of its target that people are "
            "warned of. For the incident manager, not for the platform team.",
        ),
        Alert(
            name="SpillwaySlaBreached",
            severity="warning",
            hold="1m",
            expression='sum by (namespace, priority) (spillway_incidents_sla_breached{priority=~"P1|P2"}) > 0',
            summary="{{ $value }} {{ $labels.priority }} incidents have missed a target",
            description="A clock ran out and what it waits for has not happened. For the incident manager.",
        ),
        Alert(
            name="SpillwayFeedSilent",
            severity="warning",
            hold="5m",
            expression="max by (namespace, feed) (spillway_feed_silent) == 1",
            summary="Nothing is heard from feed {{ $labels.feed }}",
            description="A source that should speak does not. What fails there is not noticed. Spillway has opened an "
            "incident about it too; this alert is for the case that it tells nobody.",
        ),
        Alert(
            name="SpillwayFeedClockWrong",
            severity="warning",
            hold="15m",
            expression=f"{_SKEW} > {AHEAD_SECONDS_MAX} or {_SKEW} < -{BEHIND_SECONDS_MAX}",
            summary="The clock of feed {{ $labels.feed }} is off by {{ $value | humanizeDuration }}",
            description="Times that this source tells are wrong, so its alerts are put beside the wrong others, and "
            "timelines and durations are off.",
        ),
        Alert(
            name="SpillwayWatchdog",
            severity="none",
            expression="vector(1)",
            summary="Prometheus evaluates Spillway's rules and Alertmanager is told",
            description="Fires always. Route it to a dead man's switch outside of this cluster, which calls somebody "
            "when it stays away: then Spillway may be down with nobody to say so.",
        ),
    ),
)
