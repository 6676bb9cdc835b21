"""Correlate: episodes, changes and commands become incidents.

For each episode the candidates are weighed (`pipeline.core.clustering.evidence`); it joins the best one or opens an
incident. The incident is then assessed again: category, reach, priority, suspects; people are called, clocks run, and
every step is on its timeline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

import orjson

from pipeline.core.clustering import recovery
from pipeline.core.clustering.correlate_late import CorrelateLate
from pipeline.core.clustering.correlate_state import (
    GROUP,
    HELD,
    INCIDENT,
    LATE,
    LOOK,
    MEMBER,
    MUTING,
    ORDER,
    SILENCE,
    SUPPRESSED,
)
from pipeline.core.clustering.correlation_rules import CorrelationRules
from pipeline.core.clustering.matcher import Match
from pipeline.core.draft import Draft
from pipeline.core.identity import short_id
from pipeline.core.practice import adopt, majors, response
from pipeline.core.practice.actions import completion
from pipeline.core.practice.commands import (
    OUTLIVES_A_MERGE,
    aimed_at,
    apply_command,
    encode_command,
    gone,
    parse_command,
    remember,
)
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.core.practice.handlers import Handlers
from pipeline.core.step import Effects, Output, Record, dead_letter
from pipeline.core.topology import Topology
from pipeline.models.alert import SEVERITY_RANK, Alert
from pipeline.models.command import SILENCING, Command, CommandType, Role
from pipeline.models.decision import BadRecord, Decision, Disposition, Origin, Reason
from pipeline.models.episode import ANNOUNCED, EpisodeChange, EpisodeEvent, episode_from_wire
from pipeline.models.incident import Incident, IncidentChange, IncidentState
from pipeline.models.member import Member
from pipeline.models.problem import PROBLEM_COMMANDS_TOPIC
from pipeline.models.wire import to_json

TICKETS_MAX: Final = 1_000
"""Tickets that one incident links by name: bounds its record. More are members, counted as reporters."""


class CorrelateProcessor(CorrelateLate):
    """Incidents of the spaces of one partition."""

    stage: ClassVar[str] = "correlate"

    def __init__(
        self,
        desk: Desk,
        topology: Topology,
        resolve: Callable[[str], str | None],
        enrich: Callable[[Alert], None] | None = None,
        rules: CorrelationRules | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            desk: of the configuration.
            topology: of the configuration.
            resolve: finds the catalogue reference of a name that people or tools use.
            enrich: finds what an alert is about, for those of which nobody knew it when they came.
            rules: of the configuration, compiled; None: there are none.
        """
        super().__init__(desk, topology, resolve, rules)
        self._enrich = enrich
        self._resolve_name = resolve
        self._own: Handlers = {
            CommandType.MERGE: lambda _, draft, command: self._merge(draft, command),
            CommandType.SPLIT: lambda _, draft, command: self._split(draft, command),
            CommandType.ADOPT_POLICY: lambda _, draft, command: self._adopt(draft, command),
            CommandType.CORRECT_IMPACT: lambda _, draft, command: self._correct(draft, command),
        }

    # -- records

    def process(self, record: Record, effects: Effects) -> None:
        """Decide one record of ``episodes``, ``changes`` or ``commands``."""
        self._received_at_ms, self._event_at_ms = 0, None
        if record.topic == "episodes":
            self._episode(record, effects)
        elif record.topic == "changes":
            self._take_change(record.value, effects)
        elif (command := parse_command(record.value)).type in SILENCING:
            self._silence(command, (record.key or b"").decode(errors="replace"), effects)
        else:
            self._command(command, effects)
        self._publish(effects)

    def refuse(self, record: Record, bad: BadRecord, effects: Effects) -> None:
        """Changes and commands are not alerts: they go to the dead letter without being counted as one."""
        if record.topic == "episodes":
            super().refuse(record, bad, effects)
        else:
            effects.outputs.append(dead_letter(self.stage, record, bad))

    def on_timer(self, key: str, due_ms: int, effects: Effects) -> None:
        """An incident needs attention by itself, or a change is over."""
        self._received_at_ms, self._event_at_ms = 0, None
        kind, name = key[:2], key[2:]
        if kind == LATE:
            self._enrich_again(due_ms)
        elif kind == INCIDENT:
            self._weigh_muting(self._draft(self._book.case(name).incident))
            recovery.due(self._desk, self._book, self._draft(self._book.case(name).incident))
        elif kind == HELD:
            self._hold_due(name, effects)
        elif kind == LOOK:
            self._look_again(name)
        elif kind == MUTING:
            self._weigh_all_muted()
            self._weigh_open()
        elif kind == SUPPRESSED:
            self._reconsider(name, effects)
        elif kind == SILENCE:
            self._silence_due(name, effects)
        elif kind == GROUP:
            self._plan_group(name, self._ruling.due(name, due_ms))
        else:
            self._change_due(name, due_ms, effects)
        self._publish(effects)

    # -- episodes

    def _episode(self, record: Record, effects: Effects) -> None:
        try:
            event = episode_from_wire(orjson.loads(record.value or b""))
        except (ValueError, TypeError) as error:
            raise BadRecord(Reason.UNKNOWN_SCHEMA, f"not an episode that this release reads ({error})") from error
        self.ledger.received += event.counted
        self._received_at_ms = event.alert.received_at_ms if event.counted else 0
        self._event_at_ms = event.alert.event_at_ms if event.counted else None
        if event.change == EpisodeChange.OPENED:
            self._opened(event, effects)
            return
        held = self._holding.get(event.episode_id)
        if held is not None and self._held_news(held, event, effects):
            return
        member = self._book.member(event.episode_id)
        if member is not None:
            self._news(member, event, effects)
        elif event.episode_id in self._suppressed:
            self._suppressed_news(event, effects)
        elif event.change == EpisodeChange.STEADY:
            self._opened(event, effects)
        elif event.change == EpisodeChange.HIDDEN:
            self._hid_run(effects, event)
        elif event.change in ANNOUNCED:
            self._announced(event, effects)
        else:
            self._decide(effects, event, Disposition.CONTROL, Reason.INCIDENT_GONE, None)

    def _opened(self, event: EpisodeEvent, effects: Effects) -> None:
        if self._expected(event, effects):
            return
        episode = self._assessor.member(event)
        self._note_began(event.alert)
        flaps = event.reason == Reason.FLAPPING
        found = self._place(event, episode)
        if found.incident is None and not flaps and self._confirm(episode, event.space, effects):
            found = self._place(event, episode)
        match = found if flaps else self._gather(event, episode, found, effects)
        if match is None or (not match.enough and self._waits(event, match, effects)):
            return
        incident = self._admit(event, episode, match, effects)
        if flaps:
            self._tell_turns(self._draft(incident), episode, event)
        self._draw_in(episode, event.space, effects)

    def _admit(self, event: EpisodeEvent, episode: Member, match: Match, effects: Effects) -> Incident:
        if match.ruled is not None:
            episode.marks = match.ruled.marks
        by_itself = event.counted or event.reason == Reason.FEED_SILENT
        facts = match.told() | event.trace() | {"began": event.reason if by_itself else Reason.RELEASED}
        if match.incident is None or match.verdict is None:
            incident = self._open(episode, event.space, match, facts)
            outcome = (Disposition.OPENED, match.opens_because)
        else:
            incident = match.incident
            outcome = (Disposition.JOINED, match.verdict.reason)
            self._join(self._draft(incident), episode, match, facts)
        self._settle(match, episode, effects)
        self._note_source(event)
        self._plan_look(episode, match)
        self._hid_before(effects, event, episode)
        incident.alerts_total += event.counted
        if event.alert.entity is None and self._enrich is not None:
            self._keep_late(event, episode.joined_order)
        self._decide(effects, event, *outcome, incident)
        return incident

    def _open(self, episode: Member, space: str, match: Match, told: dict[str, Any]) -> Incident:
        incident = self._new_incident(short_id("INC", episode.episode_id), space)
        incident.opened_at_ms = min(episode.event_at_ms, self.clock_ms)
        draft = self._draft(incident)
        facts = {"episode_id": episode.episode_id, "reason": match.opens_because, **told}
        draft.note("detect", MACHINE, f"{match.opening()}: {episode.summary}", IncidentChange.OPENED, **facts)
        self._take_in(draft, episode)
        self._rank_down(draft, episode)
        self._assessor.log(draft, episode, self._book.tally(incident.id), self._changes.recent(), match.title)
        return incident

    def _join(self, draft: Draft, episode: Member, match: Match, told: dict[str, Any]) -> None:
        incident = draft.incident
        self._take_in(draft, episode)
        draft.note(
            "join",
            MACHINE,
            f"joined ({match.joined_by()}): {episode.summary}",
            episode_id=episode.episode_id,
            **match.weighed(),
            **told,
        )
        if incident.state == IncidentState.RESOLVED:
            recovery.came_after(self._desk, draft, episode, self._book.tally(incident.id))
        self._assess(draft)

    def _take_in(self, draft: Draft, episode: Member) -> None:
        incident = draft.incident
        self._book.join(episode, incident.id)
        self.touch(MEMBER + episode.episode_id)
        self.touch(ORDER)
        incident.episodes_open += episode.resolved_at_ms is None
        incident.episodes_total += 1
        if not self._book.tally(incident.id).all_clear():
            incident.resolve_at_ms = None
        incident.news_at_ms = self.clock_ms
        draft.joined.append(episode.episode_id)
        if episode.ticket is not None and len(incident.tickets) < TICKETS_MAX:
            incident.tickets.append(self._assessor.ticket(episode))

    def _news(self, member: Member, event: EpisodeEvent, effects: Effects) -> None:
        """A change of an episode that is a member."""
        incident = self._book.case(member.incident_id).incident
        draft = self._draft(incident)
        incident.alerts_total += event.counted
        incident.news_at_ms = self.clock_ms
        reason = Reason.EPISODE_UPDATED
        if event.change in (EpisodeChange.RESOLVED, EpisodeChange.EXPIRED):
            reason = Reason.EPISODE_RESOLVED
            origin = event.alert.origin if event.change == EpisodeChange.RESOLVED else None
            self._note_over(event, member.opened_at_ms, incident)
            recovery.cleared(self._desk, self._book, draft, member, origin)
            self._forget_late(member.episode_id)
            self._source_over(member.episode_id)
        elif event.change in (EpisodeChange.FLAPPING, EpisodeChange.STEADY):
            reason = Reason.FLAPPING
            self._tell_turns(draft, member, event)
            self._severity(draft, member, event)
        elif event.change == EpisodeChange.CHANGED:
            self._severity(draft, member, event)
            self._source_changed(event)
        else:
            response.acknowledge(self._desk, draft, f"source {member.feed}")
        if incident.muted is not None:
            self._weigh_muting(draft)
        self._hid_from_members(effects, event, member)
        self.touch(MEMBER + member.episode_id)
        self._decide(effects, event, Disposition.JOINED, reason, incident)

    def _severity(self, draft: Draft, member: Member, event: EpisodeEvent) -> None:
        """A member has perhaps another severity now."""
        if event.alert.severity == member.severity:
            return
        worse = SEVERITY_RANK.get(event.alert.severity, 0) > SEVERITY_RANK.get(member.severity, 0)
        text = f"severity {member.severity} -> {event.alert.severity}: {member.summary}"
        facts = {"episode_id": member.episode_id, "origin": event.alert.origin}
        draft.note("severity", MACHINE, text, IncidentChange.UPDATED, **facts)
        self._book.set_severity(member, event.alert.severity)
        if worse:
            recovery.got_worse(self._desk, draft, member)
            self._assess(draft)

    # -- commands

    def _command(self, command: Command, effects: Effects) -> None:
        self._event_at_ms = command.at_ms
        self._named_by_person(command.target, effects)
        if self._outlived(command, effects):
            return
        incident = self._target(command)
        if incident is None:  # it has ended while another stage asked
            return
        if (command.target.bridge or command.type in majors.FOR_THE_BRIDGE) and incident.bridge_id is not None:
            onward = encode_command(aimed_at(command, incident.bridge_id))
            effects.outputs.append(Output("bridge.commands", incident.bridge_id.encode(), onward, self.clock_ms))
            return
        draft = self._draft(incident)
        if not remember(draft, command):
            self._forget_empty(draft)
            return
        apply_command(self._desk, draft, command, self._own)

    def _adopt(self, draft: Draft, command: Command) -> None:
        """Go by the pack in force: its members are counted anew, and its priority may fall as well as rise."""
        incident = draft.incident
        before = adopt.standing(incident)
        if not adopt.begin(self._desk, draft, command):
            return
        self._book.count_again(incident.id)
        self._assessor.assess(draft, self._book.tally(incident.id), self._changes.recent(), anew=True)
        adopt.settle(self._desk, draft)
        adopt.tell(draft, command, before)

    def _correct(self, draft: Draft, command: Command) -> None:
        """Put the impact right; what is assessed by it, is assessed again."""
        if majors.correct(draft, command):
            self._book.tally(draft.incident.id).applied = None
            self._assess(draft)

    def _outlived(self, command: Command, effects: Effects) -> bool:
        """Pass on what is asked of a corrective action of an incident that has ended: its problem tracks that."""
        onward = completion(command)
        if onward is None or self._book.find(command.target, self._resolve_name) is not None:
            return False
        if self._book.absorber(onward.problem_id) is not None:
            return False
        value = to_json(onward.model_dump(mode="json", exclude_none=True))
        effects.outputs.append(Output(PROBLEM_COMMANDS_TOPIC, onward.problem_id.encode(), value, self.clock_ms))
        return True

    def _new_incident(self, incident_id: str, space: str) -> Incident:
        now = self.clock_ms
        incident = Incident(
            id=incident_id,
            space=space,
            detected_at_ms=now,
            opened_at_ms=now,
            updated_at_ms=now,
            news_at_ms=now,
            config_version=self._desk.config.version,
        )
        self._book.open_incident(incident)
        return incident

    def _target(self, command: Command) -> Incident | None:
        """The incident that a command is about; None where the pipeline itself asks and it is gone.

        Raises:
            BadRecord: no such incident is open here.
        """
        incident = self._book.find(command.target, self._resolve_name)
        goes_on = None if incident is not None else self._book.absorber(command.target.incident_id or "")
        if goes_on is not None and command.type in OUTLIVES_A_MERGE:
            incident = self._book.incident(goes_on)
        if incident is None and command.as_role != Role.SYSTEM:
            raise gone(command, goes_on)
        return incident

    # -- small things

    def _assess(self, draft: Draft) -> None:
        incident = draft.incident
        self._rank_up(draft)
        self._weigh_muting(draft)
        self._assessor.assess(draft, self._book.tally(incident.id), self._changes.recent())
        if incident.muted is not None:
            self._weigh_muting(draft)  # by the priority that it has now

    def _decide(
        self, effects: Effects, event: EpisodeEvent, disposition: Disposition, reason: Reason, incident: Incident | None
    ) -> None:
        """Note the disposition of the alert behind the event; timers have none, their alerts were counted before."""
        if not event.counted:
            return
        alert = event.alert
        self.decide(
            effects,
            Decision(
                Origin(*alert.origin),
                disposition,
                reason,
                alert.received_at_ms,
                event.alert_key,
                event.episode_id,
                incident.id if incident else None,
                incident.bridge_id if incident else None,
            ),
        )
