"""Kills the record worker with -9 again and again while it projects a stream, and then looks for rows lost or doubled.

    python -m tests.records.chaos --kills 50 --seed 7

Real Kafka, real PostgreSQL, real ``spillway run record``. The stream is copies of the three stories, with ids of their
own, written in transactions of which some are aborted. At the end the store is compared with a store made anew from the
topics, row for row, and with what the records come to, worked out here without a database.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
import orjson
from confluent_kafka import Producer
from sqlalchemy import create_engine, make_url, text

from pipeline.core.identity import partition_of
from pipeline.core.step import TICK_KEY, Output
from pipeline.kafka.embedded import EmbeddedKafka
from pipeline.records.compare import compare
from pipeline.records.embedded import embedded_postgres
from pipeline.records.projected import next_offsets
from pipeline.records.rebuild import rebuild_in_place, rebuild_into
from pipeline.records.source import Source
from pipeline.records.standing import behind
from pipeline.records.store import RecordsStore
from tests.live.site import Site
from tests.records.nursery import Nursery
from tests.records.told import rows, stories
from tests.support import wait_until

PARTITIONS: Final = 3
CAUGHT_UP_SECONDS_MAX: Final = 300.0
TRANSACTION_RECORDS: Final = 25
ABORTED_SHARE: Final = 0.1
PAUSE_SECONDS: Final = 0.05
"""Between two transactions, so that records come for as long as workers are killed."""

KILLED_WITHIN_SECONDS: Final = 0.8
"""After a worker has begun to write: it handles a batch in some tens of milliseconds."""

WORKS_SHARE: Final = 0.85
WORKS_SECONDS_MAX: Final = 120.0

BEHIND_MAX: Final = 3_000
"""Records that may wait for the store; marks of transactions count as written."""

_IDS: Final = re.compile(rb"\b(?:INC|MI|BRG|EP|PRB|MW|TICKET)-[A-Z0-9]+")

Say = Any


@dataclass
class Expected:
    """What the committed records come to, worked out one by one."""

    revisions: set[tuple[str, int]] = field(default_factory=set)
    heads: dict[str, int] = field(default_factory=dict)
    entries: int = 0
    episodes: dict[str, str] = field(default_factory=dict)
    members: dict[str, dict[str, tuple[int, bool]]] = field(default_factory=lambda: defaultdict(dict))
    hidden: set[tuple[str, str, int]] = field(default_factory=set)
    problems: dict[str, int] = field(default_factory=dict)
    deliveries: int = 0
    ledger: dict[str, dict[str, Any] | None] = field(default_factory=dict)

    def take(self, output: Output) -> None:
        """One record; of its key those before it have been taken."""
        document = None if output.value is None else orjson.loads(output.value)
        if output.topic == "deliveries.state":
            self.ledger[(output.key or b"").decode()] = document
        elif document is None:
            pass  # a tick
        elif output.topic == "incidents":
            name, revision = document["incident_id"], document["revision"]
            assert (name, revision) not in self.revisions
            self.revisions.add((name, revision))
            self.heads[name] = max(revision, self.heads.get(name, 0))
            self.entries += len(document["entries"])
            for episode_id, present in (
                *((e, True) for e in document["joined"]),
                *((e, False) for e in document["left"]),
            ):
                self.members[episode_id][name] = (revision, present)
        elif output.topic == "episodes":
            self.episodes[document["episode_id"]] = document["change"]
        elif output.topic == "suppressions":
            self.hidden.add((document["episode_id"], document["what"], document["since_ms"]))
        elif output.topic == "problems":
            self.problems[document["problem_id"]] = document["revision"]
        else:
            self.deliveries += 1

    def check(self, store: RecordsStore) -> Counter[str]:
        """Compare with a store; rows by table."""
        found = store.ask(rows)
        assert Counter((row["incident_id"], row["revision"]) for row in found["incident_events"]) == Counter(
            self.revisions
        )
        assert {row["id"]: row["revision"] for row in found["incidents"]} == self.heads
        assert len(found["timeline"]) == self.entries
        assert len(found["deliveries"]) == self.deliveries
        assert len(found["suppressions"]) == len(self.hidden)
        assert {row["id"]: row["revision"] for row in found["problems"]} == self.problems
        over = {"resolved", "expired", "hidden"}
        ended = {name for name, change in self.episodes.items() if change in over}
        assert {row["id"] for row in found["episodes"]} == set(self.episodes)
        assert {row["id"] for row in found["episodes"] if row["ended_at"]} == ended
        homes = {name: {at for at, (_, here) in told.items() if here} for name, told in self.members.items()}
        for row in found["episodes"]:
            home = homes.get(row["id"], set())
            assert row["incident_id"] in home if home else row["incident_id"] is None, row
        ledger = {f"{row['sink']}/{row['incident_id']}": row["entry"] for row in found["ledger"]}
        assert ledger == {key: entry for key, entry in self.ledger.items() if entry is not None}
        return Counter({name: len(each) for name, each in found.items()})


class Stream:
    """Writes copies of the stories until it is asked to end with the one at hand."""

    def __init__(self, site: Site, store: RecordsStore, chance: random.Random) -> None:
        self.expected = Expected()
        self.written = self.aborted = 0
        self.copies = 0
        self.failed: BaseException | None = None
        self._site, self._store = site, store
        self._chance = chance
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream")
        self._producer = Producer(
            {
                "bootstrap.servers": site.settings.bootstrap,
                "transactional.id": f"{site.settings.app_id}-stream",
                "linger.ms": 5,
            }
        )
        self._producer.init_transactions()

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Wait until the copy at hand is whole."""
        self._ending.set()
        self._thread.join(timeout=CAUGHT_UP_SECONDS_MAX)
        assert not self._thread.is_alive()
        assert self.failed is None, self.failed

    def _run(self) -> None:
        try:
            while not self._ending.is_set():
                self.copies += 1
                for batch in self._batches(self.copies):
                    if self._chance.random() < ABORTED_SHARE:
                        self._send(batch, commits=False)
                        self.aborted += len(batch)
                    self._send(batch, commits=True)
                    self.written += len(batch)
                    for output in batch:
                        self.expected.take(output)
                    while not self._ending.wait(PAUSE_SECONDS) and self.written - _written(self._store) > BEHIND_MAX:
                        pass  # killed workers must have something to do, and not everything
        except BaseException as error:
            self.failed = error
            raise

    def _batches(self, copy: int) -> Iterator[list[Output]]:
        batch: list[Output] = []
        for output in stories():
            batch.append(_copied(output, copy))
            if output.topic in ("episodes", "deliveries") and self._chance.random() < 0.05:
                batch.append(Output(output.topic, TICK_KEY, None, output.timestamp_ms, partition=0))
            if len(batch) >= TRANSACTION_RECORDS:
                yield batch
                batch = []
        yield batch

    def _send(self, batch: list[Output], *, commits: bool) -> None:
        producer = self._producer
        producer.begin_transaction()
        for each in batch:
            partition = partition_of(each.key or b"", PARTITIONS) if each.partition is None else each.partition
            topic = self._site.settings.wire(each.topic)
            # Of now: what is of the day of the stories is past its retention, and brokers remove it.
            producer.produce(topic, each.value, each.key, partition=partition)
            producer.poll(0)
        producer.flush()
        producer.commit_transaction() if commits else producer.abort_transaction()


def _written(store: RecordsStore) -> int:
    """How far all topics are in the store."""
    return sum(store.ask(next_offsets).values())


def _copied(output: Output, copy: int) -> Output:
    """A record of a copy: the ids in it are its own."""
    mark = b"\\g<0>C%d" % copy
    key = None if output.key is None else _IDS.sub(mark, output.key)
    return output._replace(key=key, value=None if output.value is None else _IDS.sub(mark, output.value))


def run(bootstrap: str, databases: tuple[str, str], place: Path, kills: int, seed: int, say: Say) -> Counter[str]:
    """Kill, catch up, compare; rows by table.

    Args:
        bootstrap: of a Kafka.
        databases: addresses of two empty databases: for the worker, and to make the store anew in.
        place: a directory for logs.
        kills: how often.
        seed: of chance.
        say: takes lines about what happens.
    """
    chance = random.Random(seed)  # noqa: S311 a repeatable sequence, not a secret
    live, anew = databases
    settings = {"records_url": live, "partitions": PARTITIONS, "instance_id": "chaos", "batch_records_max": 200}
    site = Site(bootstrap, f"chaos-{seed}-{time.time_ns()}.", place, **settings)
    stream, nursery, store, began = None, Nursery(), RecordsStore(live), time.monotonic()
    try:
        site.make_topics()
        store.migrate()
        source, amid = Source(site.settings), 0
        stream = Stream(site, store, random.Random(seed + 1))  # noqa: S311 the same
        stream.start()
        for number in range(1, kills + 1):
            before = _written(store)
            worker = nursery.worker(site.settings, place / f"worker-{number}.log")
            if chance.random() < WORKS_SHARE:  # else it dies while it starts
                wait_until(lambda: worker.ended() or _written(store) > before, WORKS_SECONDS_MAX, "the worker writes")  # noqa: B023 waited for here
            threading.Event().wait(chance.uniform(0.0, KILLED_WITHIN_SECONDS))
            worker.check()
            worker.kill()
            amid += _written(store) > before
            if number % 10 == 0:
                say(f"{number} kills, {stream.written:,} records, {time.monotonic() - began:.0f} s")
        say(f"{kills} kills, {amid} of workers that had written")
        stream.end()
        last = nursery.worker(site.settings, place / "worker-last.log").wait_ready()

        def caught_up() -> bool:
            last.check()
            return not any(each.records for each in behind(source, store.ask(next_offsets)))

        wait_until(caught_up, CAUGHT_UP_SECONDS_MAX, "the store has everything")
        assert last.terminate() == 0, last.said()
        say(f"{stream.copies} copies, {stream.written:,} records, {stream.aborted:,} aborted")
        counts = stream.expected.check(store)
        say("the store holds what the records come to")
        _compare(source, live, anew, say)
        return counts
    finally:
        if stream is not None:
            stream.end()
        nursery.close()
        store.close()
        site.close()


def _compare(source: Source, live: str, anew: str, say: Say) -> None:
    began = time.monotonic()
    rebuilt = rebuild_into(source, anew, source.bounds(), lambda _: None)
    took = time.monotonic() - began
    say(f"made anew from the topics: {rebuilt.counted.records:,} records in {took:.1f} s")
    engines = [create_engine(make_url(url).set(drivername="postgresql+psycopg")) for url in (live, anew)]
    with engines[0].connect() as one, engines[1].connect() as other:
        wrong = [each for each in compare(one, other) if each.different]
    for engine in engines:
        engine.dispose()
    assert not wrong, wrong
    say("the same, row for row")
    repaired = rebuild_in_place(source, live, source.bounds(), lambda _: None).repaired
    assert not any(each.missing or each.different or each.extra for each in repaired), repaired
    say("a rebuild in place finds nothing to put right")


@click.command()
@click.option("--kills", default=50, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(kills: int, seed: int) -> None:
    """Kill the record worker again and again, and look for rows lost or doubled."""
    with tempfile.TemporaryDirectory() as place, EmbeddedKafka() as broker, embedded_postgres() as url:
        address = make_url(url)
        engine = create_engine(address.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
        names = ("chaos_live", "chaos_anew")
        with engine.connect() as connection:
            for name in names:
                connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        live, anew = (address.set(database=name).render_as_string(hide_password=False) for name in names)
        began = time.monotonic()
        counts = run(broker.bootstrap, (live, anew), Path(place), kills, seed, click.echo)
        for name, count in counts.items():
            click.echo(f"  {name:<16} {count:>8,}")
        click.echo(f"seed {seed}: {kills} kills, no row lost or doubled, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
