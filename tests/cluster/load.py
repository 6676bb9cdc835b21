"""The load of a run: a company's alerts to Kafka at a steady rate, some to the gateway, and timed ones among both.

A timed alert is about a machine that the catalogue does not list, so that it opens an incident of its own. It is
timed from the moment in which it was due to the one in which a reader of committed records has its incident.
"""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Self

import orjson
from confluent_kafka import Consumer

from benchmarks.corpus import about_stranger, raw
from pipeline.flow import RAW_TOPIC_PREFIX
from tests.faults.corpus import SPACES, Corpus, Sent
from tests.faults.site import Digest, Site, digest, now_ms
from tests.support import wait_until

STEP_MS: Final = 50
"""Between two records of the company: 20 a second."""
TIMED_SECONDS: Final = 0.1
"""Between two timed alerts to Kafka: 10 a second."""
POSTED_SECONDS: Final = 0.5
"""Between two timed alerts to the gateway: 2 a second."""
POST_SECONDS_MAX: Final = 120.0
"""How long a sender tries, as Alertmanager does with its notifications."""
POST_PAUSE_SECONDS: Final = 0.2
ANSWER_SECONDS_MAX: Final = 10.0
ARRIVE_SECONDS_MAX: Final = 120.0
ACCEPTED: Final = 202
TOKEN: Final = "only-for-tests"


@dataclass(slots=True)
class Timed:
    """When each timed alert was due and its incident seen, seconds of the monotonic clock.

    Attributes:
        due: machine -> when it was sent; ``seen`` likewise.
        opened: machine -> how many incidents were opened for it.
    """

    due: dict[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    opened: dict[str, int] = field(default_factory=dict)

    def delays(self, begin: float = 0.0, end: float = float("inf")) -> list[float]:
        """Seconds of those that were due in a span of time, sorted; of one that never came: without end."""
        return sorted(
            self.seen.get(machine, float("inf")) - at for machine, at in self.due.items() if begin <= at <= end
        )

    def all_within(self, seconds: float, since: float) -> bool:
        """Whether each that was due since a moment, until so many seconds ago, came within these; none: no."""
        until = time.monotonic() - seconds
        delays = [
            self.seen.get(machine, float("inf")) - at for machine, at in list(self.due.items()) if since <= at <= until
        ]
        return bool(delays) and max(delays) <= seconds

    def arrived(self) -> bool:
        return self.due.keys() <= self.seen.keys()


class Load:
    """All senders and the reader, for the time of a ``with`` block.

    Attributes:
        timed: what is timed.
        posted: bodies that the gateway said it has.
        refused: answers and errors of the gateway that made a sender try again.
    """

    def __init__(self, site: Site, seed: int, doors: Callable[[], list[int]]) -> None:
        """Describe it.

        Args:
            site: where it flows into.
            seed: of everything but time.
            doors: ports of gateways that take requests now.
        """
        self.timed = Timed()
        self.posted: list[bytes] = []
        self.refused: list[str] = []
        self._site, self._seed, self._doors = site, seed, doors
        self._stop, self._end = threading.Event(), threading.Event()
        self._sending = threading.Lock()
        self._machines = count()
        self._pool = ThreadPoolExecutor(4)
        self._tasks: list[Future[None]] = []

    def __enter__(self) -> Self:
        self._reader = self._pool.submit(self._read)
        self._tasks = [self._pool.submit(each) for each in (self._flow, self._time, self._post)]
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._stop.set()
        try:
            for task in self._tasks:
                task.result()
            if kind is None:
                self._site.flush()
                wait_until(self.timed.arrived, ARRIVE_SECONDS_MAX, "the incident of every timed alert")
        finally:
            self._end.set()
            self._reader.result()
            self._pool.shutdown()

    def check(self) -> None:
        """Raise what has ended a sender or the reader."""
        for task in (*self._tasks, self._reader):
            if task.done():
                task.result()

    def _flow(self) -> None:
        for record in Corpus(self._seed, self._site.settings.partitions, now_ms(), STEP_MS, conditions=120):
            if self._stop.wait(max(0.0, record.timestamp_ms / 1_000 - time.time())):
                return
            self._send(record)

    def _send(self, record: Sent) -> None:
        with self._sending:
            self._site.send([record])

    def _time(self) -> None:
        begin = time.monotonic()
        for number in count():
            due = begin + number * TIMED_SECONDS
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return
            machine, value = self._stranger()
            self.timed.due[machine] = due
            partition = number % self._site.settings.partitions
            self._send(Sent(RAW_TOPIC_PREFIX + "alertmanager", partition, None, value, now_ms()))

    def _post(self) -> None:
        begin = time.monotonic()
        for number in count():
            due = begin + number * POSTED_SECONDS
            if self._stop.wait(max(0.0, due - time.monotonic())):
                return
            machine, value = self._stranger()
            self.timed.due[machine] = time.monotonic()
            self._post_until_taken(number, value)

    def _post_until_taken(self, number: int, value: bytes) -> None:
        deadline = time.monotonic() + POST_SECONDS_MAX
        for attempt in count():
            doors = self._doors()
            said = _post(doors[(number + attempt) % len(doors)], value) if doors else "no endpoint"
            if said == "":
                self.posted.append(value)
                return
            self.refused.append(said)
            assert time.monotonic() < deadline, f"the gateway took a message not within {POST_SECONDS_MAX:g} s: {said}"
            time.sleep(POST_PAUSE_SECONDS)

    def _stranger(self) -> tuple[str, bytes]:
        number = next(self._machines)
        labels = about_stranger(number) | {"environment": SPACES[number % len(SPACES)], "severity": "critical"}
        return f"vm-{number}", raw(number, labels, now_ms()).value or b""

    def _read(self) -> None:
        """Note when each timed incident is seen."""
        site = self._site
        consumer = Consumer(
            {
                "bootstrap.servers": site.settings.bootstrap,
                "group.id": f"{site.settings.app_id}-watch",
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )
        consumer.subscribe([site.settings.wire("incidents")])
        while not self._end.is_set():
            for message in consumer.consume(500, timeout=0.01):
                at = time.monotonic()
                if message.error() is None and (machine := opened_machine(message.value() or b"")):
                    self.timed.seen.setdefault(machine, at)
                    self.timed.opened[machine] = self.timed.opened.get(machine, 0) + 1
        consumer.close()


def opened_machine(value: bytes) -> str | None:
    """The machine whose incident an event opens, if it does."""
    if b"vm-" not in value or b'"opened"' not in value:
        return None
    event = orjson.loads(value)
    words = str(event["incident"]["title"]).split() if event["change"] == "opened" else ()
    return next((word.rstrip(":") for word in words if word.startswith("vm-")), None)


def _post(port: int, value: bytes) -> str:
    """Send one message; what went wrong, or nothing."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/feeds/alertmanager", data=value, headers={"Authorization": f"Bearer {TOKEN}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS_MAX) as answer:  # noqa: S310
            return "" if answer.status == ACCEPTED else f"HTTP {answer.status}"
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}"
    except OSError as error:
        return type(getattr(error, "reason", error)).__name__


def adopt(site: Site, load: Load) -> dict[str, int]:
    """Compare what the raw topics hold with what was sent and posted, and make it what the checker starts from.

    Every record that was acknowledged must be there. One may be there twice where its sender was told nothing, or a
    refusal, and sent it again: that is an input like any other, which dedupe takes for a repeat.

    Returns:
        ``missing``, ``foreign`` and ``twice``: how many records.
    """
    counts = {"missing": 0, "foreign": 0, "twice": 0}
    posted = dict.fromkeys(load.posted, 0)
    for place, records in site.read([topic for topic in site.counts if topic.startswith(RAW_TOPIC_PREFIX)]).items():
        wanted: dict[Digest, int] = {}
        for name in site.sent[place]:
            wanted[name] = wanted.get(name, 0) + 1
        there: list[Digest] = []
        for record in records:
            name = digest(record.key, record.value, record.timestamp, record.headers)
            if wanted.get(name):
                wanted[name] -= 1
            elif record.value in posted:
                posted[record.value] += 1
                counts["twice"] += posted[record.value] > 1
            else:
                counts["twice" if name in wanted else "foreign"] += 1
            there.append(name)
        lost = [name for name, left in wanted.items() for _ in range(left) if name not in site.doubtful]
        counts["missing"] += len(lost)
        site.sent[place] = there
    counts["missing"] += sum(not found for found in posted.values())
    return counts
