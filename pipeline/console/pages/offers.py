"""What somebody may ask of an incident as it is now: by his role, the pack, and the incident's state.

What would be refused for certain is not offered. The pipeline has the last word: the incident may have changed.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pipeline.console.identity import Identity, domains_of
from pipeline.core.practice.lifecycle import ENDED_STATES, OPEN_STATES, WAITING_STATES, Step, advance
from pipeline.models.command import CommandType, Role
from pipeline.models.incident import IncidentKind, IncidentState
from pipeline.models.permissions import permission_of
from pipeline.models.policy import Config


class Offer(NamedTuple):
    """Something that can be asked for.

    Attributes:
        type: of the command, as in the address of its form.
        words: on the button.
        at_once: it is asked for by the press of the button; else a form asks for more.
        key: of the keyboard; "" none.
        first: it is what most people want now.
    """

    type: str
    words: str
    at_once: bool = False
    key: str = ""
    first: bool = False

    @property
    def is_shown(self) -> bool:
        """Whether it has a button of its own; else it is in a list that opens."""
        return self.first or bool(self.key) or self.type in _SHOWN


_SHOWN: Final = frozenset({CommandType.ESCALATE, CommandType.WAIT, CommandType.SET_STATUS})
"""What is often wanted in a hurry."""

ASSIGN_ME: Final = "assign-me"
"""In an address: assign it to whoever asks."""

_OFFERS: Final = (
    Offer(CommandType.CONFIRM_MAJOR, "Confirm Major Incident"),
    Offer(CommandType.REJECT_MAJOR, "Reject"),
    Offer(CommandType.ACKNOWLEDGE, "Acknowledge", at_once=True, key="a"),
    Offer(CommandType.START, "Start work", at_once=True),
    Offer(ASSIGN_ME, "Assign to me", at_once=True, key="s"),
    Offer(CommandType.ASSIGN, "Assign"),
    Offer(CommandType.ASSIGN_COMMANDER, "Commander"),
    Offer(CommandType.SET_STATUS, "Set status"),
    Offer(CommandType.NOTE, "Note", key="n"),
    Offer(CommandType.ESCALATE, "Escalate"),
    Offer(CommandType.WAIT, "Wait for somebody"),
    Offer(CommandType.RESUME, "Resume", at_once=True),
    Offer(CommandType.MITIGATE, "Mitigated"),
    Offer(CommandType.RESOLVE, "Resolve", key="r"),
    Offer(CommandType.CLOSE, "Close"),
    Offer(CommandType.REOPEN, "Reopen"),
    Offer(CommandType.COMMUNICATE, "Tell people"),
    Offer(CommandType.LINK, "Link"),
    Offer(CommandType.SET_PRIORITY, "Set priority"),
    Offer(CommandType.CORRECT_IMPACT, "Correct impact"),
    Offer(CommandType.MERGE, "Merge", key="m"),
    Offer(CommandType.SPLIT, "Split"),
    Offer(CommandType.ADD_ACTION, "Add corrective action"),
    Offer(CommandType.DECLARE_MAJOR, "Declare Major Incident"),
    Offer(CommandType.DEMOTE_MAJOR, "Demote"),
    Offer(CommandType.CANCEL, "Cancel"),
)
"""In the order in which an incident is worked on."""

_STEPS: Final[dict[str, Step]] = {
    CommandType.ACKNOWLEDGE: Step.ACKNOWLEDGE,
    CommandType.START: Step.START,
    CommandType.RESUME: Step.RESUME,
    CommandType.MITIGATE: Step.MITIGATE,
    CommandType.RESOLVE: Step.RESOLVE,
    CommandType.CLOSE: Step.CLOSE,
    CommandType.REOPEN: Step.REOPEN,
    CommandType.MERGE: Step.MERGE,
    CommandType.CANCEL: Step.CANCEL,
}
"""Commands that move an incident as a step of its life."""

_INCIDENTS_ALONE: Final = frozenset(
    {
        *(CommandType.ACKNOWLEDGE, CommandType.START, CommandType.WAIT, CommandType.RESUME, CommandType.MITIGATE),
        *(CommandType.MERGE, CommandType.SPLIT, CommandType.ESCALATE, CommandType.SET_PRIORITY),
        *(CommandType.DECLARE_MAJOR, CommandType.CANCEL, CommandType.ADD_ACTION),
    }
)
_BRIDGES_ALONE: Final = frozenset(
    {
        *(CommandType.ASSIGN_COMMANDER, CommandType.SET_STATUS, CommandType.DEMOTE_MAJOR),
        *(CommandType.CONFIRM_MAJOR, CommandType.REJECT_MAJOR),
    }
)
_ON_PROPOSALS: Final = frozenset({CommandType.CONFIRM_MAJOR, CommandType.REJECT_MAJOR})
_WHILE_OPEN: Final = frozenset(
    {
        *(CommandType.ESCALATE, CommandType.WAIT, CommandType.SPLIT, CommandType.DECLARE_MAJOR),
        *(CommandType.SET_PRIORITY, CommandType.CORRECT_IMPACT, CommandType.SET_STATUS, CommandType.ASSIGN),
        *(CommandType.ASSIGN_COMMANDER, CommandType.DEMOTE_MAJOR, ASSIGN_ME),
    }
)
PROPOSED: Final = "proposed"


def offers(config: Config, who: Identity, snapshot: dict[str, Any]) -> list[Offer]:
    """What he may ask of an incident now, in the order in which it is worked on; the likeliest is marked."""
    role = who.role_for(domains_of(snapshot))
    if role is None or role == Role.VIEWER or snapshot.get("state") in ENDED_STATES:
        return []
    found = [each for each in _OFFERS if _fits(each.type, snapshot, who) and _may(each.type, config, role, snapshot)]
    likely = _likely(snapshot, who)
    first = next((name for name in likely if any(each.type == name for each in found)), "")
    return [each._replace(first=each.type == first) for each in found]


def _may(type_: str, config: Config, role: Role, snapshot: dict[str, Any]) -> bool:
    command = CommandType.ASSIGN if type_ == ASSIGN_ME else CommandType(type_)
    permission = permission_of(config.policy(snapshot.get("domain")).permissions, command)
    state, priority = str(snapshot.get("state")), str(snapshot.get("priority"))
    return role in permission.lets(bridge=_is_bridge(snapshot), state=state, priority=priority)


def _fits(type_: str, snapshot: dict[str, Any], who: Identity) -> bool:
    if type_ in (_INCIDENTS_ALONE if _is_bridge(snapshot) else _BRIDGES_ALONE):
        return False
    if _is_bridge(snapshot):
        return _fits_bridge(type_, snapshot)
    state = str(snapshot.get("state"))
    if type_ == CommandType.RESOLVE and state == IncidentState.RESOLVED:
        return not snapshot.get("resolution")
    if (step := _STEPS.get(type_)) is not None and advance(state, step) is None:
        return False
    return (type_ not in _WHILE_OPEN or state in OPEN_STATES) and not _pointless(type_, snapshot, who)


def _pointless(type_: str, snapshot: dict[str, Any], who: Identity) -> bool:
    """It is so already, or there is nothing to do it with."""
    if type_ == ASSIGN_ME:
        return snapshot.get("assignee") == who.subject
    if type_ == CommandType.SPLIT:
        return _number(snapshot.get("episodes_total")) < 2  # one of two stays
    return type_ == CommandType.DECLARE_MAJOR and bool(snapshot.get("bridge_id") or snapshot.get("declared"))


def _fits_bridge(type_: str, snapshot: dict[str, Any]) -> bool:
    state, major = str(snapshot.get("state")), snapshot.get("major")
    phase = major.get("phase") if isinstance(major, dict) else None
    if phase == PROPOSED:
        return type_ in _ON_PROPOSALS or type_ == CommandType.NOTE
    if type_ in _ON_PROPOSALS or type_ in (CommandType.ASSIGN, ASSIGN_ME):
        return False
    if type_ == CommandType.RESOLVE:
        return state in OPEN_STATES
    if type_ in (CommandType.CLOSE, CommandType.REOPEN):
        return state == IncidentState.RESOLVED
    return type_ not in _WHILE_OPEN or state in OPEN_STATES


def _likely(snapshot: dict[str, Any], who: Identity) -> tuple[str, ...]:
    """What most people want to do now, in order."""
    if _is_bridge(snapshot):
        return CommandType.CONFIRM_MAJOR, CommandType.SET_STATUS, CommandType.CLOSE
    state = snapshot.get("state")
    if state in WAITING_STATES:
        return CommandType.RESUME, CommandType.RESOLVE
    if state == IncidentState.ACKNOWLEDGED:
        return CommandType.START, CommandType.RESOLVE
    return CommandType.ACKNOWLEDGE, CommandType.RESOLVE, CommandType.CLOSE


def _is_bridge(snapshot: dict[str, Any]) -> bool:
    return snapshot.get("kind") == IncidentKind.BRIDGE


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else 0
