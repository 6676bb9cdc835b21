"""Habits: how a condition and the rule behind it usually go on, in counts that fade.

From them follow how long what may be a transient is worth waiting for, and which conditions fire often and hardly ever
matter. A count halves every `HALF_LIFE_MS`, so what was true last month weighs little.

    habits.began("k1", "rule", now_ms)
    habits.run_ended("k1", 40_000, by_itself=True, now_ms=now_ms)
    habits.hold("k1", least_seconds=60, most_seconds=900, now_ms=now_ms)    # Hold(seconds=60, ...) after some of these
    habits.incident_ended("k1", mattered=False, now_ms=now_ms)
    habits.chronic("k1", now_ms)                                            # Chronic(incidents=.., days=.., share=..)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from pipeline.models.wire import to_json

HABIT_SCHEMA: Final = 1

HALF_LIFE_MS: Final = 7 * 24 * 60 * 60 * 1_000
"""A week: a habit is of days, and a changed threshold should show within some."""

DAY_MS: Final = 24 * 60 * 60 * 1_000

STEPS_SECONDS: Final = (60, 120, 180, 300, 600, 900)
"""What a learned hold may be. Longer than a quarter of an hour nobody waits for good news."""

CONDITIONS_MAX: Final = 20_000
"""Conditions remembered by one partition, some 15 MiB; who was heard of longest ago is forgotten first."""

RULES_MAX: Final = 2_000
"""Rules of sources remembered by one partition; each has many conditions."""

RUNS_MIN: Final = 5.0
"""Runs of a condition, faded, from which its own habit counts and not its rule's."""

RULE_RUNS_MIN: Final = 10.0
"""The same of a rule, whose conditions differ."""

BY_ITSELF_MIN: Final = 0.8
"""Share of runs that must have ended by themselves within a hold: below it, waiting delays more than it spares."""


class Hold(NamedTuple):
    """A learned hold.

    Attributes:
        seconds: how long to wait.
        runs: how many runs that was learned from, faded.
        ended: how many of them ended by themselves within that time.
        of: ``condition`` or ``rule``, whichever was known well enough.
    """

    seconds: int
    runs: float
    ended: float
    of: str

    def told(self) -> dict[str, Any]:
        """The facts for the record."""
        return {
            "learned_seconds": self.seconds,
            "runs": round(self.runs, 1),
            "ended_by_themselves": round(self.ended, 1),
            "of": self.of,
        }


class Chronic(NamedTuple):
    """How often a condition has been in an incident, and how seldom that mattered. Counts have faded.

    Attributes:
        incidents: incidents that it was in.
        days: different days among them.
        mattered: of the incidents, those that somebody acknowledged or that had other symptoms.
        share: of the incidents, those that did not matter, in [0, 1]; 0 where there is none.
    """

    incidents: float
    days: float
    mattered: float
    share: float


_UNKNOWN: Final = Chronic(0.0, 0.0, 0.0, 0.0)


@dataclass(slots=True)
class Habit:
    """Counts of one condition, or of all conditions of one rule.

    Attributes:
        order: rank in which it was heard of, the longest ago first.
        at_ms: moment to which the counts have faded.
        rule: of a condition, the rule that it belongs to.
        runs: runs that ended.
        ended: of them, those that ended by themselves no later than each of `STEPS_SECONDS` and later than the one
            before.
        incidents: see `Chronic`; ``day`` is the newest that counts in ``days``.
    """

    order: int
    at_ms: int
    rule: str = ""
    runs: float = 0.0
    ended: list[float] = field(default_factory=lambda: [0.0] * len(STEPS_SECONDS))
    incidents: float = 0.0
    mattered: float = 0.0
    days: float = 0.0
    day: int = -1

    def fade(self, now_ms: int) -> None:
        """Let all counts fade up to a moment."""
        if now_ms <= self.at_ms:
            return
        left = 0.5 ** ((now_ms - self.at_ms) / HALF_LIFE_MS)
        self.at_ms = now_ms
        self.runs *= left
        self.ended = [count * left for count in self.ended]
        self.incidents *= left
        self.mattered *= left
        self.days *= left

    def hold(self, of: str, runs_min: float, most_seconds: int) -> Hold | None:
        """The shortest time within which runs usually end by themselves."""
        if self.runs < runs_min:
            return None
        ended = 0.0
        for seconds, count in zip(STEPS_SECONDS, self.ended, strict=True):
            ended += count
            if seconds > most_seconds:
                return None
            if ended >= BY_ITSELF_MIN * self.runs:
                return Hold(seconds, self.runs, ended, of)
        return None


class Habits:
    """The habits of one partition's conditions and rules. A state record's name begins with what it is of."""

    CONDITION: Final = "c/"
    RULE: Final = "r/"

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, Habit]] = {self.CONDITION: {}, self.RULE: {}}
        self._next = 0

    def began(self, alert_key: str, rule: str, now_ms: int) -> list[str]:
        """A run of a condition has begun. Answers the names of the records that changed."""
        known = self._kept[self.CONDITION].get(alert_key)
        if known is not None and known.rule == rule:
            return []
        habit, changed = self._heard(self.CONDITION, alert_key, now_ms)
        habit.rule = rule
        return changed

    def run_ended(self, alert_key: str, length_ms: int, *, by_itself: bool, now_ms: int) -> list[str]:
        """A run is over: after how long, and whether nobody had it in hand. Answers the records that changed."""
        changed: list[str] = []
        step = next((at for at, seconds in enumerate(STEPS_SECONDS) if length_ms <= seconds * 1_000), None)
        for habit in self._of(alert_key, now_ms, changed):
            habit.runs += 1
            if by_itself and step is not None:
                habit.ended[step] += 1
        return changed

    def incident_ended(self, alert_key: str, *, mattered: bool, now_ms: int) -> list[str]:
        """An incident that a condition was in is over. Answers the names of the records that changed."""
        habit, changed = self._heard(self.CONDITION, alert_key, now_ms)
        habit.incidents += 1
        habit.mattered += mattered
        day = now_ms // DAY_MS
        if day > habit.day:
            habit.day = day
            habit.days += 1
        return changed

    def hold(self, alert_key: str, rule: str, *, least_seconds: int, most_seconds: int, now_ms: int) -> Hold | None:
        """How long a run is worth waiting for; None where it is not known to end by itself within the limits."""
        known = self._faded(self.CONDITION, alert_key, now_ms)
        found = known.hold("condition", RUNS_MIN, most_seconds) if known is not None else None
        if known is None or known.runs < RUNS_MIN:
            of_rule = self._faded(self.RULE, rule, now_ms)
            found = of_rule.hold("rule", RULE_RUNS_MIN, most_seconds) if of_rule is not None else None
        return None if found is None else found._replace(seconds=max(found.seconds, least_seconds))

    def chronic(self, alert_key: str, now_ms: int) -> Chronic:
        """How often a condition was in incidents, and how seldom that mattered."""
        habit = self._faded(self.CONDITION, alert_key, now_ms)
        if habit is None or not habit.incidents:
            return _UNKNOWN
        return Chronic(habit.incidents, habit.days, habit.mattered, 1.0 - habit.mattered / habit.incidents)

    def _of(self, alert_key: str, now_ms: int, changed: list[str]) -> Iterator[Habit]:
        """The habit of a condition, then that of its rule where it is known."""
        habit, names = self._heard(self.CONDITION, alert_key, now_ms)
        changed += names
        yield habit
        if habit.rule:
            of_rule, names = self._heard(self.RULE, habit.rule, now_ms)
            changed += names
            yield of_rule

    def _heard(self, kind: str, name: str, now_ms: int) -> tuple[Habit, list[str]]:
        """A habit to be changed, now the last to be forgotten; and the records that change with that."""
        kept = self._kept[kind]
        changed = [kind + name]
        habit = kept.pop(name, None) or Habit(0, now_ms)
        habit.fade(now_ms)
        habit.order, self._next = self._next, self._next + 1
        kept[name] = habit
        if len(kept) > (CONDITIONS_MAX if kind == self.CONDITION else RULES_MAX):
            oldest = next(iter(kept))
            del kept[oldest]
            changed.append(kind + oldest)
        return habit, changed

    def _faded(self, kind: str, name: str, now_ms: int) -> Habit | None:
        """A habit with its counts as they are now: a copy, so that asking changes nothing."""
        known = self._kept[kind].get(name)
        if known is None:
            return None
        copy = Habit(**_document(known))
        copy.fade(now_ms)
        return copy

    # -- state

    def load(self, name: str, value: bytes) -> None:
        """Take one record back.

        Raises:
            ValueError: it is of a schema that this release does not read.
        """
        schema, *values = orjson.loads(value)
        if schema != HABIT_SCHEMA:
            raise ValueError(f"habit of schema {schema!r}, this release reads {HABIT_SCHEMA}")
        self._kept[name[:2]][name[2:]] = Habit(*values)

    def dump(self, name: str) -> bytes | None:
        """A record; None where it was forgotten."""
        habit = self._kept[name[:2]].get(name[2:])
        return None if habit is None else to_json((HABIT_SCHEMA, *_document(habit).values()))

    def restored(self) -> None:
        """All records are back: put them in the order in which they were heard of."""
        for kind, kept in self._kept.items():
            self._kept[kind] = dict(sorted(kept.items(), key=lambda each: each[1].order))
            self._next = max(self._next, *(habit.order + 1 for habit in kept.values()), 0)


def _document(habit: Habit) -> dict[str, Any]:
    return {name: getattr(habit, name) for name in Habit.__slots__}


def chronic_words(figures: dict[str, Any]) -> str:
    """Figures of an incident that is ranked down, as a sentence."""
    incidents, days, mattered = figures["incidents"], figures["days"], figures["mattered"]
    return f"it was in some {incidents} incidents on {days} days lately, and {mattered} of them mattered"
