"""Streams of revisions: signed webhooks, e-mail, CloudEvents on Kafka."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.models.gateway import VariableName
from pipeline.models.sinks.base import SinkRules, WithSecret


class Webhook(WithSecret):
    """Any receiver of Standard Webhooks. The secret signs.

    Attributes:
        more_secrets_env: NAMES of variables whose secrets sign too, while the receiver changes from one to the other.
    """

    type: Literal["webhook"] = "webhook"
    more_secrets_env: tuple[VariableName, ...] = Field(default=(), max_length=4)

    @property
    def secret_names(self) -> tuple[str, ...]:  # noqa: D102  # as `SinkRules`
        return (self.secret_env, *self.more_secrets_env)


class Mail(SinkRules):
    """E-mail, by SMTP: one thread an incident."""

    type: Literal["mail"] = "mail"
    host: str = Field(min_length=1, max_length=253)
    port: int = Field(default=587, ge=1, le=65_535)
    sender: str = Field(min_length=3, max_length=254)
    to: tuple[str, ...] = Field(min_length=1, max_length=50)
    user: str | None = None
    secret_env: VariableName | None = None

    @property
    def secret_names(self) -> tuple[str, ...]:  # noqa: D102  # as `SinkRules`
        return (self.secret_env,) if self.secret_env else ()

    @property
    def address(self) -> str:  # noqa: D102  # as `SinkRules`
        return f"{self.host}:{self.port}"


class KafkaEvents(SinkRules):
    """CloudEvents on a topic of any Kafka, in the binary mode of its binding."""

    type: Literal["kafka"] = "kafka"
    bootstrap: str = Field(min_length=1, max_length=1_000)
    topic: str = Field(min_length=1, max_length=249)

    @property
    def address(self) -> str:  # noqa: D102  # as `SinkRules`
        return f"{self.topic} at {self.bootstrap}"
