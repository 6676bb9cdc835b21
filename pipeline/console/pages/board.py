"""The board: what is open, the most urgent first."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from pipeline.console.context import Context, Here
from pipeline.console.identity import Identity, at_least
from pipeline.console.pages.actions import asked_lines
from pipeline.console.pages.choices import Option, categories, domains, priorities, service_title
from pipeline.console.pages.render import render
from pipeline.console.pages.words import state_words
from pipeline.console.refusal import Reason, Refusal
from pipeline.console.security.who import Known
from pipeline.core.practice.lifecycle import ANSWERED_STATES, UNANSWERED_STATES
from pipeline.models.command import Role
from pipeline.models.incident import IncidentState
from pipeline.records.reading import BadCursorError, BadFilterError, BoardPage, Count, Filters, board, parse_filters

router = APIRouter()

ROWS: Final = 100
"""Incidents on a page: more than fits on any screen, and quick to send."""

STATES: Final = tuple(
    each for each in IncidentState if each in UNANSWERED_STATES | ANSWERED_STATES | {IncidentState.RESOLVED}
)


@dataclass(frozen=True, slots=True)
class Tile:
    """A count that narrows the board to what it counts; pressed again it widens it.

    Attributes:
        level: of a priority, its place in the scale; None: it is of something else.
        tone: ``bad``, ``warn`` or nothing.
    """

    words: str
    number: int
    href: str
    pressed: bool
    level: int | None = None
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on, and the address without it."""

    words: str
    href: str


@router.get("/")
async def board_page(request: Request, here: Here, who: Known) -> Response:
    """What is open."""
    asked = [(name, value) for name, value in request.query_params.multi_items() if value and name != "asked"]
    after = next((value for name, value in asked if name == "after"), None)
    filters = filters_of([each for each in asked if each[0] != "after"], here.now_ms())
    found = await _ask(here, who, filters, after)
    return render(
        request,
        who,
        "board.html",
        found=found,
        filters=filters,
        overload="" if here.overload is None else here.overload.words,
        tiles=tiles(found.counts, filters, who),
        chips=chips(filters, here),
        next_href=address("/", filters, after=found.next) if found.next else "",
        first_href=address("/", filters) if after else "",
        may_act=at_least(who.highest, Role.RESPONDER),
        asked=await asked_lines(request, here, who),
        domains=domains(here.config, who.scope),
        categories=categories(here.config),
        priorities=priorities(here.config),
        states=[Option(each.value, state_words(each)) for each in STATES],
        rows_on_page=ROWS,
        title_of=lambda ref: service_title(here.config, ref),
    )


async def _ask(here: Context, who: Identity, filters: Filters, after: str | None) -> BoardPage:
    try:
        return await here.ask(lambda connection: board(connection, who.scope, filters=filters, after=after, limit=ROWS))
    except BadCursorError as bad:
        raise Refusal(HTTPStatus.BAD_REQUEST, Reason.BAD_INPUT, str(bad)) from None


def filters_of(asked: list[tuple[str, str]], now_ms: int) -> Filters:
    """Filters of query parameters.

    Raises:
        Refusal: one that is not known.
    """
    try:
        return parse_filters(asked, now_ms)
    except BadFilterError as bad:
        raise Refusal(HTTPStatus.BAD_REQUEST, Reason.BAD_INPUT, str(bad)) from None


def address(path: str, filters: Filters, **more: str | None) -> str:
    """The address of a list with these filters."""
    pairs = [(name, value) for name, values in filters.parameters.items() for value in values]
    pairs += [(name, value) for name, value in more.items() if value]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def tiles(counts: list[Count], filters: Filters, who: Identity) -> list[Tile]:
    """How many there are of each priority, at risk, and of nobody."""
    worked_on = [each for each in counts if each.state != IncidentState.RESOLVED]
    levels: dict[str, int] = {}
    numbers: dict[str, int] = {}
    for each in worked_on:
        name = each.priority or ""
        numbers[name] = numbers.get(name, 0) + each.incidents
        levels[name] = 4 if each.priority_rank is None else each.priority_rank
    found = []
    for name in sorted(numbers, key=lambda each: (levels[each], each)):
        pressed = filters.priority == (name,)
        href = address("/", replace(filters, priority=() if pressed else (name,)))
        found.append(Tile(name, numbers[name], href, pressed, levels[name]))
    late, risky = sum(each.breached for each in worked_on), sum(each.at_risk for each in worked_on)
    words = f"at risk, {late:,} late" if late else "at risk"
    risk = address("/", replace(filters, at_risk=None if filters.at_risk else True))
    found.append(Tile(words, risky, risk, bool(filters.at_risk), None, "bad" if late else "warn" if risky else ""))
    nobodys = sum(each.unassigned for each in worked_on)
    for words, assignee, number in (("nobody has it", "nobody", nobodys), ("mine", who.subject, -1)):
        pressed = filters.assignee == assignee
        href = address("/", replace(filters, assignee=None if pressed else assignee))
        found.append(Tile(words, number, href, pressed, None, "warn" if number > 0 else ""))
    return found


_CHIPS: Final = {
    "domain": "domain",
    "service": "service",
    "owner": "team",
    "assignee": "has it",
    "category": "category",
    "hosting_model": "hosting",
    "infrastructure_layer": "layer",
    "severity": "severity",
    "space": "space",
    "state": "state",
    "priority": "priority",
    "at_risk": "clock at risk",
    "muted": "muted",
    "member": "of a Major Incident",
    "opened_from": "opened from",
    "opened_to": "opened before",
}


def chips(filters: Filters, here: Context) -> list[Chip]:
    """The filters that are on."""
    found = []
    for name, values in filters.parameters.items():
        if name not in _CHIPS:
            continue
        told = ", ".join(_chip(name, value, here) for value in values)
        words = _CHIPS[name] if told == "true" else f"{_CHIPS[name]}: {told}"
        off: Any = () if name in ("state", "priority") else None
        found.append(Chip(words, address("/", replace(filters, **{name: off}))))
    return found


def _chip(name: str, value: str, here: Context) -> str:
    if name == "state":
        return state_words(value)
    return service_title(here.config, value) if name == "service" else value.replace("_", " ")
