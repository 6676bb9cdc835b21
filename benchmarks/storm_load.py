"""Who sends in a storm, each as a process of its own: a runaway source that repeats itself, and well-behaved ones.

Messages are encoded beforehand, so that a sender costs little beside what is measured. Everything is stamped with the
machine's clock, which all processes share.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from random import Random
from typing import Any, Final, NamedTuple, Self

from confluent_kafka import Producer

from benchmarks.alerts import alert_of, timestamp, webhook

RUNAWAY: Final = "runaway"
NORMAL: Final = "alertmanager"
FEEDS: Final = (RUNAWAY, NORMAL)
TICK_SECONDS: Final = 0.01
"""Messages of one tick are sent together: at ten times capacity a sleep for each would be the load."""

QUEUED_MESSAGES_MAX: Final = 500_000
FLUSH_SECONDS_MAX: Final = 120.0
STARTED_SECONDS_MAX: Final = 60.0


class Message(NamedTuple):
    """One message for a feed's raw topic."""

    key: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Load:
    """What one sender sends.

    Attributes:
        feed: whose raw topic.
        rate: messages a second.
        seconds: how long.
        conditions: how many it repeats in random order; 0: every message is a new condition.
        services: size of the company.
        first_condition: number of its first condition; loads must not share any.
        vital: numbers of the vital services whose failure it reports, evenly over the time (`vital_message`).
        seed: of the order.
    """

    feed: str
    rate: float
    seconds: float
    conditions: int
    services: int
    first_condition: int = 0
    vital: range = range(0)
    seed: int = 7

    @property
    def messages(self) -> int:
        """How many it sends, vital ones among them."""
        return int(self.rate * self.seconds)


def message_of(condition: int, services: int, began_ms: int) -> Message:
    """The message of one firing condition; the same bytes each time, as Alertmanager repeats an alert."""
    fingerprint, alert = alert_of(condition, services, began_ms, None)
    alert["labels"]["severity"] = ("warning", "info")[condition % 2]  # what matters is told apart: `vital_message`
    return Message(fingerprint, webhook(alert))


def vital_name(number: int) -> str:
    """A service of tier 1 that needs nothing and that nothing needs: its failure is an incident of its own, a P1."""
    return f"vital-{number}"


def vital_message(number: int, now_ms: int) -> Message:
    """The first message about the failure of a vital service."""
    name = vital_name(number)
    alert: dict[str, Any] = {
        "status": "firing",
        "labels": {"alertname": "Down", "service": name, "severity": "critical", "instance": f"{name}:443"},
        "annotations": {"summary": f"{name} does not answer", "description": f"{name} has failed three probes in turn"},
        "startsAt": timestamp(now_ms),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "https://prometheus.corp.example/graph?g0.expr=up",
        "fingerprint": f"{number:016x}",
    }
    return Message(f"{number:016x}", webhook(alert))


RUNAWAY_NICE: Final = 10
"""It stands for machines of others: here it has what the worker leaves (the broker has a session of its
own), and what it really sent is told."""


class Sender:
    """A process that sends one load; it begins when told, and says what it sent."""

    def __init__(self, bootstrap: str, load: Load) -> None:
        context = multiprocessing.get_context("spawn")
        self.load = load
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(bootstrap, load, theirs), daemon=True)
        self._process.start()

    def __enter__(self) -> Self:
        return self

    def wait_ready(self) -> None:
        """Return when its messages are made."""
        if not self._ours.poll(STARTED_SECONDS_MAX):
            raise TimeoutError(f"the sender of {self.load.feed} did not start")
        self._ours.recv()

    def begin(self) -> None:
        """Let it send."""
        self._ours.send("go")

    def done(self) -> bool:
        """Whether it has sent everything."""
        return self._ours.poll(0)

    def sent(self) -> dict[int, float]:
        """Wait for its end: number of each vital service -> when its failure was sent, seconds since the epoch."""
        return dict(self._ours.recv())

    def __exit__(self, *_: object) -> None:
        if self._process.is_alive():
            self._process.terminate()
        self._process.join()


def _run(bootstrap: str, load: Load, pipe: Connection) -> None:
    if load.feed == RUNAWAY:
        os.nice(RUNAWAY_NICE)
    messages = _prepared(load)
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 5,
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": QUEUED_MESSAGES_MAX,
            "queue.buffering.max.kbytes": 1_048_576,
        }
    )
    pipe.send("ready")
    pipe.recv()
    sent = _send(producer, load, messages)
    producer.flush(FLUSH_SECONDS_MAX)
    pipe.send(sent)
    pipe.recv()  # until we are ended: what was sent is read before


def _prepared(load: Load) -> Sequence[Message]:
    began_ms = int(time.time() * 1000)
    count = load.conditions or load.messages
    return [message_of(load.first_condition + number, load.services, began_ms) for number in range(count)]


def _order(load: Load) -> Iterator[int]:
    """Which message comes next: each once at first, then at random."""
    random, count = Random(load.seed), load.conditions or load.messages  # noqa: S311  # repeatable, not secret
    yield from range(count)
    while True:
        yield random.randrange(count)


def _send(producer: Producer, load: Load, messages: Sequence[Message]) -> dict[int, float]:
    """Send on time, or as fast as it goes where that is slower; vital messages take their place evenly."""
    topic, order, sent, done = f"alerts.raw.{load.feed}", _order(load), dict[int, float](), 0
    apart = load.messages / max(1, len(load.vital))
    due_vital = {int((place + 0.5) * apart): number for place, number in enumerate(load.vital)}
    began = time.monotonic()
    while done < load.messages:
        due = min(load.messages, int((time.monotonic() - began) * load.rate) + 1)
        while done < due:
            message = messages[next(order)]
            if (vital := due_vital.get(done)) is not None:
                sent[vital] = now = time.time()
                message = vital_message(vital, int(now * 1000))
            while True:
                try:
                    producer.produce(topic, message.value, key=message.key)
                    break
                except BufferError:
                    producer.poll(0.05)
            done += 1
        producer.poll(0)
        time.sleep(max(0.0, min(TICK_SECONDS, began + done / load.rate - time.monotonic())))
    return sent
