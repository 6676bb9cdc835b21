"""Runs the peers on one broker, in turn, over the same preloaded alerts; alerts per CPU-second of the peer's process.

CPU is counted from the first alert after the warm-up (start-up apart) to the last one. Catch-up throughput.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson

from benchmarks.alerts import STEP_MS, Flood
from benchmarks.broker import Broker, fresh_name, running_broker
from benchmarks.machine import cpu_seconds, memory_peak_bytes
from benchmarks.peers.build import kafka_streams_classpath, quix_python
from benchmarks.peers.check import Digest, Expectation, found
from benchmarks.peers.job import PARTITIONS, Document
from benchmarks.results import BenchmarkError, Results, costs, say, summary

ALERTS: Final = {"quick": {0.9: 200_000, 0.0: 60_000}, "full": {0.9: 400_000, 0.0: 200_000}}
"""Measured, by share of repeats."""

STOCK_FAUST_ALERTS: Final = {"quick": {0.9: 20_000, 0.0: 10_000}, "full": {0.9: 40_000, 0.0: 20_000}}
"""It is too slow for as many. It gets a whole stream of its own: the first part of a longer one is mostly news."""

WARM_UP_ALERTS: Final[dict[str, dict[str, dict[float, int]]]] = {
    "quick": {"Kafka Streams": {0.9: 400_000, 0.0: 200_000}, "stock Faust": {0.9: 2_000, 0.0: 2_000}},
    "full": {"Kafka Streams": {0.9: 800_000, 0.0: 400_000}, "stock Faust": {0.9: 2_000, 0.0: 2_000}},
}
"""Before those that are measured, of the same kind, for peers that need it: cold, Java reaches a quarter."""

COMMIT_MS: Final = 100
START_SECONDS_MAX: Final = 90.0
WARM_UP_SECONDS_MAX: Final = 300.0
RUN_SECONDS_MAX: Final = 420.0
STOP_SECONDS_MAX: Final = 20.0
POLL_SECONDS: Final = 0.02
ROOT: Final = Path(__file__).parent.parent.parent
MARKS: Final = ("FIRST", "DONE")
PEERS: Final = ("spillway", "hand-written loop", "Kafka Streams", "Quix Streams", "stock Faust")
GUARANTEES: Final = {
    "spillway": "exactly once, durable state",
    "hand-written loop": "exactly once, no durable state",
    "Kafka Streams": "exactly once, durable state",
    "Quix Streams": "exactly once, durable state",
    "stock Faust": "at least once, durable state",
}


class PeerError(BenchmarkError):
    """A peer failed or gave a wrong result; the message says which and how."""


@dataclass(frozen=True, slots=True)
class Load:
    """A preloaded topic and what must come of it.

    Attributes:
        broker: where.
        topic: its name.
        warm_up: alerts before those that are measured.
        alerts: all alerts.
        services: file with the facts about services.
        digest: of the output.
    """

    broker: Broker
    topic: str
    warm_up: int
    alerts: int
    services: Path
    digest: Digest


@dataclass(slots=True)
class Mark:
    """A moment that a peer told of: its counts, and the CPU time used by then."""

    handled: int
    at: float
    cpu: float
    broker_cpu: float


def run(results: Results, peers: tuple[str, ...] = PEERS) -> None:
    """Every peer at every share of repeats, in turn, as often as the mode says."""
    rows: dict[tuple[float, str], list[dict[str, Any]]] = {}
    with running_broker() as broker, tempfile.TemporaryDirectory(prefix="spillway-peers-") as place:
        services = Path(place) / "services.json"
        services.write_bytes(orjson.dumps(service_table()))
        for repeats in ALERTS[results.mode]:
            loads = loads_of(broker, peers, repeats, results.mode, services)
            for number in range(results.runs):
                for peer in peers:
                    load = loads[peer]
                    say(f"peers: {peer}, {load.alerts} alerts, {repeats:.0%} repeats, run {number + 1}")
                    rows.setdefault((repeats, peer), []).append(once(load, peer))
            broker.drop()
    for (repeats, peer), runs in rows.items():
        about = {"peer": peer, "repeats": repeats, "guarantee": GUARANTEES[peer]}
        results.add("peers", f"{peer}, {repeats:.0%} repeats", **about, **summary(runs))


def loads_of(broker: Broker, peers: tuple[str, ...], repeats: float, mode: str, services: Path) -> dict[str, Load]:
    """A load for each peer; peers that need no other share one."""
    made: dict[tuple[int, int], Load] = {}
    loads: dict[str, Load] = {}
    for peer in peers:
        alerts = (STOCK_FAUST_ALERTS if peer == "stock Faust" else ALERTS)[mode][repeats]
        size = WARM_UP_ALERTS[mode].get(peer, {}).get(repeats, 0), alerts
        if size not in made:
            made[size] = preload(broker, floods_of(*size, repeats), services)
        loads[peer] = made[size]
    return loads


def floods_of(warm_up: int, alerts: int, repeats: float) -> tuple[Flood, Flood]:
    """What comes first and is not measured, and what is; they are alike and have no condition in common."""
    before = Flood(alerts=warm_up, repeats=repeats)
    start_ms = before.start_ms + STEP_MS * warm_up
    return before, Flood(alerts=alerts, repeats=repeats, start_ms=start_ms, first_condition=before.conditions)


def service_table(services: int = 500) -> dict[str, Document]:
    """Facts about each service, for the peers to look up."""
    random = Random(1)  # noqa: S311  # repeatable, not secret
    return {
        f"service-{number}": {
            "owner": f"team-{random.randrange(60):02d}@corp.example",
            "tier": random.choice(("gold", "silver", "bronze")),
            "hosting": random.choice(("k8s", "vm", "bare-metal", "serverless")),
            "region": random.choice(("eu-west-1", "eu-north-1", "us-east-1", "ap-south-1")),
            "domain": f"domain-{number % 20:02d}",
        }
        for number in range(services)
    }


def preload(broker: Broker, floods: tuple[Flood, Flood], services: Path) -> Load:
    """Put warm-up and measured alerts on a topic of their own and work out what they must come to."""
    expectation = Expectation(service_table())

    def records() -> Iterator[tuple[str, bytes]]:
        for each in chain.from_iterable(flood.make() for flood in floods if flood.alerts):
            expectation.take(each.alert)
            yield each.fingerprint, orjson.dumps(each.alert)

    topic = fresh_name("alerts")
    broker.create({topic: PARTITIONS})
    alerts = broker.preload(topic, records())
    return Load(broker, topic, floods[0].alerts, alerts, services, expectation.digest)


def once(load: Load, peer: str) -> dict[str, Any]:
    """One run of one peer.

    Raises:
        PeerError: it ended early, did not end, or its output is not what it must be.
    """
    name = fresh_name("peer")
    topics = {f"{name}-accepted": PARTITIONS, f"{name}-changes": PARTITIONS}
    if peer == "spillway":
        topics |= {f"spillway.{stage}.changelog": PARTITIONS for stage in ("dedupe", "correlate")}
        topics |= {"dead.letter": 1}
    if peer == "stock Faust":
        # It makes them itself, and its agents crash for good where it does not see them at once.
        topics |= {f"{name}-{table}-changelog": PARTITIONS for table in ("seen", "groups")}
    load.broker.create(topics)
    with tempfile.TemporaryDirectory(prefix="spillway-peer-") as state:
        process = start(load, peer, name, Path(state))
        try:
            row = watched(load, process)
        finally:
            stop(process)
        if not row:
            errors = Path(state, "errors").read_text()[-2000:]
            raise PeerError(f"{peer} did not handle all alerts; ended with code {process.returncode}: {errors}")
    verify(load, peer, name)
    load.broker.drop(name, "spillway.", "dead.letter")
    return row


def start(load: Load, peer: str, name: str, state: Path) -> subprocess.Popen[str]:
    """Start a peer's process."""
    environment = {
        "JOB_BOOTSTRAP": load.broker.bootstrap,
        "JOB_SOURCE": load.topic,
        "JOB_ACCEPTED": f"{name}-accepted",
        "JOB_CHANGES": f"{name}-changes",
        "JOB_GROUP": name,
        "JOB_STATE": str(state),
        "JOB_COMMIT_MS": str(COMMIT_MS),
        "JOB_WARM_UP": str(load.warm_up),
        "JOB_ALERTS": str(load.alerts),
        "JOB_NEWS": str(load.digest.records),
        "JOB_SERVICES": str(load.services),
    }
    with (state / "errors").open("w") as errors:
        return subprocess.Popen(  # noqa: S603  # our own commands
            command_of(peer),
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
        )


def command_of(peer: str) -> list[str]:
    """What starts a peer."""
    if peer == "Kafka Streams":
        options = ["-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        return ["java", *options, "-cp", kafka_streams_classpath(), "peer.Peer"]
    if peer == "Quix Streams":
        return [str(quix_python()), "-m", "benchmarks.peers.quix_streams"]
    if peer == "stock Faust":
        return [sys.executable, "-m", "benchmarks.peers.stock_faust", "worker", "--without-web"]
    return [sys.executable, "-m", "benchmarks.peers.ours" if peer == "spillway" else "benchmarks.peers.loop"]


def watched(load: Load, process: subprocess.Popen[str]) -> dict[str, Any]:
    """Figures of a run, from the marks that the peer tells of; empty if it did not come to its end."""
    marks: dict[str, Mark] = {}

    def listen() -> None:
        for line in process.stdout or ():
            word, *counts = line.split() or [""]
            if word not in MARKS:
                continue  # somebody's banner
            first, _, at = counts
            marks[word] = Mark(int(first), float(at), cpu_seconds(process.pid), load.broker.cpu_seconds())

    threading.Thread(target=listen, daemon=True).start()
    deadline = time.time() + START_SECONDS_MAX + (WARM_UP_SECONDS_MAX if load.warm_up else 0)
    while "DONE" not in marks and process.poll() is None and time.time() < deadline:
        if "FIRST" in marks:
            deadline = marks["FIRST"].at + RUN_SECONDS_MAX
        time.sleep(POLL_SECONDS)
    first, last = marks.get("FIRST"), marks.get("DONE")
    if first is None or last is None or process.poll() is not None:
        return {}
    return figures(load, first, last, memory_peak_bytes(process.pid))


def figures(load: Load, first: Mark, last: Mark, memory: int) -> dict[str, Any]:
    """Rates between two marks."""
    return {
        **costs(load.alerts - load.warm_up, last.at - first.at, last.cpu - first.cpu, memory),
        "warm_up_alerts": load.warm_up,
        "cpu_seconds_before": round(first.cpu, 2),
        "broker_cpu_seconds": round(last.broker_cpu - first.broker_cpu, 2),
    }


def stop(process: subprocess.Popen[str]) -> None:
    """Ask a peer to end, and see to it."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def verify(load: Load, peer: str, name: str) -> None:
    """Compare a peer's output with what it must be.

    Raises:
        PeerError: it is not.
    """
    digest = found(load.broker, f"{name}-accepted", f"{name}-changes")
    if digest != load.digest:
        raise PeerError(f"{peer}: output {digest}, expected {load.digest}")
