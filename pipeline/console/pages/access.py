"""Access, for administrators of all domains: tokens, and who did what."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from pipeline.console.context import Context, Here
from pipeline.console.identity import PEOPLE, Identity
from pipeline.console.pages.render import render
from pipeline.console.refusal import Refusal
from pipeline.console.security.door import REASON, TARGET
from pipeline.console.security.tokens import DAYS_DEFAULT, domains_known, end_token, make_token
from pipeline.console.security.who import WholeAdministrator
from pipeline.models.command import Role
from pipeline.records.access.log import access_log
from pipeline.records.access.tokens import tokens

router = APIRouter()

ROWS: Final = 100


@router.get("/access")
async def access_page(
    request: Request,
    context: Here,
    who: WholeAdministrator,
    subject: Annotated[str, Query(max_length=256)] = "",
    target: Annotated[str, Query(max_length=300)] = "",
    show: Annotated[str, Query(max_length=16)] = "",
    after: Annotated[int | None, Query(ge=1, le=(1 << 63) - 1)] = None,
) -> HTMLResponse:
    """Tokens that are live, and the newest of the access log."""
    asked = {"subject": subject, "target": target, "show": show}
    return await _page(request, context, who, asked, after)


@router.post("/access/tokens")
async def make(
    request: Request,
    context: Here,
    who: WholeAdministrator,
    name: Annotated[str, Form(max_length=200)] = "",
    role: Annotated[str, Form(max_length=40)] = "",
    domains: Annotated[str, Form(max_length=2_000)] = "",
    days: Annotated[str, Form(max_length=10)] = str(DAYS_DEFAULT),
) -> Response:
    """Make a token and show it: on this page, and nowhere again."""
    named = domains.replace(",", " ").split() or None
    try:
        chosen = Role(role) if role in PEOPLE else Role.SOURCE  # which is none that a token may have
        made, whole = await make_token(context, who, name, [(chosen, named)], int(days) if days.isdecimal() else 0)
    except Refusal as refusal:
        request.scope[REASON] = str(refusal.reason)
        return await _page(request, context, who, {}, None, status=int(refusal.status), wrong=refusal.detail)
    request.scope[TARGET] = made.id
    return await _page(request, context, who, {}, None, made=made, whole=whole)


@router.post("/access/tokens/{token_id}/revoke")
async def revoke(context: Here, who: WholeAdministrator, token_id: Annotated[str, Path(max_length=64)]) -> Response:
    """End a token and the sessions that came from it."""
    await end_token(context, who, token_id)
    return RedirectResponse("/access", HTTPStatus.SEE_OTHER)


async def _page(
    request: Request,
    context: Context,
    who: Identity,
    asked: dict[str, str],
    after: int | None,
    *,
    status: int = 200,
    **told: Any,
) -> HTMLResponse:
    now = context.now()
    refused = {"refused": True, "done": False}.get(asked.get("show", ""))
    found = await context.ask(
        lambda connection: access_log(
            connection,
            subject=asked.get("subject") or None,
            target=asked.get("target") or None,
            refused=refused,
            before=after,
            limit=ROWS,
        )
    )
    live = await context.ask(lambda connection: tokens(connection, with_ended=False, now=now))
    following = ""
    if len(found) == ROWS:
        kept = {name: value for name, value in asked.items() if value}
        following = "/access?" + urlencode({**kept, "after": found[-1]["id"]})
    facts: dict[str, Any] = {"made": None, "whole": "", "wrong": ""} | told
    every = {"subject": "", "target": "", "show": ""} | asked
    facts |= {"tokens": live, "entries": found, "asked": every, "following": following}
    facts |= {"roles": [(str(each), str(each)) for each in PEOPLE], "domains": domains_known(context.config)}
    facts |= {"days": min(DAYS_DEFAULT, context.config.console.token_days_max)}
    return render(request, who, "access.html", status=status, **facts)
