"""Everything that runs in production, as processes on one machine, and a steady life for it.

`spillway run` with all stages, `spillway gateway`, `spillway console`, a real Kafka, a real PostgreSQL and a webhook
receiver. Conditions begin, repeat and end at a steady rate, all through the gateway; the company is small and its
incidents close after a minute, so that after some minutes as much ends as begins and nothing has a reason to grow.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson
import yaml

from benchmarks.alerts import timestamp, webhook
from benchmarks.broker import Broker, fresh_name, running_broker
from benchmarks.console_process import Console, running_console
from benchmarks.receiver import receiving
from benchmarks.results import BenchmarkError
from benchmarks.site import make_topics
from benchmarks.worker import Worker, settings_for
from pipeline.flow import STAGES
from pipeline.records.embedded import embedded_postgres
from pipeline.records.store import RecordsStore
from pipeline.settings import Settings

FEED: Final = "alertmanager"
SERVICES: Final = 300
PARTITIONS: Final = 4
LASTS_SECONDS: Final = 10
REPEATED_EVERY_SECONDS: Final = 2
TURN_SECONDS: Final = 1.0
START_SECONDS_MAX: Final = 120.0
SECRETS: Final = {
    "SOAK_TOKEN": "soak-token-of-a-sender-on-this-machine",
    "SOAK_SINK": "whsec_c29ha3NvYWtzb2Frc29ha3NvYWtzb2Frc29hazEy",
}

FEEDS: Final = {FEED: {"gateway": {"auth": {"scheme": "bearer", "secrets_env": ["SOAK_TOKEN"]}}}}
CORRELATION: Final = {"window_seconds": 30, "flap_window_seconds": 30, "flap_quiet_seconds": 30}
DOMAIN: Final = {"closure": {"resolve_quiet_seconds": 1, "close_after_minutes": 1, "reopen_minutes": 0}}


@dataclass(frozen=True, slots=True)
class Site:
    """What runs.

    Attributes:
        processes: name -> process id, of what is watched.
        worker: that hosts all stages.
        gateway_port: where messages go.
    """

    broker: Broker
    processes: dict[str, int]
    worker: Worker
    console: Console
    gateway_port: int


def service_name(number: int) -> str:
    """The service with a number; nothing needs it and it needs nothing, so that each failure is an incident."""
    return f"soak-{number % SERVICES}"


def write_config(directory: Path, sink_port: int) -> None:
    """The company: services of one domain, and its few settings."""
    (directory / "catalog").mkdir(parents=True)
    (directory / "domains").mkdir()
    services = [
        {
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Component",
            "metadata": {"name": service_name(number), "annotations": {"spillway.dev/tier": "2"}},
            "spec": {"type": "service", "owner": "platform", "domain": "soak"},
        }
        for number in range(SERVICES)
    ]
    (directory / "catalog" / "services.yaml").write_text(yaml.safe_dump_all(services))
    (directory / "feeds.yaml").write_text(yaml.safe_dump(FEEDS))
    (directory / "correlation.yaml").write_text(yaml.safe_dump(CORRELATION))
    (directory / "domains" / "soak.yaml").write_text(yaml.safe_dump(DOMAIN))
    sink = {"type": "webhook", "url": f"http://127.0.0.1:{sink_port}/receiver", "secret_env": "SOAK_SINK"}
    (directory / "sinks.yaml").write_text(yaml.safe_dump({"receiver": sink}))


@contextmanager
def running_site() -> Iterator[Site]:
    """Everything, ready, for the time of the block."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="spillway-soak-")))
        receiver = stack.enter_context(receiving({"receiver": 0.0}))
        config = place / "config"
        write_config(config, receiver.port)
        broker = stack.enter_context(running_broker())
        url = stack.enter_context(embedded_postgres())
        store = RecordsStore(url)
        store.migrate()
        store.close()
        settings = settings_for(broker.bootstrap, fresh_name("soak"), config, PARTITIONS)
        settings = settings.model_copy(update={"records_url": url})
        make_topics(settings, config, broker)
        worker = stack.enter_context(Worker(settings, [stage.name for stage in STAGES], SECRETS))
        gateway, port = stack.enter_context(_gateway(settings, place / "gateway.log"))
        console = stack.enter_context(running_console(url, broker.bootstrap, place / "console"))
        worker.wait_ready()
        processes = {"worker": worker.process, "gateway": gateway, "console": console.process}
        yield Site(broker, processes, worker, console, port)


@contextmanager
def _gateway(settings: Settings, log: Path) -> Iterator[tuple[int, int]]:
    """A gateway: its process id and its port."""
    with log.open("w") as output:
        process = subprocess.Popen(  # our own command
            [sys.executable, "-m", "pipeline", "gateway", "--listen", "127.0.0.1:0"],
            env=settings.to_environment() | SECRETS,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + START_SECONDS_MAX
        while "taking messages on " not in (said := log.read_text()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchmarkError(f"the gateway does not listen: {said}")
            time.sleep(0.05)
        yield process.pid, int(said.partition("taking messages on ")[2].split()[0].rpartition(":")[2])
    finally:
        process.terminate()
        process.wait()


@dataclass(slots=True)
class Life:
    """What happens at the company, a thread of its own.

    Attributes:
        opened: failures begun.
        sent: messages that the gateway took.
        delays: seconds from a failure's first message to its incident on `incidents`, as they came, with the time.
        trouble: why it ended before its time, or "".
    """

    site: Site
    rate: float
    opened: int = 0
    sent: int = 0
    delays: list[tuple[float, float]] = field(default_factory=list)
    trouble: str = ""
    _began: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Life:
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._send, self._listen)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        """So many failures begin a second; each repeats until it ends."""
        on: list[tuple[int, float]] = []
        connection = HTTPConnection("127.0.0.1", self.site.gateway_port, timeout=30)
        began, turn = time.monotonic(), 0
        try:
            while not self._stop.wait(max(0.0, began + turn * TURN_SECONDS - time.monotonic())):
                turn += 1
                now = time.time()
                on = self._turn(connection, on, turn, now)
        except (OSError, HTTPException, BenchmarkError) as error:
            self.trouble = f"the gateway takes nothing any more: {error!r}"
        connection.close()

    def _turn(
        self, connection: HTTPConnection, on: list[tuple[int, float]], turn: int, now: float
    ) -> list[tuple[int, float]]:
        """One turn: some begin, those that are on repeat, the oldest end; what is on afterwards."""
        for _ in range(int(turn * self.rate) - int((turn - 1) * self.rate)):
            self._began[service_name(self.opened)] = time.time()
            on.append((self.opened, now))
            self.opened += 1
        left = []
        for number, since in on:
            over = now - since >= LASTS_SECONDS
            if over or since == now or turn % REPEATED_EVERY_SECONDS == number % REPEATED_EVERY_SECONDS:
                self._post(connection, message(number, since, now if over else None))
            if not over:
                left.append((number, since))
        return left

    def _post(self, connection: HTTPConnection, body: bytes) -> None:
        headers = {"Authorization": f"Bearer {SECRETS['SOAK_TOKEN']}", "Content-Type": "application/json"}
        connection.request("POST", f"/v1/feeds/{FEED}", body, headers)
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 202:  # accepted
            raise BenchmarkError(f"{answer.status}: {said[:200]!r}")
        self.sent += 1

    def _listen(self) -> None:
        """Time each incident that is seen opened."""
        consumer = self.site.broker.reader("incidents")
        while not self._stop.is_set():
            for found in consumer.consume(500, timeout=0.1):
                at, value = time.time(), found.value() or b""
                if found.error() is None and b'"opened"' in value:
                    self._note(orjson.loads(value), at)
        consumer.close()

    def _note(self, event: dict[str, Any], at: float) -> None:
        if event["change"] != "opened":
            return
        for word in str(event["incident"]["title"]).replace(":", " ").split():
            if (began := self._began.pop(word, None)) is not None:
                self.delays.append((at, at - began))


def message(number: int, since: float, ended: float | None) -> bytes:
    """A message about one failure."""
    name = service_name(number)
    return webhook(
        {
            "status": "firing" if ended is None else "resolved",
            "labels": {"alertname": "Down", "service": name, "severity": "critical", "instance": f"{name}:443"},
            "annotations": {"summary": f"{name} does not answer"},
            "startsAt": timestamp(int(since * 1000)),
            "endsAt": "0001-01-01T00:00:00Z" if ended is None else timestamp(int(ended * 1000)),
            "fingerprint": f"{number % SERVICES:016x}",
        }
    )
