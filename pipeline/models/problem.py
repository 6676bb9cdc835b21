"""Problems: what lies behind incidents that come back, and what is done about it; known errors and their workarounds.

As in ITIL: an incident is one failure, a problem its cause. A problem begins as a candidate that the pipeline proposes;
people take it up, find the cause, write down a workaround (then it is a known error), and fix it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum
from typing import Any, Final

from pydantic import Field, model_validator

from pipeline.models.catalog import Frozen
from pipeline.models.command import COMMAND_ID_CHARACTERS_MAX, Moment, Role, Wire
from pipeline.models.incident_parts import TimelineEntry

PROBLEM_SCHEMA: Final = 1
PROBLEMS_TOPIC: Final = "problems"
PROBLEM_COMMANDS_TOPIC: Final = "problem.commands"

OCCURRENCES_MAX: Final = 100
"""Incidents that a problem names, the newest; it counts all of them."""

ACTIONS_MAX: Final = 50
"""Corrective actions of one problem: more are not followed up by anybody."""

CHANGES_MAX: Final = 20
"""Suspected changes that a problem names."""


class ProblemRule(Frozen):
    """When a domain's incidents become a problem candidate.

    Attributes:
        repeats_at_least: incidents of the same cause within ``within_days`` that make one.
        within_days: how far back incidents of the same cause count.
        priorities: priorities that make one by themselves once they are resolved; those that owe a problem review
            (``closure.problem_review``) do so anyway.
        major: a Major Incident makes one once it is resolved.
    """

    repeats_at_least: int = Field(default=3, ge=2, le=OCCURRENCES_MAX)
    within_days: int = Field(default=30, ge=1, le=366)
    priorities: tuple[str, ...] = ()
    major: bool = True


class KnownError(Frozen):
    """A known error of the configuration: incidents that all stated conditions fit are offered its workaround.

    Attributes:
        causes: what is suspected is one of these, in any name that the catalogue knows.
        services: the incident is about one of these; likewise.
        categories: its category is one of these.
        words: its title, which tells the first symptom, holds all of these words, lower case.
        workaround: what restores the service, in words for whoever is called.
        url: where more is written.
        problem: id of the problem elsewhere.
    """

    name: str
    title: str = ""
    causes: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    workaround: str = Field(min_length=1, max_length=4_000)
    url: str | None = Field(default=None, max_length=2_000)
    problem: str | None = Field(default=None, max_length=256)

    @model_validator(mode="after")
    def _asks_for_something(self) -> KnownError:
        if not (self.causes or self.services or self.categories or self.words):
            raise ValueError("a known error asks for causes, services, categories or words: else it fits everything")
        return self


class ProblemState(StrEnum):
    """Where a problem is in its life."""

    CANDIDATE = "candidate"
    INVESTIGATING = "investigating"
    KNOWN_ERROR = "known_error"
    RESOLVED = "resolved"
    CLOSED = "closed"
    REJECTED = "rejected"


class ProblemReason(StrEnum):
    """Why a problem candidate was opened."""

    REPEATED = "repeated"
    MAJOR_INCIDENT = "major_incident"
    REVIEW_OWED = "review_owed"
    CORRECTIVE_ACTIONS = "corrective_actions"


class ProblemChange(StrEnum):
    """What a revision of a problem was about; where one record did several, the first listed wins."""

    OPENED = "opened"
    REOPENED = "reopened"
    CLOSED = "closed"
    REJECTED = "rejected"
    RESOLVED = "resolved"
    KNOWN_ERROR = "known_error"
    ACCEPTED = "accepted"
    REPEATED = "repeated"
    ACTION_OVERDUE = "action_overdue"
    ACTION_DONE = "action_done"
    UPDATED = "updated"


PROBLEM_CHANGE_RANK: Final[dict[str, int]] = {change: rank for rank, change in enumerate(ProblemChange)}


@dataclass(slots=True, kw_only=True)
class Occurrence:
    """One incident of a problem, as its newest summary says."""

    incident_id: str
    space: str
    title: str
    priority: str
    opened_at_ms: int
    resolved_at_ms: int | None = None
    users: int = 0
    change_id: str | None = None


@dataclass(slots=True, kw_only=True)
class TrackedAction:
    """What keeps a failure from coming back; tracked until it is done, longer than its incident lives.

    Attributes:
        due_date: the day by which, ISO 8601; None: none was set.
        incident_id: the incident that it came from; None: it was added to the problem itself.
        told_overdue: whether it was said that it is overdue.
    """

    id: str
    text: str
    owner: str | None = None
    due_date: str | None = None
    state: str = "open"
    incident_id: str | None = None
    done_by: str | None = None
    done_at_ms: int | None = None
    told_overdue: bool = False


@dataclass(slots=True, kw_only=True)
class Problem:
    """One problem.

    Attributes:
        signature: the cause that its incidents share: what is suspected and of which category.
        cause_ref: what is suspected, a catalogue reference.
        because: why it was opened, in words; ``reason`` is the same for machines.
        occurrences: its newest incidents, oldest first; ``occurrences_total`` counts all.
        changes: suspected changes -> how many of its incidents suspect them.
        cause: the root cause in words, once somebody has found it; ``fix`` likewise what removed it.
        commands: ids of the newest commands applied.
        chain: seal of the newest revision (`pipeline.core.chain`).
    """

    id: str
    signature: str
    state: str = ProblemState.CANDIDATE
    revision: int = 0
    title: str = ""
    reason: str = ""
    because: str = ""
    domain: str = ""
    service: str | None = None
    owner: str | None = None
    cause_ref: str | None = None
    category: str | None = None
    assignee: str | None = None
    opened_at_ms: int = 0
    updated_at_ms: int = 0
    resolved_at_ms: int | None = None
    closed_at_ms: int | None = None
    review_due: str | None = None
    occurrences: list[Occurrence] = field(default_factory=list)
    occurrences_total: int = 0
    first_seen_ms: int = 0
    last_seen_ms: int = 0
    users_affected: int = 0
    changes: dict[str, int] = field(default_factory=dict)
    cause: str | None = None
    workaround: str | None = None
    fix: str | None = None
    actions: list[TrackedAction] = field(default_factory=list)
    reopened: int = 0
    commands: list[str] = field(default_factory=list)
    chain: str = ""
    schema: int = PROBLEM_SCHEMA


@dataclass(slots=True)
class ProblemDraft:
    """What one record does to one problem; see `pipeline.core.draft` for the same of incidents.

    Attributes:
        command_id: of the command that is obeyed or refused; None: it follows from none.
    """

    problem: Problem
    now_ms: int
    entries: list[TimelineEntry] = field(default_factory=list)
    changes: list[ProblemChange] = field(default_factory=list)
    command_id: str | None = None

    def note(self, action: str, actor: str, text: str, change: ProblemChange | None = None, **facts: Any) -> None:
        """Put an action on the record."""
        self.entries.append(TimelineEntry(at_ms=self.now_ms, action=action, actor=actor, text=text, facts=facts))
        if change is not None:
            self.changes.append(change)

    def change(self) -> ProblemChange:
        """The one word for this revision."""
        return min(self.changes, key=PROBLEM_CHANGE_RANK.__getitem__, default=ProblemChange.UPDATED)


def problem_from_wire(document: dict[str, Any]) -> Problem:
    """A problem from our own topic's JSON. Fields that it lacks have their defaults.

    Raises:
        ValueError: the schema version is not one that this release reads.
    """
    if document.get("schema") != PROBLEM_SCHEMA:
        raise ValueError(f"problem schema {document.get('schema')!r}, this release reads {PROBLEM_SCHEMA}")
    known = {each.name for each in fields(Problem)}
    given = {name: value for name, value in document.items() if name in known}
    given["occurrences"] = [Occurrence(**each) for each in given.get("occurrences", ())]
    given["actions"] = [TrackedAction(**each) for each in given.get("actions", ())]
    return Problem(**given)


class ProblemCommandType(StrEnum):
    """What can be asked of a problem."""

    ACCEPT = "accept"
    REJECT = "reject"
    ASSIGN = "assign"
    NOTE = "note"
    SET_CAUSE = "set_cause"
    SET_WORKAROUND = "set_workaround"
    ADD_ACTION = "add_action"
    COMPLETE_ACTION = "complete_action"
    RESOLVE = "resolve"
    CLOSE = "close"
    REOPEN = "reopen"


class ProblemCommand(Wire):
    """One request, the value on ``problem.commands``, keyed by problem id.

    Attributes:
        command_id: the sender's id, for idempotency.
        actor: who asks.
        role: in what role; one that does not say counts as a responder. A viewer may nothing, and a source say
            that an action is done: what is written here as a workaround is offered to others.
        problem_id: which problem; or an incident of it, whose action is done.
        at: when it was asked, by the sender's clock.
        text: the note, cause, workaround, action, fix or reason, by type.
        assignee: who takes it up; or who owns the action.
        action_id: which corrective action, by its id on the problem or on the incident.
        due: the day by which an action is to be done.
    """

    command_id: str = Field(min_length=1, max_length=COMMAND_ID_CHARACTERS_MAX)
    type: ProblemCommandType
    actor: str = Field(min_length=1, max_length=256)
    problem_id: str = Field(min_length=1, max_length=256)
    role: Role | None = None
    at: Moment | None = None
    text: str | None = Field(default=None, max_length=4_000)
    assignee: str | None = Field(default=None, max_length=256)
    action_id: str | None = Field(default=None, max_length=256)
    due: date | None = None

    @property
    def as_role(self) -> Role:
        """The role that it counts as."""
        return self.role or Role.RESPONDER
