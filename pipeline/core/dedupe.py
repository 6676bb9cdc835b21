"""Dedupe: many alerts of one condition become few episodes.

Per alert key: repeats are folded, severity changes and recoveries told, flapping and maintenance suppressed, silent
sources expired. What may be a transient is told at once, with how long it may wait: correlate lets it, since it alone
sees what else happens. What is suppressed is kept, so that the truth comes back when its reason ends:
an alert that still fires at the end of a maintenance window is released then.

Each alert either gets its disposition here or is forwarded inside an episode event for correlate to decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any, ClassVar, Final

import orjson

from pipeline.core.condition import FLAPPING, HELD, MAINTENANCE, OPEN, RESOLVED, Condition
from pipeline.core.maintenance import MaintenanceIndex
from pipeline.core.step import Effects, Output, Processor, Record
from pipeline.core.topology import Topology
from pipeline.models.alert import ALERT_SCHEMA, Alert, Kind, alert_from_wire, alert_to_wire
from pipeline.models.decision import BadRecord, Decision, Disposition, Origin, Reason
from pipeline.models.episode import EpisodeChange, Hold, brief, episode_to_wire
from pipeline.models.policy import Config, Feed

_STATE: Final = "c/"
"""State key of a condition."""

_BODY: Final = "a/"
"""State key of the newest alert of a condition that is held or suppressed: what its release will tell."""

_HIDDEN: Final[dict[str, tuple[Disposition, Reason]]] = {
    MAINTENANCE: (Disposition.SUPPRESSED, Reason.MAINTENANCE),
    FLAPPING: (Disposition.SUPPRESSED, Reason.FLAPPING),
    HELD: (Disposition.HELD, Reason.TRANSIENT),
}
"""Phase of what fires and is not told -> what its alerts come to."""
_CONTROL: Final[dict[str, Reason]] = {
    Kind.HEARTBEAT.value: Reason.HEARTBEAT,
    Kind.MAINTENANCE_START.value: Reason.MAINTENANCE_NOTICE,
    Kind.MAINTENANCE_END.value: Reason.MAINTENANCE_NOTICE,
    Kind.CONTROL.value: Reason.SOURCE_CONTROL,
}
_FIRING: Final = frozenset({Kind.FIRING.value, Kind.TICKET.value})
_RECOVERED: Final = frozenset({Kind.RESOLVED.value, Kind.MERGED.value})
_REPEAT: Final[dict[tuple[str, bool], tuple[Disposition, Reason]]] = {
    (OPEN, False): (Disposition.REPEATED, Reason.STILL_FIRING),
    (OPEN, True): (Disposition.REPEATED, Reason.OUT_OF_ORDER),
    (HELD, False): (Disposition.HELD, Reason.STILL_FIRING),
    (HELD, True): (Disposition.HELD, Reason.OUT_OF_ORDER),
    (MAINTENANCE, False): (Disposition.SUPPRESSED, Reason.MAINTENANCE),
    (MAINTENANCE, True): (Disposition.SUPPRESSED, Reason.MAINTENANCE),
    (FLAPPING, False): (Disposition.SUPPRESSED, Reason.FLAPPING),
    (FLAPPING, True): (Disposition.SUPPRESSED, Reason.FLAPPING),
}
"""Phase and whether the alert is late -> what a repeat comes to."""

_glance: Final = itemgetter("schema", "kind", "alert_key", "severity", "origin", "received_at_ms")
"""What every alert on our own topic says, as far as a repeat needs it."""


class DedupeProcessor(Processor):
    """Episodes of one partition of ``alerts``."""

    stage: ClassVar[str] = "dedupe"

    def __init__(self, config: Config, feeds: Mapping[str, Feed], topology: Topology) -> None:
        super().__init__()
        self._settings = config.correlation
        self._feeds = feeds
        self._maintenance = MaintenanceIndex(config.maintenance, topology)
        self._conditions: dict[str, bytes] = {}  # packed; see `Condition`
        self._bodies: dict[str, bytes] = {}
        self._open = 0

    # -- state

    def load(self, key: str, value: bytes) -> None:
        """Take one state record back, and set its deadline.

        Raises:
            ValueError: a condition is of a schema that this release does not read.
        """
        name = key[2:]
        if key[:2] == _BODY:
            self._bodies[name] = value
            return
        try:
            condition = Condition.unpacked(value)
        except (ValueError, TypeError) as error:
            raise ValueError(f"dedupe: state record {key} is not one of this release ({error})") from error
        self._conditions[name] = value
        self._open += condition.phase == OPEN
        self.timers.set(name, self._deadline(condition))

    def dump(self, key: str) -> bytes | None:
        """The state record of a key; None where it is gone."""
        return (self._bodies if key[:2] == _BODY else self._conditions).get(key[2:])

    def gauges(self) -> dict[str, dict[str, float]]:
        """Open episodes, for metrics."""
        return {"open_episodes": {"": float(self._open)}}

    def condition(self, alert_key: str) -> Condition | None:
        """What is remembered of a condition, for those who ask why; a copy."""
        return self._known(alert_key)

    def _known(self, alert_key: str) -> Condition | None:
        packed = self._conditions.get(alert_key)
        return None if packed is None else Condition.unpacked(packed)

    # -- decisions

    def process(self, record: Record, effects: Effects) -> None:
        """Decide one alert."""
        body = record.value
        if not body:
            raise BadRecord(Reason.EMPTY, "an alert without a value")
        try:
            document = orjson.loads(body)
            glance = _glance(document)
            schema, kind, alert_key = glance[:3]
            packed = self._conditions.get(alert_key) if kind in _FIRING and schema == ALERT_SCHEMA else None
        except (ValueError, TypeError, KeyError) as error:
            raise BadRecord(Reason.UNKNOWN_SCHEMA, f"not an alert that this release reads ({error})") from error
        if packed is None or not self._repeated(document, glance, Condition.unpacked(packed), effects):
            self._news(document, body, effects)

    def _repeated(
        self, document: dict[str, Any], glance: tuple[Any, ...], condition: Condition, effects: Effects
    ) -> bool:
        """Fold one more firing alert of a condition that fires, straight from its JSON: nine of ten alerts are these.

        Answers False, with nothing done, where the alert is news: another severity, or a new run.
        """
        phase = condition.phase
        if phase == RESOLVED:
            return False
        _, _, alert_key, severity, origin, received_at_ms = glance
        delivery_id, event_at_ms = document.get("delivery_id"), document.get("event_at_ms")
        late = condition.is_older(event_at_ms)
        if delivery_id is not None and delivery_id == condition.delivery_id:
            disposition, reason = Disposition.REPEATED, Reason.DUPLICATE_DELIVERY
        elif late or severity == condition.severity:
            disposition, reason = _REPEAT[phase, late]
            condition.heard(event_at_ms, document.get("source_episode_id"), delivery_id, self.clock_ms)
            self._conditions[alert_key] = newest = condition.packed()
            self.touch(_STATE + alert_key, newest)
            if phase == OPEN and condition.ttl_seconds:
                self.timers.set(alert_key, self.clock_ms + condition.ttl_seconds * 1_000)
        else:
            return False
        self.ledger.received += 1
        decision = Decision(Origin(*origin), disposition, reason, received_at_ms, alert_key, condition.episode_id)
        self.decide(effects, decision)
        return True

    def _news(self, document: dict[str, Any], body: bytes, effects: Effects) -> None:
        """Decide what is not a mere repeat."""
        try:
            alert = alert_from_wire(document)
        except (ValueError, TypeError) as error:
            raise BadRecord(Reason.UNKNOWN_SCHEMA, f"not an alert that this release reads ({error})") from error
        self.ledger.received += 1
        control = _CONTROL.get(alert.kind)
        if control is not None:
            self._decide(effects, alert, Disposition.CONTROL, control, None)
        elif alert.kind in _FIRING:
            self._firing(alert, body, effects)
        elif alert.kind in _RECOVERED:
            self._resolved(alert, effects)
        else:
            self._acknowledged(alert, effects)

    def _firing(self, alert: Alert, body: bytes, effects: Effects) -> None:
        """An alert of a condition that did not fire, or of other severity."""
        condition = self._known(alert.alert_key)
        if condition is None:
            self._begin(alert, body, Condition(), effects)
        elif condition.phase != RESOLVED:
            self._changed(alert, body, condition, effects)
        elif condition.is_late(alert):
            self._decide(effects, alert, Disposition.REPEATED, Reason.OUT_OF_ORDER, condition)
        else:
            self._begin(alert, body, condition, effects)

    def _changed(self, alert: Alert, body: bytes, condition: Condition, effects: Effects) -> None:
        """Another severity: the newest alert speaks for the run from now on, in the space where it is known."""
        condition.heard(alert.event_at_ms, alert.source_episode_id, alert.delivery_id, self.clock_ms)
        condition.severity = alert.severity
        if alert.space != condition.space:
            alert.space = condition.space
            body = alert_to_wire(alert)
        if condition.phase == OPEN:
            self._forward(effects, alert, body, condition, EpisodeChange.CHANGED, Reason.SEVERITY_CHANGED)
        else:
            self._decide(effects, alert, *_HIDDEN[condition.phase], condition)
        self._keep(alert.alert_key, condition, body)

    def _begin(self, alert: Alert, body: bytes, condition: Condition, effects: Effects) -> None:
        """The first alert of a new run."""
        now = self.clock_ms
        again = bool(condition.episode_id)
        condition.begin(alert, now)
        self._note_turn(condition)
        until_ms = self._maintenance.until_ms(alert, now)
        if until_ms is not None:
            condition.phase, condition.until_ms = MAINTENANCE, until_ms
            self._decide(effects, alert, Disposition.SUPPRESSED, Reason.MAINTENANCE, condition)
        elif self._flaps(condition):
            condition.phase = FLAPPING
            self._decide(effects, alert, Disposition.SUPPRESSED, Reason.FLAPPING, condition)
        else:
            self._open_up(alert, condition)
            reason = Reason.REOPENED_EPISODE if again else Reason.NEW_EPISODE
            self._forward(effects, alert, body, condition, EpisodeChange.OPENED, reason, self._hold(alert))
        self._keep(alert.alert_key, condition, body)

    def _resolved(self, alert: Alert, effects: Effects) -> None:
        condition = self._known(alert.alert_key)
        now = self.clock_ms
        if condition is None:
            condition = Condition()
            condition.settle(alert, now)
            self._keep(alert.alert_key, condition)
            self._decide(effects, alert, Disposition.REPEATED, Reason.RESOLVED_WITHOUT_FIRING, condition)
            return
        phase = condition.phase
        if phase == RESOLVED:
            self._decide(effects, alert, Disposition.REPEATED, Reason.RESOLVED_WITHOUT_FIRING, condition)
            return
        if condition.is_overtaken(alert):
            self._decide(effects, alert, Disposition.REPEATED, Reason.OUT_OF_ORDER, condition)
            return
        if phase == OPEN:
            told = brief(alert.alert_key, condition.severity, condition.space, alert)
            self._forward(effects, alert, told, condition, EpisodeChange.RESOLVED, Reason.RESOLVED)
        else:
            self._decide(effects, alert, *_HIDDEN[phase], condition)
        self._enter(condition, RESOLVED)
        condition.settle(alert, now)
        self._note_turn(condition)
        self._keep(alert.alert_key, condition)

    def _acknowledged(self, alert: Alert, effects: Effects) -> None:
        condition = self._known(alert.alert_key)
        if condition is None or condition.phase != OPEN or alert.kind != Kind.ACKNOWLEDGED:
            self._decide(effects, alert, Disposition.CONTROL, Reason.ACKNOWLEDGED_AT_SOURCE, condition)
            return
        told = brief(alert.alert_key, condition.severity, condition.space, alert)
        self._forward(effects, alert, told, condition, EpisodeChange.ACKNOWLEDGED, Reason.ACKNOWLEDGED_AT_SOURCE)

    # -- time

    def on_timer(self, key: str, due_ms: int, effects: Effects) -> None:
        """A deadline of one condition: what it means follows from the condition's phase."""
        condition = Condition.unpacked(self._conditions[key])
        if condition.phase == RESOLVED:
            del self._conditions[key]
            self.touch(_STATE + key)
            return
        if condition.phase == OPEN:
            told = brief(key, condition.severity, condition.space)
            self._emit(effects, key, told, condition, EpisodeChange.EXPIRED, Reason.EXPIRED)
            self._enter(condition, RESOLVED)
            condition.resolved_at_ms = due_ms
            self._keep(key, condition)
            return
        body = self._bodies[key]
        alert = alert_from_wire(orjson.loads(body))
        until_ms = self._maintenance.until_ms(alert, due_ms)
        if until_ms is not None:
            condition.phase, condition.until_ms = MAINTENANCE, until_ms
        else:
            self._open_up(alert, condition)
            condition.turns.clear()
            self._emit(effects, key, body, condition, EpisodeChange.OPENED, Reason.RELEASED)
        self._keep(key, condition, body)

    def _deadline(self, condition: Condition) -> int | None:
        settings, phase = self._settings, condition.phase
        if phase == OPEN:
            return condition.last_at_ms + condition.ttl_seconds * 1_000 if condition.ttl_seconds else None
        if phase == RESOLVED:
            keep_seconds = max(settings.flap_window_seconds, settings.window_seconds)
            return (condition.resolved_at_ms or 0) + keep_seconds * 1_000
        if phase == FLAPPING:
            return condition.turns[-1] + settings.flap_quiet_seconds * 1_000
        return condition.until_ms

    # -- small things

    def _enter(self, condition: Condition, phase: str) -> None:
        self._open += (phase == OPEN) - (condition.phase == OPEN)
        condition.phase = phase
        condition.until_ms = None

    def _open_up(self, alert: Alert, condition: Condition) -> None:
        """Make it an episode that correlate knows of, and fix how long its source may be silent.

        0 where the source reports recovery itself.
        """
        feed = self._feeds.get(alert.feed)
        by_feed = feed.ttl_seconds if feed else None
        condition.ttl_seconds = alert.ttl_seconds or by_feed or self._settings.ttl_seconds or 0
        self._enter(condition, OPEN)

    def _hold(self, alert: Alert) -> Hold | None:
        """How long a new run may wait for being a transient; correlate lets it, as long as nothing speaks for it."""
        feed = self._feeds.get(alert.feed)
        seconds = feed.hold_seconds.get(alert.severity, 0) if feed else 0
        return Hold(self.clock_ms + seconds * 1_000, {"set_seconds": seconds}) if seconds else None

    def _note_turn(self, condition: Condition) -> None:
        """Remember one turn between firing and resolved, as far back as flapping looks."""
        oldest = self.clock_ms - self._settings.flap_window_seconds * 1_000
        condition.turns = [turn for turn in condition.turns if turn >= oldest]
        condition.turns.append(self.clock_ms)
        del condition.turns[: -self._settings.flap_transitions - 1]

    def _flaps(self, condition: Condition) -> bool:
        return len(condition.turns) > self._settings.flap_transitions

    def _keep(self, key: str, condition: Condition, body: bytes | None = None) -> None:
        """Put a condition to rest. Its alert stays only while it may still have to be told: held or suppressed."""
        self._conditions[key] = newest = condition.packed()
        self.touch(_STATE + key, newest)
        if condition.phase in (OPEN, RESOLVED):
            if self._bodies.pop(key, None) is not None:
                self.touch(_BODY + key)
        elif body is not None and self._bodies.get(key) != body:
            self._bodies[key] = body
            self.touch(_BODY + key)
        self.timers.set(key, self._deadline(condition))

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
        self,
        effects: Effects,
        alert: Alert,
        told: bytes,
        condition: Condition,
        change: EpisodeChange,
        reason: Reason,
        hold: Hold | None = None,
    ) -> None:
        self.ledger.forwarded += 1
        self._emit(effects, alert.alert_key, told, condition, change, reason, counted=True, hold=hold)

    def _emit(
        self,
        effects: Effects,
        alert_key: str,
        told: bytes,
        condition: Condition,
        change: EpisodeChange,
        reason: Reason,
        *,
        counted: bool = False,
        hold: Hold | None = None,
    ) -> None:
        """Tell correlate. ``told``: JSON of the alert behind it."""
        space = condition.space
        value = episode_to_wire(
            episode_id=condition.episode_id,
            alert_key=alert_key,
            space=space,
            change=change,
            reason=reason,
            at_ms=self.clock_ms,
            repeats=condition.repeats,
            alert=told,
            counted=counted,
            hold=hold,
        )
        effects.outputs.append(Output("episodes", space.encode(), value, self.clock_ms))
