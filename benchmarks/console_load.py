"""Clients of the console that ask one after the other, each with arguments of its own, and how long answers took."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, Final

from benchmarks.console_process import Console
from benchmarks.results import BenchmarkError, percentile

TIMEOUT_SECONDS: Final = 60.0
HTTP_OK: Final = (200, 202)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: method, path, and a body with further headers."""

    path: str
    method: str = "GET"
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()


Ask = Callable[[random.Random], Asked]


def measured(console: Console, ask: Ask, *, clients: int, requests: int, seed: int) -> dict[str, Any]:
    """Time so many requests of each of some clients at once; milliseconds, and the bytes of a median answer.

    Raises:
        BenchmarkError: one was refused; the message has the answer.
    """
    with ThreadPoolExecutor(clients) as pool:
        parts = list(pool.map(lambda number: _client(console, ask, requests, seed + number, number), range(clients)))
    times = sorted(each for part, _ in parts for each in part)
    sizes = sorted(each for _, part in parts for each in part)
    return {
        "requests": len(times),
        **{f"p{share * 100:.0f}_ms": round(percentile(times, share) * 1_000, 1) for share in (0.5, 0.95, 0.99)},
        "max_ms": round(times[-1] * 1_000, 1),
        "answer_bytes": sizes[len(sizes) // 2],
    }


def _client(console: Console, ask: Ask, requests: int, seed: int, number: int) -> tuple[list[float], list[int]]:
    numbers = random.Random(seed)  # noqa: S311  # the same requests each time
    connection = HTTPConnection("127.0.0.1", console.port, timeout=TIMEOUT_SECONDS)
    authorization = {"Authorization": f"Bearer {console.tokens[number % len(console.tokens)]}"}
    times, sizes = [], []
    try:
        for _ in range(requests):
            asked = ask(numbers)
            began = time.perf_counter()
            connection.request(asked.method, asked.path, asked.body, authorization | dict(asked.headers))
            answer = connection.getresponse()
            body = answer.read()
            times.append(time.perf_counter() - began)
            sizes.append(len(body))
            if answer.status not in HTTP_OK:
                raise BenchmarkError(f"{asked.method} {asked.path}: {answer.status} {body[:300]!r}")
    finally:
        connection.close()
    return times, sizes
