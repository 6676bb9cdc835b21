"""Paging services."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.models.gateway import VariableName
from pipeline.models.remote import RemoteState
from pipeline.models.sinks.base import MAPPING_ENTRIES_MAX, Address, FieldTemplates, Refers, TwoWay, WithSecret

Severity = Literal["critical", "error", "warning", "info"]
"""As PagerDuty's Common Event Format has them."""

SEVERITY_BY_RANK: Final[tuple[Severity, ...]] = ("critical", "error", "warning", "info")
"""By the place of a priority in the scale of its domain, from the most urgent."""

Severities = Annotated[dict[str, Severity], Field(max_length=MAPPING_ENTRIES_MAX), Refers(keys="priority")]
PriorityNames = Annotated[dict[str, str], Field(max_length=MAPPING_ENTRIES_MAX), Refers(values="priority")]

EVENTS_PER_SECOND: Final = 2.0
"""An integration key may send about 120 events a minute, counted over the last 60 seconds."""

EVENTS_AT_ONCE: Final = 20
"""A wave of incidents pages at once; what comes after it is inside the minute's allowance."""

EVENT_FIELDS: Final = ("source", "component", "group", "class")
"""Names among ``fields`` that are fields of the event itself."""

_MAIL_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+")


class PagerDuty(WithSecret, TwoWay):
    """PagerDuty, by its Events API version 2. The secret is the integration's routing key.

    Attributes:
        severities: priority here -> severity there; one that is not named goes by `SEVERITY_BY_RANK`.
        priority_names: name of a priority there -> priority here; empty: they have the same names.
        fields: own details of the event, by template; `EVENT_FIELDS` are fields of the event itself.
        members: incidents that are part of a Major Incident page by themselves (`own`), or are listed in the event of
            their bridge incident and open nothing there (`in_bridge`).
        calls: what a further call of an escalation path does: `log` writes it into the open alert, and PagerDuty's own
            policy goes on to page; `alert` pages by one more alert, for services whose policy has one level.
        client, client_url: what the alert calls its origin, and where its link leads.
        api_url: of the REST API; used where there is a key for it.
        api_secret_env: NAME of the environment variable that holds a REST API key: states are looked up and notes are
            exchanged by it; None: only events go out, and only webhooks come back.
        api_user: mail address of the user that notes are written as.
        notes: which entries of the timeline become notes there.
        poll_seconds: ask so often what has changed there, where no webhook can be had; 0: do not ask.
    """

    type: Literal["pagerduty"] = "pagerduty"
    url: Address = "https://events.pagerduty.com"
    requests_per_second: float = Field(default=EVENTS_PER_SECOND, ge=0, le=10_000)
    burst: int = Field(default=EVENTS_AT_ONCE, ge=1, le=10_000)
    severities: Severities = Field(default_factory=dict)
    priority_names: PriorityNames = Field(default_factory=dict)
    fields: FieldTemplates = Field(default_factory=dict)
    members: Literal["own", "in_bridge"] = "own"
    calls: Literal["log", "alert"] = "log"
    client: str = Field(default="Spillway", min_length=1, max_length=100)
    client_url: Address | None = None
    api_url: Address = "https://api.pagerduty.com"
    api_secret_env: VariableName | None = None
    api_user: str | None = Field(default=None, max_length=254)
    notes: Literal["none", "important", "all"] = "none"
    poll_seconds: int = Field(default=0, ge=0, le=86_400)

    LINK_KIND: ClassVar[str | None] = "page"

    STATES: ClassVar[dict[RemoteState, RemoteState]] = {
        RemoteState.IN_PROGRESS: RemoteState.ACKNOWLEDGED,
        RemoteState.WAITING: RemoteState.ACKNOWLEDGED,
        RemoteState.MITIGATED: RemoteState.ACKNOWLEDGED,
        RemoteState.CLOSED: RemoteState.RESOLVED,
    }

    @property
    def secret_names(self) -> tuple[str, ...]:  # noqa: D102  # as `SinkRules`
        return (self.secret_env, self.api_secret_env) if self.api_secret_env else (self.secret_env,)

    def severity(self, priority: str, rank: int | None) -> Severity:
        """The severity there of a priority here, and of its place in its scale, 0 the most urgent."""
        found = self.severities.get(priority)
        last = len(SEVERITY_BY_RANK) - 1
        return found or SEVERITY_BY_RANK[last if rank is None else min(rank, last)]

    @field_validator("api_user")
    @classmethod
    def _is_mail_address(cls, value: str | None) -> str | None:
        if value is not None and not _MAIL_ADDRESS.fullmatch(value):
            raise ValueError("must be the mail address of a user of PagerDuty")
        return value

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        if self.notes != "none" and not (self.api_secret_env and self.api_user):
            raise ValueError("notes: events carry none; name api_secret_env and api_user, or leave notes out")
        if self.poll_seconds and not self.api_secret_env:
            raise ValueError("poll_seconds: events cannot be asked for; name api_secret_env, or leave it out")
        if self.members == "in_bridge" and "bridge" not in self.kinds:
            raise ValueError("members: in_bridge pages for bridge incidents alone, which kinds leaves out")
        if self.owners.assignee == "ours":
            raise ValueError("owners.assignee: PagerDuty assigns by its own policies; leave it theirs")
        return self
