"""On call: who is called now for what, until when, who comes next, and where nobody will be."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from pipeline.catalog.effective_escalation import escalation
from pipeline.catalog.oncall_ics import schedule_calendar
from pipeline.console.context import Context, Here
from pipeline.console.identity import Identity
from pipeline.console.knowledge import Knowledge, knowledge
from pipeline.console.pages.render import render
from pipeline.console.refusal import not_found
from pipeline.console.rota import AHEAD_DAYS, Rota, rota, rotas
from pipeline.console.security.who import Known
from pipeline.core.escalation.oncall_schedule import DAY_MS, schedule

router = APIRouter()

NAME_CHARACTERS_MAX: Final = 256
"""Of what somebody asks for: no name in a catalogue is longer."""

CALENDAR_DAYS: Final = 90
"""Of a rotation's calendar: what people plan by."""


@router.get("/oncall")
async def oncall_page(
    request: Request,
    context: Here,
    who: Known,
    service: Annotated[str, Query(max_length=NAME_CHARACTERS_MAX)] = "",
) -> HTMLResponse:
    """Every rotation now; and for a service the whole chain of who is called."""
    known, now = knowledge(context.config), context.now_ms()
    found = rotas(known, now, who.scope)
    return render(
        request,
        who,
        "oncall.html",
        rotas=found,
        ahead_days=AHEAD_DAYS,
        gaps=_gaps(found),
        uncovered=_uncovered(known, who),
        asked=service.strip(),
        answer=_answer(context, who, service.strip(), now),
    )


@router.get("/oncall/{name}.ics")
async def oncall_calendar(context: Here, who: Known, name: str) -> Response:
    """The schedule of a rotation for other calendars."""
    found = next(
        (each for each in rotas(knowledge(context.config), context.now_ms(), who.scope) if each.rotation.name == name),
        None,
    )
    if found is None:
        raise not_found("rotation", name)
    start = context.now_ms() // DAY_MS * DAY_MS
    body = schedule_calendar(found.rotation, schedule(found.rotation, start, start + CALENDAR_DAYS * DAY_MS))
    headers = {"Content-Disposition": f'attachment; filename="{found.rotation.name}.ics"'}
    return Response(body, media_type="text/calendar; charset=utf-8", headers=headers)


def _gaps(found: list[Rota]) -> list[dict[str, Any]]:
    """Times ahead in which nobody is reached, the worst rotations first."""
    told = [
        {"rota": each, "gaps": each.gaps, "critical": each.critical} for each in found if each.gaps and each.services
    ]
    return sorted(told, key=lambda each: (not each["critical"], each["gaps"][0]))


def _uncovered(known: Knowledge, who: Identity) -> list[Any]:
    """Services that no rotation covers, the most critical first."""
    found = [
        each
        for each in known.services
        if known.sees(who.scope, each.ref) and known.oncall.rotation_of(each.ref) is None
    ]
    return sorted(found, key=lambda each: (each.tier or 9, each.title))


def _answer(context: Context, who: Identity, name: str, now: int) -> dict[str, Any] | None:
    """Who is called for a service, step by step; None where none was asked for."""
    if not name:
        return None
    known = knowledge(context.config)
    ref = known.enricher.resolve(name)
    if ref is None or not known.sees(who.scope, ref):
        return {"name": name, "entity": None}
    return {"name": name, **called_for(known, ref, now)}


def called_for(known: Knowledge, ref: str, now: int) -> dict[str, Any]:
    """Who is called for an entity, step by step: ``entity``, ``answers``, ``chain``, ``reached``, ``steps``."""
    entity, service = known.topology.entities[ref], known.places[ref].service
    answers = known.topology.entities[service or ref]
    rotation = known.oncall.rotation_of(answers.ref)
    chain = [] if rotation is None else [rota(known, each, now) for each in known.oncall.chain(rotation)]
    policy = known.config.policy(known.domain(ref))
    steps = escalation(known.callers, policy, entity, answers, now)
    return {
        "entity": entity,
        "answers": answers,
        "chain": chain,
        "reached": any(each.people for each in chain),
        "steps": [(each.name, each.value if isinstance(each.value, list) else [str(each.value)]) for each in steps],
        "runbooks": {**answers.runbooks, **entity.runbooks},
    }
