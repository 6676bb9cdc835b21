"""The gateway: requests a second, latency and CPU of what is acknowledged by the broker.

One process, as ``spillway gateway`` runs it, on the two cores that it shares with the broker and the load. Bodies are
an Alertmanager notification with one alert; the feed checks an HMAC over it. First as fast as 64 connections go, then
at a steady 2,000 requests a second. Wall-clock figures (rates, percentiles) mean something on a quiet machine alone;
CPU for each request means something anywhere.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec

from benchmarks.alerts import Flood, webhook
from benchmarks.broker import Broker, running_broker
from benchmarks.load import Answers, send
from benchmarks.machine import cpu_seconds, memory_peak_bytes
from benchmarks.results import BenchmarkError, Results, percentile, say, spread
from pipeline.gateway.producer import LINGER_MS, RawProducer
from pipeline.settings import Settings

SECONDS: Final = {"quick": 5.0, "full": 30.0}
WARM_UP_SECONDS: Final = 2.0
RATE: Final = 2_000.0
CONNECTIONS: Final = 64
PARTITIONS: Final = 4
START_SECONDS_MAX: Final = 60.0
PRODUCED: Final = {"quick": 10_000, "full": 50_000}
FEED: Final = "alertmanager"
TOPIC: Final = "alerts.raw.alertmanager"
SECRET: Final = "benchmark"  # noqa: S105  # of the gateway that is measured
FEEDS: Final = """\
alertmanager:
  gateway:
    auth: {scheme: hub-signature, secrets_env: [BENCHMARK_SECRET]}
    requests_per_second: 100000
    burst: 100000
"""
_LISTENING: Final = re.compile(r"taking messages on \S+:(\d+) ")
QUIET: Final = "rates and percentiles are to be taken on a quiet machine; CPU for each request is not"


def run(results: Results) -> None:
    """Both loads as often as the mode says, and the two producers beside each other."""
    with running_broker() as broker:
        broker.create({TOPIC: PARTITIONS})
        rows: dict[str, list[dict[str, Any]]] = {"as fast as it goes": [], f"{RATE:,.0f} requests/s": []}
        with gateway(broker) as (process, port):
            measured(broker, process, port, WARM_UP_SECONDS, None)
            for number in range(results.runs):
                for name, rate in zip(rows, (None, RATE), strict=True):
                    say(f"gateway: {name}, {SECONDS[results.mode]:g} s, run {number + 1}; {QUIET}")
                    rows[name].append(measured(broker, process, port, SECONDS[results.mode], rate))
        for name, runs in rows.items():
            varying = ("per_second", "p50_ms", "p99_ms", "max_ms", "cpu_us", "broker_cpu_us")
            figures = {figure: spread([each[figure] for each in runs]) for figure in varying}
            results.add("gateway", name, **{**runs[-1], **figures}, load_1m=round(os.getloadavg()[0], 2))
        for name, produce in (("confluent-kafka", with_confluent), ("aiokafka", with_aiokafka)):
            say(f"gateway: {name} alone, {PRODUCED[results.mode]} records")
            figures = asyncio.run(produced(produce, broker.bootstrap, PRODUCED[results.mode]))
            results.add("gateway", f"producer {name}", **figures)


@contextmanager
def gateway(broker: Broker) -> Iterator[tuple[int, int]]:
    """A gateway on the broker: its process id and its port."""
    with TemporaryDirectory() as directory:
        (Path(directory) / "feeds.yaml").write_text(FEEDS)
        settings = Settings(bootstrap=broker.bootstrap, config_dir=Path(directory), http_port=0)
        log = Path(directory) / "log"
        with log.open("w") as output:
            process = subprocess.Popen(  # our own command
                [sys.executable, "-m", "pipeline", "gateway", "--listen", "127.0.0.1:0"],
                env={**settings.to_environment(), "BENCHMARK_SECRET": SECRET},
                stderr=output,
            )
        try:
            yield process.pid, _port(process, log)
        finally:
            process.terminate()
            process.wait()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not (found := _LISTENING.search(log.read_text())):
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchmarkError(f"the gateway does not listen: {log.read_text()}")
        time.sleep(0.05)
    return int(found[1])


def _records(broker: Broker) -> int:
    """How many records the topic has."""
    latest: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    places = {TopicPartition(TOPIC, number): latest for number in range(PARTITIONS)}
    admin = broker.admin  # its requests end with it
    return sum(answer.result().offset for answer in admin.list_offsets(places).values())


def message() -> bytes:
    """An Alertmanager notification."""
    return webhook(next(iter(Flood(alerts=1, repeats=0.0).make())).alert)


def request(port: int) -> bytes:
    """One request with its signature."""
    body = message()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    head = (
        f"POST /v1/feeds/{FEED} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def measured(broker: Broker, process: int, port: int, seconds: float, rate: float | None) -> dict[str, Any]:
    """One load; figures, checked for completeness: accepted is in the topic."""
    before = _records(broker)
    used, broker_used, began = cpu_seconds(process), broker.cpu_seconds(), time.perf_counter()
    answers: Answers = asyncio.run(send(port, request(port), CONNECTIONS, seconds, rate))
    took = time.perf_counter() - began
    used, broker_used = cpu_seconds(process) - used, broker.cpu_seconds() - broker_used
    written = _records(broker) - before
    if answers.others or written != answers.accepted:
        raise BenchmarkError(f"{answers.accepted} accepted, {answers.others} not, {written} in the topic")
    waited = sorted(answers.seconds)
    return {
        "requests": answers.accepted,
        "per_second": round(answers.accepted / took),
        "p50_ms": round(percentile(waited, 0.5) * 1_000, 1),
        "p99_ms": round(percentile(waited, 0.99) * 1_000, 1),
        "max_ms": round(waited[-1] * 1_000, 1),
        "cpu_us": round(used / answers.accepted * 1e6),
        "broker_cpu_us": round(broker_used / answers.accepted * 1e6),
        "memory_peak_mib": round(memory_peak_bytes(process) / 2**20),
    }


Sender = Callable[[bytes], Awaitable[None]]
WithSender = Callable[[str, Callable[[Sender], Awaitable[None]]], Awaitable[None]]


async def produced(producer: WithSender, bootstrap: str, records: int) -> dict[str, Any]:
    """CPU of this process for records that are acknowledged one by one, 64 at a time."""
    body, figures = message(), {}

    async def work(sender: Sender) -> None:
        numbers = iter(range(records))

        async def keep_sending() -> None:
            for _ in numbers:
                await sender(body)

        used, began = time.process_time(), time.perf_counter()
        await asyncio.gather(*(keep_sending() for _ in range(CONNECTIONS)))
        figures["cpu_us"] = round((time.process_time() - used) / records * 1e6)
        figures["per_second"] = round(records / (time.perf_counter() - began))

    await producer(bootstrap, work)
    return {"requests": records, **figures}


async def with_confluent(bootstrap: str, work: Callable[[Sender], Awaitable[None]]) -> None:
    """The gateway's own producer."""
    producer = RawProducer(Settings(bootstrap=bootstrap), frozenset({TOPIC}))
    await producer.check()
    await work(lambda body: producer.send(TOPIC, None, body, []))
    await producer.close()


async def with_aiokafka(bootstrap: str, work: Callable[[Sender], Awaitable[None]]) -> None:
    """What it was chosen over."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=LINGER_MS)
    await producer.start()

    async def write(body: bytes) -> None:
        await producer.send_and_wait(TOPIC, body)

    await work(write)
    await producer.stop()
