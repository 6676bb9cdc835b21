"""Rules about the end of an incident and who may do what: what hurts the one who wants to end it at night."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipeline.catalog.lint_context import Finding
from pipeline.catalog.packs import Source
from pipeline.models.command import CommandType, Role
from pipeline.models.incident import IncidentState
from pipeline.models.permissions import permission_of
from pipeline.models.policy import DomainPolicy

_NEEDED: Final = (CommandType.ACKNOWLEDGE, CommandType.RESOLVE)
"""Commands without which nobody can stop the calls."""

_PEOPLE: Final = frozenset({Role.RESPONDER, Role.COMMANDER, Role.ADMINISTRATOR})


def check_the_end(policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    """Every rule of closure and permissions."""
    yield from _reopens_too_late(policy, source)
    yield from _nobody_may(policy, source)


def _reopens_too_late(policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    """What is closed does not reopen, so that the rest of a longer window never comes."""
    closure = policy.closure
    short = [
        priority
        for priority in policy.priorities
        if closure.of("reopen_minutes", priority) > closure.of("close_after_minutes", priority)
    ]
    if short:
        stated = "reopen_minutes" if "reopen_minutes" in closure.model_fields_set else "close_after_minutes"
        message = f"{', '.join(short)}: closed before reopen_minutes are over; what is closed does not reopen"
        yield Finding("reopens-too-late", source.at("closure", stated), message)


def _nobody_may(policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    for command in _NEEDED:
        if command not in policy.permissions:
            continue
        permission = permission_of(policy.permissions, command)
        for priority in policy.priorities:
            for bridge in (False, True):
                roles = permission.lets(bridge=bridge, state=IncidentState.LOGGED, priority=priority)
                if not _PEOPLE & set(roles):
                    what = "bridge incident" if bridge else "incident"
                    message = f"nobody may {command} a {priority} {what}: no role of a person is left"
                    yield Finding("nobody-may", source.at("permissions", command), message)
                    return
