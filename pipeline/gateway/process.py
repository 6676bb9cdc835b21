"""A process that is a gateway: puts configuration, producer and server together, and ends when it is asked to.

SIGTERM and SIGINT: not ready any more, no new connections, every request that has come is answered, then the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry

from pipeline.core.privacy.redactor import Redactor
from pipeline.feeds import feeds_of
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.gateway.back import REQUESTS_BURST, REQUESTS_PER_SECOND, OpenSink, SinkDoor
from pipeline.gateway.door import Door, OpenFeed
from pipeline.gateway.fetch import SnsFetcher
from pipeline.gateway.guards import GatewayError, Guards, SecretOf
from pipeline.gateway.journal import Journal
from pipeline.gateway.keys import RecordKey
from pipeline.gateway.limits import Limits, TokenBucket
from pipeline.gateway.metrics import GatewayMetrics
from pipeline.gateway.pagerduty import Switchboard
from pipeline.gateway.producer import RawProducer
from pipeline.gateway.server import GatewayServer
from pipeline.gateway.traced import GatewayTraces
from pipeline.kafka.reach import UnreachableError
from pipeline.kafka.rights import RightsError
from pipeline.models.gateway import GatewayFeed, RoutingKeys
from pipeline.models.policy import Config, Feed
from pipeline.models.remote import SINK_UPDATES_TOPIC
from pipeline.models.sinks.base import TwoWay
from pipeline.runtime.health import HealthServer
from pipeline.runtime.process_metrics import expose_process
from pipeline.runtime.serving import Listening, serve_until_asked
from pipeline.runtime.trace_export import exporter_of
from pipeline.settings import Settings
from pipeline.sinks.updates import READERS, Reader

NAME: Final = "gateway"


def rules_of(config: Config) -> dict[str, tuple[Feed, GatewayFeed]]:
    """The feeds that take messages over HTTP, and how.

    Raises:
        GatewayError: there are none, and no sink takes any either.
    """
    rules = {name: (feed, feed.gateway) for name, feed in feeds_of(config).items() if feed.gateway is not None}
    if not rules and not back_rules(config):
        raise GatewayError(
            "no feed in feeds.yaml has a 'gateway:' section and no sink in sinks.yaml an 'updates:' section, so there "
            "is nothing to take in"
        )
    return rules


def back_rules(config: Config) -> dict[str, TwoWay]:
    """The sinks that take messages back over HTTP."""
    two_way = {name: sink for name, sink in config.sinks.items() if isinstance(sink, TwoWay)}
    return {name: sink for name, sink in two_way.items() if sink.updates is not None}


def open_sinks(rules: Mapping[str, TwoWay], guards: Guards, readers: Mapping[str, Reader]) -> dict[str, OpenSink]:
    """The sinks whose messages are taken.

    Raises:
        GatewayError: a secret is not of the form that its scheme needs, or a sink's type sends nothing back.
        SettingsError: a secret is not set.
    """
    sinks = {}
    for name, rule in rules.items():
        kind = str(getattr(rule, "type", ""))
        if kind not in readers or rule.updates is None:
            raise GatewayError(f"sink {name}: nothing comes back from type {kind}: take 'updates:' away")
        guard = guards.guard(name, rule.updates, "sink")
        rate = TokenBucket(REQUESTS_PER_SECOND, REQUESTS_BURST)
        sinks[name] = OpenSink(name=name, type=kind, rules=rule, guard=guard, reader=readers[kind], rate=rate)
    return sinks


def open_feeds(
    rules: Mapping[str, tuple[Feed, GatewayFeed]], settings: Settings, guards: Guards, redactor: Redactor | None = None
) -> tuple[dict[str, OpenFeed], Switchboard]:
    """The feeds, and which routing key leads to which.

    Raises:
        GatewayError: a secret is not of the form that its scheme needs.
        SettingsError: a secret is not set.
    """
    feeds, routing_keys = {}, {}
    for name, (feed, rule) in rules.items():
        by_key = isinstance(rule.auth, RoutingKeys)
        if isinstance(rule.auth, RoutingKeys):
            routing_keys[name] = guards.routing_keys(rule.auth)
        feeds[name] = OpenFeed(
            name=name,
            topic=settings.wire(RAW_TOPIC_PREFIX + name),
            rule=rule,
            guard=None if by_key else guards.guard(name, rule.auth),
            key=RecordKey(name, feed.adapter, rule.key),
            rate=TokenBucket(rule.requests_per_second, rule.burst),
            redactor=None if redactor is None else redactor.of_feed(name),
        )
    return feeds, _switchboard(routing_keys)


def _switchboard(routing_keys: Mapping[str, Sequence[bytes]]) -> Switchboard:
    owners: dict[bytes, str] = {}
    for feed, keys in routing_keys.items():
        for key in keys:
            if owners.setdefault(key, feed) != feed:
                raise GatewayError(f"feeds {owners[key]} and {feed} share a routing key, so it chooses neither")
    return Switchboard(routing_keys)


class Gateway:
    """A running gateway. Made inside a running event loop."""

    def __init__(
        self,
        settings: Settings,
        config: Config,
        secret_of: SecretOf,
        fetcher: SnsFetcher | None = None,
        limits: Limits | None = None,
        readers: Mapping[str, Reader] = READERS,
    ) -> None:
        """Read the secrets and connect; nothing listens yet.

        Args:
            settings: of the process.
            config: the feeds.
            secret_of: reads a secret.
            fetcher: asks SNS's hosts; by default over the internet.
            limits: of the process.
            readers: of what sinks send back, by type.

        Raises:
            GatewayError: the configuration cannot be used.
            SettingsError: a secret is not set.
        """
        rules = rules_of(config)
        self._settings = settings
        self._fetcher = fetcher or SnsFetcher()
        guards = Guards(secret_of, self._fetcher)
        redactor = Redactor(config.privacy, settings.privacy_key(config.privacy)) if config.privacy.redact else None
        words = None if redactor is None else redactor.of_commands()
        feeds, switchboard = open_feeds(rules, settings, guards, redactor)
        sinks = open_sinks(back_rules(config), guards, readers)
        back_topic = settings.wire(SINK_UPDATES_TOPIC)
        self._topics = frozenset((*(feed.topic for feed in feeds.values()), *([back_topic] if sinks else [])))
        registry = CollectorRegistry()
        expose_process(registry, NAME)
        self._metrics = GatewayMetrics(registry, (*feeds, *(sink.label for sink in sinks.values())))
        self._producer = RawProducer(settings, self._topics)
        self._metrics.kafka_up.set_function(lambda: self._producer.up)
        limits = limits or Limits()
        self._exporter = exporter_of(settings, NAME, registry)
        traces = GatewayTraces(self._exporter, settings.trace_ratio)
        door = Door(
            feeds, switchboard, SinkDoor(sinks, back_topic, self._producer, words), self._producer, limits, traces
        )
        self.server = GatewayServer(door, self._metrics, Journal(), limits)
        self.health = HealthServer(settings.http_port, registry, self.status)
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def status(self) -> Mapping[str, Mapping[str, object]]:
        """What the health page asks."""
        ready = self._producer.up and not self._stopping
        facts = {"ready": ready, "stalled_seconds": 0.0, "missing_topics": sorted(self._producer.missing)}
        return {NAME: {**facts, "kafka_up": self._producer.up, "in_flight": self.server.in_flight}}

    async def start(self, host: str, port: int) -> Listening:
        """Listen. Kafka may be away: requests are told so until it is back.

        Raises:
            GatewayError: a topic is missing, the brokers do not let us in, or the port is taken.
            HealthServerError: the health port is taken.
        """
        try:
            await self._producer.check()
        except (UnreachableError, RightsError) as error:
            raise GatewayError(str(error)) from None
        if self._producer.missing:
            missing = ", ".join(sorted(self._producer.missing))
            raise GatewayError(f"no topic {missing}: make it with `spillway topics apply`")
        self.health.start()
        self._tasks = [asyncio.create_task(self.health.beat()), asyncio.create_task(self._producer.watch())]
        try:
            bound = await self.server.start(host, port)
        except OSError as error:
            raise GatewayError(f"cannot listen on {host}:{port} ({error.strerror}): give another --listen") from error
        return Listening(host, bound, self.health.port)

    @property
    def in_flight(self) -> int:
        """Requests that are being answered."""
        return self.server.in_flight

    async def drain(self) -> None:
        """Take no more connections, and answer every request that has come."""
        self._stopping = True
        await self.server.stop()

    async def close(self) -> None:
        """Let go of everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._producer.close()
        await self._fetcher.close()
        self.health.stop()


async def serve(
    settings: Settings, config: Config, host: str, port: int, on_ready: Callable[[Listening], None]
) -> None:
    """Be a gateway until a signal asks to stop.

    Args:
        settings: of the process.
        config: the feeds.
        host: address to listen on.
        port: port to listen on; 0 for any free one.
        on_ready: called once it listens.

    Raises:
        GatewayError: it cannot start; the message says what to do.
        SettingsError: a secret is not set.
        HealthServerError: the health port is taken.
    """
    await serve_until_asked(
        lambda: Gateway(settings, config, settings.secret), NAME, host, port, on_ready, settings.stop_seconds
    )
