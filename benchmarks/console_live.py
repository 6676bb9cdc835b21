"""Streams of changes: many who listen at once, and how long a change takes from the store to all of them."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import Any, Final

import orjson

from benchmarks.console_process import Console
from benchmarks.machine import memory_bytes
from benchmarks.results import BenchmarkError, percentile
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.records.store import RecordsStore

CONNECT_SECONDS_MAX: Final = 60.0
SETTLE_SECONDS: Final = 3.0

# Of so many streams each change is timed; the others are read and counted, so that the clients leave room to measure.
TIMED: Final = 25


class _Stream(asyncio.Protocol):
    """One who listens."""

    def __init__(self, request: bytes, arrivals: list[tuple[str, float]] | None, begun: asyncio.Queue[None]) -> None:
        self._request, self._arrivals, self._begun = request, arrivals, begun
        self.bytes = 0
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # a TCP connection
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.bytes:
            self._begun.put_nowait(None)
        self.bytes += len(data)
        if self._arrivals is None:
            return
        at = time.monotonic()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data: {"):
                told = orjson.loads(line[6:])
                self._arrivals.append((f"{told['id']}/{told['revision']}", at))


def _itself(stream: _Stream) -> _Stream:
    return stream


def streams(console: Console, url: str, ids: list[str], *, clients: int, rate: float, seconds: float) -> dict[str, Any]:
    """Let so many listen while incidents change at a steady rate; delays from before the write to the arrival."""
    return asyncio.run(_listened(console, url, ids, clients, rate, seconds))


async def _listened(
    console: Console, url: str, ids: list[str], clients: int, rate: float, seconds: float
) -> dict[str, Any]:
    loop, begun = asyncio.get_running_loop(), asyncio.Queue[None]()
    arrivals: list[tuple[str, float]] = []
    before = memory_bytes(console.process)
    opened = []
    for number in range(clients):
        token = console.tokens[number % len(console.tokens)]
        request = f"GET /api/v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        stream = _Stream(request, arrivals if number < TIMED else None, begun)
        transport, _ = await loop.create_connection(partial(_itself, stream), "127.0.0.1", console.port)
        opened.append(transport)
    for _ in range(clients):
        await asyncio.wait_for(begun.get(), CONNECT_SECONDS_MAX)
    await asyncio.sleep(SETTLE_SECONDS)
    written: dict[str, float] = {}
    await asyncio.to_thread(_change, url, ids, rate, seconds, written)
    await asyncio.sleep(SETTLE_SECONDS)
    memory = memory_bytes(console.process)
    for transport in opened:
        transport.close()
    delays = sorted(at - written[name] for name, at in arrivals if name in written)
    if not delays:
        raise BenchmarkError("no stream was told of any change")
    return {
        "streams": clients,
        "changes": len(written),
        "changes_per_second": rate,
        "told_share": round(len(delays) / (len(written) * min(TIMED, clients)), 3),
        **{f"delay_p{share * 100:.0f}_ms": round(percentile(delays, share) * 1_000, 1) for share in (0.5, 0.95, 0.99)},
        "memory_mib": round(memory / 2**20),
        "stream_kib": round((memory - before) / clients / 1_024, 1),
    }


def _change(url: str, ids: list[str], rate: float, seconds: float, written: dict[str, float]) -> None:
    """Write revisions as the record stage does, one at a time at a steady rate."""
    store = RecordsStore(url)
    snapshots = {each: store.incident(each) for each in ids}
    began, pause = time.monotonic(), threading.Event()
    for number in range(int(rate * seconds)):
        incident_id = ids[number % len(ids)]
        snapshot = snapshots[incident_id] or {}
        snapshot["revision"] = int(snapshot.get("revision", 0)) + 1
        now_ms = int(time.time() * 1_000)
        event = IncidentEvent(incident_id, snapshot["revision"], "updated", now_ms, [], snapshot)
        pause.wait(max(0.0, began + number / rate - time.monotonic()))
        written[f"{incident_id}/{snapshot['revision']}"] = time.monotonic()
        store.project([event])
    store.close()
