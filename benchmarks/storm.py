"""A storm: one source sends ten times what the worker can sustain, while others and a few P1 symptoms come as ever.

First the capacity is measured as in `pipeline` (90 % repeats, catch-up). Then a runaway feed sends ten times that,
the same conditions again and again, for as long as the mode says; a well-behaved feed sends at a tenth of capacity.
In both, vital services fail one after another: each opens a P1 incident of its own, and that is timed from the call
of ``produce`` to the incident's record seen read committed. Then everybody falls silent, and the time is taken until
all is decided. Nothing counts unless every alert is decided exactly once.

Senders, broker and worker share the machine, so the worker has less of it in a storm than when its capacity was
measured: what was really offered stands beside it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import yaml

from benchmarks.broker import Broker, running_broker
from benchmarks.latency import maximum_of
from benchmarks.machine import memory_bytes, memory_peak_bytes
from benchmarks.pipeline import PARTITIONS, SERVICES, IncompleteError
from benchmarks.results import Results, percentile, say
from benchmarks.site import DECIDING_STAGES, Site, installed
from benchmarks.storm_load import FEEDS, NORMAL, RUNAWAY, Load, Sender, vital_name
from benchmarks.worker import Worker, total

STORM: Final = 10
"""Times capacity."""

CALIBRATION_ALERTS: Final = {"quick": 10_000, "full": 200_000}
SECONDS: Final = {"quick": 15.0, "full": 300.0}
NORMAL_SHARE: Final = 0.1
RUNAWAY_CONDITIONS: Final = 5_000
NORMAL_CONDITIONS: Final = 1_000
FIRST_NORMAL: Final = 10_000_000
VITAL_PER_SECOND: Final = 2.0
"""Failures of vital services a second, in each feed."""

SAMPLE_SECONDS: Final = 1.0
RECOVERY_SECONDS_MAX: Final = 3_600.0
ANNOUNCED_SECONDS_MAX: Final = 5.0
"""Bar: a P1 incident is on `incidents` within this time."""

_DECIDED: Final = "spillway_alerts_total"
_LAG: Final = "spillway_lag_records"
_AHEAD: Final = "spillway_feed_ahead_records_total"


@dataclass(slots=True)
class Watch:
    """What is seen of a storm while it goes on.

    Attributes:
        opened: number of each vital service -> when its P1 incident was seen, seconds since the epoch.
        samples: once a second: seconds since the begin, records behind by feed and by stage, memory.
    """

    opened: dict[int, float] = field(default_factory=dict)
    samples: list[dict[str, float]] = field(default_factory=list)


def run(results: Results) -> None:
    """Measure capacity, then a storm."""
    with running_broker() as broker:
        say("storm: the capacity")
        capacity = maximum_of(broker, CALIBRATION_ALERTS[results.mode])
        seconds = SECONDS[results.mode]
        say(f"storm: {capacity:.0f} alerts/s are its capacity; {capacity * STORM:.0f} for {seconds:g} s")
        results.add("storm", f"{STORM} times capacity", capacity=round(capacity), **once(broker, capacity, seconds))


def once(broker: Broker, capacity: float, seconds: float) -> dict[str, Any]:
    """One storm and the recovery from it."""
    count = int(VITAL_PER_SECOND * seconds)
    vital = range(count), range(count, 2 * count)
    normal = capacity * NORMAL_SHARE
    loads = (
        Load(RUNAWAY, capacity * STORM, seconds, RUNAWAY_CONDITIONS, SERVICES, vital=vital[0]),
        Load(NORMAL, normal, seconds, NORMAL_CONDITIONS, SERVICES, FIRST_NORMAL, vital[1]),
    )
    with ExitStack() as stack:
        site = stack.enter_context(installed(broker, SERVICES, PARTITIONS, prepare=_prepared(2 * count)))
        worker = stack.enter_context(Worker(site.settings, DECIDING_STAGES))
        senders = [stack.enter_context(Sender(broker.bootstrap, load)) for load in loads]
        worker.wait_ready().wait_idle()
        for sender in senders:
            sender.wait_ready()
        return _measured(site, worker, senders)


def _prepared(vital: int) -> Any:
    """Adds the runaway feed and the vital services to a configuration."""

    def write(directory: Any) -> None:
        (directory / "feeds.yaml").write_text(
            yaml.safe_dump({NORMAL: None, RUNAWAY: {"adapter": "alertmanager", "space": "default"}})
        )
        documents = (
            orjson.dumps(
                {
                    "apiVersion": "backstage.io/v1alpha1",
                    "kind": "Component",
                    "metadata": {"name": vital_name(number), "annotations": {"spillway.dev/tier": "1"}},
                    "spec": {"type": "service", "owner": "platform"},
                }
            ).decode()
            for number in range(vital)
        )
        (directory / "catalog" / "vital.yaml").write_text("\n---\n".join(documents) + "\n")

    return write


def _measured(site: Site, worker: Worker, senders: Sequence[Sender]) -> dict[str, Any]:
    watch, stop = Watch(), threading.Event()
    listener = threading.Thread(target=listen, args=(site.broker, watch, stop))
    listener.start()
    before, used = memory_bytes(worker.process), worker.cpu_seconds()
    began = time.time()
    for sender in senders:
        sender.begin()
    while not all(sender.done() for sender in senders):
        sample(worker, watch, began)
        time.sleep(SAMPLE_SECONDS)
    ended = time.time()
    sent = [sender.sent() for sender in senders]
    offered = sum(sender.load.messages for sender in senders)
    behind = offered - (watch.samples[-1]["decided"] if watch.samples else 0)
    recovered = recover(worker, watch, began, offered)
    used = worker.cpu_seconds() - used
    wait_announced(watch, sent)
    stop.set()
    listener.join()
    return {
        "offered": offered,
        "seconds": round(ended - began, 1),
        "offered_per_second": round(offered / (ended - began)),
        "behind": round(behind),
        "recovery_seconds": round(recovered - ended, 1),
        "handled_per_second": round(offered / (recovered - began)),
        "worker_cpu_seconds": round(used, 1),
        "memory_before_mib": round(before / 2**20),
        "memory_peak_mib": round(memory_peak_bytes(worker.process) / 2**20),
        "went_ahead": round(total([worker.metrics()], _AHEAD)),
        **announced(watch, senders, sent),
        "samples": watch.samples,
    }


def sample(worker: Worker, watch: Watch, began: float) -> None:
    """Note how far behind the worker is, and its memory."""
    try:
        metrics = worker.metrics()
    except OSError:
        return  # a worker that has no time for it now says it at the next look
    row: dict[str, float] = {"at": round(time.time() - began, 1)}
    for feed in FEEDS:
        row[feed] = total([metrics], _LAG, f'topic="alerts.raw.{feed}"')
    for topic in ("alerts", "episodes"):
        row[topic] = total([metrics], _LAG, f'topic="{topic}"')
    row["memory_mib"] = round(memory_bytes(worker.process) / 2**20)
    row["decided"] = total([metrics], _DECIDED)
    watch.samples.append(row)


def recover(worker: Worker, watch: Watch, began: float, offered: int) -> float:
    """Wait until every alert is decided; when that was, seconds since the epoch.

    Raises:
        IncompleteError: it takes too long, or more are decided than there were.
    """
    deadline = time.monotonic() + RECOVERY_SECONDS_MAX
    while True:
        sample(worker, watch, began)
        decided = watch.samples[-1]["decided"] if watch.samples else 0.0
        if decided >= offered:
            break
        if time.monotonic() > deadline:
            raise IncompleteError(f"{decided:.0f} of {offered} alerts decided in {RECOVERY_SECONDS_MAX:.0f} s")
        time.sleep(SAMPLE_SECONDS)
    at = time.time()
    metrics = [worker.metrics()]
    remainder = total(metrics, "spillway_conservation_remainder")
    if total(metrics, _DECIDED) != offered or remainder:
        raise IncompleteError(f"of {offered} alerts {total(metrics, _DECIDED):.0f} decided, remainder {remainder:g}")
    return at


def listen(broker: Broker, watch: Watch, stop: threading.Event) -> None:
    """Note when the P1 incident of each vital service is seen."""
    consumer = broker.reader("incidents", {"fetch.wait.max.ms": 5, "fetch.error.backoff.ms": 5})
    while not stop.is_set():
        for message in consumer.consume(500, timeout=0.05):
            at = time.time()
            if message.error() is None:
                for number in vital_of(message.value() or b""):
                    watch.opened.setdefault(number, at)
    consumer.close()


def vital_of(value: bytes) -> Iterator[int]:
    """The vital service whose P1 incident an event opens, if it does."""
    if b"vital-" not in value or b'"opened"' not in value:
        return
    event = orjson.loads(value)
    incident = event["incident"]
    if event["change"] == "opened" and incident["priority"] == "P1":
        for word in str(incident["title"]).replace(":", " ").split():
            if word.startswith("vital-"):
                yield int(word.removeprefix("vital-"))
                return


def wait_announced(watch: Watch, sent: Sequence[dict[int, float]]) -> None:
    """Wait for the last incidents, in vain if they never come."""
    deadline, wanted = time.monotonic() + 30, sum(map(len, sent))
    while len(watch.opened) < wanted and time.monotonic() < deadline:
        time.sleep(0.05)


def announced(watch: Watch, senders: Sequence[Sender], sent: Sequence[dict[int, float]]) -> dict[str, Any]:
    """How long P1 incidents took, by feed.

    Raises:
        IncompleteError: one was never announced.
    """
    figures: dict[str, Any] = {}
    for sender, times in zip(senders, sent, strict=True):
        missing = [number for number in times if number not in watch.opened]
        if missing:
            raise IncompleteError(f"{sender.load.feed}: {len(missing)} of {len(times)} P1 incidents did not come")
        took = sorted(watch.opened[number] - at for number, at in times.items())
        name = f"{sender.load.feed}_p1"
        figures |= {
            f"{name}_incidents": len(took),
            f"{name}_p50_seconds": round(percentile(took, 0.5), 2),
            f"{name}_p99_seconds": round(percentile(took, 0.99), 2),
            f"{name}_max_seconds": round(took[-1], 2),
        }
    return figures
