"""A gateway of the test's own: real sockets, real Kafka, on an event loop in a thread of this process."""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, cast

import orjson
import yaml
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.catalog import load_config
from pipeline.gateway.fetch import SnsFetcher
from pipeline.gateway.limits import Limits
from pipeline.gateway.process import Gateway
from pipeline.kafka.served import unserved
from pipeline.models.policy import Config
from pipeline.models.remote import SINK_UPDATES_TOPIC
from pipeline.runtime.serving import Listening
from pipeline.settings import Settings, SettingsError
from pipeline.sinks.updates import READERS, Reader

HOST: Final = "127.0.0.1"
SECONDS_MAX: Final = 30.0
BODY: Final = b'{"what": "a message", "spaces":  "and \xc3\xa4 kept"}\n'


class Answer(NamedTuple):
    """What the gateway answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


def written(place: Path, feeds: Mapping[str, Any]) -> Path:
    """A configuration directory with these feeds."""
    place.mkdir(parents=True, exist_ok=True)
    (place / "feeds.yaml").write_text(yaml.safe_dump(dict(feeds), sort_keys=False))
    return place


def make_topics(bootstrap: str, prefix: str, feeds: Mapping[str, Any], partitions: int = 4) -> None:
    """The raw topics of some feeds, which take what the gateway lets in."""
    make_named_topics(bootstrap, prefix, [f"alerts.raw.{feed}" for feed in feeds], partitions)


def make_named_topics(bootstrap: str, prefix: str, names: Sequence[str], partitions: int = 4) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    settings = {"max.message.bytes": str(17 << 20)}
    topics = [NewTopic(f"{prefix}{name}", partitions, 1, config=settings) for name in names]
    for made in admin.create_topics(topics).values():
        made.result(SECONDS_MAX)
    assert unserved(admin, {topic.topic: partitions for topic in topics}, SECONDS_MAX) is None


def read_records(bootstrap: str, topic: str, count: int, seconds: float = SECONDS_MAX) -> list[Message]:
    """All records of a topic from its beginning, at least ``count``, in order of their timestamps."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "house", "log_level": 0})
    try:
        partitions = consumer.list_topics(topic, SECONDS_MAX).topics[topic].partitions
        ends = {each: consumer.get_watermark_offsets(TopicPartition(topic, each), SECONDS_MAX) for each in partitions}
        consumer.assign([TopicPartition(topic, each, 0) for each in partitions])
        wanted = max(count, sum(high - low for low, high in ends.values()))
        found: list[Message] = []
        deadline = time.monotonic() + seconds
        while len(found) < wanted and time.monotonic() < deadline:
            found += consumer.consume(wanted - len(found), 0.2)
        assert len(found) >= count, f"{topic} holds {len(found)} records, not {count}"
        return sorted(found, key=lambda message: message.timestamp())
    finally:
        consumer.close()


def headers_of(message: Message) -> dict[str, bytes]:
    return dict(cast(list[tuple[str, bytes]], message.headers() or []))


class House:
    """A gateway for the time of a ``with`` block."""

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        place: Path,
        feeds: Mapping[str, Any],
        secrets: Mapping[str, str],
        *,
        make_fetcher: Callable[[], SnsFetcher] | None = None,
        limits: Limits | None = None,
        topics: bool = True,
        sinks: Mapping[str, Any] | None = None,
        readers: Mapping[str, Reader] = READERS,
    ) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        place.mkdir(parents=True, exist_ok=True)
        (place / "sinks.yaml").write_text(yaml.safe_dump(dict(sinks or {}), sort_keys=False))
        self.config: Config = load_config(written(place, feeds))
        self._readers = readers
        self.settings = Settings(bootstrap=bootstrap, topic_prefix=prefix, http_port=0)
        self.listening: Listening | None = None
        self._secrets = secrets
        self._make_fetcher = make_fetcher
        self._limits = limits
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        if topics:
            back = [SINK_UPDATES_TOPIC] if sinks else []
            make_named_topics(bootstrap, prefix, [*(f"alerts.raw.{feed}" for feed in feeds), *back])

    def __enter__(self) -> Self:
        self._thread.start()
        self.gateway, self.listening = self.run(self._started())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS_MAX)

    async def _started(self) -> tuple[Gateway, Listening]:
        fetcher = self._make_fetcher() if self._make_fetcher else None
        gateway = Gateway(self.settings, self.config, self._secret, fetcher, self._limits, self._readers)
        return gateway, await gateway.start(HOST, 0)

    async def _ended(self) -> None:
        await self.gateway.drain()
        await self.gateway.close()

    def _secret(self, name: str) -> str:
        if name not in self._secrets:
            raise SettingsError(f"{name} is not set")
        return self._secrets[name]

    @property
    def port(self) -> int:
        assert self.listening is not None
        return self.listening.port

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def send(
        self, path: str, body: bytes | None = BODY, headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Answer:
        """Send one request on a connection of its own."""
        return send(self.port, path, body, headers, method)

    def feed(self, feed: str, body: bytes = BODY, **headers: str) -> Answer:
        """Send a message to a feed; ``_`` in a header's name stands for ``-``."""
        return self.send(f"/v1/feeds/{feed}", body, {name.replace("_", "-"): value for name, value in headers.items()})

    def page(self, path: str) -> Answer:
        """A page of metrics and health."""
        assert self.listening is not None
        return send(self.listening.health_port, path, None, None, "GET")

    def updates(self, count: int = 1) -> list[Message]:
        """What came back from sinks."""
        return read_records(self.bootstrap, f"{self.prefix}{SINK_UPDATES_TOPIC}", count)

    def records(self, feed: str, count: int = 1) -> list[Message]:
        """What is in a feed's topic."""
        return read_records(self.bootstrap, f"{self.prefix}alerts.raw.{feed}", count)

    def values(self, feed: str, count: int = 1) -> list[bytes]:
        return [message.value() or b"" for message in self.records(feed, count)]


def send(
    port: int, path: str, body: bytes | None = BODY, headers: Mapping[str, str] | None = None, method: str = "POST"
) -> Answer:
    connection = http.client.HTTPConnection(HOST, port, timeout=SECONDS_MAX)
    try:
        connection.request(method, path, body, dict(headers or {}))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()
