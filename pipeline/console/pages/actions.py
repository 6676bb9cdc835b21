"""What people ask for on pages: forms, and what they send. Nothing is done here: it becomes a command.

A form without the script is a page of its own, and its answer a redirect; with it the same form stands in a dialog,
and the answer is JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import uuid4

from fastapi import APIRouter, Request
from sqlalchemy import Connection
from starlette.responses import JSONResponse, RedirectResponse, Response

from pipeline.console.commands import ask_for, not_allowed
from pipeline.console.context import Context, Here
from pipeline.console.identity import Identity, at_least, domains_of
from pipeline.console.pages.action_forms import FORMS, RESOLUTION, Form, fields_of, form_for
from pipeline.console.pages.choices import Option, people
from pipeline.console.pages.offers import ASSIGN_ME
from pipeline.console.pages.render import render
from pipeline.console.pages.words import sentence
from pipeline.console.refusal import Refusal, not_found
from pipeline.console.security.who import Responder
from pipeline.models.command import CommandType, Role
from pipeline.records import receipts
from pipeline.records.reading import Filters, board, episodes
from pipeline.sinks.wording import words_of

router = APIRouter()

SELECTED_MAX: Final = 100
"""Incidents that one press of a button is for: a page of the board."""

FIELDS_MAX: Final = 500
"""Fields of one form."""

ASKED_MAX: Final = 20
"""Commands whose progress a page shows."""

_TARGETS_SHOWN: Final = 50
"""Incidents offered as the one that another is merged into."""


@dataclass(frozen=True, slots=True)
class AskedLine:
    """What was asked and how far it is: ``pending``, ``applied`` or ``refused``."""

    command_id: str
    incident_id: str
    words: str
    state: str = "pending"
    said: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What the fields of a form offer."""

    people: list[Option] = field(default_factory=list)
    episodes: list[Any] = field(default_factory=list)
    incidents: list[Any] = field(default_factory=list)


@router.get("/incidents/{incident_id}/do/{type_}")
async def ask_form(request: Request, here: Here, who: Responder, incident_id: str, type_: str) -> Response:
    """The form by which something is asked of an incident."""
    form, snapshot = await _form(here, who, incident_id, type_)
    values = _known_values(form, snapshot) | {name: [value] for name, value in request.query_params.items()}
    return await _shown(request, here, who, form, snapshot, values)


@router.post("/incidents/{incident_id}/do/{type_}")
async def ask(request: Request, here: Here, who: Responder, incident_id: str, type_: str) -> Response:
    """Ask it."""
    form, snapshot = await _form(here, who, incident_id, type_)
    given = await read_form(request)
    fields = fields_of(form, given) | {"type": form.type}
    if form.type == ASSIGN_ME:
        fields = {"type": CommandType.ASSIGN.value, "assignee": who.subject}
    key = next(iter(given.get("key", ())), None)
    try:
        asked = await ask_for(here, who, incident_id, fields, key)
    except Refusal as refusal:
        if _wants_json(request):
            raise
        return await _shown(request, here, who, form, snapshot, given, refusal)
    line = AskedLine(asked.command_id, incident_id, form.title)
    return answer(request, [line], f"/incidents/{quote(incident_id, safe='')}")


@router.post("/do/{type_}")
async def ask_several(request: Request, here: Here, who: Responder, type_: str) -> Response:
    """Ask the same of several incidents."""
    given = await read_form(request)
    ids = list(dict.fromkeys(given.get("ids", ())))[:SELECTED_MAX]
    if type_ == CommandType.MERGE and not given.get("into"):
        return RedirectResponse(f"/do/merge?{urlencode([('ids', each) for each in ids])}", 303)
    if type_ not in _OF_SEVERAL:
        raise not_found("action on several incidents", type_)
    fields: dict[str, Any] = {"type": type_}
    if type_ == ASSIGN_ME:
        fields = {"type": CommandType.ASSIGN.value, "assignee": who.subject}
    if type_ == CommandType.MERGE:
        into = given["into"][0]
        fields, ids = fields | {"into": into}, [each for each in ids if each != into]
    form = FORMS[type_]
    lines = []
    for incident_id in ids:
        try:
            asked = await ask_for(here, who, incident_id, fields, None)
            lines.append(AskedLine(asked.command_id, incident_id, f"{form.title} {incident_id}"))
        except Refusal as refusal:
            words = f"{form.title} {incident_id}"
            lines.append(AskedLine("", incident_id, words, "refused", f"{words}: refused: {refusal.detail}"))
    return answer(request, lines, "/")


_TITLES: Final[dict[str, str]] = {
    CommandType.SILENCE: "Mute, as",
    CommandType.UNSILENCE: "End",
    CommandType.EXTEND_SILENCE: "Extend",
}
"""Of what has no form here."""

_OF_SEVERAL: Final = frozenset({CommandType.ACKNOWLEDGE, CommandType.MERGE, ASSIGN_ME})


@router.get("/do/merge")
async def merge_form(request: Request, here: Here, who: Responder) -> Response:
    """Which of several incidents is the one that goes on."""
    ids = list(dict.fromkeys(request.query_params.getlist("ids")))[:SELECTED_MAX]
    found = [await _snapshot(here, who, each) for each in ids]
    found.sort(key=lambda each: (each.get("priority_rank") or 0, each.get("opened_at_ms") or 0))
    return render(request, who, "merge.html", incidents=found)


async def read_form(request: Request) -> dict[str, list[str]]:
    """What a form sent: name -> values; files are none."""
    form = await request.form(max_files=0, max_fields=FIELDS_MAX)
    return {name: [each for each in form.getlist(name) if isinstance(each, str)] for name in form}


async def asked_lines(request: Request, here: Context, who: Identity) -> list[AskedLine]:
    """What the address says was asked just now, and how far it is; of his own commands alone."""
    named = [each for value in request.query_params.getlist("asked") for each in value.split(",") if each]
    lines = []
    for command_id in named[:ASKED_MAX]:
        receipt = await here.ask(partial(_receipt, command_id))
        if receipt is None or receipt.subject != who.subject:
            continue
        outcome = await here.ask(partial(_outcome, receipt))
        title = FORMS[receipt.type].title if receipt.type in FORMS else _TITLES.get(receipt.type)
        what = title or sentence(words_of(receipt.type))
        words = f"{what} {receipt.about}"
        state = "pending" if outcome is None else "refused" if outcome.refused else "applied"
        said = {"pending": "asked, waiting for the pipeline", "applied": "done", "refused": "refused"}[state]
        if outcome is not None and outcome.refused:
            said = f"refused: {' '.join(outcome.words)}"
        lines.append(AskedLine(command_id, receipt.about, words, state, f"{words}: {said}"))
    return lines


def _receipt(command_id: str, connection: Connection) -> receipts.Receipt | None:
    return receipts.receipt(connection, command_id)


def _outcome(receipt: receipts.Receipt, connection: Connection) -> receipts.Outcome | None:
    return receipts.outcome(connection, receipt)


async def _form(here: Context, who: Identity, incident_id: str, type_: str) -> tuple[Form, dict[str, Any]]:
    snapshot = await _snapshot(here, who, incident_id)
    if type_ not in FORMS:
        raise not_found("action", type_)
    return form_for(type_, here.config.policy(snapshot.get("domain")), snapshot), snapshot


async def _snapshot(here: Context, who: Identity, incident_id: str) -> dict[str, Any]:
    found = None
    if incident_id.isprintable():
        found = await here.ask(lambda connection: receipts.incident(connection, incident_id))
    role = None if found is None else who.role_for(domains_of(found))
    if found is None or role is None:
        raise not_found("incident", incident_id)
    if not at_least(role, Role.RESPONDER):
        raise not_allowed(f"you may look at {incident_id}, and ask for nothing")
    return found


async def _shown(
    request: Request,
    here: Context,
    who: Identity,
    form: Form,
    snapshot: dict[str, Any],
    values: Mapping[str, list[str]],
    refusal: Refusal | None = None,
) -> Response:
    return render(
        request,
        who,
        "action.html",
        status=200 if refusal is None else int(refusal.status),
        form=form,
        incident=snapshot,
        values=values,
        refusal=refusal.detail if refusal is not None else "",
        choices=await _choices(here, who, form, snapshot),
        key=uuid4().hex,
    )


async def _choices(here: Context, who: Identity, form: Form, snapshot: dict[str, Any]) -> Choices:
    kinds = {each.kind for each in form.asks}
    found = Choices(people=people(here.config) if "people" in kinds else [])
    if "episodes" in kinds:
        found.episodes.extend(await here.ask(lambda connection: episodes(connection, snapshot["id"], who.scope)))
    if "incidents" in kinds:
        filters = Filters(kind="incident", space=snapshot.get("space"), now_ms=here.now_ms())
        page = await here.ask(
            lambda connection: board(connection, who.scope, filters=filters, limit=_TARGETS_SHOWN + 1)
        )
        found.incidents.extend([each for each in page.rows if each.id != snapshot["id"]][:_TARGETS_SHOWN])
    return found


def _known_values(form: Form, snapshot: dict[str, Any]) -> dict[str, list[str]]:
    """What is known already stands in the form."""
    known = {f"{RESOLUTION}{name}": value for name, value in (snapshot.get("resolution") or {}).items()}
    known.setdefault(f"{RESOLUTION}workaround", snapshot.get("workaround"))
    known |= {"priority": snapshot.get("priority"), "status": snapshot.get("status")}
    if form.type == CommandType.CORRECT_IMPACT:
        known |= {"users": snapshot.get("users_affected"), "revenue_per_minute": snapshot.get("revenue_per_minute")}
    return {ask.name: [str(known[ask.name])] for ask in form.asks if known.get(ask.name) not in (None, "")}


def answer(request: Request, lines: list[AskedLine], back: str) -> Response:
    """What was asked, for the script to follow; without it the page again, which says how far it is."""
    if _wants_json(request):
        told = [
            {"command_id": each.command_id, "incident_id": each.incident_id, "words": each.words, "said": each.said}
            for each in lines
        ]
        return JSONResponse({"asked": told}, 202)
    asked = ",".join(each.command_id for each in lines if each.command_id)
    page, hash_, part = back.partition("#")
    return RedirectResponse((f"{page}?asked={asked}" if asked else page) + hash_ + part, 303)


def _wants_json(request: Request) -> bool:
    return "application/json" in request.headers.get("accept", "")
