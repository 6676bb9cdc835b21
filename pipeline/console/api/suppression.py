"""What was hidden from people."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter

from pipeline.console.api.shapes import Moment, moment_ms
from pipeline.console.context import Here
from pipeline.console.refusal import Reason, Refusal
from pipeline.console.security.who import Known
from pipeline.records import reading

router = APIRouter(tags=["suppression"])

DAY_MS: Final = 86_400_000
DAYS_MAX: Final = 92
"""A quarter: of a longer time the figures of the analytics tell more."""


@router.get("/suppression", summary="What was hidden, by what, and who was not called for it")
async def read_suppression(context: Here, who: Known, since: Moment = None, until: Moment = None) -> dict[str, Any]:
    """Of what stopped being hidden from `since` to before `until`; by default of the last day."""
    to_ms = moment_ms(until, context)
    from_ms = to_ms - DAY_MS if since is None else moment_ms(since, context)
    if not 0 <= to_ms - from_ms <= DAYS_MAX * DAY_MS or from_ms < 0:
        detail = f"since comes before until, and by {DAYS_MAX} days at most"
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.BAD_INPUT, detail)
    return await context.count(lambda sql: reading.suppression(sql, who.scope, from_ms, to_ms))
