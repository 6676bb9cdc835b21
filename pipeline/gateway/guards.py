"""Authentication as the configuration names it, with the secrets from the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pipeline.gateway.arrival import Guard
from pipeline.gateway.certificates import Certificates
from pipeline.gateway.fetch import SnsFetcher
from pipeline.gateway.signatures import HexSignature, StandardWebhook, Zendesk
from pipeline.gateway.slack import SlackRequest
from pipeline.gateway.sns import Sns
from pipeline.gateway.tokens import Open, QuerySecret, Token
from pipeline.gateway.xurrent import Xurrent
from pipeline.models.gateway import (
    Authentication,
    BasicAuthentication,
    BearerToken,
    HeaderToken,
    HubSignature,
    NoAuthentication,
    PagerDutySignature,
    QueryToken,
    RoutingKeys,
    SentrySignature,
    SlackSignature,
    SnsSignature,
    StandardWebhooks,
    XurrentToken,
    ZendeskSignature,
)

SecretOf = Callable[[str], str]
"""The secret that a variable of the environment holds; raises where it holds none."""


class GatewayError(Exception):
    """The gateway cannot start as it is configured; the message is one line and says what to do."""


class Guards:
    """Makes the authentication of feeds and sinks; those of SNS share what was fetched."""

    def __init__(self, secret_of: SecretOf, fetcher: SnsFetcher) -> None:
        self._secret_of = secret_of
        self._fetcher = fetcher
        self._certificates = Certificates(fetcher)

    def guard(self, feed: str, rule: Authentication, what: str = "feed") -> Guard:
        """The authentication of one feed or sink.

        Raises:
            GatewayError: a secret is not of the form that its scheme needs.
            SettingsError: a secret is not set.
        """
        try:
            return self._made(feed, rule, what)
        except ValueError as error:
            raise GatewayError(f"{what} {feed}: the secret of scheme {rule.scheme}: {error}") from None

    def routing_keys(self, rule: RoutingKeys) -> list[bytes]:
        """The routing keys of a feed."""
        return self._secrets(rule.secrets_env)

    def _secrets(self, names: tuple[str, ...]) -> list[bytes]:
        return [self._secret_of(name).encode() for name in names]

    def _made(self, feed: str, rule: Authentication, what: str) -> Guard:
        if isinstance(rule, NoAuthentication):
            return Open()
        if isinstance(rule, SnsSignature):
            return Sns(feed, rule, self._certificates, self._fetcher)
        if isinstance(rule, XurrentToken):
            return Xurrent(rule, self._secrets(rule.public_keys_env))
        if isinstance(rule, RoutingKeys):
            raise GatewayError(f"{what} {feed}: scheme {rule.scheme} is for /v2/enqueue alone")
        return _BY_SECRETS[type(rule)](rule, self._secrets(rule.secrets_env))


_BY_SECRETS: Final[Mapping[type, Callable[[Any, list[bytes]], Guard]]] = {
    BearerToken: lambda _, secrets: Token.bearer(secrets),
    HeaderToken: lambda rule, secrets: Token(rule.header, secrets),
    QueryToken: lambda rule, secrets: QuerySecret(rule.parameter, secrets),
    BasicAuthentication: lambda rule, secrets: Token.basic(rule.user, secrets),
    HubSignature: lambda rule, secrets: HexSignature(rule.header, secrets, "sha256="),
    SentrySignature: lambda _, secrets: HexSignature("Sentry-Hook-Signature", secrets),
    PagerDutySignature: lambda _, secrets: HexSignature("X-PagerDuty-Signature", secrets, "v1=", ","),
    ZendeskSignature: lambda rule, secrets: Zendesk(secrets, rule.tolerance_seconds),
    SlackSignature: lambda rule, secrets: SlackRequest(secrets, rule.tolerance_seconds),
    StandardWebhooks: lambda rule, secrets: StandardWebhook(secrets, rule.tolerance_seconds),
}
"""Schemes of shared secrets."""
