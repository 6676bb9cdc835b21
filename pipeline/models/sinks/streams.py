"""Streams of revisions: signed webhooks, e-mail, CloudEvents on Kafka."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from pipeline.models.gateway import VariableName
from pipeline.models.incident import IncidentChange
from pipeline.models.sinks.base import MAPPING_ENTRIES_MAX, Refers, SinkRules, WithSecret
from pipeline.models.sinks.shapes import shaped


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


_ADDRESS: Final = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"
MailAddress = Annotated[
    str,
    shaped(_ADDRESS, "a mail address without a name, such as spillway@acme.example"),
    StringConstraints(pattern=_ADDRESS, max_length=254),
]
"""An address as RFC 5321 has it, without a name: in ASCII, since not every server takes others."""

ToMail = Annotated[dict[str, MailAddress], Field(max_length=MAPPING_ENTRIES_MAX), Refers(keys="person")]
"""Person here -> mail address."""

RECIPIENTS_MAX: Final = 50
"""More are a mailing list, which has one address."""


class Mail(SinkRules):
    """E-mail, by SMTP: one thread an incident.

    Attributes:
        host, port: the server that takes our mail.
        security: `starttls` begins in the clear and goes on encrypted or not at all; `tls` is encrypted from the start,
            mostly at port 465; `none` is for a server on this machine. Certificates are verified.
        ca_file: certificates (PEM) that sign the server's, where they are not those of the system.
        user: as whom to log in; None: nobody.
        secret_env: NAME of the variable that holds the password.
        sender: whom it is from, and where bounces go.
        sender_name: the name beside it.
        reply_to: where people's answers go; None: to the sender.
        to: who gets it.
        addresses: addresses of people: who is called gets the mail of the call as well.
        changes: `milestones`: opened, another priority, mitigated, resolved, reopened and ended, and calls; `all`:
            whatever is new.
        audience: only messages that are published to this audience, word by word and nothing else; recipients do not
            see each other. Empty: the incident as responders see it.
        channel: of those only messages of this channel; empty: any.
    """

    type: Literal["mail"] = "mail"
    host: str = Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$")
    port: int = Field(default=587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    ca_file: str = Field(default="", max_length=1_000)
    user: str | None = Field(default=None, min_length=1, max_length=200)
    secret_env: VariableName | None = None
    sender: MailAddress
    sender_name: str = Field(default="Spillway", max_length=100)
    reply_to: MailAddress | None = None
    to: tuple[MailAddress, ...] = Field(min_length=1, max_length=RECIPIENTS_MAX)
    addresses: ToMail = Field(default_factory=dict)
    changes: Literal["milestones", "all"] = "milestones"
    audience: str = Field(default="", max_length=64)
    channel: str = Field(default="", max_length=200)
    # A server may take a while to look for spam before it says yes; a second mail because of that helps nobody.
    timeout_seconds: float = Field(default=60.0, gt=0, le=120)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.user is None) != (self.secret_env is None):
            raise ValueError("user, secret_env: to log in takes both")
        if self.user is not None and self.security == "none":
            raise ValueError("security: a password is not sent in the clear: 'starttls' or 'tls'")
        if self.audience and self.addresses:
            raise ValueError("addresses: calls are internal, and this sink tells an audience")
        if self.channel and not self.audience:
            raise ValueError("channel: of an audience, which is not named")
        return self

    @property
    def secret_names(self) -> tuple[str, ...]:  # noqa: D102  # as `SinkRules`
        return (self.secret_env,) if self.secret_env else ()

    @property
    def credential(self) -> str:  # noqa: D102  # as `SinkRules`
        return f"{self.host}:{self.port}"

    @property
    def address(self) -> str:  # noqa: D102  # as `SinkRules`
        return f"{self.host}:{self.port}"


class KafkaEvents(SinkRules):
    """CloudEvents on a topic of any Kafka, in the binary mode of its binding.

    Attributes:
        bootstrap: brokers as ``host:port``, with commas between.
        topic: an existing topic.
        source: ``ce_source``; empty: ``/spillway/`` and the space of the incident, as on our own topic.
        changes: only revisions that are about one of these; empty: all.
        security: how the brokers are spoken to; certificates are verified.
        ca_file: certificates (PEM) that sign the brokers', where they are not those of the system.
        mechanism, user, secret_env: how and as whom to log in; ``secret_env`` is the NAME of the variable that holds
            the password.
    """

    type: Literal["kafka"] = "kafka"
    bootstrap: str = Field(pattern=r"^[A-Za-z0-9.\[\]:_-]+:\d{1,5}(,[A-Za-z0-9.\[\]:_-]+:\d{1,5})*$", max_length=1_000)
    topic: str = Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")
    source: str = Field(default="", max_length=500, pattern=r"^[!-~]*$")
    changes: tuple[IncidentChange, ...] = ()
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    ca_file: str = Field(default="", max_length=1_000)
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    user: str | None = Field(default=None, min_length=1, max_length=200)
    secret_env: VariableName | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        logs_in = self.security.startswith("sasl")
        if logs_in != (self.user is not None) or logs_in != (self.secret_env is not None):
            raise ValueError("user, secret_env: both with security 'sasl_ssl' or 'sasl_plaintext', and only then")
        if self.security == "sasl_plaintext" and self.mechanism == "PLAIN":
            raise ValueError("mechanism: a password is not sent in the clear: SCRAM, or security 'sasl_ssl'")
        return self

    @property
    def secret_names(self) -> tuple[str, ...]:  # noqa: D102  # as `SinkRules`
        return (self.secret_env,) if self.secret_env else ()

    @property
    def credential(self) -> str:  # noqa: D102  # as `SinkRules`
        return self.bootstrap

    @property
    def address(self) -> str:  # noqa: D102  # as `SinkRules`
        return f"{self.topic} at {self.bootstrap}"
