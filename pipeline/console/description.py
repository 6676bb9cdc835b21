"""The API's description (OpenAPI): what `/api/v1/openapi.json` answers and `docs/openapi.json` holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from pipeline.console.refusal import CONTENT_TYPE, TYPE_PREFIX, Reason

PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}

ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {
        "description": "It is not done, and the problem says why: as it is it will never be.",
        "content": {CONTENT_TYPE: {"schema": PROBLEM}},
    },
    "5XX": {
        "description": "It is not done now: the store or Kafka is away (503, try again after `Retry-After`), or a "
        "defect (500).",
        "content": {CONTENT_TYPE: {"schema": PROBLEM}},
    },
}
"""What every route may answer."""

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri",
            "description": f"`{TYPE_PREFIX}` and one of: {', '.join(Reason)}.",
            "examples": [TYPE_PREFIX + Reason.NOT_FOUND],
        },
        "title": {"type": "string", "description": "The words of the status."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What happened, and what to do."},
        "instance": {"type": "string", "description": "The path that was asked for."},
        "errors": {
            "type": "array",
            "description": "Wrong fields, of a request that cannot be read.",
            "items": {
                "type": "object",
                "required": ["field", "problem"],
                "properties": {"field": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}

TAGS: Final = (
    ("incidents", "Incidents and bridge incidents, and what belongs to them."),
    ("commands", "What is asked of incidents and problems. A command is accepted first and obeyed or refused then."),
    ("stream", "Changes as they happen."),
    ("search", "Symptoms, notes and resolutions."),
    ("episodes", "Each run of each condition."),
    ("services", "Services and how they are."),
    ("on call", "Who is called, and what if nobody answers."),
    ("problems", "What lies behind incidents that come back."),
    ("silences", "What people mute."),
    ("suppression", "What was hidden from people."),
    ("analytics", "Figures of periods."),
    ("access", "Who you are."),
)

DESCRIPTION: Final = """\
Reads the records store and takes commands for the pipeline. `docs/api.md` has examples.

* A bearer token or the session of a browser says who asks; what is out of his domains does not exist for him (404).
* Every refusal is a problem (RFC 9457, `application/problem+json`).
* Lists have `items` and `next`, a cursor for `after`; answers have an `ETag` for `If-None-Match`.
* Commands take an `Idempotency-Key`: repeated with it, a request is done once.
* Within `/api/v1` fields are added, never taken away or given another meaning.
"""


def operation_id(route: APIRoute) -> str:
    """The name of a route's function: stable, and what generated clients call it."""
    return route.name


def describe(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """What makes the description of an application, once."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    return described


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": said} for name, said in TAGS],
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An API token, or one of single sign-on."},
        "session": {"type": "apiKey", "in": "cookie", "name": "spillway_session", "description": "Of a browser."},
    }
    document["security"] = [{"token": []}, {"session": []}]
    return document
