"""Problems: what lies behind incidents that come back, known errors and their workarounds, corrective actions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from pipeline.console.charts import Frame, Series, lines
from pipeline.console.commands import ask_problem
from pipeline.console.context import Here
from pipeline.console.identity import at_least, domains_of
from pipeline.console.pages.actions import AskedLine, answer, asked_lines
from pipeline.console.pages.forms import filled
from pipeline.console.pages.render import render
from pipeline.console.pages.words import sentence
from pipeline.console.refusal import Reason, Refusal, not_found
from pipeline.console.security.who import Known, Responder
from pipeline.core.problems.problem_life import OPEN_STATES
from pipeline.models.command import Role
from pipeline.models.problem import ProblemCommandType, ProblemState
from pipeline.records.reading import BadCursorError, problems
from pipeline.records.reading import problem as one_problem
from pipeline.sinks.wording import words_of

router = APIRouter()

TONES: Final = {
    ProblemState.CANDIDATE: "warn",
    ProblemState.INVESTIGATING: "accent",
    ProblemState.KNOWN_ERROR: "accent",
    ProblemState.RESOLVED: "good",
}

PAGE_ROWS: Final = 100
CURSOR_MAX: Final = 1_000

_DAY_MS: Final = 86_400_000


@router.get("/problems")
async def problems_page(
    request: Request,
    context: Here,
    who: Known,
    show: Annotated[str, Query(max_length=16)] = "open",
    after: Annotated[str | None, Query(max_length=CURSOR_MAX)] = None,
) -> HTMLResponse:
    """Problems, the newest first: those that are open, or all."""
    try:
        found = await context.ask(
            lambda sql: problems(sql, who.scope, open_only=show != "all", after=after, limit=PAGE_ROWS)
        )
    except BadCursorError as error:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.BAD_INPUT, str(error)) from error
    rows = found.problems
    today = _today(context.now_ms())
    actions = [
        {**action, "problem_id": each.get("id"), "overdue": _overdue(action, today)}
        for each in rows
        for action in _list(each.get("actions"))
        if action.get("state") == "open"
    ]
    actions.sort(key=lambda each: (each.get("due_date") or "9999", str(each.get("id"))))
    counts = {state.value: sum(each.get("state") == state for each in rows) for state in ProblemState}
    return render(
        request,
        who,
        "problems.html",
        problems=rows,
        actions=actions,
        counts=counts,
        show_all=show == "all",
        tones=TONES,
        following=f"/problems?{urlencode({'show': show, 'after': found.next})}" if found.next else "",
    )


@router.get("/problems/{problem_id}")
async def problem_page(request: Request, context: Here, who: Known, problem_id: str) -> HTMLResponse:
    """One problem: its incidents, cause, workaround, actions, and all that was done."""
    problem = await context.ask(lambda connection: one_problem(connection, problem_id, who.scope))
    if problem is None:
        raise not_found("problem", problem_id)
    may_act = at_least(who.role_for(domains_of(problem)), Role.RESPONDER)
    today = _today(context.now_ms())
    state = str(problem.get("state"))
    return render(
        request,
        who,
        "problem.html",
        problem=problem,
        tone=TONES.get(ProblemState(state), "") if state in set(ProblemState) else "",
        is_open=state in OPEN_STATES,
        may_act=may_act,
        actions=[each | {"overdue": _overdue(each, today)} for each in _list(problem.get("actions"))],
        chart=_chart(problem),
        asked=await asked_lines(request, context, who),
    )


@router.post("/problems/{problem_id}/do/{kind}")
async def ask(request: Request, context: Here, who: Responder, problem_id: str, kind: ProblemCommandType) -> Response:
    """Ask something of a problem, from a form of its page."""
    fields = await filled(request)
    asked = await ask_problem(context, who, problem_id, fields | {"type": kind.value})
    line = AskedLine(asked.command_id, problem_id, f"{sentence(words_of(kind.value))} {problem_id}")
    return answer(request, [line], f"/problems/{quote(problem_id, safe='')}")


def _overdue(action: Mapping[str, Any], today: str) -> bool:
    due = action.get("due_date")
    return action.get("state") == "open" and isinstance(due, str) and due < today


def _today(now_ms: int) -> str:
    return datetime.fromtimestamp(now_ms / 1_000, UTC).date().isoformat()


def _chart(problem: Mapping[str, Any]) -> Any:
    """How often it came back, week by week; nothing where it did once."""
    times = sorted(each["opened_at_ms"] for each in _list(problem.get("occurrences")) if each.get("opened_at_ms"))
    if len(times) < 2:
        return ""
    week = 7 * _DAY_MS
    first, last = times[0] // week, times[-1] // week
    weeks = range(first, last + 1)
    labels = [datetime.fromtimestamp(each * week / 1_000, UTC).date().isoformat() for each in weeks]
    counts = [float(sum(at // week == each for at in times)) for each in weeks]
    frame = Frame("occurrences", "Incidents of it, by week", first="Week of")
    return lines(frame, labels, [Series("Incidents", counts)], area=True)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
