"""What people ask of silences: to mute what they answer for, to end that, or that it ends at another time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from pipeline.console.commands import (
    COMMANDS_TOPIC,
    Asked,
    Way,
    command_id_of,
    give,
    not_allowed,
    read_command,
    repeated,
)
from pipeline.console.context import Context
from pipeline.console.identity import PEOPLE, Identity, at_least
from pipeline.console.knowledge import Knowledge, knowledge
from pipeline.console.refusal import not_found
from pipeline.core.identity import short_id
from pipeline.models.command import Command, CommandType, Role, Target
from pipeline.models.suppression import Suppression, What
from pipeline.records.suppressions import about, silences

SPACE: Final = "production"
"""Correlation space of a silence that names none."""

RANKS: Final[tuple[Role | None, ...]] = (None, *PEOPLE)
"""Roles in their order; None: he may not see it."""


def role_for_silence(who: Identity, silence: Suppression, known: Knowledge) -> Role | None:
    """The role that somebody has for a silence: the lowest of those for the domains of what it names.

    One that names no service, but labels or conditions, may hide anything: it is for whoever sees all.
    """
    return _role_for(who, silence.decided_by.get("targets") or (), known)


def _role_for(who: Identity, targets: Iterable[Any], known: Knowledge) -> Role | None:
    refs = [known.enricher.resolve(each) for each in targets if isinstance(each, str)] or [None]
    domains = {known.domain(ref) if ref else None for ref in refs}
    roles = [who.role_for({domain} if domain else set()) for domain in domains]
    return min(roles, key=RANKS.index)


async def silences_for(context: Context, who: Identity) -> list[Suppression]:
    """The silences that somebody may see, those that began last first."""
    found, known = await context.ask(silences), knowledge(context.config)
    return [each for each in found if role_for_silence(who, each, known) is not None]


async def begin_silence(
    context: Context, who: Identity, request: dict[str, Any], *, space: str = SPACE, key: str | None = None
) -> Asked:
    """Ask for a silence.

    Args:
        context: of the console.
        who: who asks; unless he may see everything, what he mutes has targets, all of them in his domains.
        request: of `pipeline.models.silence.SilenceRequest`; its owner is he unless it names another.
        space: correlation space of what is muted.
        key: his own name for this request.

    Raises:
        Refusal: it is none, he may not do that, or Kafka or the store is away.
    """
    body = ["silence", space, request]
    own_id = command_id_of(who, key, body)
    if (before := await repeated(context, who, key, body)) is not None:
        return before
    fields = {"type": CommandType.SILENCE.value, "silence": {"owner": who.subject, **request}}
    own = {"command_id": own_id, "actor": who.subject, "role": who.highest}
    command = read_command(Command, fields, own)
    asked = command.silence
    role = None if asked is None else _role_for(who, asked.targets, knowledge(context.config))
    if role is None or asked is None or (asked.conditions and who.scope is not None):
        raise not_allowed("name targets, all of them in your domains: a wider silence is for whoever sees all")
    if not at_least(role, Role.RESPONDER):
        raise not_allowed(f"a {role} may look, and mute nothing")
    command = command.model_copy(update={"role": role})
    way = Way("silence", short_id("SIL", own_id), COMMANDS_TOPIC, space)
    return await give(context, who, command, way, key, body)


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
