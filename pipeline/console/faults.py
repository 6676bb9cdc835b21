"""What goes wrong, as problem details: of the framework, of the store, of ourselves."""

from __future__ import annotations

import traceback
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from pipeline.console.commands import bad_fields
from pipeline.console.refusal import Reason, Refusal
from pipeline.console.security.door import ORIGIN, answer_refused, note_refusal
from pipeline.console.security.headers import with_security
from pipeline.records.reading import BadCursorError, BadFilterError
from pipeline.runtime.guard import log_line

RETRY_STORE_SECONDS: Final = 5
"""PostgreSQL is back, or another server has taken over, within seconds."""

_REASONS: Final = {
    HTTPStatus.NOT_FOUND: Reason.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED: Reason.NO_METHOD,
    HTTPStatus.UNAUTHORIZED: Reason.NOT_KNOWN,
    HTTPStatus.FORBIDDEN: Reason.NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Reason.TOO_LARGE,
}
_DETAILS: Final = {
    HTTPStatus.NOT_FOUND: "no such path; /api/v1/openapi.json lists those of the API",
    HTTPStatus.METHOD_NOT_ALLOWED: "this path does not take this method: see the header Allow",
}
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_PLACES: Final = frozenset({"body", "query", "path", "header", "cookie"})


def refusal_of(error: Exception) -> Refusal:
    """Any exception as what is told of it. Of a defect nothing is told but that it is one."""
    if isinstance(error, Refusal):
        return error
    if (asked := _asked_wrongly(error)) is not None:
        return asked
    if isinstance(error, OperationalError | InterfaceError | PoolTimeoutError | ProgrammingError):
        log_line("console store", error=type(error).__name__, cause=type(error.__cause__).__name__)
        return _store_away(error)
    log_line("console defect", error=type(error).__name__, traceback="".join(traceback.format_exception(error)[-40:]))
    detail = "a defect of the console: its log has what happened, under this answer's X-Request-Id"
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, Reason.DEFECT, detail)


def _asked_wrongly(error: Exception) -> Refusal | None:
    """What the sender can put right."""
    if isinstance(error, RequestValidationError):
        return bad_fields((_field(each["loc"]), str(each["msg"])) for each in error.errors())
    if isinstance(error, BadCursorError | BadFilterError):
        return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.BAD_INPUT, str(error))
    if isinstance(error, HTTPException):
        status = HTTPStatus(error.status_code)
        reason = _REASONS.get(status, Reason.BAD_INPUT)
        return Refusal(status, reason, _DETAILS.get(status, str(error.detail)), headers=dict(error.headers or {}))
    if isinstance(error, DataError):
        return Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY, Reason.BAD_INPUT, "a value is none that a record can hold, such as a NUL"
        )
    return None


def _store_away(error: Exception) -> Refusal:
    detail = "the records store does not answer; it is tried again by itself"
    if isinstance(error, ProgrammingError):
        detail = "the records store is not set up yet, or by another release: start `spillway run record` of this one"
    headers = {"Retry-After": str(RETRY_STORE_SECONDS)}
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, Reason.STORE_AWAY, detail, headers=headers)


def _field(place: tuple[int | str, ...]) -> str:
    inner = place[1:] if place and place[0] in _PLACES else place
    return ".".join(map(str, inner)) or str(place[0] if place else "body")


def add_faults(app: FastAPI) -> None:
    """Answer every exception of an application by problem details."""
    told = (Refusal, RequestValidationError, HTTPException, DataError, ProgrammingError, OperationalError)
    for kind in (*told, InterfaceError, PoolTimeoutError, BadCursorError, BadFilterError):
        app.add_exception_handler(kind, _refused)
    app.add_exception_handler(Exception, _defect)


async def _refused(request: Request, error: Exception) -> Response:
    refusal = refusal_of(error)
    if refusal.status == HTTPStatus.METHOD_NOT_ALLOWED:
        refusal.headers["Allow"] = ", ".join(_methods(request))
    note_refusal(request.scope, refusal)
    return answer_refused(request, refusal)


def _methods(request: Request) -> list[str]:
    """Methods that a path takes: each may be a route of its own, and the framework names those of the first alone."""
    routes = request.app.router.routes
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    return [
        method for method, scope in scopes.items() if any(route.matches(scope)[0] == Match.FULL for route in routes)
    ]


async def _defect(request: Request, error: Exception) -> Response:
    """Of a defect: outside the door, so that what stands in it answers as well."""
    answer = await _refused(request, error)
    origin = request.scope.get(ORIGIN)
    request_id, https = getattr(origin, "request_id", ""), getattr(origin, "https", False)
    answer.raw_headers = with_security(answer.raw_headers, https=https, request_id=request_id)
    return answer
