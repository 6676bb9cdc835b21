"""Xurrent requests.

Words of its enumerations: xurrent/ipaas-connectors (``connector-sdk/spec/fixtures/xurrent_connector``), the pages
https://developer.xurrent.com/v1/requests and /v1/requests/events, and klaasvandeweerdt/works4me-xurrent-rest
(``src/Works4me.Xurrent.Rest/Enums``).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.models.remote import ENDED, RemoteState
from pipeline.models.sinks.base import MAPPING_ENTRIES_MAX, Address, ByService, Refers
from pipeline.models.sinks.ticketing import Ticketing, one_line

Impact = Literal["top", "high", "medium", "low"]
Status = Literal[
    "on_backlog", "assigned", "accepted", "in_progress", "waiting_for", "waiting_for_customer", "completed"
]
CompletionReason = Literal[
    "solved",
    "workaround",
    "gone",
    "duplicate",
    "withdrawn",
    "no_reply",
    "rejected",
    "conflict",
    "declined",
    "unsolvable",
]

IMPACTS: Final[dict[str, Impact]] = {"P1": "top", "P2": "high", "P3": "medium", "P4": "low"}
IMPACT_BY_RANK: Final[tuple[Impact, ...]] = ("top", "high", "medium", "low")
"""Of a priority that is not named: by its place in the scale of its domain, from the most urgent."""

DOWNTIME_IMPACTS: Final = frozenset({"top", "high"})
"""Impacts that mean that a service is down, and not only degraded."""

STATUSES: Final[dict[RemoteState, Status]] = {
    RemoteState.OPEN: "assigned",
    RemoteState.ACKNOWLEDGED: "accepted",
    RemoteState.IN_PROGRESS: "in_progress",
    RemoteState.WAITING: "waiting_for",
    RemoteState.MITIGATED: "in_progress",
    RemoteState.RESOLVED: "completed",
    RemoteState.CLOSED: "completed",
}

STATES_READ: Final[dict[str, RemoteState]] = {
    "declined": RemoteState.OPEN,
    "on_backlog": RemoteState.OPEN,
    "assigned": RemoteState.OPEN,
    "accepted": RemoteState.ACKNOWLEDGED,
    "in_progress": RemoteState.IN_PROGRESS,
    "waiting_for": RemoteState.WAITING,
    "waiting_for_customer": RemoteState.WAITING,
    "reservation_pending": RemoteState.WAITING,
    "workflow_pending": RemoteState.IN_PROGRESS,
    "project_pending": RemoteState.IN_PROGRESS,
    "completed": RemoteState.RESOLVED,
}
"""Status there -> state here. ``declined`` is a team that hands it back: it has nobody, and is not over."""

REASONS: Final[dict[str, CompletionReason]] = {
    "workaround": "workaround",
    "cleared_by_itself": "gone",
    "cannot_reproduce": "gone",
    "false_alarm": "gone",
    "duplicate": "duplicate",
    "not_supported": "declined",
}
"""Resolution code here -> completion reason there, where it is none of ``solved``."""

WRITTEN: Final = frozenset(
    {
        "category",
        "subject",
        "impact",
        "status",
        "completion_reason",
        "waiting_until",
        "source",
        "sourceID",
        "note",
        "internal_note",
        "grouping",
        "grouped_into_id",
        "major_incident_status",
        "member_id",
        "downtime_start_at",
        "downtime_end_at",
    }
)
"""Fields that are written from what the incident is; own fields do not take their place."""

SUBJECT_CHARACTERS_MAX: Final = 255
"""Of a request's subject; not in the published pages, and what is longer no list shows."""

REQUESTS_PER_SECOND: Final = 1.0
"""A token may make 3,600 requests an hour (``X-RateLimit-Limit``)."""

REQUESTS_AT_ONCE: Final = 20
"""Below the limit of 20 in two seconds that clients of the API keep to."""

WAITING_MINUTES: Final = 1_440
"""How long what waits sleeps there: the next working day looks at it again, if nobody has by then."""

Impacts = Annotated[dict[str, Impact], Field(max_length=MAPPING_ENTRIES_MAX), Refers(keys="priority")]


class Xurrent(Ticketing):
    """Xurrent requests, by its REST API. The secret is a personal access token.

    Attributes:
        url: of the API, of the account's region.
        account: the account id, sent with each request.
        web_url: where people open requests; None: the account at the API's domain.
        create_by: `requests` creates by the Requests API, which knows others by id; `events` by the Events API, which
            also knows them by name, and adds to the open request of the same source.
        source: what requests say that they come from; they are found by it and by our id.
        impacts: priority here -> impact there; empty: `IMPACTS`.
        statuses: state here -> status there, where it is not as in `STATUSES`.
        reasons: resolution code here -> completion reason there, where it is not as in `REASONS`.
        service_instances, configuration_items: service here -> id there (a name, by `events`).
        service_instance: of services that are not named.
        team: of incidents that ``groups`` names no team for.
        member: id of the person there that has what nobody else there has: some statuses ask for somebody.
        grouping: members of a Major Incident are grouped into the request of their bridge incident.
        major_incidents: what a bridge incident that a rule has declared says there: `propose`, so that the manager
            there decides; `accept`; or nothing. What a person declared here is accepted.
        downtime: the beginning and the end of a failure whose impact is `top` or `high` are written as downtime.
        waiting_minutes: how long what waits for a supplier sleeps there.
    """

    type: Literal["xurrent"] = "xurrent"
    url: Address = "https://api.xurrent.com"
    account: str = Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    web_url: Address | None = None
    requests_per_second: float = Field(default=REQUESTS_PER_SECOND, ge=0, le=10_000)
    burst: int = Field(default=REQUESTS_AT_ONCE, ge=1, le=10_000)
    create_by: Literal["requests", "events"] = "requests"
    source: str = Field(default="Spillway", min_length=1, max_length=30, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    impacts: Impacts = Field(default_factory=dict)
    statuses: dict[RemoteState, Status] = Field(default_factory=dict)
    reasons: dict[str, CompletionReason] = Field(default_factory=dict, max_length=MAPPING_ENTRIES_MAX)
    service_instances: ByService = Field(default_factory=dict)
    service_instance: str | None = Field(default=None, max_length=200)
    configuration_items: ByService = Field(default_factory=dict)
    team: str | None = Field(default=None, max_length=200)
    member: int | None = Field(default=None, ge=1)
    grouping: bool = True
    major_incidents: Literal["propose", "accept", "none"] = "propose"
    downtime: bool = True
    waiting_minutes: int = Field(default=WAITING_MINUTES, ge=1, le=525_600)

    def impact(self, priority: str, rank: int | None) -> Impact:
        """The impact there of a priority here, and of its place in its scale, 0 the most urgent."""
        found = (self.impacts or IMPACTS).get(priority)
        last = len(IMPACT_BY_RANK) - 1
        return found or IMPACT_BY_RANK[last if rank is None else min(rank, last)]

    def priority(self, impact: str) -> str | None:
        """The priority here of an impact there: of several that have it the first; None where none has."""
        return next((name for name, each in (self.impacts or IMPACTS).items() if each == impact), None)

    def status(self, state: RemoteState) -> Status:
        """The status there of a state here."""
        return self.statuses.get(state) or STATUSES[state]

    def reason(self, code: str) -> CompletionReason:
        """The completion reason there of a resolution code here."""
        return self.reasons.get(code) or REASONS.get(code) or "solved"

    def canonical(self, field: str, value: str) -> str:  # noqa: D102  # as `SinkRules`
        if field == "state":
            state = RemoteState(value)
            return state if state is RemoteState.GONE else STATES_READ[self.status(state)]
        if field == "priority" and value in (self.impacts or IMPACTS):
            return self.priority(self.impact(value, None)) or value
        if field == "title":
            return subject(value)
        return value

    @field_validator("statuses")
    @classmethod
    def _keep_what_is_over_apart(cls, value: dict[RemoteState, Status]) -> dict[RemoteState, Status]:
        for state, status in value.items():
            if state is RemoteState.GONE:
                raise ValueError("gone: a request that is not there has no status")
            if (state in ENDED) != (status == "completed"):
                over = "is over, and must be completed" if state in ENDED else "is not over, and cannot be completed"
                raise ValueError(f"{state}: an incident that is {state} {over}")
        return value

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        if self.create_by == "requests":
            for field, name in self._references():
                if not name.isdecimal():
                    raise ValueError(f"{field}: '{name}' is no id; names are known to create_by: events alone")
        elif any(name.startswith("custom_fields.") for name in self.fields):
            raise ValueError("fields: custom_fields are not taken by create_by: events")
        if clash := sorted(WRITTEN & self.fields.keys()):
            raise ValueError(f"fields: {clash[0]} is written from what the incident is")
        return self

    def _references(self) -> list[tuple[str, str]]:
        mappings: dict[str, dict[str, Any]] = {
            "service_instances": self.service_instances,
            "configuration_items": self.configuration_items,
            "groups": self.groups,
        }
        found = [(field, name) for field, each in mappings.items() for name in each.values()]
        single = {"service_instance": self.service_instance, "team": self.team}
        return found + [(field, name) for field, name in single.items() if name is not None]


def subject(title: str) -> str:
    """A title as a request has it: one line of bounded length."""
    return one_line(title, SUBJECT_CHARACTERS_MAX) or "Incident"
