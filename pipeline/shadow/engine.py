"""The engine: the deciding stages under the shadow configuration, and the active side's outcome beside them. Pure.

It takes the records that the active pipeline takes from outside, and those that it writes (`episodes`, `incidents`)
as what they are compared with. What the shadow decides goes into the window and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from pipeline.backtest.compare import Comparison, compare
from pipeline.core.practice.desk import MACHINE
from pipeline.core.step import TICK_KEY, StreamRecord
from pipeline.models.decision import Decision, Disposition, Reason
from pipeline.models.episode import EpisodeChange
from pipeline.models.policy import Config
from pipeline.replay import Replay, Step
from pipeline.shadow.window import ACTIVE, SHADOW, Window

COMMANDS: Final = "commands"
EPISODES: Final = "episodes"
INCIDENTS: Final = "incidents"

SETTLE_MS: Final = 5_000
"""Compared is what began so long ago: the two sides hear of one alert a moment apart."""

_BEGINNINGS: Final = frozenset((Disposition.OPENED, Disposition.JOINED, Disposition.HELD, Disposition.SUPPRESSED))
_NEWS: Final = frozenset((Reason.EPISODE_UPDATED, Reason.EPISODE_RESOLVED))

_OPENED: Final = b'"change":"opened"'

_WINDOW: Final = "window/"
_COUNTS: Final = "counts"


@dataclass(frozen=True, slots=True)
class Beginning:
    """When and against what a shadow began.

    Attributes:
        id: of this shadow: its configuration, and when it was started.
        version: of the shadow's configuration.
        baseline: version of the configuration that was active then.
        started_at_ms: what began before is not compared, epoch milliseconds.
        from_ms: reading begins here, so that what was going on at the start is known.
    """

    id: str
    version: str
    baseline: str
    started_at_ms: int
    from_ms: int


class Engine:
    """Decides and compares.

    Attributes:
        taken: records from outside that were decided.
        skipped: people's commands about incidents that the shadow does not have.
    """

    def __init__(self, config: Config, beginning: Beginning, privacy_key: bytes | None = None) -> None:
        self._replay = Replay(config, keep=False, privacy_key=privacy_key)
        self._window = Window(beginning.started_at_ms, (beginning.baseline, beginning.version))
        self.taken = 0
        self.skipped = 0

    @property
    def clock_ms(self) -> int:
        """Stream time of the shadow, epoch milliseconds."""
        return self._replay.clock_ms

    def take(self, record: StreamRecord) -> None:
        """Take one record of a topic that the active pipeline reads from outside or writes."""
        if record.key == TICK_KEY and record.value is None:
            return
        if record.topic == EPISODES:
            self._active_episode(record)
        elif record.topic == INCIDENTS:
            self._active_event(record)
        else:
            told = self._translated(record) if record.topic == COMMANDS else record
            if told is not None:
                self.taken += 1
                self._listen(self._replay.steps([told]))

    def advance(self, now_ms: int) -> None:
        """Let time go on: nothing came until then."""
        self._listen(self._replay.advance(now_ms))

    def compare(self) -> Comparison:
        """Both sides of what has settled."""
        return compare(*self._window.sides(self.clock_ms - SETTLE_MS))

    def unsettled(self) -> bool:
        """Something began so short a time ago that it is not compared yet."""
        return self._window.newest_ms() > self.clock_ms - SETTLE_MS

    def remainder(self) -> int:
        """Alerts unaccounted for by the shadow; anything but 0 is a defect."""
        return self._replay.remainder()

    # -- state

    def take_changes(self) -> list[tuple[str, bytes | None]]:
        """State records changed since the last call; None means removed."""
        changes = [(f"{stage}/{key.decode()}", value) for stage, key, value in self._replay.take_changes()]
        changes += [(_WINDOW + key, value) for key, value in self._window.take_changes()]
        if changes:
            changes.append((_COUNTS, orjson.dumps([self.taken, self.skipped])))
        return changes

    def restore(self, records: Iterable[tuple[str, bytes]]) -> None:
        """Take all state records back, before the first record."""
        stages: list[tuple[str, bytes, bytes]] = []
        window: list[tuple[str, bytes]] = []
        for key, value in records:
            if key == _COUNTS:
                self.taken, self.skipped = orjson.loads(value)
            elif key.startswith(_WINDOW):
                window.append((key.removeprefix(_WINDOW), value))
            else:
                stage, _, name = key.partition("/")
                stages.append((stage, name.encode(), value))
        self._replay.restore(stages)
        self._window.restore(window)

    # -- the shadow's side

    def _listen(self, steps: Iterable[Step]) -> None:
        for step in steps:
            for decision in step.decisions:
                self._began(decision)
            for event in step.events:
                self._window.happened(SHADOW, orjson.loads(event.value or b"null"))

    def _began(self, decision: Decision) -> None:
        if decision.episode_id is None or decision.alert_key is None:
            return
        if decision.disposition in _BEGINNINGS and decision.reason not in _NEWS:
            outcome = (decision.disposition.value, decision.reason.value)
            topic, partition, offset, index = decision.origin
            self._window.opened(
                SHADOW,
                decision.episode_id,
                decision.alert_key,
                self.clock_ms,
                (topic, partition, offset, index),
                outcome,
            )

    # -- the active side

    def _active_episode(self, record: StreamRecord) -> None:
        if _OPENED not in (record.value or b""):  # most are news of one that is open
            return
        event = _object(record)
        if event is not None and event.get("change") == EpisodeChange.OPENED:
            topic, partition, offset, index = event["alert"]["origin"]
            self._window.opened(
                ACTIVE, event["episode_id"], event["alert_key"], event["at_ms"], (topic, partition, offset, index)
            )

    def _active_event(self, record: StreamRecord) -> None:
        event = _object(record)
        if event is not None and "incident" in event:
            self._window.happened(ACTIVE, event)

    def _translated(self, record: StreamRecord) -> StreamRecord | None:
        """A person's command, about the shadow's incident; None for the active pipeline's own, and where there is none.

        What people do to an active incident they would have done to its counterpart.
        """
        command = _object(record)
        if command is None or not isinstance(target := command.get("target"), dict):
            return record  # the stage refuses it, as the active one does
        named = target.get("incident_id")
        # A bridge hands a person's command on to each of its members, under an id of this form; the shadow's own does.
        if command.get("actor") == MACHINE or (named and str(command.get("command_id")).endswith(f"/{named}")):
            return None
        if named is not None:
            target["incident_id"] = self._window.counterpart(str(named))
            if target["incident_id"] is None:
                self.skipped += 1
                return None
        if (into := command.get("into")) is not None:
            command["into"] = self._window.counterpart(str(into)) or into
        if isinstance(moving := command.get("episodes"), list):
            command["episodes"] = [self._window.episode(str(each)) or each for each in moving]
        return record._replace(value=orjson.dumps(command))


def _object(record: StreamRecord) -> dict[str, Any] | None:
    try:
        document = orjson.loads(record.value or b"null")
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None
