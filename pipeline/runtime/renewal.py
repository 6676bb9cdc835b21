"""Renewal: a partition goes on under another configuration, from the record on that says so.

The record is a tick with a version in its header (docs/decisions/0012-a-reload-is-a-tick-that-names-a-version.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pipeline.core.step import Ledger, Processor, Record, named_version
from pipeline.runtime.context import StageContext


def until_named(records: Sequence[Record], version: str | None) -> Iterator[Sequence[Record]]:
    """A batch in pieces that end with a record that names a version; all of it where none is waited for."""
    if version is None:
        yield records
        return
    start = 0
    for position, record in enumerate(records, start=1):
        if named_version(record) == version:
            yield records[start:position]
            start = position
    if start < len(records):
        yield records[start:] if start else records


async def take_over(
    context: StageContext,
    partition: int,
    processor: Processor,
    before: Ledger,
    clock_ms: int,
    stopping: Callable[[], bool],
) -> None:
    """Give the processor of another configuration what the one before had reached.

    State comes from the changelog, as after a restart; a stage without one keeps its counts. The processor before is
    of no use any more, so that its state can be let go: two of them would take twice the memory.

    Args:
        context: of the other configuration.
        partition: number of the partition.
        processor: a fresh one.
        before: counts of the one before.
        clock_ms: stream time of the one before.
        stopping: says that the partition has been revoked meanwhile.

    Raises:
        RestoreStoppedError: revoked meanwhile; the processor is of no use.
        KafkaError, RestoreStuckError, RefusedError: as for `pipeline.runtime.restore.restore`.
    """
    if context.stateful:
        await context.restore(context.settings, context.stage, partition, processor, stopping)
        return
    processor.ledger, processor.clock_ms = before, clock_ms
    processor.restored()


def offsets_are_gone(context: StageContext, partition: int) -> str:
    """What to say where a partition has state and no committed offset."""
    group = context.settings.group(context.stage)
    return (
        f"partition {partition} of stage {context.stage} has state, and group {group} has no committed offset for it "
        "(they go when a group is away for longer than offsets.retention.minutes, or with their topic): reading from "
        f"the start would count everything twice; set them with kafka-consumer-groups --group {group} --reset-offsets"
    )
