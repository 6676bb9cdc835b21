"""Commands about silences, and what sources announce: both begin, change and end what is muted.

A silence goes on record when it begins, changes and ends: who, why, until when, and what it has hidden.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pipeline.core.clustering.correlate_muted import CorrelateMuted
from pipeline.core.clustering.correlate_state import CHANGE, SILENCE
from pipeline.core.step import Effects, Output
from pipeline.models.alert import Alert
from pipeline.models.command import Change, ChangeKind, Command, CommandType, Role
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.episode import EpisodeChange, EpisodeEvent
from pipeline.models.permissions import ANY_RESPONDER
from pipeline.models.silence import Silence
from pipeline.models.suppression import SUPPRESSIONS_TOPIC, Ended, Suppression, What
from pipeline.models.wire import to_json

_HOST_LABEL: Final = "service"
"""Label by which monitors of hosts name the one check that is worked on, not the host."""


class CorrelateSilences(CorrelateMuted):
    """The part of correlate that obeys silences and announced maintenance."""

    # -- silences

    def _silence(self, command: Command, space: str, effects: Effects) -> None:
        """Apply a command about a silence.

        Raises:
            BadRecord: it is refused, and nothing has changed.
        """
        if not space:
            raise BadRecord(Reason.MISSING_FIELD, f"{command.type}: the record has no key; commands are keyed by space")
        if command.as_role not in (*ANY_RESPONDER.roles, Role.SYSTEM):
            who = ", ".join(ANY_RESPONDER.roles)
            raise BadRecord(Reason.NOT_PERMITTED, f"{command.type}: {who} may, not a {command.as_role}")
        if command.type == CommandType.SILENCE:
            self._begin_silence(command, space, effects)
            return
        if command.type == CommandType.UNSILENCE:
            silence = self._silences.end(command, self.clock_ms)
        elif command.until is None:
            raise BadRecord(Reason.MISSING_FIELD, "extend_silence: until is missing")
        else:
            silence = self._silences.extend(command, command.until.timestamp(), self.clock_ms)
        if silence is None:
            return
        self._plan_silence(silence)
        self._tell_silence(silence, Ended.ON if silence.ended_at_ms is None else Ended.OVER, effects)
        if silence.ended_at_ms is not None:
            self._silence_over(silence.id, effects)

    def _begin_silence(self, command: Command, space: str, effects: Effects) -> None:
        request = command.silence
        if request is None:
            raise BadRecord(Reason.MISSING_FIELD, "silence: says nothing of what is to be muted, until when, by whom")
        incident = None
        if command.target.incident_id is not None:
            incident = self._book.incident(command.target.incident_id)
            if incident is None:
                raise BadRecord(Reason.UNKNOWN_TARGET, "silence: no open incident matches the target")
            keys = dict.fromkeys(member.alert_key for member in self._book.members_of(incident.id))
            request = request.model_copy(update={"conditions": (*request.conditions, *keys)})
        silence = self._silences.add(command, request, space, self.clock_ms)
        if silence is None:
            return
        self._plan_silence(silence)
        self._tell_silence(silence, Ended.ON, effects)
        self._weigh_open()
        if incident is not None:
            self._weigh_quietly(incident)

    def _plan_silence(self, silence: Silence) -> None:
        self.touch(SILENCE + silence.id)
        self.timers.set(SILENCE + silence.id, silence.until_ms)

    def _silence_due(self, silence_id: str, effects: Effects) -> None:
        """The time of a silence is up, or of one that was ended early."""
        silence = self._silences.forget(silence_id)
        self.touch(SILENCE + silence_id)
        if silence is not None and silence.ended_at_ms is None:
            self._tell_silence(silence, Ended.OVER, effects)
            self._silence_over(silence_id, effects)

    def _silence_over(self, silence_id: str, effects: Effects) -> None:
        for episode_id in self._suppressed.of(Reason.SILENCED, silence_id):
            self._reconsider(episode_id, effects)
        self._weigh_all_muted()

    def _tell_silence(self, silence: Silence, ended: Ended, effects: Effects) -> None:
        """Put a silence on record as it is now; the newest record of it stands."""
        told = Suppression(
            what=What.SILENCE,
            ended=ended,
            episode_id=silence.id,
            alert_key=silence.id,
            space=silence.space,
            feed="",
            summary=silence.reason,
            severity="",
            since_ms=silence.since_ms,
            until_ms=self.clock_ms,
            alerts=silence.alerts,
            runs=silence.hidden,
            decided_by=silence.told() | {"firing": len(self._suppressed.of(Reason.SILENCED, silence.id))},
        )
        effects.outputs.append(Output(SUPPRESSIONS_TOPIC, silence.id.encode(), to_json(told), self.clock_ms))

    # -- what sources announce

    def _announced(self, event: EpisodeEvent, effects: Effects) -> None:
        """A source says that maintenance begins or ends: it is a change of ours from then on."""
        alert, now_ms = event.alert, self.clock_ms
        facts = event.facts or {}
        if event.change == EpisodeChange.MAINTENANCE_STARTED:
            targets = self._places_announced(alert)
            if not targets:
                return
            change = Change(
                change_id=_names_of(alert)[0],
                kind=ChangeKind.MAINTENANCE,
                summary=alert.summary[:1_000],
                targets=tuple(targets),
                started_at=_moment(facts.get("start_ms", now_ms)),
                ended_at=_moment(facts["end_ms"]) if "end_ms" in facts else None,
                actor=alert.feed,
                suppress=True,
                labels=_labels_of(alert),
            )
            self._take_change(change.model_dump_json().encode(), effects)
            return
        for name in _names_of(alert):
            known = self._changes.get(name)
            if known is not None and known.suppress:
                ended = min(_moment(facts.get("end_ms", now_ms)), known.ended_at or _moment(now_ms))
                over = known.model_copy(update={"ended_at": max(ended, known.started_at)})
                self._take_change(over.model_dump_json().encode(), effects)

    def _places_announced(self, alert: Alert) -> list[str]:
        """What work is announced on. What a source only mentions is not worked on."""
        places = [alert.entity] if alert.entity else sorted(self._places(alert))
        return [place for place in places if place]

    def _take_change(self, value: bytes | None, effects: Effects) -> None:
        """Take a change in, new or brought up to date."""
        for change_id, due_ms in self._changes.take(value, self.clock_ms):
            self.touch(CHANGE + change_id)
            self.timers.set(CHANGE + change_id, due_ms)
            change = self._changes.get(change_id)
            if change is not None and change.suppress:
                self._weigh_places(list(change.targets))
        self._maintenance_over(effects)

    def _change_due(self, change_id: str, due_ms: int, effects: Effects) -> None:
        """A maintenance ends, or a change is too old to matter."""
        self.timers.set(CHANGE + change_id, self._changes.due(change_id, due_ms))
        self.touch(CHANGE + change_id)
        self._maintenance_over(effects)

    def _maintenance_over(self, effects: Effects) -> None:
        """Some maintenance is perhaps over: let in what it expected, and call for what it muted."""
        self._release(effects)
        self._weigh_all_muted()


def _names_of(alert: Alert) -> list[str]:
    """Ids of the change that a source announces: by its own id of it, where it has one, and by the condition."""
    names = [f"{alert.feed}/{each}" for each in (alert.source_episode_id, alert.alert_key) if each]
    return [name[:256] for name in names]


def _labels_of(alert: Alert) -> dict[str, str]:
    """Labels that an alert must carry to be expected: of a check on a host that is worked on, the check."""
    check = alert.labels.get(_HOST_LABEL)
    by_host = alert.entity is None or alert.matched_by == "host"
    return {_HOST_LABEL: check} if check is not None and by_host and alert.host else {}


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1_000, UTC)
