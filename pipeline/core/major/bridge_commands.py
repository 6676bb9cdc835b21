"""Commands on bridge incidents: what people ask of a Major Incident, and what of it goes on to its members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.core.draft import Draft
from pipeline.core.major import coordinate
from pipeline.core.major.bridge_members import BridgeMembers
from pipeline.core.major.bridge_state import phase_of
from pipeline.core.practice import majors
from pipeline.core.practice.commands import apply_command, gone, remember
from pipeline.core.practice.handlers import Handlers, needs, refuse
from pipeline.core.practice.lifecycle import OPEN_STATES
from pipeline.core.step import Effects
from pipeline.models.command import Command, CommandType
from pipeline.models.incident import Incident, IncidentState
from pipeline.models.major import CoordinatedStatus, MajorIncidentPhase

OF_A_PROPOSAL: Final = frozenset(
    {
        CommandType.NOTE,
        CommandType.LINK,
        CommandType.ASSIGN,
        CommandType.ASSIGN_COMMANDER,
        CommandType.CORRECT_IMPACT,
        CommandType.CONFIRM_MAJOR,
        CommandType.REJECT_MAJOR,
        CommandType.DECLARE_MAJOR,
    }
)
"""What can be asked of a proposal: it has no life yet that could be resolved."""

Deed = Callable[["BridgeCommands", Draft, Command, Effects], None]


class BridgeCommands(BridgeMembers):
    """The part of the bridge that obeys."""

    def _command(self, command: Command, effects: Effects) -> None:
        bridge = self._bridges.get(command.target.incident_id or "")
        if bridge is None:
            raise gone(command, None, "bridge incident")
        draft = self._draft(bridge)
        if not remember(draft, command):
            return
        before = bridge.state
        deed = DEEDS.get(command.type)
        if phase_of(bridge) == MajorIncidentPhase.PROPOSED and command.type not in OF_A_PROPOSAL:
            refuse(draft, command, "the Major Incident is only proposed: confirm or reject it")
        elif command.type == CommandType.REOPEN and not self._any_open(bridge):
            refuse(draft, command, "none of its members is open: reopen the incident that is back, and this follows")
        else:
            apply_command(self._desk, draft, command, self._own(deed, command, effects))
        if bridge.state != before and deed is None:
            self._moved(draft, command, effects)
        self._show_linked(bridge)
        self._publish(draft, effects)

    def _any_open(self, bridge: Incident) -> bool:
        """Whether a member is open: a record of none would tell people of nothing, without an end."""
        return any(summary.state in OPEN_STATES for summary in self._members(bridge))

    def _own(self, deed: Deed | None, command: Command, effects: Effects) -> Handlers:
        if deed is None:
            return {}
        return {command.type: lambda _, draft, asked: deed(self, draft, asked, effects)}

    def _moved(self, draft: Draft, command: Command, effects: Effects) -> None:
        """What a person did with the record goes on to the members, where it ends something."""
        bridge = draft.incident
        if bridge.state == IncidentState.RESOLVED:
            bridge.status = CoordinatedStatus.RESOLVED
            for summary in list(self._members(bridge)):
                if summary.state in OPEN_STATES:
                    self._hand_on(summary, command, effects)
        elif bridge.state == IncidentState.CLOSED:
            self._closed(draft, command, effects)
        elif bridge.state == IncidentState.CANCELLED:
            self._cancelled(draft, command, effects)
        elif bridge.state == IncidentState.REOPENED:
            bridge.status = CoordinatedStatus.INVESTIGATING
        elif bridge.state == IncidentState.MITIGATED:
            coordinate.go_on(draft, CoordinatedStatus.MONITORING, "a workaround is in place")

    def _cancelled(self, draft: Draft, command: Command, effects: Effects) -> None:
        """To cancel the record is to say that it is no Major Incident."""
        self._bar(draft.incident)
        if draft.incident.major is not None:
            draft.incident.major.phase = MajorIncidentPhase.DEMOTED
        self._release(draft, f"{draft.incident.id} was cancelled by {command.actor}", effects)

    def _demote_by(self, draft: Draft, command: Command, effects: Effects) -> None:
        because = command.reason or command.note
        if draft.incident.state not in OPEN_STATES:
            refuse(draft, command, f"it is {draft.incident.state}")
        elif not because:
            refuse(draft, command, "it lacks reason")
        else:
            self._demote(draft, command.actor, f"by {command.actor}: {because}", effects)

    def _confirm_by(self, draft: Draft, command: Command, effects: Effects) -> None:
        if phase_of(draft.incident) != MajorIncidentPhase.PROPOSED:
            refuse(draft, command, "it is not proposed")
            return
        why = command.reason or command.note
        text = f"confirmed by {command.actor}" + (f": {why}" if why else "")
        self._confirm(draft, command.actor, text, effects)
        if command.assignee:
            coordinate.assign_commander(self._desk, draft, command.actor, command.assignee)

    def _reject_by(self, draft: Draft, command: Command, effects: Effects) -> None:
        because = command.reason or command.note
        if phase_of(draft.incident) != MajorIncidentPhase.PROPOSED:
            refuse(draft, command, "it is not proposed; `demote_major` takes a declaration back")
        elif not because:
            refuse(draft, command, "it lacks reason")
        else:
            self._bar(draft.incident)
            text = f"by {command.actor}: {because}"
            self._come_to_nothing(draft, MajorIncidentPhase.REJECTED, command.actor, text)

    def _commander(self, draft: Draft, command: Command, effects: Effects) -> None:
        if needs(draft, command, "assignee"):
            coordinate.assign_commander(self._desk, draft, command.actor, command.assignee or "")

    def _status(self, draft: Draft, command: Command, effects: Effects) -> None:
        if not needs(draft, command, "status"):
            return
        if command.status not in list(CoordinatedStatus):
            refuse(draft, command, f"status {command.status} is not one of {', '.join(CoordinatedStatus)}")
        elif command.status == CoordinatedStatus.RESOLVED:  # as any end: with the resolution that the policy asks for
            resolve = command.model_copy(update={"type": CommandType.RESOLVE})
            apply_command(self._desk, draft, resolve)
            if draft.incident.state == IncidentState.RESOLVED:
                self._moved(draft, resolve, effects)
        elif draft.incident.state not in OPEN_STATES:
            refuse(draft, command, f"the bridge incident is {draft.incident.state}")
        else:
            coordinate.set_status(self._desk, draft, command.actor, command.status or "", command.note)

    def _correct(self, draft: Draft, command: Command, effects: Effects) -> None:
        if majors.correct(draft, command) and draft.incident.major is not None:
            draft.incident.major.lowered = True
            self._aggregate(draft, anew=True)
            self._watch_impact(draft)

    def _declare_by(self, draft: Draft, command: Command, effects: Effects) -> None:
        if phase_of(draft.incident) == MajorIncidentPhase.PROPOSED:
            self._confirm_by(draft, command, effects)
        else:
            refuse(draft, command, "it is declared already")


DEEDS: Final[dict[CommandType, Deed]] = {
    CommandType.DECLARE_MAJOR: BridgeCommands._declare_by,
    CommandType.DEMOTE_MAJOR: BridgeCommands._demote_by,
    CommandType.CONFIRM_MAJOR: BridgeCommands._confirm_by,
    CommandType.REJECT_MAJOR: BridgeCommands._reject_by,
    CommandType.ASSIGN_COMMANDER: BridgeCommands._commander,
    CommandType.SET_STATUS: BridgeCommands._status,
    CommandType.CORRECT_IMPACT: BridgeCommands._correct,
}
"""What is asked of Major Incidents alone."""
