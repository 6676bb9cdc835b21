"""The page of an incident or bridge incident, its whole timeline, what is like it, and whether its seals hold."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from pipeline.console.charts.around import around_incident
from pipeline.console.context import Context, Here
from pipeline.console.identity import Identity, at_least, domains_of
from pipeline.console.knowledge import knowledge
from pipeline.console.pages import incident_view as view
from pipeline.console.pages.actions import asked_lines
from pipeline.console.pages.bridge import bridge_facts
from pipeline.console.pages.choices import service_title
from pipeline.console.pages.offers import offers
from pipeline.console.pages.render import render
from pipeline.console.refusal import Reason, Refusal, not_found
from pipeline.console.security.who import Known
from pipeline.models.command import Role
from pipeline.models.incident import IncidentKind
from pipeline.records.audit import trail_of
from pipeline.records.reading import BadCursorError, Episode, episodes, incident_page, similar, timeline

router = APIRouter()

ENTRIES: Final = 60
"""Newest entries of the timeline on the incident's page; the others are a page of their own."""

ENTRIES_ON_PAGE: Final = 300
"""Entries on a page of the whole timeline."""

EPISODES_SHOWN: Final = 100
"""Episodes on the page: those that fire first, then the newest."""

SIMILAR: Final = 5
"""Incidents like it that are shown: more is no help in a hurry."""

MEMBER_CARD: Final = 10
"""Incidents named where many were merged."""


@router.get("/incidents/{incident_id}")
async def page(request: Request, here: Here, who: Known, incident_id: str) -> Response:
    """All about one incident."""

    def ask(connection: Connection) -> tuple[dict[str, Any] | None, list[Episode]]:
        found = incident_page(connection, incident_id, who.scope)
        return found, episodes(connection, incident_id, who.scope, limit=EPISODES_SHOWN) if found else []

    found, runs = await here.ask(ask)
    if found is None:
        raise not_found("incident", incident_id)
    snapshot = found["snapshot"]
    show = request.query_params.get("show", "")
    is_bridge = snapshot.get("kind") == IncidentKind.BRIDGE
    return render(
        request,
        who,
        "incident.html",
        incident=snapshot,
        found=found,
        episodes=sorted(runs, key=lambda each: (each.state != "open", -each.opened_at.timestamp())),
        graph=_graph(here, who, snapshot, runs),
        bridge=await bridge_facts(here, who, snapshot) if is_bridge else None,
        offers=(offered := offers(here.config, who, snapshot)),
        shown=[each for each in offered if each.is_shown],
        folded=[each for each in offered if not each.is_shown],
        asked=await asked_lines(request, here, who),
        entries=view.lines(found["timeline"].entries, show)[:ENTRIES],
        more_entries=found["timeline"].next is not None or len(found["timeline"].entries) > ENTRIES,
        show=show,
        groups=view.GROUPS,
        may_mute=at_least(who.role_for(domains_of(snapshot)), Role.RESPONDER),
        **_facts(here, snapshot),
    )


def _facts(here: Context, snapshot: dict[str, Any]) -> dict[str, Any]:
    now_ms = here.now_ms()
    return {
        "clocks": view.clocks(snapshot, now_ms),
        "next_call": view.next_call(snapshot, here.config),
        "calls": view.calls(snapshot),
        "stand": view.stand(snapshot),
        "messages": view.newest_messages(snapshot),
        "title_of": lambda ref: service_title(here.config, ref),
        "domain_title": here.config.policy(snapshot.get("domain")).title or snapshot.get("domain"),
    }


def _graph(here: Context, who: Identity, snapshot: dict[str, Any], runs: list[Episode]) -> Any:
    fires = [each for each in runs if each.state == "open"] or runs
    alerting = {each.entity for each in fires if each.entity}
    return around_incident(knowledge(here.config), snapshot, who.scope, alerting=alerting)


@router.get("/incidents/{incident_id}/timeline")
async def timeline_page(request: Request, here: Here, who: Known, incident_id: str) -> Response:
    """The whole timeline, a page at a time, the newest first."""
    after, show = request.query_params.get("after"), request.query_params.get("show", "")
    try:
        found = await here.ask(
            lambda connection: timeline(connection, incident_id, who.scope, after=after, limit=ENTRIES_ON_PAGE)
        )
    except BadCursorError as bad:
        raise Refusal(HTTPStatus.BAD_REQUEST, Reason.BAD_INPUT, str(bad)) from None
    if found is None:
        raise not_found("incident", incident_id)
    return render(
        request,
        who,
        "timeline.html",
        incident_id=incident_id,
        entries=view.lines(found.entries, show),
        next=found.next,
        show=show,
        groups=view.GROUPS,
    )


@router.get("/incidents/{incident_id}/similar")
async def similar_page(request: Request, here: Here, who: Known, incident_id: str) -> Response:
    """Past incidents like it, with what fixed them."""
    found = await here.ask(lambda connection: similar(connection, incident_id, who.scope, SIMILAR))
    if found is None:
        raise not_found("incident", incident_id)
    return render(request, who, "similar.html", incident_id=incident_id, similar=found)


@router.get("/incidents/{incident_id}/audit")
async def audit_page(request: Request, here: Here, who: Known, incident_id: str) -> Response:
    """Whether what is on record is what was sealed."""

    def ask(connection: Connection) -> Any:
        seen = incident_page(connection, incident_id, who.scope)
        return None if seen is None else trail_of(connection, incident_id)

    trail = await here.ask(ask)
    if trail is None:
        raise not_found("incident", incident_id)
    return render(request, who, "audit.html", trail=trail, broken=trail.broken(), incident=trail.incident)
