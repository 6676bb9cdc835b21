"""Clocks against a recount: any life of an incident, minute by minute on wall clocks, gives the time that they keep."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Final
from zoneinfo import ZoneInfo

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.clocks import clockwork, sla
from pipeline.core.draft import Draft
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.core.practice.lifecycle import ANSWERED_STATES, OPEN_STATES, Step, advance
from pipeline.models.clocks import BusinessHours, ClockRules, Targets
from pipeline.models.incident import Incident, incident_from_wire
from pipeline.models.wire import to_json
from tests.core.builders import MINUTE
from tests.core.desks import desk

BEGINS: Final = datetime(2026, 3, 27, 13, 20, tzinfo=UTC)
"""A Friday, before the night in which clocks go forward."""

BEGINS_MS: Final = round(BEGINS.timestamp() * 1_000)
MINUTES: Final = 40 * 24 * 60
"""As far ahead as a life of the test and the targets in it reach."""

BERLIN: Final = ZoneInfo("Europe/Berlin")


def in_office(wall: datetime) -> bool:
    holiday = (wall.month, wall.day) in {(4, 3), (4, 6)}
    return wall.weekday() < 5 and not holiday and (9 <= wall.hour < 12 or 13 <= wall.hour < 17)


def on_shift(wall: datetime) -> bool:
    return wall.hour >= 22 or wall.hour < 6


def counted(works: list[bool]) -> list[int]:
    """Minutes worked before each minute."""
    return [0, *accumulate(works)]


WALLS: Final = [(BEGINS + timedelta(minutes=each)).astimezone(BERLIN) for each in range(MINUTES)]
WORKED: Final = {
    "always": list(range(MINUTES + 1)),
    "business": counted([in_office(wall) for wall in WALLS]),
    "nights": counted([on_shift(wall) for wall in WALLS]),
}
"""By calendar: minutes worked before each minute, read off the wall clock."""

TARGETS: Final = {
    "P1": Targets(respond_minutes=15, resolve_minutes=240, update_minutes=60),
    "P2": Targets(respond_minutes=60, resolve_minutes=600, calendar="nights", update_minutes=120),
    "P3": Targets(respond_minutes=120, resolve_minutes=960, calendar="business"),
}
AT: Final[Desk] = desk(
    targets=TARGETS,
    business_hours=BusinessHours(
        timezone="Europe/Berlin",
        week={"monday-friday": ("09:00-12:00", "13:00-17:00")},
        holidays=("2026-04-03", "04-06"),
    ),
    calendars={"nights": BusinessHours(timezone="Europe/Berlin", week={"monday-sunday": ("22:00-06:00",)})},
    clocks=ClockRules(warn_at=(0.5, 0.75, 0.9)),
    escalation=(),
)
PAUSED: Final = {"resolution": {"waiting_customer"}, "update": {"mitigated"}, "response": set[str]()}


class Life:
    """An incident, and beside it what somebody with a timetable and a notebook counts."""

    def __init__(self, priority: str) -> None:
        incident = Incident(id="INC-1", space="s", domain="shop", priority=priority, detected_at_ms=BEGINS_MS)
        self.minute = 0
        self.draft = Draft(incident, BEGINS_MS)
        self.said = Counter[tuple[str, str, int, int]]()
        self.used = Counter[str]()
        self.answered = False
        AT.step(self.draft, Step.LOG, MACHINE, "logged")

    @property
    def now_ms(self) -> int:
        return BEGINS_MS + self.minute * MINUTE

    def next(self, now_ms: int) -> Draft:
        """The next draft, of the incident as it comes back after a restart."""
        self.draft.incident = incident_from_wire(orjson.loads(to_json(self.draft.incident)))
        return Draft(self.draft.incident, now_ms)

    def calendar(self, name: str) -> str:
        return self.draft.incident.clocks[name].calendar

    def runs(self, name: str) -> bool:
        state = self.draft.incident.state
        if name == "response":
            return not self.answered and state in OPEN_STATES
        return (
            state in OPEN_STATES and state not in PAUSED[name] and not (name == "resolution" and state == "mitigated")
        )

    def pass_minutes(self, minutes: int) -> None:
        """Let time pass, warnings and breaches at their moments; count what was worked meanwhile."""
        until = self.minute + minutes
        for name in self.draft.incident.clocks:
            if self.runs(name):
                worked = WORKED[self.calendar(name)]
                self.used[name] += worked[until] - worked[self.minute]
        while (due := self.due_ms()) is not None and due <= BEGINS_MS + until * MINUTE:
            step = self.next(max(due, self.now_ms))
            sla.run_clocks(AT, step)
            sla.run_update_clock(AT, step)
            for entry in step.entries:
                clock = step.incident.clocks[entry.facts["clock"]]
                self.said[entry.action, entry.facts["clock"], clock.started_at_ms, clock.warned] += 1
            assert self.due_ms() != due, "a deadline must not stay due"
        self.minute = until

    def due_ms(self) -> int | None:
        dues = [
            each
            for clock in self.draft.incident.clocks.values()
            if clock.breached_at_ms is None and clock.met_at_ms is None
            for each in (clock.warn_at_ms, clock.due_at_ms)
            if each is not None
        ]
        return min(dues, default=None)

    def step(self, step: Step) -> None:
        if step != Step.MERGE and advance(self.draft.incident.state, step) is not None:
            assert AT.step(self.next(self.now_ms), step, "ann", str(step))
            self.answered |= self.draft.incident.state in {*ANSWERED_STATES, "resolved"}

    def prioritise(self, priority: str) -> None:
        draft = self.next(self.now_ms)
        before = dict(draft.incident.clocks)
        draft.incident.priority = priority
        sla.set_clocks(AT, draft)
        for name in before.keys() ^ draft.incident.clocks.keys():
            self.used[name] = 0

    def inform(self) -> None:
        draft = self.next(self.now_ms)
        sla.informed(AT, draft, "public")
        if draft.incident.state in OPEN_STATES and "update" in draft.incident.clocks:
            self.used["update"] = 0

    def check(self) -> None:
        """What the clocks keep is what was counted."""
        policy = AT.policy(self.draft.incident)
        for name, clock in self.draft.incident.clocks.items():
            used_ms = clockwork.elapsed_ms(clock, sla.gear_of(policy, clock), self.now_ms)
            assert used_ms == self.used[name] * MINUTE, name
            if clock.due_at_ms is None or clock.breached_at_ms is not None or clock.met_at_ms is not None:
                continue
            worked, due = WORKED[clock.calendar], (clock.due_at_ms - BEGINS_MS) // MINUTE
            left = clock.target_ms // MINUTE - self.used[name]
            assert due >= self.minute
            if left > 0:
                assert worked[due] - worked[self.minute] == left
                assert worked[due - 1] - worked[self.minute] == left - 1, "not before its last minute"
            else:
                assert due == self.minute
        breaches = Counter[tuple[str, int]]()
        for (action, name, started_ms, _), times in self.said.items():
            assert times == 1 or action == "sla_warning"
            breaches[name, started_ms] += action == "sla_breached"
        assert all(times <= 1 for times in breaches.values())


STEPS: Final = st.sampled_from([step for step in Step if step not in {Step.LOG, Step.MERGE, Step.CANCEL, Step.CLOSE}])
ACTIONS: Final = st.one_of(
    STEPS,
    STEPS,
    st.sampled_from(["P1", "P2", "P3"]),
    st.just("inform"),
)
LIVES: Final = st.lists(st.tuples(st.one_of(st.integers(0, 90), st.integers(0, 2_000)), ACTIONS), max_size=14)


@settings(max_examples=60)
@given(st.sampled_from(["P1", "P2", "P3"]), LIVES)
def test_any_life_of_an_incident_is_timed_as_a_recount_by_the_minute_times_it(
    priority: str, events: list[tuple[int, Step | str]]
) -> None:
    life = Life(priority)
    for minutes, action in events:
        life.pass_minutes(minutes)
        if isinstance(action, Step):
            life.step(action)
        elif action == "inform":
            life.inform()
        else:
            life.prioritise(action)
        life.check()


@settings(max_examples=30)
@given(st.sampled_from(["P1", "P2", "P3"]), LIVES, st.integers(0, 13))
def test_counting_at_any_moment_in_between_changes_nothing(
    priority: str, events: list[tuple[int, Step | str]], when: int
) -> None:
    plain, looked_at = Life(priority), Life(priority)
    for number, (minutes, action) in enumerate(events):
        for life in (plain, looked_at):
            if life is looked_at and number == when:
                life.pass_minutes(minutes // 2)
                sla.count(AT, life.next(life.now_ms))
                life.pass_minutes(minutes - minutes // 2)
            else:
                life.pass_minutes(minutes)
            if isinstance(action, Step):
                life.step(action)
            elif action == "inform":
                life.inform()
    for name, clock in plain.draft.incident.clocks.items():
        other = looked_at.draft.incident.clocks[name]
        assert (clock.due_at_ms, clock.met_at_ms, clock.breached_at_ms) == (
            other.due_at_ms,
            other.met_at_ms,
            other.breached_at_ms,
        )
    assert plain.said == looked_at.said
