"""Recovery: from the start of a worker to ready with its state, and from a kill -9 to caught up.

Restore: a worker decides so many new episodes, stops, and another one starts: how much longer it takes to be ready
than it takes without state.

Kill: alerts come at a steady rate; the worker is killed and started again at once, as a supervisor would. What is told,
each in seconds from the kill:

- ready: the new process serves all its stages. In it are the start of a Python process with all its imports (as long
  as the start without state above), the wait for the dead one's session where the worker has no name, fencing of its
  open transactions, and restoring.
- first: the first incident that the new process has opened is seen, read committed.
- caught up: alerts open their incidents as promptly as before the kill again. From first to here the new process works
  off what came meanwhile; how long that takes depends on the rate.
"""

from __future__ import annotations

import math
import threading
import time
from typing import Any, Final

from benchmarks.alerts import Flood
from benchmarks.broker import Broker, running_broker
from benchmarks.latency import Timed, listen, send, wait_arrived
from benchmarks.pipeline import PARTITIONS, SERVICES, flood_of, wait_decided
from benchmarks.results import Results, say, summary
from benchmarks.site import DECIDING_STAGES, Site, installed
from benchmarks.worker import Worker, WorkerError, total

EPISODES: Final = {"quick": 30_000, "full": 100_000}
KILL_RATE: Final = 200.0
"""Alerts a second, half of them of incidents that are timed: the question is how long nobody decides."""

KILL_AFTER_SECONDS: Final = 10.0
KILLED: Final = {"kill -9 of a named worker": "worker-0", "kill -9 of a worker without a name": None}
KILL_RUN_SECONDS: Final = {"kill -9 of a named worker": 35.0, "kill -9 of a worker without a name": 60.0}
"""How long alerts come: without a name the session time-out longer, which the broker waits for the dead."""

RESTORE_FIGURES: Final = ("ready_seconds", "empty_seconds", "keys_per_second", "keys_per_cpu_second")
KILL_FIGURES: Final = ("ready_seconds", "first_seconds", "caught_up_seconds")
PROMPT_SECONDS: Final = 1.0
BEFORE_SECONDS_MAX: Final = 2.0
"""A machine that is slower before the kill cannot tell what the kill does."""

WARM_UP_ALERTS: Final = 5_000
REPEATS: Final = 0.9
SETTLED_SECONDS: Final = 3
"""Alerts are prompt for so long before and after."""

DEAD_SECONDS: Final = 1.0
"""What the killed worker has committed is seen by then, and no new process is ready."""

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
                try:
                    kills[name].append(kill(broker, KILL_RUN_SECONDS[name], instance))
                except WorkerError as error:
                    say(f"recovery: this run does not count: {error}")
    results.add("recovery", "restore", **summary(restores, RESTORE_FIGURES))
    for name, rows in kills.items():
        if rows:
            results.add("recovery", name, **summary(rows, KILL_FIGURES))
    if missing := [name for name, rows in kills.items() if not rows]:
        raise WorkerError(f"nothing measured of {', '.join(missing)}; why stands above")


def restore(broker: Broker, episodes: int) -> dict[str, Any]:
    """Start to ready without state, then with the state of so many open episodes."""
    flood = Flood(alerts=episodes, repeats=0.0, services=SERVICES, start_ms=int(time.time() * 1000) - episodes * 10)
    with installed(broker, SERVICES, PARTITIONS) as site:
        with Worker(site.settings, DECIDING_STAGES) as worker:
            worker.wait_ready()  # the brokers make the consumer groups, which the other starts find
        with Worker(site.settings, DECIDING_STAGES) as worker:
            empty, empty_cpu = seconds_to_ready(worker), worker.cpu_seconds()
            site.preload(flood)
            wait_decided([worker], episodes)
            worker.wait_idle()
        with Worker(site.settings, DECIDING_STAGES) as worker:
            full, full_cpu = seconds_to_ready(worker), worker.cpu_seconds()
            keys = round(total([worker.metrics()], "spillway_restore_records_total"))
    return {
        "keys": keys,
        "ready_seconds": round(full, 2),
        "empty_seconds": round(empty, 2),
        "keys_per_second": round(keys / max(RESOLUTION_SECONDS, full - empty)),
        "keys_per_cpu_second": round(keys / max(RESOLUTION_SECONDS, full_cpu - empty_cpu)),
    }


def seconds_to_ready(worker: Worker) -> float:
    """From the start of the process until it serves every stage."""
    worker.wait_ready()
    return worker.ready_at - worker.began


def kill(broker: Broker, seconds: float, instance: str | None) -> dict[str, Any]:
    """Seconds from the kill to each of what the module names.

    Args:
        broker: where.
        seconds: how long alerts come.
        instance: the worker's name, which it keeps over the restart; None for a worker without one.
    """
    with installed(broker, SERVICES, PARTITIONS, instance) as site:
        first = Worker(site.settings, DECIDING_STAGES)
        try:
            first.wait_ready().wait_idle()
            site.preload(flood_of(WARM_UP_ALERTS, REPEATS))
            wait_decided([first], WARM_UP_ALERTS)
            first.wait_idle()
            timed, killed, ready = strike(site, first, seconds)
        finally:
            first.kill()
    if len(timed.opened) < len(timed.sent):
        raise WorkerError(f"{len(timed.sent) - len(timed.opened)} incidents did not come after the kill")
    prompt, caught_up = promptness(timed, killed)
    return {
        "rate": KILL_RATE,
        "ready_seconds": round(ready - killed, 2),
        "first_seconds": round(min(at for at in timed.opened.values() if at > killed + DEAD_SECONDS) - killed, 2),
        "caught_up_seconds": caught_up,
        "prompt_seconds": round(prompt, 2),
        "session_timeout_seconds": site.settings.session_timeout_seconds,
    }


def promptness(timed: Timed, killed: float) -> tuple[float, float]:
    """What counts as prompt (as before the kill), and from the kill to the last late incident before all are, seconds.

    Raises:
        WorkerError: they never are, or were not before: the machine is too slow for the rate.
    """
    slowest: dict[int, float] = {}
    for machine, at in timed.sent.items():
        second = math.floor(at - killed)
        slowest[second] = max(slowest.get(second, 0.0), timed.opened[machine] - at)
    # What was sent in the last second before the kill may have been in the dead one's hands.
    before = max(slowest[second] for second in range(-1 - SETTLED_SECONDS, -1))
    if before > BEFORE_SECONDS_MAX:
        raise WorkerError(f"incidents took {before:.1f} s before the kill: the machine has too much else to do")
    prompt = max(PROMPT_SECONDS, 2 * before)
    for second in range(max(slowest) - SETTLED_SECONDS):
        if all(slowest[later] <= prompt for later in range(second, second + SETTLED_SECONDS)):
            late = [timed.opened[machine] for machine, at in timed.sent.items() if killed <= at < killed + second]
            return prompt, round(max(late, default=killed) - killed, 2)
    raise WorkerError(f"alerts did not open incidents within {prompt:.1f} s again ({before:.1f} s before the kill)")


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
