"""The one who asks, as a parameter of every route; a route without it does not exist (a test reads them all)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request

from pipeline.console.identity import Identity, at_least
from pipeline.console.refusal import Reason, Refusal
from pipeline.models.command import Role


async def known(request: Request) -> Identity:
    """Who asks: by bearer token, or by the session of a browser.

    Raises:
        Refusal: nobody who is known.
    """
    found = request.scope.get("spillway.identity")
    if isinstance(found, Identity):
        return found
    raise Refusal(
        HTTPStatus.UNAUTHORIZED,
        Reason.NOT_KNOWN,
        "not signed in: send a bearer token, or sign in",
        headers={"WWW-Authenticate": 'Bearer realm="spillway"'},
    )


Known = Annotated[Identity, Depends(known)]
"""Parameter of a route that whoever is known may ask, within his scope."""


def needs(role: Role) -> Callable[[Request], Awaitable[Identity]]:
    """A dependency: somebody who has at least this role for some domain. Which incident it is about comes later."""

    async def allowed(request: Request) -> Identity:
        identity = await known(request)
        if not at_least(identity.highest, role):
            raise Refusal(HTTPStatus.FORBIDDEN, Reason.NOT_ALLOWED, f"this needs the role {role} or a higher one")
        return identity

    return allowed


Responder = Annotated[Identity, Depends(needs(Role.RESPONDER))]
Commander = Annotated[Identity, Depends(needs(Role.COMMANDER))]
Administrator = Annotated[Identity, Depends(needs(Role.ADMINISTRATOR))]


async def _whole(request: Request) -> Identity:
    identity = await known(request)
    if not any(each.role == Role.ADMINISTRATOR and each.domains is None for each in identity.grants):
        raise Refusal(
            HTTPStatus.FORBIDDEN, Reason.NOT_ALLOWED, f"this needs the role {Role.ADMINISTRATOR} for all domains"
        )
    return identity


WholeAdministrator = Annotated[Identity, Depends(_whole)]
"""Parameter of a route about the whole console: what it makes or shows is not of one domain."""
