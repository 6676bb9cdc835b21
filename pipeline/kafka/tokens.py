"""Tokens of AWS IAM for Amazon MSK: made on this machine, by signing, with the identity that AWS gives the process.

The signature is Amazon's own library's (the extra ``aws``), which looks for an identity where all of AWS's tools do: a
pod's web identity or Pod Identity, an instance's role, variables. A token is valid for a quarter of an hour.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from time import time
from typing import Final

from pipeline.settings import SettingsError

FRESH_SECONDS: Final = 180.0
"""A token this close to its end is not given any more: a connection may take a while, and clocks differ."""

Sign = Callable[[str], tuple[str, int]]
"""Makes a token for a region; gives it with its end in epoch milliseconds."""


class TokenError(Exception):
    """There is no token; the message is one line and says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token of a login.

    Attributes:
        text: the token itself.
        expires_at: its end, epoch seconds.
    """

    text: str = field(repr=False)
    expires_at: float


class AwsTokens:
    """Tokens for one region. One is used by all clients of the process until it is near its end."""

    def __init__(self, region: str, sign: Sign, now: Callable[[], float] = time) -> None:
        """Describe; nothing is signed yet.

        Args:
            region: of the brokers.
            sign: Amazon's signer.
            now: epoch seconds.
        """
        self._region, self._sign, self._now = region, sign, now
        self._token: Token | None = None
        self._lock = threading.Lock()  # clients ask on threads of their own

    def get(self) -> Token:
        """A token that is valid for `FRESH_SECONDS` at least. May ask AWS for the identity: call it on a thread.

        Raises:
            TokenError: AWS gives this process no identity.
        """
        with self._lock:
            if self._token is None or self._token.expires_at - self._now() < FRESH_SECONDS:
                text, expires_ms = self._sign(self._region)
                self._token = Token(text, expires_ms / 1_000)
            return self._token


@lru_cache
def aws_tokens(region: str) -> AwsTokens:
    """Those of the process.

    Raises:
        SettingsError: Amazon's library is not installed.
    """
    try:
        from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise SettingsError(
            "SPILLWAY_KAFKA_SASL_MECHANISM=aws-iam needs Amazon's signer: pip install '.[aws]' in Spillway's checkout"
        ) from None

    def sign(region: str) -> tuple[str, int]:
        try:
            token: tuple[str, int] = MSKAuthTokenProvider.generate_auth_token(region)
        # The signer reads attributes of None, or refuses emptiness, where AWS's chain of providers ends without any.
        except (AttributeError, ValueError, BotoCoreError, ClientError) as error:
            raise TokenError(
                f"AWS gives this process no identity to sign with ({type(error).__name__}: {error}): give its pod a "
                "role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from None
        return token

    return AwsTokens(region, sign)
