"""Services: how each is by its open incidents, who needs whom, and the page of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from pipeline.console.charts.around import around_service, domain_map
from pipeline.console.context import Context, Here
from pipeline.console.identity import Identity
from pipeline.console.knowledge import Knowledge, knowledge
from pipeline.console.pages.oncall import called_for
from pipeline.console.pages.render import FRAGMENT_HEADER, render
from pipeline.console.refusal import not_found
from pipeline.console.rota import rotas
from pipeline.console.security.who import Known
from pipeline.models.catalog import Entity
from pipeline.records.analytics.figures import Figures
from pipeline.records.analytics.maturity import maturity
from pipeline.records.analytics.periods import last_days
from pipeline.records.majors import about
from pipeline.records.reading import ServiceHealth, services

router = APIRouter()

PAGE_ROWS: Final = 100
"""Services on a page: a screenful or three."""

OPEN_MAX: Final = 50
"""Open incidents listed of one service, the newest; the board has all."""

RECENT_MAX: Final = 10
"""Incidents that are over, likewise."""

State = Mapping[str, ServiceHealth]
"""Reference -> how a service is, of those with open incidents."""

FIGURES_DAYS: Final = 90
"""Days that a service's figures are of: about a quarter."""

PAGE_MAX: Final = 10_000
WORDS_MAX: Final = 256


@router.get("/services")
async def services_page(
    request: Request,
    context: Here,
    who: Known,
    q: Annotated[str, Query(max_length=WORDS_MAX)] = "",
    domain: Annotated[str, Query(max_length=WORDS_MAX)] = "",
    tier: Annotated[str, Query(max_length=1, pattern="^[1-4]?$")] = "",
    owner: Annotated[str, Query(max_length=WORDS_MAX)] = "",
    show: Annotated[str, Query(max_length=16)] = "",
    page: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 1,
) -> HTMLResponse:
    """All services that somebody may see, those with open incidents first, and the map of a domain."""
    known = knowledge(context.config)
    state = await health(context, who)
    own = [each for each in known.services if known.sees(who.scope, each.ref)]
    wanted = {"q": q.strip(), "domain": domain, "tier": tier, "owner": owner, "show": show}
    found = sorted((each for each in own if _fits(known, each, wanted, state)), key=lambda each: _order(each, state))
    on_call = _on_call(known, context.now_ms(), who)
    start = (page - 1) * PAGE_ROWS
    rows = [_row(known, each, state, on_call) for each in found[start : start + PAGE_ROWS]]
    domains = _domains(known, own, state)
    drawn = domain if domain in {each["name"] for each in domains} else next((each["name"] for each in domains), "")
    more = urlencode({name: value for name, value in wanted.items() if value} | {"page": str(page + 1)})
    return render(
        request,
        who,
        "services.html",
        rows=rows,
        total=len(found),
        wanted=wanted,
        domains=domains,
        owners=sorted({each.owner for each in own if each.owner}),
        drawn=drawn,
        map=domain_map(known, drawn, who.scope, _seen(own, state)) if drawn else "",
        following=f"/services?{more}" if start + PAGE_ROWS < len(found) else "",
    )


@router.get("/services/{ref:path}")
async def service_page(request: Request, context: Here, who: Known, ref: str) -> HTMLResponse:
    """One service or resource: facts, who needs whom, incidents, who is called."""
    known = knowledge(context.config)
    found = ref if ref in known.topology.entities else known.enricher.resolve(ref[:WORDS_MAX])
    if found is None or not known.sees(who.scope, found):
        raise not_found("service", ref)
    service = known.places[found].service or found
    state = await health(context, who)
    is_open = await context.ask(lambda sql: about(sql, service, who.scope, is_open=True, limit=OPEN_MAX))
    recent = await context.ask(lambda sql: about(sql, service, who.scope, is_open=False, limit=RECENT_MAX))
    if service != found:  # a resource: of the incidents of its service those that name it
        is_open, recent = (
            [each for each in several if found in (each.get("entities") or [])] for several in (is_open, recent)
        )
    own = [each for each in known.services if known.sees(who.scope, each.ref)]
    return render(
        request,
        who,
        "service.html",
        entity=known.topology.entities[found],
        domain=known.domain(found),
        health=state.get(found),
        map=around_service(known, found, who.scope, _seen(own, state)),
        needs=[(each, known.title(each), known.sees(who.scope, each)) for each in known.topology.depends_on(found)],
        needed=[(each, known.title(each), known.sees(who.scope, each)) for each in known.topology.dependents(found)],
        is_open=[incident_row(each) for each in is_open],
        recent=[incident_row(each) for each in recent],
        answer=called_for(known, found, context.now_ms()),
        figures=await _figures(request, context, who, service),
        figures_days=FIGURES_DAYS,
    )


async def _figures(request: Request, context: Context, who: Identity, service: str) -> Figures | None:
    """What its incidents of the last days came to; not counted again for the part of the page that changes live."""
    if FRAGMENT_HEADER in request.headers:
        return None
    now = datetime.fromtimestamp(context.now_ms() / 1_000, UTC)
    period = last_days(FIGURES_DAYS, now)
    told = await context.ask(lambda sql: maturity(sql, who.scope, period=period, service=service))
    return told.whole if told.whole.incidents else None


async def health(context: Context, who: Identity) -> dict[str, ServiceHealth]:
    """How the services are that somebody may see; those of which nothing is open are not among them."""
    found = await context.ask(lambda connection: services(connection, who.scope, context.config))
    return {each.ref: each for each in found if each.total}


def incident_row(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """What a short list tells of an incident; of a snapshot of any release."""
    names = ("id", "title", "state", "priority", "priority_rank", "assignee", "opened_at_ms", "resolved_at_ms")
    return {name: snapshot.get(name) for name in names}


def _fits(known: Knowledge, entity: Entity, wanted: Mapping[str, str], state: State) -> bool:
    words = " ".join((entity.title, entity.ref, *entity.aliases, entity.system or "")).lower()
    return (
        all(word in words for word in wanted["q"].lower().split())
        and wanted["domain"] in ("", known.domain(entity.ref) or "")
        and wanted["tier"] in ("", str(entity.tier or ""))
        and wanted["owner"] in ("", entity.owner or "")
        and (wanted["show"] != "ill" or entity.ref in state)
    )


def _order(entity: Entity, state: State) -> tuple[Any, ...]:
    """The most urgent first, then the most critical."""
    own = state.get(entity.ref)
    rank = own.priority_rank if own and own.priority_rank is not None else 99
    return (own is None, rank, entity.tier or 9, entity.title.lower(), entity.ref)


def _row(known: Knowledge, entity: Entity, state: State, on_call: Mapping[str, list[str]]) -> dict[str, Any]:
    rotation = known.oncall.rotation_of(entity.ref)
    return {
        "entity": entity,
        "domain": known.domain(entity.ref),
        "health": state.get(entity.ref),
        "rotation": rotation.name if rotation else None,
        "on_call": on_call.get(rotation.name, []) if rotation else [],
    }


def _on_call(known: Knowledge, now_ms: int, who: Identity) -> dict[str, list[str]]:
    """Rotation -> who is called first now."""
    return {
        each.rotation.name: [held.who.person for held in each.people if held.who.position == "primary"]
        for each in rotas(known, now_ms, who.scope)
    }


def _domains(known: Knowledge, own: Sequence[Entity], state: State) -> list[dict[str, Any]]:
    """The domains, those with most services in trouble first."""
    found: dict[str, dict[str, Any]] = {}
    for each in own:
        name = known.domain(each.ref)
        if name is not None:
            row = found.setdefault(name, {"name": name, "services": 0, "ill": 0, "rank": None})
            row["services"] += 1
            row["ill"] += each.ref in state
    return sorted(found.values(), key=lambda each: (-each["ill"], each["name"]))


_WELL: Final = ServiceHealth("", "", None, None, None)


def _seen(own: Sequence[Entity], state: State) -> dict[str, ServiceHealth]:
    """The health of the services that somebody may see; nothing of others."""
    return {each.ref: state.get(each.ref) or _WELL for each in own}
