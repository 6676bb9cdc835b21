"""What somebody may, from what is kept of his token or what single sign-on says of his groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.console.identity import Grant, Identity
from pipeline.models.command import Role
from pipeline.models.console import ConsoleSettings
from pipeline.records.access.sessions import Session
from pipeline.records.access.tokens import Token


def of_token(token: Token) -> tuple[Grant, ...]:
    """What is written beside a token."""
    return tuple(_grant(each) for each in token.grants)


def of_groups(settings: ConsoleSettings, groups: Iterable[str]) -> tuple[Grant, ...]:
    """What the configuration gives to groups; nothing for those that it does not name."""
    known = set(groups)
    if settings.oidc is None:
        return ()
    return tuple(
        Grant(each.role, None if each.domains is None else frozenset(each.domains))
        for each in settings.oidc.grants
        if each.group in known
    )


def token_identity(token: Token) -> Identity:
    """Whoever shows a token."""
    return Identity(token.name, token.name, of_token(token), "token", token.id)


def session_identity(session: Session, settings: ConsoleSettings) -> Identity:
    """Whoever's browser it is: his grants as they are now, not as they were when he signed in."""
    grants = of_groups(settings, session.groups) if session.token is None else of_token(session.token)
    return Identity(session.subject, session.name, grants, "session", session.reference)


def _grant(written: dict[str, Any]) -> Grant:
    domains = written.get("domains")
    return Grant(Role(written["role"]), None if domains is None else frozenset(domains))
