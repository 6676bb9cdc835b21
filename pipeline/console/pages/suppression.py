"""Noise: alerts in and incidents out, what was hidden and by what, who was not called, and what is muted now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from pipeline.console.charts import Frame, Series, bars
from pipeline.console.context import Context, Here
from pipeline.console.identity import Identity, at_least
from pipeline.console.knowledge import Knowledge, knowledge
from pipeline.console.pages.actions import AskedLine, answer, asked_lines
from pipeline.console.pages.forms import filled
from pipeline.console.pages.render import render
from pipeline.console.refusal import Reason, Refusal
from pipeline.console.security.who import Known, Responder
from pipeline.console.silences import ask_silence, begin_silence, role_for_silence
from pipeline.models.command import Role
from pipeline.models.suppression import Ended, Suppression, What
from pipeline.records.analytics.figures import Noise
from pipeline.records.analytics.periods import Period
from pipeline.records.analytics.sides import noise
from pipeline.records.reading import suppression
from pipeline.records.suppressions import silences

router = APIRouter()

DAYS_DEFAULT: Final = 7
DAYS_MAX: Final = 92
"""A quarter: what is longer is a question to the analytics."""

NAME_MAX: Final = 256

ROWS_SHOWN: Final = 20
"""Conditions, services, incidents in a table: as many as somebody takes up; the API has more."""

WHAT_WORDS: Final[dict[str, str]] = {
    What.REPEATS: "repeats of what is known",
    What.FLAPPING: "flapping",
    What.TRANSIENT: "passed by itself",
    What.MAINTENANCE: "maintenance",
    What.MIN_COUNT: "a rule that counts",
    What.CHRONIC: "chronic, ranked lower",
    What.SILENCED: "silences",
    What.INHIBITED: "inhibition",
}

ADVICE: Final[dict[str, str]] = {
    What.FLAPPING: "Its threshold lies where the value swings: let it clear at another value than it fires at.",
    What.TRANSIENT: "It is over before anybody could act: let the monitor wait longer, or count it instead.",
    What.CHRONIC: "Nobody acts on it: open a problem, or delete the alert.",
    What.MIN_COUNT: "Alone it means nothing: alert on the rate.",
    What.SILENCED: "It is muted: its silence has an owner who promised to repair it.",
    What.MAINTENANCE: "It fires during planned work: nothing to do.",
    What.INHIBITED: "It follows from something else that is told: nothing to do.",
    What.REPEATS: "It tells the same again and again: let the source send it less often.",
}
"""What to do about a condition, by what hides most of it."""


@router.get("/suppression")
async def suppression_page(
    request: Request,
    context: Here,
    who: Known,
    days: Annotated[int, Query(ge=1, le=DAYS_MAX)] = DAYS_DEFAULT,
    mute: Annotated[str, Query(max_length=NAME_MAX)] = "",
) -> HTMLResponse:
    """What was hidden in the last days, and what is muted now."""
    now = context.now_ms()
    to = datetime.fromtimestamp(now / 1_000, UTC)
    period = Period(to - timedelta(days=days), to, "UTC", f"the last {days} days")
    from_ms = now - days * 86_400_000
    report = await context.count(lambda connection: suppression(connection, who.scope, from_ms, now))
    flow = await context.count(lambda connection: noise(connection, who.scope, period=period))
    muted = await context.ask(silences)
    known = knowledge(context.config)
    return render(
        request,
        who,
        "suppression.html",
        days=days,
        flow=flow[0] if flow else None,
        report=report,
        funnel=_funnel(flow[0]) if flow else "",
        hidden_by=_hidden_by(report),
        what_words=WHAT_WORDS,
        conditions=[each | {"advice": advice(each)} for each in report["conditions"][:ROWS_SHOWN]],
        services=list(report["by_service"].items())[:ROWS_SHOWN],
        feeds=list(report["by_feed"].items())[:ROWS_SHOWN],
        later=report["later"][-ROWS_SHOWN:][::-1],
        silences=[row for each in muted if _in_force(each, now) and (row := silence_row(each, who, known)) is not None],
        rows_shown=ROWS_SHOWN,
        asked=await asked_lines(request, context, who),
        mute=mute,
        may_act=at_least(who.highest, Role.RESPONDER),
    )


@router.post("/suppression/silences")
async def new_silence(request: Request, context: Here, who: Responder) -> Response:
    """Mute what somebody knows of, for some hours."""
    fields = await filled(request)
    until = _until(fields, context)
    targets = [each.strip() for each in fields.get("targets", "").split(",") if each.strip()]
    wanted = {"targets": targets, "until": until.isoformat(), "reason": fields.get("reason", "")}
    asked = await begin_silence(context, who, wanted)
    line = AskedLine(asked.command_id, asked.about, f"Mute {', '.join(targets)}")
    return answer(request, [line], "/suppression#silences")


@router.post("/suppression/silences/{silence_id}/{deed}")
async def change_silence(
    request: Request, context: Here, who: Responder, silence_id: str, deed: Literal["end", "extend"]
) -> Response:
    """End a silence now, or let it end at another time."""
    fields = await filled(request)
    until = _until(fields, context) if deed == "extend" else None
    asked = await ask_silence(context, who, silence_id, until=until)
    line = AskedLine(asked.command_id, silence_id, f"{'Extend' if deed == 'extend' else 'End'} {silence_id}")
    return answer(request, [line], "/suppression#silences")


def _until(fields: Mapping[str, str], context: Context) -> datetime:
    """So many hours from now.

    Raises:
        Refusal: that is no number of hours, or too many.
    """
    hours = fields.get("hours", "")
    if not hours.isdecimal() or len(hours) > HOURS_DIGITS_MAX or not 1 <= int(hours) <= HOURS_MAX:
        detail = f"hours: a number of 1 to {HOURS_MAX}"
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.BAD_INPUT, detail)
    return datetime.fromtimestamp(context.now_ms() / 1_000, UTC) + timedelta(hours=int(hours))


HOURS_DIGITS_MAX: Final = 10
"""Of a number of hours: Python reads none of thousands of digits."""

HOURS_MAX: Final = 24 * 31
"""A month: what is muted for longer is no silence but a wrong alert."""


def silence_row(silence: Suppression, who: Identity, known: Knowledge) -> dict[str, Any] | None:
    """What the table tells of a silence in force; None where somebody may not see it."""
    role = role_for_silence(who, silence, known)
    if role is None:
        return None
    told = silence.decided_by
    match = told.get("match")
    parts = [*_list(told.get("targets"))]
    parts += [f"{name} is {' or '.join(map(str, _list(value) or [value]))}" for name, value in (match or {}).items()]
    if conditions := _list(told.get("conditions")):
        parts.append(f"{len(conditions)} conditions")
    return {
        "id": silence.episode_id,
        "reason": silence.summary,
        "what": "; ".join(map(str, parts)) or "nothing that is named",
        "owner": told.get("owner"),
        "actor": told.get("actor"),
        "since_ms": silence.since_ms,
        "until_ms": told.get("until_ms"),
        "hidden": told.get("hidden") or 0,
        "would_page": told.get("would_page") or 0,
        "priorities": told.get("priorities") or {},
        "may_act": at_least(role, Role.RESPONDER),
    }


def advice(condition: Mapping[str, Any]) -> str:
    """What to do about a condition, by what hides it most often."""
    by = condition.get("by") or {}
    if not by:
        return ""
    most = max(by, key=lambda what: (by[what], what))
    return ADVICE.get(most, "")


def _in_force(silence: Suppression, now_ms: int) -> bool:
    until = silence.decided_by.get("until_ms")
    return silence.ended == Ended.ON and isinstance(until, int) and until > now_ms


def _funnel(flow: Noise) -> Markup:
    frame = Frame("funnel", "From alerts to people", first="Step")
    steps = {
        "alerts": flow.alerts,
        "told of": flow.alerts - flow.alerts_hidden,
        "conditions": flow.episodes,
        "incidents": flow.incidents,
        "called for": flow.incidents_called,
        "people": flow.people,
    }
    return bars(frame, list(steps), [Series("how many", [float(each) for each in steps.values()])])


def _hidden_by(report: Mapping[str, Any]) -> Markup:
    by = report["by_what"]
    frame = Frame("hidden-by", "What hid alerts", first="Hidden by")
    labels = [WHAT_WORDS.get(what, what) for what in by]
    series = [
        Series("alerts", [float(each["alerts"]) for each in by.values()]),
        Series("calls spared", [float(each["pages"]) for each in by.values()]),
    ]
    return bars(frame, labels, [each for each in series if any(each.values)])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
