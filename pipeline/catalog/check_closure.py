"""What closure and permissions of one policy pack must hold together: priorities, fields, states, commands, roles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.catalog.packs import Source
from pipeline.catalog.problems import Findings, suggestion
from pipeline.models.closure import OF_PRIORITIES, REQUIRABLE
from pipeline.models.command import CommandType
from pipeline.models.incident import IncidentState
from pipeline.models.policy import DomainPolicy

_LISTED_MAX: Final = 6  # more names than these do not help who looks for one


def check_closure(policy: DomainPolicy, source: Source, findings: Findings) -> None:
    """Settings of a priority name one of the scale; what is required is a field of a resolution."""
    closure = policy.closure
    for name in OF_PRIORITIES:
        value = getattr(closure, name)
        if isinstance(value, dict):
            _known(value, policy.priorities, "priority", source, findings, "closure", name)
    stated = closure.require
    for priority, fields in stated.items() if isinstance(stated, dict) else ((None, stated),):
        path = ("closure", "require") if priority is None else ("closure", "require", priority)
        for index, field in enumerate(fields):
            if field not in REQUIRABLE:
                text = f"require: unknown field of a resolution '{field}'{_hint(field, REQUIRABLE)}"
                findings.problem(source.at(*path, index), text)
    for index, priority in enumerate(closure.problem_review):
        if priority not in policy.priorities:
            text = f"problem_review: unknown priority '{priority}'{_hint(priority, policy.priorities)}"
            findings.problem(source.at("closure", "problem_review", index), text)


def check_permissions(policy: DomainPolicy, source: Source, findings: Findings) -> None:
    """Each permission is of a command, and narrows by states and priorities that there are."""
    _known(policy.permissions, tuple(CommandType), "command", source, findings, "permissions")
    for command, permission in policy.permissions.items():
        path = ("permissions", command)
        _known(permission.states, tuple(IncidentState), "state", source, findings, *path, "states")
        _known(permission.priorities, policy.priorities, "priority", source, findings, *path, "priorities")


def _known(
    names: Iterable[str], known: tuple[str, ...], what: str, source: Source, findings: Findings, *path: str
) -> None:
    for name in names:
        if name not in known:
            findings.problem(source.at(*path, name), f"{path[-1]}: unknown {what} '{name}'{_hint(name, known)}")


def _hint(name: str, known: tuple[str, ...]) -> str:
    listed = f"; known: {', '.join(known)}" if len(known) <= _LISTED_MAX else ""
    return suggestion(name, known) or listed
