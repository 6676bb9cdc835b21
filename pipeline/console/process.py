"""A process that is a console: puts configuration, store, Kafka and server together, and ends when it is asked to.

SIGTERM and SIGINT: not ready any more, streams end with a word when to come back, every request that has come is
answered, then the end. Store and Kafka may be away at the start and later: requests are told so until they are back.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Final

import uvicorn
from prometheus_client import CollectorRegistry
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from pipeline.console.app import create_app
from pipeline.console.around import Around
from pipeline.console.clock import RecordedClock, wall_ms
from pipeline.console.connections import CONNECTIONS_MAX, HEAD_BYTES_MAX, IDLE_SECONDS_MAX, Connection
from pipeline.console.context import Context
from pipeline.console.live import Live
from pipeline.console.maturity import MaturityMetrics, keep_fresh
from pipeline.console.metrics import ConsoleMetrics
from pipeline.console.overload import Overload
from pipeline.console.privacy import without_personal_data_in
from pipeline.console.security.metrics import expose
from pipeline.console.sender import CommandSender
from pipeline.kafka.reach import UnreachableError
from pipeline.kafka.rights import RightsError
from pipeline.models.policy import Config
from pipeline.records import receipts
from pipeline.records.address import async_engine_of, engine_of
from pipeline.records.migrations import StoreVersionError, migrate
from pipeline.runtime.guard import log_line
from pipeline.runtime.health import HealthServer
from pipeline.runtime.process_metrics import expose_process
from pipeline.runtime.serving import Listening, serve_until_asked
from pipeline.settings import Settings

NAME: Final = "console"

STORE_CONNECTIONS_MAX: Final = 16
"""Questions at once; PostgreSQL takes 100 connections as it comes, and the stages want some of them."""

CHECK_SECONDS: Final = 5.0
CHECK_DOWN_SECONDS: Final = 1.0
SWEEP_SECONDS: Final = 3_600.0
"""How often old receipts are dropped."""

BACKLOG: Final = 1_024


class ConsoleError(Exception):
    """The console cannot start; the message is one line and says what to do."""


class _Server(uvicorn.Server):
    """Signals are the process's business."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with nullcontext():
            yield


class Console:
    """A running console. Made inside a running event loop."""

    def __init__(self, settings: Settings, config: Config) -> None:
        """Describe it; nothing listens yet.

        Raises:
            ConsoleError: no records store is named.
            RecordsUrlError: its address cannot be used.
            SettingsError: rules of redaction need a key, and it is not set.
        """
        if settings.records_url is None:
            raise ConsoleError("no records store: set SPILLWAY_RECORDS_URL to the one that `spillway run` writes")
        self._settings = settings
        self._url = settings.records_url
        self._registry = CollectorRegistry()
        expose_process(self._registry, NAME)
        self.metrics = ConsoleMetrics(self._registry)
        expose(self._registry)
        self._maturity = MaturityMetrics(self._registry)
        self._clock = RecordedClock() if settings.clock == "recording" else None
        self._sender = CommandSender(settings, self._clock)
        self._engine = async_engine_of(self._url, STORE_CONNECTIONS_MAX)
        self._live = Live(self._url, self.metrics)
        commands = without_personal_data_in(self._sender, settings, config)
        self._overload = Overload()
        self.context = Context(
            settings,
            config,
            self._engine,
            commands,
            self._live,
            self.metrics,
            self._overload,
            self._clock or wall_ms,
        )
        self.around = Around(create_app(self.context), self.metrics)
        self.health = HealthServer(settings.http_port, self._registry, self.status)
        self._store_up = self._set_up = self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self.metrics.store_up.set_function(lambda: self._store_up)
        self.metrics.kafka_up.set_function(lambda: self._sender.writer.up)

    def status(self) -> Mapping[str, Mapping[str, object]]:
        """What the health page asks. Without Kafka it is ready: people can read, and are told so when they ask."""
        ready = self._store_up and self._set_up and not self._stopping
        writer = self._sender.writer
        facts = {"store_up": self._store_up, "kafka_up": writer.up, "missing_topics": sorted(writer.missing)}
        more = {"in_flight": self.around.in_flight, "listening_to_changes": self._live.up}
        return {NAME: {"ready": ready, "stalled_seconds": 0.0, **facts, **more}}

    async def start(self, host: str, port: int) -> Listening:
        """Listen.

        Raises:
            ConsoleError: the port is taken, or the brokers do not let us in.
            HealthServerError: the health port is taken.
        """
        bound = _bind(host, port)
        self.health.start()
        try:
            await asyncio.gather(self._check_store(), self._sender.writer.check())
        except (UnreachableError, RightsError) as error:
            raise ConsoleError(str(error)) from None
        self._server = _Server(_uvicorn(self.around))
        work = (self.health.beat(), self._sender.writer.watch(), self._watch_store(), self._live.run(), self._sweep())
        self._tasks = [asyncio.create_task(each) for each in (*work, keep_fresh(self.context, self._maturity))]
        if self._clock is None:
            self._tasks.append(asyncio.create_task(self._overload.watch(self._settings)))
        else:
            self._tasks.append(asyncio.create_task(self._clock.follow(self.context.ask)))
        self._serving = asyncio.create_task(self._server.serve([bound]))
        while not self._server.started:
            await asyncio.sleep(0)
            if self._serving.done():
                self._serving.result()
        return Listening(host, bound.getsockname()[1], self.health.port)

    @property
    def in_flight(self) -> int:
        """Requests that are being answered."""
        return self.around.in_flight

    async def drain(self) -> None:
        """Take no more connections, end the streams, and answer every request that has come."""
        self._stopping = True
        self._live.close()
        self._server.should_exit = True
        await self._serving

    async def close(self) -> None:
        """Let go of everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sender.writer.close()
        await self._engine.dispose()
        self.health.stop()

    async def _check_store(self) -> None:
        try:
            if not self._set_up:
                await asyncio.to_thread(_migrate, self._url)
                self._set_up = True
            await self.context.ask(lambda connection: connection.execute(text("SELECT 1")))
        except (SQLAlchemyError, StoreVersionError) as error:
            self._store_is(False, error=type(error).__name__)
        else:
            self._store_is(True)

    def _store_is(self, up: bool, **facts: str) -> None:
        if up != self._store_up:
            log_line("console store", up=up, **facts)
        self._store_up = up

    async def _watch_store(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS if self._store_up else CHECK_DOWN_SECONDS)
            await self._check_store()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            before = datetime.fromtimestamp(self.context.now_ms() / 1_000, UTC) - receipts.KEPT
            try:
                dropped = await self.context.write(partial(receipts.forget, before=before))
                log_line("console receipts dropped", receipts=dropped)
            except SQLAlchemyError as error:
                log_line("console receipts not dropped", error=type(error).__name__)


def _migrate(url: str) -> None:
    engine = engine_of(url)
    try:
        migrate(engine)
    finally:
        engine.dispose()


def _bind(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConsoleError(f"cannot listen on {host}:{port} ({error.strerror}): give another --listen") from error


def _uvicorn(around: Around) -> uvicorn.Config:
    return uvicorn.Config(
        around,
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=IDLE_SECONDS_MAX,
        h11_max_incomplete_event_size=HEAD_BYTES_MAX,
    )


async def serve(
    settings: Settings, config: Config, host: str, port: int, on_ready: Callable[[Listening], None]
) -> None:
    """Be a console until a signal asks to stop.

    Args:
        settings: of the process.
        config: of the company.
        host: address to listen on.
        port: port to listen on; 0 for any free one.
        on_ready: called once it listens.

    Raises:
        ConsoleError: it cannot start; the message says what to do.
        HealthServerError: the health port is taken.
    """
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    await serve_until_asked(lambda: Console(settings, config), NAME, host, port, on_ready, settings.stop_seconds)
