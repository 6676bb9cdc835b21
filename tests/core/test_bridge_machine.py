"""The bridge under anything that may come, in any order, twice or late: invariants that always hold."""

from __future__ import annotations

import os
from typing import Any, Final

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline.core.major.bridge import BridgeProcessor
from pipeline.core.major.bridge_roll import Roll
from pipeline.core.practice.lifecycle import ENDED_STATES, OPEN_STATES
from pipeline.models.incident import Incident
from pipeline.models.summary import Summary
from tests.core.builders import DB, MINUTE, PAY, SHOP, T0, WIKI
from tests.core.halls import Hall, summary

INCIDENTS: Final = tuple(f"INC-{number}" for number in range(6))
ABOUT: Final = (SHOP, PAY, DB, WIKI, SHOP, PAY)
STATES: Final = ("logged", "acknowledged", "in_progress", "mitigated", "resolved", "closed", "cancelled")
COMMANDS: Final = (
    "demote_major", "confirm_major", "reject_major", "declare_major", "assign_commander", "set_status",
    "correct_impact", "resolve", "close", "reopen", "cancel", "acknowledge", "note", "mitigate",
)  # fmt: skip
ARGUMENTS: Final[dict[str, Any]] = {
    "reason": "so it is",
    "assignee": "ann",
    "note": "said",
    "workaround": "restarted",
    "resolution": {"code": "fixed", "summary": "done", "cause": "it broke", "fix": "mended"},
}
RULES: Final = (
    {"users_at_least": 5_000},
    {"rules": [{"users_at_least": 5_000, "mode": "propose"}], "manager": ["shop", "ann"], "demote_after_minutes": 5},
    {
        "rules": [
            {"users_at_least": 9_000, "incidents_at_least": 2, "mode": "promote"},
            {"sites_at_least": 2, "mode": "propose", "priorities": ["P1", "P2", "P3"]},
            {"users_at_least": 5_000},
        ],
        "propose": {"expires_minutes": 20, "unanswered": "declare"},
        "demote_after_minutes": 5,
    },
)

EXAMPLES: Final = int(os.environ.get("SPILLWAY_TEST_EXAMPLES", "12"))
"""Runs of the machine: few with every commit, thousands at night."""

which = st.integers(0, len(INCIDENTS) - 1)
PRIORITY = st.sampled_from(["P1", "P2", "P3"])
USERS = st.sampled_from([10, 3_000, 4_000, 6_000, 9_000])


class Watched(Hall):
    """A hall of which what it writes is read once.

    Attributes:
        shown: bridge incidents as they were published last.
        linked: incident -> the bridge incident that it was told it belongs to.
    """

    def __init__(self, **rule: Any) -> None:
        super().__init__(**rule)
        self.shown: dict[str, dict[str, Any]] = {}
        self.linked: dict[str, str] = {}

    def bridges(self) -> dict[str, dict[str, Any]]:
        return self.shown

    def look(self) -> None:
        """Take what was written since."""
        for each in self.effects.outputs:
            if each.topic == "incidents":
                event = orjson.loads(each.value or b"")
                self.shown[event["incident_id"]] = event["incident"]
            elif each.topic == "commands":
                command = orjson.loads(each.value or b"")
                member = command["target"]["incident_id"]
                if command["type"] == "link_bridge":
                    self.linked[member] = command["bridge_id"]
                elif command["type"] == "unlink_bridge" and self.linked.get(member) == command["bridge_id"]:
                    del self.linked[member]
        self.effects.outputs.clear()


class BridgeMachine(RuleBasedStateMachine):
    """Summaries in any order, copies of old ones, merges, splits, corrections, commands, time and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.halls = [Watched(**each) for each in RULES]
        self.now = T0
        self.last: dict[str, Summary] = {}
        self.sent: list[Summary] = []
        self.asked: list[dict[str, Any]] = []
        self.number = 0

    # -- what comes

    def _news(self, incident_id: str, **fields: Any) -> None:
        known = self.last.get(incident_id)
        if known is not None and known.state in ENDED_STATES:
            return  # nothing comes of what has ended, but late copies
        self.number += 1
        given = {"at_ms": self.now, "revision": self.number} | fields
        if known is not None:
            document = {name: getattr(known, name) for name in Summary.__slots__}
            news = Summary(**(document | given))
        else:
            news = summary(incident_id, ABOUT[INCIDENTS.index(incident_id)], **given)
        self.last[incident_id] = news
        self._put(news)

    def _put(self, news: Summary) -> None:
        self.sent.append(news)
        for hall in self.halls:
            hall.put("incidents.summaries", news, self.now)

    @rule(one=which, users=USERS, priority=PRIORITY, cause=st.sampled_from([None, DB, SHOP]), eu=st.booleans())
    def grows(self, one: int, users: int, priority: str, cause: str | None, eu: bool) -> None:
        ref = ABOUT[one]
        sites = ["berlin", "paris"] if eu else ["berlin"]
        impacts = {ref: (f"system {one // 2}", users, 1.5 * users, "population:staff/" + "ab"[one % 2])}
        space = "eu" if one == 4 else "production"
        self._news(
            INCIDENTS[one],
            impacts=impacts,
            priority=priority,
            space=space,
            suspects=[cause] if cause else [],
            identified=cause,
            sites=sites,
            fires=users > 3_000,
        )

    @rule(one=which, state=st.sampled_from(STATES))
    def moves_on(self, one: int, state: str) -> None:
        if INCIDENTS[one] in self.last:
            self._news(INCIDENTS[one], state=state)

    @rule(one=which, into=which)
    def is_merged(self, one: int, into: int) -> None:
        heir = self.last.get(INCIDENTS[into])
        if one != into and INCIDENTS[one] in self.last and heir is not None and heir.state not in ENDED_STATES:
            self._news(INCIDENTS[one], state="merged", merged_into=INCIDENTS[into])

    @rule(one=which, users=st.sampled_from([0, 100, 20_000]))
    def is_corrected(self, one: int, users: int) -> None:
        if INCIDENTS[one] in self.last:
            ref = ABOUT[one]
            self._news(INCIDENTS[one], impacts={ref: ("store", users, 1.0, "store")}, corrected_at_ms=self.now)

    @rule(one=which)
    def is_declared(self, one: int) -> None:
        if INCIDENTS[one] in self.last:
            said = {"by": "ann", "because": "I say so", "at_ms": self.now, "command_id": f"D-{self.number}"}
            self._news(INCIDENTS[one], declared=said)

    @rule(data=st.data())
    def an_old_summary_comes_again(self, data: st.DataObject) -> None:
        newest = [each for each in self.sent if self.last[each.incident_id] is each]
        if newest:
            copy = data.draw(st.sampled_from(newest))
            for hall in self.halls:
                hall.put("incidents.summaries", copy, self.now)

    @rule(kind=st.sampled_from(COMMANDS), data=st.data())
    def somebody_asks(self, kind: str, data: st.DataObject) -> None:
        self.number += 1
        status = data.draw(st.sampled_from(["identified", "monitoring", "resolved", "nonsense"]))
        fields = ARGUMENTS | {"status": status, "users": data.draw(USERS), "command_id": f"C-{self.number}"}
        place = data.draw(st.integers(0, 2))
        for hall in self.halls:
            known = list(hall.bridges())
            if known:
                hall.ask(kind, self.now, bridge=known[place % len(known)], **fields)

    @rule(minutes=st.sampled_from([1, 6, 30, 24 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE
        for hall in self.halls:
            hall.tick(self.now)

    @rule()
    def the_worker_restarts(self) -> None:
        for hall in self.halls:
            hall.restart()

    # -- what always holds

    def check_invariants(self, *given: Any, **named: Any) -> None:  # all of them look at what was written
        for hall in self.halls:
            hall.look()
        super().check_invariants(*given, **named)

    @invariant()
    def no_incident_is_in_two_open_bridges(self) -> None:
        for hall in self.halls:
            seen: set[str] = set()
            for bridge in _kept(hall).values():
                assert len(bridge.members) == len(set(bridge.members))
                assert seen.isdisjoint(bridge.members)
                seen.update(bridge.members)
            assert seen == set(_processor(hall)._bridge_of)

    @invariant()
    def a_roll_is_what_its_members_come_to_when_called_anew(self) -> None:
        for hall in self.halls:
            processor = _processor(hall)
            for bridge in _kept(hall).values():
                anew = Roll()
                for member in reversed(bridge.members):
                    if member in processor._summaries:
                        anew.put(processor._summaries[member])
                roll = processor._rolls[bridge.id]
                assert roll.reach() == anew.reach()
                assert (roll.states, roll.entities, roll.links) == (anew.states, anew.entities, anew.links)

    @invariant()
    def what_is_shown_last_is_what_is_kept(self) -> None:
        for hall in self.halls:
            for bridge_id, bridge in _kept(hall).items():
                assert hall.shown[bridge_id]["state"] == bridge.state not in ENDED_STATES
                if bridge.major is not None and bridge.major.phase == "proposed":
                    assert bridge.state == "detected", "a proposal has no life yet"

    @invariant()
    def every_link_to_a_bridge_that_came_to_nothing_is_undone(self) -> None:
        for hall in self.halls:
            for member, bridge_id in hall.linked.items():
                over = self.last[member].state in ENDED_STATES or self.last[member].state == "resolved"
                assert over or hall.shown[bridge_id]["state"] not in {"cancelled", "closed"}

    @invariant()
    def nothing_is_due_for_ever(self) -> None:
        for hall in self.halls:
            due = hall.processor.next_deadline_ms()
            assert due is None or due > hall.processor.clock_ms or due > self.now - 1

    @invariant()
    def open_members_are_in_an_open_bridge(self) -> None:
        for hall in self.halls:
            for bridge in _kept(hall).values():
                if bridge.state in OPEN_STATES and bridge.major is not None and bridge.major.phase == "proposed":
                    assert any(self.last[each].state in OPEN_STATES for each in bridge.members)


def _processor(hall: Hall) -> BridgeProcessor:
    assert isinstance(hall.processor, BridgeProcessor)
    return hall.processor


def _kept(hall: Hall) -> dict[str, Incident]:
    return _processor(hall)._bridges


BridgeMachine.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
TestBridge = BridgeMachine.TestCase
