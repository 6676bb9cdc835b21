"""What the bridge keeps, and how it is published: summaries of incidents, bridge incidents, what was demoted.

`pipeline.core.major.bridge_declaring`, `pipeline.core.major.bridge_members` and `pipeline.core.major.bridge_commands`
decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from pipeline.core.communication import communicate
from pipeline.core.draft import Draft
from pipeline.core.major.bridge_roll import Roll
from pipeline.core.major.bridge_rules import Floor
from pipeline.core.major.relations import Relations
from pipeline.core.practice import deadlines
from pipeline.core.practice.commands import encode_command
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.core.practice.lifecycle import ENDED_STATES, OPEN_STATES
from pipeline.core.press import Press
from pipeline.core.step import Effects, Output, Processor
from pipeline.core.topology import Topology
from pipeline.models.command import NOTE_CHARACTERS_MAX, Command, CommandType, Role, Target
from pipeline.models.incident import Incident, incident_from_wire
from pipeline.models.incident_parts import MajorIncident
from pipeline.models.major import MajorIncidentPhase, MajorIncidentRule
from pipeline.models.summary import Summary, summary_from_wire
from pipeline.models.wire import to_json

SUMMARY: Final = "s/"
BRIDGE: Final = "b/"
FLOOR: Final = "f/"
"""Incidents whose Major Incident was demoted, with what they came to then."""

PACK: Final = "p/"
PLACE: Final = "o/entered"


class BridgeState(Processor):
    """The state of the bridge."""

    def __init__(self, desk: Desk, topology: Topology) -> None:
        super().__init__()
        self._desk = desk.of_partition()
        self._packs: dict[str, str | None] = {}
        self._topology = topology
        self._relations = Relations()
        self._summaries = self._relations.known
        self._bridges: dict[str, Incident] = {}
        self._rolls: dict[str, Roll] = {}
        self._bridge_of: dict[str, str] = {}
        self._floors: dict[str, Floor] = {}
        self._press = Press()

    def load(self, key: str, value: bytes) -> None:
        """Take one state record back."""
        if key.startswith(PACK):
            self._desk.shelf.load(key.removeprefix(PACK), value)
            return
        document = orjson.loads(value)
        if key == PLACE:
            self._relations.next_place = document
        elif key.startswith(SUMMARY):
            place, content = document
            self._relations.load(place, summary_from_wire(content))
        elif key.startswith(FLOOR):
            self._floors[key[2:]] = Floor(**document)
        else:
            bridge = incident_from_wire(document)
            if bridge.major is None:  # of a release that knew of no other phase
                bridge.major = MajorIncident(by=MACHINE, at_ms=bridge.detected_at_ms)
            self._bridges[bridge.id] = bridge
            self._packs[bridge.id], _ = self._desk.keep(None, bridge)
            self._bridge_of.update((member, bridge.id) for member in bridge.members)

    def dump(self, key: str) -> bytes | None:
        """The state record of a key; None where it is gone."""
        name = key[2:]
        if key == PLACE:
            return to_json(self._relations.next_place)
        if key.startswith(PACK):
            return self._desk.shelf.dump(key.removeprefix(PACK))
        if key.startswith(SUMMARY):
            summary = self._summaries.get(name)
            return None if summary is None else to_json((self._relations.places[name], summary))
        found = self._floors.get(name) if key.startswith(FLOOR) else self._bridges.get(name)
        return None if found is None else to_json(found)

    def restored(self) -> None:
        """Enter the incidents in the order in which they had come, and set the deadlines again."""
        self._relations.restored()
        self._touch_packs(self._desk.shelf.restored())
        for bridge in self._bridges.values():
            self._rolls[bridge.id] = roll = Roll()
            for member in bridge.members:
                if (summary := self._summaries.get(member)) is not None:
                    roll.put(summary)
            self._plan(bridge)

    def finish(self, effects: Effects) -> None:
        """Write the compacted twins."""
        self._press.finish(effects)

    def gauges(self) -> dict[str, dict[str, float]]:
        """Open bridge incidents, for metrics; a proposal is none."""
        opened = {"": float(sum(map(is_open, self._bridges.values())))}
        return {"open_bridges": opened, "state_entries": {"bridges": float(len(self._bridges))}}

    # -- for the decisions

    def _rule(self, domain: str) -> MajorIncidentRule:
        return self._desk.policy_of(domain).major_incident

    def _rule_of(self, bridge: Incident) -> MajorIncidentRule:
        """What holds for a bridge incident: the pack that it was opened under."""
        return self._desk.policy(bridge).major_incident

    def _draft(self, bridge: Incident, received_at_ms: int = 0) -> Draft:
        return Draft(bridge, self.clock_ms, received_at_ms=received_at_ms)

    def _members(self, bridge: Incident) -> Iterator[Summary]:
        """What is known of the members, in their order."""
        return (self._summaries[each] for each in bridge.members if each in self._summaries)

    def _publish(self, draft: Draft, effects: Effects) -> None:
        bridge = draft.incident
        communicate.keep(self._desk, draft)
        bridge.priority_rank = self._desk.policy(bridge).rank(bridge.priority)
        self._press.publish(draft, effects)
        self.touch(BRIDGE + bridge.id)
        self._packs[bridge.id], packs = self._desk.keep(self._packs.get(bridge.id), bridge)
        self._touch_packs(packs)
        self._plan(bridge)
        if bridge.state in ENDED_STATES:
            self._forget(bridge)

    def _plan(self, bridge: Incident) -> None:
        """Set the deadline at which a bridge incident needs attention by itself."""
        dues = [deadlines.deadline_ms(self._desk, bridge), *self._major_dues(bridge)]
        self.timers.set(BRIDGE + bridge.id, min((due for due in dues if due is not None), default=None))

    def _major_dues(self, bridge: Incident) -> Iterable[int | None]:
        """When what makes it a Major Incident needs attention."""
        return ()

    def _touch_packs(self, stamps: list[str]) -> None:
        for stamp in stamps:
            self.touch(PACK + stamp)

    def _forget(self, bridge: Incident) -> None:
        del self._bridges[bridge.id], self._rolls[bridge.id]
        self._packs.pop(bridge.id, None)
        for member in bridge.members:
            if self._bridge_of.get(member) == bridge.id:
                del self._bridge_of[member]
            summary = self._summaries.get(member)
            if summary is not None and summary.state in ENDED_STATES:
                self._relations.drop(summary)
                self._lift(member)  # it can be declared no more, nor was its end news to anybody else
                self.touch(SUMMARY + member)

    def _lift(self, incident_id: str) -> Floor | None:
        """Forget what a demotion has left of an incident."""
        known = self._floors.pop(incident_id, None)
        if known is not None:
            self.touch(FLOOR + incident_id)
        return known

    def _order(self, summary: Summary, command: Command, effects: Effects) -> None:
        """Send a command to a member."""
        effects.outputs.append(Output("commands", summary.space.encode(), encode_command(command), self.clock_ms))

    def _say(self, summary: Summary, bridge: Incident, kind: CommandType, effects: Effects, **fields: Any) -> None:
        """Send a member a command of the bridge's own. Its id tells it from the bridge's earlier ones of the kind."""
        if "note" in fields:  # a person's reason may fill a note by itself
            fields["note"] = fields["note"][:NOTE_CHARACTERS_MAX]
        verb = kind.removesuffix("_bridge")
        command_id = f"{bridge.id}/{summary.incident_id}/{verb}/{self.clock_ms}"
        target = Target(incident_id=summary.incident_id)
        self._order(
            summary,
            Command(command_id=command_id, type=kind, actor=MACHINE, role=Role.SYSTEM, target=target, **fields),
            effects,
        )


def phase_of(bridge: Incident) -> str:
    """Where the record of a Major Incident is."""
    return bridge.major.phase if bridge.major is not None else MajorIncidentPhase.DECLARED


def is_open(bridge: Incident) -> bool:
    """Whether a bridge incident is in force and not over; a proposal is not in force."""
    return bridge.state in OPEN_STATES and phase_of(bridge) == MajorIncidentPhase.DECLARED
