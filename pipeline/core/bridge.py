"""Bridge: one record for a Major Incident, opened on aggregated business impact, linking all its member incidents.

It sees a summary of an incident, from all spaces, whenever anything that it goes by is new. Incidents are related
when one is about what the other needs, when they suspect the same cause, or share an entity. Where everything needs
everything that says little, so what is added up is less: incidents of one space that suspect the same cause, and
related ones of different spaces. When their impact together reaches the domain's threshold of users, revenue or
regulation, a bridge incident opens and links go back as commands. Related incidents that are not major by themselves
join it; one that becomes so for a cause of its own gets a bridge of its own.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, ClassVar, Final

import orjson

from pipeline.core import communicate, deadlines, ending
from pipeline.core.commands import apply_command, encode_command, parse_command, passed_on, remember
from pipeline.core.desk import MACHINE, Desk
from pipeline.core.draft import Draft
from pipeline.core.identity import short_id
from pipeline.core.impacts import total
from pipeline.core.lifecycle import ENDED_STATES, OPEN_STATES, Step
from pipeline.core.press import Press
from pipeline.core.relations import Relations, add_up
from pipeline.core.step import Effects, Output, Processor, Record, dead_letter
from pipeline.core.topology import Topology
from pipeline.models.command import Command, CommandType, Resolution, Role, Target
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.incident import NAMED_MAX, Incident, IncidentChange, IncidentKind, incident_from_wire
from pipeline.models.summary import SUMMARY_SCHEMA, Summary
from pipeline.models.wire import to_json

_SUMMARY: Final = "s/"
_BRIDGE: Final = "b/"
_PACK: Final = "p/"
_PLACE: Final = "o/entered"


class BridgeProcessor(Processor):
    """Bridge incidents over all spaces; one partition."""

    stage: ClassVar[str] = "bridge"

    def __init__(self, desk: Desk, topology: Topology) -> None:
        super().__init__()
        self._desk = desk.of_partition()
        self._packs: dict[str, str | None] = {}
        self._topology = topology
        self._relations = Relations()
        self._summaries = self._relations.known
        self._bridges: dict[str, Incident] = {}
        self._bridge_of: dict[str, str] = {}
        self._press = Press()

    # -- state

    def load(self, key: str, value: bytes) -> None:
        """Take one state record back."""
        if key.startswith(_PACK):
            self._desk.shelf.load(key.removeprefix(_PACK), value)
            return
        document = orjson.loads(value)
        if key == _PLACE:
            self._relations.next_place = document
        elif key.startswith(_SUMMARY):
            place, content = document
            self._relations.load(place, _summary(content))
        else:
            bridge = incident_from_wire(document)
            self._bridges[bridge.id] = bridge
            self._packs[bridge.id], _ = self._desk.keep(None, bridge)
            self._bridge_of.update((member, bridge.id) for member in bridge.members)

    def dump(self, key: str) -> bytes | None:
        """The state record of a key; None where it is gone."""
        if key == _PLACE:
            return to_json(self._relations.next_place)
        if key.startswith(_PACK):
            return self._desk.shelf.dump(key.removeprefix(_PACK))
        if key.startswith(_SUMMARY):
            summary = self._summaries.get(key[2:])
            return None if summary is None else to_json((self._relations.places[key[2:]], summary))
        bridge = self._bridges.get(key[2:])
        return None if bridge is None else to_json(bridge)

    def restored(self) -> None:
        """Enter the incidents in the order in which they had come, and set the deadlines again."""
        self._relations.restored()
        self._touch_packs(self._desk.shelf.restored())
        for bridge in self._bridges.values():
            self.timers.set(_BRIDGE + bridge.id, deadlines.deadline_ms(self._desk, bridge))

    def finish(self, effects: Effects) -> None:
        """Write the compacted twins."""
        self._press.finish(effects)

    def gauges(self) -> dict[str, dict[str, float]]:
        """Open bridge incidents, for metrics."""
        return {"open_bridges": {"": float(sum(each.state in OPEN_STATES for each in self._bridges.values()))}}

    # -- records

    def process(self, record: Record, effects: Effects) -> None:
        """Weigh one summary, or obey one command."""
        if record.topic == "bridge.commands":
            self._command(parse_command(record.value), effects)
            return
        try:
            summary = _summary(orjson.loads(record.value or b""))
        except (ValueError, TypeError) as error:
            raise BadRecord(Reason.UNKNOWN_SCHEMA, f"not a summary that this release reads ({error})") from error
        self._weigh(summary, effects)

    def refuse(self, record: Record, bad: BadRecord, effects: Effects) -> None:
        """Nothing here is an alert: the record goes to the dead letter without being counted as one."""
        effects.outputs.append(dead_letter(self.stage, record, bad))

    def on_timer(self, key: str, due_ms: int, effects: Effects) -> None:
        """A bridge incident needs attention by itself."""
        draft = Draft(self._bridges[key[2:]], self.clock_ms)
        deadlines.on_deadline(self._desk, draft)
        self._publish(draft, effects)

    # -- decisions

    def _weigh(self, summary: Summary, effects: Effects) -> None:
        known = self._summaries.get(summary.incident_id)
        bridge_id = self._bridge_of.get(summary.incident_id)
        if summary.state in ENDED_STATES and bridge_id is None:
            if known is not None:
                self._relations.drop(known)
            self.touch(_SUMMARY + summary.incident_id)
            return
        if self._relations.take(summary):
            self.touch(_PLACE)
        self.touch(_SUMMARY + summary.incident_id)
        if bridge_id is not None:
            self._member_news(self._bridges[bridge_id], known, summary, effects)
        elif summary.state in OPEN_STATES:
            self._consider(summary, effects)

    def _consider(self, summary: Summary, effects: Effects) -> None:
        """Open a bridge, or join the one of a related incident."""
        rule = self._desk.policy_of(summary.domain).major_incident
        if summary.priority not in rule.priorities:
            return
        related = self._relations.related(summary, self.clock_ms)
        together = [each for each in related if add_up(summary, each)]
        for other in together if self._major(summary.domain, [summary]) else related:
            bridge = self._bridges.get(self._bridge_of.get(other.incident_id, ""))
            if bridge is not None and bridge.state in OPEN_STATES:
                draft = Draft(bridge, self.clock_ms, received_at_ms=summary.received_at_ms)
                self._link(draft, summary, effects)
                self._aggregate(draft)
                self._publish(draft, effects)
                return
        free = [each for each in related if each.incident_id not in self._bridge_of]
        others = [each for each in free if each.priority in rule.priorities]
        because = self._major(summary.domain, [summary, *(each for each in others if each in together)])
        if because:
            small = [each for each in others if each in together or not self._major(each.domain, [each])]
            self._open(summary, [summary, *small], because, effects)

    def _major(self, domain: str, group: list[Summary]) -> list[str]:
        """Why the group's aggregated business impact is major under the domain's rule; empty where it is not."""
        rule = self._desk.policy_of(domain).major_incident
        users, revenue = total(_impacts(group))
        because: list[str] = []
        if rule.users_at_least is not None and users >= rule.users_at_least:
            because.append(f"about {users:,} users affected, threshold {rule.users_at_least:,}")
        if rule.revenue_per_minute_at_least is not None and revenue >= rule.revenue_per_minute_at_least:
            because.append(f"{revenue:,.0f} a minute at stake, threshold {rule.revenue_per_minute_at_least:,.0f}")
        tags = sorted({tag for each in group for tag in each.regulatory if tag in rule.regulatory})
        if tags:
            because.append(f"regulated: {', '.join(tags)}")
        return because

    def _open(self, lead: Summary, group: list[Summary], because: list[str], effects: Effects) -> None:
        now = self.clock_ms
        bridge = Incident(
            id=short_id("MI", lead.incident_id, str(now)),
            space=lead.space,
            kind=IncidentKind.BRIDGE,
            domain=lead.domain,
            detected_at_ms=now,
            opened_at_ms=now,
            title=f"Major Incident: {lead.title}",
            service=lead.service,
            owner=lead.owner,
            policy_version=self._desk.stamp(lead.domain),
            config_version=self._desk.config.version,
        )
        self._bridges[bridge.id] = bridge
        draft = Draft(bridge, now, received_at_ms=lead.received_at_ms)
        draft.note(
            "detect", MACHINE, f"aggregate business impact is major: {'; '.join(because)}", IncidentChange.OPENED
        )
        for summary in group:
            self._link(draft, summary, effects)
        self._aggregate(draft)
        bridge.priority, bridge.priority_because = self._top_priority(lead.domain), because
        if self._desk.step(draft, Step.LOG, MACHINE, f"bridge incident opened: {len(group)} related"):
            bridge.logged_at_ms = now
        communicate.tell(self._desk, draft, "investigating")
        self._tell_cause(draft, lead)
        self._publish(draft, effects)

    def _top_priority(self, domain: str) -> str:
        """A Major Incident has the highest priority of its domain, whatever its members have."""
        return self._desk.policy_of(domain).top_priority()

    def _tell_cause(self, draft: Draft, summary: Summary) -> None:
        if summary.identified is not None and draft.incident.state in OPEN_STATES:
            draft.incident.identified = draft.incident.identified or summary.identified
            communicate.tell(self._desk, draft, "identified")

    def _link(self, draft: Draft, summary: Summary, effects: Effects) -> None:
        bridge = draft.incident
        bridge.members.append(summary.incident_id)
        self._bridge_of[summary.incident_id] = bridge.id
        draft.note(
            "link",
            MACHINE,
            f"linked {summary.incident_id}: {summary.title}",
            IncidentChange.UPDATED,
            incident_id=summary.incident_id,
        )
        command = Command(
            command_id=f"{bridge.id}/{summary.incident_id}/link",
            type=CommandType.LINK_BRIDGE,
            actor=MACHINE,
            role=Role.SYSTEM,
            target=Target(incident_id=summary.incident_id),
            bridge_id=bridge.id,
            note=bridge.title,
        )
        self._send(summary, command, effects)

    def _member_news(self, bridge: Incident, known: Summary | None, summary: Summary, effects: Effects) -> None:
        """Keep the bridge true after one of its members changed; resolve it with its last member."""
        draft = Draft(bridge, self.clock_ms, received_at_ms=summary.received_at_ms)
        before = (bridge.users_affected, bridge.revenue_per_minute, len(bridge.entities))
        if self._is_its_own(bridge, summary):
            self._part(draft, summary, effects)
            return
        heir = self._summaries.get(summary.merged_into or "")
        if heir is not None and bridge.state in OPEN_STATES and heir.incident_id not in self._bridge_of:
            self._link(draft, heir, effects)
        self._aggregate(draft)
        self.touch(_BRIDGE + bridge.id)
        if known is not None and known.state != summary.state:
            text = f"{summary.incident_id} is {summary.state.replace('_', ' ')}"
            draft.note("member", MACHINE, text, IncidentChange.UPDATED, incident_id=summary.incident_id)
            self._follow(draft, known, summary)
        elif (bridge.users_affected, bridge.revenue_per_minute, len(bridge.entities)) != before:
            draft.note("affected", MACHINE, bridge.who_is_affected, IncidentChange.UPDATED, users=bridge.users_affected)
        self._tell_cause(draft, summary)
        if draft.entries:
            self._publish(draft, effects)

    def _follow(self, draft: Draft, known: Summary, summary: Summary) -> None:
        bridge = draft.incident
        if self._end_with_members(draft):
            return
        if summary.state in OPEN_STATES and known.state not in OPEN_STATES and bridge.resolved_at_ms is not None:
            ending.reopen(self._desk, draft, MACHINE, f"reopened: {summary.incident_id} came back")

    def _end_with_members(self, draft: Draft) -> bool:
        """Resolve an open bridge none of whose members is open any more; whether it did."""
        bridge = draft.incident
        states = [self._summaries[each].state for each in bridge.members if each in self._summaries]
        if bridge.state not in OPEN_STATES or any(state in OPEN_STATES for state in states):
            return False
        done = Resolution(code="members_resolved", summary="all member incidents are resolved")
        ending.resolve(self._desk, draft, MACHINE, done)
        return True

    def _aggregate(self, draft: Draft) -> None:
        """Impact over all members, populations counted once, peaks kept."""
        bridge = draft.incident
        members = [self._summaries[each] for each in bridge.members if each in self._summaries]
        users, revenue = total(_impacts(members))
        bridge.users_affected = max(bridge.users_affected, users)
        bridge.revenue_per_minute = max(bridge.revenue_per_minute, revenue)
        entities = dict.fromkeys(ref for each in members for ref in each.entities)
        services = dict.fromkeys(ref for each in members for ref in each.services)
        bridge.entities, bridge.entities_total = list(islice(entities, NAMED_MAX)), len(entities)
        bridge.services, bridge.services_total = list(islice(services, NAMED_MAX)), len(services)
        bridge.domains = sorted({each.domain for each in members})
        bridge.regulatory = sorted({tag for each in members for tag in each.regulatory})
        bridge.episodes_total = len(members)
        tickets = sum(each.tickets for each in members)
        names = self._topology.titles(bridge.services) or "unknown services"
        bridge.who_is_affected = f"about {bridge.users_affected:,} users of {names}; {tickets} tickets"

    # -- commands

    def _command(self, command: Command, effects: Effects) -> None:
        bridge = self._bridges.get(command.target.incident_id or "")
        if bridge is None:
            raise BadRecord(Reason.UNKNOWN_TARGET, f"{command.type}: no such bridge incident is open")
        draft = Draft(bridge, self.clock_ms)
        if not remember(draft, command):
            return
        apply_command(self._desk, draft, command)
        self._publish(draft, effects)
        if command.type == CommandType.RESOLVE and bridge.resolved_at_ms == self.clock_ms:
            self._resolve_members(bridge, command, effects)

    def _resolve_members(self, bridge: Incident, command: Command, effects: Effects) -> None:
        for member in bridge.members:
            summary = self._summaries.get(member)
            if summary is not None and summary.state in OPEN_STATES:
                self._send(summary, passed_on(command, member), effects)

    # -- small things

    def _send(self, summary: Summary, command: Command, effects: Effects) -> None:
        effects.outputs.append(Output("commands", summary.space.encode(), encode_command(command), self.clock_ms))

    def _is_its_own(self, bridge: Incident, summary: Summary) -> bool:
        """Whether a member has become a Major Incident by itself, for a cause that no other member suspects.

        What another member was merged into goes on as that one.
        """
        if bridge.members[0] == summary.incident_id or not {bridge.state, summary.state} <= OPEN_STATES:
            return False
        rule = self._desk.policy_of(summary.domain).major_incident
        if summary.priority not in rule.priorities or not self._major(summary.domain, [summary]):
            return False
        others = (self._summaries.get(each) for each in bridge.members if each != summary.incident_id)
        same = (add_up(summary, each) or each.merged_into == summary.incident_id for each in others if each is not None)
        return not any(same)

    def _part(self, draft: Draft, summary: Summary, effects: Effects) -> None:
        """A member leaves its bridge, and opens its own."""
        bridge = draft.incident
        bridge.members.remove(summary.incident_id)
        del self._bridge_of[summary.incident_id]
        text = f"{summary.incident_id} has become a Major Incident of its own: {summary.title}"
        draft.note("unlink", MACHINE, text, IncidentChange.UPDATED, incident_id=summary.incident_id)
        self._aggregate(draft)
        self._end_with_members(draft)
        self._publish(draft, effects)
        self._open(summary, [summary], self._major(summary.domain, [summary]), effects)

    def _publish(self, draft: Draft, effects: Effects) -> None:
        bridge = draft.incident
        communicate.keep(self._desk, draft)
        self._press.publish(draft, effects)
        self.touch(_BRIDGE + bridge.id)
        self._packs[bridge.id], packs = self._desk.keep(self._packs.get(bridge.id), bridge)
        self._touch_packs(packs)
        self.timers.set(_BRIDGE + bridge.id, deadlines.deadline_ms(self._desk, bridge))
        if bridge.state in ENDED_STATES:
            self._forget(bridge)

    def _touch_packs(self, stamps: list[str]) -> None:
        for stamp in stamps:
            self.touch(_PACK + stamp)

    def _forget(self, bridge: Incident) -> None:
        del self._bridges[bridge.id]
        self._packs.pop(bridge.id, None)
        for member in bridge.members:
            self._bridge_of.pop(member, None)
            summary = self._summaries.get(member)
            if summary is not None and summary.state in ENDED_STATES:
                self._relations.drop(summary)
                self.touch(_SUMMARY + member)


def _impacts(group: list[Summary]) -> list[tuple[str, int, float]]:
    return [
        (str(system), int(users), float(revenue)) for each in group for system, users, revenue in each.impacts.values()
    ]


def _summary(document: dict[str, Any]) -> Summary:
    """Raises ValueError for a schema version that this release does not read, TypeError for what is no summary."""
    if not isinstance(document, dict):
        raise TypeError("a summary is a JSON object")
    if document.get("schema") != SUMMARY_SCHEMA:
        raise ValueError(f"summary schema {document.get('schema')!r}, this release reads {SUMMARY_SCHEMA}")
    return Summary(**document)
