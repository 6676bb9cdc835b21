"""Single sign-on: placeholder."""

from __future__ import annotations

from datetime import datetime

from pipeline.console.identity import Identity


class TokenRefusedError(Exception):
    """No."""


class Issuer:
    """The issuer."""

    async def bearer(self, token: str, now: datetime) -> Identity:
        """Who it is."""
        raise TokenRefusedError
