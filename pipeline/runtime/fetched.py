"""What one fetch gave of one topic-partition, with the exact places in the log that it begins and ends at."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.core.step import Record


class Fetched(NamedTuple):
    """Records as they were read, under the logical name of their topic.

    Offsets of records have gaps (marks of transactions, what compaction took), positions of a reader have none: each
    batch begins where the one before it ended, or something between them was lost on the way.

    Attributes:
        records: in order, at least one.
        begin: the reader's position before them.
        end: the reader's position after them.
        size: bytes that the broker sent for them, which spares counting; None where they must be counted.
    """

    records: list[Record]
    begin: int
    end: int
    size: int | None = None
