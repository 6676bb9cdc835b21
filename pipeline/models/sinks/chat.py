"""Chat."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from pipeline.models.gateway import VariableName
from pipeline.models.sinks.base import Address, SinkRules, TwoWay, WithSecret


class Slack(WithSecret, TwoWay):
    """Slack: one message an incident, edited in place; its timeline is the thread. The secret is the bot's token."""

    type: Literal["slack"] = "slack"
    url: Address = "https://slack.com/api"
    channel: str = Field(min_length=1, max_length=100)

    LINK_KIND: ClassVar[str | None] = "chat"


class Teams(SinkRules):
    """Microsoft Teams: an Adaptive Card through a Workflows webhook, whose address is a secret.

    Attributes:
        url_env: NAME of the environment variable that holds the address of the workflow.
    """

    type: Literal["teams"] = "teams"
    url_env: VariableName

    @property
    def credential(self) -> str:  # noqa: D102  # as `SinkRules`
        return self.url_env

    @property
    def secret_names(self) -> tuple[str, ...]:  # noqa: D102  # as `SinkRules`
        return (self.url_env,)
