"""Renewal: a partition goes on under another configuration, from the record on that says so.

The record is a tick with a version in its header (docs/decisions/0012-a-reload-is-a-tick-that-names-a-version.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pipeline.core.step import Processor, Record, named_version
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


async def renewed(
    context: StageContext, partition: int, before: Processor, stopping: Callable[[], bool]
) -> tuple[Processor, int]:
    """The processor that goes on where another has stopped, and how many state records it read.

    State comes from the changelog, as after a restart; a stage without one keeps its counts.

    Raises:
        RestoreStoppedError: revoked meanwhile; the processor before is as it was.
        KafkaError, RestoreStuckError, RefusedError: as for `pipeline.runtime.restore.restore`.
    """
    processor = context.factory()
    if context.stateful:
        return processor, await context.restore(context.settings, context.stage, partition, processor, stopping)
    processor.ledger, processor.clock_ms = before.ledger, before.clock_ms
    processor.restored()
    return processor, 0
