"""Runs the peers on one broker, in turn, over the same preloaded alerts; alerts per CPU-second of the peer's process.

CPU is counted from the first alert handled (start-up apart) to the last one committed. Catch-up throughput.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson

from benchmarks.alerts import Flood
from benchmarks.broker import Broker, fresh_name, running_broker
from benchmarks.machine import cpu_seconds, memory_peak_bytes
from benchmarks.peers.build import kafka_streams_classpath, quix_python
from benchmarks.peers.check import Digest, expected, found
from benchmarks.peers.job import PARTITIONS, Document
from benchmarks.results import BenchmarkError, Results, say, spread

ALERTS: Final = {"quick": {0.9: 300_000, 0.0: 60_000}, "full": {0.9: 1_000_000, 0.0: 400_000}}
"""By share of repeats. A million, so that Java's compiler is done long before the end; cold, Java is half as fast."""

COMMIT_MS: Final = 100
START_SECONDS_MAX: Final = 90.0
RUN_SECONDS_MAX: Final = 420.0
STOCK_FAUST_SECONDS_MAX: Final = {"quick": 15.0, "full": 30.0}
STOP_SECONDS_MAX: Final = 20.0
POLL_SECONDS: Final = 0.02
ROOT: Final = Path(__file__).parent.parent.parent
MARKS: Final = ("FIRST", "PROGRESS", "DONE")
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
    """A preloaded topic and what must come of it."""

    broker: Broker
    topic: str
    flood: Flood
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
        for repeats, alerts in ALERTS[results.mode].items():
            load = preload(broker, Flood(alerts=alerts, repeats=repeats), services)
            for number in range(results.runs):
                for peer in peers:
                    say(f"peers: {peer}, {alerts} alerts, {repeats:.0%} repeats, run {number + 1}")
                    rows.setdefault((repeats, peer), []).append(once(load, peer, results.mode))
            broker.drop()
    for (repeats, peer), runs in rows.items():
        rates = {name: spread([each[name] for each in runs]) for name in ("per_second", "per_cpu_second")}
        name = f"{peer}, {repeats:.0%} repeats"
        results.add("peers", name, peer=peer, repeats=repeats, guarantee=GUARANTEES[peer], **{**runs[-1], **rates})


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


def preload(broker: Broker, flood: Flood, services: Path) -> Load:
    """Put the alerts on a topic of their own and work out what they must come to."""
    topic = fresh_name("alerts")
    broker.create({topic: PARTITIONS})
    broker.preload(topic, ((each.fingerprint, orjson.dumps(each.alert)) for each in flood.make()))
    return Load(broker, topic, flood, services, expected((each.alert for each in flood.make()), service_table()))


def once(load: Load, peer: str, mode: str) -> dict[str, Any]:
    """One run of one peer.

    Raises:
        PeerError: it ended early, got nowhere, or its output is not what it must be.
    """
    name = fresh_name("peer")
    topics = {f"{name}-accepted": PARTITIONS, f"{name}-changes": PARTITIONS}
    if peer == "spillway":
        topics |= {f"spillway.{stage}.changelog": PARTITIONS for stage in ("dedupe", "correlate")}
        topics |= {"dead.letter": 1}
    load.broker.create(topics)
    seconds_max = STOCK_FAUST_SECONDS_MAX[mode] if peer == "stock Faust" else RUN_SECONDS_MAX
    with tempfile.TemporaryDirectory(prefix="spillway-peer-") as state:
        process = start(load, peer, name, Path(state))
        try:
            row = watched(load, process, seconds_max)
        finally:
            stop(process)
        if process.returncode and not row:
            raise PeerError(f"{peer} ended with code {process.returncode}: {Path(state, 'errors').read_text()[-2000:]}")
    if not row:
        raise PeerError(f"{peer} handled nothing")
    if row["complete"]:
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
        "JOB_ALERTS": str(load.flood.alerts),
        "JOB_NEWS": str(load.flood.news),
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


def watched(load: Load, process: subprocess.Popen[str], seconds_max: float) -> dict[str, Any]:
    """Figures of a run, from the marks that the peer tells of; empty if it did not get to work."""
    marks: dict[str, Mark] = {}

    def listen() -> None:
        for line in process.stdout or ():
            word, *counts = line.split() or [""]
            if word not in MARKS:
                continue  # somebody's banner
            first, _, at = counts
            marks[word] = Mark(int(first), float(at), cpu_seconds(process.pid), load.broker.cpu_seconds())

    threading.Thread(target=listen, daemon=True).start()
    deadline = time.time() + START_SECONDS_MAX
    while "DONE" not in marks and process.poll() is None and time.time() < deadline:
        if "FIRST" in marks:
            deadline = marks["FIRST"].at + seconds_max
        time.sleep(POLL_SECONDS)
    first, last = marks.get("FIRST"), marks.get("DONE") or marks.get("PROGRESS")
    if first is None or last is None or process.poll() is not None:
        return {}
    return figures(first, last, memory_peak_bytes(process.pid)) | {"complete": "DONE" in marks}


def figures(first: Mark, last: Mark, memory: int) -> dict[str, Any]:
    """Rates between two marks."""
    seconds, busy = last.at - first.at, last.cpu - first.cpu
    return {
        "alerts": last.handled,
        "seconds": round(seconds, 2),
        "per_second": round(last.handled / seconds),
        "cpu_seconds": round(busy, 2),
        "per_cpu_second": round(last.handled / busy),
        "start_cpu_seconds": round(first.cpu, 2),
        "broker_cpu_seconds": round(last.broker_cpu - first.broker_cpu, 2),
        "memory_peak_mib": round(memory / 2**20),
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
