"""Commands (what a person or a downstream tool asks) and changes (deployments, maintenance)."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator


class Wire(BaseModel):
    """Base of what others write to us: frozen, unknown fields pass, nothing is coerced silently."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)


class CommandType(StrEnum):
    """What can be asked."""

    ACKNOWLEDGE = "acknowledge"
    START = "start"
    ASSIGN = "assign"
    SET_PRIORITY = "set_priority"
    NOTE = "note"
    LINK = "link"
    RESOLVE = "resolve"
    CLOSE = "close"
    REOPEN = "reopen"
    MERGE = "merge"
    SPLIT = "split"
    LINK_BRIDGE = "link_bridge"
    UNLINK_BRIDGE = "unlink_bridge"


class Target(Wire):
    """Which incident: by its id, or as the open incident that holds a ticket, an episode or a service.

    Attributes:
        bridge: aim at the bridge incident of the incident found, not at the incident itself.
    """

    incident_id: str | None = None
    ticket: str | None = None
    episode_id: str | None = None
    service: str | None = None
    bridge: bool = False

    @model_validator(mode="after")
    def _one_is_named(self) -> Target:
        if not (self.incident_id or self.ticket or self.episode_id or self.service):
            raise ValueError("a target names an incident_id, ticket, episode_id or service")
        return self


class Resolution(Wire):
    """How it ended, asked for at resolution and closure."""

    code: str = Field(max_length=64)
    summary: str = Field(max_length=4_000)
    cause: str | None = Field(default=None, max_length=4_000)
    corrective_action: str | None = Field(default=None, max_length=4_000)


class Link(Wire):
    """A record elsewhere: a provider's support case, a vendor's ticket, a problem, a chat."""

    kind: str = Field(max_length=64)
    id: str = Field(max_length=256)
    url: str | None = Field(default=None, max_length=2_000)
    state: str | None = Field(default=None, max_length=64)


class Command(Wire):
    """One request, the record value on ``commands``, keyed by space.

    Attributes:
        command_id: the sender's id, for idempotency: a repeated id changes nothing.
        actor: who asks: a person or a system.
        target: the incident or bridge incident.
        note: words for the timeline.
        assignee, priority, link, resolution, into, episodes: arguments, by type.
        into: the surviving incident of a merge.
        episodes: the episodes that a split moves out.
    """

    command_id: str = Field(min_length=1, max_length=256)
    type: CommandType
    actor: str = Field(min_length=1, max_length=256)
    target: Target
    note: str | None = Field(default=None, max_length=4_000)
    assignee: str | None = Field(default=None, max_length=256)
    priority: str | None = Field(default=None, max_length=16)
    link: Link | None = None
    resolution: Resolution | None = None
    into: str | None = None
    episodes: tuple[str, ...] = ()
    bridge_id: str | None = None


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
    """

    change_id: str = Field(min_length=1, max_length=256)
    kind: ChangeKind
    summary: str = Field(max_length=1_000)
    targets: tuple[str, ...] = ()
    started_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    actor: str | None = Field(default=None, max_length=256)
    url: str | None = Field(default=None, max_length=2_000)
    suppress: bool = False
