"""A storm of 1,000 incidents into a sink that takes one request a second, beside one that takes all.

One worker hosts deliver, as ``spillway run deliver`` does, on a real broker; both sinks are webhooks of a real HTTP
server. All incidents open at once, one in fifty of them the most urgent; one in ten has five updates more. In the
middle some of the least urgent that still wait become most urgent. Measured: in which order they are told, how long an
incident that becomes urgent waits, what the metrics show of the backlog, memory, and whether the other sink is delayed.
Quick runs take 50 requests a second.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.broker import Broker, fresh_name, running_broker
from benchmarks.machine import memory_bytes
from benchmarks.receiver import Arrival, Receiver, receiving
from benchmarks.results import BenchmarkError, Results, percentile, say
from benchmarks.worker import Worker, settings_for
from pipeline.catalog import load_config
from pipeline.core.identity import partition_of
from pipeline.kafka.topics import apply, desired_topics, plan

INCIDENTS: Final = 1_000
RATE: Final = {"quick": 50.0, "full": 1.0}
PARTITIONS: Final = 4
UPDATED_EVERY: Final = 10
UPDATES: Final = 5
RISING: Final = 20
"""Incidents that become most urgent in the middle."""

SHARES: Final = ((0.02, 0), (0.1, 1), (0.4, 2), (1.0, 3))
"""Up to this share of the incidents have this rank."""

# Sinks of one secret would share its rate.
SINKS: Final = """\
slow:
  url: http://127.0.0.1:{port}/slow
  secret_env: BENCHMARK_SECRET
  requests_per_second: {rate:g}
  burst: 1
quick:
  url: http://127.0.0.1:{port}/quick
  secret_env: OTHER_SECRET
"""
SECRET: Final = "whsec_YmVuY2htYXJrYmVuY2htYXJrYmVuY2htYXJr"  # noqa: S105  # of the receiver that is measured
WATCH_SECONDS: Final = 0.5
PATIENCE: Final = 1.5
"""A run may take so many times what the rate allows, and half a minute."""


def run(results: Results) -> None:
    """The storm beside a slow sink, and the quick sink alone to compare with."""
    rate = RATE[results.mode]
    with running_broker() as broker:
        say(f"sinks: {INCIDENTS} incidents, the quick sink alone")
        alone = storm(broker, rate, with_slow=False)
        say(f"sinks: {INCIDENTS} incidents into {rate:g} requests/s, about {1.2 * INCIDENTS / rate / 60:.1f} minutes")
        beside = storm(broker, rate, with_slow=True)
    results.add("sinks", "quick sink alone", **alone.quick())
    results.add("sinks", f"{rate:g} requests/s", requests_per_second=rate, **beside.slow(), **beside.quick())


@dataclass
class Storm:
    """What was put in and what was seen."""

    began: float
    ranks: dict[str, int]
    newest: dict[str, int]
    risen: dict[str, float] = field(default_factory=dict)
    """Incident that became most urgent -> when."""
    arrivals: list[Arrival] = field(default_factory=list)
    backlog: list[tuple[float, float]] = field(default_factory=list)
    """What the metrics showed: sends that wait for the slow sink, and the age of the oldest."""
    memory: list[int] = field(default_factory=list)

    def told(self, sink: str) -> list[Arrival]:
        """What a sink took."""
        return [each for each in self.arrivals if each.sink == sink and each.status == 200]  # HTTP

    def quick(self) -> dict[str, Any]:
        """Of the sink without a limit: when the last revision of each incident was there."""
        last = {each.incident_id: each.at for each in self.told("quick") if each.incident_id not in self.risen}
        waits = sorted(at - self.began for at in last.values())
        return {
            "quick_told": len(waits),
            "quick_p50_seconds": round(percentile(waits, 0.5), 2),
            "quick_last_seconds": round(waits[-1], 2),
        }

    def slow(self) -> dict[str, Any]:
        """Of the sink with a limit."""
        told = self.told("slow")
        complete = {each.incident_id: each.revision for each in told}
        if complete != self.newest:
            raise BenchmarkError(
                f"{sum(complete.get(k) != v for k, v in self.newest.items())} do not end as they should"
            )
        rises = sorted(self._told_after(incident_id, at, told) - at for incident_id, at in self.risen.items())
        return {
            "incidents": len(self.ranks),
            "requests": len([each for each in self.arrivals if each.sink == "slow"]),
            "refused": len([each for each in self.arrivals if each.sink == "slow"]) - len(told),
            "seconds": round(told[-1].at - told[0].at, 1),
            "out_of_order": self._out_of_order(told),
            "most_urgent_told_seconds": round(self._newest_told(told, 0) - self.began, 1),
            "risen_wait_p50_seconds": round(percentile(rises, 0.5), 1),
            "risen_wait_max_seconds": round(rises[-1], 1),
            "backlog_max": max(waiting for waiting, _ in self.backlog),
            "oldest_max_seconds": round(max(oldest for _, oldest in self.backlog)),
            "memory_before_mib": round(self.memory[0] / 2**20),
            "memory_peak_mib": round(max(self.memory) / 2**20),
        }

    def _told_after(self, incident_id: str, at: float, told: Sequence[Arrival]) -> float:
        return next(each.at for each in told if each.incident_id == incident_id and each.at >= at)

    def _newest_told(self, told: Sequence[Arrival], rank: int) -> float:
        """When all incidents of a rank had their newest state there."""
        return max(each.at for each in told if self.ranks[each.incident_id] == rank and self._is_newest(each))

    def _is_newest(self, arrival: Arrival) -> bool:
        return arrival.revision == self.newest[arrival.incident_id]

    def _out_of_order(self, told: Sequence[Arrival]) -> int:
        """Incidents that were told of first while a more urgent one had not been told of at all."""
        left = {incident_id: rank for incident_id, rank in self.ranks.items() if incident_id not in self.risen}
        wrong = 0
        for each in told:
            if (rank := left.pop(each.incident_id, None)) is not None:
                wrong += rank > min(left.values(), default=rank)
        return wrong


def storm(broker: Broker, rate: float, *, with_slow: bool) -> Storm:
    """One storm."""
    with receiving({"slow": rate, "quick": 0.0}) as receiver, delivering(broker, receiver, rate, with_slow) as worker:
        seen = begin(broker)
        expected = 1.1 * INCIDENTS / rate if with_slow else 0.0
        deadline = time.time() + PATIENCE * expected + 60
        while not complete(seen, receiver, with_slow=with_slow):
            if time.time() > deadline:
                raise BenchmarkError(f"not all is told after {time.time() - seen.began:.0f} s: {worker.last_words()}")
            look(seen, worker)
            if with_slow and not seen.risen and time.time() - seen.began > expected / 2:
                rise(broker, seen)
            time.sleep(WATCH_SECONDS)
        broker.drop()
        return seen


@contextmanager
def delivering(broker: Broker, receiver: Receiver, rate: float, with_slow: bool) -> Iterator[Worker]:
    """A worker that hosts deliver, ready."""
    with tempfile.TemporaryDirectory(prefix="spillway-bench-") as place:
        directory = Path(place)
        sinks = SINKS.format(port=receiver.port, rate=rate)
        (directory / "sinks.yaml").write_text(sinks if with_slow else sinks[sinks.index("quick:") :])
        settings = settings_for(broker.bootstrap, fresh_name("app"), directory, PARTITIONS)
        admin = broker.admin
        apply(admin, plan(admin, desired_topics(settings, load_config(directory))))
        with Worker(settings, ["deliver"], {"BENCHMARK_SECRET": SECRET, "OTHER_SECRET": SECRET}) as worker:
            yield worker.wait_ready()


def begin(broker: Broker) -> Storm:
    """All incidents at once."""
    ranks = {f"INC-{number:04}": rank_of(number) for number in range(INCIDENTS)}
    newest = dict.fromkeys(ranks, 1)
    records = []
    for number, (incident_id, rank) in enumerate(ranks.items()):
        records.append((incident_id, event(incident_id, 1, "opened", rank)))
        if number % UPDATED_EVERY == 0:
            newest[incident_id] += UPDATES
            records += [(incident_id, event(incident_id, 2 + more, "updated", rank)) for more in range(UPDATES)]
    seen = Storm(time.time(), ranks, newest)
    broker.preload("incidents", records, placed)
    return seen


def placed(incident_id: str) -> int:
    """As the stages before place it, so that outcomes come to where its events are."""
    return partition_of(incident_id.encode(), PARTITIONS)


def rank_of(number: int) -> int:
    """Ranks are mixed among the incidents, as they would come."""
    place = (number * 617 % INCIDENTS) / INCIDENTS
    return next(rank for share, rank in SHARES if place < share)


def rise(broker: Broker, seen: Storm) -> None:
    """Some of the least urgent, which wait still, become most urgent."""
    least = [each for each, rank in seen.ranks.items() if rank == SHARES[-1][1]]
    told = {each.incident_id for each in seen.told("slow")}
    chosen = [each for each in reversed(least) if each not in told][:RISING]
    for incident_id in chosen:
        seen.newest[incident_id] += 1
    now = time.time()
    broker.preload("incidents", [(each, event(each, seen.newest[each], "updated", 0)) for each in chosen], placed)
    seen.risen = dict.fromkeys(chosen, now)


def event(incident_id: str, revision: int, change: str, rank: int) -> bytes:
    """A record of ``incidents`` of some size."""
    at_ms = int(time.time() * 1_000)
    entries = [{"at_ms": at_ms, "action": change, "actor": "spillway", "text": f"revision {revision} of {incident_id}"}]
    incident = {
        "id": incident_id,
        "state": "logged",
        "kind": "incident",
        "title": "Checkout does not answer",
        "priority": f"P{rank + 1}",
        "priority_rank": rank,
        "domain": "shop",
        "notes": ["x" * 200] * 10,
    }
    document = {"schema": 1, "incident_id": incident_id, "revision": revision, "change": change, "at_ms": at_ms}
    return orjson.dumps({**document, "entries": entries, "incident": incident})


def look(seen: Storm, worker: Worker) -> None:
    """What the metrics show, and the memory in use."""
    metrics = worker.metrics()
    seen.backlog.append(
        (
            metrics.get('spillway_deliveries_waiting{sink="slow"}', 0.0),
            metrics.get('spillway_sink_oldest_waiting_seconds{sink="slow"}', 0.0),
        )
    )
    seen.memory.append(memory_bytes(worker.process))


def complete(seen: Storm, receiver: Receiver, *, with_slow: bool) -> bool:
    """Whether the newest revision of each incident is at each sink."""
    seen.arrivals = receiver.arrivals()
    sinks = ["quick", "slow"] if with_slow else ["quick"]
    return all({each.incident_id: each.revision for each in seen.told(sink)} == seen.newest for sink in sinks)
