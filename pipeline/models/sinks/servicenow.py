"""ServiceNow as sinks.yaml names it: how words of ours are worded there, and what is read back.

Values are those that ServiceNow ships (product documentation, "Incident management": states, hold reasons, resolution
codes, and the priority lookup of impact and urgency). An instance with others of its own names them here.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.models.catalog import Frozen
from pipeline.models.command import WaitingFor
from pipeline.models.remote import RemoteState
from pipeline.models.sinks.base import Refers
from pipeline.models.sinks.shapes import shaped
from pipeline.models.sinks.ticketing import Ticketing, one_line

TITLE_CHARACTERS_MAX: Final = 160
"""Length of ``short_description``; what is longer ServiceNow cuts without a word."""

Level = Annotated[int, Field(ge=1, le=3)]
Code = Annotated[str, Field(min_length=1, max_length=40)]
_SYS_ID: Final = r"^[0-9a-f]{32}$"
SysId = Annotated[str, shaped(_SYS_ID, "a sys_id: 32 characters of 0 to 9 and a to f"), Field(pattern=_SYS_ID)]

SET_BY_US: Final = frozenset(
    {
        "priority",
        "state",
        "incident_state",
        "impact",
        "urgency",
        "correlation_id",
        "correlation_display",
        "number",
        "work_notes",
        "comments",
        "parent_incident",
        "problem_id",
        "close_code",
        "close_notes",
        "hold_reason",
        "short_description",
        "description",
        "assigned_to",
    }
)
"""Fields that a template may not write: what stands in them is decided, or computed there."""

# Of several states of ours that one of theirs stands for, the first of these is what is read back.
_READ_FIRST: Final = (
    RemoteState.OPEN,
    RemoteState.IN_PROGRESS,
    RemoteState.ACKNOWLEDGED,
    RemoteState.WAITING,
    RemoteState.RESOLVED,
    RemoteState.CLOSED,
    RemoteState.MITIGATED,
)


class Grade(Frozen):
    """Impact and urgency, 1 the highest. The priority is computed there from the two, and never written."""

    impact: Level
    urgency: Level


class ServiceNow(Ticketing):
    """ServiceNow incidents, by the Table API.

    Attributes:
        auth: ``basic``: the secret is the user's password; ``oauth``: it is the client's secret, by client credentials.
        user: ``user_name`` of the account that we are there; its changes are our own.
        client_id: of the OAuth application.
        table: where incidents are.
        caller: sys_id of the caller of tickets; instances may demand one.
        grades: priority here -> impact and urgency there; a priority that it lacks is as its last one.
        matrix: ``impact-urgency`` -> the priority that the instance computes.
        read_priorities: priority there -> here.
        states: state here -> there.
        cancelled_state: state there of what was no incident.
        hold_reasons: whom an incident waits for -> ``hold_reason``.
        close_codes: resolution code here -> ``close_code``.
        default_close_code: ``close_code`` of all others.
        read_close_codes: ``close_code`` -> resolution code here.
        configuration_items, business_services: service here, by name or reference -> sys_id there.
    """

    type: Literal["servicenow"] = "servicenow"
    auth: Literal["basic", "oauth"] = "basic"
    user: str = Field(min_length=1, max_length=200, pattern=r"^[^:]+$")
    client_id: str | None = Field(default=None, max_length=200)
    table: str = Field(default="incident", pattern=r"^[a-z][a-z0-9_]{0,79}$")
    caller: SysId | None = None
    grades: Annotated[dict[str, Grade], Refers(keys="priority")] = Field(
        default={
            "P1": Grade(impact=1, urgency=1),
            "P2": Grade(impact=1, urgency=2),
            "P3": Grade(impact=2, urgency=2),
            "P4": Grade(impact=2, urgency=3),
        },
        min_length=1,
    )
    matrix: dict[str, str] = Field(default={
        "1-1": "1", "1-2": "2", "1-3": "3",
        "2-1": "2", "2-2": "3", "2-3": "4",
        "3-1": "3", "3-2": "4", "3-3": "5",
    })  # fmt: skip
    read_priorities: Annotated[dict[str, str], Refers(values="priority")] = Field(
        default={"1": "P1", "2": "P2", "3": "P3", "4": "P4", "5": "P4"}
    )
    states: dict[RemoteState, Code] = Field(
        default={
            RemoteState.OPEN: "1",
            RemoteState.ACKNOWLEDGED: "2",
            RemoteState.IN_PROGRESS: "2",
            RemoteState.WAITING: "3",
            RemoteState.MITIGATED: "2",
            RemoteState.RESOLVED: "6",
            RemoteState.CLOSED: "7",
        }
    )
    cancelled_state: Code = "8"
    hold_reasons: dict[WaitingFor, Code] = Field(
        default={WaitingFor.CUSTOMER: "1", WaitingFor.VENDOR: "4", WaitingFor.PROVIDER: "4"}, min_length=1
    )
    close_codes: dict[str, str] = Field(
        default={
            "fixed": "Solution provided",
            "workaround": "Workaround provided",
            "rollback": "Resolved by change",
            "duplicate": "Duplicate",
            "false_alarm": "No resolution provided",
            "cannot_reproduce": "No resolution provided",
            "not_supported": "No resolution provided",
        }
    )
    default_close_code: str = Field(default="Solution provided", min_length=1, max_length=40)
    read_close_codes: dict[str, str] = Field(
        default={
            "Solution provided": "fixed",
            "Workaround provided": "workaround",
            "Known error": "workaround",
            "Resolved by change": "rollback",
            "Resolved by problem": "fixed",
            "Resolved by request": "fixed",
            "Resolved by caller": "cleared_by_itself",
            "Duplicate": "duplicate",
            "User error": "false_alarm",
            "No resolution provided": "cannot_reproduce",
        }
    )
    configuration_items: Annotated[dict[str, SysId], Refers(keys="service")] = Field(default_factory=dict)
    business_services: Annotated[dict[str, SysId], Refers(keys="service")] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.auth == "oauth" and not self.client_id:
            raise ValueError("auth oauth needs the client_id of the application registry")
        if missing := [state for state in RemoteState if state != RemoteState.GONE and state not in self.states]:
            raise ValueError(f"states lacks {', '.join(missing)}: every state has to be one there")
        for priority, grade in self.grades.items():
            there = self.matrix.get(f"{grade.impact}-{grade.urgency}")
            if there not in self.read_priorities:
                raise ValueError(
                    f"grades: {priority} is impact {grade.impact}, urgency {grade.urgency}, priority {there} there, "
                    "which read_priorities does not read back: every one needs a priority here"
                )
        if taken := sorted(SET_BY_US & self.fields.keys()):
            raise ValueError(f"fields: {', '.join(taken)} cannot be set by a template; see grades, states, close_codes")
        return self

    def grade(self, priority: str) -> Grade:
        """Impact and urgency of a priority."""
        return self.grades.get(priority) or list(self.grades.values())[-1]

    def waits_for(self, hold_reason: str) -> WaitingFor | None:
        """Whom it waits for there; None: the reason is none of ours."""
        return next((who for who, code in self.hold_reasons.items() if code == hold_reason), None)

    def hold_reason(self, waits_for: str) -> str:
        """Why it is on hold; whom nobody has named a reason for has the last one."""
        named = next((code for who, code in self.hold_reasons.items() if who == waits_for), None)
        return named or list(self.hold_reasons.values())[-1]

    def read_priority(self, there: str) -> str | None:
        """The priority here of one there; None: nobody said."""
        return self.read_priorities.get(there)

    def read_state(self, there: str) -> RemoteState:
        """The state here of one there; one that is in no table counts as in progress: somebody has put it there."""
        if there == self.cancelled_state:
            return RemoteState.CLOSED
        return next((state for state in _READ_FIRST if self.states[state] == there), RemoteState.IN_PROGRESS)

    def canonical(self, field: str, value: str) -> str:  # noqa: D102  # as `SinkRules`
        if field == "state":
            return self.read_state(self.states.get(RemoteState(value), value))
        if field == "priority":
            grade = self.grade(value)
            return self.read_priorities[self.matrix[f"{grade.impact}-{grade.urgency}"]]
        return one_line(value, TITLE_CHARACTERS_MAX) if field == "title" else value
