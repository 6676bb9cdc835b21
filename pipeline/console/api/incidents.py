"""Incidents and bridge incidents: lists, one, and what belongs to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from pipeline.console.api.shapes import NEXT, After, IncidentId, Limit, Listed, Next, filters_of
from pipeline.console.context import Context, Here
from pipeline.console.explaining import Seen
from pipeline.console.identity import Identity
from pipeline.console.refusal import not_found
from pipeline.console.security.who import Known
from pipeline.records import reading
from pipeline.records.audit import trail_of
from pipeline.records.explanation import incident_document
from pipeline.records.reading import Count, Entry, Episode, IncidentRow, Similar

router = APIRouter(tags=["incidents"])


class Incidents(BaseModel):
    """A page of incidents."""

    items: list[IncidentRow]
    next: str | None = Field(description=NEXT)


class Board(Incidents):
    """A page of the board, and how much there is on it."""

    counts: list[Count] = Field(description="Of all that the filters let through, but those of state and priority.")


class Incident(BaseModel):
    """One incident, as its newest revision says."""

    summary: IncidentRow
    snapshot: dict[str, Any] = Field(description="All that is known of it: the `incident` of its event on Kafka.")
    members: list[IncidentRow] = Field(description="Of a bridge incident: its members that you may see.")
    members_total: int
    bridge: IncidentRow | None = Field(description="The bridge incident that it is a member of.")
    merged_from: list[IncidentRow] = Field(description="Incidents that were merged into it.")
    merged_into: IncidentRow | None


class Timeline(BaseModel):
    """A page of a timeline."""

    items: list[Entry]
    next: str | None = Field(description=NEXT)


class Episodes(BaseModel):
    """The episodes of an incident, in order of opening."""

    items: list[Episode]


class Documents(BaseModel):
    """A list of records as the pipeline wrote them."""

    items: list[dict[str, Any]]


class SimilarIncidents(BaseModel):
    """Incidents like one: those that have ended first, and of these the most alike."""

    items: list[Similar]


@router.get("/incidents", summary="Incidents, the newest first")
async def list_incidents(context: Here, who: Known, asked: Annotated[Listed, Query()], onward: Next) -> Incidents:
    """Incidents and bridge incidents, open or not, the most recently opened first."""
    filters = filters_of(asked, context.now_ms())
    found = await context.ask(
        lambda sql: reading.incidents(sql, who.scope, filters=filters, after=asked.after, limit=asked.limit)
    )
    return Incidents(items=found.rows, next=onward.link(found.next))


@router.get("/board", summary="What is worked on, the most urgent first")
async def read_board(context: Here, who: Known, asked: Annotated[Listed, Query()], onward: Next) -> Board:
    """By priority, then what is due next, then what is open longest. Resolved ones are on it if `state` names them."""
    filters = filters_of(asked, context.now_ms())
    found = await context.ask(
        lambda sql: reading.board(sql, who.scope, filters=filters, after=asked.after, limit=asked.limit)
    )
    return Board(items=found.rows, next=onward.link(found.next), counts=found.counts)


@router.get("/bridges", summary="Bridge incidents, the newest first")
async def list_bridges(
    context: Here,
    who: Known,
    onward: Next,
    open: Annotated[bool | None, Query(description="Not closed; false: those that are.")] = None,  # noqa: A002  # a name on the wire
    after: After = None,
    limit: Limit = 50,
) -> Incidents:
    """The coordinated response to Major Incidents; `/incidents/{id}` has one with its members."""
    filters = reading.Filters(kind="bridge", open=open, now_ms=context.now_ms())
    found = await context.ask(lambda sql: reading.incidents(sql, who.scope, filters=filters, after=after, limit=limit))
    return Incidents(items=found.rows, next=onward.link(found.next))


@router.get("/incidents/{incident_id}", summary="An incident or bridge incident")
async def read_incident(context: Here, who: Known, incident_id: IncidentId, response: Response) -> Incident:
    """`X-Revision` names the revision: send it as `If-Match` with a command, and only this revision is changed."""
    found = await _page(context, who, incident_id)
    row: IncidentRow = found["row"]
    response.headers["X-Revision"] = str(row.revision)
    names = ("snapshot", "members", "members_total", "bridge", "merged_from", "merged_into")
    return Incident(summary=row, **{name: found[name] for name in names})


@router.get("/incidents/{incident_id}/timeline", summary="What happened, step by step")
async def read_timeline(
    context: Here,
    who: Known,
    incident_id: IncidentId,
    onward: Next,
    after: After = None,
    limit: Limit = 100,
    order: Annotated[Literal["newest", "oldest"], Query(description="Which comes first.")] = "newest",
) -> Timeline:
    """Every action with its actor, words and facts, and what it changed."""
    newest = order == "newest"
    found = await context.ask(
        lambda sql: reading.timeline(sql, incident_id, who.scope, after=after, limit=limit, newest_first=newest)
    )
    if found is None:
        raise not_found("incident", incident_id)
    return Timeline(items=found.entries, next=onward.link(found.next))


@router.get("/incidents/{incident_id}/episodes", summary="The conditions that it is made of")
async def list_incident_episodes(context: Here, who: Known, incident_id: IncidentId) -> Episodes:
    """Each run of each condition that is a member."""
    await _page(context, who, incident_id)
    return Episodes(items=await context.ask(lambda sql: reading.episodes(sql, incident_id, who.scope)))


@router.get("/incidents/{incident_id}/explanation", summary="Why it is what it is")
async def explain_incident(context: Here, who: Known, incident_id: IncidentId) -> dict[str, Any]:
    """Why each episode is in it, how its priority came about, who was called and why: what `spillway explain` says."""

    def question(sql: Any) -> dict[str, Any] | None:
        seen = Seen(sql, who.scope)
        snapshot = seen.incident(incident_id)
        return None if snapshot is None else incident_document(seen, snapshot)

    found = await context.ask(question)
    if found is None:
        raise not_found("incident", incident_id)
    return found


@router.get("/incidents/{incident_id}/similar", summary="Past incidents like it, and what fixed them")
async def list_similar(
    context: Here, who: Known, incident_id: IncidentId, limit: Annotated[int, Query(ge=1, le=50)] = 10
) -> SimilarIncidents:
    """What they share is said in words, what tells most first."""
    found = await context.ask(lambda sql: reading.similar(sql, incident_id, who.scope, limit))
    if found is None:
        raise not_found("incident", incident_id)
    return SimilarIncidents(items=found)


@router.get("/incidents/{incident_id}/links", summary="Tickets, cases and other records elsewhere")
async def list_links(context: Here, who: Known, incident_id: IncidentId) -> Documents:
    """Each with its state there, and the ledger's entry where a sink keeps it."""
    return Documents(items=(await _page(context, who, incident_id))["links"])


@router.get("/incidents/{incident_id}/deliveries", summary="What was told to which sink, and what came back")
async def list_deliveries(context: Here, who: Known, incident_id: IncidentId) -> Documents:
    """The newest first."""
    return Documents(items=(await _page(context, who, incident_id))["deliveries"])


@router.get("/incidents/{incident_id}/communications", summary="What was said to whom")
async def list_communications(context: Here, who: Known, incident_id: IncidentId) -> Documents:
    """Messages to audiences, the oldest first."""
    return Documents(items=(await _page(context, who, incident_id))["communications"])


@router.get("/incidents/{incident_id}/audit", summary="Its audit, with the chain of seals")
async def read_audit(context: Here, who: Known, incident_id: IncidentId) -> dict[str, Any]:
    """Who did what, when it happened and when it went on record; `spillway audit verify` checks it."""
    await _page(context, who, incident_id)
    found = await context.ask(lambda sql: trail_of(sql, incident_id))
    if found is None:
        raise not_found("incident", incident_id)
    return found.document()


class Responders(BaseModel):
    """Who works on it and who was called."""

    owner: str | None = Field(description="Team.")
    assignee: str | None = Field(description="Person.")
    commander: str | None
    called: list[dict[str, Any]] = Field(description="Each call: who, when, by what, and whether he answered.")


@router.get("/incidents/{incident_id}/responders", summary="Who works on it and who was called")
async def read_responders(context: Here, who: Known, incident_id: IncidentId) -> Responders:
    """The team, the person, the commander, and every call with its answer."""
    found = await _page(context, who, incident_id)
    row: IncidentRow = found["row"]
    pages = found["snapshot"].get("pages")
    called = [each for each in pages if isinstance(each, dict)] if isinstance(pages, list) else []
    return Responders(owner=row.owner, assignee=row.assignee, commander=row.commander, called=called)


async def _page(context: Context, who: Identity, incident_id: str) -> dict[str, Any]:
    """An incident and what belongs to it.

    Raises:
        Refusal: there is none that he may see.
    """
    found = await context.ask(lambda sql: reading.incident_page(sql, incident_id, who.scope))
    if found is None:
        raise not_found("incident", incident_id)
    return found
