"""Dedupe: many alerts of one condition become few episodes.

Per alert key: repeats are folded, severity changes and recoveries told, transients held, flapping and maintenance
suppressed, silent sources expired. What is suppressed is kept, so that the truth comes back when its reason ends:
an alert that still fires at the end of a maintenance window is released then.

Each alert either gets its disposition here or is forwarded inside an episode event for correlate to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

import orjson

from pipeline.core.condition import CONDITION_SCHEMA, Condition, Phase
from pipeline.core.maintenance import MaintenanceIndex
from pipeline.core.step import Effects, Output, Processor, Record
from pipeline.core.topology import Topology
from pipeline.models.alert import Alert, Kind, alert_from_wire
from pipeline.models.decision import BadRecord, Decision, Disposition, Origin, Reason
from pipeline.models.episode import EpisodeChange, EpisodeEvent
from pipeline.models.policy import Config, Feed

_COUNTERS: Final = "c/"
_BODY: Final = "a/"
_SUPPRESSION: Final[dict[str, Reason]] = {
    Phase.MAINTENANCE: Reason.MAINTENANCE,
    Phase.FLAPPING: Reason.FLAPPING,
}
_CONTROL: Final[dict[str, Reason]] = {
    Kind.HEARTBEAT: Reason.HEARTBEAT,
    Kind.MAINTENANCE_START: Reason.MAINTENANCE_NOTICE,
    Kind.MAINTENANCE_END: Reason.MAINTENANCE_NOTICE,
    Kind.CONTROL: Reason.SOURCE_CONTROL,
}
_SETTLED: Final = frozenset({Phase.RESOLVED})


class DedupeProcessor(Processor):
    """Episodes of one partition of ``alerts``."""

    stage: ClassVar[str] = "dedupe"

    def __init__(self, config: Config, feeds: Mapping[str, Feed], topology: Topology) -> None:
        super().__init__()
        self._settings = config.correlation
        self._feeds = feeds
        self._maintenance = MaintenanceIndex(config.maintenance, topology)
        self._conditions: dict[str, Condition] = {}
        self._open = 0

    # -- state

    def load(self, key: str, value: bytes) -> None:
        """Take one state record back."""
        if key.startswith(_BODY):
            self._condition(key[len(_BODY) :]).body = value
            return
        document = orjson.loads(value)
        if document.pop("schema") != CONDITION_SCHEMA:
            raise ValueError(f"dedupe: state record {key!r} has a schema that this release does not read")
        condition = self._condition(key[len(_COUNTERS) :])
        for name, each in document.items():
            setattr(condition, name, each)

    def _condition(self, key: str) -> Condition:
        condition = self._conditions.get(key)
        if condition is None:
            condition = self._conditions[key] = Condition()
        return condition

    def dump(self, key: str) -> bytes | None:
        """The state record of a key; None where the condition is forgotten."""
        condition = self._conditions.get(key[2:])
        if condition is None:
            return None
        return condition.body if key.startswith(_BODY) else orjson.dumps(condition.counters())

    def restored(self) -> None:
        """Set the deadlines again."""
        for key in sorted(self._conditions):
            self.timers.set(key, self._deadline(self._conditions[key]))
        self._open = sum(condition.phase == Phase.OPEN for condition in self._conditions.values())

    def gauges(self) -> dict[str, dict[str, float]]:
        """Open episodes, for metrics."""
        return {"open_episodes": {"": float(self._open)}}

    # -- decisions

    def process(self, record: Record, effects: Effects) -> None:
        """Decide one alert."""
        body = record.value
        if not body:
            raise BadRecord(Reason.EMPTY, "an alert without a value")
        try:
            alert = alert_from_wire(orjson.loads(body))
        except (ValueError, TypeError) as error:
            raise BadRecord(Reason.UNKNOWN_SCHEMA, f"not an alert that this release reads ({error})") from error
        self.ledger.received += 1
        control = _CONTROL.get(alert.kind)
        if control is not None:
            self._decide(effects, alert, Disposition.CONTROL, control, None)
        elif alert.kind in (Kind.FIRING, Kind.TICKET):
            self._firing(alert, body, effects)
        elif alert.kind in (Kind.RESOLVED, Kind.MERGED):
            self._resolved(alert, effects)
        else:
            self._acknowledged(alert, effects)

    def _firing(self, alert: Alert, body: bytes, effects: Effects) -> None:
        condition = self._conditions.get(alert.alert_key)
        if condition is None or condition.phase in _SETTLED:
            if condition is not None and condition.is_late(alert):
                self._decide(effects, alert, Disposition.REPEATED, Reason.OUT_OF_ORDER, condition)
                return
            self._begin(alert, body, effects)
            return
        if alert.delivery_id is not None and alert.delivery_id == condition.delivery_id:
            self._decide(effects, alert, Disposition.REPEATED, Reason.DUPLICATE_DELIVERY, condition)
            return
        self._continue(alert, body, condition, effects)

    def _continue(self, alert: Alert, body: bytes, condition: Condition, effects: Effects) -> None:
        """An alert of a condition that is known to fire."""
        late = condition.heard(alert, self.clock_ms)
        if late or alert.severity == condition.severity:
            reason = Reason.OUT_OF_ORDER if late else Reason.STILL_FIRING
            self._keep(alert.alert_key, condition)
            disposition = Disposition.HELD if condition.phase == Phase.HELD else Disposition.REPEATED
            suppressed = _SUPPRESSION.get(condition.phase)
            if suppressed is not None:
                disposition, reason = Disposition.SUPPRESSED, suppressed
            self._decide(effects, alert, disposition, reason, condition)
            return
        condition.worded(alert, body)
        if condition.phase == Phase.HELD and condition.opened_at_ms + self._hold_ms(alert) <= self.clock_ms:
            self._enter(condition, Phase.OPEN)  # what became worse waits no longer than if it had begun so
            self._forward(effects, alert, condition, EpisodeChange.OPENED, Reason.NEW_EPISODE)
            self._keep(alert.alert_key, condition, with_body=True)
            return
        self._keep(alert.alert_key, condition, with_body=True)
        if condition.phase == Phase.OPEN:
            self._forward(effects, alert, condition, EpisodeChange.CHANGED, Reason.SEVERITY_CHANGED)
        elif condition.phase == Phase.HELD:
            self._decide(effects, alert, Disposition.HELD, Reason.TRANSIENT, condition)
        else:
            self._decide(effects, alert, Disposition.SUPPRESSED, _SUPPRESSION[condition.phase], condition)

    def _begin(self, alert: Alert, body: bytes, effects: Effects) -> None:
        """The first alert of a new run."""
        now = self.clock_ms
        condition = self._condition(alert.alert_key)
        again = bool(condition.episode_id)
        condition.begin(alert, body, now)
        self._note_turn(condition)
        until_ms = self._maintenance.until_ms(alert, now)
        hold_ms = self._hold_ms(alert)
        if until_ms is not None:
            condition.phase, condition.until_ms = Phase.MAINTENANCE, until_ms
            outcome = (Disposition.SUPPRESSED, Reason.MAINTENANCE)
        elif self._flaps(condition):
            condition.phase = Phase.FLAPPING
            outcome = (Disposition.SUPPRESSED, Reason.FLAPPING)
        elif hold_ms:
            condition.phase, condition.until_ms = Phase.HELD, now + hold_ms
            outcome = (Disposition.HELD, Reason.TRANSIENT)
        else:
            self._enter(condition, Phase.OPEN)
            reason = Reason.REOPENED_EPISODE if again else Reason.NEW_EPISODE
            self._forward(effects, alert, condition, EpisodeChange.OPENED, reason)
            self._keep(alert.alert_key, condition, with_body=True)
            return
        self._keep(alert.alert_key, condition, with_body=True)
        self._decide(effects, alert, *outcome, condition)

    def _resolved(self, alert: Alert, effects: Effects) -> None:
        condition = self._conditions.get(alert.alert_key)
        now = self.clock_ms
        if condition is None:
            condition = self._condition(alert.alert_key)
            condition.settle(alert, now)
            self._keep(alert.alert_key, condition, with_body=True)
            self._decide(effects, alert, Disposition.REPEATED, Reason.RESOLVED_WITHOUT_FIRING, condition)
            return
        if condition.phase in _SETTLED:
            self._decide(effects, alert, Disposition.REPEATED, Reason.RESOLVED_WITHOUT_FIRING, condition)
            return
        if condition.is_overtaken(alert):
            self._decide(effects, alert, Disposition.REPEATED, Reason.OUT_OF_ORDER, condition)
            return
        phase = condition.phase
        if phase == Phase.OPEN:
            self._forward(effects, alert, condition, EpisodeChange.RESOLVED, Reason.RESOLVED)
        elif phase == Phase.HELD:
            self._decide(effects, alert, Disposition.HELD, Reason.TRANSIENT, condition)
        else:
            self._decide(effects, alert, Disposition.SUPPRESSED, _SUPPRESSION[phase], condition)
        self._enter(condition, Phase.RESOLVED)
        condition.settle(alert, now)
        self._note_turn(condition)
        self._keep(alert.alert_key, condition)

    def _acknowledged(self, alert: Alert, effects: Effects) -> None:
        condition = self._conditions.get(alert.alert_key)
        if condition is None or condition.phase != Phase.OPEN or alert.kind != Kind.ACKNOWLEDGED:
            self._decide(effects, alert, Disposition.CONTROL, Reason.ACKNOWLEDGED_AT_SOURCE, condition)
            return
        self._forward(effects, alert, condition, EpisodeChange.ACKNOWLEDGED, Reason.ACKNOWLEDGED_AT_SOURCE)

    # -- time

    def on_timer(self, key: str, due_ms: int, effects: Effects) -> None:
        """A deadline of one condition: what it means follows from the condition's phase."""
        condition = self._conditions[key]
        if condition.phase == Phase.RESOLVED:
            del self._conditions[key]
            self.touch(_COUNTERS + key)
            self.touch(_BODY + key)
            return
        if condition.phase == Phase.OPEN:
            self._emit(effects, condition, None, EpisodeChange.EXPIRED, Reason.EXPIRED)
            self._enter(condition, Phase.RESOLVED)
            condition.resolved_at_ms = due_ms
        elif self._still_in_maintenance(condition, due_ms):
            condition.phase = Phase.MAINTENANCE
        else:
            self._enter(condition, Phase.OPEN)
            condition.turns.clear()
            self._emit(effects, condition, None, EpisodeChange.OPENED, Reason.RELEASED)
        self._keep(key, condition)

    def _still_in_maintenance(self, condition: Condition, now_ms: int) -> bool:
        until_ms = self._maintenance.until_ms(condition.alert(), now_ms)
        condition.until_ms = until_ms
        return until_ms is not None

    def _deadline(self, condition: Condition) -> int | None:
        settings = self._settings
        if condition.phase == Phase.RESOLVED:
            keep_seconds = max(settings.flap_window_seconds, settings.window_seconds)
            return (condition.resolved_at_ms or 0) + keep_seconds * 1_000
        if condition.phase == Phase.FLAPPING:
            return condition.turns[-1] + settings.flap_quiet_seconds * 1_000
        if condition.phase in (Phase.HELD, Phase.MAINTENANCE):
            return condition.until_ms
        return condition.last_at_ms + condition.ttl_seconds * 1_000 if condition.ttl_seconds else None

    # -- small things

    def _enter(self, condition: Condition, phase: Phase) -> None:
        self._open += (phase == Phase.OPEN) - (condition.phase == Phase.OPEN)
        condition.phase = phase
        condition.until_ms = None

    def _hold_ms(self, alert: Alert) -> int:
        feed = self._feeds.get(alert.feed)
        return feed.hold_seconds.get(alert.severity, 0) * 1_000 if feed else 0

    def _note_turn(self, condition: Condition) -> None:
        """Remember one turn between firing and resolved, as far back as flapping looks."""
        oldest = self.clock_ms - self._settings.flap_window_seconds * 1_000
        condition.turns = [turn for turn in condition.turns if turn >= oldest]
        condition.turns.append(self.clock_ms)
        del condition.turns[: -self._settings.flap_transitions - 1]

    def _flaps(self, condition: Condition) -> bool:
        return len(condition.turns) > self._settings.flap_transitions

    def _keep(self, key: str, condition: Condition, *, with_body: bool = False) -> None:
        if condition.ttl_seconds is None and condition.phase == Phase.OPEN:
            condition.ttl_seconds = self._ttl_seconds(condition)
        self.touch(_COUNTERS + key)
        if with_body:
            self.touch(_BODY + key)
        self.timers.set(key, self._deadline(condition))

    def _ttl_seconds(self, condition: Condition) -> int:
        """How long silence may last; 0 where the source reports recovery itself."""
        alert = condition.alert()
        feed = self._feeds.get(alert.feed)
        return alert.ttl_seconds or (feed.ttl_seconds if feed else None) or self._settings.ttl_seconds or 0

    def _decide(
        self,
        effects: Effects,
        alert: Alert,
        disposition: Disposition,
        reason: Reason,
        condition: Condition | None,
    ) -> None:
        episode = condition.episode_id if condition else None
        origin = Origin(*alert.origin)
        self.decide(effects, Decision(origin, disposition, reason, alert.received_at_ms, alert.alert_key, episode))

    def _forward(
        self, effects: Effects, alert: Alert, condition: Condition, change: EpisodeChange, reason: Reason
    ) -> None:
        self.ledger.forwarded += 1
        self._emit(effects, condition, alert, change, reason)

    def _emit(
        self,
        effects: Effects,
        condition: Condition,
        alert: Alert | None,
        change: EpisodeChange,
        reason: Reason,
    ) -> None:
        """Tell correlate. Recoveries may come without labels, so they speak through the alert that opened."""
        known = condition.alert()
        counted = alert is not None
        if alert is not None and change in (EpisodeChange.OPENED, EpisodeChange.CHANGED):
            known = alert
        elif alert is not None:
            known.kind, known.ended_at_ms = alert.kind, alert.ended_at_ms
            known.origin, known.received_at_ms = alert.origin, alert.received_at_ms
        event = EpisodeEvent(
            episode_id=condition.episode_id,
            alert_key=known.alert_key,
            space=known.space,
            change=change,
            reason=reason,
            at_ms=self.clock_ms,
            repeats=condition.repeats,
            alert=known,
            counted=counted,
        )
        effects.outputs.append(Output("episodes", known.space.encode(), orjson.dumps(event), self.clock_ms))
