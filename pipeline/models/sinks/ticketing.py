"""Ticketing systems: a record there for each incident here."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field

from pipeline.models.sinks.base import FieldTemplates, TwoWay, WithSecret

POLL_SECONDS_MIN: Final = 15
"""Asked more often, an API of thousands of requests an hour has none left for what we have to say."""


class Ticketing(WithSecret, TwoWay):
    """Fields of all ticketing systems.

    Attributes:
        poll_seconds: ask so often what has changed there, where no webhook can be had; 0: do not ask.
        fields: own fields of the ticket, by template.
        notes: which entries of the timeline become notes there: those that matter for the work, all, or none.
    """

    poll_seconds: int = Field(default=0, ge=0, le=86_400)
    fields: FieldTemplates = Field(default_factory=dict)
    notes: Literal["important", "all", "none"] = "important"

    LINK_KIND: ClassVar[str | None] = "ticket"


class ServiceNow(Ticketing):
    """ServiceNow incidents, by the Table API."""

    type: Literal["servicenow"] = "servicenow"
    user: str = Field(min_length=1, max_length=200)


class Jira(Ticketing):
    """Jira Service Management, by its REST API version 3."""

    type: Literal["jira"] = "jira"
    user: str = Field(min_length=1, max_length=200)
    project: str = Field(min_length=1, max_length=100)


class Xurrent(Ticketing):
    """Xurrent requests, by its REST API."""

    type: Literal["xurrent"] = "xurrent"
    account: str = Field(min_length=1, max_length=100)
