"""Asking a sink beside the sender. A defect in one sink costs its question, and not the worker that serves them all."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Coroutine
from datetime import datetime
from typing import Any, Final, TypeVar

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import SinkUpdate
from pipeline.runtime.guard import log_line
from pipeline.sinks.base import Answer, SinkClient, Trouble

DEFECT_FRAMES_MAX: Final = 8

Found = TypeVar("Found")


async def asked(sink: str, question: Coroutine[Any, Any, Found]) -> Found:
    """What a sink answers.

    Raises:
        Trouble: it could not be asked, or has a defect, of which the log tells kind and place: its text may hold a
            secret.
    """
    task = asyncio.create_task(question, name=f"ask-{sink}")
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()  # where who asks is cancelled; of what has ended it changes nothing
    error = task.exception()
    if error is None:
        return task.result()
    if isinstance(error, Trouble) or not isinstance(error, Exception):
        raise error
    frames, kind = traceback.format_tb(error.__traceback__)[-DEFECT_FRAMES_MAX:], type(error).__name__
    log_line("defect in a sink", sink=sink, error=kind, traceback="".join(frames))
    raise Trouble(Answer(DeliveryOutcome.RETRY, detail=f"a defect in this sink, see the log: {kind}"))


async def changes(sink: str, client: SinkClient, since: datetime) -> AsyncIterator[SinkUpdate]:
    """What has changed at a sink, as `SinkClient.changed`.

    Raises:
        Trouble: as `asked`.
    """
    found = client.changed(since)

    async def following() -> SinkUpdate | None:
        return await anext(found, None)

    while (update := await asked(sink, following())) is not None:
        yield update
