"""Log lines of the gateway: one JSON line for what was refused, a bounded number of them, without what was sent."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.gateway.limits import TokenBucket
from pipeline.gateway.refusal import Refusal
from pipeline.runtime.guard import log_line

LINES_PER_SECOND: float = 5.0
LINES_BURST: int = 50
"""A flood of refusals is seen in the metrics; the log shows examples, and how many it left out."""


class Journal:
    """Writes about refusals."""

    def __init__(self, write: Callable[..., None] = log_line) -> None:
        self._write = write
        self._lines = TokenBucket(LINES_PER_SECOND, LINES_BURST)
        self._left_out = 0

    def refused(self, refusal: Refusal, *, feed: str | None, request_id: str, remote: str | None) -> None:
        """Write why a request was not taken."""
        if self._lines.take():
            self._left_out += 1
            return
        facts = {"detail": refusal.private} if refusal.private else {}
        if self._left_out:
            facts["left_out"] = str(self._left_out)
            self._left_out = 0
        self._write(
            "gateway refused",
            code=int(refusal.status),
            reason=str(refusal.reason),
            feed=feed,
            request_id=request_id,
            remote=remote,
            **facts,
        )
