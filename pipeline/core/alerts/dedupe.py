"""Dedupe: many alerts of one condition become few episodes.

Per alert key: repeats are folded, severity changes and recoveries told, silent sources expired. What may be a transient
is told at once, with how long it may wait: correlate lets it, since it alone sees what else happens. A condition that
flaps is told once when that begins and once when it is steady; whether it begins and ends is judged on each turn and at
its own moment. Maintenance suppresses; what is suppressed is kept, so that the truth comes back when its reason ends.

Each alert either gets its disposition here or is forwarded inside an episode event for correlate to decide.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, ClassVar, Final

import orjson

from pipeline.core.alerts.condition import FLAPPING, HELD, MAINTENANCE, OPEN, RESOLVED, Condition
from pipeline.core.alerts.dedupe_feeds import FORGET_FEEDS, DedupeFeeds
from pipeline.core.alerts.dedupe_state import STATE
from pipeline.core.alerts.own_alerts import OWN_FEED, probe_of, probe_tick
from pipeline.core.step import Effects, Record
from pipeline.models.alert import (
    ALERT_SCHEMA,
    FOLDED_SCHEMA,
    SEVERITY_RANK,
    Alert,
    Kind,
    alert_from_wire,
    alert_to_wire,
    received_again,
    unfolded,
)
from pipeline.models.decision import BadRecord, Decision, Disposition, Origin, Reason
from pipeline.models.episode import EpisodeChange, brief

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
    Kind.OWN.value: Reason.OWN_RECORD,
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


class DedupeProcessor(DedupeFeeds):
    """Episodes of one partition of ``alerts``."""

    stage: ClassVar[str] = "dedupe"

    # -- decisions

    def process(self, record: Record, effects: Effects) -> None:
        """Decide one alert."""
        body = record.value
        if not body:
            raise BadRecord(Reason.EMPTY, "an alert without a value")
        more: list[tuple[int, int]] = []
        try:
            document = orjson.loads(body)
            if document["schema"] == FOLDED_SCHEMA:
                body, more = unfolded(body, document)
            glance = _glance(document)
            schema, kind, alert_key = glance[:3]
            packed = self._conditions.get(alert_key) if kind in _FIRING and schema == ALERT_SCHEMA else None
        except (ValueError, TypeError, KeyError) as error:
            raise BadRecord(Reason.UNKNOWN_SCHEMA, f"not an alert that this release reads ({error})") from error
        if packed is None or not self._repeated(document, glance, Condition.unpacked(packed), effects):
            self._news(document, body, effects)
        if more:
            self._others(document, body, more, effects)

    def _others(self, document: dict[str, Any], body: bytes, more: list[tuple[int, int]], effects: Effects) -> None:
        """Decide alerts that were folded into the record of an equal one, each for itself, at the record's time."""
        alert_key, first_ms = document["alert_key"], document["received_at_ms"]
        topic, partition, _, index = document["origin"]
        may_repeat = document["kind"] in _FIRING
        for offset, received_at_ms in more:
            document["origin"], document["received_at_ms"] = (topic, partition, offset, index), received_at_ms
            packed = self._conditions.get(alert_key) if may_repeat else None
            if packed is None or not self._repeated(document, _glance(document), Condition.unpacked(packed), effects):
                origin = (topic.encode(), partition, offset, index)
                self._news(document, received_again(body, first_ms, origin, received_at_ms), effects)

    def _repeated(
        self, document: dict[str, Any], glance: tuple[Any, ...], condition: Condition, effects: Effects
    ) -> bool:
        """Fold one more firing alert of a condition that fires, straight from its JSON: nine of ten alerts are these.

        Answers False, with nothing done, where the alert is news: another severity, or a new run.
        """
        phase = condition.phase
        if condition.resolved_at_ms is not None:
            return False
        _, _, alert_key, severity, origin, received_at_ms = glance
        delivery_id, event_at_ms = document.get("delivery_id"), document.get("event_at_ms")
        late = condition.is_older(event_at_ms) or document.get("overtaken", False)
        if delivery_id is not None and delivery_id == condition.delivery_id:
            disposition, reason = Disposition.REPEATED, Reason.DUPLICATE_DELIVERY
        elif late or severity == condition.severity:
            disposition, reason = _REPEAT[phase, late]
            condition.heard(event_at_ms, document.get("source_episode_id"), delivery_id, self.clock_ms)
            condition.hidden += phase != OPEN
            self._conditions[alert_key] = newest = condition.packed()
            self.touch(STATE + alert_key, newest)
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
            if control == Reason.MAINTENANCE_NOTICE:
                self._announce(effects, alert, body)
            elif control == Reason.HEARTBEAT and (probe := probe_of(alert)) is not None:
                effects.outputs.append(probe_tick("episodes", probe, self.clock_ms))
        elif alert.kind in _FIRING:
            self._firing(alert, body, effects)
        elif alert.kind in _RECOVERED:
            self._resolved(alert, effects)
        else:
            self._acknowledged(alert, effects)

    def _firing(self, alert: Alert, body: bytes, effects: Effects) -> None:
        """An alert of a condition that did not fire, or of other severity."""
        condition = self._known(alert.alert_key)
        if alert.overtaken:  # a newer alert has said how it is since; this one begins nothing
            self._decide(effects, alert, Disposition.REPEATED, Reason.OUT_OF_ORDER, condition)
        elif (condition is None or not condition.fires) and alert.feed == OWN_FEED and not self.own_may_begin():
            self._decide(effects, alert, Disposition.SUPPRESSED, Reason.OWN_RATE, None)
        elif condition is None:
            self._begin(alert, body, Condition(), effects)
        elif condition.fires:
            self._changed(alert, body, condition, effects)
        elif condition.is_late(alert):
            self._decide(effects, alert, Disposition.REPEATED, Reason.OUT_OF_ORDER, condition)
        elif condition.phase == FLAPPING:
            self._turned_on(alert, body, condition, effects)
        else:
            self._begin(alert, body, condition, effects)

    def _changed(self, alert: Alert, body: bytes, condition: Condition, effects: Effects) -> None:
        """Another severity: the newest alert speaks for the run from now on, in the space where it is known."""
        condition.heard(alert.event_at_ms, alert.source_episode_id, alert.delivery_id, self.clock_ms)
        condition.severity = alert.severity
        body = _in_space(alert, condition.space, body)
        if condition.phase == OPEN:
            self._forward(effects, alert, body, condition, EpisodeChange.CHANGED, Reason.SEVERITY_CHANGED)
        else:
            self._hide(effects, alert, body, condition)
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
            condition.hide(now)
            condition.hidden_runs = 1
            self._hide(effects, alert, body, condition)
        elif self._flaps(condition):
            self._begin_flapping(condition)
            self._forward(effects, alert, body, condition, EpisodeChange.OPENED, Reason.FLAPPING)
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
        if not condition.fires:
            self._decide(effects, alert, Disposition.REPEATED, Reason.RESOLVED_WITHOUT_FIRING, condition)
            return
        if alert.overtaken or condition.is_overtaken(alert):
            self._decide(effects, alert, Disposition.REPEATED, Reason.OUT_OF_ORDER, condition)
            return
        self._note_turn(condition)
        if condition.phase == OPEN:
            self._recovered(alert, condition, effects)
        else:
            self._hide(effects, alert, None, condition)
            if condition.phase == MAINTENANCE:
                self._tell_hidden(alert.alert_key, condition, effects)
            if condition.phase != FLAPPING:
                self._enter(condition, RESOLVED)
        condition.settle(alert, now)
        self._keep(alert.alert_key, condition)

    def _recovered(self, alert: Alert, condition: Condition, effects: Effects) -> None:
        """The recovery of an episode that is told; the one turn too many makes it flap."""
        told = brief(alert.alert_key, condition.severity, condition.space, alert)
        if self._flaps(condition):
            self._begin_flapping(condition)
            self._forward(effects, alert, told, condition, EpisodeChange.FLAPPING, Reason.FLAPPING)
        else:
            self._forward(effects, alert, told, condition, EpisodeChange.RESOLVED, Reason.RESOLVED)
            self._enter(condition, RESOLVED)

    def _acknowledged(self, alert: Alert, effects: Effects) -> None:
        condition = self._known(alert.alert_key)
        if condition is None or condition.phase not in (OPEN, FLAPPING) or not condition.is_told_by(alert):
            self._decide(effects, alert, Disposition.CONTROL, Reason.ACKNOWLEDGED_AT_SOURCE, condition)
            return
        told = brief(alert.alert_key, condition.severity, condition.space, alert)
        self._forward(effects, alert, told, condition, EpisodeChange.ACKNOWLEDGED, Reason.ACKNOWLEDGED_AT_SOURCE)

    # -- flapping

    def _begin_flapping(self, condition: Condition) -> None:
        """From now on its turns are counted and not told; a rise in severity still is."""
        self._enter(condition, FLAPPING)
        condition.hide(self.clock_ms)
        condition.told = condition.severity

    def _turned_on(self, alert: Alert, body: bytes, condition: Condition, effects: Effects) -> None:
        """It flaps and fires again: no new episode."""
        condition.heard(alert.event_at_ms, alert.source_episode_id, alert.delivery_id, self.clock_ms)
        condition.resolved_at_ms, condition.severity = None, alert.severity
        condition.hidden_runs += 1
        self._note_turn(condition)
        body = _in_space(alert, condition.space, body)
        self._hide(effects, alert, body, condition)
        self._keep(alert.alert_key, condition, body)

    def _hide(self, effects: Effects, alert: Alert, body: bytes | None, condition: Condition) -> None:
        """Suppress an alert, unless it makes a condition that flaps worse than anybody knows."""
        if body is not None and condition.phase == FLAPPING and _rank(alert.severity) > _rank(condition.told):
            condition.told = alert.severity
            self._forward(effects, alert, body, condition, EpisodeChange.CHANGED, Reason.SEVERITY_CHANGED)
            return
        condition.hidden += 1
        self._decide(effects, alert, *_HIDDEN[condition.phase], condition)

    # -- time

    def on_timer(self, key: str, due_ms: int, effects: Effects) -> None:
        """A deadline of one condition: what it means follows from the condition's phase."""
        if key == FORGET_FEEDS:
            self.forget_feeds(effects)
            return
        condition = Condition.unpacked(self._conditions[key])
        if condition.phase == RESOLVED:
            del self._conditions[key]
            self.touch(STATE + key)
        elif condition.phase == OPEN:
            told = brief(key, condition.severity, condition.space)
            self._emit(effects, key, told, condition, EpisodeChange.EXPIRED, Reason.EXPIRED)
            self._enter(condition, RESOLVED)
            condition.resolved_at_ms = due_ms
            self._note_turn(condition)
            self._keep(key, condition)
        elif condition.phase == FLAPPING:
            self._steady(key, condition, effects)
        else:
            self._release(key, condition, effects)

    def _steady(self, key: str, condition: Condition, effects: Effects) -> None:
        """It has not turned for long enough: the truth, whichever it is, is told."""
        condition.turns.clear()
        facts = {"hidden_by": Reason.FLAPPING, **condition.take_hidden(self.clock_ms)}
        if condition.fires:
            body = self._bodies[key]
            self._open_up(alert_from_wire(orjson.loads(body)), condition)
            self._emit(effects, key, body, condition, EpisodeChange.STEADY, Reason.RELEASED, facts=facts)
        else:
            told = brief(key, condition.severity, condition.space)
            self._emit(effects, key, told, condition, EpisodeChange.RESOLVED, Reason.RELEASED, facts=facts)
            self._enter(condition, RESOLVED)
        self._keep(key, condition)

    def _release(self, key: str, condition: Condition, effects: Effects) -> None:
        """Maintenance is over, or a hold that an older release had begun, and it fires still."""
        body = self._bodies[key]
        alert = alert_from_wire(orjson.loads(body))
        until_ms = self._maintenance.until_ms(alert, self.clock_ms)
        if until_ms is not None:
            condition.phase, condition.until_ms = MAINTENANCE, until_ms
        else:
            facts = {"hidden_by": _HIDDEN[condition.phase][1], **condition.take_hidden(self.clock_ms)}
            facts |= self._windows(alert, condition) if condition.phase == MAINTENANCE else {}
            self._open_up(alert, condition)
            condition.turns.clear()
            self._emit(effects, key, body, condition, EpisodeChange.OPENED, Reason.RELEASED, facts=facts)
        self._keep(key, condition, body)


def _in_space(alert: Alert, space: str, body: bytes) -> bytes:
    """The alert's JSON in the space where its run is known."""
    if alert.space == space:
        return body
    alert.space = space
    return alert_to_wire(alert)


def _rank(severity: str) -> int:
    return SEVERITY_RANK.get(severity, 0)
