"""A ticketing system in memory, as its sink and its people see it; and both sides of it on one bench."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.core.outward.outbox import MILESTONES
from pipeline.core.outward.send import Send
from pipeline.core.step import TICK_KEY, Effects, Output, StreamRecord
from pipeline.models.delivery import Delivery
from pipeline.models.policy import Config
from pipeline.models.remote import ENDED, Remote
from pipeline.models.sinks import Sink
from pipeline.models.sinks.servicenow import ServiceNow
from tests.core.builders import T0

OURS: Final = "spillway.bot"


def tickets(name: str = "desk", **fields: Any) -> ServiceNow:
    return ServiceNow(name=name, url="https://desk.example", secret_env="DESK_SECRET", user=OURS, **fields)


@dataclass(kw_only=True)
class Ticket:
    """One record there."""

    id: str
    incident_id: str
    fields: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    version: int = 0
    changed_ms: int = 0
    changed_by: str = OURS
    deleted: bool = False

    @property
    def ended(self) -> bool:
        return self.deleted or self.fields.get("state") in ENDED


class There:
    """The downstream of one sink: an upsert as every sink makes it, and people who change things.

    Attributes:
        tickets: all that were ever made, in order.
        told: deliveries that took effect, in order.
        updates: what it has to tell us, not told yet.
        writes: requests that wrote something.
    """

    def __init__(self, rules: Sink) -> None:
        self.rules = rules
        self.tickets: list[Ticket] = []
        self.told: list[Send] = []
        self.updates: list[dict[str, Any]] = []
        self.writes = 0
        self.quiet_about_us = False

    def of(self, incident_id: str) -> Ticket | None:
        """The record of an incident that is there."""
        found = [each for each in self.tickets if each.incident_id == incident_id and not each.deleted]
        return found[-1] if found else None

    def send(self, send: Send, now_ms: int) -> Remote | None:
        """What a sink does: look where it has to, make or change, and say what is there."""
        ticket = next((each for each in self.tickets if send.remote and each.id == send.remote.id), None)
        if ticket is None and send.unsure:
            ticket = self.of(send.incident_id)
        if ticket is not None and ticket.deleted:
            assert send.remote is not None
            return Remote(id=ticket.id, key=ticket.id, state="gone")
        if ticket is None:
            assert self.of(send.incident_id) is None, "a second record of one incident"
            ticket = Ticket(id=f"T{len(self.tickets)}", incident_id=send.incident_id)
            self.tickets.append(ticket)
        self._write(ticket, send, now_ms)
        self.told.append(send)
        return self.remote(ticket)

    def _write(self, ticket: Ticket, send: Send, now_ms: int) -> None:
        data = orjson.loads(send.body)["data"]
        values = {name: self.rules.canonical(name, value) for name, value in send.wanted.items()}
        fresh = {name: value for name, value in values.items() if ticket.fields.get(name, "") != value}
        news = [f"{each.get('revision')} {each['action']} {each['text']}" for each in data["entries"]]
        news = [each for each in news if not send.unsure or each not in ticket.notes]
        calls = [each["key"] for each in data["calls"] if each["key"] not in ticket.calls]
        ticket.notes += news
        ticket.calls += calls
        if fresh or news or calls:
            self.writes += 1
        if fresh:
            ticket.fields |= fresh
            self._changed(ticket, "" if self.quiet_about_us else OURS, now_ms)

    def remote(self, ticket: Ticket) -> Remote:
        state = ticket.fields.get("state", "open")
        return Remote(id=ticket.id, key=ticket.id, url="", state=state, fields=dict(ticket.fields))

    def edit(self, ticket: Ticket, name: str, value: str, now_ms: int, author: str = "kim", **said: Any) -> None:
        """Somebody there changes a field."""
        value = self.rules.canonical(name, value)
        if ticket.fields.get(name, "") != value:
            ticket.fields[name] = value
            self._changed(ticket, author, now_ms, **said)

    def note(self, ticket: Ticket, text: str, now_ms: int, author: str = "kim") -> None:
        """Somebody there writes something."""
        note = {"id": f"{ticket.id}/n{ticket.version + 1}", "author": author, "text": text}
        self._changed(ticket, author, now_ms, notes=[note])

    def delete(self, ticket: Ticket, now_ms: int) -> None:
        """Somebody there deletes it."""
        ticket.deleted = True
        self.updates.append(self._update(ticket, "gone", "kim", now_ms))

    def look(self, ticket: Ticket) -> dict[str, Any]:
        """The record as the reconciler reads it."""
        if ticket.deleted:
            return self._update(ticket, "gone", "", ticket.changed_ms)
        return self._update(ticket, "read", ticket.changed_by, ticket.changed_ms)

    def _changed(self, ticket: Ticket, author: str, now_ms: int, **said: Any) -> None:
        ticket.version += 1
        ticket.changed_ms, ticket.changed_by = now_ms, author
        self.updates.append(self._update(ticket, "changed", author, now_ms) | said)

    def _update(self, ticket: Ticket, kind: str, author: str, at_ms: int) -> dict[str, Any]:
        return {
            "schema": 1,
            "kind": kind,
            "update_id": f"{ticket.id}/{kind}/{ticket.version}",
            "version": ticket.version,
            "sink": self.rules.name,
            "incident_id": ticket.incident_id,
            "at": datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(),
            "author": author,
            "own": author == OURS,
            "person": author not in ("", "robot"),
            "fields": dict(ticket.fields),
            "remote_id": ticket.id,
        }


class Office:
    """Deliver and its downstreams, by hand: events in, sends out, updates back.

    Attributes:
        effects: all that deliver wrote.
        ledger: what ``deliveries.state`` says.
    """

    def __init__(self, *sinks: Sink) -> None:
        self.sinks = {each.name: each for each in sinks}
        self.there = {each.name: There(each) for each in sinks}
        self.processor = DeliverProcessor(Config(sinks=self.sinks))
        self.effects = Effects()
        self.state: dict[bytes, bytes] = {}
        self.ledger: dict[str, dict[str, Any]] = {}
        self.now_ms = T0
        self._read = 0
        self._offset = 0

    # -- in

    def put(self, topic: str, key: str, value: object) -> list[Output]:
        """One record; what it led to."""
        self._offset += 1
        body = None if value is None else orjson.dumps(value)
        record = StreamRecord(topic, 0, self._offset, self.now_ms, key.encode(), body)
        before = len(self.effects.outputs)
        self.processor.handle_one(record, self.effects)
        self.processor.finish(self.effects)
        for state_key, state in self.processor.take_changes():
            if state is None:
                self.state.pop(state_key, None)
            else:
                self.state[state_key] = state
                assert len(state) < 4 << 20, "a state record stays under 4 MiB"
        found = self.effects.outputs[before:]
        for each in found:
            assert each.topic != "dead.letter", each
            if each.topic == "deliveries.state":
                name = (each.key or b"").decode()
                if each.value is None:
                    self.ledger.pop(name, None)
                else:
                    self.ledger[name] = orjson.loads(each.value)
        return found

    def tick(self, milliseconds: int) -> list[Output]:
        """Time goes on."""
        self.now_ms += milliseconds
        return self.put("deliveries", TICK_KEY.decode(), None)

    def event(self, revision: int, change: str, incident_id: str = "INC-1", **given: Any) -> list[Output]:
        """A revision of an incident."""
        entries = given.pop("entries", None)
        snapshot: dict[str, Any] = {
            "id": incident_id,
            "state": "logged",
            "priority": "P1",
            "domain": "shop",
            "space": "production",
        }
        snapshot |= {"kind": "incident", "title": "Shop fails", "assignee": None, "priority_rank": 0, "reopened": 0}
        note = {"at_ms": self.now_ms, "action": change, "actor": "spillway", "text": f"number {revision}"}
        value = {
            "schema": 1,
            "incident_id": incident_id,
            "revision": revision,
            "change": change,
            "at_ms": self.now_ms,
            "entries": [note] if entries is None else entries,
            "incident": snapshot | given | {"revision": revision},
        }
        return self.put("incidents", incident_id, value)

    def restart(self, *sinks: Sink) -> None:
        """The worker dies, and another one takes the changelog; the sinks may be others by then."""
        self.sinks = {each.name: each for each in sinks} if sinks else self.sinks
        self.processor = DeliverProcessor(Config(sinks=self.sinks))
        for key, value in self.state.items():
            self.processor.restore(key, value)
        self.processor.restored()

    def check_twin(self) -> None:
        """What another worker makes of the changelog is what this one has, but that it doubts what was ready."""
        twin = DeliverProcessor(Config(sinks=self.sinks))
        for key, value in self.state.items():
            twin.restore(key, value)
        twin.restored()
        mine, theirs = ([each._replace(unsure=True) for each in some] for some in (self.sends(), twin.ready()))
        assert mine == theirs
        assert twin.next_deadline_ms() == self.processor.next_deadline_ms()
        assert [each.to_wire() for each in twin.orphans()] == [each.to_wire() for each in self.processor.orphans()]
        pairs = zip(twin.outboxes(), self.processor.outboxes(), strict=True)
        assert all(replace(one, unsure=False) == replace(other, unsure=False) for one, other in pairs)

    # -- out

    def sends(self) -> list[Send]:
        """What is to be sent now."""
        return self.processor.ready()

    def attempt(self, send: Send, how: str = "delivered") -> list[Output]:
        """Make an attempt: ``delivered``, ``busy`` (nothing happened), ``lost`` (it happened, and nobody knows),
        ``rejected``, or ``crash`` (it happened, and no outcome was noted)."""
        happens = how in ("delivered", "lost", "crash")
        remote = self.there[send.sink].send(send, self.now_ms) if happens else None
        if how == "crash":
            self.restart()
            return []
        outcome = {"delivered": "delivered", "rejected": "rejected"}.get(how, "retry")
        return self.answer(send, outcome, unknown=how == "lost", remote=remote if how == "delivered" else None)

    def answer(self, send: Send, outcome: str, **given: Any) -> list[Output]:
        """The outcome of an attempt."""
        delivery = Delivery(
            delivery_id=send.delivery_id,
            sink=send.sink,
            incident_id=send.incident_id,
            revision=send.revision,
            attempt=send.attempt,
            turn=send.turn,
            wanted=dict(send.wanted),
            outcome=outcome,
            at_ms=self.now_ms,
            **given,
        )
        return self.put("deliveries", send.incident_id, delivery.to_wire())

    def deliver(self) -> list[Output]:
        """Deliver until nothing is ready."""
        found: list[Output] = []
        for _ in range(200):
            sends = self.sends()
            if not sends:
                return found
            found += self.attempt(sends[0])
        raise AssertionError("it never ends")

    def back(self, update: dict[str, Any]) -> list[Output]:
        """An update comes back."""
        return self.put("sink.updates", update["incident_id"], update)

    def hear(self, name: str = "desk") -> list[Output]:
        """All that a downstream has to tell comes back."""
        found: list[Output] = []
        while self.there[name].updates:
            found += self.back(self.there[name].updates.pop(0))
        return found

    def ticket(self, incident_id: str = "INC-1", name: str = "desk") -> Ticket:
        """The record of an incident there."""
        found = self.there[name].of(incident_id)
        assert found is not None
        return found

    def new(self) -> list[Output]:
        """What was written since the last call."""
        found = self.effects.outputs[self._read :]
        self._read = len(self.effects.outputs)
        return found


def commands(found: list[Output]) -> list[dict[str, Any]]:
    """The commands among outputs, without our own links."""
    read = [orjson.loads(each.value or b"") for each in found if each.topic in ("commands", "bridge.commands")]
    return [each for each in read if each["actor"] != "spillway"]


def links(found: list[Output]) -> list[dict[str, Any]]:
    """Our own links among outputs."""
    read = [orjson.loads(each.value or b"") for each in found if each.topic == "commands"]
    return [each["link"] for each in read if each["actor"] == "spillway"]


def became(found: list[Output]) -> dict[str, str]:
    """What became of the last update among outputs."""
    read = [orjson.loads(each.value or b"null") for each in found if each.topic == "deliveries"]
    reasons: dict[str, str] = [each for each in read if each.get("direction") == "in"][-1]["reasons"]
    return reasons


def check_order(told: list[Send]) -> None:
    """Revisions rise, milestones are told one by one, and no call is told twice but where it was not known."""
    newest: dict[str, int] = {}
    calls: Counter[tuple[str, str]] = Counter()
    for send in told:
        data = orjson.loads(send.body)["data"]
        assert send.revision >= newest.get(send.incident_id, 0), "an older revision after a newer one"
        newest[send.incident_id] = send.revision
        changes = data["changes"]
        assert len(changes) == 1 or not set(changes) & MILESTONES or send.delivery_id.count("/") > 2, changes
        for call in data["calls"] if not send.unsure and send.attempt == 1 else ():
            calls[send.incident_id, call["key"]] += 1
    assert not [each for each, times in calls.items() if times > 1]
