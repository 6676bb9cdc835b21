"""The search: words in titles, symptoms, notes and resolutions, narrowed by what an incident is."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response

from pipeline.console.context import Here
from pipeline.console.pages.board import address, filters_of
from pipeline.console.pages.choices import Option, categories, domains, priorities, service_title
from pipeline.console.pages.render import render
from pipeline.console.pages.words import state_words
from pipeline.console.refusal import Reason, Refusal
from pipeline.console.security.who import Known
from pipeline.models.incident import IncidentState
from pipeline.records.reading import BadCursorError, search

router = APIRouter()

HITS: Final = 25
"""Hits on a page: what somebody looks through."""

PATH: Final = "/search"

EXCERPT_NAMES: Final = {"symptoms": "reported", "notes": "notes", "resolution": "what helped"}


@router.get(PATH)
async def search_page(request: Request, here: Here, who: Known) -> Response:
    """What is found."""
    asked = [(name, value) for name, value in request.query_params.multi_items() if value]
    after = next((value for name, value in asked if name == "after"), None)
    filters = filters_of([each for each in asked if each[0] != "after"], here.now_ms())
    began = bool(asked)
    found = None
    try:
        if began:
            found = await here.ask(
                lambda connection: search(connection, who.scope, filters.q, filters, after=after, limit=HITS)
            )
    except BadCursorError as bad:
        raise Refusal(HTTPStatus.BAD_REQUEST, Reason.BAD_INPUT, str(bad)) from None
    return render(
        request,
        who,
        "search.html",
        found=found,
        filters=filters,
        next_href=address(PATH, filters, after=found.next) if found and found.next else "",
        without=address(PATH, replace(filters, q="")),
        domains=domains(here.config, who.scope),
        categories=categories(here.config),
        priorities=priorities(here.config),
        states=[Option(each.value, state_words(each)) for each in IncidentState],
        excerpt_names=EXCERPT_NAMES,
        title_of=lambda ref: service_title(here.config, ref),
    )
