"""Chat."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from pydantic import Field

from pipeline.models.catalog import Frozen
from pipeline.models.gateway import VariableName
from pipeline.models.sinks.base import Address, SinkRules, TwoWay, WithSecret


class Slack(WithSecret, TwoWay):
    """Slack: one message an incident, edited in place; its timeline is the thread. The secret is the bot's token."""

    type: Literal["slack"] = "slack"
    url: Address = "https://slack.com/api"
    channel: str = Field(min_length=1, max_length=100)

    LINK_KIND: ClassVar[str | None] = "chat"


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

MENTIONS_MAX: Final = 20
"""More people than that are a channel, which Teams notifies by itself."""


class Mention(Frozen):
    """Somebody who is mentioned.

    Attributes:
        id: user principal name, such as `ada@example.com`, or object id in Microsoft Entra.
        name: as it is shown.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9._%+#@-]{3,254}$")
    name: str = Field(min_length=1, max_length=100, pattern=r"^[^<>]+$")


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
    mention_priorities: tuple[str, ...] = ()
    incident_url: str = Field(default="", max_length=500, pattern=r"^(https?://[^\s{}]+\{incident_id\}[^\s{}]*)?$")
    requests_per_second: float = Field(default=1.0, ge=0, le=10_000)

    @property
    def credential(self) -> str:  # noqa: D102  # as `SinkRules`
        return self.url_env

    @property
    def secret_names(self) -> tuple[str, ...]:  # noqa: D102  # as `SinkRules`
        return (self.url_env,)
