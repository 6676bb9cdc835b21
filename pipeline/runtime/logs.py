"""Log lines: one shape for all processes and for the libraries in them, bounded in number, without payloads.

    {"time":"2026-12-01T02:11:18.123Z","level":"error","event":"record quarantined","stage":"dedupe",
     "topic":"alerts","partition":3,"offset":17,...}

Events and levels are in `pipeline.runtime.log_events`. Lines go to standard error, past any redirection by the host
framework. Of a storm of one event some are written, and the next says how many were left out.
"""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Literal, TextIO

import orjson

from pipeline.runtime.log_events import EVENTS, INFO
from pipeline.runtime.tracing import CURRENT

Format = Literal["json", "text"]

LINES_PER_SECOND: Final = 5.0
LINES_BURST: Final = 50
"""Of one event, in a process. A person reads examples; how many there are is what metrics are for."""

VALUE_CHARACTERS_MAX: Final = 8_192
"""Of one fact: a traceback fits. What libraries say may hold more."""

_NO_LINE: Final = (AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What formatting and writing a line can raise: arguments that do not fit, no standard error to write to."""

ENDLESS: Final = frozenset({"fatal", "refused", "stop took too long", "console request"})
"""Events that are never left out: ends of a process come once, and requests are the access log."""


class _Bucket:
    """How many lines of one event may be written."""

    __slots__ = ("at", "left_out", "tokens")

    def __init__(self) -> None:
        self.tokens, self.at, self.left_out = float(LINES_BURST), monotonic(), 0

    def take(self) -> int | None:
        """How many were left out before this one; None: this one is left out, too."""
        now = monotonic()
        self.tokens = min(float(LINES_BURST), self.tokens + (now - self.at) * LINES_PER_SECOND)
        self.at = now
        if self.tokens < 1:
            self.left_out += 1
            return None
        self.tokens -= 1
        left_out, self.left_out = self.left_out, 0
        return left_out


class Log:
    """The log of a process.

    Attributes:
        form: how lines look.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        """Write to a stream; by default to the process's own standard error."""
        self.form: Format = "json"
        self._stream = stream
        self._buckets: dict[str, _Bucket] = {}
        # Between two steps of a write Python may collect garbage, and what is collected may log (asyncio does).
        self._lock = threading.RLock()

    def write(self, event: str, level: str | None = None, limit_by: str = "", **facts: object) -> None:
        """Write one line, or leave it out.

        Args:
            event: its name, of `EVENTS`.
            level: where it is another than the event's.
            limit_by: what lines of one event are counted by beside it.
            facts: more; what is None is left out in text.
        """
        known = EVENTS.get(event)
        with self._lock:  # libraries log from threads of their own
            if event not in ENDLESS:
                left_out = self._buckets.setdefault(event + limit_by, _Bucket()).take()
                if left_out is None:
                    return
                facts |= {"left_out": left_out} if left_out else {}
            if (context := CURRENT.get()) is not None:
                facts["trace_id"] = context.trace_id
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            line = {"time": now, "level": level or (known.level if known else INFO), "event": event, **facts}
            stream = self._stream or sys.__stderr__ or sys.stderr
            stream.write((_as_json(line) if self.form == "json" else _as_text(line)) + "\n")
            stream.flush()


LOG: Final = Log()
"""Of this process."""


class LibraryHandler(logging.Handler):
    """Brings what libraries log into the same shape."""

    def __init__(self, log: Log = LOG) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a library's line; its traceback as one fact. Raises nothing inside of the library."""
        facts: dict[str, object] = {"logger": record.name, "message": _message(record)[:VALUE_CHARACTERS_MAX]}
        # Without standard error there is nobody to tell, and the library must go on.
        with suppress(*_NO_LINE):
            if record.exc_info and record.exc_info[0] is not None:
                text = logging.Formatter().formatException(record.exc_info)
                facts["traceback"] = text[-VALUE_CHARACTERS_MAX:]
            self._log.write("library", record.levelname.lower(), f"/{record.name}", **facts)


def log_libraries(form: Format, level: str) -> None:
    """Write in this form from now on, and what libraries log from this level on."""
    LOG.form = form
    logging.basicConfig(level=level.upper(), handlers=[LibraryHandler()], force=True)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except _NO_LINE as error:
        return f"{record.msg} (its arguments do not fit: {type(error).__name__})"


def _as_json(line: dict[str, object]) -> str:
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _as_text(line: dict[str, object]) -> str:
    head = f"{line.pop('time')} {str(line.pop('level')).upper():7} {line.pop('event')}"
    return " ".join((head, *(f"{name}={_word(value)}" for name, value in line.items() if value is not None)))


def _word(value: object) -> str:
    """A value in a line of text: as it is where that is one word, else as JSON, so that it stays one line."""
    if isinstance(value, str) and value.isprintable() and value and " " not in value:
        return value
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
