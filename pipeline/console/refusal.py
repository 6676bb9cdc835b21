"""Refusals, as problem details (RFC 9457): what happened, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import orjson
from fastapi import Request, Response

CONTENT_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "https://spillway.dev/problems/"


class Reason(StrEnum):
    """Why a request was refused: the end of the problem's type, a label of the metrics, a word of the access log."""

    NOT_KNOWN = "not-known"
    NOT_ALLOWED = "not-allowed"
    NOT_FOUND = "not-found"
    NO_METHOD = "no-method"
    BAD_INPUT = "bad-input"
    TOO_LARGE = "too-large"
    TOO_MANY = "too-many"
    FORGED = "forged"
    CONFLICT = "conflict"
    STALE = "stale"
    KAFKA_AWAY = "kafka-away"
    STORE_AWAY = "store-away"
    DEFECT = "defect"


@dataclass(slots=True)
class Refusal(Exception):
    """A request that is not done.

    Attributes:
        status: HTTP status.
        detail: one sentence or two for a person: what happened, and what to do. Holds no secret.
        more: further members of the problem.
        headers: of the answer.
    """

    status: HTTPStatus
    reason: Reason
    detail: str
    more: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def document(self, instance: str) -> dict[str, Any]:
        """The problem as JSON; ``instance`` is a path."""
        return {
            "type": TYPE_PREFIX + self.reason,
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "instance": quote(instance, safe="/:@"),  # it is an address (RFC 9457, 3.1.5), and marks up nothing
            **self.more,
        }


def not_found(what: str, name: str) -> Refusal:
    """Nothing of that name, or nothing that the asker may see: the same answer for both."""
    return Refusal(HTTPStatus.NOT_FOUND, Reason.NOT_FOUND, f"no {what} {name[:100]!r} that you may see")


def problem(request: Request, refusal: Refusal) -> Response:
    """The answer of the API."""
    # A path may hold anything: nobody who takes the answer for a page finds a tag in it.
    body = orjson.dumps(refusal.document(request.url.path)).replace(b"<", b"\\u003c")
    return Response(body, int(refusal.status), refusal.headers, CONTENT_TYPE)
