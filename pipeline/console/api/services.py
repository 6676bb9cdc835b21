"""Services and how they are."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from pipeline.console.context import Here
from pipeline.console.security.who import Known
from pipeline.records import reading
from pipeline.records.reading import ServiceHealth

router = APIRouter(tags=["services"])


class Services(BaseModel):
    """The services of the catalogue that you may see."""

    items: list[ServiceHealth]


@router.get("/services", summary="Services and how they are")
async def list_services(context: Here, who: Known) -> Services:
    """Each with the incidents that are worked on and affect it, the most urgent first."""
    return Services(items=await context.ask(lambda sql: reading.services(sql, who.scope, context.config)))
