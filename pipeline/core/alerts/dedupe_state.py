"""What dedupe keeps of one partition, and how it tells it: conditions at rest, newest alerts; records and deadlines.

`pipeline.core.alerts.dedupe` decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from pipeline.core.alerts.condition import FLAPPING, MAINTENANCE, OPEN, RESOLVED, Condition
from pipeline.core.alerts.maintenance import MaintenanceIndex
from pipeline.core.identity import short_id
from pipeline.core.step import Effects, Output, Processor
from pipeline.core.topology import Topology
from pipeline.models.alert import Alert, Kind, alert_from_wire
from pipeline.models.decision import Decision, Disposition, Origin, Reason
from pipeline.models.episode import EpisodeChange, episode_to_wire
from pipeline.models.policy import Config, Feed

STATE: Final = "c/"
"""State key of a condition."""

BODY: Final = "a/"
"""State key of the newest alert of a condition that is held or suppressed: what its release will tell."""


HOUR_MS: Final = 3_600_000

MAINTENANCE_HOURS_MAX: Final = 24
"""How long maintenance mutes that is announced by a feed of which nothing is configured."""


class DedupeState(Processor):
    """The state of dedupe."""

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
        if key[:2] == BODY:
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
        return (self._bodies if key[:2] == BODY else self._conditions).get(key[2:])

    def gauges(self) -> dict[str, dict[str, float]]:
        """Open episodes, and how much is kept, for metrics."""
        kept = {"conditions": float(len(self._conditions)), "alerts": float(len(self._bodies))}
        return {"open_episodes": {"": float(self._open)}, "state_entries": kept}

    def condition(self, alert_key: str) -> Condition | None:
        """What is remembered of a condition, for those who ask why; a copy."""
        return self._known(alert_key)

    def _known(self, alert_key: str) -> Condition | None:
        packed = self._conditions.get(alert_key)
        return None if packed is None else Condition.unpacked(packed)

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

    # -- for the decisions

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

    def _hold(self, alert: Alert) -> tuple[int | None, dict[str, Any] | None]:
        """Until when a new run may wait for being a transient, and by what; correlate lets it, as it alone can judge.

        Of a learned hold only the limits are known here.
        """
        feed = self._feeds.get(alert.feed)
        seconds = feed.hold_seconds.get(alert.severity, 0) if feed else 0
        if feed is None or not seconds:
            return None, None
        if not isinstance(seconds, str):
            return self.clock_ms + seconds * 1_000, {"set_seconds": seconds}
        limits = feed.hold_learned
        return self.clock_ms + limits.most_seconds * 1_000, limits.model_dump()

    def _announce(self, effects: Effects, alert: Alert, body: bytes) -> None:
        """Tell correlate, which alone knows all that is about an entity, of maintenance that a source announces."""
        feed = self._feeds.get(alert.feed)
        hours_max = feed.maintenance_hours_max if feed is not None else MAINTENANCE_HOURS_MAX
        if not hours_max:
            return
        begins = alert.kind == Kind.MAINTENANCE_START
        facts = {}
        if begins:
            start_ms = self.clock_ms if alert.event_at_ms is None else alert.event_at_ms
            longest_ms = start_ms + hours_max * HOUR_MS
            facts = {"start_ms": start_ms, "end_ms": min(alert.ended_at_ms or longest_ms, longest_ms)}
        elif alert.ended_at_ms is not None:
            facts = {"end_ms": min(alert.ended_at_ms, self.clock_ms)}
        value = episode_to_wire(
            episode_id=short_id("MW", alert.feed, alert.alert_key),
            alert_key=alert.alert_key,
            space=alert.space,
            change=EpisodeChange.MAINTENANCE_STARTED if begins else EpisodeChange.MAINTENANCE_ENDED,
            reason=Reason.MAINTENANCE_NOTICE,
            at_ms=self.clock_ms,
            repeats=0,
            alert=body,
            counted=False,
            facts=facts,
        )
        effects.outputs.append(Output("episodes", alert.space.encode(), value, self.clock_ms))

    def restored(self) -> None:
        """Look again at what maintenance suppresses, where another configuration has other windows perhaps."""
        if self.decided_by in (None, self.config_version):
            return
        for name in self._bodies:
            if name in self._conditions and Condition.unpacked(self._conditions[name]).phase == MAINTENANCE:
                self.timers.set(name, self.clock_ms)

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
        self.touch(STATE + key, newest)
        if condition.phase in (OPEN, RESOLVED):
            if self._bodies.pop(key, None) is not None:
                self.touch(BODY + key)
        elif body is not None and self._bodies.get(key) != body:
            self._bodies[key] = body
            self.touch(BODY + key)
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
        hold: tuple[int | None, dict[str, Any] | None] = (None, None),
    ) -> None:
        self.ledger.forwarded += 1
        self._emit(
            effects,
            alert.alert_key,
            told,
            condition,
            change,
            reason,
            counted=True,
            facts=hold[1],
            hold_until_ms=hold[0],
        )

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
        hold_until_ms: int | None = None,
        facts: dict[str, Any] | None = None,
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
            hold_until_ms=hold_until_ms,
            facts=facts,
        )
        effects.outputs.append(Output("episodes", space.encode(), value, self.clock_ms))

    def _tell_hidden(self, key: str, condition: Condition, effects: Effects) -> None:
        """A run that nobody was told of is over: for the record."""
        facts = {"hidden_by": Reason.MAINTENANCE, **condition.take_hidden(self.clock_ms)}
        facts |= self._windows(alert_from_wire(orjson.loads(self._bodies[key])), condition)
        self._emit(effects, key, self._bodies[key], condition, EpisodeChange.HIDDEN, Reason.MAINTENANCE, facts=facts)

    def _windows(self, alert: Alert, condition: Condition) -> dict[str, Any]:
        """Which window expected a run, by the configuration in force."""
        names = self._maintenance.names_until(alert, condition.until_ms or self.clock_ms, self.clock_ms)
        return {"windows": names} if names else {}
