"""The search."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from pipeline.console.api.shapes import NEXT, Next, Searched, filters_of
from pipeline.console.context import Here
from pipeline.console.security.who import Known
from pipeline.records import reading
from pipeline.records.reading import Hit

router = APIRouter(tags=["search"])


class Found(BaseModel):
    """A page of what was found."""

    items: list[Hit]
    next: str | None = Field(description=NEXT)
    understood: bool = Field(description="False: `q` holds no word that could be searched for.")


@router.get("/search", summary="Search symptoms, notes and resolutions")
async def search_incidents(context: Here, who: Known, asked: Annotated[Searched, Query()], onward: Next) -> Found:
    """The best first among the newest; what matches is in pieces. An incident's id or a ticket's number finds it."""
    filters = filters_of(asked, context.now_ms())
    found = await context.ask(lambda sql: reading.search(sql, who.scope, asked.q, filters, asked.after, asked.limit))
    return Found(items=found.hits, next=onward.link(found.next), understood=found.understood)
