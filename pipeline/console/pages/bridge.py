"""What the page of a Major Incident tells beside that of any incident, and the list of Major Incidents.

The page itself is that of an incident; its template includes ``bridge_part.html``, which goes by `bridge_facts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from pipeline.console.context import Context, Here
from pipeline.console.identity import Identity, at_least, domains_of
from pipeline.console.knowledge import knowledge
from pipeline.console.pages.render import render
from pipeline.console.pages.words import span
from pipeline.console.security.who import Known
from pipeline.core.practice.lifecycle import ENDED_STATES
from pipeline.models.command import Role
from pipeline.models.major import CoordinatedStatus, MajorIncidentPhase
from pipeline.records.majors import bridges, members

router = APIRouter()

STEPS: Final = tuple(each.value for each in CoordinatedStatus)
SETTABLE: Final = STEPS[:-1]
"""What people may set; it is resolved by resolving it."""

_MINUTE_MS: Final = 60_000

_HELD_WORDS: Final = {
    "users_at_least": "people affected, at least",
    "revenue_per_minute_at_least": "money a minute, at least",
    "regulatory": "regulated",
    "sites_at_least": "sites, at least",
    "tickets_at_least": "tickets, at least",
    "reporters_at_least": "people who reported, at least",
    "incidents_at_least": "related incidents, at least",
}


@router.get("/majors")
async def majors(request: Request, context: Here, who: Known) -> HTMLResponse:
    """Major Incidents, those that go on first."""
    found = await context.ask(lambda connection: bridges(connection, who.scope, open_only=False))
    now = context.now_ms()
    rows = [summed(each, now, knowledge(context.config).title) for each in found]
    rows.sort(key=lambda each: bool(each["over"]))
    return render(request, who, "majors.html", majors=rows)


async def bridge_facts(context: Context, who: Identity, incident: Mapping[str, Any]) -> dict[str, Any]:
    """All that ``bridge_part.html`` needs of a bridge incident.

    Args:
        context: of the console.
        who: whose scope decides which members are shown.
        incident: the snapshot.
    """
    ids = [str(each) for each in _list(incident.get("members"))]
    found = await context.ask(lambda connection: members(connection, ids, who.scope))
    now, title = context.now_ms(), knowledge(context.config).title
    role = who.role_for(domains_of(dict(incident)))
    over = incident.get("state") in ENDED_STATES
    return summed(incident, now, title) | {
        "incident": incident,
        "members": [member_row(each) for each in found],
        "unseen": len(ids) - len(found),
        "steps": STEPS,
        "settable": SETTABLE,
        "held": list(held_words(_dict(incident.get("major")).get("held"))),
        "streams": list(streams(incident)),
        "drafts": [each for each in _list(incident.get("communications")) if _dict(each).get("status") == "draft"],
        "audiences": sorted({str(_dict(each).get("audience")) for each in _dict(incident.get("streams")).values()}),
        "linked": sorted(map(_record, _list(incident.get("linked"))), key=lambda each: (each["kind"], each["id"])),
        "sites": _list(incident.get("sites")),
        "regulatory": _list(incident.get("regulatory")),
        "corrected": _dict(incident.get("corrected")),
        "may_act": not over and at_least(role, Role.RESPONDER),
        "may_command": not over and at_least(role, Role.COMMANDER),
    }


def summed(incident: Mapping[str, Any], now_ms: int, title: Any) -> dict[str, Any]:
    """What an executive is told in twenty seconds, and what the list of Major Incidents shows."""
    major = _dict(incident.get("major"))
    ended = _number(incident.get("resolved_at_ms")) or _number(incident.get("closed_at_ms"))
    began = _number(incident.get("detected_at_ms")) or _number(incident.get("opened_at_ms")) or now_ms
    minutes = max(0, (ended or now_ms) - began) / _MINUTE_MS
    per_minute = incident.get("revenue_per_minute") or 0
    promised = [_number(each.get("next_update_ms")) for each in _dict(incident.get("streams")).values()]
    phase = str(major.get("phase") or "declared")
    return {
        "id": incident.get("id"),
        "title": str(incident.get("title") or "").removeprefix("Major Incident: "),
        "priority": incident.get("priority"),
        "rank": incident.get("priority_rank"),
        "state": incident.get("state"),
        "status": incident.get("status") or STEPS[0],
        "phase": phase,
        "proposed": phase == MajorIncidentPhase.PROPOSED,
        "in_force": phase == MajorIncidentPhase.DECLARED,
        "over": ended is not None or incident.get("state") in ENDED_STATES,
        "began_ms": began,
        "ended_ms": ended,
        "lasted": span(minutes * 60),
        "commander": incident.get("commander"),
        "affected": incident.get("who_is_affected") or "",
        "users": incident.get("users_affected") or 0,
        "per_minute": per_minute,
        "so_far": round(per_minute * minutes),
        "cause": title(incident["identified"]) if incident.get("identified") else "",
        "because": _list(major.get("because")),
        "by": major.get("by") or "",
        "decide_by_ms": major.get("decide_by_ms") if phase == MajorIncidentPhase.PROPOSED else None,
        "next_update_ms": min((each for each in promised if each is not None), default=None),
        "member_states": _dict(incident.get("member_states")),
        "members_total": len(_list(incident.get("members"))),
        "tickets_total": incident.get("linked_total") or 0,
        "duties": _list(incident.get("duties")),
        "resolution": _dict(incident.get("resolution")),
    }


def member_row(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """What the table of members tells of one; its ``clock`` is that of the resolution."""
    names = ("id", "title", "state", "priority", "priority_rank", "assignee", "service", "users_affected")
    row = {name: snapshot.get(name) for name in names}
    clock = _dict(_dict(snapshot.get("clocks")).get("resolution"))
    since = snapshot.get("state_since_ms") or snapshot.get("opened_at_ms")
    times = {name: _number(clock.get(name)) for name in ("due_at_ms", "met_at_ms", "breached_at_ms")}
    return row | {"since_ms": since, "clock": times if clock else None}


def _record(linked: Any) -> dict[str, Any]:
    """One record elsewhere, whatever release wrote it."""
    given = _dict(linked)
    return {name: str(given.get(name) or "") for name in ("member", "kind", "id", "state", "url")}


def held_words(held: Any) -> Iterator[tuple[str, str]]:
    """The thresholds that held, in words: name, and the value that it had to reach."""
    for each in _list(held):
        name, equals, value = str(each).partition("=")
        said = value.strip("()").replace("'", "").rstrip(",") if equals else ""
        yield _HELD_WORDS.get(name, name.replace("_", " ")), f"{int(said):,}" if said.isdigit() else said


def streams(incident: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Of each audience: its newest message, and when the next is promised."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for each in _list(incident.get("communications")):
        newest[str(each.get("audience")), str(each.get("page"))] = each
    for each in _dict(incident.get("streams")).values():
        yield {**each, "newest": newest.get((str(each.get("audience")), str(each.get("page"))))}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
