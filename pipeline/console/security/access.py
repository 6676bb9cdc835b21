"""What the door needs, made once for a process: limits, proofs, single sign-on, the access log."""

from __future__ import annotations

import re
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from fastapi import Request
from starlette.types import Scope

from pipeline.console.context import Context
from pipeline.console.identity import Identity
from pipeline.console.security.journal import Journal
from pipeline.console.security.oidc import Issuer
from pipeline.console.security.origin import Origin, Origins
from pipeline.console.security.proof import Prover
from pipeline.console.security.rates import Limiter
from pipeline.records.access.log import Entry

_API: Final = "/api/v1"
TARGET_CHARACTERS_MAX: Final = 300
PATH_CHARACTERS_MAX: Final = 300

SENSITIVE: Final = re.compile(r"/(export|audit|access|access-log|tokens)(\.|/|$)")
"""Beside what is about one thing: reads that give much, or that are about people."""

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\uffef\U00010000-\U0010ffff]")


class Access:
    """The door's rooms."""

    def __init__(self, context: Context, clock: Callable[[], float] = monotonic) -> None:
        """Nothing connects yet.

        Raises:
            SettingsError: the secret that the configuration refers to is not in the environment.
        """
        settings = context.config.console
        self.context = context
        self.clock = clock
        self.origins = Origins(settings)
        self.limiter = Limiter(settings.rates, clock)
        self.issuer = _issuer(context, clock)
        self.prover = Prover(context, self.limiter, self.issuer)
        self.journal = Journal(context)

    async def open(self) -> None:
        """Begin, in the event loop of the process."""
        self.journal.start()

    async def close(self) -> None:
        """Write down what is left, and disconnect."""
        await self.journal.close()
        if self.issuer is not None:
            await self.issuer.close()

    def note(self, scope: Scope, status: int | None) -> None:
        """Put a request into the access log, if it is one for it."""
        method, reason, status = scope["method"], scope.get("spillway.reason"), status or 499
        identity = scope.get("spillway.identity")
        changes = method not in {"GET", "HEAD", "OPTIONS"}
        action = scope.get("spillway.action")
        if status == 429 or (identity is None and not changes and action is None):
            return  # who only knocks is counted, and fills no table
        route = route_of(scope)
        parameters: dict[str, Any] = scope.get("path_params", {})
        about_one = bool(parameters) and route is not None
        refused = status in {401, 403}
        if not (action or changes or refused or about_one or (route and SENSITIVE.search(route))):
            return
        entry = self._entry(scope, identity, status, reason, route, parameters)
        (self.journal.take if action or changes or refused else self.journal.looked)(entry)

    def _entry(
        self,
        scope: Scope,
        identity: Identity | None,
        status: int,
        reason: str | None,
        route: str | None,
        parameters: dict[str, Any],
    ) -> Entry:
        origin: Origin = scope["spillway.origin"]
        target = scope.get("spillway.target") or "/".join(str(value) for value in parameters.values()) or None
        return Entry(
            at=self.context.now(),
            request_id=origin.request_id,
            subject=identity.subject if identity else scope.get("spillway.subject"),
            came_by=identity.by if identity else None,
            credential=identity.credential if identity else None,
            address=origin.address,
            action=scope.get("spillway.action") or f"{scope['method']} {route or 'unknown'}",
            method=scope["method"],
            path=plain(scope["path"], PATH_CHARACTERS_MAX),
            target=target and plain(target, TARGET_CHARACTERS_MAX),
            status=status,
            reason=reason,
        )


def route_of(scope: Scope) -> str | None:
    """The template of the route that took a request; routes of the API do not know what they are mounted below."""
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return None
    prefixed = scope["path"].startswith(_API) and not path.startswith(_API)
    return f"{_API}{path}" if prefixed else str(path)


def _issuer(context: Context, clock: Callable[[], float]) -> Issuer | None:
    settings = context.config.console
    if settings.oidc is None:
        return None
    named = settings.oidc.client_secret_env
    return Issuer(settings, settings.oidc, None if named is None else context.settings.secret(named), clock)


def plain(text: str, characters_max: int) -> str:
    """Text that cannot break a line of a log or a terminal, and that PostgreSQL takes."""
    return _UNPRINTABLE.sub("?", text[:characters_max])


def access_of(request: Request) -> Access:
    """The door's rooms, of the application that a request came to."""
    found: Any = request.app.state.access
    assert isinstance(found, Access)  # noqa: S101  # `create_app` has put it there
    return found
