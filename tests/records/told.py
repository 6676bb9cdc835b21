"""Everything that the record stage reads, of the three stories: on two partitions, with offsets that have gaps.

Deliveries do not exist in a replay; a few stand in, as deliver writes them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson
from sqlalchemy import Connection, text

from pipeline.catalog import load_config
from pipeline.core.identity import partition_of
from pipeline.core.outward.record import RecordProcessor, Told
from pipeline.core.step import TICK_KEY, Effects, Output, Processor, StreamRecord
from pipeline.examples import one_day
from pipeline.flow import STAGE_BY_NAME
from pipeline.models.delivery import Delivery, Received, delivery_id
from pipeline.models.ledger import LedgerEntry
from pipeline.records.contents import COMPARED
from pipeline.records.projected import Ends, ends_of
from pipeline.replay import Replay

CONFIG: Final = Path(__file__).parents[2] / "config"
RUN_ON_SECONDS: Final = 600
PARTITIONS: Final = 2
READS: Final = STAGE_BY_NAME["record"].reads

Rows = dict[str, list[dict[str, Any]]]


@cache
def stories() -> tuple[Output, ...]:
    """What the stages wrote of the stories and the record stage reads, deliveries beside it, in order."""
    outputs: list[Output] = []

    def watch(processor: Processor, record: StreamRecord, effects: Effects) -> None:
        for output in effects.outputs:
            if output.topic in READS:
                outputs.append(output)
                outputs.extend(_outside(output))

    Replay(load_config(CONFIG), watch=watch).run(one_day(), run_on_seconds=RUN_ON_SECONDS)
    return tuple(outputs)


@cache
def records(partitions: int = PARTITIONS) -> tuple[StreamRecord, ...]:
    """The same as records; ticks of others and marks of transactions stand between them."""
    return tuple(placed(stories(), partitions))


def placed(outputs: Iterable[Output], partitions: int) -> Iterator[StreamRecord]:
    """Outputs with the places that they get."""
    offsets: Counter[tuple[str, int]] = Counter()
    for number, each in enumerate(outputs):
        partition = partition_of(each.key or b"", partitions)
        at = (each.topic, partition)
        yield StreamRecord(each.topic, partition, offsets[at], each.timestamp_ms, each.key, each.value)
        offsets[at] += 1
        if each.topic in ("episodes", "deliveries") and number % 7 == 0:
            yield StreamRecord(each.topic, partition, offsets[at], each.timestamp_ms, TICK_KEY, None)
            offsets[at] += 1
        offsets[at] += number % 5 == 0  # a mark


def told(batch: Iterable[StreamRecord]) -> tuple[list[Told], Ends]:
    """A batch as the record stage hands it to the store."""
    batch = list(batch)
    processor, effects = RecordProcessor(), Effects()
    processor.handle(batch, effects)
    assert not effects.outputs, "nothing of it is refused"
    return processor.take(), ends_of(batch, {})


def rows(connection: Connection) -> Rows:
    """All that is made of topics, in an order of its own."""
    connection.execute(text("SET LOCAL timezone = 'UTC'"))
    found: Rows = {}
    for content in COMPARED:
        query = f"SELECT to_jsonb(each) FROM {content.name} AS each"  # noqa: S608 names of our own tables
        found[content.name] = sorted(connection.scalars(text(query)), key=orjson.dumps)
    return found


def empty(connection: Connection) -> None:
    """Forget everything that is made of topics."""
    names = ", ".join(content.name for content in COMPARED)
    connection.execute(text(f"TRUNCATE projected, {names}"))


def _outside(output: Output) -> Iterator[Output]:
    """What a webhook and a ticket come to: each event delivered, some at the second try, one line of the ledger."""
    if output.topic != "incidents":
        return
    event = orjson.loads(output.value or b"{}")
    incident_id, revision, at_ms = event["incident_id"], event["revision"], output.timestamp_ms + 250
    state = event["incident"]["state"]
    for sink in ("desk", "tickets"):
        for attempt in range(1, 2 + (revision % 4 == 0)):
            outcome = "retry" if revision % 4 == 0 and attempt == 1 else "delivered"
            said = Delivery(
                delivery_id=delivery_id(incident_id, revision, sink),
                sink=sink,
                incident_id=incident_id,
                revision=revision,
                attempt=attempt,
                outcome=outcome,
                at_ms=at_ms + attempt,
                status=503 if outcome == "retry" else 200,
            )
            yield _output("deliveries", incident_id, said.to_wire(), said.at_ms)
        last = {"outcome": "delivered", "at_ms": at_ms, "attempt": 1, "status": 200, "detail": ""}
        entry = LedgerEntry(sink=sink, type="webhook", incident_id=incident_id, incident_state=state, last=last)
        if sink == "tickets":
            entry.remote_id = entry.remote_key = f"TICKET-{incident_id[-4:]}"
            entry.remote_state = "ended" if state in ("resolved", "closed") else "open"
        value = None if sink == "desk" and state == "closed" else entry.to_wire()
        yield _output("deliveries.state", f"{sink}/{incident_id}", value, at_ms)
    if revision % 5 == 0:
        back = Received(
            sink="tickets",
            incident_id=incident_id,
            update_id=f"update-{revision}",
            kind="state",
            author="desk.agent",
            outcome="taken",
            reasons={"state": "taken"},
            commands=["acknowledge"],
            at_ms=at_ms,
        )
        yield _output("deliveries", incident_id, back.to_wire(), at_ms)


def _output(topic: str, key: str, value: dict[str, Any] | None, at_ms: int) -> Output:
    return Output(topic, key.encode(), None if value is None else orjson.dumps(value), at_ms)
