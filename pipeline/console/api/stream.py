"""Changes as they happen, as server-sent events."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse

from pipeline.console.api.shapes import NAME
from pipeline.console.context import Here
from pipeline.console.live import TooManyStreamsError
from pipeline.console.refusal import Reason, Refusal, not_found
from pipeline.console.security.who import Known
from pipeline.models.command import ID_CHARACTERS_MAX
from pipeline.records.reading.timeline import may_be_seen

router = APIRouter(tags=["stream"])

RETRY_SECONDS: Final = 10

_EXAMPLE: Final = """: changes
retry: 2000

event: changed
data: {"id":"INC-7Q2MZK41PX0A","revision":7,"kind":"incident","change":"acknowledged","state":"acknowledged","priority":"P1"}
id: 5f0c2d9e-1042

"""  # noqa: E501  # a line of the stream

_DESCRIBED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Server-sent events: `changed` (the newest of an incident), `reset` (read all anew).",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


@router.get("/stream", summary="Changes as they happen", response_class=StreamingResponse, responses=_DESCRIBED)
async def read_stream(
    request: Request,
    context: Here,
    who: Known,
    incident: Annotated[
        str | None,
        Query(
            min_length=1, max_length=ID_CHARACTERS_MAX, pattern=NAME, description="Of this incident or problem alone."
        ),
    ] = None,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", max_length=100, description="Go on after this event.")
    ] = None,
) -> Response:
    """What changes of what you may see. A slow reader gets the newest of each incident, never an endless queue.

    Where it cannot be told what was missed an event `reset` says so: read what you show anew. A comment every 15
    seconds keeps the connection; browsers come back by themselves.
    """
    live = context.live
    if live is None:
        raise _none("this console tells nobody of changes: ask again and again instead")
    if incident is not None and not await context.ask(lambda sql: may_be_seen(sql, incident, who.scope)):
        raise not_found("incident", incident)
    if request.scope.get("spillway.head"):
        return Response(media_type="text/event-stream")
    try:
        client = live.open(who, incident)
    except TooManyStreamsError as error:
        if error.own:
            detail = "too many streams of yours are open: close some"
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS, Reason.TOO_MANY, detail, headers={"Retry-After": str(RETRY_SECONDS)}
            ) from None
        raise _none("too many listen already: try again in a while") from None
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(live.stream(client, last_event_id), headers=headers, media_type="text/event-stream")


def _none(detail: str) -> Refusal:
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, Reason.TOO_MANY, detail, headers=headers)
