"""Silences: what people mute at run time, until when, who answers for it and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from pipeline.models.correlation_rules import FIELDS_OF_A_RULE_MAX, Values

SILENCE_SCHEMA: Final = 1

TARGETS_MAX: Final = 100
"""Names in one silence: what is more is a place or a label."""

CONDITIONS_MAX: Final = 500
"""Conditions in one silence: those of a large incident."""

COMMANDS_OF_A_SILENCE_MAX: Final = 20
"""Ids of commands that a silence remembers: covers a sender's retries."""


class SilenceRequest(BaseModel):
    """What a ``silence`` command asks for. All that is stated must hold of an alert.

    Attributes:
        targets: what is muted, in any name that the catalogue knows, or a host; includes what runs on it.
        match: fact or label -> the value that an alert has, or a list of which it has one, as in correlation rules.
        conditions: alert keys.
        until: when it ends by itself.
        owner: the person or group that answers for it.
        reason: why.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

    targets: tuple[str, ...] = Field(default=(), max_length=TARGETS_MAX)
    match: dict[str, Values] = Field(default_factory=dict, max_length=FIELDS_OF_A_RULE_MAX)
    conditions: tuple[str, ...] = Field(default=(), max_length=CONDITIONS_MAX)
    until: AwareDatetime
    owner: str = Field(min_length=1, max_length=256)
    reason: str = Field(min_length=1, max_length=1_000)


@dataclass(slots=True, kw_only=True)
class Silence:
    """One silence, as correlate keeps it.

    Attributes:
        id: a hash of the command that began it, so that a repeated one begins no other.
        space: of which alerts are muted.
        targets: as asked for; ``refs`` are those that the catalogue knows, as references.
        match: fact or label -> values.
        conditions: alert keys.
        since_ms: stream time of its begin.
        until_ms: when it ends by itself.
        ended_at_ms: when somebody ended it before; kept until ``until_ms``, so that no repeated command revives it.
        actor: who asked for it.
        commands: ids of the newest commands about it.
        hidden: episodes that it has muted so far.
        alerts: alerts of those that are over.
        would_page: people who would have been called for them.
        priorities: priority that each would have had -> how many.
    """

    id: str
    space: str
    targets: list[str]
    refs: list[str]
    match: dict[str, list[str | int]]
    conditions: list[str]
    since_ms: int
    until_ms: int
    owner: str
    reason: str
    actor: str
    ended_at_ms: int | None = None
    commands: list[str] = field(default_factory=list)
    hidden: int = 0
    alerts: int = 0
    would_page: int = 0
    priorities: dict[str, int] = field(default_factory=dict)
    schema: int = SILENCE_SCHEMA

    def told(self) -> dict[str, Any]:
        """What the record says of it: who, why, until when, and what it has hidden."""
        return {
            "owner": self.owner,
            "reason": self.reason,
            "actor": self.actor,
            "until_ms": self.until_ms,
            "targets": self.targets,
            "match": self.match,
            "conditions": self.conditions,
            "hidden": self.hidden,
            "would_page": self.would_page,
            "priorities": dict(sorted(self.priorities.items())),
        }
