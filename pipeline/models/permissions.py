"""Who may do what: the roles that each command is open to, by default and as a pack says.

A permission narrows: every part of it that applies must let the role pass.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from pipeline.models.catalog import Frozen
from pipeline.models.command import CommandType, Role


class Permission(Frozen):
    """Who may give a command. In a pack a plain list stands for ``roles``.

    Attributes:
        roles: who may at all.
        bridge: of them, who may where it is a bridge incident; None: all of them.
        states: of them, who may while the incident is in a state; one that is not named: all of them.
        priorities: likewise by priority.
    """

    roles: tuple[Role, ...]
    bridge: tuple[Role, ...] | None = None
    states: dict[str, tuple[Role, ...]] = Field(default_factory=dict)
    priorities: dict[str, tuple[Role, ...]] = Field(default_factory=dict)

    def lets(self, *, bridge: bool, state: str, priority: str) -> tuple[Role, ...]:
        """The roles that may give the command to such an incident. The machine itself always may."""
        narrower = [self.states.get(state), self.priorities.get(priority), self.bridge if bridge else None]
        return tuple(each for each in self.roles if all(part is None or each in part for part in narrower))


def _from_list(value: Any) -> Any:
    return {"roles": value} if isinstance(value, list | tuple) else value


Permissions = dict[str, Annotated[Permission, BeforeValidator(_from_list)]]
"""What a pack says of commands; of those that it does not name the defaults hold."""

_PEOPLE: Final = (Role.RESPONDER, Role.COMMANDER, Role.ADMINISTRATOR)
_EVERYBODY: Final = (*_PEOPLE, Role.SOURCE)

ANY_RESPONDER: Final = Permission(roles=_PEOPLE)
ANY_SOURCE: Final = Permission(roles=_EVERYBODY)
"""What a ticketing system passes on of what its users did there."""

COMMANDERS: Final = Permission(roles=(Role.COMMANDER, Role.ADMINISTRATOR))
ADMINISTRATORS: Final = Permission(roles=(Role.ADMINISTRATOR,))
MACHINE_ALONE: Final = Permission(roles=())
"""What stages tell each other: by a forged one an incident falls silent, or is offered a false workaround."""

DEFAULT_PERMISSIONS: Final[dict[CommandType, Permission]] = {
    CommandType.ACKNOWLEDGE: ANY_SOURCE,
    CommandType.UNACKNOWLEDGE: ANY_RESPONDER,
    CommandType.START: ANY_SOURCE,
    CommandType.ASSIGN: ANY_SOURCE,
    CommandType.UNASSIGN: ANY_SOURCE,
    CommandType.SET_PRIORITY: ANY_SOURCE,
    CommandType.NOTE: ANY_SOURCE,
    CommandType.LINK: ANY_SOURCE,
    CommandType.ESCALATE: ANY_RESPONDER,
    CommandType.WAIT: ANY_SOURCE,
    CommandType.RESUME: ANY_SOURCE,
    CommandType.MITIGATE: ANY_SOURCE,
    CommandType.ADD_ACTION: ANY_SOURCE,
    CommandType.COMPLETE_ACTION: ANY_SOURCE,
    CommandType.RESOLVE: ANY_SOURCE,
    CommandType.CLOSE: ANY_SOURCE,
    CommandType.REOPEN: ANY_SOURCE,
    CommandType.MERGE: ANY_SOURCE,
    CommandType.CANCEL: COMMANDERS,
    CommandType.ADOPT_POLICY: COMMANDERS,
    CommandType.APPROVE_COMMUNICATION: COMMANDERS,
    CommandType.DECLARE_MAJOR: COMMANDERS,
    CommandType.DEMOTE_MAJOR: COMMANDERS,
    CommandType.CONFIRM_MAJOR: COMMANDERS,
    CommandType.REJECT_MAJOR: COMMANDERS,
    CommandType.LINK_BRIDGE: MACHINE_ALONE,
    CommandType.UNLINK_BRIDGE: MACHINE_ALONE,
    CommandType.OFFER_KNOWN_ERROR: MACHINE_ALONE,
}
"""Of each command that is not here: `ANY_RESPONDER`."""


def permission_of(stated: Permissions, command: CommandType) -> Permission:
    """The permission of a command under a pack that states these."""
    return stated.get(command) or DEFAULT_PERMISSIONS.get(command, ANY_RESPONDER)
