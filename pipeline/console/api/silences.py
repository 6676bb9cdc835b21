"""Silences: what people mute, until when, and who answers for it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline.console.api.commands import Accepted, Key, accepted
from pipeline.console.api.shapes import NAME, WrittenInZone
from pipeline.console.commands import bad_fields
from pipeline.console.context import Here
from pipeline.console.security.who import Known, Responder
from pipeline.console.silences import SPACE, ask_silence, begin_silence, silences_for
from pipeline.models.correlation_rules import WHOLE_NUMBER_MAX
from pipeline.models.silence import CONDITIONS_MAX, TARGETS_MAX
from pipeline.models.suppression import Ended, Suppression

router = APIRouter(tags=["silences"])

SilenceId = Annotated[str, Path(min_length=1, max_length=256, pattern=NAME)]

_Text = Annotated[str, Field(min_length=1, max_length=256)]
_Number = Annotated[int, Field(ge=-WHOLE_NUMBER_MAX, le=WHOLE_NUMBER_MAX)]
_Value = str | _Number


class Silence(BaseModel):
    """One silence."""

    id: str
    space: str
    reason: str
    owner: str
    actor: str
    in_force: bool
    since_ms: int
    until_ms: int
    targets: list[str]
    match: dict[str, Any]
    hidden: int = Field(description="Episodes that it has muted so far.")
    would_page: int = Field(description="People who would have been called for them.")


class Silences(BaseModel):
    """Silences, those that began last first."""

    items: list[Silence]


class SilenceAsked(BaseModel):
    """What is to be muted. All that is stated must hold of an alert."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    space: str = Field(SPACE, min_length=1, max_length=100, pattern=NAME, description="Correlation space.")
    targets: list[_Text] = Field(
        [], max_length=TARGETS_MAX, description="Services, resources or hosts, and what runs on them."
    )
    match: dict[str, _Value | list[_Value]] = Field({}, description="Fact or label -> value, or one of several.")
    conditions: list[_Text] = Field([], max_length=CONDITIONS_MAX, description="Alert keys.")
    until: WrittenInZone = Field(description="When it ends by itself.", examples=["2026-11-30T06:00:00Z"])
    owner: _Text | None = Field(None, description="Person or group that answers for it; you, by default.")
    reason: str = Field(min_length=1, max_length=1_000, description="Why.")


class SilenceCommand(BaseModel):
    """What becomes of a silence."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["unsilence", "extend_silence"]
    until: WrittenInZone | None = Field(None, description="When it ends instead.")


@router.get("/silences", summary="What is muted")
async def list_silences(
    context: Here,
    who: Known,
    in_force: Annotated[bool, Query(description="Leave out those that are over.")] = True,
) -> Silences:
    """By whom, why, until when, and what each has hidden so far."""
    found = [_told(each, context.now_ms()) for each in await silences_for(context, who)]
    return Silences(items=[each for each in found if each.in_force or not in_force])


@router.post("/silences", status_code=202, summary="Mute what people know of")
async def create_silence(
    context: Here, who: Responder, body: SilenceAsked, response: Response, idempotency_key: Key = None
) -> Accepted:
    """Until a time, with an owner and a reason. `about` in the answer is the silence's id."""
    request = body.model_dump(mode="json", exclude={"space"}, exclude_none=True, exclude_unset=True)
    return accepted(await begin_silence(context, who, request, space=body.space, key=idempotency_key), response)


@router.post("/silences/{silence_id}/commands", status_code=202, summary="End or extend a silence")
async def command_silence(
    context: Here,
    who: Responder,
    silence_id: SilenceId,
    body: SilenceCommand,
    response: Response,
    idempotency_key: Key = None,
) -> Accepted:
    """What still fires when it has ended is told."""
    if (body.until is None) == (body.type == "extend_silence"):
        raise bad_fields([("until", "extend_silence needs it, unsilence takes none")])
    return accepted(await ask_silence(context, who, silence_id, until=body.until, key=idempotency_key), response)


def _told(told: Suppression, now_ms: int) -> Silence:
    by = told.decided_by
    return Silence(
        id=told.episode_id,
        space=told.space,
        reason=told.summary,
        owner=str(by.get("owner", "")),
        actor=str(by.get("actor", "")),
        in_force=told.ended == Ended.ON and int(by.get("until_ms", 0)) > now_ms,
        since_ms=told.since_ms,
        until_ms=int(by.get("until_ms", 0)),
        targets=[str(each) for each in by.get("targets") or ()],
        match=dict(by.get("match") or {}),
        hidden=int(by.get("hidden", 0)),
        would_page=int(by.get("would_page", 0)),
    )
