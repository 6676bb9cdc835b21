"""The guard: what nobody foresaw ends the process at once, without committing anything.

This is the only place with a broad ``except``. Raising out of a Faust agent would have Faust restart it and go on
with the next record, so the guard logs one structured line and leaves with `os._exit`: the records of the open
transaction are read again by whoever starts next.

    async with guarded("handle a batch", stage="dedupe", partition=3):
        ...

A record that is a defect each time it is read ends three processes; then it goes to the dead letter (see
`pipeline.runtime.quarantine`). What is not a record's fault ends each process that meets it, and nothing is skipped.

Exit codes: 0 stopped as asked · 70 a defect, a failed commit, a fenced producer or a failed restore ·
75 asked to stop and could not in time · 78 what is there does not fit: topics, offsets or state of another make.
"""

from __future__ import annotations

import asyncio
import os
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, NoReturn, TypeVar

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from pipeline.runtime.logs import LOG

EXIT_DEFECT: Final = 70
"""EX_SOFTWARE: something happened that must not; nothing of the open batch was committed."""

EXIT_STOP_TOO_SLOW: Final = 75
"""EX_TEMPFAIL: asked to stop, and the running work did not end in time; nothing of it was committed."""

EXIT_REFUSED: Final = 78
"""EX_CONFIG: the brokers hold something that this installation cannot go on from; the line says what to do."""

# By default. Kubernetes kills after 30 s; a clean group leave before that spares the others a session timeout.
STOP_SECONDS_MAX: Final = 25.0

TRACEBACK_FRAMES_MAX: Final = 12
# A note of what happened is one small transaction. Without a broker there is none, and the process ends as well.
LAST_WORDS_SECONDS_MAX: Final = 15.0

LastWords = Callable[[Exception], Awaitable[Mapping[str, object]]]
"""Called with the defect before the process ends; returns facts for the log line."""


T = TypeVar("T")


class RefusedError(Exception):
    """The process cannot go on from what it found, now or after a restart; the message is one line and says why."""


def log_line(event: str, **facts: object) -> None:
    """Write one line of log to standard error; `pipeline.runtime.logs` has its shape, `log_events` every event."""
    LOG.write(event, **facts)  # type: ignore[arg-type]  # nobody calls a fact `level` or `limit_by`


def fatal(what: str, error: BaseException | str, **facts: object) -> NoReturn:
    """End the process now, with `EXIT_DEFECT`. No handler, no finalizer and no commit runs."""
    if isinstance(error, BaseException):
        frames = traceback.format_tb(error.__traceback__)[-TRACEBACK_FRAMES_MAX:]
        facts = {**facts, "error": f"{type(error).__name__}: {error}", "traceback": "".join(frames)}
        if (lacks := _lacks(error)) is not None:
            component = facts.get("stage", "NAME")
            advice = f"grant it what `spillway topics grants --component {component}` lists"
            facts |= {"why": f"the brokers do not allow this process to {lacks}", "do": advice}
    else:
        facts = {**facts, "error": error}
    try:
        log_line("fatal", what=what, **facts)
    finally:  # also where there is no standard error any more
        os._exit(EXIT_DEFECT)


def _lacks(error: BaseException) -> str | None:
    """What the brokers have not granted, where that is what an error says."""
    of = " ".join(str(each) for each in error.args) or "that it asked for"
    match error:
        case TopicAuthorizationFailedError():
            return f"Read or Write topic {of}"
        case GroupAuthorizationFailedError():
            return f"Read group {of}"
        case TransactionalIdAuthorizationFailed():
            return f"Write transactionalId {of}"
        case ClusterAuthorizationFailedError():
            return "Write to any topic, and so not idempotently either"
        case _:
            return None


@asynccontextmanager
async def guarded(what: str, last_words: LastWords | None = None, **facts: object) -> AsyncIterator[None]:
    """Run a block; any exception but a cancellation ends the process (see `fatal` and `refuse`).

    Args:
        what: what is done, for the log line.
        last_words: called before the process ends, with little time; a failure in it is only told.
        facts: more for the log line.
    """
    try:
        yield
    except asyncio.CancelledError:
        raise
    except RefusedError as refused:
        refuse(refused, **facts)
    except Exception as error:  # noqa: BLE001 this is the guard
        if last_words is not None:
            facts = {**facts, **await _said_in_time(last_words, error)}
        fatal(what, error, **facts)


def second_look(look: Callable[..., T], otherwise: T, *given: object) -> T:
    """What a look says that decides nothing; ``otherwise`` where it has a defect, which is told in the log.

    What decides looks at the same record for itself, in its turn, and a defect ends the process then. What the error
    says is left out: it may quote the message, from which nothing personal has been taken out yet.
    """
    try:
        return look(*given)
    except Exception as error:  # noqa: BLE001 this is the guard
        log_line("second look failed", error=type(error).__name__, limit_by=type(error).__name__)
        return otherwise


def refuse(refused: RefusedError, **facts: object) -> NoReturn:
    """End the process now, with `EXIT_REFUSED`: nothing was changed, and a restart alone changes nothing."""
    try:
        log_line("refused", why=str(refused), **facts)
    finally:
        os._exit(EXIT_REFUSED)


async def _said_in_time(last_words: LastWords, error: Exception) -> Mapping[str, object]:
    try:
        async with asyncio.timeout(LAST_WORDS_SECONDS_MAX):
            return await last_words(error)
    except Exception as failure:  # noqa: BLE001 this is the guard
        return {"not_noted": f"{type(failure).__name__}: {failure}"}


def exit_after(seconds: float = STOP_SECONDS_MAX) -> threading.Timer:
    """Start the deadline of a stop: the process leaves with `EXIT_STOP_TOO_SLOW` unless the timer is cancelled.

    A thread, because the event loop may be what hangs.
    """

    def leave() -> None:
        try:
            log_line("stop took too long", seconds=seconds)
        finally:
            os._exit(EXIT_STOP_TOO_SLOW)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()
    return timer
