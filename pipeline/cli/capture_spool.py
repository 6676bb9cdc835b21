"""Where a capture waits until it is written: sorted by arrival on disk, because it may be larger than memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import orjson

from pipeline.core.practice.desk import MACHINE
from pipeline.core.step import TICK_KEY, StreamRecord, named_version
from pipeline.recording import read_recording, write_line
from pipeline.redaction.redact import Redactor

COMMANDS: Final = "commands"
RECORDS_PER_LOOK: Final = 200


class Spool:
    """A private temporary database, gone when it is closed or the process ends.

    Attributes:
        records: how many it holds.
    """

    def __init__(self, prefix: str, redactor: Redactor | None) -> None:
        """Open it.

        Args:
            prefix: of the topics on the wire.
            redactor: what takes people and secrets out of what is written; None for nothing.
        """
        self._prefix = prefix
        self._redactor = redactor
        self._reached: dict[tuple[str, int], int] = {}
        self._database = sqlite3.connect("")
        self._database.execute("CREATE TABLE record (at INTEGER, topic TEXT, part INTEGER, place INTEGER, line BLOB)")
        self.records = 0

    def add(self, wire: StreamRecord) -> None:
        """Keep a record with its place in arrival order, unless it is the pipeline's own.

        Within a partition arrival is the offset, whatever timestamps producers gave: time never goes back there.

        Raises:
            click.ClickException: there is no room for it.
        """
        record = wire._replace(topic=wire.topic.removeprefix(self._prefix))
        if (record.key == TICK_KEY and named_version(record) is None) or _is_own_command(record):
            return
        at = record.topic, record.partition
        self._reached[at] = max(self._reached.get(at, 0), record.timestamp)
        row = (self._reached[at], *at, record.offset, write_line(record))
        try:
            self._database.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?)", row)
        except sqlite3.Error as error:
            raise _full(error) from error
        self.records += 1
        if self._redactor is not None:
            self._redactor.learn(record)

    def write(self, out: Path, tell: Callable[[int], None] = lambda done: None) -> int:
        """Write all records in arrival order, redacted; how many they were.

        Args:
            out: the file, which is there in full or not at all.
            tell: told now and then how many are written.

        Raises:
            click.ClickException: the file cannot be written, or there is no room to sort.
        """
        aside = out.with_name(f".{out.name}.part")
        written = 0
        try:
            with aside.open("wb") as file:
                for (line,) in self._database.execute("SELECT line FROM record ORDER BY at, topic, part, place"):
                    file.write(line if self._redactor is None else self._without_people(line))
                    written += 1
                    if written % RECORDS_PER_LOOK == 0:
                        tell(written)
            aside.replace(out)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise click.ClickException(f"cannot write {out}: {error.strerror}") from error
        except sqlite3.Error as error:  # sorting takes as much room again
            aside.unlink(missing_ok=True)
            raise _full(error) from error
        return written

    def close(self) -> None:
        """Forget everything."""
        self._database.close()

    def _without_people(self, line: bytes) -> bytes:
        assert self._redactor is not None  # noqa: S101
        (record,) = read_recording([line], "spool")
        return write_line(self._redactor.redacted(record))


def _full(error: sqlite3.Error) -> click.ClickException:
    return click.ClickException(
        f"cannot keep what was recorded ({error}): it waits in /var/tmp, or where SQLITE_TMPDIR or TMPDIR points to; "
        "make room there, name a larger directory, or record a shorter span"
    )


def _is_own_command(record: StreamRecord) -> bool:
    if record.topic != COMMANDS or record.value is None:
        return False
    try:
        command = orjson.loads(record.value)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(command, dict):
        return False
    target = command.get("target")
    named = target.get("incident_id") if isinstance(target, dict) else None
    # What a person asks of a bridge incident, the bridge asks of each of its members, under an id of this form.
    return command.get("actor") == MACHINE or bool(named and str(command.get("command_id")).endswith(f"/{named}"))
