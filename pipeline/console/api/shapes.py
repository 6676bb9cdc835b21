"""What routes of the API share: parameters, the envelope of lists, the filters."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

from fastapi import Depends, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from pipeline.console.context import Here
from pipeline.console.refusal import Reason, Refusal
from pipeline.models.command import ID_CHARACTERS_MAX
from pipeline.models.incident import IncidentKind, IncidentState
from pipeline.records.analytics.periods import YEAR_MAX, YEAR_MIN
from pipeline.records.reading import Filters, parse_filters
from pipeline.records.reading.cursor import CURSOR_CHARACTERS_MAX
from pipeline.records.reading.filters import TEXT_CHARACTERS_MAX, VALUE_CHARACTERS_MAX, VALUES_MAX

ROWS_MAX: Final = 500
"""Of one page: a client that wants all pages through."""

NAME: Final = r"^[^\x00-\x1f\x7f]+$"
"""Ids and names have no control characters."""

IncidentId = Annotated[
    str, Path(max_length=ID_CHARACTERS_MAX, pattern=NAME, description="Of an incident or bridge incident.")
]
EpisodeId = Annotated[str, Path(max_length=512, pattern=NAME, description="Of an episode.")]
ProblemId = Annotated[str, Path(max_length=ID_CHARACTERS_MAX, pattern=NAME, description="Of a problem.")]

After = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=CURSOR_CHARACTERS_MAX,
        pattern=r"^[A-Za-z0-9_=-]+$",
        description="`next` of the page before; with the same filters.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=ROWS_MAX, description="Rows at most.")]


def _written(value: object) -> object:
    """A moment as people write it: a bare number would be read as seconds, or as milliseconds, by how large it is.

    Raises:
        ValueError: it is a number.
    """
    if not isinstance(value, str | datetime) or (isinstance(value, str) and not _DATE.match(value)):
        raise ValueError("a moment is written as in RFC 3339, with a zone: 2026-11-30T02:00:00Z")
    return value


_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")

Written = Annotated[datetime, BeforeValidator(_written)]
"""A moment in words; one without a zone is in UTC."""

WrittenInZone = Annotated[AwareDatetime, BeforeValidator(_written)]
"""A moment in words, with its zone."""

Moment = Annotated[Written | None, Query(description="RFC 3339 with a zone.", examples=["2026-11-30T02:00:00Z"])]

_Name = Annotated[str | None, Field(min_length=1, max_length=VALUE_CHARACTERS_MAX, pattern=NAME)]


class Narrowed(BaseModel):
    """What a list is narrowed to; all of it must hold."""

    model_config = ConfigDict(extra="forbid")

    kind: IncidentKind | None = Field(None, description="Incidents or bridge incidents alone.")
    state: list[IncidentState] = Field([], max_length=VALUES_MAX, description="One of these; repeatable.")
    priority: list[Annotated[str, Field(min_length=1, max_length=16, pattern=NAME)]] = Field(
        [], max_length=VALUES_MAX, description="One of these; repeatable.", examples=[["P1", "P2"]]
    )
    open: bool | None = Field(None, description="Not closed, merged or cancelled; false: those that are.")
    domain: _Name = Field(None, description="Of this service domain, of a bridge incident also one of its members.")
    service: _Name = Field(None, description="That affects this service, by its catalogue reference.")
    owner: _Name = Field(None, description="Team.")
    assignee: _Name = Field(None, description="Person; `nobody`: not assigned.")
    category: _Name = None
    hosting_model: _Name = None
    infrastructure_layer: _Name = None
    severity: _Name = None
    at_risk: bool | None = Field(None, description="A clock is due within half an hour, or has missed its target.")
    member: bool | None = Field(None, description="In a bridge incident, or not.")
    muted: bool | None = Field(None, description="Notifications of it are muted, or not.")
    opened_from: Written | None = Field(None, description="Opened at or after; RFC 3339 with a zone.")
    opened_to: Written | None = Field(None, description="Opened before.")
    space: _Name = Field(None, description="Correlation space.")


class Listed(Narrowed):
    """A list: what it is narrowed to, and where it goes on."""

    after: After = None
    limit: int = Field(50, ge=1, le=ROWS_MAX, description="Rows at most.")


class Searched(Listed):
    """A search."""

    q: str = Field(
        "", max_length=TEXT_CHARACTERS_MAX, description='Words, `"a phrase"`, `or`, `-without`; an id or ticket number.'
    )
    limit: int = Field(20, ge=1, le=100, description="Hits at most.")


def filters_of(asked: Narrowed, now_ms: int) -> Filters:
    """The filters that a request asks for.

    Raises:
        BadFilterError: one cannot be.
    """
    given = asked.model_dump(exclude={"after", "limit"}, exclude_none=True)
    return parse_filters({name: _spelled(value) for name, value in given.items()}, now_ms)


def _spelled(value: Any) -> list[str]:
    if isinstance(value, list):
        return [str(each) for each in value]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, datetime):
        return [(value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()]
    return [str(value)]


class Onward:
    """Where a list goes on, as a header."""

    def __init__(self, request: Request, response: Response) -> None:
        self._request, self._response = request, response

    def link(self, cursor: str | None) -> str | None:
        """Say in the header ``Link`` (RFC 8288) where the next page is; the cursor itself."""
        if cursor is not None:
            kept = [pair for pair in self._request.query_params.multi_items() if pair[0] != "after"]
            query = urlencode([*kept, ("after", cursor)])
            self._response.headers["Link"] = f'<{quote(self._request.url.path)}?{query}>; rel="next"'
        return cursor


Next = Annotated[Onward, Depends(Onward)]
"""Parameter of a route: says where its list goes on."""

NEXT: Final = "Cursor of what comes after, for `after`; null: that was all. The header `Link` has the whole address."


def moment_ms(moment: datetime | None, context: Here) -> int:
    """A moment that somebody names, else now; epoch milliseconds. Without a zone it is UTC.

    Raises:
        Refusal: it is in a year from which, or after which, nothing can be counted.
    """
    if moment is None:
        return context.now_ms()
    if not YEAR_MIN <= moment.year <= YEAR_MAX:
        detail = f"a moment is in the years from {YEAR_MIN} to {YEAR_MAX}"
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.BAD_INPUT, detail)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)
