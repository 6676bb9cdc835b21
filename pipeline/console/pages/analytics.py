"""Analytics: how fast, how well kept, how quiet; of a period and its groups, quarter over quarter.

What each figure means is in ``docs/analytics.md``; `pipeline.records.analytics` counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from sqlalchemy import Connection
from starlette.responses import HTMLResponse

from pipeline.console.context import Here
from pipeline.console.counting import Counting
from pipeline.console.identity import Scope
from pipeline.console.knowledge import Knowledge, knowledge
from pipeline.console.narrow import narrowed
from pipeline.console.pages.analytics_charts import by_group, over_quarters, over_weeks, states_chart
from pipeline.console.pages.render import render
from pipeline.console.refusal import Reason, Refusal
from pipeline.console.security.who import Known
from pipeline.records.analytics.compare import compare
from pipeline.records.analytics.figures import By, Comparison, Figures, Maturity, Noise, Point, Repeat, TimeInState
from pipeline.records.analytics.maturity import maturity
from pipeline.records.analytics.periods import Period, PeriodError, asked_for, quarters_until
from pipeline.records.analytics.sides import noise, repeats, states
from pipeline.records.analytics.trend import Every, Measure, trend

router = APIRouter()

QUARTERS_SHOWN: Final = 8
"""Quarters beside each other: two years."""

REPEATS_SHOWN: Final = 10
"""Worst offenders: as many as somebody takes up in a quarter."""

HEADLINES: Final = (
    "detect.median",
    "acknowledge.median",
    "resolve.median",
    "resolution.ratio",
    "repeat_ratio",
    "calls_each",
)
"""Figures that stand at the top, of `pipeline.records.analytics.compare.COMPARED`."""

_FILTERS: Final = {
    By.PRIORITY: "priority",
    By.DOMAIN: "domain",
    By.SERVICE: "service",
    By.HOSTING_MODEL: "hosting_model",
    By.INFRASTRUCTURE_LAYER: "infrastructure_layer",
    By.OWNER: "owner",
    By.CATEGORY: "category",
}

Day = Annotated[str | None, Query(max_length=40)]


@dataclass(frozen=True, slots=True)
class Told:
    """What the page tells, read at once."""

    comparison: Comparison
    groups: Maturity
    quarters: list[Maturity]
    weeks: list[Point]
    states: list[TimeInState]
    noise: list[Noise]
    repeats: list[Repeat]


@router.get("/analytics")
async def analytics_page(
    request: Request,
    context: Here,
    who: Known,
    since: Day = None,
    until: Day = None,
    quarter: Annotated[str | None, Query(max_length=10)] = None,
    domain: Annotated[str, Query(max_length=256)] = "",
    by: By = By.PRIORITY,
) -> HTMLResponse:
    """Figures of a period, by groups, beside the quarters before."""
    now = datetime.fromtimestamp(context.now_ms() / 1_000, UTC)
    scope = narrowed(who.scope, domain)
    try:
        period = asked_for(since or None, until or None, quarter or None, now, "UTC")
        told = await context.count(lambda connection: _told(connection, scope, period, by, now, context.counting))
    except PeriodError as error:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.BAD_INPUT, str(error)) from error
    wanted = {"since": since or "", "until": until or "", "quarter": quarter or "", "domain": domain}
    known = knowledge(context.config)
    label = {each.label: _label(known, each, by) for each in told.groups.groups}
    changes = {each.figure: each for each in told.comparison.changes}
    return render(
        request,
        who,
        "analytics.html",
        told=told,
        period=period,
        by=by,
        ways=list(By),
        wanted=wanted,
        domains=sorted(name for name in context.config.domains if who.scope is None or name in who.scope),
        quarters=[each.name for each in reversed(quarters_until(now, QUARTERS_SHOWN))],
        headlines=[changes[name] for name in HEADLINES if name in changes],
        changes=told.comparison.changes,
        rows=[(label[each.label], _link(each, by, period, domain), each) for each in told.groups.groups],
        everything=_list_href({"domain": domain}, period),
        charts=over_quarters(told.quarters),
        weekly=over_weeks(told.weeks),
        grouped=by_group(told.groups, label),
        spent=states_chart(told.states),
        title=known.title,
        exports=_exports(wanted, by),
    )


def _told(connection: Connection, scope: Scope, period: Period, by: By, now: datetime, counting: Counting) -> Told:
    bounded = period if period.start is not None else quarters_until(now, 1)[0]
    now_ms = int(now.timestamp() * 1_000)
    return Told(
        compare(connection, scope, period=bounded),
        maturity(connection, scope, period=period, by=by),
        [
            counting.quarter(scope, each, now_ms, partial(maturity, connection, scope, period=each))
            for each in quarters_until(bounded.start or now, QUARTERS_SHOWN)
        ],
        trend(connection, scope, measure=Measure.INCIDENTS, period=bounded, every=Every.WEEK),
        states(connection, scope, period=period),
        noise(connection, scope, period=period),
        repeats(connection, scope, period=period, limit=REPEATS_SHOWN),
    )


def _label(known: Knowledge, group: Figures, by: By) -> str:
    value = group.group.get(_FILTERS[by])
    if by is By.SERVICE and isinstance(value, str):
        return known.title(value)
    return str(value).replace("_", " ") if value else "none"


def _link(group: Figures, by: By, period: Period, domain: str) -> str:
    """The list behind a group's figures; nothing for those that the list has no filter for."""
    value = group.group.get(_FILTERS[by])
    return _list_href({"domain": domain, _FILTERS[by]: str(value)}, period) if value else ""


def _list_href(filters: dict[str, str], period: Period) -> str:
    given = {name: value for name, value in filters.items() if value} | {"kind": "incident"}
    for name, moment in (("opened_from", period.start), ("opened_to", period.end)):
        if moment is not None:
            given[name] = moment.isoformat()
    return f"/search?{urlencode(given)}"


def _exports(wanted: dict[str, str], by: By) -> list[tuple[str, str]]:
    """The same figures, and the incidents behind them, for machines: words and address."""
    given = {name: value for name, value in wanted.items() if value}
    figures = urlencode(given | {"by": by.value})
    rows = urlencode(given)
    return [
        ("Figures as JSON", f"/api/v1/analytics/maturity?{figures}"),
        ("Figures as CSV", f"{EXPORT}?{figures}&of=figures"),
        ("Incidents as CSV", f"{EXPORT}?{rows}"),
        ("Incidents as Parquet", f"{EXPORT}?{urlencode(given | {'format': 'parquet'})}"),
    ]


EXPORT: Final = "/api/v1/analytics/export"
