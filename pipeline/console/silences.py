"""What people ask of silences that are in force: to end them, or that they end at another time."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from pipeline.console.commands import COMMANDS_TOPIC, Asked, Way, command_id_of, give, not_allowed, repeated
from pipeline.console.context import Context
from pipeline.console.identity import PEOPLE, Identity, at_least
from pipeline.console.knowledge import Knowledge, knowledge
from pipeline.console.refusal import not_found
from pipeline.models.command import Command, CommandType, Role, Target
from pipeline.models.suppression import Suppression, What
from pipeline.records.suppressions import about

RANKS: Final[tuple[Role | None, ...]] = (None, *PEOPLE)
"""Roles in their order; None: he may not see it."""


def role_for_silence(who: Identity, silence: Suppression, known: Knowledge) -> Role | None:
    """The role that somebody has for a silence: the lowest of those for the domains of what it names.

    One that names no service, but labels or conditions, may hide anything: it is for whoever sees all.
    """
    targets = silence.decided_by.get("targets")
    refs = [known.enricher.resolve(each) for each in targets if isinstance(each, str)] if targets else [None]
    domains = {known.domain(ref) if ref else None for ref in refs}
    roles = [who.role_for({domain} if domain else set()) for domain in domains]
    return min(roles, key=RANKS.index)


async def ask_silence(
    context: Context, who: Identity, silence_id: str, *, until: datetime | None, key: str | None = None
) -> Asked:
    """Ask that a silence ends.

    Args:
        context: of the console.
        who: who asks.
        silence_id: which silence.
        until: when it is to end; None: now.
        key: his own name for this request.

    Raises:
        Refusal: there is none that he may see, he may not do that, or Kafka or the store is away.
    """
    told = await context.ask(lambda connection: about(connection, silence_id)) if silence_id.isprintable() else []
    found = next((each for each in reversed(told) if each.what == What.SILENCE and each.episode_id == silence_id), None)
    role = None if found is None else role_for_silence(who, found, knowledge(context.config))
    if found is None or role is None:
        raise not_found("silence", silence_id)
    if not at_least(role, Role.RESPONDER):
        raise not_allowed(f"a {role} may look, and ask for nothing")
    body = ["silence", silence_id, until.isoformat() if until else None]
    if (before := await repeated(context, who, key, body)) is not None:
        return before
    command = Command(
        command_id=command_id_of(who, key, body),
        type=CommandType.UNSILENCE if until is None else CommandType.EXTEND_SILENCE,
        actor=who.subject,
        role=role,
        target=Target(silence=silence_id),
        until=until,
    )
    return await give(context, who, command, Way("silence", silence_id, COMMANDS_TOPIC, found.space), key, body)
