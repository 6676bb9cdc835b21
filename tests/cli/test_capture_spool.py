"""Where a capture waits until it is written."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click
import pytest

from pipeline.cli.capture_spool import Spool
from pipeline.core.step import StreamRecord

PAGES_MAX = 20
"""Of 4 KiB: what is left on a disk that is full."""


RECORDS = 1_000


def record(number: int) -> StreamRecord:
    return StreamRecord("alerts.raw.grafana", 0, number, number, None, b"x" * 1_000)


def fill(spool: Spool) -> None:
    for number in range(RECORDS):
        spool.add(record(number))


def test_a_capture_that_finds_no_room_says_so_in_one_sentence_and_leaves_no_file(tmp_path: Path) -> None:
    with closing(Spool("", None)) as spool:
        spool._database.execute(f"PRAGMA max_page_count = {PAGES_MAX}")
        with pytest.raises(click.ClickException, match="make room there"):
            fill(spool)
        assert spool.records < RECORDS
        spool._database.execute("DROP TABLE record")  # stands for what goes wrong while it is read back
        with pytest.raises(click.ClickException, match="make room there"):
            spool.write(tmp_path / "out.ndjson")
    assert list(tmp_path.iterdir()) == []
