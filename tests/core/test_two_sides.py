"""Both sides edit at once: real decisions here, people and faults there; it converges to what the owners say.

Answers get lost, webhooks come late, twice and in another order, workers die, sinks are removed and come back.
"""

from __future__ import annotations

import os
from typing import Any, Final

import orjson
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipeline.core.outward.outbox import Outbox
from pipeline.core.outward.ownership import agrees, owner_of, wanted
from pipeline.core.outward.sides import FIELDS
from pipeline.core.step import Output
from pipeline.models.ledger import OrphanReason
from pipeline.models.sinks.base import Owners
from pipeline.models.sinks.servicenow import ServiceNow
from tests.core.builders import MINUTE, WIKI, alert, opened
from tests.core.downstream import Office, There, check_order, tickets
from tests.core.rooms import Room

EXAMPLES: Final = int(os.environ.get("SPILLWAY_TEST_EXAMPLES", "20"))
"""Runs: few with every commit, thousands at night."""

PHASES: Final = (Phase.explicit, Phase.reuse, Phase.generate)
"""A failure is shown as it is found: making it small takes minutes, and who wants it may add `Phase.shrink`."""

ROUNDS_MAX: Final = 25
"""Rounds in which both sides come to rest once nobody edits any more."""

RETRY: Final = {"schema": 1, "kind": "retry", "sink": "*", "incident_id": "*", "at": "2026-03-10T10:00:00Z"}


class World:
    """An incident desk, deliver and two downstreams, with everything between them on its way.

    Attributes:
        to_room: commands on their way.
        to_office: events on their way.
    """

    def __init__(self, *sinks: ServiceNow) -> None:
        self.room, self.office = Room(), Office(*sinks)
        self.sinks = sinks
        self.to_room: list[dict[str, Any]] = []
        self.to_office: list[dict[str, Any]] = []
        self.asked = self.revisions = self.edits = self.numbers = 0
        self._seen_room = self._seen_office = 0
        self.firing: list[tuple[str, str, dict[str, Any]]] = []
        self.fire("a")
        self.fire("w", entity=WIKI, service=WIKI, domain="office")

    # -- on the way

    def gather(self) -> None:
        """What both wrote is on its way."""
        written, self._seen_room = self.room.effects.outputs[self._seen_room :], len(self.room.effects.outputs)
        for each in _values(written, "incidents"):
            self.revisions += 1
            self.to_office.append(each)
        written, self._seen_office = self.office.effects.outputs[self._seen_office :], len(self.office.effects.outputs)
        for each in _values(written, "commands"):
            self.asked += 1
            self.to_room.append(each)

    def tell(self, most: int = 1_000) -> None:
        self.gather()
        for _ in range(min(most, len(self.to_office))):
            event = self.to_office.pop(0)
            self.office.put("incidents", event["incident_id"], event)
            self.gather()

    def obey(self, most: int = 1_000) -> None:
        self.gather()
        for _ in range(min(most, len(self.to_room))):
            self.room.put("commands", self.to_room.pop(0), self.office.now_ms)
            self.gather()

    def go_on(self, milliseconds: int) -> None:
        self.office.tick(milliseconds)
        self.room.tick(self.office.now_ms)

    # -- what happens

    def fire(self, key: str, **fields: Any) -> None:
        self.numbers += 1
        episode_id = f"EP-{key}-{self.numbers}"
        self.firing.append((key, episode_id, fields))
        self.room.open(alert(key, **fields), self.office.now_ms, episode_id=episode_id)

    def clear(self, which: int) -> None:
        key, episode_id, fields = self.firing.pop(which % len(self.firing))
        about = opened(alert(key, **fields), self.office.now_ms, change="resolved", episode_id=episode_id)
        self.room.put("episodes", about, self.office.now_ms)

    def ask(self, kind: str, incident_id: str, **fields: Any) -> None:
        target = {"incident_id": incident_id}
        self.room.ask(kind, self.office.now_ms, target=target, **fields)

    def ids(self) -> list[str]:
        return list(self.room.incidents())

    def ready_there(self) -> list[There]:
        return [each for name, each in self.office.there.items() if each.tickets and name in self.office.sinks]

    def rest(self) -> None:
        """Nobody edits any more: what is on its way arrives, and what is there is looked at, until nothing moves."""
        for _ in range(ROUNDS_MAX):
            before = (self.asked, self.revisions, sum(each.writes for each in self.office.there.values()))
            self._arrive()
            self.office.tick(2 * MINUTE)
            self._look()
            self._arrive()
            if before == (self.asked, self.revisions, sum(each.writes for each in self.office.there.values())):
                return
        raise AssertionError("the two sides never come to rest")

    def _arrive(self) -> None:
        for _ in range(100):
            self.tell()
            self.obey()
            for name in self.office.sinks:
                self.office.hear(name)
            self.office.deliver()
            self.gather()
            due_ms = self.office.processor.next_deadline_ms()
            if due_ms is not None:
                self.office.tick(max(1, due_ms - self.office.now_ms))
            elif not (self.to_office or self.to_room or self.office.sends()):
                return
        raise AssertionError("what is on its way never arrives")

    def _look(self) -> None:
        known = {(each.sink, each.remote.id) for each in self.office.processor.outboxes() if each.remote is not None}
        for name in self.office.sinks:
            there = self.office.there[name]
            for ticket in there.tickets:
                if (name, ticket.id) in known:
                    self.office.back(there.look(ticket))


def _values(outputs: list[Output], topic: str) -> list[dict[str, Any]]:
    return [orjson.loads(each.value or b"") for each in outputs if each.topic == topic]


_owner = st.sampled_from(["ours", "theirs", "both", "until_edited"])
_sinks = st.builds(
    lambda state, priority, assignee, title, clear: {
        "owners": Owners(state=state, priority=priority, assignee=assignee, title=title),
        "on_all_clear": clear,
    },
    st.sampled_from(["both", "ours", "theirs"]),
    _owner,
    _owner,
    _owner,
    st.sampled_from(["propose", "resolve"]),
)
_VALUES: Final = {
    "state": ("open", "in_progress", "waiting", "resolved", "closed"),
    "priority": ("P1", "P2", "P3", "P4"),
    "assignee": ("kim", "lee", ""),
    "title": ("Shop is slow", "Disk full"),
}
HOW: Final = ("delivered", "delivered", "busy", "lost", "rejected", "crash")
ASKED: Final = (
    "acknowledge", "start", "resolve", "reopen", "assign", "set_priority", "note", "wait", "merge", "close",
)  # fmt: skip
_edit = st.sampled_from([(name, value) for name, values in _VALUES.items() for value in values])
_which = st.integers(0, 7)
_action = st.one_of(
    st.tuples(st.just("edit"), _which, _edit, st.sampled_from(["kim", "lee", "robot"])),
    st.tuples(st.just("edit"), _which, _edit, st.sampled_from(["kim", "lee", "robot"])),
    st.tuples(st.just("here"), _which, st.sampled_from(ASKED)),
    st.tuples(st.sampled_from(["note", "delete", "duplicate", "look", "fire", "clear", "restart", "remove"]), _which),
    st.tuples(st.just("pass"), st.sampled_from([1_000, MINUTE, 20 * MINUTE])),
)
_flow = st.lists(
    st.one_of(
        st.tuples(st.just("send"), _which, st.sampled_from(HOW)),
        st.tuples(st.just("hear"), _which, st.sampled_from([False, False, True])),
        st.tuples(st.sampled_from(["tell", "obey"]), _which),
    ),
    max_size=8,
)
_steps = st.lists(st.tuples(_action, _flow), min_size=3, max_size=20)


def _here(world: World, which: int, kind: str) -> None:
    ids = world.ids()
    fields: dict[str, dict[str, Any]] = {
        "resolve": {"resolution": {"code": "x", "summary": "done"}},
        "reopen": {"reason": "again"},
        "assign": {"assignee": ("ann", "bob")[which % 2]},
        "set_priority": {"priority": f"P{1 + which % 4}"},
        "note": {"note": "words"},
        "wait": {"waiting_for": "vendor"},
        "merge": {"into": ids[(which + 1) % len(ids)]},
    }
    world.ask(kind, ids[which % len(ids)], **fields.get(kind, {}))


def _there(world: World, step: tuple[Any, ...]) -> None:
    """Somebody there does something."""
    word, which = step[0], step[1]
    places = world.ready_there()
    if not places:
        return
    there = places[which % len(places)]
    # What has ended on both sides is theirs: whoever opens it again opens something of his own.
    known = {(each.sink, each.incident_id) for each in world.office.processor.outboxes()}
    living = [each for each in there.tickets if not each.deleted and (there.rules.name, each.incident_id) in known]
    if not living:
        return
    ticket, now_ms = living[which // 2 % len(living)], world.office.now_ms
    world.edits += 1
    if word == "edit":
        there.edit(ticket, step[2][0], step[2][1], now_ms, step[3])
    elif word == "note":
        there.note(ticket, f"words {world.edits}", now_ms)
    elif word == "delete":
        there.delete(ticket, now_ms)
    elif word == "duplicate":
        ids = world.ids()
        there.edit(ticket, "priority", "P4", now_ms, duplicate_of=ids[which % len(ids)])
    else:
        world.office.back(there.look(ticket))


def _do(world: World, step: tuple[Any, ...]) -> None:  # a table in prose
    word, which = step[0], step[1]
    office = world.office
    if word in ("edit", "note", "delete", "duplicate", "look"):
        _there(world, step)
    elif word == "here":
        _here(world, which, step[2])
    elif word == "send" and (sends := office.sends()):
        office.attempt(sends[which % len(sends)], step[2])
    elif word == "hear":
        for name in office.sinks:
            updates = office.there[name].updates
            if updates:
                index = which % len(updates)
                office.back(updates[index] if step[2] else updates.pop(index))
    elif word in ("tell", "obey"):
        getattr(world, word)(which + 1)
    elif word == "restart":
        office.restart()
    elif word == "remove":
        office.restart(*(world.sinks if len(office.sinks) == 1 else world.sinks[:1]))
    elif word == "pass":
        world.go_on(which)
    elif word == "fire":
        world.fire(("a", "b")[which % 2])
    elif word == "clear" and world.firing:
        world.clear(which)
    world.gather()


def _converged(world: World) -> None:
    """Each field is as its owner says, and what we believe of the other side is so."""
    snapshots = world.room.incidents()
    for outbox in world.office.processor.outboxes():
        rules = world.office.sinks.get(outbox.sink)
        if rules is None or outbox.abandoned:
            continue
        assert outbox.queue == []
        remote, sides = outbox.remote, outbox.sides
        ticket = world.office.there[outbox.sink].of(outbox.incident_id)
        assert (remote is None) == (ticket is None), outbox
        if ticket is None or remote is None:
            continue
        assert ticket.id == remote.id
        assert sides.state == snapshots[outbox.incident_id]["state"]
        for name in FIELDS:
            if name in remote.fields:
                assert remote.fields[name] == ticket.fields.get(name, ""), (name, ticket, sides)
            assert _as_owned(outbox, rules, name, ticket.fields.get(name, "")), (name, ticket, sides)


def _as_owned(outbox: Outbox, rules: Any, name: str, there: str) -> bool:
    sides = outbox.sides
    value = sides.desired.get(name, "")
    if value == there or agrees(rules, sides, name, value, there) or name in sides.contested:
        return True
    if owner_of(rules, name) == "theirs" or name in sides.edited:
        return True
    if name in sides.yields:
        return not sides.yields[name].commands
    return name not in wanted(rules, outbox.remote, sides, sides.desired["state"])


def _ended(world: World) -> None:
    """Everything ends here; all of ours there has ended, too."""
    for incident_id in world.ids():
        world.ask("resolve", incident_id, resolution={"code": "x", "summary": "done"})
        world.ask("close", incident_id)
    world.rest()
    world.office.back(RETRY | {"update_id": "last"})
    world.rest()
    left = {each.reason for each in world.office.processor.orphans()}
    assert left <= {OrphanReason.STATE_IS_THEIRS}, left
    assert {each["reason"] for each in world.office.ledger.values()} <= {OrphanReason.STATE_IS_THEIRS}
    for there in world.office.there.values():
        theirs = owner_of(there.rules, "state") == "theirs"
        assert theirs or all(each.ended for each in there.tickets), there.tickets


@given(_sinks, _steps)
@settings(max_examples=EXAMPLES, deadline=None, report_multiple_bugs=False, phases=PHASES)
def test_both_sides_come_to_what_the_owners_say_and_nothing_is_left_open(
    fields: dict[str, Any], steps: list[tuple[tuple[Any, ...], list[tuple[Any, ...]]]]
) -> None:
    world = World(tickets("desk"), tickets("other", **fields))
    world.tell()
    for action, flow in steps:
        _do(world, action)
        for step in flow:
            _do(world, step)
        world.office.check_twin()
    world.office.restart(*world.sinks)
    world.rest()
    world.office.back(RETRY | {"update_id": "first"})
    world.rest()
    _converged(world)
    _ended(world)
    for there in world.office.there.values():
        check_order(there.told)
    done = sum(1 + len(flow) for _, flow in steps)
    assert world.asked <= 20 + 6 * done, "commands are bounded by what people did"
    writes = sum(each.writes for each in world.office.there.values())
    assert writes <= 40 + 12 * done, "so are requests that write"
