"""Deliver: what each sink is told, in which order and when again; and what comes back. `pipeline.sinks` sends.

Events of ``incidents`` fill outboxes. `DeliverProcessor.take_ready` names what is to be sent now; what became of
each attempt comes back as a record on ``deliveries`` and moves the outbox on. So the queue is state like any
other: a worker that dies between sending and noting the outcome makes its successor send again, under the
same delivery id, which the receiver knows by then. What people do there comes as a record on ``sink.updates``.

    processor.handle(records, effects)
    changed, withdrawn = processor.take_ready()     # and write the outcomes to `deliveries`, keyed by incident id
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from pipeline.core.alerts.own_alerts import is_told
from pipeline.core.identity import content_hash
from pipeline.core.outward.asking import outputs
from pipeline.core.outward.carried import carried
from pipeline.core.outward.delivery_body import delivery_body
from pipeline.core.outward.figures import figures, oldest_ms
from pipeline.core.outward.healing import disown, heal, room_of
from pipeline.core.outward.incident_event import IncidentEvent, need, read_event, read_object
from pipeline.core.outward.ledger import ledger_entry, orphaned
from pipeline.core.outward.linking import is_own_link, link_news
from pipeline.core.outward.outbox import Outbox
from pipeline.core.outward.outcome import Outcome, read_outcome
from pipeline.core.outward.ownership import proposes, under_way, wanted
from pipeline.core.outward.polls import Polls
from pipeline.core.outward.received import received
from pipeline.core.outward.send import Send
from pipeline.core.outward.sides import FINAL_STATES
from pipeline.core.outward.sync import learn
from pipeline.core.step import Effects, Output, Processor, Record, dead_letter
from pipeline.models.decision import BadRecord
from pipeline.models.delivery import (
    DELIVERIES_TOPIC,
    DELIVERY_SCHEMA,
    DIRECTION_IN,
    TURN_UNKNOWN,
    Delivery,
    DeliveryOutcome,
    ParkReason,
    delivery_id,
)
from pipeline.models.ledger import DELIVERIES_STATE_TOPIC, LedgerEntry
from pipeline.models.policy import Config
from pipeline.models.remote import SINK_UPDATES_TOPIC, RemoteState
from pipeline.models.sinks import Sink, SinkRules
from pipeline.models.sinks.base import TwoWay

RANK_UNKNOWN: Final = 99
"""Rank of an incident whose priority has no place in a scale: behind all that have one."""


class DeliverProcessor(Processor):
    """Outboxes of the incidents of one partition.

    A sink hears of an incident from the first revision that its filters let through, and from then on of
    every revision until the incident closes, also when its priority falls: it must learn how it ended. An outbox
    stays until the record there has ended, too, also where its sink is no longer configured.
    """

    stage = "deliver"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._sinks: dict[str, Sink] = {sink.name: sink for sink in config.sinks.values()}
        self._outboxes: dict[str, Outbox] = {}
        self.polls = Polls(self.touch)
        self._ready: set[str] = set()
        self._news: set[str] = set()  # outboxes whose place among the ready may have changed since it was told
        self._sinks_removed: set[str] = set()
        self._ledger_news: dict[str, bool] = {}  # outboxes that changed in this batch -> whether the ledger has them

    # -- decisions

    def process(self, record: Record, effects: Effects) -> None:
        """Queue an event, move an outbox on by the outcome of its head, or take in what came back."""
        if record.topic == DELIVERIES_TOPIC:
            self._take_outcome(record, effects)
        elif record.topic == SINK_UPDATES_TOPIC:
            known = (self._sinks, self._outboxes)
            received(record, *known, self.clock_ms, effects, self._settle, self._disown, self.polls)
        else:
            self._take_event(read_event(record), effects)

    def refuse(self, record: Record, bad: BadRecord, effects: Effects) -> None:
        """Send a record to the dead letter. It is no alert: those were counted where they were decided."""
        effects.outputs.append(dead_letter(self.stage, record, bad))

    def on_timer(self, key: str, due_ms: int, effects: Effects) -> None:
        """The wait of a head is over, or that for the answer to a command."""
        outbox = self._outboxes[key]
        outbox.due_ms = None
        outbox.sides.expire(self.clock_ms)
        self._settle(key, effects)

    def finish(self, effects: Effects) -> None:
        """Write what has changed of the ledger."""
        for key, known in sorted(self._ledger_news.items()):
            outbox = self._outboxes.get(key)
            if outbox is None:
                if known:
                    effects.outputs.append(Output(DELIVERIES_STATE_TOPIC, key.encode(), None, self.clock_ms))
                continue
            value = orjson.dumps(ledger_entry(outbox, self._sinks.get(outbox.sink)))
            shown = content_hash(value.decode())
            if shown != outbox.shown:
                outbox.shown = shown
                self.touch(key)
                effects.outputs.append(Output(DELIVERIES_STATE_TOPIC, key.encode(), value, self.clock_ms))
        self._ledger_news.clear()

    def ready(self) -> list[Send]:
        """Heads to be sent now, in order of their keys; the same until an outcome or a timer changes it."""
        return [self._send(self._outboxes[key]) for key in sorted(self._ready)]

    def take_ready(self) -> tuple[list[Send], list[tuple[str, str]]]:
        """What has changed of `ready` since it was last taken; it costs as much as has changed.

        Returns:
            Sends that are new or others than before; and sink and incident where there is nothing to send any more.
        """
        news, self._news = sorted(self._news), set()
        changed = [self._send(self._outboxes[key]) for key in news if key in self._ready]
        withdrawn = [_parts(key) for key in news if key not in self._ready]
        return changed, withdrawn

    def waiting_since_ms(self, *, urgent: bool = False) -> dict[str, int]:
        """Sink -> when the oldest happened that it has not been told of and that is not given up.

        Args:
            urgent: only what is told of incidents of the first priority of their scale.
        """
        waiting = (each for each in self._outboxes.values() if not urgent or each.sides.facts.get("rank") == 0)
        return oldest_ms(waiting)

    def outboxes(self) -> list[Outbox]:
        """All outboxes, by sink and incident: what waits and what was given up, for metrics and people."""
        return [self._outboxes[key] for key in sorted(self._outboxes)]

    def orphans(self) -> list[LedgerEntry]:
        """What the ledger says of each record that does not end with its incident, and that nothing will end."""
        found = [(outbox, self._sinks.get(outbox.sink)) for outbox in self.outboxes()]
        return [ledger_entry(outbox, rules) for outbox, rules in found if orphaned(outbox, rules) is not None]

    def gauges(self) -> dict[str, dict[str, float]]:
        """What outboxes come to, by sink."""
        kept = {"outboxes": float(len(self._outboxes))}
        return figures(self._outboxes.values(), self._sinks) | {"state_entries": kept}

    # -- events

    def _take_event(self, event: IncidentEvent, effects: Effects) -> None:
        for sink in self._sinks.values():
            key, late = _key(sink.name, event.incident_id), False
            if key not in self._outboxes:
                if not _wants(sink, event.incident):
                    continue
                self._outboxes[key] = Outbox(sink=sink.name, incident_id=event.incident_id)
                late = event.revision > 1 and event.change != "opened"
            self._queue(key, sink, event, effects, late=late)
        for name in sorted(self._sinks_removed):
            key = _key(name, event.incident_id)
            if key in self._outboxes:
                self._queue(key, None, event, effects, late=False)

    def _queue(self, key: str, rules: SinkRules | None, event: IncidentEvent, effects: Effects, *, late: bool) -> None:
        outbox, room = self._outboxes[key], room_of(rules)
        sides, two_way = outbox.sides, isinstance(rules, TwoWay)
        sides.doubt(under_way(rules, outbox))
        sides.add(event)
        news = carried(event, sides.calls, sides.streams, late=late)
        if rules is not None and two_way:
            known_there = [sides.told_there(each) or is_own_link(each, rules, outbox.remote) for each in event.entries]
            entries = [each for each, known in zip(event.entries, known_there, strict=True) if not known]
            event = event._replace(entries=entries)
        outbox.revision = event.revision
        outbox.final = sides.final
        if two_way or outbox.parked_body is not None or outbox.newest is not None:
            outbox.newest = delivery_body(event._replace(entries=[], change="updated"), room=room)
        if not outbox.abandoned:
            outbox.add(event, news, room, replaces_head=two_way)
        while outbox.overflows(room):
            # Never the head: it may be on its way.
            self._park(outbox, 1, ParkReason.QUEUE_FULL, effects)
        if rules is None and outbox.final and outbox.remote is None:
            while outbox.queue:
                self._park(outbox, 0, ParkReason.SINK_REMOVED, effects)
        self._settle(key, effects)

    # -- outcomes

    def _take_outcome(self, record: Record, effects: Effects) -> None:
        document = read_object(record, DELIVERY_SCHEMA)
        if document.get("direction") == DIRECTION_IN:
            return
        answer = read_outcome(document)
        sink, incident_id = need(document, "sink", str), need(document, "incident_id", str)
        key = _key(sink, incident_id)
        outbox = self._outboxes.get(key)
        if outbox is None or answer.outcome == DeliveryOutcome.PARKED:
            return  # all is told and has ended; or it is our own note
        rules = self._sinks.get(sink)
        learnt = answer.remote is not None and self._learn(outbox, rules, answer, effects)
        moved = self._move_on(outbox, rules, answer, effects)
        if learnt or moved:
            outbox.last = answer.in_short if moved else outbox.last
            self._settle(key, effects)

    def _learn(self, outbox: Outbox, rules: SinkRules | None, answer: Outcome, effects: Effects) -> bool:
        remote = answer.remote
        if remote is None or (outbox.remote is not None and TURN_UNKNOWN < answer.turn < outbox.turn):
            return False  # of an attempt before the last: a worker that was thought dead made it
        if remote.state != RemoteState.GONE:
            return learn(rules, outbox, answer, remote, min(answer.at_ms, self.clock_ms))
        if outbox.remote is None or outbox.remote.id == remote.id:
            self._disown(outbox, effects)
            return True
        return False

    def _move_on(self, outbox: Outbox, rules: SinkRules | None, answer: Outcome, effects: Effects) -> bool:
        """Whether it was the outcome of the head's attempt, or of one that the head took over."""
        if not outbox.queue:
            return False
        is_head = answer.delivery_id == outbox.head_id
        if not is_head and answer.turn != outbox.turn:
            return False  # a second outcome of what has moved on: sent twice around a crash
        if answer.outcome is DeliveryOutcome.DELIVERED:
            self._arrived(outbox, rules, answer, is_head=is_head)
            return True
        if answer.attempt != outbox.attempt or outbox.due_ms is not None:
            return False  # this attempt was counted already
        outbox.unsure = outbox.unsure or answer.unknown
        gone = answer.remote is not None and answer.remote.state == RemoteState.GONE
        if answer.outcome is DeliveryOutcome.REJECTED and is_head and not gone:
            self._park(outbox, 0, ParkReason.REJECTED_BY_SINK, effects, answer)
            return True
        used_up = outbox.postpone(self.clock_ms, answer.retry_after_seconds)
        if used_up is not None:
            self._park(outbox, 0, used_up, effects, answer)
        return True

    def _arrived(self, outbox: Outbox, rules: SinkRules | None, answer: Outcome, *, is_head: bool) -> None:
        if outbox.remote is None:
            outbox.may_exist = False
        outbox.stuck = False
        outbox.sides.trust(answer.wanted)
        if not is_head:
            outbox.overtake(answer.revision)
            return
        sides = outbox.sides
        if rules is not None and proposes(rules, outbox.remote, sides) and outbox.head_state == "resolved":
            sides.proposed = sides.facts.get("reopened")
        outbox.next()

    def _disown(self, outbox: Outbox, effects: Effects) -> None:
        """The record there is gone: made again, or given up."""
        reason = disown(self._sinks.get(outbox.sink), outbox, self.clock_ms)
        while reason is not None and outbox.queue:
            self._park(outbox, 0, reason, effects)

    def _park(
        self, outbox: Outbox, index: int, reason: ParkReason, effects: Effects, answer: Outcome | None = None
    ) -> None:
        """Give a delivery up, and say so where everyone can see it."""
        status, said = (answer.status, answer.detail) if answer else (None, "")
        room = room_of(self._sinks.get(outbox.sink))
        parked = outbox.park(index, reason, self.clock_ms, status, said, room)
        self._say(
            outbox, parked.revision, parked.attempts, status, f"{reason}: {said}" if said else str(reason), effects
        )

    def _say(
        self, outbox: Outbox, revision: int, attempts: int, status: int | None, detail: str, effects: Effects
    ) -> None:
        note = Delivery(
            delivery_id=delivery_id(outbox.incident_id, revision, outbox.sink),
            sink=outbox.sink,
            incident_id=outbox.incident_id,
            revision=revision,
            attempt=attempts,
            outcome=DeliveryOutcome.PARKED,
            status=status,
            detail=detail,
            at_ms=self.clock_ms,
        )
        value = orjson.dumps(note.to_wire())
        effects.outputs.append(Output(DELIVERIES_TOPIC, outbox.incident_id.encode(), value, self.clock_ms))

    # -- after any change

    def _settle(self, key: str, effects: Effects, *, theirs: bool = False) -> None:
        """What follows from a change of an outbox: what is written back, its link, its timer, its place, its end."""
        outbox = self._outboxes[key]
        rules = self._sinks.get(outbox.sink)
        self._ledger_news.setdefault(key, bool(outbox.shown))
        if rules is not None:
            for name in heal(rules, outbox, self.clock_ms):
                self._say(outbox, outbox.revision, 0, None, f"{ParkReason.CONTESTED}: {name}", effects)
            link = link_news(rules, outbox, theirs=theirs)
            if link is not None:
                effects.outputs += outputs([link], outbox.sides, outbox.incident_id, self.clock_ms)
        if outbox.done:
            del self._outboxes[key]
        self.timers.set(key, None if outbox.done else outbox.wakes_ms)
        self._place(key, outbox, rules)
        self.touch(key)

    def _place(self, key: str, outbox: Outbox, rules: SinkRules | None) -> None:
        if outbox.queue and outbox.due_ms is None and rules is not None and rules.enabled:
            self._ready.add(key)
        else:
            self._ready.discard(key)
        self._news.add(key)

    def _send(self, outbox: Outbox) -> Send:
        head, rules, sides = outbox.queue[0], self._sinks[outbox.sink], outbox.sides
        state = outbox.head_state
        rank = sides.facts.get("rank")
        return Send(
            outbox.sink,
            outbox.incident_id,
            head.revision,
            outbox.id_of(head),
            outbox.attempt,
            head.body,
            remote=outbox.remote,
            unsure=outbox.unsure or head.doubt or outbox.may_exist,
            rank=RANK_UNKNOWN if rank is None else rank,
            wanted=wanted(rules, outbox.remote, sides, state),
            propose=state == RemoteState.RESOLVED and proposes(rules, outbox.remote, sides),
            turn=outbox.turn,
            since_ms=head.at_ms,
        )

    # -- state

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take one changelog record; an outbox that ended leaves."""
        if value is None:
            self._outboxes.pop(key.decode(), None)
        else:
            super().restore(key, value)

    def load(self, key: str, value: bytes) -> None:
        """Take one outbox back."""
        if Polls.is_key(key):
            self.polls.load(key, value)
        else:
            self._outboxes[key] = Outbox.from_bytes(value)

    def dump(self, key: str) -> bytes | None:
        """The outbox as the changelog shall hold it."""
        if Polls.is_key(key):
            return self.polls.dump(key)
        outbox = self._outboxes.get(key)
        return outbox.to_bytes() if outbox else None

    def restored(self) -> None:
        """Timers, the ready and the sinks that are gone follow from the outboxes.

        The former owner may have sent what was ready.
        """
        for key, outbox in self._outboxes.items():
            outbox.unsure = outbox.unsure or (bool(outbox.queue) and outbox.due_ms is None)
            self.timers.set(key, outbox.wakes_ms)
            if outbox.sink not in self._sinks:
                self._sinks_removed.add(outbox.sink)
            self._place(key, outbox, self._sinks.get(outbox.sink))
            self._ledger_news[key] = bool(outbox.shown)  # the sinks may be others by now


def _key(sink: str, incident_id: str) -> str:
    return f"{sink}/{incident_id}"


def _parts(key: str) -> tuple[str, str]:
    sink, _, incident_id = key.partition("/")
    return sink, incident_id


def _wants(sink: Sink, incident: dict[str, Any]) -> bool:
    """Whether a sink's filters let an incident through; an empty filter lets all through.

    No record is made there of what is over.
    """
    over = isinstance(sink, TwoWay) and incident.get("state") in (*FINAL_STATES, "resolved")
    if over or not sink.enabled or not is_told(sink.name, incident.get("space") or ""):
        return False
    priority_fits = not sink.priorities or incident.get("priority") in sink.priorities
    domain_fits = not sink.domains or incident.get("domain") in sink.domains
    kind_fits = incident.get("kind", "incident") in sink.kinds
    return priority_fits and domain_fits and kind_fits
