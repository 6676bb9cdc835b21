"""Declaring: whether related incidents are a Major Incident, and how one begins: declared, proposed or promoted.

Incidents are related when one is about what the other needs, when they suspect the same cause, or share an entity.
Where everything needs everything that says little, so what is added up is less: incidents of one space that suspect
the same cause, and related ones of different spaces. The first trigger rule of the domain that holds for them wins.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from pipeline.core.clocks import sla
from pipeline.core.communication import communicate
from pipeline.core.draft import Draft
from pipeline.core.identity import short_id
from pipeline.core.major import coordinate
from pipeline.core.major.bridge_roll import Roll, kept_in_order
from pipeline.core.major.bridge_rules import Match, Reach, floor_of, match_group, match_reach
from pipeline.core.major.bridge_state import BRIDGE, FLOOR, BridgeState, phase_of
from pipeline.core.major.relations import add_up
from pipeline.core.practice.desk import MACHINE, MINUTE_MS
from pipeline.core.practice.lifecycle import ANSWERED_STATES, ENDED_STATES, OPEN_STATES, Step
from pipeline.core.step import Effects
from pipeline.models.command import CommandType
from pipeline.models.incident import NAMED_MAX, Incident, IncidentChange, IncidentKind
from pipeline.models.incident_parts import MajorIncident
from pipeline.models.major import MajorIncidentMode, MajorIncidentPhase
from pipeline.models.summary import Summary


class BridgeDeclaring(BridgeState):
    """The part of the bridge that begins Major Incidents."""

    # -- whether

    def _consider(self, summary: Summary, effects: Effects) -> None:
        """Open a bridge, or join the one of a related incident."""
        rule = self._rule(summary.domain)
        priorities = rule.counted
        if summary.priority not in priorities:
            return
        related = self._relations.related(summary, self.clock_ms)
        together = [each for each in related if add_up(summary, each)]
        alone = self._match(summary.domain, [summary])
        # What is major by itself, or was demoted, joins nothing but what has its cause.
        for other in together if alone is not None or summary.incident_id in self._floors else related:
            bridge = self._bridges.get(self._bridge_of.get(other.incident_id, ""))
            if bridge is not None and bridge.state in OPEN_STATES:
                self._join(bridge, summary, effects)
                return
        free = [each for each in related if each.incident_id not in self._bridge_of]
        others = [each for each in free if each.priority in priorities]
        added = [each for each in others if each in together]
        match = self._match(summary.domain, [summary, *added]) if added else alone
        if match is not None:
            small = [each for each in others if each in together or self._follows(each)]
            self._open(summary, [summary, *small], match, effects)

    def _follows(self, summary: Summary) -> bool:
        """Whether a related incident goes along with one of another cause: it is nothing major by itself."""
        return summary.incident_id not in self._floors and self._match(summary.domain, [summary]) is None

    def _match(self, domain: str, group: list[Summary]) -> Match | None:
        """The trigger rule that holds for a group. What was demoted holds none again by what was known then."""
        rule = self._rule(domain)
        found = match_group(rule, group)
        if found is None:
            return None
        match, reach = found
        floors = [self._floors[each.incident_id] for each in group if each.incident_id in self._floors]
        if not any(floor.blocks(match, reach) for floor in floors):
            return match
        if group[0].incident_id in self._floors:
            return None
        rest = [each for each in group if each.incident_id not in self._floors]
        found = match_group(rule, rest)
        return None if found is None else found[0]

    # -- how

    def _open(
        self, lead: Summary, group: list[Summary], match: Match, effects: Effects, actor: str = MACHINE
    ) -> Incident:
        """Open the record of a Major Incident, or of a proposal of one."""
        bridge = self._new_bridge(lead, match, actor)
        draft = self._draft(bridge, lead.received_at_ms)
        because = "; ".join(match.because)
        proposed = match.mode == MajorIncidentMode.PROPOSE
        if proposed:
            change, text = IncidentChange.PROPOSED, f"aggregate business impact may be major: {because}"
        elif actor == MACHINE:
            change, text = IncidentChange.OPENED, f"aggregate business impact is major: {because}"
        else:
            change, text = IncidentChange.OPENED, f"{actor} declared a Major Incident: {because}"
        draft.note("propose" if proposed else "detect", actor, text, change, rule=match.name, mode=match.mode)
        for summary in group:
            self._link(draft, summary, effects)
        self._aggregate(draft)
        bridge.priority, bridge.priority_because = self._desk.policy(bridge).top_priority(), match.because
        if proposed:
            self._wait_for_answer(draft)
        else:
            self._take_up(draft, actor, f"bridge incident opened: {len(group)} related", effects)
        self._call_manager(draft)
        self._publish(draft, effects)
        return bridge

    def _new_bridge(self, lead: Summary, match: Match, actor: str) -> Incident:
        now = self.clock_ms
        bridge = Incident(
            id=short_id("MI", lead.incident_id, str(lead.revision), str(now)),  # one may end and another begin at once
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
        bridge.escalation.since_ms = now
        bridge.major = MajorIncident(
            mode=match.mode,
            by=actor,
            at_ms=now,
            because=match.because,
            rule=match.name,
            held=match.held,
        )
        if match.mode == MajorIncidentMode.PROPOSE:
            bridge.major.phase = MajorIncidentPhase.PROPOSED
        self._bridges[bridge.id], self._rolls[bridge.id] = bridge, Roll()
        return bridge

    def _take_up(self, draft: Draft, actor: str, text: str, effects: Effects) -> None:
        """The Major Incident is in force: it is logged, its clocks run, and it speaks for its members."""
        bridge = draft.incident
        if self._desk.step(draft, Step.LOG, actor, text):
            bridge.logged_at_ms = draft.now_ms
        members = list(self._members(bridge))
        if actor != MACHINE or any(each.state in ANSWERED_STATES for each in members):
            sla.meet(self._desk, draft, "response")
        sla.run_clocks(self._desk, draft)  # they count from the proposal, so that something may be due already
        coordinate.begin(self._desk, draft)
        lead = members[0] if members else None
        if lead is not None:
            self._tell_cause(draft, lead)
        if bridge.major is not None and bridge.major.mode == MajorIncidentMode.PROMOTE:
            self._promote(draft, effects)

    def _tell_cause(self, draft: Draft, summary: Summary) -> None:
        """Say that the cause is known, when a member knows it."""
        if summary.identified is not None and draft.incident.state in OPEN_STATES:
            draft.incident.identified = draft.incident.identified or summary.identified
            communicate.tell(self._desk, draft, "identified")
            title = self._topology.title(summary.identified)
            coordinate.go_on(draft, "identified", f"the probable cause is {title}")

    def _promote(self, draft: Draft, effects: Effects) -> None:
        """Raise the priority of the incidents that led to it to the top of their own scales."""
        bridge = draft.incident
        for summary in self._members(bridge):
            top = self._desk.policy_of(summary.domain).top_priority()
            if summary.priority != top and bridge.major is not None:
                bridge.major.promoted[summary.incident_id] = summary.priority
                note = f"promoted by Major Incident {bridge.id}"
                self._say(summary, bridge, CommandType.SET_PRIORITY, effects, priority=top, note=note)
        if bridge.major is not None and bridge.major.promoted:
            names = ", ".join(bridge.major.promoted)
            draft.note("promote", MACHINE, f"priority raised to the top: {names}", members=list(bridge.major.promoted))

    # -- proposals

    def _wait_for_answer(self, draft: Draft) -> None:
        major = draft.incident.major
        if major is not None:
            minutes = self._rule_of(draft.incident).propose.expires_minutes
            major.decide_by_ms = draft.now_ms + minutes * MINUTE_MS

    def _call_manager(self, draft: Draft) -> None:
        """Call the Major Incident manager; for a proposal, plan when the next one is called."""
        major = draft.incident.major
        rule = self._rule_of(draft.incident)
        if major is None or major.called >= len(rule.manager):
            return
        proposed = major.phase == MajorIncidentPhase.PROPOSED
        because = "a Major Incident is proposed: confirm or reject it" if proposed else "a Major Incident is declared"
        coordinate.call(self._desk, draft, rule.manager[major.called], because)
        major.called += 1
        more = proposed and major.called < len(rule.manager)
        major.call_at_ms = draft.now_ms + rule.propose.call_again_minutes * MINUTE_MS if more else None

    def _confirm(self, draft: Draft, actor: str, text: str, effects: Effects) -> None:
        """A proposal becomes a Major Incident."""
        bridge = draft.incident
        major = bridge.major
        if major is None:
            return
        major.phase, major.by, major.at_ms = MajorIncidentPhase.DECLARED, actor, draft.now_ms
        major.decide_by_ms = major.call_at_ms = major.below_since_ms = None
        for summary in self._members(bridge):
            self._say(
                summary, bridge, CommandType.LINK_BRIDGE, effects, bridge_id=bridge.id, note=bridge.title
            )  # fmt: skip
        self._take_up(draft, actor, text, effects)

    # -- members

    def _join(self, bridge: Incident, summary: Summary, effects: Effects) -> None:
        """A related incident joins."""
        draft = self._draft(bridge, summary.received_at_ms)
        self._link(draft, summary, effects)
        self._aggregate(draft, summary)
        self._publish(draft, effects)

    def _link(self, draft: Draft, summary: Summary, effects: Effects) -> None:
        """Make an incident a member. It hears of a proposal only when that is confirmed."""
        bridge = draft.incident
        bridge.members.append(summary.incident_id)
        if summary.opened_at_ms:  # an older release does not say
            bridge.opened_at_ms = min(bridge.opened_at_ms, summary.opened_at_ms)
        self._bridge_of[summary.incident_id] = bridge.id
        self._rolls[bridge.id].put(summary)
        text = f"linked {summary.incident_id}: {summary.title}"
        draft.note("link", MACHINE, text, IncidentChange.UPDATED, incident_id=summary.incident_id)
        if phase_of(bridge) == MajorIncidentPhase.DECLARED:
            self._say(summary, bridge, CommandType.LINK_BRIDGE, effects, bridge_id=bridge.id, note=bridge.title)

    def _aggregate(self, draft: Draft, news: Summary | None = None, *, anew: bool = False) -> None:
        """Impact over all members, populations counted once. Peaks are kept, unless it was put right: ``anew``."""
        bridge, roll = draft.incident, self._rolls[draft.incident.id]
        reach = self._reach(bridge)
        users, revenue = (0, 0.0) if anew else (bridge.users_affected, bridge.revenue_per_minute)
        corrected = bridge.corrected
        bridge.users_affected = max(users, reach.users)
        bridge.revenue_per_minute = max(revenue, reach.revenue_per_minute)
        if corrected is not None and corrected.users is not None:
            bridge.users_affected = corrected.users
        if corrected is not None and corrected.revenue_per_minute is not None:
            bridge.revenue_per_minute = corrected.revenue_per_minute
        told = [news] if news is not None else list(roll.members.values())
        for name, counts in (("entities", roll.entities), ("services", roll.services)):
            fresh = [ref for each in told for ref in getattr(each, name)]
            setattr(bridge, name, kept_in_order(getattr(bridge, name), counts, fresh, NAMED_MAX))
            setattr(bridge, f"{name}_total", len(counts))
        bridge.domains = sorted(roll.domains)
        bridge.regulatory = sorted(roll.regulatory)
        bridge.sites = list(islice(sorted(roll.sites), NAMED_MAX))
        bridge.reporters = roll.reporters
        bridge.episodes_total = len(roll.members)
        bridge.member_states = dict(sorted(roll.states.items()))
        self._show_linked(bridge)
        bridge.who_is_affected = self._affected(bridge, roll)
        self.touch(BRIDGE + bridge.id)

    def _affected(self, bridge: Incident, roll: Roll) -> str:
        names = self._topology.titles(bridge.services) or "unknown services"
        at = f" at {', '.join(bridge.sites)}" if 0 < len(bridge.sites) <= SITES_TOLD_MAX else ""
        if len(bridge.sites) > SITES_TOLD_MAX:
            at = f" at {len(roll.sites)} sites"
        return f"about {bridge.users_affected:,} users of {names}{at}; {roll.tickets} tickets"

    def _show_linked(self, bridge: Incident) -> None:
        """Put its own and its members' records elsewhere side by side."""
        roll = self._rolls[bridge.id]
        rows = [_row(bridge.id, link) for link in bridge.links]
        if roll.links:
            for member in bridge.members:
                if member in roll.links:
                    rows += [_row(member, link) for link in roll.members[member].links]
        bridge.linked, bridge.linked_total = rows[:NAMED_MAX], len(rows)

    def _reach(self, bridge: Incident) -> Reach:
        """What the members come to together, as far as a person has not put it right."""
        reach, corrected = self._rolls[bridge.id].reach(), bridge.corrected
        if corrected is not None and corrected.users is not None:
            reach.users = corrected.users
        if corrected is not None and corrected.revenue_per_minute is not None:
            reach.revenue_per_minute = corrected.revenue_per_minute
        return reach

    def _still_major(self, bridge: Incident) -> bool:
        """Whether a trigger rule of the domain holds for the members."""
        return match_reach(self._rule_of(bridge), self._reach(bridge)) is not None

    def _bar(self, bridge: Incident) -> None:
        """Remember of each member what it came to, so that nothing but more declares it again."""
        reach, held = self._reach(bridge), bridge.major.held if bridge.major is not None else []
        for summary in self._members(bridge):
            if summary.state not in ENDED_STATES:
                self._floors[summary.incident_id] = floor_of(reach, held, self._floors.get(summary.incident_id))
                self.touch(FLOOR + summary.incident_id)


SITES_TOLD_MAX: Final = 6
"""Sites named in one sentence."""


def by_person(because: str) -> Match:
    """The rule by which a person declares."""
    return Match("", MajorIncidentMode.DECLARE, [because], [])


def _row(member: str, link: dict[str, Any]) -> dict[str, Any]:
    names = ("kind", "id", "state", "url")
    return {"member": member} | {name: link.get(name) for name in names}
