"""Who may come in and who did: API tokens and the access log, for administrators of all domains."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline.console.api.shapes import WrittenInZone
from pipeline.console.context import Here
from pipeline.console.security.door import TARGET
from pipeline.console.security.tokens import DAYS_DEFAULT, end_token, make_token
from pipeline.console.security.who import WholeAdministrator
from pipeline.models.command import Role
from pipeline.records.access.log import PAGE_MAX, access_log
from pipeline.records.access.tokens import tokens

router = APIRouter(tags=["access"])

ID_MAX = (1 << 63) - 1


class GrantIn(BaseModel):
    """A role; ``domains`` left out or null: for all."""

    model_config = ConfigDict(extra="forbid")

    role: Role
    domains: Annotated[list[Annotated[str, Field(max_length=256)]], Field(min_length=1, max_length=100)] | None = None


class TokenIn(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100)]
    grants: Annotated[list[GrantIn], Field(min_length=1, max_length=20)]
    days: Annotated[int, Field(ge=1, le=3_650)] = DAYS_DEFAULT


class TokenOut(BaseModel):
    """A token, without its secret."""

    id: str
    name: str
    grants: list[dict[str, Any]]
    live: bool
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    last_used_at: datetime | None


class TokenMade(TokenOut):
    """A token that was made now. ``token`` is the whole of it, told here alone."""

    token: str


class AccessEntry(BaseModel):
    """Somebody did or looked at something, or was refused."""

    id: int
    at: datetime
    request_id: str
    subject: str | None
    came_by: str | None
    credential: str | None
    address: str
    action: str
    method: str
    path: str
    target: str | None
    status: int
    reason: str | None


class AccessPage(BaseModel):
    """Entries, the newest first; ``next`` is the ``after`` of the next page, null where this is the last."""

    entries: list[AccessEntry]
    next: int | None


class Filters(BaseModel):
    """Which entries of the access log."""

    model_config = ConfigDict(extra="forbid")

    subject: Annotated[str | None, Field(max_length=256)] = None
    target: Annotated[str | None, Field(max_length=300)] = None
    action: Annotated[str | None, Field(max_length=300)] = None
    refused: bool | None = None
    since: WrittenInZone | None = None
    until: WrittenInZone | None = None
    after: Annotated[int | None, Field(ge=1, le=ID_MAX)] = None
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 100


@router.get("/access-log", summary="Who did and looked at what")
async def log(context: Here, who: WholeAdministrator, filters: Annotated[Filters, Query()]) -> AccessPage:
    """Every write, every sign-in, every look at one thing, and what was refused."""
    asked = filters.model_dump(exclude={"after", "limit"})
    found = await context.ask(
        lambda connection: access_log(connection, **asked, before=filters.after, limit=filters.limit)
    )
    following = found[-1]["id"] if len(found) == filters.limit else None
    return AccessPage(entries=[AccessEntry(**each) for each in found], next=following)


@router.get("/tokens", summary="API tokens")
async def list_tokens(context: Here, who: WholeAdministrator, ended: bool = False) -> list[TokenOut]:
    """Tokens, the newest first; ``ended``: those that are over, too."""
    now = context.now()
    found = await context.ask(lambda connection: tokens(connection, with_ended=ended, now=now))
    return [TokenOut(**each.document(now)) for each in found]


@router.post("/tokens", status_code=HTTPStatus.CREATED, summary="Make an API token")
async def create(request: Request, context: Here, who: WholeAdministrator, wanted: TokenIn) -> TokenMade:
    """The answer holds the whole token: now, and never again."""
    grants = [(each.role, each.domains) for each in wanted.grants]
    made, whole = await make_token(context, who, wanted.name, grants, wanted.days)
    request.scope[TARGET] = made.id
    return TokenMade(**made.document(context.now()), token=whole)


@router.delete("/tokens/{token_id}", status_code=HTTPStatus.NO_CONTENT, summary="Revoke an API token")
async def revoke(context: Here, who: WholeAdministrator, token_id: Annotated[str, Path(max_length=64)]) -> Response:
    """It lets nobody in any more, nor does a session of a browser that signed in with it."""
    await end_token(context, who, token_id)
    return Response(status_code=HTTPStatus.NO_CONTENT)
