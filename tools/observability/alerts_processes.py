"""Alerts on processes and what they need: restarts, scrapes, brokers, store, files, memory."""

from __future__ import annotations

from typing import Final

from tools.observability.model import Alert, Group

RESTARTS_MAX: Final = 2
FILES_SHARE_MAX: Final = 0.8
MEMORY_FACTOR: Final = 1.5
"""Twice would be past the limit of a pod that used more than half of it."""
MEMORY_BYTES_MIN: Final = 350_000_000
"""More than what any process has that has just begun, and two thirds of the smallest limit of the chart."""
GATEWAY_SECONDS_MAX: Final = 1
CONSOLE_SECONDS_MAX: Final = 1
REFUSED_SHARE_MAX: Final = 0.1

_OURS: Final = "and on (job, instance) spillway_build_info"
_WORKER: Final = 'spillway_build_info{component="worker"}'
_MEMORY: Final = "namespace_job_instance:process_resident_memory_bytes:max"

PROCESSES: Final = Group(
    name="spillway-processes",
    rules=(
        Alert(
            name="SpillwayCrashLooping",
            severity="critical",
            expression=f"changes(process_start_time_seconds[30m]) > {RESTARTS_MAX} {_OURS}",
            summary="{{ $labels.instance }} has restarted {{ $value }} times in half an hour",
            description="It cannot go on. Nothing is lost, but what its partitions should decide waits.",
        ),
        Alert(
            name="SpillwayTargetDown",
            severity="critical",
            hold="3m",
            expression="up == 0 and on (job) last_over_time(spillway_build_info[1d])",
            summary="{{ $labels.instance }} of {{ $labels.job }} cannot be scraped",
            description="The process is gone, hangs, or Prometheus does not reach it: nothing that it does is watched.",
        ),
        Alert(
            name="SpillwayAbsent",
            severity="critical",
            hold="5m",
            # Who was seen within a day is missed by name; who never was cannot be.
            expression=f"(group by (namespace) (last_over_time({_WORKER}[1d])) unless group by (namespace) ({_WORKER}))"
            f" or on () absent({_WORKER})",
            summary="Prometheus sees no worker of Spillway{{ with $labels.namespace }} in {{ . }}{{ end }}",
            description="Either nothing runs and no alert becomes an incident, or nothing is scraped and all other "
            "alerts here are blind.",
        ),
        Alert(
            name="SpillwayProbeFailing",
            severity="critical",
            hold="3m",
            expression="max by (namespace) (spillway_probe_success) == 0",
            summary="No probe gets through Spillway, says the watch in {{ $labels.namespace }}",
            description="A synthetic alert does not reach every stage in time: what sources send may not become an "
            "incident, or nobody may be told.",
        ),
        Alert(
            name="SpillwayFileHandlesRunningOut",
            severity="warning",
            hold="10m",
            expression=f"process_open_fds / process_max_fds > {FILES_SHARE_MAX} {_OURS}",
            summary="{{ $labels.instance }} has {{ $value | humanizePercentage }} of its file handles open",
            description="Without any left it can take no connection and ends.",
        ),
        Alert(
            name="SpillwayMemoryGrowing",
            severity="warning",
            hold="1h",
            expression=f"{_MEMORY} > {MEMORY_BYTES_MIN} and {_MEMORY} > {MEMORY_FACTOR} * ({_MEMORY} offset 1d)",
            summary="{{ $labels.instance }} has half as much memory again as a day ago: {{ $value | humanize1024 }}B",
            description="It will be killed at its limit, and restores its state then. Without more state it is a leak.",
        ),
        Alert(
            name="SpillwayGatewayKafkaDown",
            severity="critical",
            hold="2m",
            expression="min by (namespace) (spillway_gateway_kafka_up) == 0",
            summary="A gateway in {{ $labels.namespace }} reaches no broker",
            description="Its requests are answered 503: sources that do not try again lose what they had to say.",
        ),
        Alert(
            name="SpillwayGatewaySlow",
            severity="warning",
            hold="10m",
            expression="histogram_quantile(0.99, sum by (le, namespace) "
            f"(rate(spillway_gateway_request_seconds_bucket[5m]))) > {GATEWAY_SECONDS_MAX}",
            summary="The gateway answers slowly: p99 {{ $value | humanizeDuration }}",
            description="The brokers take long to confirm. Sources with short timeouts send again or give up.",
        ),
        Alert(
            name="SpillwayGatewayRefusing",
            severity="warning",
            hold="10m",
            expression='sum by (namespace, feed) (rate(spillway_gateway_requests_total{code=~"4.."}[10m]))'
            f" / sum by (namespace, feed) (rate(spillway_gateway_requests_total[10m])) > {REFUSED_SHARE_MAX}",
            summary="The gateway refuses {{ $value | humanizePercentage }} of feed {{ $labels.feed }}",
            description="The source's secret is wrong or old, its messages are too large, or it sends more than its "
            "quota. What is refused is not processed.",
        ),
        Alert(
            name="SpillwayConsoleSlow",
            severity="warning",
            hold="10m",
            expression="histogram_quantile(0.99, sum by (le, namespace) "
            f"(rate(spillway_console_request_seconds_bucket[5m]))) > {CONSOLE_SECONDS_MAX}",
            summary="The console answers slowly: p99 {{ $value | humanizeDuration }}",
            description="People wait for pages while they work on incidents.",
        ),
        Alert(
            name="SpillwayConsoleStoreDown",
            severity="critical",
            hold="2m",
            expression="min by (namespace) (spillway_console_store_up) == 0",
            summary="The console in {{ $labels.namespace }} does not reach the records store",
            description="Nobody sees incidents on the web. Decisions, calls and tickets go on.",
        ),
        Alert(
            name="SpillwayConsoleKafkaDown",
            severity="warning",
            hold="2m",
            expression="min by (namespace) (spillway_console_kafka_up) == 0",
            summary="The console in {{ $labels.namespace }} reaches no broker",
            description="People can read and cannot act: acknowledgements and all other commands are refused.",
        ),
        Alert(
            name="SpillwayAccessLogLost",
            severity="warning",
            expression="sum by (namespace) (increase(spillway_access_log_lost_total[1h])) > 0",
            summary="{{ $value | humanize }} entries of the access log were lost",
            description="Who saw or did what in the console is not on record for them: a gap in the audit.",
        ),
    ),
)
