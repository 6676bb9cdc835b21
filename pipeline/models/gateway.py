"""What a feed lets in over HTTP: ``gateway:`` in feeds.yaml. Secrets are named by environment variable, never written.

A message of these models never repeats what was given: it may be the secret itself.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from pipeline.flow import RAW_RECORD_BYTES_MAX, RAW_VALUE_BYTES_MAX
from pipeline.models.catalog import Frozen

MINUTE_SECONDS: Final = 60
TOLERANCE_SECONDS_DEFAULT: Final = 5 * MINUTE_SECONDS
"""What Standard Webhooks asks for: clocks differ and networks queue, and a replay within it repeats a known id."""

SNS_TOLERANCE_SECONDS_DEFAULT: Final = 60 * MINUTE_SECONDS
"""SNS signs when a message is published and delivers it again for up to an hour."""

_VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_TOPIC_ARN: Final = re.compile(r"arn:aws(-cn|-us-gov)?:sns:[a-z0-9-]{3,32}:\d{12}:[A-Za-z0-9_.-]{1,256}")
_CONTENT_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")


def _matching(pattern: re.Pattern[str], words: str) -> AfterValidator:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"must be {words}")
        return value

    return AfterValidator(check)


VariableName = Annotated[
    str, _matching(_VARIABLE_NAME, "the NAME of an environment variable, such as SPILLWAY_SECRET_OF_DESK")
]
HeaderName = Annotated[str, _matching(_HEADER_NAME, "the name of a header")]
TopicArn = Annotated[str, _matching(_TOPIC_ARN, "the ARN of an SNS topic, as arn:aws:sns:eu-west-1:123456789012:a")]
ContentType = Annotated[str, _matching(_CONTENT_TYPE, "a media type in lower case without parameters")]
SecretNames = Annotated[tuple[VariableName, ...], Field(min_length=1, max_length=5)]
"""Variables of the secrets that are valid now: a second one while the secret is changed."""


class NoAuthentication(Frozen):
    """Whoever reaches the port may send. Has to be said."""

    scheme: Literal["none"]


class BearerToken(Frozen):
    """``Authorization: Bearer TOKEN``."""

    scheme: Literal["bearer"]
    secrets_env: SecretNames


class QueryToken(Frozen):
    """A token in a query parameter, for sources that can only be given an address."""

    scheme: Literal["query"]
    parameter: str = Field(default="token", min_length=1, max_length=100)
    secrets_env: SecretNames


class HeaderToken(Frozen):
    """A token in a header of the source's choice."""

    scheme: Literal["header"]
    header: HeaderName
    secrets_env: SecretNames


class BasicAuthentication(Frozen):
    """``Authorization: Basic``: one user, and the password in the environment."""

    scheme: Literal["basic"]
    user: str = Field(min_length=1, max_length=200, pattern=r"^[^:]+$")
    secrets_env: SecretNames


class HubSignature(Frozen):
    """``sha256=`` and the HMAC-SHA256 of the body in hexadecimal: GitHub and, with its own header, Jira."""

    scheme: Literal["hub-signature"]
    header: HeaderName = "X-Hub-Signature-256"
    secrets_env: SecretNames


class StandardWebhooks(Frozen):
    """Standard Webhooks, version 1 signatures: ``webhook-id``, ``webhook-timestamp``, ``webhook-signature``."""

    scheme: Literal["standard-webhooks"]
    secrets_env: SecretNames
    tolerance_seconds: int = Field(default=TOLERANCE_SECONDS_DEFAULT, ge=1, le=86_400)


class PagerDutySignature(Frozen):
    """PagerDuty webhooks v3: ``X-PagerDuty-Signature``, a list of ``v1=`` HMACs of the body. It signs no time."""

    scheme: Literal["pagerduty-v3"]
    secrets_env: SecretNames


class ZendeskSignature(Frozen):
    """Zendesk: base64 HMAC of timestamp and body."""

    scheme: Literal["zendesk"]
    secrets_env: SecretNames
    tolerance_seconds: int = Field(default=TOLERANCE_SECONDS_DEFAULT, ge=1, le=86_400)


class SentrySignature(Frozen):
    """Sentry: hexadecimal HMAC of the body in ``Sentry-Hook-Signature``. It signs no time."""

    scheme: Literal["sentry"]
    secrets_env: SecretNames


class SlackSignature(Frozen):
    """Slack: ``v0=`` HMAC of version, timestamp and body in ``X-Slack-Signature``. The secret is the signing secret."""

    scheme: Literal["slack"]
    secrets_env: SecretNames
    tolerance_seconds: int = Field(default=TOLERANCE_SECONDS_DEFAULT, ge=1, le=86_400)


class SnsSignature(Frozen):
    """Amazon SNS, signature versions 1 and 2.

    Attributes:
        topics: ARNs that may send. Anybody's topic has a good signature, so these make the difference.
        confirm_subscriptions: answer the confirmation that SNS asks for.
    """

    scheme: Literal["sns"]
    topics: tuple[TopicArn, ...] = Field(min_length=1)
    confirm_subscriptions: bool = False
    tolerance_seconds: int = Field(default=SNS_TOLERANCE_SECONDS_DEFAULT, ge=1, le=86_400)


class XurrentToken(Frozen):
    """Xurrent webhook policy: the body is a signed token. Its payload becomes the record.

    Attributes:
        public_keys_env: variables that hold the policy's public key in PEM.
        issuer: the account's address, as the token has it.
        audience: as the policy has it; None where it has none.
    """

    scheme: Literal["xurrent-jwt"]
    public_keys_env: SecretNames
    issuer: str = Field(pattern=r"^https://[^\s]+$")
    audience: str | None = None
    tolerance_seconds: int = Field(default=TOLERANCE_SECONDS_DEFAULT, ge=1, le=86_400)


class RoutingKeys(Frozen):
    """PagerDuty Events v2 at ``/v2/enqueue``: the routing key in the body chooses the feed and is its secret."""

    scheme: Literal["pagerduty-routing-key"]
    secrets_env: SecretNames


Authentication = Annotated[
    NoAuthentication
    | BearerToken
    | QueryToken
    | HeaderToken
    | BasicAuthentication
    | HubSignature
    | StandardWebhooks
    | PagerDutySignature
    | ZendeskSignature
    | SentrySignature
    | SlackSignature
    | SnsSignature
    | XurrentToken
    | RoutingKeys,
    Field(discriminator="scheme"),
]

OF_ADDRESS: Final = ("none", "query", "basic", "bearer", "header")
"""Schemes that work without a body, and so with GET."""


class GatewayFeed(Frozen):
    """How a feed takes messages over HTTP.

    Attributes:
        auth: who may send.
        get: also take ``GET``; the query is then the message.
        body_bytes_max: largest body after inflating. Above 1 MiB ingest refuses a message to the dead letter.
        content_types: only these media types; empty: any that is not multipart.
        requests_per_second: sustained rate.
        burst: requests that may come at once.
        key: what orders records: ``source`` the source's own identity, else the whole feed; ``feed`` the whole feed;
            ``none`` nothing; or paths into the JSON body, such as ``$.issue.key``.
        headers: headers to keep with the record, beside those that are always kept.
    """

    auth: Authentication
    get: bool = False
    body_bytes_max: int = Field(default=RAW_VALUE_BYTES_MAX, ge=1, le=RAW_RECORD_BYTES_MAX)
    content_types: tuple[ContentType, ...] = ()
    requests_per_second: float = Field(default=500.0, gt=0, le=100_000)
    burst: int = Field(default=1_000, ge=1, le=100_000)
    key: Literal["source", "feed", "none"] | tuple[str, ...] = "source"
    headers: tuple[HeaderName, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> GatewayFeed:
        if self.get and self.auth.scheme not in OF_ADDRESS:
            raise ValueError(
                f"get: nothing is signed in an address; it needs one of the schemes {', '.join(OF_ADDRESS)}"
            )
        if isinstance(self.key, tuple) and not (self.key and all(path.startswith("$.") for path in self.key)):
            raise ValueError("key: paths begin with '$.', such as $.issue.key")
        if {name.lower() for name in self.headers} & SECRET_HEADERS:
            raise ValueError("headers: a header that carries a secret stays out of the record")
        return self


SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie"})
