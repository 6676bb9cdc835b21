"""Maturity analytics: what ``docs/analytics.md`` defines, as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Connection

from pipeline.console.context import Context, Here
from pipeline.console.identity import Scope
from pipeline.console.narrow import narrowed
from pipeline.console.refusal import Reason, Refusal
from pipeline.console.security.who import Known
from pipeline.records.analytics import compare, maturity, sides, trend
from pipeline.records.analytics.figures import (
    By,
    Comparison,
    Escalations,
    Maturity,
    Noise,
    Point,
    Repeat,
    RepeatBy,
    TimeInState,
)
from pipeline.records.analytics.periods import QUARTERS_MAX, Period, PeriodError, asked_for

router = APIRouter(prefix="/analytics", tags=["analytics"])

Answer = TypeVar("Answer")

BY_MAX = 2
"""Columns that groups are told apart by at once: a table has two sides."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks figures of."""

    context: Context
    who: Known
    period: Period
    now: datetime
    scope: Scope

    async def of(self, question: Callable[[Connection], Answer]) -> Answer:
        """Put the question to the records store.

        Raises:
            Refusal: the period is none for this question.
        """
        try:
            return await self.context.count(question)
        except (PeriodError, ValueError) as error:
            raise bad(str(error)) from error


def bad(detail: str) -> Refusal:
    """What is asked for is nothing to answer."""
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.BAD_INPUT, detail)


Day = Annotated[str | None, Query(max_length=40, examples=["2026-01-01"])]
Zone = Annotated[
    str, Query(max_length=64, description="IANA time zone in which days begin", examples=["Europe/Vienna"])
]


def asked(
    context: Here,
    who: Known,
    since: Day = None,
    until: Day = None,
    quarter: Annotated[str | None, Query(max_length=10, examples=["2026-Q1"])] = None,
    zone: Zone = "UTC",
    domain: Annotated[str, Query(max_length=256, description="only what is of this service domain")] = "",
) -> Asked:
    """The period of a request: a quarter, or since and until; the quarter that is going on, where none is named."""
    now = datetime.fromtimestamp(context.now_ms() / 1_000, UTC)
    try:
        period = asked_for(since or None, until or None, quarter or None, now, zone)
    except PeriodError as error:
        raise bad(str(error)) from error
    return Asked(context, who, period, now, narrowed(who.scope, domain))


Question = Annotated[Asked, Depends(asked)]
Groups = Annotated[list[By], Query(max_length=BY_MAX, description="by what groups are told apart")]


@router.get("/maturity", summary="Figures of a period, of all incidents and of each group")
async def read_maturity(question: Question, by: Groups = []) -> Maturity:  # noqa: B006  # FastAPI copies it
    """Times to detect, acknowledge, restore and resolve; promises kept; calls, repeats, reassignments."""
    scope, period = question.scope, question.period
    return await question.of(lambda connection: maturity.maturity(connection, scope, period=period, by=by))


@router.get("/quarters", summary="Figures of quarters in a row, the oldest first")
async def read_quarters(
    question: Question,
    count: Annotated[int, Query(ge=1, le=QUARTERS_MAX)] = 4,
    by: Groups = [],  # noqa: B006  # FastAPI copies it
) -> list[Maturity]:
    """The last is the one that the end of the period is in: without a period the one that is going on."""
    scope, zone = question.scope, question.period.zone
    now = question.period.start or question.now
    return await question.of(
        lambda connection: maturity.quarters(connection, scope, count=count, now=now, zone=zone, by=by)
    )


@router.get("/comparison", summary="A period beside the one before: what is better, what is worse")
async def read_comparison(question: Question) -> Comparison:
    """A quarter is compared with the quarter before, other periods with as long a time before them."""
    scope, period = question.scope, question.period
    return await question.of(lambda connection: compare.compare(connection, scope, period=period))


@router.get("/trend", summary="How a figure went, day by day or in longer steps")
async def read_trend(question: Question, measure: trend.Measure, every: trend.Every = trend.Every.WEEK) -> list[Point]:
    """Durations are medians in seconds, promises the share that was kept, the rest counts."""
    scope, period = question.scope, question.period
    return await question.of(
        lambda connection: trend.trend(connection, scope, measure=measure, period=period, every=every)
    )


@router.get("/states", summary="Time in each state")
async def read_states(question: Question) -> list[TimeInState]:
    """Of the incidents that ended in the period."""
    scope, period = question.scope, question.period
    return await question.of(lambda connection: sides.states(connection, scope, period=period))


@router.get("/noise", summary="Alerts in, incidents out, people called")
async def read_noise(question: Question, by: By | None = None) -> list[Noise]:
    """Of all, or by ``domain`` or ``service``."""
    scope, period = question.scope, question.period
    return await question.of(lambda connection: sides.noise(connection, scope, period=period, by=by))


@router.get("/escalations", summary="Escalations that fired by themselves, and those that people asked for")
async def read_escalations(question: Question, by: By | None = None) -> list[Escalations]:
    """Of all, or of each group."""
    scope, period = question.scope, question.period
    return await question.of(lambda connection: sides.escalations(connection, scope, period=period, by=by))


@router.get("/repeats", summary="What comes again: the worst offenders")
async def read_repeats(
    question: Question,
    by: RepeatBy = RepeatBy.CONDITION,
    days: Annotated[int, Query(ge=1, le=366)] = maturity.REPEAT_DAYS,
    limit: Annotated[int, Query(ge=1, le=sides.REPEATS_MAX)] = 20,
) -> list[Repeat]:
    """Conditions, causes or services that had an incident within so many days after another."""
    scope, period = question.scope, question.period
    return await question.of(
        lambda connection: sides.repeats(connection, scope, period=period, by=by, days=days, limit=limit)
    )
