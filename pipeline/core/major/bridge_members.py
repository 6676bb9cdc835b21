"""Members: what their news mean for their bridge incident, who leaves it, and how it ends for them."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.core.clocks import sla
from pipeline.core.draft import Draft
from pipeline.core.major import coordinate
from pipeline.core.major.bridge_declaring import BridgeDeclaring, by_person
from pipeline.core.major.bridge_rules import joined as both
from pipeline.core.major.bridge_state import FLOOR, PLACE, SUMMARY, is_open, phase_of
from pipeline.core.major.relations import add_up
from pipeline.core.practice import ending
from pipeline.core.practice.commands import passed_on
from pipeline.core.practice.desk import MACHINE, MINUTE_MS
from pipeline.core.practice.lifecycle import ANSWERED_STATES, ENDED_STATES, OPEN_STATES
from pipeline.core.step import Effects
from pipeline.models.command import Command, CommandType, Resolution
from pipeline.models.incident import ABSORBED_MAX, Incident, IncidentChange, IncidentState
from pipeline.models.major import CoordinatedStatus, MajorIncidentMode, MajorIncidentPhase
from pipeline.models.summary import Summary


class BridgeMembers(BridgeDeclaring):
    """The part of the bridge that keeps bridge incidents true."""

    def _member_news(self, bridge: Incident, known: Summary | None, summary: Summary, effects: Effects) -> None:
        """Keep the bridge true after one of its members changed; resolve it with its last member."""
        draft = self._draft(bridge, summary.received_at_ms)
        self._rolls[bridge.id].put(summary)
        before = (bridge.users_affected, bridge.revenue_per_minute, bridge.entities_total)
        if self._is_its_own(bridge, summary):
            self._part_for_its_own(draft, summary, effects)
            return
        self._take_heir(draft, summary, effects)
        lowered = _lowered(known, summary)
        if lowered and bridge.major is not None:
            bridge.major.lowered = True
        self._aggregate(draft, summary, anew=lowered)
        self._declared(draft, known, summary, effects)
        if known is not None and known.state != summary.state:
            text = f"{summary.incident_id} is {summary.state.replace('_', ' ')}"
            draft.note("member", MACHINE, text, IncidentChange.UPDATED, incident_id=summary.incident_id)
            self._follow(draft, known, summary, effects)
        elif (bridge.users_affected, bridge.revenue_per_minute, bridge.entities_total) != before:
            draft.note("affected", MACHINE, bridge.who_is_affected, IncidentChange.UPDATED, users=bridge.users_affected)
        if phase_of(bridge) == MajorIncidentPhase.DECLARED:
            self._tell_cause(draft, summary)
        self._watch_impact(draft)
        if draft.entries:
            self._publish(draft, effects)
        else:
            self._plan(bridge)

    def _take_heir(self, draft: Draft, summary: Summary, effects: Effects) -> None:
        """What a member was merged into is a member, unless it is one of another bridge."""
        heir = self._summaries.get(summary.merged_into or "")
        free = heir is not None and heir.incident_id not in self._bridge_of and heir.state not in ENDED_STATES
        if heir is not None and free and draft.incident.state in OPEN_STATES:
            self._link(draft, heir, effects)

    def _declared(self, draft: Draft, known: Summary | None, summary: Summary, effects: Effects) -> None:
        """A person declares a member: that confirms a proposal."""
        said = _new_declaration(known, summary)
        if said is None or draft.incident.state not in OPEN_STATES:
            return
        text = f"{said['by']} declared {summary.incident_id} a Major Incident: {said['because']}"
        if phase_of(draft.incident) == MajorIncidentPhase.PROPOSED:
            self._confirm(draft, said["by"], text, effects)
        else:
            draft.note("declare", said["by"], text, incident_id=summary.incident_id)
        if draft.incident.major is not None:
            draft.incident.major.by = said["by"]  # from now on only people take it back

    def _follow(self, draft: Draft, known: Summary, summary: Summary, effects: Effects) -> None:
        bridge = draft.incident
        if self._end_with_members(draft):
            return
        if not is_open(bridge):
            came_back = summary.state in OPEN_STATES and known.state not in OPEN_STATES
            if came_back and bridge.resolved_at_ms is not None:
                ending.reopen(self._desk, draft, MACHINE, f"reopened: {summary.incident_id} came back")
                bridge.status = CoordinatedStatus.INVESTIGATING
            return
        if summary.state in ANSWERED_STATES:
            sla.meet(self._desk, draft, "response")
        states = self._rolls[bridge.id].states
        if states[IncidentState.MITIGATED] and not any(
            state in OPEN_STATES and state != IncidentState.MITIGATED for state in states
        ):
            coordinate.go_on(draft, "monitoring", "every member that is open has its workaround")

    def _end_with_members(self, draft: Draft) -> bool:
        """End an open bridge none of whose members is open any more; whether it did."""
        bridge = draft.incident
        if bridge.state not in OPEN_STATES or self._rolls[bridge.id].any_open():
            return False
        if phase_of(bridge) == MajorIncidentPhase.PROPOSED:
            self._come_to_nothing(draft, MajorIncidentPhase.WITHDRAWN, MACHINE, "all its incidents are over")
            return True
        done = Resolution(code="members_resolved", summary="all member incidents are resolved")
        if ending.resolve(self._desk, draft, MACHINE, done):
            bridge.status = CoordinatedStatus.RESOLVED
        return True

    # -- who leaves

    def _is_its_own(self, bridge: Incident, summary: Summary) -> bool:
        """Whether a member has become a Major Incident by itself, for a cause that no other member suspects.

        What another member was merged into goes on as that one.
        """
        if bridge.members[0] == summary.incident_id or not {bridge.state, summary.state} <= OPEN_STATES:
            return False
        if summary.priority not in self._rule(summary.domain).counted:
            return False
        if self._rolls[bridge.id].has_cause_of(summary):
            return False
        match = self._match(summary.domain, [summary])
        if match is None:
            return False
        # Nobody leaves what is in force for what is only proposed.
        return match.mode != MajorIncidentMode.PROPOSE or phase_of(bridge) == MajorIncidentPhase.PROPOSED

    def _part_for_its_own(self, draft: Draft, summary: Summary, effects: Effects) -> None:
        """A member leaves its bridge, and opens its own."""
        text = f"{summary.incident_id} has become a Major Incident of its own: {summary.title}"
        self._leave(draft, summary.incident_id, text)
        self._end_with_members(draft)
        self._watch_impact(draft)
        self._publish(draft, effects)
        match = self._match(summary.domain, [summary])
        if match is not None:
            self._open(summary, [summary], match, effects)

    def _leave(self, draft: Draft, member: str, text: str) -> None:
        """A member is none any more."""
        bridge = draft.incident
        bridge.members.remove(member)
        bridge.parted = [*bridge.parted, member][-ABSORBED_MAX:]
        del self._bridge_of[member]
        self._rolls[bridge.id].drop(member)
        if bridge.major is not None:
            bridge.major.lowered = True
            bridge.major.promoted.pop(member, None)
        self._aggregate(draft, anew=True)
        draft.note("unlink", MACHINE, text, IncidentChange.UPDATED, incident_id=member)

    def _unlink(self, draft: Draft, summary: Summary, note: str, effects: Effects) -> None:
        """Let a member speak and run for itself again, with the priority that was its own."""
        bridge = draft.incident
        self._say(summary, bridge, CommandType.UNLINK_BRIDGE, effects, bridge_id=bridge.id, note=note)
        before = bridge.major.promoted.get(summary.incident_id) if bridge.major is not None else None
        if before is not None:
            self._say(summary, bridge, CommandType.SET_PRIORITY, effects, priority=before, note=note)

    # -- when impact was wrong

    def _watch_impact(self, draft: Draft) -> None:
        """Note since when the impact is under all thresholds, where that matters: see `_major_dues`."""
        bridge = draft.incident
        major = bridge.major
        if major is None or bridge.state not in OPEN_STATES or not self._may_fall(bridge):
            return
        if self._still_major(bridge):
            major.below_since_ms = None
        elif major.below_since_ms is None:
            major.below_since_ms = draft.now_ms

    def _may_fall(self, bridge: Incident) -> bool:
        """Whether a bridge comes to nothing by itself when its impact falls away."""
        major = bridge.major
        if major is None:
            return False
        if major.phase == MajorIncidentPhase.PROPOSED:
            return True
        return major.lowered and major.by == MACHINE and self._rule_of(bridge).demote_after_minutes is not None

    def _major_dues(self, bridge: Incident) -> Iterable[int | None]:
        """When a proposal or a declaration needs attention by itself."""
        major = bridge.major
        if major is None or bridge.state not in OPEN_STATES:
            return
        yield major.decide_by_ms
        yield major.call_at_ms
        if major.below_since_ms is not None and self._may_fall(bridge):
            yield major.below_since_ms + self._patience_ms(bridge)

    def _patience_ms(self, bridge: Incident) -> int:
        rule = self._rule_of(bridge)
        if phase_of(bridge) == MajorIncidentPhase.PROPOSED:
            return rule.propose.withdraw_minutes * MINUTE_MS
        return (rule.demote_after_minutes or 0) * MINUTE_MS

    def _major_due(self, draft: Draft, effects: Effects) -> None:
        """Do what is due for the Major Incident as such."""
        bridge = draft.incident
        major, now = bridge.major, draft.now_ms
        if major is None or bridge.state not in OPEN_STATES:
            return
        rule = self._rule_of(bridge)
        below = major.below_since_ms
        if below is not None and self._may_fall(bridge) and below + self._patience_ms(bridge) <= now:
            minutes = self._patience_ms(bridge) // MINUTE_MS
            text = f"its impact was under all thresholds for {minutes} minutes: {bridge.who_is_affected}"
            if major.phase == MajorIncidentPhase.PROPOSED:
                self._come_to_nothing(draft, MajorIncidentPhase.WITHDRAWN, MACHINE, text)
            else:
                self._demote(draft, MACHINE, text, effects)
        elif major.decide_by_ms is not None and major.decide_by_ms <= now:
            text = f"nobody answered within {rule.propose.expires_minutes} minutes"
            if rule.propose.unanswered == "declare":
                self._confirm(draft, MACHINE, f"declared, as {text}", effects)
            else:
                self._bar(bridge)
                self._come_to_nothing(draft, MajorIncidentPhase.EXPIRED, MACHINE, text)
        elif major.call_at_ms is not None and major.call_at_ms <= now:
            major.call_at_ms = None
            self._call_manager(draft)

    def _demote(self, draft: Draft, actor: str, because: str, effects: Effects) -> None:
        """It was no Major Incident: its members go on by themselves, and nothing but more impact declares it again."""
        bridge = draft.incident
        self._bar(bridge)
        self._release(draft, f"{bridge.id} is no Major Incident: {because}", effects)
        self._come_to_nothing(draft, MajorIncidentPhase.DEMOTED, actor, because)

    def _release(self, draft: Draft, note: str, effects: Effects) -> None:
        """Let every member that is not over go on by itself."""
        for summary in list(self._members(draft.incident)):
            if summary.state not in ENDED_STATES:
                self._unlink(draft, summary, note, effects)

    def _come_to_nothing(self, draft: Draft, phase: MajorIncidentPhase, actor: str, because: str) -> None:
        """The record ends without a Major Incident. Whoever was told of one is told that it is none."""
        bridge = draft.incident
        if bridge.major is not None:
            bridge.major.phase, bridge.major.decide_by_ms, bridge.major.call_at_ms = phase, None, None
        coordinate.cancel(self._desk, draft, actor, f"{phase}: {because}")

    # -- when it is over

    def _closed(self, draft: Draft, command: Command | None, effects: Effects) -> None:
        """The bridge is closed: what is restored is closed with its resolution, what is not goes on by itself.

        Nobody closes an incident over what a monitor still reports.
        """
        bridge = draft.incident
        for summary in list(self._members(bridge)):
            if summary.state in ENDED_STATES:
                continue
            if summary.fires or summary.state in OPEN_STATES:
                why = "still fires" if summary.fires else f"is {summary.state.replace('_', ' ')}"
                text = f"{summary.incident_id} {why}: it goes on by itself"
                draft.note("unlink", MACHINE, text, IncidentChange.UPDATED, incident_id=summary.incident_id)
                self._unlink(draft, summary, f"Major Incident {bridge.id} is closed, this {why}", effects)
            elif command is not None:
                known = bridge.resolution or {}
                said = {name: known.get(name) for name in Resolution.model_fields}
                self._hand_on(summary, command, effects, resolution=Resolution.model_validate(said))
            else:  # its own pack closes it later; should it come back meanwhile, nobody else speaks for it
                note = f"Major Incident {bridge.id} is closed"
                self._say(summary, bridge, CommandType.UNLINK_BRIDGE, effects, bridge_id=bridge.id, note=note)

    def _hand_on(self, summary: Summary, command: Command, effects: Effects, **fields: object) -> None:
        """Ask of a member what a person asked of the bridge, once."""
        onward = passed_on(command, summary.incident_id).model_copy(update=fields)
        self._order(summary, onward, effects)

    # -- records

    def _weigh(self, summary: Summary, effects: Effects) -> None:
        """Take news of an incident in."""
        known = self._summaries.get(summary.incident_id)
        if known is not None and summary.revision < known.revision:
            return  # carried here from another region and told again: it would take the incident back to what it was
        bridge_id = self._bridge_of.get(summary.incident_id)
        self._inherit_floor(summary)
        if summary.state in ENDED_STATES and bridge_id is None:
            if known is not None:
                self._relations.drop(known)
            self._lift(summary.incident_id)
            self.touch(SUMMARY + summary.incident_id)
            return
        if self._relations.take(summary):
            self.touch(PLACE)
        self.touch(SUMMARY + summary.incident_id)
        if bridge_id is not None:
            self._member_news(self._bridges[bridge_id], known, summary, effects)
        elif summary.state in OPEN_STATES:
            said = _new_declaration(known, summary)
            if said is not None:
                self._declare(summary, said, effects)
            else:
                self._consider(summary, effects)

    def _inherit_floor(self, summary: Summary) -> None:
        """What took a demoted incident in is known to be no Major Incident by that."""
        floor, heir = self._floors.get(summary.incident_id), self._summaries.get(summary.merged_into or "")
        if floor is not None and heir is not None and heir.state not in ENDED_STATES:
            self._floors[heir.incident_id] = both(floor, self._floors.get(heir.incident_id))
            self.touch(FLOOR + heir.incident_id)

    def _declare(self, summary: Summary, said: dict[str, str], effects: Effects) -> None:
        """A person declares an incident a Major Incident, whatever was decided of it before."""
        self._lift(summary.incident_id)
        related = self._relations.related(summary, self.clock_ms)
        together = [each for each in related if add_up(summary, each) and each.incident_id not in self._bridge_of]
        others = [each for each in together if each.incident_id not in self._floors]
        self._open(summary, [summary, *others], by_person(said["because"]), effects, actor=said["by"])


def _new_declaration(known: Summary | None, summary: Summary) -> dict[str, str] | None:
    """A declaration that has not been acted upon."""
    said = summary.declared
    if said is None or (known is not None and known.declared is not None and known.declared == said):
        return None
    return said


def _lowered(known: Summary | None, summary: Summary) -> bool:
    """Whether what an incident comes to was put right: by a person, or because it was none."""
    if known is None:
        return False
    cancelled = summary.state == IncidentState.CANCELLED != known.state
    return cancelled or known.corrected_at_ms != summary.corrected_at_ms
