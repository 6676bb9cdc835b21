"""The whole pipeline, raw topic to `incidents`: alerts a second and alerts per CPU-second, by share of repeats.

One process hosts ingest, dedupe, correlate and bridge, as ``spillway run`` does. It is ready and idle when the alerts
appear, all at once (they are written in one Kafka transaction): catch-up throughput. Wall time ends when every alert
is decided; CPU time when the process is idle again, so that what follows from the decisions is paid for too.
"""

from __future__ import annotations

import time
from typing import Any, Final

from benchmarks.alerts import STEP_MS, Flood
from benchmarks.broker import Broker, running_broker
from benchmarks.machine import memory_peak_bytes
from benchmarks.results import BenchmarkError, Results, costs, say, summary
from benchmarks.site import DECIDING_STAGES, Site, installed
from benchmarks.worker import Worker, total

REPEATS: Final = (0.9, 0.5, 0.0)
PARTITIONS: Final = 8
SERVICES: Final = 500
ALERTS: Final = {"quick": 40_000, "full": 150_000}
WATCH_SECONDS: Final = 0.2
CATCH_UP_SECONDS_MAX: Final = 300.0
_DECIDED: Final = "spillway_alerts_total"


class IncompleteError(BenchmarkError):
    """Alerts were lost, decided twice or not decided at all; the message has the counts."""


def run(results: Results) -> None:
    """Measure every share of repeats, interleaved over the runs."""
    alerts = ALERTS[results.mode]
    rows: dict[float, list[dict[str, Any]]] = {repeats: [] for repeats in REPEATS}
    with running_broker() as broker:
        for number in range(results.runs):
            for repeats in REPEATS:
                say(f"pipeline: {alerts} alerts, {repeats:.0%} repeats, run {number + 1}")
                rows[repeats].append(once(broker, flood_of(alerts, repeats)))
    for repeats, runs in rows.items():
        fixed = {"partitions": PARTITIONS, "services": SERVICES}
        results.add("pipeline", f"{repeats:.0%} repeats", **summary(runs), **fixed)


def flood_of(alerts: int, repeats: float, *, even: bool = False) -> Flood:
    """The stream, beginning now on the sources' clock, as live alerts would; `even` for a steady rate."""
    start_ms = int(time.time() * 1000) - alerts * STEP_MS
    return Flood(alerts=alerts, repeats=repeats, services=SERVICES, start_ms=start_ms, even=even)


def once(broker: Broker, flood: Flood, workers: int = 1, partitions: int = PARTITIONS) -> dict[str, Any]:
    """One catch-up by fresh workers over fresh topics; figures, checked for completeness."""
    with installed(broker, flood.services, partitions) as site:
        started = [Worker(site.settings, DECIDING_STAGES) for _ in range(workers)]
        try:
            for worker in started:
                worker.wait_ready()
                worker.wait_idle()
            return measure(site, started, flood)
        finally:
            for worker in started:
                worker.__exit__(None, None, None)


def measure(site: Site, workers: list[Worker], flood: Flood) -> dict[str, Any]:
    """Preload, watch the workers decide, and count what came of it."""
    site.preload(flood)
    began, used = time.perf_counter(), sum(worker.cpu_seconds() for worker in workers)
    broker_used = site.broker.cpu_seconds()
    wait_decided(workers, flood.alerts)
    seconds = time.perf_counter() - began
    used_by_then = sum(worker.cpu_seconds() for worker in workers) - used + site.broker.cpu_seconds() - broker_used
    busy = sum(worker.wait_idle() for worker in workers) - used
    broker_busy = site.broker.cpu_seconds() - broker_used
    peak = sum(memory_peak_bytes(worker.process) for worker in workers)
    return {
        **costs(flood.alerts, seconds, busy, peak),
        "broker_cpu_seconds": round(broker_busy, 2),
        "cores": round(used_by_then / seconds, 2),
        **verified(site, workers, flood),
    }


def wait_decided(workers: list[Worker], alerts: int) -> None:
    """Return when this many alerts are decided.

    Raises:
        IncompleteError: they are not after `CATCH_UP_SECONDS_MAX`.
    """
    deadline = time.monotonic() + CATCH_UP_SECONDS_MAX
    while (decided := total([worker.metrics() for worker in workers], _DECIDED)) < alerts:
        if time.monotonic() > deadline:
            raise IncompleteError(f"{decided:.0f} of {alerts} alerts decided in {CATCH_UP_SECONDS_MAX:.0f} s")
        time.sleep(WATCH_SECONDS)


def verified(site: Site, workers: list[Worker], flood: Flood) -> dict[str, Any]:
    """What became of the alerts, counted.

    Raises:
        IncompleteError: conservation does not hold, or repeats are not as many as the stream has.
    """
    metrics = [worker.metrics() for worker in workers]
    found = {
        word: round(total(metrics, _DECIDED, f'disposition="{word}"')) for word in ("repeated", "joined", "opened")
    }
    remainder = total(metrics, "spillway_conservation_remainder")
    expected = flood.alerts - flood.news
    if sum(found.values()) != flood.alerts or remainder or found["repeated"] != expected:
        raise IncompleteError(f"of {flood.alerts} alerts, {expected} repeats: {found}, remainder {remainder:g}")
    revisions = site.broker.read("incidents", lambda message: None)
    return {**found, "revisions": revisions}
