"""Signatures of Standard Webhooks (https://www.standardwebhooks.com), for every sink that signs."""

from __future__ import annotations

from binascii import Error as Base64Error
from collections.abc import Mapping
from datetime import UTC, datetime

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from pipeline.models.sinks.base import SinkRules
from pipeline.sinks.base import SinkError


class Signer:
    """Signs with every secret that is valid while a receiver changes from one to the next."""

    def __init__(self, rules: SinkRules, secrets: Mapping[str, str]) -> None:
        """Check the secrets.

        Args:
            rules: the configuration.
            secrets: by the name of their variable: base64, with or without ``whsec_`` in front.

        Raises:
            SinkError: a secret is not one.
        """
        self._signers = [_signer(rules, name, secrets[name]) for name in rules.secret_names]

    def headers(self, webhook_id: str, now: datetime, body: str) -> dict[str, str]:
        """Headers of one request. The id is constant over retries; ``now`` is aware."""
        moment = now.astimezone(UTC)
        return {
            "Content-Type": "application/json",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(each.sign(webhook_id, moment, body) for each in self._signers),
        }


def _signer(rules: SinkRules, name: str, secret: str) -> Webhook:
    """The signer of one secret.

    Raises:
        SinkError: the secret is not one.
    """
    try:
        return Webhook(secret)
    except (Base64Error, ValueError, EmptyWebhookSecretError):
        # Not chained: the cause's text may quote the secret.
        raise SinkError(
            f"sink {rules.name}: {name} must hold a base64 secret, as `whsec_` and 32 random bytes in base64"
        ) from None
