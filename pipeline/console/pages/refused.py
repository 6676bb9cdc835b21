"""What a browser shows of a request that is not done: what happened, and where to go on."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.responses import Response

from pipeline.console.identity import Identity
from pipeline.console.pages.render import FRAGMENT_HEADER, render
from pipeline.console.refusal import Reason, Refusal
from pipeline.console.security.door import API, IDENTITY, OPEN_BELOW, ORIGIN

_HEADS: Final[dict[str, tuple[str, str]]] = {
    Reason.NOT_KNOWN: ("You are not signed in", "Sign in, then ask again: nothing was done."),
    Reason.NOT_ALLOWED: ("You may not do that", "Nothing was done. Somebody with the role that is named here can."),
    Reason.NOT_FOUND: (
        "There is nothing here",
        "Its name is not right, or it is of a domain that you may not see.",
    ),
    Reason.TOO_MANY: ("Too many requests", "Nothing was done. Wait a moment, then try again."),
    Reason.FORGED: ("This form is out of date", "Nothing was done. Load the page again, and fill in the form anew."),
    Reason.CONFLICT: ("It has gone on meanwhile", "Nothing was done. Look at it as it is now, then decide again."),
    Reason.STALE: ("It has gone on meanwhile", "Nothing was done. Look at it as it is now, then decide again."),
    Reason.KAFKA_AWAY: (
        "Kafka does not answer",
        "What you asked for was not taken: ask again. You can still look.",
    ),
    Reason.STORE_AWAY: (
        "The records store does not answer",
        "Incidents go on, people are called: only this view waits.",
    ),
    Reason.DEFECT: ("Something broke in the console", "Incidents go on: people are called. Please tell us of it."),
}
_OTHER: Final = ("This cannot be done", "Nothing was done. Go back, and put right what is named here.")

AGAIN: Final = frozenset({Reason.TOO_MANY, Reason.KAFKA_AWAY, Reason.STORE_AWAY, Reason.DEFECT})
"""What may go well a moment later."""


def refused_page(request: Request, refusal: Refusal) -> Response | None:
    """The page; None where a program asked, or a page for a part of itself: they read problem details."""
    wanted = request.headers.get("accept", "")
    if request.url.path.startswith((API, *OPEN_BELOW)) or FRAGMENT_HEADER in request.headers:
        return None
    if "text/html" not in wanted:
        return None
    who = request.scope.get(IDENTITY)
    title, then = _HEADS.get(refusal.reason, _OTHER)
    answer = render(
        request,
        who if isinstance(who, Identity) else None,
        "refused.html",
        status=int(refusal.status),
        title=title,
        then=then,
        detail=refusal.detail.rstrip("."),
        reason=refusal.reason,
        again=request.url.path if refusal.reason in AGAIN and request.method == "GET" else "",
        query=request.url.query,
        request_id=getattr(request.scope.get(ORIGIN), "request_id", ""),
    )
    answer.headers.update(refusal.headers)
    answer.headers.append("Vary", "Accept")
    return answer
