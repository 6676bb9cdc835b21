"""What a signed token must say before it is believed, beside being signed by a key of the issuer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from pipeline.core.draft import MACHINE
from pipeline.models.console import Oidc

GROUPS_MAX: Final = 5_000
NAME_CHARACTERS_MAX: Final = 200
SECONDS_MAX: Final = 1e12
"""Of a time, from 1970 on: so far away nothing ends."""

SUBJECT_CHARACTERS_MAX: Final = 256
"""As of an actor of a command."""


class TokenRefusedError(Exception):
    """A token is not believed; the message is a clause, says which rule it breaks, and repeats nothing of it."""


def check_claims(claims: dict[str, Any], settings: Oidc, audience: str, now: datetime) -> None:
    """Issuer, audience and times.

    Raises:
        TokenRefusedError: one is not as it must be.
    """
    if claims.get("iss") != settings.issuer:
        raise TokenRefusedError("of another issuer")
    meant_for = claims.get("aud")
    audiences = meant_for if isinstance(meant_for, list) else [meant_for]
    if audience not in audiences:
        raise TokenRefusedError("meant for another audience")
    at, leeway = now.timestamp(), settings.leeway_seconds
    ends = _moment(claims, "exp")
    if ends is None or at >= ends + leeway:
        raise TokenRefusedError("expired")
    for name in ("nbf", "iat"):
        begins = _moment(claims, name)
        if begins is not None and at < begins - leeway:
            raise TokenRefusedError("not valid yet")
    if "events" in claims:
        raise TokenRefusedError("a notice, and no token")
    _check_party(claims, settings, audience, many=len(audiences) > 1)


def _check_party(claims: dict[str, Any], settings: Oidc, audience: str, *, many: bool) -> None:
    """Whom it was issued to. One for an audience of the API's own may come from any client of the issuer."""
    if audience != settings.client_id:
        return
    party = claims.get("azp")
    if party is None and not many:
        return
    if party != settings.client_id:
        raise TokenRefusedError("issued to another client")


def _moment(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= SECONDS_MAX:
        raise TokenRefusedError(f"{name} is no time")
    return float(value)


def subject_of(claims: dict[str, Any], settings: Oidc) -> str:
    """Who it is.

    Raises:
        TokenRefusedError: it does not say.
    """
    subject = claim(claims, settings.subject_claim)
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARACTERS_MAX or not subject.isprintable():
        raise TokenRefusedError(f"the claim {settings.subject_claim} does not say who it is")
    if subject.strip().casefold() == MACHINE:
        raise TokenRefusedError(f"the claim {settings.subject_claim} says the name of the pipeline itself")
    return subject


def name_of(claims: dict[str, Any], settings: Oidc, otherwise: str) -> str:
    """What people call him."""
    name = claim(claims, settings.name_claim)
    return name[:NAME_CHARACTERS_MAX] if isinstance(name, str) and name.strip() and name.isprintable() else otherwise


def groups_of(claims: dict[str, Any], settings: Oidc) -> tuple[str, ...]:
    """Groups that he is in and that the configuration names; of others nothing is kept."""
    said = claim(claims, settings.groups_claim)
    found: Iterable[Any] = said[:GROUPS_MAX] if isinstance(said, list) else [said]
    known = {grant.group for grant in settings.grants}
    return tuple(sorted({each for each in found if isinstance(each, str) and each in known}))


def claim(claims: dict[str, Any], name: str) -> Any:
    """A claim by its name, or by the way to it: ``realm_access.roles``."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
