"""Recovery: from the start of a worker to ready with its state, and from a kill -9 to caught up.

Restore: a worker decides so many new episodes, stops, and another one starts: how much longer it takes to be ready
than it takes without state. Kill: alerts come at a steady rate; the worker is killed and started again at once, as a
supervisor would; it has caught up when incidents open again within a second of their alerts, and go on to.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from benchmarks.alerts import Flood
from benchmarks.broker import Broker, running_broker
from benchmarks.latency import Timed, listen, send, wait_arrived
from benchmarks.pipeline import PARTITIONS, SERVICES, wait_decided
from benchmarks.results import Results, say, spread
from benchmarks.site import DECIDING_STAGES, Site, installed
from benchmarks.worker import Worker, WorkerError, total

EPISODES: Final = {"quick": 10_000, "full": 100_000}
KILL_RATE: Final = 500.0
KILL_AFTER_SECONDS: Final = 10.0
KILL_RUN_SECONDS: Final = {"quick": 50.0, "full": 75.0}
"""Longer than the session time-out, which is how long the broker may wait for the dead."""

KILLED: Final = {"kill -9 of a named worker": "worker-0", "kill -9 of a worker without a name": None}
PROMPT_SECONDS: Final = 1.0
RESOLUTION_SECONDS: Final = 0.25
"""Starts differ by as much without any state: a shorter restore gives a lower bound of the rate."""


def run(results: Results) -> None:
    """Restores and kills, in turn."""
    restores: list[dict[str, Any]] = []
    kills: dict[str, list[dict[str, Any]]] = {name: [] for name in KILLED}
    with running_broker() as broker:
        for number in range(results.runs):
            say(f"recovery: restore of {EPISODES[results.mode]} episodes, run {number + 1}")
            restores.append(restore(broker, EPISODES[results.mode]))
            for name, instance in KILLED.items():
                say(f"recovery: {name} at {KILL_RATE:g} alerts/s, run {number + 1}")
                kills[name].append(kill(broker, KILL_RUN_SECONDS[results.mode], instance))
    figures = {name: spread([row[name] for row in restores]) for name in ("seconds", "keys_per_second")}
    results.add("recovery", "restore", **{**restores[-1], **figures})
    for name, rows in kills.items():
        results.add("recovery", name, **{**rows[-1], "seconds": spread([row["seconds"] for row in rows])})


def restore(broker: Broker, episodes: int) -> dict[str, Any]:
    """Start to ready without state, then with the state of so many open episodes."""
    flood = Flood(alerts=episodes, repeats=0.0, services=SERVICES, start_ms=int(time.time() * 1000) - episodes * 10)
    with installed(broker, SERVICES, PARTITIONS) as site:
        with Worker(site.settings, DECIDING_STAGES) as worker:
            empty = seconds_to_ready(worker)
            site.preload(flood)
            wait_decided([worker], episodes)
            worker.wait_idle()
        with Worker(site.settings, DECIDING_STAGES) as worker:
            full = seconds_to_ready(worker)
            keys = round(total([worker.metrics()], "spillway_restore_records_total"))
    return {
        "keys": keys,
        "seconds": round(full, 2),
        "empty_seconds": round(empty, 2),
        "keys_per_second": round(keys / max(RESOLUTION_SECONDS, full - empty)),
    }


def seconds_to_ready(worker: Worker) -> float:
    """From the start of the process until it serves every stage."""
    worker.wait_ready()
    return worker.ready_at - worker.began


def kill(broker: Broker, seconds: float, instance: str | None) -> dict[str, Any]:
    """Seconds from the kill until incidents are prompt again.

    Args:
        broker: where.
        seconds: how long alerts come.
        instance: the worker's name, which it keeps over the restart; None for a worker without one.
    """
    with installed(broker, SERVICES, PARTITIONS, instance) as site:
        first = Worker(site.settings, DECIDING_STAGES)
        try:
            first.wait_ready().wait_idle()
            timed, killed, ready = strike(site, first, seconds)
        finally:
            first.kill()
    late = [timed.opened[machine] for machine, at in timed.sent.items() if _delay(timed, machine, at) > PROMPT_SECONDS]
    after = [at for at in late if at > killed]
    if len(timed.opened) < len(timed.sent):
        raise WorkerError(f"{len(timed.sent) - len(timed.opened)} incidents did not come after the kill")
    return {
        "rate": KILL_RATE,
        "seconds": round(max(after, default=killed) - killed, 2),
        "ready_seconds": round(ready - killed, 2),
        "session_timeout_seconds": site.settings.session_timeout_seconds,
    }


def _delay(timed: Timed, machine: str, at: float) -> float:
    return timed.opened.get(machine, at) - at


def strike(site: Site, first: Worker, seconds: float) -> tuple[Timed, float, float]:
    """Send at a steady rate, kill in the midst of it and start again; when it was killed, and ready again."""
    timed, stop = Timed(), threading.Event()
    sender = threading.Thread(target=send, args=(site, timed, KILL_RATE, seconds))
    listener = threading.Thread(target=listen, args=(site.broker, timed, stop))
    listener.start()
    sender.start()
    time.sleep(KILL_AFTER_SECONDS)
    first.kill()
    killed = time.monotonic()
    with Worker(site.settings, DECIDING_STAGES) as second:
        second.wait_ready()
        sender.join()
        wait_arrived(timed)
        ready = second.ready_at
    stop.set()
    listener.join()
    return timed, killed, ready
