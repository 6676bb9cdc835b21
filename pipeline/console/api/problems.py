"""Problems, and the known errors of the configuration."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from pipeline.console.api.shapes import NEXT, After, Limit, Next, ProblemId
from pipeline.console.context import Here
from pipeline.console.refusal import not_found
from pipeline.console.security.who import Known
from pipeline.models.problem import KnownError
from pipeline.records import reading

router = APIRouter(tags=["problems"])


class Problems(BaseModel):
    """A page of problems."""

    items: list[dict[str, Any]] = Field(description="Each as its newest revision on Kafka says.")
    next: str | None = Field(description=NEXT)


class KnownErrors(BaseModel):
    """The known errors of the configuration: what is offered to incidents that they fit."""

    items: list[KnownError]


@router.get("/problems", summary="Problems, the newest first")
async def list_problems(
    context: Here,
    who: Known,
    onward: Next,
    open: Annotated[bool, Query(description="Leave out those that are over.")] = False,  # noqa: A002  # a name on the wire
    after: After = None,
    limit: Limit = 50,
) -> Problems:
    """What lies behind incidents that come back."""
    found = await context.ask(lambda sql: reading.problems(sql, who.scope, open_only=open, after=after, limit=limit))
    return Problems(items=found.problems, next=onward.link(found.next))


@router.get("/problems/{problem_id}", summary="A problem")
async def read_problem(context: Here, who: Known, problem_id: ProblemId) -> dict[str, Any]:
    """Its incidents, cause, workaround and actions, and all that was done (`timeline`)."""
    found = await context.ask(lambda sql: reading.problem(sql, problem_id, who.scope))
    if found is None:
        raise not_found("problem", problem_id)
    return found


@router.get("/known-errors", summary="Known errors of the configuration")
async def list_known_errors(context: Here, who: Known) -> KnownErrors:
    """Each with the conditions that it fits, and the workaround that is offered then."""
    return KnownErrors(items=list(context.config.known_errors.values()))
