"""Moments on the command line: as they are written, or so long ago."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Final

import click

from pipeline.recording import TIMESTAMP_MS_MAX

_AGO: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_UNIT_MS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def now_ms() -> int:
    """The machine's clock, epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Moment(click.ParamType):
    """A time as RFC 3339 with a zone, a date (its beginning, UTC), or how long ago: ``90s``, ``30m``, ``2h``, ``7d``.

    Gives epoch milliseconds.
    """

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Epoch milliseconds; a value that is none ends the command with what is allowed."""
        if isinstance(value, int):
            return value
        text = str(value).strip()
        if ago := _AGO.fullmatch(text):
            return max(0, now_ms() - int(ago[1]) * _UNIT_MS[ago[2]])
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"{text!r} is no time: write 2026-03-10T10:00:00Z, 2026-03-10, or 2h for two hours ago", param, ctx
            )
        if moment.tzinfo is None:
            if not _DATE.fullmatch(text):
                self.fail(f"{text!r} has no time zone: write it as 2026-03-10T10:00:00Z", param, ctx)
            moment = moment.replace(tzinfo=UTC)
        at_ms = round(moment.timestamp() * 1_000)
        if not 0 <= at_ms <= TIMESTAMP_MS_MAX:
            self.fail(f"{text!r} is not between the years 1970 and 9000", param, ctx)
        return at_ms


MOMENT: Final = Moment()
