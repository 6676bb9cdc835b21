"""The audit of a span of time as JSON lines, as it is read: for administrators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse

from pipeline.console.api.shapes import Written, moment_ms
from pipeline.console.context import Context, Here
from pipeline.console.refusal import Reason, Refusal
from pipeline.console.security.who import Administrator
from pipeline.models.command import Role
from pipeline.records.audit_span import PAGE_INCIDENTS, Place, Span, document_of, page_of

router = APIRouter(prefix="/audit", tags=["audit"])

MEDIA_TYPE: Final = "application/x-ndjson"
DAYS_DEFAULT: Final = 31
DAY_MS: Final = 86_400_000


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "One audit a line, in order of opening."}},
)
async def export(
    who: Administrator,
    context: Here,
    from_: Annotated[Written | None, Query(alias="from", description="Opened from then on.")] = None,
    to: Annotated[Written | None, Query(description="And before then; default: now.")] = None,
    domain: Annotated[list[str], Query(description="Of these service domains alone.", max_length=100)] = [],  # noqa: B006  # FastAPI copies it
) -> StreamingResponse:
    """Everything that was done to the incidents of a time: `spillway audit verify FILE` verifies what comes.

    A stream that breaks off ends within a line or without the last incidents; the command line's export says in its
    first line how many there are.
    """
    until_ms = moment_ms(to, context)
    since_ms = until_ms - DAYS_DEFAULT * DAY_MS if from_ is None else moment_ms(from_, context)
    if since_ms >= until_ms:
        detail = "'from' is not before 'to': no incident is opened in no time"
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.BAD_INPUT, detail)
    asked = frozenset(each for each in domain if each.isprintable()) if domain else None  # no other word is a domain's
    own = who.scope_as(Role.ADMINISTRATOR)  # not what he may only look at
    scope = own if asked is None else asked if own is None else asked & own
    span = Span(since_ms, until_ms, scope)
    return StreamingResponse(
        _lines(context, span),
        media_type=MEDIA_TYPE,
        headers={"Content-Disposition": 'attachment; filename="audit.ndjson"'},
    )


async def _lines(context: Context, span: Span) -> AsyncIterator[bytes]:
    after: Place | None = None
    while True:
        page = await context.ask(partial(page_of, span=span, after=after))
        for _, incident_id in page:
            document = await context.ask(partial(document_of, incident_id=incident_id))
            if document is not None:
                yield orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
        if len(page) < PAGE_INCIDENTS:
            return
        after = page[-1]
