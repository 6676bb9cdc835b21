"""Renewal: batches end where a record names the version that is waited for, and nowhere else."""

from __future__ import annotations

import pytest

from pipeline.core.step import CONFIG_HEADER, TICK_KEY, StreamRecord, named_version
from pipeline.runtime.renewal import until_named


def record(offset: int, names: str | None = None, value: bytes | None = b"{}") -> StreamRecord:
    if names is None:
        return StreamRecord("in", 0, offset, 0, b"k", value)
    return StreamRecord("in", 0, offset, 0, TICK_KEY, None, ((CONFIG_HEADER, names.encode()),))


def batch(words: str) -> list[StreamRecord]:
    """``.`` is a record; a letter names that version."""
    return [record(offset, None if word == "." else word) for offset, word in enumerate(words)]


@pytest.mark.parametrize(
    ("words", "version", "sizes"),
    [
        ("...", None, [3]),
        ("..b..", None, [5]),
        ("..b..", "b", [3, 2]),
        ("..a..", "b", [5]),
        ("..b", "b", [3]),
        ("b..", "b", [1, 2]),
        ("b.b.", "b", [1, 2, 1]),
    ],
)
def test_pieces_end_with_the_record_that_names_the_version(words: str, version: str | None, sizes: list[int]) -> None:
    records = batch(words)
    pieces = list(until_named(records, version))
    assert [len(piece) for piece in pieces] == sizes
    assert [each for piece in pieces for each in piece] == records


def test_a_batch_that_names_nothing_is_handed_on_itself() -> None:
    records = batch("...")
    assert next(iter(until_named(records, "b"))) is records
    assert next(iter(until_named(records, None))) is records


@pytest.mark.parametrize(
    ("given", "version"),
    [
        (record(0, "b"), "b"),
        (record(0), None),
        (record(0)._replace(key=TICK_KEY), None),
        (record(0)._replace(key=TICK_KEY, value=None), None),
        (record(0, "b")._replace(value=b"{}"), None),  # with a value it is a record, whatever its key
        (record(0, "b")._replace(key=b"k"), None),
    ],
)
def test_only_a_tick_names_a_version(given: StreamRecord, version: str | None) -> None:
    assert named_version(given) == version
