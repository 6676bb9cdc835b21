"""Signing in at the issuer: placeholder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.console.security.oidc import Issuer
from pipeline.models.console import ConsoleSettings
from pipeline.records.access.tokens import Token


class SignInError(Exception):
    """Nobody is signed in; the message is a sentence for whoever tried."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who has shown who he is. Attributes: as of a session; see `pipeline.records.access.sessions`."""

    subject: str
    name: str
    token: Token | None
    groups: tuple[str, ...]


async def begin(issuer: Issuer | None, settings: ConsoleSettings, where: str, now: datetime) -> tuple[str, str]:
    """The address to send to, and what the browser keeps."""
    raise SignInError("There is no single sign-on here.")


async def finish(
    issuer: Issuer | None, settings: ConsoleSettings, given: dict[str, str], kept: str | None, now: datetime
) -> tuple[Arrival, str]:
    """Who is back, and where he wanted to go."""
    raise SignInError("There is no single sign-on here.")
