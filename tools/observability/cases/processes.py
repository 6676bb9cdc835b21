"""Cases of `tools.observability.alerts_processes`."""

from __future__ import annotations

from typing import Final

from tools.observability.cases.case import Case, fires, quiet

POD: Final = 'namespace="a",job="a/spillway",instance="10.0.0.7:9464"'
OTHERS: Final = 'namespace="a",job="a/postgres",instance="10.0.0.9:9187"'
BUILD: Final = {f'spillway_build_info{{{POD},version="1.0.0",component="worker"}}': "1x120"}


WATCH: Final = 'namespace="spillway-watch",job="spillway-watch",instance="10.1.0.3:9464"'


def _worker(namespace: str) -> str:
    labels = f'namespace="{namespace}",job="{namespace}/spillway",instance="10.0.0.8:9464"'
    return f'spillway_build_info{{{labels},version="1.0.0",component="worker"}}'


def _answered(code: str, others: str) -> dict[str, str]:
    return {
        f'spillway_gateway_requests_total{{{POD},feed="zabbix",code="{code}"}}': "0+30x60",
        f'spillway_gateway_requests_total{{{POD},feed="zabbix",code="202"}}': others,
    }


def _took(series: str, bucket: str) -> dict[str, str]:
    bounds = ("0.1", "1.0", "2.5", "+Inf")
    reached = bounds[bounds.index(bucket) :]
    return {f'{series}_bucket{{{POD},le="{bound}"}}': "0+60x60" if bound in reached else "0x60" for bound in bounds}


CASES: Final[tuple[Case, ...]] = (
    fires(
        "SpillwayCrashLooping",
        "three starts within half an hour",
        BUILD
        | {
            f"process_start_time_seconds{{{POD}}}": "0 0 120 120 300 300 600 600x20",
        },
        "12m",
    ),
    quiet(
        "SpillwayCrashLooping",
        "one restart",
        BUILD
        | {
            f"process_start_time_seconds{{{POD}}}": "0 0 120x30",
        },
        "12m",
    ),
    quiet(
        "SpillwayCrashLooping",
        "somebody else's process",
        BUILD
        | {
            f"process_start_time_seconds{{{OTHERS}}}": "0 0 120 120 300 300 600 600x20",
        },
        "12m",
    ),
    fires(
        "SpillwayTargetDown",
        "one that was there",
        {
            f'spillway_build_info{{{POD},version="1.0.0",component="worker"}}': "1x5 stale",
            f"up{{{POD}}}": "1x5 0x30",
        },
        "15m",
    ),
    quiet("SpillwayTargetDown", "somebody else's", BUILD | {f"up{{{OTHERS}}}": "0x30", f"up{{{POD}}}": "1x30"}, "15m"),
    fires("SpillwayAbsent", "nothing is scraped", {}, "10m"),
    quiet("SpillwayAbsent", "a worker is there", BUILD, "10m"),
    fires(
        "SpillwayAbsent",
        "one tenant's are gone and another's are there",
        BUILD | {_worker("b"): "1x5 stale"},
        "15m",
        'namespace="b"',
    ),
    quiet(
        "SpillwayAbsent",
        "of the tenant whose workers are there",
        BUILD | {_worker("b"): "1x5 stale"},
        "15m",
        'namespace="a"',
    ),
    fires("SpillwayAbsent", "the only ones are gone: once, and by name", {_worker("b"): "1x5 stale"}, "15m"),
    quiet("SpillwayAbsent", "a pod was replaced", {_worker("a"): "1x5 stale"} | BUILD, "15m"),
    fires(
        "SpillwayProbeFailing",
        "for four minutes",
        {f"spillway_probe_success{{{WATCH}}}": "1 0x10"},
        "5m",
        'namespace="spillway-watch"',
    ),
    quiet("SpillwayProbeFailing", "one was late", {f"spillway_probe_success{{{WATCH}}}": "1 0 1x10"}, "5m"),
    fires(
        "SpillwayFileHandlesRunningOut",
        "nine of ten are open",
        BUILD
        | {
            f"process_open_fds{{{POD}}}": "922x30",
            f"process_max_fds{{{POD}}}": "1024x30",
        },
        "15m",
    ),
    quiet(
        "SpillwayFileHandlesRunningOut",
        "a tenth is open",
        BUILD
        | {
            f"process_open_fds{{{POD}}}": "102x30",
            f"process_max_fds{{{POD}}}": "1024x30",
        },
        "15m",
    ),
    fires(
        "SpillwayMemoryGrowing",
        "a pod of 512 MiB, half as much again as yesterday",
        {
            f'spillway_build_info{{{POD},version="1.0.0",component="worker"}}': "1x40",
            f"process_resident_memory_bytes{{{POD}}}": "250000000x20 400000000x20",
        },
        "38h",
        interval="1h",
        pace="1h",
    ),
    quiet(
        "SpillwayMemoryGrowing",
        "as much as yesterday",
        {
            f'spillway_build_info{{{POD},version="1.0.0",component="worker"}}': "1x40",
            f"process_resident_memory_bytes{{{POD}}}": "1800000000x40",
        },
        "38h",
        interval="1h",
        pace="1h",
    ),
    fires("SpillwayGatewayKafkaDown", "for three minutes", {f"spillway_gateway_kafka_up{{{POD}}}": "1 0x10"}, "5m"),
    quiet("SpillwayGatewayKafkaDown", "for a moment", {f"spillway_gateway_kafka_up{{{POD}}}": "1 0 1x10"}, "5m"),
    fires("SpillwayGatewaySlow", "two seconds", _took("spillway_gateway_request_seconds", "2.5"), "30m"),
    quiet("SpillwayGatewaySlow", "a tenth of a second", _took("spillway_gateway_request_seconds", "0.1"), "30m"),
    fires("SpillwayGatewayRefusing", "half of a feed", _answered("401", "0+30x60"), "30m", 'feed="zabbix"'),
    quiet("SpillwayGatewayRefusing", "one in a hundred", _answered("401", "0+3000x60"), "30m"),
    fires("SpillwayConsoleSlow", "two seconds", _took("spillway_console_request_seconds", "2.5"), "30m"),
    quiet("SpillwayConsoleSlow", "a tenth of a second", _took("spillway_console_request_seconds", "0.1"), "30m"),
    fires("SpillwayConsoleStoreDown", "for three minutes", {f"spillway_console_store_up{{{POD}}}": "1 0x10"}, "5m"),
    quiet("SpillwayConsoleStoreDown", "it is up", {f"spillway_console_store_up{{{POD}}}": "1x10"}, "5m"),
    fires("SpillwayConsoleKafkaDown", "for three minutes", {f"spillway_console_kafka_up{{{POD}}}": "1 0x10"}, "5m"),
    quiet("SpillwayConsoleKafkaDown", "it is up", {f"spillway_console_kafka_up{{{POD}}}": "1x10"}, "5m"),
    fires("SpillwayAccessLogLost", "one entry", {f"spillway_access_log_lost_total{{{POD}}}": "0 0 1x10"}, "6m"),
    quiet("SpillwayAccessLogLost", "none", {f"spillway_access_log_lost_total{{{POD}}}": "0x10"}, "6m"),
)
