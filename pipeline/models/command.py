"""Commands (what a person or a downstream tool asks) and changes (deployments, maintenance)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from pipeline.models.silence import SilenceRequest

PEOPLE_MAX: Final = 100_000_000_000
"""People that an impact may be put right to: more than there are. A greater number has no place on a record, which
holds 64 bits, and the stage that was to write it would stop."""

REVENUE_PER_MINUTE_MAX: Final = 1e12
"""Likewise of money a minute; without it ``1e999`` would be infinity, which JSON has no word for."""

REVISION_MAX: Final = (1 << 63) - 1
"""Likewise of a revision."""

NOTE_CHARACTERS_MAX: Final = 4_000
"""Words of a command, of each kind: two pages."""


class Wire(BaseModel):
    """Base of what others write to us: frozen, unknown fields pass, nothing is coerced silently."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)


ID_CHARACTERS_MAX: Final = 256
"""An id that a command names."""

COMMAND_ID_CHARACTERS_MAX: Final = 512
"""The id of a command: a sender's has `ID_CHARACTERS_MAX`, and one that is passed on names its incident as well."""

EPISODES_MAX: Final = 10_000
"""Episodes that one command names: those of the largest incident."""


def _in_utc(moment: datetime) -> datetime:
    """The first and the last hours that can be written are no time in UTC, and nothing could be told of them."""
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is not a time in UTC: years 1 to 9999") from None
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment that others tell us."""


class CommandType(StrEnum):
    """What can be asked.

    Each has its handler in a table of its concern, which `pipeline.core.practice.commands` gathers.
    """

    # The response: `pipeline.core.practice.answering`.
    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    START = "start"
    ASSIGN = "assign"
    UNASSIGN = "unassign"
    SET_PRIORITY = "set_priority"
    NOTE = "note"
    LINK = "link"
    # Escalation: `pipeline.core.escalation.escalating`.
    ESCALATE = "escalate"
    CLEAR_SUSPECT = "clear_suspect"
    # Waiting for somebody outside, and the workaround: `pipeline.core.practice.waiting`.
    WAIT = "wait"
    RESUME = "resume"
    MITIGATE = "mitigate"
    # What keeps it from coming back: `pipeline.core.practice.actions`.
    ADD_ACTION = "add_action"
    COMPLETE_ACTION = "complete_action"
    # The end: `pipeline.core.practice.closing`.
    RESOLVE = "resolve"
    CLOSE = "close"
    REOPEN = "reopen"
    CANCEL = "cancel"
    # What is known of its cause already: `pipeline.core.practice.offering`.
    OFFER_KNOWN_ERROR = "offer_known_error"
    # The policy that it goes by: `pipeline.core.practice.adopt`.
    ADOPT_POLICY = "adopt_policy"
    # Messages to audiences, and notices that are owed: `pipeline.core.communication.telling`.
    COMMUNICATE = "communicate"
    APPROVE_COMMUNICATION = "approve_communication"
    DISCARD_COMMUNICATION = "discard_communication"
    FULFIL_DUTY = "fulfil_duty"
    # What belongs together: correlate's, and the bridge's.
    MERGE = "merge"
    SPLIT = "split"
    LINK_BRIDGE = "link_bridge"
    UNLINK_BRIDGE = "unlink_bridge"
    # Major Incidents: `pipeline.core.practice.majors`, and the bridge's.
    DECLARE_MAJOR = "declare_major"
    CORRECT_IMPACT = "correct_impact"
    DEMOTE_MAJOR = "demote_major"
    CONFIRM_MAJOR = "confirm_major"
    REJECT_MAJOR = "reject_major"
    ASSIGN_COMMANDER = "assign_commander"
    SET_STATUS = "set_status"
    # What is muted: `pipeline.core.clustering.correlate_silences`.
    SILENCE = "silence"
    EXTEND_SILENCE = "extend_silence"
    UNSILENCE = "unsilence"


SILENCING: Final = frozenset({CommandType.SILENCE, CommandType.EXTEND_SILENCE, CommandType.UNSILENCE})
"""What is about a silence, and no incident."""


class Role(StrEnum):
    """In what role somebody asks. Whoever takes commands in from outside sets it; the pack says what each may do."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    COMMANDER = "commander"
    ADMINISTRATOR = "administrator"
    SOURCE = "source"
    SYSTEM = "system"


class WaitingFor(StrEnum):
    """Whom an incident can wait for."""

    CUSTOMER = "customer"
    VENDOR = "vendor"
    PROVIDER = "provider"


class Target(Wire):
    """Which incident: by its id, or as the open incident that holds a ticket, an episode or a service.

    Attributes:
        bridge: aim at the bridge incident of the incident found, not at the incident itself.
        silence: a silence, for the commands that are about one.
    """

    incident_id: str | None = Field(default=None, max_length=ID_CHARACTERS_MAX)
    ticket: str | None = None
    episode_id: str | None = None
    service: str | None = None
    bridge: bool = False
    silence: str | None = None

    @model_validator(mode="after")
    def _one_is_named(self) -> Target:
        if not (self.incident_id or self.ticket or self.episode_id or self.service or self.silence):
            raise ValueError("a target names an incident_id, ticket, episode_id or service")
        return self


class Resolution(Wire):
    """How it ended, asked for at resolution and closure.

    Attributes:
        code: one word for it; a pack may have a list (`pipeline.models.closure`).
        summary: what was done, in a sentence or two.
        cause: why it happened, as far as anybody knows.
        fix, workaround: what removed the cause, or what restored the service without it.
        corrective_action: what will keep it from coming back; is kept as an open corrective action.
    """

    code: str = Field(max_length=64)
    summary: str = Field(max_length=4_000)
    cause: str | None = Field(default=None, max_length=4_000)
    fix: str | None = Field(default=None, max_length=4_000)
    workaround: str | None = Field(default=None, max_length=4_000)
    corrective_action: str | None = Field(default=None, max_length=4_000)


class Link(Wire):
    """A record elsewhere: a provider's support case, a vendor's ticket, a problem, a chat."""

    kind: str = Field(max_length=64)
    id: str = Field(max_length=256)
    url: str | None = Field(default=None, max_length=2_000)
    state: str | None = Field(default=None, max_length=64)


class Action(Wire):
    """A corrective action: what keeps it from coming back.

    Attributes:
        id: by which it is completed; by default the id of the command that adds it.
        text: what is to be done; not needed to complete it.
        owner: who does it: a person or a team.
        due: the day by which.
    """

    id: str | None = Field(default=None, min_length=1, max_length=256)
    text: str | None = Field(default=None, min_length=1, max_length=1_000)
    owner: str | None = Field(default=None, max_length=256)
    due: date | None = None


class Command(Wire):
    """One request, the record value on ``commands``, keyed by space.

    Attributes:
        command_id: the sender's id, for idempotency: a repeated id changes nothing.
        actor: who asks: a person or a system.
        target: the incident or bridge incident.
        role: in what role; one that does not say counts as a responder.
        at: when it was asked, by the sender's clock. What was asked before the incident changed to what it contradicts
            is refused.
        expected_revision: apply it to this revision of the incident alone; ``if_state`` likewise to this state.
        note: words for the timeline.
        audience: whom a note is for; ``internal`` unless it says otherwise.
        reason: why: of a cancellation, an escalation, a reopening.
        assignee, priority, link, resolution, into, episodes, action: arguments, by type.
        ref: the suspect that is cleared, by its catalogue reference.
        waiting_for: whom a wait is for; its link is their case or ticket. A resume may name either, too.
        workaround: what restored the service.
        text: what a message to the audience says; without it the template of the ``state`` says the newest facts.
        state: where the incident is for the audience.
        duty: the notice that was given; the note says how.
        into: the surviving incident of a merge.
        episodes: the episodes that a split moves out.
        users, revenue_per_minute: corrected impact.
        status: coordinated status of a Major Incident.
        silence: what is to be muted. Such a command needs no target; with an incident, what fires in that is muted.
        until: when a silence that is extended, or cut short, ends.
    """

    command_id: str = Field(min_length=1, max_length=COMMAND_ID_CHARACTERS_MAX)
    type: CommandType
    actor: str = Field(min_length=1, max_length=256)
    target: Target
    role: Role | None = None
    at: Moment | None = None
    expected_revision: int | None = Field(default=None, ge=0, le=REVISION_MAX)
    if_state: str | None = Field(default=None, max_length=64)
    note: str | None = Field(default=None, max_length=4_000)
    audience: str | None = Field(default=None, max_length=64)
    reason: str | None = Field(default=None, max_length=4_000)
    assignee: str | None = Field(default=None, max_length=256)
    priority: str | None = Field(default=None, max_length=16)
    link: Link | None = None
    resolution: Resolution | None = None
    waiting_for: WaitingFor | None = None
    workaround: str | None = Field(default=None, max_length=4_000)
    ref: str | None = Field(default=None, max_length=512)
    action: Action | None = None
    text: str | None = Field(default=None, max_length=4_000)
    state: str | None = Field(default=None, max_length=64)
    duty: str | None = Field(default=None, max_length=64)
    into: str | None = Field(default=None, max_length=ID_CHARACTERS_MAX)
    episodes: tuple[str, ...] = Field(default=(), max_length=EPISODES_MAX)
    bridge_id: str | None = Field(default=None, max_length=ID_CHARACTERS_MAX)
    users: int | None = Field(default=None, ge=0, le=PEOPLE_MAX)
    revenue_per_minute: float | None = Field(default=None, ge=0, le=REVENUE_PER_MINUTE_MAX)
    status: str | None = Field(default=None, max_length=64)
    silence: SilenceRequest | None = None
    until: Moment | None = None

    @model_validator(mode="before")
    @classmethod
    def _names_itself(cls, given: Any) -> Any:
        """A new silence is about nothing that is known yet but itself."""
        if isinstance(given, dict) and given.get("type") == CommandType.SILENCE and not given.get("target"):
            return {**given, "target": {"silence": given.get("command_id")}}
        return given

    @property
    def as_role(self) -> Role:
        """The role that it counts as."""
        return self.role or Role.RESPONDER

    @property
    def at_ms(self) -> int | None:
        """When it was asked by the sender's clock, in epoch milliseconds; None: it does not say.

        A clock from before 1970 is wrong, and so far back that a moment of its zone may be none in UTC.
        """
        return None if self.at is None else max(0, int(self.at.timestamp() * 1_000))


class ChangeKind(StrEnum):
    """Kinds of change."""

    DEPLOYMENT = "deployment"
    CONFIGURATION = "configuration"
    MAINTENANCE = "maintenance"


class Change(Wire):
    """A deployment, configuration change or announced maintenance; the value on ``changes``, keyed by space.

    Attributes:
        targets: what was changed, in any name that the catalogue knows (reference, name, alias, host).
        started_at: when it began.
        ended_at: when it ended, if it has.
        suppress: alerts on the targets are expected between start and end.
        labels: only those that carry all these labels.
    """

    change_id: str = Field(min_length=1, max_length=256)
    kind: ChangeKind
    summary: str = Field(max_length=1_000)
    targets: tuple[str, ...] = ()
    started_at: Moment
    ended_at: Moment | None = None
    actor: str | None = Field(default=None, max_length=256)
    url: str | None = Field(default=None, max_length=2_000)
    suppress: bool = False
    labels: dict[str, str] = Field(default_factory=dict)
