"""All downstreams at once, a real Kafka and one real worker that delivers to them: what the suite and chaos run on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from time import time
from typing import Any, Final

import orjson
import yaml
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipeline.catalog import load_config
from pipeline.core.identity import partition_of
from pipeline.core.step import Headers, Output
from pipeline.kafka.topics import apply, desired_topics, plan
from pipeline.models.remote import SinkUpdate, UpdateKind
from pipeline.settings import Settings
from tests.live.worker import Worker
from tests.sinks.conformance.life import Life
from tests.sinks.conformance.table import Downstream
from tests.sinks.servers.base import Seen, VendorServer
from tests.support import wait_until

SETTLED_SECONDS_MAX: Final = 40.0
BOOKS_SECONDS_MAX: Final = 15.0
SESSION_SECONDS: Final = 6.0
PARTITIONS: Final = 2
RUN_DELIVER: Final = (sys.executable, "-m", "pipeline", "run", "deliver")

CHECKOUT: Final[Mapping[str, Any]] = {
    "apiVersion": "backstage.io/v1alpha1",
    "kind": "Component",
    "metadata": {"name": "checkout", "title": "Checkout"},
    "spec": {"type": "service", "lifecycle": "production", "owner": "storefront-sre"},
}
"""The service of the incidents, which sinks may map."""

WATCHED: Final = ("deliveries", "deliveries.state", "sink.updates", "dead.letter", "commands", "bridge.commands")


class Town:
    """Servers, topics and the worker of one run. ``with Town(...) as town``.

    Attributes:
        servers: by type.
        outcomes: all records of ``deliveries``, as they came.
        ledger: newest value of each key of ``deliveries.state``.
        raw: every record of the topics that deliver writes: topic -> key and value.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        place: Path,
        downstreams: Mapping[str, Downstream],
        seed: int = 0,
        **settings: Any,
    ) -> None:
        self.downstreams = downstreams
        self.servers: dict[str, VendorServer] = {
            name: each.server(seed + number) for number, (name, each) in enumerate(sorted(downstreams.items()))
        }
        self.outcomes: list[dict[str, Any]] = []
        self.ledger: dict[str, dict[str, Any]] = {}
        self.raw: dict[str, list[tuple[bytes, bytes]]] = {topic: [] for topic in WATCHED}
        self.workers: list[Worker] = []
        self._place = place
        self._directory = place / "config"
        self._settings = Settings(
            bootstrap=bootstrap,
            topic_prefix=prefix,
            app_id=prefix.strip("."),
            config_dir=self._directory,
            partitions=PARTITIONS,
            session_timeout_seconds=SESSION_SECONDS,
            instance_id="seat-1",
            **settings,
        )
        self._client: dict[str, Any] = {"bootstrap.servers": bootstrap, "log_level": 0}
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="servers", daemon=True)
        self._stack = AsyncExitStack()
        self._producer = Producer(self._client)
        self._consumer: Consumer | None = None
        self._done: dict[tuple[str, str], int] = {}
        self._parked: dict[tuple[str, str], int] = {}

    # -- life of the town

    def __enter__(self) -> Town:
        self._thread.start()
        self.on_servers(self._serve())
        self._configure()
        admin = AdminClient(self._client)
        apply(admin, plan(admin, desired_topics(self._settings, load_config(self._directory))))
        self._consumer = self._reader()
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
        if self._consumer is not None:
            self._consumer.close()
        self.on_servers(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _serve(self) -> None:
        for server in self.servers.values():
            await self._stack.enter_async_context(server.running())

    def _configure(self) -> None:
        self._directory.mkdir(parents=True)
        entries = {name: each.entry(self.servers[name].url) for name, each in self.downstreams.items()}
        (self._directory / "sinks.yaml").write_text(yaml.safe_dump(entries), encoding="utf-8")
        (self._directory / "catalog").mkdir()
        (self._directory / "catalog" / "checkout.yaml").write_text(yaml.safe_dump(CHECKOUT), encoding="utf-8")

    def on_servers(self, work: Any) -> Any:
        """Run a coroutine where the servers run."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SETTLED_SECONDS_MAX)

    def fail(self, *faults: str) -> None:
        """The next requests of every server that write something meet these, in order."""
        for server in self.servers.values():
            server.next_write_faults.extend(faults)

    def calm(self) -> None:
        """No server makes trouble any more."""
        for server in self.servers.values():
            server.next_faults.clear()
            server.next_write_faults.clear()
            server.share_failing = server.rate_per_second = server.latency_seconds = 0.0
            server.down = False

    @property
    def secrets(self) -> dict[str, str]:
        """Variables of the environment that the worker has beside its settings."""
        return {
            variable: value.replace("{url}", self.servers[name].url)
            for name, each in self.downstreams.items()
            for variable, value in each.secrets.items()
        }

    def start(self, *, ready: bool = True) -> Worker:
        """A worker that delivers; it is waited for until it is ready, or not."""
        log = self._place / f"deliver-{len(self.workers)}.log"
        worker = Worker(self._settings, log, RUN_DELIVER, self.secrets)
        self.workers.append(worker)
        return worker.wait_ready() if ready else worker

    # -- what goes in

    def send(self, outputs: Iterable[Output]) -> None:
        """Events onto ``incidents``, where correlate would write them."""
        for each in outputs:
            assert each.value is not None
            self._produce("incidents", each.key or b"", each.value, each.headers)
        assert self._producer.flush(SETTLED_SECONDS_MAX) == 0

    def _produce(self, topic: str, key: bytes, value: bytes, headers: Headers = ()) -> None:
        partition = partition_of(key, PARTITIONS)
        self._producer.produce(
            self._settings.wire(topic), value, key, partition=partition, timestamp=int(time() * 1_000),
            headers=list(headers),
        )  # fmt: skip

    def retry_given_up(self, life: Life) -> None:
        """As a person does by one command, once what was wrong is repaired: send again what was given up."""
        incident_id, now = life.told.incident_id, datetime.now(UTC)
        for sink in [sink for sink, incident in self._parked if incident == incident_id]:
            del self._parked[sink, incident_id]
            update = SinkUpdate(
                kind=UpdateKind.RETRY, update_id=f"retry-{len(self.outcomes)}-{sink}", sink=sink,
                incident_id=incident_id, at=now, author="amara.okafor",
            )  # fmt: skip
            self._produce("sink.updates", incident_id.encode(), update.to_bytes())
        assert self._producer.flush(SETTLED_SECONDS_MAX) == 0

    def play(self, *lives: Life) -> None:
        """Send what the lives have made since they were played last."""
        for life in lives:
            self.send(life.take())

    # -- what came out

    def poll(self, seconds: float = 0.05) -> None:
        """Take in what deliver has written."""
        assert self._consumer is not None
        for message in self._consumer.consume(1_000, seconds):
            assert message.error() is None, message.error()
            topic = str(message.topic()).removeprefix(self._settings.topic_prefix)
            key, value = bytes(message.key() or b""), bytes(message.value() or b"")
            self.raw[topic].append((key, value))
            if topic == "deliveries" and value:
                self._note(orjson.loads(value))
            elif topic == "deliveries.state":
                self._keep(key.decode(), orjson.loads(value) if value else None)

    def _note(self, outcome: dict[str, Any]) -> None:
        self.outcomes.append(outcome)
        place = (outcome["sink"], outcome["incident_id"])
        if outcome["outcome"] == "delivered":
            self._done[place] = max(self._done.get(place, 0), outcome["revision"])
        elif outcome["outcome"] == "parked":
            self._parked[place] = max(self._parked.get(place, 0), outcome["revision"])

    def _keep(self, key: str, value: dict[str, Any] | None) -> None:
        if value is None:
            self.ledger.pop(key, None)
        else:
            self.ledger[key] = value

    def wait(self, enough: Callable[[], object], what: str, seconds: float = SETTLED_SECONDS_MAX) -> None:
        """Take in what comes until the condition holds; workers must live."""

        def done() -> object:
            self.poll()
            for worker in self.workers[-1:]:
                worker.check()
            return enough()

        wait_until(done, seconds, what)

    def settle(self, *lives: Life, sinks: Iterable[str] | None = None, seconds: float = SETTLED_SECONDS_MAX) -> None:
        """Wait until the newest revision of each life has arrived, or was given up, at each sink."""
        names = sorted(self.downstreams if sinks is None else sinks)
        wanted = [(name, life.told.incident_id, life.told.revision) for life in lives for name in names]

        def behind() -> list[tuple[str, str, int]]:
            return [
                (name, incident, revision) for name, incident, revision in wanted
                if max(self._done.get((name, incident), 0), self._parked.get((name, incident), 0)) < revision
            ]  # fmt: skip

        try:
            self.wait(lambda: not behind(), "every sink has the newest revision", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; behind: {behind()[:10]}; {self.last_words(behind())}") from None

    def settle_books(self, *lives: Life) -> None:
        """Wait for the ledger, which follows the outcomes: until nothing of these lives is an orphan."""
        names = {life.told.incident_id for life in lives}
        self.wait(
            lambda: not [each for each in self.orphans() if each["incident_id"] in names],
            "the ledger has no orphan",
            BOOKS_SECONDS_MAX,
        )

    def last_words(self, behind: Iterable[tuple[str, str, int]]) -> list[dict[str, Any]]:
        """The newest outcome of each place that is behind."""
        places = {(name, incident) for name, incident, _ in behind}
        newest = {(each["sink"], each["incident_id"]): each for each in self.outcomes}
        return [newest[place] for place in sorted(places) if place in newest][:10]

    def tried(self, life: Life) -> set[str]:
        """Sinks that have tried to tell of it, by the outcomes."""
        return {each["sink"] for each in self.outcomes if each["incident_id"] == life.told.incident_id}

    def given_up(self) -> list[dict[str, Any]]:
        """Deliveries that were parked."""
        return [each for each in self.outcomes if each["outcome"] == "parked"]

    def orphans(self) -> list[dict[str, Any]]:
        """Records that have not ended together with their incident, by the ledger."""
        return [each for each in self.ledger.values() if each["orphan"]]

    def seen(self, name: str) -> dict[str, list[Seen]]:
        """The records at a server, by incident."""
        found: dict[str, list[Seen]] = {}
        for each in self.servers[name].seen():
            found.setdefault(each.incident_id, []).append(each)
        return found

    def _reader(self) -> Consumer:
        options = {"group.id": f"{self._settings.app_id}-watch", "isolation.level": "read_committed"}
        consumer = Consumer(self._client | options | {"enable.auto.commit": False})
        consumer.assign(
            [
                TopicPartition(wire, number, 0)
                for wire in map(self._settings.wire, WATCHED)
                for number in consumer.list_topics(wire, timeout=10).topics[wire].partitions
            ]
        )
        return consumer
