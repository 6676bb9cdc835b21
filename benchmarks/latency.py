"""End to end at half load: from a raw alert produced to its incident opened, read committed by a consumer.

First the maximum is measured as in `pipeline` (90 % repeats, catch-up). Then alerts of the same kind come at a steady
half of it, one by one at their due times. Some conditions in between are about machines that nothing relates, so each
opens an incident of its own; those are timed. Both ends are in this process, on its monotonic clock: from the call of
``produce`` (when the alert was due, if that was earlier) to the consumer's hand-over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import orjson
from confluent_kafka import Producer

from benchmarks.alerts import webhook
from benchmarks.broker import Broker, running_broker
from benchmarks.corpus import about_stranger, raw
from benchmarks.pipeline import PARTITIONS, IncompleteError, flood_of, measure
from benchmarks.results import Results, percentile, say, spread
from benchmarks.site import DECIDING_STAGES, RAW_TOPIC, Site, installed
from benchmarks.worker import Worker

MAXIMUM_ALERTS: Final = {"quick": 40_000, "full": 200_000}
SECONDS: Final = {"quick": 10.0, "full": 60.0}
WARM_UP_SHARE: Final = 0.25
OPENERS_PER_SECOND: Final = 100
"""Conditions that open an incident and are timed; part of the rate."""

REPEATS: Final = 0.9
ARRIVE_SECONDS_MAX: Final = 30.0
LOAD: Final = 0.5


@dataclass(slots=True)
class Timed:
    """When each opener was sent and came back, seconds of the monotonic clock, by the machine it is about."""

    sent: dict[str, float] = field(default_factory=dict)
    opened: dict[str, float] = field(default_factory=dict)


def run(results: Results) -> None:
    """The maximum once, then half of it as often as the mode says."""
    rows = []
    with running_broker() as broker:
        say("latency: the maximum")
        maximum = maximum_of(broker, MAXIMUM_ALERTS[results.mode])
        for number in range(results.runs):
            say(f"latency: {maximum * LOAD:.0f} alerts/s for {SECONDS[results.mode]:g} s, run {number + 1}")
            rows.append(once(broker, maximum * LOAD, SECONDS[results.mode]))
    figures = {name: spread([row[name] for row in rows]) for name in ("p50_ms", "p99_ms", "p999_ms", "max_ms")}
    results.add("latency", "half load", maximum=round(maximum), **{**rows[-1], **figures})


def maximum_of(broker: Broker, alerts: int) -> float:
    """Alerts a second that one worker keeps up with."""
    with installed(broker, 500, PARTITIONS) as site, Worker(site.settings, DECIDING_STAGES) as worker:
        worker.wait_ready().wait_idle()
        return float(measure(site, [worker], flood_of(alerts, REPEATS))["per_second"])


def once(broker: Broker, rate: float, seconds: float) -> dict[str, Any]:
    """Percentiles of one run at a steady rate."""
    with installed(broker, 500, PARTITIONS) as site, Worker(site.settings, DECIDING_STAGES) as worker:
        worker.wait_ready().wait_idle()
        timed, stop = Timed(), threading.Event()
        listener = threading.Thread(target=listen, args=(broker, timed, stop))
        listener.start()
        used = worker.cpu_seconds()
        late = send(site, timed, rate, seconds)
        used = worker.cpu_seconds() - used
        wait_arrived(timed)
        stop.set()
        listener.join()
    extra = {"late_ms": round(late * 1_000, 1), "worker_cores": round(used / seconds, 2)}
    return figures(timed, rate, seconds) | extra


def figures(timed: Timed, rate: float, seconds: float) -> dict[str, Any]:
    """Percentiles, the first part left out: caches fill and the broker warms.

    Raises:
        IncompleteError: an incident did not come.
    """
    sent = sorted(timed.sent.items(), key=lambda each: each[1])
    counted = sent[int(len(sent) * WARM_UP_SHARE) :]
    delays = sorted((timed.opened[machine] - at) * 1_000 for machine, at in counted if machine in timed.opened)
    if len(delays) < len(counted):
        raise IncompleteError(f"{len(counted) - len(delays)} of {len(counted)} incidents did not come")
    return {
        "rate": round(rate),
        "seconds": seconds,
        "incidents": len(delays),
        "p50_ms": round(percentile(delays, 0.5), 1),
        "p99_ms": round(percentile(delays, 0.99), 1),
        "p999_ms": round(percentile(delays, 0.999), 1),
        "max_ms": round(delays[-1], 1),
    }


def send(site: Site, timed: Timed, rate: float, seconds: float) -> float:
    """Produce at a steady rate; how late the worst alert left, seconds."""
    producer = Producer({"bootstrap.servers": site.broker.bootstrap, "linger.ms": 0, "partitioner": "murmur2_random"})
    background = background_alerts(int(rate * seconds))
    every = max(2, round(rate / OPENERS_PER_SECOND))
    machines = count()
    late = 0.0
    began = time.monotonic()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        if (wait := due - time.monotonic()) > 0:
            producer.poll(0)
            time.sleep(wait)
        late = max(late, time.monotonic() - due)
        if number % every:
            key, value = next(background)
        else:
            machine = next(machines)
            record = raw(machine, about_stranger(machine), int(time.time() * 1000))
            key, value = f"vm-{machine}", record.value or b""
            timed.sent[key] = due
        producer.produce(RAW_TOPIC, value, key=key)
        producer.poll(0)
    producer.flush(ARRIVE_SECONDS_MAX)
    return late


def background_alerts(alerts: int) -> Iterator[tuple[str, bytes]]:
    """The same mix as in `pipeline`."""
    return ((each.fingerprint, webhook(each.alert)) for each in flood_of(alerts, REPEATS, even=True).make())


def listen(broker: Broker, timed: Timed, stop: threading.Event) -> None:
    """Note when each timed incident is seen opened."""
    consumer = broker.reader("incidents", {"fetch.wait.max.ms": 5, "fetch.error.backoff.ms": 5})
    while not stop.is_set():
        for message in consumer.consume(500, timeout=0.005):
            at = time.monotonic()
            if message.error() is None and (machine := machine_of(message.value() or b"")):
                timed.opened.setdefault(machine, at)
    consumer.close()


def machine_of(value: bytes) -> str | None:
    """The unrelated machine whose incident an event opens, if it does."""
    if b"vm-" not in value:
        return None
    event = orjson.loads(value)
    words = str(event["incident"]["title"]).split() if event["change"] == "opened" else ()
    return next((word.rstrip(":") for word in words if word.startswith("vm-")), None)


def wait_arrived(timed: Timed) -> None:
    """Wait for the last incidents, in vain if they never come."""
    deadline = time.monotonic() + ARRIVE_SECONDS_MAX
    while len(timed.opened) < len(timed.sent) and time.monotonic() < deadline:
        time.sleep(0.05)
