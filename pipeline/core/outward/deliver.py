"""Deliver: what each sink is told, in which order and when again. It decides; `pipeline.sinks` sends.

Events of ``incidents`` fill outboxes. `DeliverProcessor.ready` names what is to be sent now; what became of
each attempt comes back as a record on ``deliveries`` and moves the outbox on. So the queue is state like any
other: a worker that dies between sending and noting the outcome makes its successor send again, under the
same delivery id, which the receiver knows by then.

    processor.handle(records, effects)
    for send in processor.ready(): ...       # and write the outcome to `deliveries`, keyed by incident id
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from pipeline.core.outward.incident_event import IncidentEvent, need, read_event, read_object
from pipeline.core.outward.outbox import QUEUE_DELIVERIES_MAX, Outbox
from pipeline.core.outward.send import Send
from pipeline.core.step import Effects, Output, Processor, Record, dead_letter
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.delivery import DELIVERY_SCHEMA, Delivery, DeliveryOutcome, ParkReason, delivery_id
from pipeline.models.policy import Config
from pipeline.models.sinks import Sink

DELIVERIES_TOPIC: Final = "deliveries"

# Details are read by people in lists; what a sink answers at length is in the sink's own log.
DETAIL_CHARACTERS_MAX: Final = 300


class _Answer(NamedTuple):
    """What an outcome record says about the attempt."""

    outcome: DeliveryOutcome
    attempt: int
    status: int | None
    detail: str
    retry_after_seconds: int | None


class DeliverProcessor(Processor):
    """Outboxes of the incidents of one partition.

    A sink hears of an incident from the first revision that its filters let through, and from then on of
    every revision until the incident closes, also when its priority falls: it must learn how it ended.
    Outboxes of a sink that is no longer configured wait, since another worker may still know it, and are
    given up when their incident closes.
    """

    stage = "deliver"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._sinks = {sink.name: sink for sink in config.sinks.values()}
        self._outboxes: dict[str, Outbox] = {}
        self._ready: set[str] = set()
        self._news: set[str] = set()  # outboxes whose place among the ready may have changed since it was told
        self._sinks_removed: set[str] = set()

    # -- decisions

    def process(self, record: Record, effects: Effects) -> None:
        """Queue an event, or move an outbox on by the outcome of its head."""
        if record.topic == DELIVERIES_TOPIC:
            self._take_outcome(record, effects)
        else:
            self._take_event(read_event(record), effects)

    def refuse(self, record: Record, bad: BadRecord, effects: Effects) -> None:
        """Send a record to the dead letter. It is no alert: those were counted where they were decided."""
        effects.outputs.append(dead_letter(self.stage, record, bad))

    def on_timer(self, key: str, due_ms: int, effects: Effects) -> None:
        """The wait of a head is over."""
        self._outboxes[key].due_ms = None
        self._settle(key)

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

    def waiting_since_ms(self) -> dict[str, int]:
        """Sink -> when the oldest happened that it has not been told of and that is not given up."""
        oldest: dict[str, int] = {}
        for outbox in self._outboxes.values():
            if outbox.queue:
                since_ms = outbox.queue[0].at_ms
                oldest[outbox.sink] = min(since_ms, oldest.get(outbox.sink, since_ms))
        return oldest

    def outboxes(self) -> list[Outbox]:
        """All outboxes, by sink and incident: what waits and what was given up, for metrics and people."""
        return [self._outboxes[key] for key in sorted(self._outboxes)]

    def gauges(self) -> dict[str, dict[str, float]]:
        """Deliveries that wait and that were given up, by sink, of the incidents that are still open."""
        waiting: dict[str, float] = dict.fromkeys(self._sinks, 0)
        parked: dict[str, float] = dict.fromkeys(self._sinks, 0)
        for outbox in self._outboxes.values():
            waiting[outbox.sink] = waiting.get(outbox.sink, 0) + len(outbox.queue)
            parked[outbox.sink] = parked.get(outbox.sink, 0) + outbox.parked_total
        return {"deliveries_waiting": waiting, "deliveries_parked": parked}

    def _take_event(self, event: IncidentEvent, effects: Effects) -> None:
        for sink in self._sinks.values():
            key = _key(sink.name, event.incident_id)
            outbox = self._outboxes.get(key)
            if outbox is None:
                if not _wants(sink, event.incident):
                    continue
                outbox = self._outboxes[key] = Outbox(sink=sink.name, incident_id=event.incident_id)
            outbox.add(event)
            if len(outbox.queue) > QUEUE_DELIVERIES_MAX:
                # Never the head: it may be on its way.
                self._park(outbox, 1, ParkReason.QUEUE_FULL, effects)
            self._settle(key)
        for name in sorted(self._sinks_removed):
            self._give_up_removed(_key(name, event.incident_id), event, effects)

    def _give_up_removed(self, key: str, event: IncidentEvent, effects: Effects) -> None:
        outbox = self._outboxes.get(key)
        if outbox is None:
            return
        outbox.add(event)
        while outbox.final and outbox.queue:
            self._park(outbox, 0, ParkReason.SINK_REMOVED, effects)
        if len(outbox.queue) > QUEUE_DELIVERIES_MAX:
            self._park(outbox, 1, ParkReason.QUEUE_FULL, effects)
        self._settle(key)

    def _take_outcome(self, record: Record, effects: Effects) -> None:
        document = read_object(record, DELIVERY_SCHEMA)
        answer = _read_answer(document)
        key = _key(need(document, "sink", str), need(document, "incident_id", str))
        outbox = self._outboxes.get(key)
        if outbox is None or outbox.head_id != need(document, "delivery_id", str):
            return  # a second outcome of what has moved on: sent twice around a crash, or noted by ourselves
        if answer.outcome is DeliveryOutcome.DELIVERED:
            outbox.next()
        elif answer.attempt != outbox.attempt or outbox.due_ms is not None:
            return  # this attempt was counted already
        elif answer.outcome is DeliveryOutcome.REJECTED:
            self._park(outbox, 0, ParkReason.REJECTED_BY_SINK, effects, answer)
        elif answer.outcome is DeliveryOutcome.RETRY:
            used_up = outbox.postpone(self.clock_ms, answer.retry_after_seconds)
            if used_up is not None:
                self._park(outbox, 0, used_up, effects, answer)
        self._settle(key)

    def _park(
        self, outbox: Outbox, index: int, reason: ParkReason, effects: Effects, answer: _Answer | None = None
    ) -> None:
        """Give a delivery up, and say so where everyone can see it."""
        status, said = (answer.status, answer.detail) if answer else (None, "")
        parked = outbox.park(index, reason, self.clock_ms, status, said)
        note = Delivery(
            delivery_id=delivery_id(outbox.incident_id, parked.revision, outbox.sink),
            sink=outbox.sink,
            incident_id=outbox.incident_id,
            revision=parked.revision,
            attempt=parked.attempts,
            outcome=DeliveryOutcome.PARKED,
            status=status,
            detail=f"{reason}: {said}" if said else str(reason),
            at_ms=self.clock_ms,
        )
        value = orjson.dumps(note.to_wire())
        effects.outputs.append(Output(DELIVERIES_TOPIC, outbox.incident_id.encode(), value, self.clock_ms))

    def _settle(self, key: str) -> None:
        """After any change of an outbox: its timer, its place among the ready, its end."""
        outbox = self._outboxes[key]
        if outbox.done:
            del self._outboxes[key]
        self.timers.set(key, outbox.due_ms)
        if outbox.queue and outbox.due_ms is None and outbox.sink in self._sinks:
            self._ready.add(key)
        else:
            self._ready.discard(key)
        self._news.add(key)
        self.touch(key)

    def _send(self, outbox: Outbox) -> Send:
        head = outbox.queue[0]
        identity = delivery_id(outbox.incident_id, head.revision, outbox.sink)
        return Send(
            outbox.sink,
            outbox.incident_id,
            head.revision,
            identity,
            outbox.attempt,
            head.body,
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
        self._outboxes[key] = Outbox.from_bytes(value)

    def dump(self, key: str) -> bytes | None:
        """The outbox as the changelog shall hold it."""
        outbox = self._outboxes.get(key)
        return outbox.to_bytes() if outbox else None

    def restored(self) -> None:
        """Timers, the ready and the sinks that are gone follow from the outboxes."""
        for key, outbox in self._outboxes.items():
            self.timers.set(key, outbox.due_ms)
            if outbox.sink not in self._sinks:
                self._sinks_removed.add(outbox.sink)
            elif outbox.queue and outbox.due_ms is None:
                self._ready.add(key)


def _key(sink: str, incident_id: str) -> str:
    return f"{sink}/{incident_id}"


def _parts(key: str) -> tuple[str, str]:
    sink, _, incident_id = key.partition("/")
    return sink, incident_id


def _wants(sink: Sink, incident: dict[str, Any]) -> bool:
    """Whether a sink's filters let an incident through; an empty filter lets all through."""
    priority_fits = not sink.priorities or incident.get("priority") in sink.priorities
    domain_fits = not sink.domains or incident.get("domain") in sink.domains
    return priority_fits and domain_fits


def _read_answer(document: dict[str, Any]) -> _Answer:
    """The outcome of an attempt.

    Raises:
        BadRecord: a field is missing, of another type, or the outcome is unknown.
    """
    word: str = need(document, "outcome", str)
    if word not in set(DeliveryOutcome):
        raise BadRecord(Reason.WRONG_TYPE, f"outcome: expected one of {', '.join(DeliveryOutcome)}")
    return _Answer(
        DeliveryOutcome(word),
        need(document, "attempt", int),
        need(document, "status", int, type(None)),
        need(document, "detail", str)[:DETAIL_CHARACTERS_MAX],
        need(document, "retry_after_seconds", int, type(None)),
    )
