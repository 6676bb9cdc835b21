"""Cases of `tools.observability.alerts_users`."""

from __future__ import annotations

from typing import Final

from tools.observability.cases.case import Case, fires, quiet


def _decided(late_a_minute: float, hundred_for: int = 400) -> dict[str, str]:
    """Of 100 alerts a minute so many are late."""
    good = 100 - late_a_minute
    labels = 'namespace="a",feed="zabbix"'
    return {
        f"spillway_end_to_end_seconds_count{{{labels}}}": f"0+100x{hundred_for}",
        f'spillway_end_to_end_seconds_bucket{{{labels},le="5.0"}}': f"0+{good:g}x{hundred_for}",
        f'spillway_end_to_end_seconds_bucket{{{labels},le="+Inf"}}': f"0+100x{hundred_for}",
    }


def _answered(series: str, failed: float, more: str = "") -> dict[str, str]:
    """Of 1,000 requests a minute so many are failed."""
    return {
        f'{series}{{namespace="a",code="202"{more}}}': f"0+{1000 - failed:g}x400",
        f'{series}{{namespace="a",code="503"{more}}}': f"0+{failed:g}x400",
    }


def _opened(seconds_bucket: str) -> dict[str, str]:
    """An incident a second, opened within this bucket."""
    bounds = ("1.0", "5.0", "10.0", "30.0", "+Inf")
    reached = bounds[bounds.index(seconds_bucket) :]
    series = 'spillway_incident_open_seconds_bucket{namespace="a",feed="zabbix",le="%s"}'
    return {series % bound: "0+60x30" if bound in reached else "0x30" for bound in bounds}


def _told(seconds_bucket: str) -> dict[str, str]:
    bounds = ("10.0", "60.0", "300.0", "900.0", "+Inf")
    reached = bounds[bounds.index(seconds_bucket) :]
    series = 'spillway_sink_told_seconds_bucket{namespace="a",sink="desk",le="%s"}'
    return {series % bound: "0+10x60" if bound in reached else "0x60" for bound in bounds}


DESK: Final = '{namespace="a",sink="desk",pod="deliver-0"}'

CASES: Final[tuple[Case, ...]] = (
    fires("SpillwayDecisionsLate", "2 % late for an hour pages", _decided(2), "70m", 'aspect="fast-burn"'),
    quiet("SpillwayDecisionsLate", "0.05 % late is within the objective", _decided(0.05), "390m", pace="5m"),
    fires(
        "SpillwayDecisionsLate",
        "0.8 % late for hours is a ticket",
        _decided(0.8),
        "390m",
        'aspect="slow-burn"',
        pace="5m",
    ),
    quiet("SpillwayDecisionsLate", "without alerts nothing is late", {}, "70m"),
    quiet(
        "SpillwayDecisionsLate",
        "what was late and is well again for ten minutes does not page",
        {
            'spillway_end_to_end_seconds_count{namespace="a",feed="f"}': "0+100x100",
            'spillway_end_to_end_seconds_bucket{namespace="a",feed="f",le="5.0"}': "0+0x20 100+100x80",
        },
        "35m",
        'aspect="fast-burn"',
    ),
    fires(
        "SpillwayGatewayErrors",
        "2 % failed",
        _answered("spillway_gateway_requests_total", 20, ',feed="zabbix"'),
        "70m",
        'severity="critical"',
    ),
    quiet(
        "SpillwayGatewayErrors",
        "one in ten thousand failed",
        _answered("spillway_gateway_requests_total", 0.1, ',feed="zabbix"'),
        "390m",
        pace="5m",
    ),
    fires(
        "SpillwayConsoleErrors",
        "a tenth failed",
        _answered("spillway_console_requests_total", 100, ',route="/"'),
        "70m",
        'severity="critical"',
    ),
    quiet(
        "SpillwayConsoleErrors",
        "one in a thousand failed",
        _answered("spillway_console_requests_total", 1, ',route="/"'),
        "390m",
        pace="5m",
    ),
    fires("SpillwayIncidentsOpenLate", "all within 10 to 30 s", _opened("30.0"), "15m"),
    quiet("SpillwayIncidentsOpenLate", "all within a second", _opened("1.0"), "15m"),
    fires(
        "SpillwayUrgentNotDelivered",
        "a P1 waits for two minutes",
        {
            f"spillway_sink_urgent_waiting_seconds{DESK}": "0 60 120 180 240",
        },
        "4m",
        'sink="desk",severity="critical"',
    ),
    quiet(
        "SpillwayUrgentNotDelivered",
        "only others wait",
        {
            f"spillway_sink_urgent_waiting_seconds{DESK}": "0x10",
            f"spillway_sink_oldest_waiting_seconds{DESK}": "0+60x10",
        },
        "8m",
    ),
    fires("SpillwaySinkDown", "the breaker is open", {f"spillway_sink_breaker{DESK}": "1x10"}, "7m", 'sink="desk"'),
    quiet("SpillwaySinkDown", "it comes and goes", {f"spillway_sink_breaker{DESK}": "1 0 1 0 1 0 1 0 1 0"}, "9m"),
    fires(
        "SpillwaySinkBehind",
        "the oldest waits for long",
        {
            f"spillway_sink_oldest_waiting_seconds{DESK}": "600+60x20",
        },
        "15m",
        'sink="desk"',
    ),
    quiet(
        "SpillwaySinkBehind",
        "it catches up",
        {
            f"spillway_sink_oldest_waiting_seconds{DESK}": "900 800 700 600 500 400 300x20",
        },
        "15m",
    ),
    fires("SpillwayAnnouncementsLate", "five to fifteen minutes", _told("900.0"), "40m", 'sink="desk"'),
    quiet("SpillwayAnnouncementsLate", "within ten seconds", _told("10.0"), "40m"),
    fires("SpillwayDeliveriesParked", "one given up", {f"spillway_deliveries_parked{DESK}": "1x10"}, "6m"),
    quiet("SpillwayDeliveriesParked", "none", {f"spillway_deliveries_parked{DESK}": "0x10"}, "6m"),
    fires(
        "SpillwaySlaAtRisk",
        "a P2 is at risk",
        {
            'spillway_incidents_sla_at_risk{namespace="a",priority="P2",pod="correlate-0"}': "1x10",
            'spillway_incidents_sla_at_risk{namespace="a",priority="P1",pod="correlate-0"}': "0x10",
        },
        "5m",
        'priority="P2"',
    ),
    quiet(
        "SpillwaySlaAtRisk",
        "a P4 may wait",
        {
            'spillway_incidents_sla_at_risk{namespace="a",priority="P4",pod="correlate-0"}': "3x10",
        },
        "5m",
    ),
    fires(
        "SpillwaySlaBreached",
        "a P1 is late",
        {
            'spillway_incidents_sla_breached{namespace="a",priority="P1",pod="correlate-0"}': "1x10",
        },
        "5m",
        'priority="P1"',
    ),
    quiet(
        "SpillwaySlaBreached",
        "none",
        {
            'spillway_incidents_sla_breached{namespace="a",priority="P1",pod="correlate-0"}': "0x10",
        },
        "5m",
    ),
    fires(
        "SpillwayFeedSilent",
        "one feed is",
        {
            'spillway_feed_silent{namespace="a",feed="zabbix",pod="dedupe-0"}': "0 1x10",
            'spillway_feed_silent{namespace="a",feed="datadog",pod="dedupe-0"}': "0x11",
        },
        "8m",
        'feed="zabbix"',
    ),
    quiet(
        "SpillwayFeedSilent",
        "it speaks again",
        {'spillway_feed_silent{namespace="a",feed="zabbix",pod="dedupe-0"}': "0 1 1 0x10"},
        "8m",
    ),
    fires(
        "SpillwayFeedClockWrong",
        "seven minutes behind",
        {'spillway_feed_clock_skew_seconds{namespace="a",feed="zabbix",pod="dedupe-0"}': "-420x30"},
        "20m",
        'feed="zabbix"',
    ),
    quiet(
        "SpillwayFeedClockWrong",
        "two minutes under way",
        {'spillway_feed_clock_skew_seconds{namespace="a",feed="zabbix",pod="dedupe-0"}': "-120x30"},
        "20m",
    ),
    fires("SpillwayWatchdog", "always", {}, "1m"),
)
