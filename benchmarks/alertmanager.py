"""Alertmanager, what users run today: the same alerts posted in batches, grouped, sent on to a webhook of ours.

Batches are posted one after another over one connection per client. Alerts a second are those accepted; CPU is counted
until its groups have been notified and it is idle. It notifies a group once (its default interval of five minutes is
longer than the run), which is the least that it can do, and keeps alerts in memory only.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.alerts import Flood
from benchmarks.machine import cpu_seconds, memory_peak_bytes
from benchmarks.peers.build import CACHE
from benchmarks.peers.build import run as build
from benchmarks.pipeline import REPEATS
from benchmarks.results import BenchmarkError, Results, costs, say, summary
from pipeline.kafka.ports import free_ports

VERSION: Final = "v0.28.1"
ALERTS: Final = {"quick": 40_000, "full": 150_000}
BATCH_ALERTS: Final = 64
"""What Prometheus sends in one request at most, by default."""

POSTED: Final = frozenset({"labels", "annotations", "startsAt", "endsAt", "generatorURL"})
"""What a client tells; Alertmanager finds status and fingerprint itself."""

CLIENTS: Final = 2
START_SECONDS_MAX: Final = 20.0
SETTLE_SECONDS_MAX: Final = 120.0
GROUP_WAIT_SECONDS: Final = 5
POLL_SECONDS: Final = 0.1
IDLE_SECONDS: Final = 0.5
IDLE_CPU_SECONDS: Final = 0.03
CONFIG: Final = """
route:
  receiver: bench
  group_by: [service]
  group_wait: {wait}s
  group_interval: 5m
  repeat_interval: 4h
receivers:
  - name: bench
    webhook_configs:
      - url: http://127.0.0.1:{port}/
"""


class AlertmanagerError(BenchmarkError):
    """Alertmanager does not work here, or lost something; the message says what."""


class Receiver:
    """The webhook that Alertmanager notifies."""

    def __init__(self) -> None:
        self.port = 0
        self.notifications = 0
        self.groups: set[str] = set()
        self._lock = threading.Lock()

    def take(self, body: bytes) -> None:
        """One notification."""
        group = orjson.loads(body)["groupKey"]
        with self._lock:
            self.notifications += 1
            self.groups.add(group)


@dataclass(slots=True)
class Server:
    """A running Alertmanager."""

    process: int
    port: int

    def post(self, batches: Iterable[bytes]) -> None:
        """Post batches of alerts over one connection."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        for batch in batches:
            connection.request("POST", "/api/v2/alerts", batch, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            if answer.status != 200:
                raise AlertmanagerError(f"answered {answer.status}: {text[:300]}")
        connection.close()

    def get(self, path: str) -> str:
        """What it answers to a request."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def received(self) -> int:
        """Alerts that it has received, by its own count."""
        lines = self.get("/metrics").splitlines()
        counts = [line.split()[-1] for line in lines if line.startswith("alertmanager_alerts_received_total{")]
        return round(sum(float(count) for count in counts))


def run(results: Results) -> None:
    """Every share of repeats, interleaved over the runs."""
    rows: dict[float, list[dict[str, Any]]] = {repeats: [] for repeats in REPEATS}
    for number in range(results.runs):
        for repeats in REPEATS:
            alerts = ALERTS[results.mode]
            say(f"alertmanager: {alerts} alerts, {repeats:.0%} repeats, run {number + 1}")
            rows[repeats].append(once(alerts, repeats))
    for repeats, runs in rows.items():
        results.add("alertmanager", f"{repeats:.0%} repeats", version=VERSION, **summary(runs))


def once(alerts: int, repeats: float) -> dict[str, Any]:
    """One run on a fresh Alertmanager."""
    flood = Flood(alerts=alerts, repeats=repeats, start_ms=int(time.time() * 1000) - alerts * 10)
    shares = list(batches(flood))
    with receiving() as receiver, serving(receiver.port) as server:
        used, began = cpu_seconds(server.process), time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(server.post, [shares[client::CLIENTS] for client in range(CLIENTS)]))
        seconds = time.perf_counter() - began
        wait_settled(server)
        busy = cpu_seconds(server.process) - used
        if server.received() != alerts:
            raise AlertmanagerError(f"it counts {server.received()} alerts received, {alerts} were sent")
        return {
            **costs(alerts, seconds, busy, memory_peak_bytes(server.process)),
            "notifications": receiver.notifications,
            "groups": len(receiver.groups),
        }


def batches(flood: Flood) -> Iterator[bytes]:
    """The alerts in the requests that Prometheus would make of them."""
    alerts = ({name: fact for name, fact in each.alert.items() if name in POSTED} for each in flood.make())
    while batch := list(islice(alerts, BATCH_ALERTS)):
        yield orjson.dumps(batch)


def wait_settled(server: Server) -> None:
    """Return when the groups have been notified and nothing more is going on.

    Raises:
        AlertmanagerError: that takes too long.
    """
    time.sleep(GROUP_WAIT_SECONDS)
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while time.monotonic() < deadline:
        used = cpu_seconds(server.process)
        time.sleep(IDLE_SECONDS)
        if cpu_seconds(server.process) - used <= IDLE_CPU_SECONDS:
            return
    raise AlertmanagerError(f"it is still busy {SETTLE_SECONDS_MAX:.0f} s after the last alert")


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A webhook receiver for the time of the block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name is the library's
            receiver.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: a line for each request would be all that one sees."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        receiver.port = http.server_address[1]
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield receiver
        http.shutdown()


@contextmanager
def serving(webhook_port: int) -> Iterator[Server]:
    """Alertmanager for the time of the block."""
    with tempfile.TemporaryDirectory(prefix="spillway-alertmanager-") as place:
        config = Path(place) / "alertmanager.yml"
        config.write_text(CONFIG.format(port=webhook_port, wait=GROUP_WAIT_SECONDS))
        [port] = free_ports(1)
        with (Path(place) / "log").open("w") as log:
            process = subprocess.Popen(  # noqa: S603  # our own command
                [
                    str(binary()),
                    f"--config.file={config}",
                    f"--storage.path={place}/data",
                    f"--web.listen-address=127.0.0.1:{port}",
                    "--cluster.listen-address=",
                    "--log.level=error",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        server = Server(process.pid, port)
        try:
            wait_serving(server, process, Path(place) / "log")
            yield server
        finally:
            process.terminate()
            process.wait()


def wait_serving(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when it answers; AlertmanagerError if it ends or does not."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None and time.monotonic() < deadline:
        try:
            server.get("/-/ready")
        except (OSError, HTTPException):
            time.sleep(POLL_SECONDS)
        else:
            return
    raise AlertmanagerError(f"it does not serve: {log.read_text()[-800:]}")


def binary() -> Path:
    """The program, built by Go once into the cache."""
    place = CACHE / f"alertmanager-{VERSION}"
    program = place / "alertmanager"
    if not program.exists():
        say(f"alertmanager: building {VERSION} with Go")
        place.mkdir(parents=True, exist_ok=True)
        install = ["go", "install", f"github.com/prometheus/alertmanager/cmd/alertmanager@{VERSION}"]
        build(["env", f"GOBIN={place}", "GOFLAGS=-mod=mod", *install])
    return program
