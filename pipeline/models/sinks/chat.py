"""Chat."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints, field_validator

from pipeline.models.catalog import Frozen
from pipeline.models.gateway import VariableName
from pipeline.models.sinks.base import (
    Address,
    Domains,
    Kind,
    Owner,
    Owners,
    Priorities,
    SinkRules,
    TwoWay,
    WithSecret,
)
from pipeline.models.sinks.shapes import shaped

SLACK_PERSON: Final = re.compile(r"[UW][A-Z0-9]{2,20}")
"""Id of somebody in Slack, as in a profile under "Copy member ID"."""

_CHANNEL_ID: Final = r"^[CG][A-Z0-9]{1,20}$"
SlackChannelId = Annotated[
    str,
    shaped(_CHANNEL_ID, "the id of a channel, such as C0123ABCD, not its name"),
    StringConstraints(pattern=_CHANNEL_ID),
]
"""An id, not a name: names change, and a message is only found again by the id of its channel."""


class SlackChannel(Frozen):
    """A channel for some of the incidents. All conditions that are stated must hold; at least one has to be.

    Attributes:
        channel: id of the channel.
        priorities: incidents of these priorities.
        domains: incidents of these domains.
        kinds: incidents or bridge incidents.
    """

    channel: SlackChannelId
    priorities: Priorities = ()
    domains: Domains = ()
    kinds: tuple[Kind, ...] = ()


class SlackOwners(Owners):
    """Who may write what: in Slack there is only a state to be pressed, so all else is ours."""

    priority: Owner = "ours"
    assignee: Owner = "ours"
    title: Owner = "ours"


class Slack(WithSecret, TwoWay):
    """Slack: one message an incident, edited in place; its timeline is the thread. The secret is the bot's token.

    Attributes:
        channel: id of the channel, such as ``C0123ABCD``.
        channels: other channels for some incidents; the first that fits. A message stays where it was posted first.
        notes: which entries of the timeline become replies: those that matter for the work, all, or none.
        buttons: whether people can acknowledge and resolve by a button; needs ``updates``.
    """

    type: Literal["slack"] = "slack"
    url: Address = "https://slack.com/api"
    channel: SlackChannelId
    channels: tuple[SlackChannel, ...] = Field(default=(), max_length=100)
    notes: Literal["important", "all", "none"] = "important"
    buttons: bool = True
    owners: Owners = SlackOwners()
    # Slack: about one message a second to a channel. https://docs.slack.dev/apis/web-api/rate-limits
    requests_per_second: float = Field(default=1.0, ge=0, le=10_000)

    LINK_KIND: ClassVar[str | None] = "chat"

    @field_validator("channels")
    @classmethod
    def _conditions(cls, channels: tuple[SlackChannel, ...]) -> tuple[SlackChannel, ...]:
        if any(not (each.priorities or each.domains or each.kinds) for each in channels):
            raise ValueError("each names priorities, domains or kinds: for all others there is 'channel'")
        return channels

    @field_validator("people")
    @classmethod
    def _one_id(cls, people: dict[str, str]) -> dict[str, str]:
        ids = [name for there, name in people.items() if SLACK_PERSON.fullmatch(there)]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"{twice[0]} has two ids in Slack: who is called has one")
        return people

    @property
    def mentions(self) -> dict[str, str]:
        """Name here -> id in Slack, of those whom calls can mention."""
        return {name: there for there, name in self.people.items() if SLACK_PERSON.fullmatch(there)}

    def channel_of(self, priority: str | None, domain: str | None, kind: str | None) -> str:
        """Where the message of an incident is posted."""
        for each in self.channels:
            fits = (not each.priorities or priority in each.priorities) and (not each.domains or domain in each.domains)
            if fits and (not each.kinds or kind in each.kinds):
                return each.channel
        return self.channel


TeamsChange = Literal[
    "opened",
    "acknowledged",
    "assigned",
    "priority",
    "called",
    "major",
    "mitigated",
    "resolved",
    "reopened",
    "merged",
    "cancelled",
]
"""What a card can be posted for."""

MENTIONS_MAX: Final = 10
"""More people than that are a channel, which Teams notifies by itself; and they have to fit a card."""


class Mention(Frozen):
    """Somebody who is mentioned.

    Attributes:
        id: user principal name, such as `ada@example.com`, or object id in Microsoft Entra.
        name: as it is shown.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9._%+#@-]{3,254}$")
    name: str = Field(min_length=1, max_length=60, pattern=r"^[^<>]+$")


class Teams(SinkRules):
    """Microsoft Teams: an Adaptive Card through a Workflows webhook, whose address is a secret.

    A posted card cannot be changed by this way, so one is posted for milestones only. A flow bot may post about once a
    second.

    Attributes:
        url_env: NAME of the environment variable that holds the address of the workflow.
        changes: what a card is posted for; several at once share one.
        mentions: who is mentioned; nobody else ever is.
        mention_on: on which of the changes.
        mention_priorities: and on which priorities; empty: all.
        incident_url: address of an incident for people, with `{incident_id}` in it; empty: no button.
    """

    type: Literal["teams"] = "teams"
    url_env: VariableName
    changes: tuple[TeamsChange, ...] = Field(
        default=("opened", "called", "major", "mitigated", "resolved", "reopened", "merged", "cancelled"), min_length=1
    )
    mentions: tuple[Mention, ...] = Field(default=(), max_length=MENTIONS_MAX)
    mention_on: tuple[TeamsChange, ...] = ("opened", "called", "major", "reopened")
    mention_priorities: Priorities = ()
    incident_url: str = Field(default="", max_length=500, pattern=r"^(https?://[^\s{}]+\{incident_id\}[^\s{}]*)?$")
    requests_per_second: float = Field(default=1.0, ge=0, le=10_000)

    @property
    def credential(self) -> str:  # noqa: D102  # as `SinkRules`
        return self.url_env

    @property
    def secret_names(self) -> tuple[str, ...]:  # noqa: D102  # as `SinkRules`
        return (self.url_env,)
