"""API tokens as administrators make them in the console and by its API: within what the configuration allows."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from pipeline.console.context import Context
from pipeline.console.identity import PEOPLE, Identity
from pipeline.console.refusal import Reason, Refusal, not_found
from pipeline.models.command import Role
from pipeline.models.policy import Config
from pipeline.records.access.tokens import Token, TokenError, create_token, revoke_token

NAME_CHARACTERS_MAX: Final = 100
DAYS_DEFAULT: Final = 90
GRANTS_MAX: Final = 20


def domains_known(config: Config) -> list[str]:
    """Service domains that grants may be for."""
    return sorted({*config.domains, *(each.domain for each in config.catalogue.entities.values() if each.domain)})


async def make_token(
    context: Context, who: Identity, name: str, grants: Sequence[tuple[Role, Sequence[str] | None]], days: int
) -> tuple[Token, str]:
    """Make a token; the whole of it is told here and never again.

    Args:
        context: of the console.
        who: an administrator of all domains.
        name: who it is to the rest of Spillway.
        grants: roles, each with its domains; None: all.
        days: until it ends by itself.

    Raises:
        Refusal: it cannot be made so.
    """
    name = name.strip()
    if not name.isprintable() or not 0 < len(name) <= NAME_CHARACTERS_MAX:
        raise _bad(f"name: 1 to {NAME_CHARACTERS_MAX} printable characters")
    days_max = context.config.console.token_days_max
    if not 1 <= days <= days_max:
        raise _bad(f"days: 1 to {days_max}, as console.yaml has it")
    if not 0 < len(grants) <= GRANTS_MAX:
        raise _bad(f"grants: 1 to {GRANTS_MAX}")
    known = set(domains_known(context.config))
    written: list[dict[str, Any]] = []
    for role, domains in grants:
        if role not in PEOPLE:
            raise _bad(f"role: one of {', '.join(PEOPLE)}")
        if domains is not None and (not domains or not set(domains) <= known):
            raise _bad(f"domains: some of {', '.join(sorted(known))}; leave them out for all")
        written.append({"role": role, "domains": None if domains is None else sorted(set(domains))})
    now = context.now()
    try:
        return await context.write(
            lambda connection: create_token(connection, name, written, days=days, by=who.subject, now=now)
        )
    except TokenError as taken:
        raise Refusal(HTTPStatus.CONFLICT, Reason.CONFLICT, str(taken)) from None


async def end_token(context: Context, who: Identity, token_id: str) -> None:
    """Revoke a token, and end the sessions that came from it.

    Raises:
        Refusal: there is no such live one.
    """
    done = token_id.isalnum() and await context.write(
        lambda connection: revoke_token(connection, token_id, by=who.subject, now=context.now())
    )
    if not done:
        raise not_found("live token", token_id)


def _bad(detail: str) -> Refusal:
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.BAD_INPUT, detail)
