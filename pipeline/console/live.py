"""Changes as they happen: one connection listens to PostgreSQL, every client of the stream hears what it may see.

A client that is slow gets the newest of each incident and never a queue without end. One that was away for a while
names the last event it saw and gets what came since, or is told to read all anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import uuid4
from weakref import WeakSet

import orjson
import psycopg
from fastapi.sse import format_sse_event
from sqlalchemy import make_url

from pipeline.console.identity import Identity, Scope
from pipeline.console.metrics import ConsoleMetrics
from pipeline.records.changes import CHANNEL, Changed, read_changes
from pipeline.runtime.guard import log_line

RING_CHANGES_MAX: Final = 10_000
"""What is remembered for clients that come back: minutes of a storm, hours of a quiet day."""

NEWS_MAX: Final = 2_000
"""Incidents that one client is told of at once; with more it reads all anew, which is cheaper for it as well."""

STREAMS_MAX: Final = 1_000
STREAMS_OF_ONE_MAX: Final = 20
"""Of one person: as many tabs as anybody has open; a script in a loop ends here."""

FLUSH_SECONDS: Final = 0.25
"""Changes within it go to a client together: people see no difference, and 500 clients cost 2,000 writes a second."""

COMMENT_SECONDS: Final = 15.0
"""Proxies cut connections that are silent for 30 seconds and more."""

_NEVER: Final = -1
"""Before every change."""

RETRY_MS: Final = 2_000
RECONNECT_SECONDS: Final = 1.0
RECONNECT_SECONDS_MAX: Final = 15.0

LISTENING: Final = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "connect_timeout": "5",
}
"""A connection that only listens would not notice that the other side is gone."""


class _Frame(NamedTuple):
    number: int
    changed: Changed
    text: bytes


@dataclass(slots=True, eq=False, weakref_slot=True)
class Client:
    """One that listens.

    Attributes:
        who: as somebody; the door ends the stream of one who may hear no more.
        incident_id: to one incident; None: to all that he may see.
        seen: number of the last change that it was told, or that is none of its business.
        ended: it hears nothing more.
    """

    who: Identity
    incident_id: str | None
    seen: int
    ended: bool = False


class TooManyStreamsError(Exception):
    """More listen than there may. ``own``: of the same person."""

    def __init__(self, *, own: bool) -> None:
        super().__init__("streams of one person" if own else "streams")
        self.own = own


class Live:
    """The changes of one process.

    Attributes:
        up: it listens to the store.
    """

    def __init__(self, url: str, metrics: ConsoleMetrics) -> None:
        """Describe it; `run` connects.

        Args:
            url: of the records store.
            metrics: counts.
        """
        self.up = False
        address = make_url(url).set(drivername="postgresql").update_query_dict(LISTENING)
        self._url = address.render_as_string(hide_password=False)
        self._metrics = metrics
        self._clients: set[Client] = set()
        # Those that are to be served in a moment, too: a hundred that come at once count as a hundred. One that goes
        # before it is served is forgotten with its request.
        self._opened: WeakSet[Client] = WeakSet()
        self._ring: deque[_Frame] = deque(maxlen=RING_CHANGES_MAX)
        self._forgotten = 0
        self._pieces: dict[tuple[Scope, str | None, int], bytes | None] = {}
        self._boot = uuid4().hex[:8]
        self._number = 0
        self._tick = asyncio.Event()
        self._planned: asyncio.TimerHandle | None = None
        self._told_at = 0.0
        self._closed = False
        metrics.streams.set_function(lambda: len(self._clients))

    def close(self) -> None:
        """End all streams: the process stops."""
        self._closed = True
        for client in self._clients:
            client.ended = True
        self._wake()

    def open(self, who: Identity, incident_id: str | None) -> Client:
        """A new client; `stream` serves it.

        Raises:
            TooManyStreamsError: it would be one too many.
        """
        if len(self._opened) >= STREAMS_MAX:
            raise TooManyStreamsError(own=False)
        if sum(each.who.subject == who.subject for each in self._opened) >= STREAMS_OF_ONE_MAX:
            raise TooManyStreamsError(own=True)
        client = Client(who, incident_id, self._number, ended=self._closed)
        self._opened.add(client)
        return client

    async def stream(self, client: Client, last_event_id: str | None) -> AsyncIterator[bytes]:
        """What a client is sent, piece by piece, until it goes or is ended.

        Args:
            client: of `open`.
            last_event_id: of the last event that it saw before; None: it begins.
        """
        self._clients.add(client)
        self._opened.add(client)
        client.ended = self._closed
        try:
            yield format_sse_event(comment="changes", retry=RETRY_MS)
            if last_event_id:
                client.seen = self._number_of(last_event_id)
            while not client.ended:
                tick = self._tick
                if (piece := self._piece(client)) is not None:
                    yield piece
                    continue
                try:
                    async with asyncio.timeout(COMMENT_SECONDS):
                        await tick.wait()
                except TimeoutError:
                    yield format_sse_event(comment="still here")
            yield format_sse_event(comment="the end", retry=RETRY_MS)
        finally:
            self._clients.discard(client)
            self._opened.discard(client)

    def _piece(self, client: Client) -> bytes | None:
        """What a client has not seen: the newest of each incident. Those who may see the same share the work."""
        if client.seen == self._number:
            return None
        key = (client.who.scope, client.incident_id, client.seen)
        client.seen = self._number
        if key not in self._pieces:
            self._pieces[key] = self._news(*key)
        return self._pieces[key]

    def _news(self, scope: Scope, incident_id: str | None, seen: int) -> bytes | None:
        newest: dict[str, _Frame] = {}
        for frame in reversed(self._ring if seen >= self._forgotten else ()):
            if frame.number <= seen:
                break
            changed = frame.changed
            if incident_id in (None, changed.id) and (scope is None or not scope.isdisjoint(changed.domains)):
                newest.setdefault(changed.id, frame)
        if seen < self._forgotten or len(newest) > NEWS_MAX:
            self._metrics.resets.inc()
            return format_sse_event(event="reset", data_str="{}", id=self._id(self._number))
        return b"".join(frame.text for frame in reversed(newest.values())) or None

    def _number_of(self, last_event_id: str) -> int:
        """The number of an event; of one that is not ours, before all that is remembered."""
        boot, _, number = last_event_id.partition("-")
        known = boot == self._boot and number.isdecimal() and number.isascii() and len(number) < 20
        return int(number) if known and int(number) <= self._number else _NEVER

    def _id(self, number: int) -> str:
        return f"{self._boot}-{number}"

    def _hear(self, payload: str) -> None:
        for changed in read_changes(payload):
            self._number += 1
            told = {name: value for name, value in changed._asdict().items() if name != "domains"}
            text = format_sse_event(event="changed", data_str=orjson.dumps(told).decode(), id=self._id(self._number))
            if len(self._ring) == RING_CHANGES_MAX:
                self._forgotten = self._ring[0].number
            self._ring.append(_Frame(self._number, changed, text))
            self._metrics.changes.inc()
        if self._planned is None:
            loop = asyncio.get_running_loop()
            self._planned = loop.call_at(max(loop.time(), self._told_at + FLUSH_SECONDS), self._wake)

    def _lost(self) -> None:
        """Changes may have been missed: nobody's last event is worth anything, and all read anew."""
        self._ring.clear()
        self._boot, self._number = uuid4().hex[:8], 1
        self._forgotten = self._number
        for client in self._clients:
            client.seen = _NEVER
        self._wake()

    def _wake(self) -> None:
        """Let every client look."""
        self._planned = None
        self._told_at = asyncio.get_running_loop().time()
        self._pieces.clear()
        tick, self._tick = self._tick, asyncio.Event()
        tick.set()

    async def run(self) -> None:
        """Listen to the store until cancelled."""
        wait = RECONNECT_SECONDS
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self._set_up(True)
                    wait = RECONNECT_SECONDS
                    self._lost()
                    async for notification in connection.notifies():
                        self._hear(notification.payload)
            except psycopg.Error as error:
                self._set_up(False, error=type(error).__name__)
            await asyncio.sleep(wait)
            wait = min(2 * wait, RECONNECT_SECONDS_MAX)

    def _set_up(self, up: bool, **facts: str) -> None:
        if up != self.up:
            log_line("console listens to the store", up=up, **facts)
        self.up = up
