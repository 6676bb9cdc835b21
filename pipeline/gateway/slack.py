"""Authentication of Slack: ``v0`` HMAC over version, timestamp and body, in hexadecimal.

Source: https://docs.slack.dev/authentication/verifying-requests-from-slack.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final

from pipeline.gateway.arrival import Arrival, same_as_one
from pipeline.gateway.refusal import unauthenticated

_VERSION: Final = "v0"
_SECONDS_DIGITS_MAX: Final = 11
"""Of a time in seconds: more digits are beyond the year 5000, and no number that we need to read."""


class SlackRequest:
    """A request that Slack has signed with the app's signing secret."""

    reads_body = True

    def __init__(self, secrets: Sequence[bytes], tolerance_seconds: int) -> None:
        self._secrets = tuple(secrets)
        self._tolerance_seconds = tolerance_seconds

    async def admit(self, arrival: Arrival) -> bytes:
        """Let pass what is signed with one of the secrets, and lately."""
        stamp = arrival.header("X-Slack-Request-Timestamp")
        given = arrival.header("X-Slack-Signature").encode(errors="surrogateescape")
        signed = f"{_VERSION}:{stamp}:".encode(errors="surrogateescape") + arrival.body
        wanted = [
            f"{_VERSION}={hmac.new(secret, signed, digestmod='sha256').hexdigest()}".encode()
            for secret in self._secrets
        ]
        if not same_as_one(given, wanted):
            raise unauthenticated("no signature fits")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _SECONDS_DIGITS_MAX):
            raise unauthenticated("the timestamp is no number")
        arrival.check_time(int(stamp), self._tolerance_seconds)
        return arrival.body
