"""An installation as the pages have readers start it, each process by the command of its page, on real engines."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, Final, Self

import orjson
import yaml
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.kafka.ports import free_ports
from tests.docs.collected import ROOT
from tests.docs.reader import Followed, Reader, Started
from tests.sinks.servers.servicenow import PASSWORD, USER, ServiceNowServer
from tests.stories.payloads import alertmanager
from tests.support import is_ready, wait_until

READY_SECONDS_MAX: Final = 120.0
HOST: Final = "127.0.0.1"
LAB: Final = "alerts.raw.lab"
"""A topic that no feed reads."""

SECRETS: Final = {
    "GATEWAY_ALERTMANAGER": "of-the-alertmanager",
    "GATEWAY_JIRA": "of-jira",
    "GATEWAY_JIRA_OLD": "of-jira-before",
    "GATEWAY_PAGERDUTY": "0123456789abcdef0123456789abcdef",
    "GATEWAY_UPTIMEROBOT": "of-uptimerobot",
    "SPILLWAY_SINK_DESK": PASSWORD,
}
"""Secrets that the pages name."""


class Installation:
    """Attributes: reader: who types; desk: the ServiceNow that it tells; health: command -> its port of health."""

    def __init__(self, reader: Reader, followed: Followed, desk: ServiceNowServer) -> None:
        self.reader = reader
        self.desk = desk
        self.health: dict[str, int] = {}
        self._followed = followed
        self._started: dict[str, Started] = {}
        self._number = 0

    def start(self, text: str, listening: str = "", **variables: str) -> Started:
        """Start a command of the pages, on ports of its own, and go on.

        Args:
            text: as the page has it.
            listening: its address to listen on, in place of the one that the page has; else none.
            variables: of the environment, for it alone.
        """
        self._followed.those(re.escape(text) + "$")
        self._number += 1
        (self.health[text],) = free_ports(1)
        typed = text
        if listening:
            typed = f"{re.sub(r' --listen .*', '', text)} --listen {listening}"
        name = f"{self._number}-{re.sub(r'[^a-z]+', '-', text.lower())}"
        own = " ".join(
            f"{each}={value}" for each, value in {"SPILLWAY_HTTP_PORT": self.health[text], **variables}.items()
        )
        started = self.reader.start(f"{own} {typed}", name)
        self._started[text] = started
        return started

    def wait_ready(self, *texts: str) -> Self:
        """Return once these serve."""
        for text in texts:
            wait_until(partial(self._is_ready, text), READY_SECONDS_MAX, f"{text} is ready")
        return self

    def _is_ready(self, text: str) -> bool:
        self._started[text].check()
        return is_ready(self.health[text], READY_SECONDS_MAX)

    def stop(self, *texts: str) -> None:
        """Ask these, or all, to stop, as a supervisor does; each must end with 0."""
        asked = texts or tuple(self._started)
        for text in asked:
            self._started[text].check()
            self._started[text].ask_to_stop()
        for text in asked:
            assert self._started[text].ended() == 0, f"{text}: {self._started[text].said()[-2_000:]}"
            del self._started[text]

    def close(self) -> None:
        """The end of the test, whatever it does."""
        for each in self._started.values():
            each.kill()

    def asked(self, text: str, enough: Callable[[Any], Any] = bool) -> Any:
        """What a command answers to machines, once that is enough."""
        found: list[Any] = []

        def answered() -> Any:
            done = self.reader.run(text)
            found[:] = [orjson.loads(done.stdout)] if done.returncode == 0 else []
            return found and enough(found[0])

        wait_until(answered, READY_SECONDS_MAX, f"{text} answers")
        return found[0]

    def produce(self, topic: str, *values: bytes) -> None:
        """Write records as a source does."""
        producer = Producer({"bootstrap.servers": self.reader.variables["SPILLWAY_BOOTSTRAP"]})
        for value in values:
            producer.produce(self.reader.variables["SPILLWAY_TOPIC_PREFIX"] + topic, value)
        assert producer.flush(READY_SECONDS_MAX) == 0


def alert(name: str, service: str = "checkout") -> bytes:
    """A notification of now."""
    labels = {"alertname": name, "service": service, "severity": "critical"}
    return orjson.dumps(alertmanager(labels, f"{service}: {name}", datetime.now(UTC)))


def configure(place: Path, desk: str) -> None:
    """The example company, with the gateway of its page, the sink of the pages, the watch's feed; a stricter one."""
    config = place / "config"
    shutil.copytree(ROOT / "config", config)
    (of_the_gateway,) = re.findall(r"```yaml\n(alertmanager:.*?)```", (ROOT / "docs/gateway.md").read_text(), re.DOTALL)
    feeds = yaml.safe_load((config / "feeds.yaml").read_text())
    for name, rules in {**yaml.safe_load(of_the_gateway), "spillway": {"adapter": "alertmanager"}}.items():
        feeds[name] = {**(feeds.get(name) or {}), **rules}
    (config / "feeds.yaml").write_text(yaml.safe_dump(feeds))
    sink = {"type": "servicenow", "url": desk, "user": USER, "secret_env": "SPILLWAY_SINK_DESK"}
    (config / "sinks.yaml").write_text(yaml.safe_dump({"desk": sink}))
    shutil.copytree(config, place / "stricter")
    rules_file = place / "stricter" / "correlation.yaml"
    rules_file.write_text(re.sub(r"(?m)^join_at_least: .*$", "join_at_least: 0.9417", rules_file.read_text()))
    (place / "notification.json").write_bytes(alert("Errors"))
    shutil.copy(ROOT / "tests/feeds/samples/jira-ticket-firing.json", place / "issue.json")


@contextmanager
def serving(server: ServiceNowServer) -> Iterator[ServiceNowServer]:
    """A downstream on an event loop in a thread of its own, for the time of a block."""
    loop, over = asyncio.new_event_loop(), asyncio.Event()
    ready: list[bool] = []

    async def serve() -> None:
        async with server.running():
            ready.append(True)
            await over.wait()

    thread = Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        wait_until(lambda: ready, READY_SECONDS_MAX, "the downstream listens")
        yield server
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@contextmanager
def installed(place: Path, followed: Followed, bootstrap: str, database: str, prefix: str) -> Iterator[Installation]:
    """Topics, configuration and a desk; nothing runs yet."""
    with ExitStack() as until:
        desk = until.enter_context(serving(ServiceNowServer()))
        configure(place, desk.url)
        variables = {
            **SECRETS,
            "SPILLWAY_APP_ID": prefix.strip("."),
            "SPILLWAY_TOPIC_PREFIX": prefix,
            "SPILLWAY_PARTITIONS": "1",
            "SPILLWAY_SESSION_TIMEOUT_SECONDS": "6",
            "SPILLWAY_CONFIG": str(place / "config"),
            "SPILLWAY_SHADOW_CONFIG": str(place / "shadow"),
        }
        reader = Reader(place, variables)
        (export,) = followed.those("export SPILLWAY_BOOTSTRAP")
        real = export.text.replace("kafka.example:9092", bootstrap)
        real = re.sub(r"postgresql://\S+", lambda _: f"'{database}'", real)
        told = reader.run(f"{real}; env").stdout
        reader.variables.update(re.findall(r"^(SPILLWAY_BOOTSTRAP|SPILLWAY_RECORDS_URL)=(.*)$", told, re.MULTILINE))
        applied = reader.run("spillway topics apply --config config")
        assert applied.returncode == 0, applied.stdout
        lab = f"{prefix}{LAB}"
        admin = AdminClient({"bootstrap.servers": bootstrap})
        admin.create_topics([NewTopic(lab, 1, 1)])[lab].result()
        made = Installation(reader, followed, desk)
        until.callback(made.close)
        yield made
