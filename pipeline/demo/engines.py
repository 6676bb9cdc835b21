"""What the demo runs on: real Kafka, real PostgreSQL, a webhook receiver, and ``spillway run`` as its own process."""

from __future__ import annotations

import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Final

from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families

from pipeline.catalog import load_config
from pipeline.demo.receiver import Receiver, receiving
from pipeline.kafka.client import librdkafka
from pipeline.kafka.embedded import EmbeddedKafka
from pipeline.kafka.ports import free_ports
from pipeline.kafka.topics import apply, desired_topics, plan
from pipeline.models.policy import Config
from pipeline.records.embedded import embedded_postgres
from pipeline.settings import Settings

READY_SECONDS_MAX: Final = 60.0
"""Start of seven stages: about three seconds; a busy machine may take ten times that."""

STOP_SECONDS_MAX: Final = 30.0
DELIVERED_SECONDS_MAX: Final = 30.0
"""The receiver answers at once; more than a first retry means that something is wrong."""

SECRET_VARIABLE: Final = "SPILLWAY_SINK_DEMO_SECRET"  # noqa: S105  # the variable's name, not a secret


class DemoError(Exception):
    """The demo cannot go on; one line that says why."""


@dataclass(frozen=True, slots=True)
class Engines:
    """A running pipeline with all that belongs to it."""

    settings: Settings
    config: Config
    receiver: Receiver
    worker: subprocess.Popen[bytes]
    log: Path

    def alive(self) -> None:
        """Check that the stages still run.

        Raises:
            DemoError: they ended; the last line of their log says why.
        """
        if (code := self.worker.poll()) is not None:
            last = self.log.read_text(errors="replace").strip().splitlines()[-1:] or ["no word"]
            raise DemoError(f"the stages ended with exit code {code}: {last[0]}")

    def dispositions(self) -> dict[str, int]:
        """What became of the alerts, as the stages' own metrics count it."""
        counts: dict[str, int] = {}
        text = _get(f"http://127.0.0.1:{self.settings.http_port}/metrics").decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == "spillway_alerts_total" and sample.value:
                    name = sample.labels["disposition"]
                    counts[name] = counts.get(name, 0) + int(sample.value)
        return counts


@contextmanager
def engines(directory: Path, say: Callable[[str], None]) -> Iterator[Engines]:
    """Start everything for the duration of a block. One partition, and time from the recording.

    Args:
        directory: the configuration directory; the demo's receiver is added to its sinks.
        say: told what is being started.
    """
    with ExitStack() as stack:
        place = Path(stack.enter_context(TemporaryDirectory(prefix="spillway-demo-")))
        receiver = Receiver()
        address = stack.enter_context(receiving(receiver))
        shutil.copytree(directory, place / "config")
        sink = f"demo:\n  type: webhook\n  url: {address}\n  secret_env: {SECRET_VARIABLE}\n"
        (place / "config" / "sinks.yaml").write_text(sink)
        config = load_config(place / "config")
        say("starting Apache Kafka")
        kafka = stack.enter_context(EmbeddedKafka())
        say("starting PostgreSQL")
        records_url = stack.enter_context(embedded_postgres())
        settings = Settings(
            bootstrap=kafka.bootstrap,
            partitions=1,
            clock="recording",
            config_dir=place / "config",
            records_url=records_url,
            http_port=free_ports(1)[0],
        )
        say("creating topics")
        admin = AdminClient(librdkafka(settings))
        apply(admin, plan(admin, desired_topics(settings, config)))
        say("starting ingest, dedupe, correlate, bridge, deliver, record")
        log = place / "stages.log"
        worker = stack.enter_context(_stages(settings, receiver.secret, log))
        running = Engines(settings, config, receiver, worker, log)
        _wait_until_ready(running)
        yield running


@contextmanager
def _stages(settings: Settings, secret: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        worker = subprocess.Popen(  # our own command, with the interpreter that runs us
            [sys.executable, "-m", "pipeline", "run"],
            env=settings.to_environment() | {SECRET_VARIABLE: secret},
            stdout=output,
            stderr=output,
        )
        try:
            yield worker
        finally:
            worker.terminate()
            try:
                worker.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def _wait_until_ready(running: Engines) -> None:
    deadline = monotonic() + READY_SECONDS_MAX
    while True:
        running.alive()
        try:
            _get(f"http://127.0.0.1:{running.settings.http_port}/readyz")
        except (urllib.error.URLError, ConnectionError):
            if monotonic() > deadline:
                raise DemoError(f"the stages were not ready within {READY_SECONDS_MAX:.0f} s") from None
            sleep(0.1)
        else:
            return


def wait_until_delivered(running: Engines, revisions: dict[str, int]) -> None:
    """Wait until the receiver has each incident's newest revision.

    Args:
        running: the pipeline.
        revisions: newest revision by incident.

    Raises:
        DemoError: not in time, or the stages ended.
    """
    deadline = monotonic() + DELIVERED_SECONDS_MAX
    while late := running.receiver.behind(revisions):
        running.alive()
        if monotonic() > deadline:
            raise DemoError(f"webhooks of {', '.join(late)} did not arrive within {DELIVERED_SECONDS_MAX:.0f} s")
        sleep(0.05)


def _get(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310  # a local address of our own making
        body: bytes = answer.read()
        return body
