"""Jira Service Management as sinks.yaml names it: how words of ours are worded there, and what is read back.

Every project words its own statuses, so a status is known by its category, unless it is named here.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.models.command import WaitingFor
from pipeline.models.remote import RemoteState
from pipeline.models.sinks.base import Refers
from pipeline.models.sinks.ticketing import Ticketing, of_any, of_service, one_line

TITLE_CHARACTERS_MAX: Final = 255
"""Length of the summary; Jira refuses a longer one."""

Category = Literal["new", "indeterminate", "done"]

CATEGORIES: Final[dict[RemoteState, Category]] = {
    RemoteState.OPEN: "new",
    RemoteState.ACKNOWLEDGED: "indeterminate",
    RemoteState.IN_PROGRESS: "indeterminate",
    RemoteState.WAITING: "indeterminate",
    RemoteState.MITIGATED: "indeterminate",
    RemoteState.RESOLVED: "done",
    RemoteState.CLOSED: "done",
}
"""State here -> key of the category of statuses there."""

_READ: Final = {"new": RemoteState.OPEN, "indeterminate": RemoteState.IN_PROGRESS, "done": RemoteState.RESOLVED}

SET_BY_US: Final = frozenset(
    {"project", "issuetype", "summary", "description", "priority", "labels", "status", "resolution", "assignee"}
)
"""Fields that a template may not write: what stands in them is decided."""


class Jira(Ticketing):
    """Jira Service Management, by its REST API version 3. The secret is the account's API token.

    Attributes:
        user: e-mail address of the account that we are there.
        account_id: its account id; without it only our mark tells our own comments, and values our own changes.
        project: key of the project.
        issue_type: name of the type of issues in it.
        priority_names: priority here -> name there; empty: the project has no priorities.
        read_priorities: name there -> priority here, of names beside those.
        statuses: state here -> name of the status there, where its category does not say enough.
        read_waiting: status there that means that it waits -> for whom.
        resolutions: resolution code here -> name there.
        default_resolution: name there of all others.
        read_resolutions: name there -> resolution code here, beside those of ``resolutions``.
        components: service, owner or domain here -> name of the component there.
        team_field: own field that takes the team of ``groups``, such as ``customfield_10001``.
        duplicate_link, member_link: types of links: to the incident that took it in, and to its bridge incident.
        search_again_seconds: where a creation may have taken effect and is not found, wait so long and look once more
            before creating it again; 0: do not wait.
    """

    type: Literal["jira"] = "jira"
    user: str = Field(min_length=1, max_length=200, pattern=r"^[^:]+$")
    account_id: str = Field(default="", max_length=128)
    project: str = Field(min_length=2, max_length=100, pattern=r"^[A-Z][A-Z0-9_]+$")
    issue_type: str = Field(default="[System] Incident", min_length=1, max_length=100)
    priority_names: Annotated[dict[str, str], Refers(keys="priority")] = Field(
        default={"P1": "Highest", "P2": "High", "P3": "Medium", "P4": "Low"}
    )
    read_priorities: Annotated[dict[str, str], Refers(values="priority")] = Field(default={"Lowest": "P4"})
    statuses: dict[RemoteState, str] = Field(default_factory=dict)
    read_waiting: dict[str, WaitingFor] = Field(default={"Waiting for customer": WaitingFor.CUSTOMER})
    resolutions: dict[str, str] = Field(
        default={
            "fixed": "Done",
            "duplicate": "Duplicate",
            "cannot_reproduce": "Cannot Reproduce",
            "false_alarm": "Won't Do",
            "not_supported": "Won't Do",
        }
    )
    default_resolution: str = Field(default="Done", min_length=1, max_length=255)
    read_resolutions: dict[str, str] = Field(
        default={"Fixed": "fixed", "Declined": "not_supported", "Known Error": "workaround"}
    )
    components: dict[str, str] = Field(default_factory=dict)
    team_field: str | None = Field(default=None, pattern=r"^customfield_\d+$")
    duplicate_link: str = Field(default="Duplicate", min_length=1, max_length=255)
    member_link: str = Field(default="Relates", min_length=1, max_length=255)
    search_again_seconds: int = Field(default=5, ge=0, le=600)

    STATES: ClassVar[dict[RemoteState, RemoteState]] = {state: _READ[key] for state, key in CATEGORIES.items()}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if RemoteState.GONE in self.statuses:
            raise ValueError("statuses: gone is no status of an issue that is there")
        names = [name.casefold() for name in self.statuses.values()]
        by_name = {name.casefold(): state for state, name in self.statuses.items()}
        for state, name in self.statuses.items():
            if names.count(name.casefold()) > 1 and CATEGORIES[state] != CATEGORIES[by_name[name.casefold()]]:
                raise ValueError(f"statuses: {name} cannot be of two categories")
        if taken := sorted(SET_BY_US & self.fields.keys()):
            raise ValueError(f"fields: {', '.join(taken)} cannot be set by a template; see priority_names, statuses")
        return self

    def read_state(self, status: str, category: str) -> RemoteState:
        """The state here of a status there."""
        folded = status.casefold()
        named = next((each for each, name in self.statuses.items() if name.casefold() == folded), None)
        if named is None and self.waits_for(status) is not None:
            return RemoteState.WAITING
        return named or _READ.get(category, RemoteState.IN_PROGRESS)

    def waits_for(self, status: str) -> WaitingFor | None:
        """Whom an issue of that status waits for; None: it does not say."""
        return next((who for name, who in self.read_waiting.items() if name.casefold() == status.casefold()), None)

    def priority_name(self, priority: str) -> str | None:
        """The name there of a priority; one that has none is as the last one; None: there are none."""
        return self.priority_names.get(priority) or next(reversed(self.priority_names.values()), None)

    def read_priority(self, name: str) -> str | None:
        """The priority here of one there; None: nobody said."""
        named = next((each for each, there in self.priority_names.items() if there == name), None)
        return named or self.read_priorities.get(name)

    def read_resolution(self, name: str) -> str | None:
        """The resolution code here of a resolution there; None: nobody said."""
        found = next((code for code, there in self.resolutions.items() if there == name), None)
        return found or self.read_resolutions.get(name)

    def component(self, service: str | None, owner: str | None, domain: str | None) -> str | None:
        """The component there of an incident."""
        return of_service(self.components, service) or of_any(self.components, owner, domain)

    def canonical(self, field: str, value: str) -> str:  # noqa: D102  # as `SinkRules`
        if field == "state" and value in self.statuses:
            return self.read_state(self.statuses[RemoteState(value)], "")
        if field == "priority" and (name := self.priority_name(value)) is not None:
            return self.read_priority(name) or value
        return one_line(value, TITLE_CHARACTERS_MAX) if field == "title" else super().canonical(field, value)
