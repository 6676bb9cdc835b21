"""Who is on call, and what if nobody."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from pipeline.catalog.oncall_answer import shift_document
from pipeline.console.api.shapes import NAME, Moment, moment_ms
from pipeline.console.context import Here
from pipeline.console.knowledge import knowledge
from pipeline.console.refusal import not_found
from pipeline.console.rota import Rota, rota, rotas
from pipeline.console.security.who import Known
from pipeline.core.escalation.oncall_schedule import DAY_MS, schedule

router = APIRouter(tags=["on call"])

DAYS_MAX: Final = 92

Name = Annotated[str, Path(min_length=1, max_length=256, pattern=NAME)]


class Person(BaseModel):
    """Somebody on call."""

    person: str
    position: str
    rotation: str
    because: str = Field(description="By which layer or override.")
    until: datetime | None = Field(description="Null: for more than is planned ahead.")


class OnCallNow(BaseModel):
    """Who is on call in one rotation."""

    rotation: str
    timezone: str
    people: list[Person]
    nobody: str | None = Field(description="Why nobody is; null where somebody is.")
    next_change: datetime | None
    services: list[str] = Field(description="What it covers, by catalogue references.")


class OnCall(BaseModel):
    """Who is on call now."""

    items: list[OnCallNow]


class Schedule(BaseModel):
    """The shifts of a rotation."""

    rotation: str
    timezone: str
    shifts: list[dict[str, Any]]


class Called(BaseModel):
    """Who is called for a service, its rotation first, then its fall-backs."""

    service: str
    reached: bool = Field(description="Whether anybody is on call.")
    rotations: list[OnCallNow]


@router.get("/oncall", summary="Who is on call, rotation by rotation")
async def list_oncall(context: Here, who: Known, at: Moment = None) -> OnCall:
    """Now, or at another time."""
    at_ms = moment_ms(at, context)
    found = rotas(knowledge(context.config), at_ms, who.scope)
    return OnCall(items=[_told(each) for each in found])


@router.get("/oncall/rotations/{rotation}/schedule", summary="The shifts of a rotation")
async def read_schedule(
    context: Here,
    who: Known,
    rotation: Name,
    since: Moment = None,
    days: Annotated[int, Query(ge=1, le=DAYS_MAX, description="How far ahead.")] = 14,
) -> Schedule:
    """Who has which position from when to when, and why."""
    found = next(
        (each for each in rotas(knowledge(context.config), context.now_ms(), who.scope) if _is(each, rotation)), None
    )
    if found is None:
        raise not_found("rotation", rotation)
    from_ms = moment_ms(since, context)
    shifts = schedule(found.rotation, from_ms, from_ms + days * DAY_MS)
    named = found.rotation
    return Schedule(rotation=named.name, timezone=named.timezone, shifts=[shift_document(each) for each in shifts])


@router.get("/oncall/services/{service:path}", summary="Who is called for a service")
async def read_oncall_of_service(context: Here, who: Known, service: Name, at: Moment = None) -> Called:
    """By any name that the catalogue knows: a reference, name, title, alias or host."""
    known, at_ms = knowledge(context.config), moment_ms(at, context)
    ref = known.enricher.resolve(service)
    if ref is None or not known.sees(who.scope, ref):
        raise not_found("service", service)
    answers = known.places[ref].service or ref
    first = known.oncall.rotation_of(answers)
    chain = [] if first is None else [rota(known, each, at_ms) for each in known.oncall.chain(first)]
    return Called(service=ref, reached=any(each.people for each in chain), rotations=[_told(each) for each in chain])


def _is(found: Rota, name: str) -> bool:
    return found.rotation.name == name


def _told(found: Rota) -> OnCallNow:
    return OnCallNow(
        rotation=found.rotation.name,
        timezone=found.rotation.timezone,
        people=[
            Person(
                person=each.who.person,
                position=each.who.position,
                rotation=each.who.rotation,
                because=each.who.because,
                until=_moment(each.until_ms),
            )
            for each in found.people
        ],
        nobody=found.nobody or None,
        next_change=_moment(found.next_ms),
        services=[each.ref for each in found.services],
    )


def _moment(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms / 1_000, UTC)
