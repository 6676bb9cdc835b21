"""What comes on ``sink.updates``: read, taken into its outbox, told on ``deliveries``, and counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

import orjson
from pydantic import TypeAdapter, ValidationError

from pipeline.core.outward.asking import outputs
from pipeline.core.outward.healing import make_again, room_of
from pipeline.core.outward.incident_event import read_object
from pipeline.core.outward.outbox import Outbox
from pipeline.core.outward.polls import Polls
from pipeline.core.outward.sync import Sync
from pipeline.core.practice.commands import describe
from pipeline.core.step import Effects, Output, Record
from pipeline.models.command import Command
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.delivery import DELIVERIES_TOPIC, Received
from pipeline.models.delivery import UpdateReason as Why
from pipeline.models.remote import EVERY, SINK_UPDATE_SCHEMA, RemoteState, SinkUpdate, UpdateKind
from pipeline.models.sinks import SinkRules
from pipeline.models.sinks.base import TwoWay

_UPDATE: Final = TypeAdapter(SinkUpdate)

_RANKS: Final = {reason: rank for rank, reason in enumerate(Why)}


class Settle(Protocol):
    """Called with each outbox that was changed."""

    def __call__(self, key: str, effects: Effects, *, theirs: bool = False) -> None:
        """``theirs``: the state of the record was changed there."""


Disown = Callable[[Outbox, Effects], None]
"""Called where the record there is gone: it is made again, or what waits for it is given up."""


def received(
    record: Record,
    sinks: Mapping[str, SinkRules],
    outboxes: Mapping[str, Outbox],
    now_ms: int,
    effects: Effects,
    settle: Settle,
    disown: Disown,
    polls: Polls,
) -> None:
    """Take one update.

    Raises:
        BadRecord: it is none.
    """
    update = read_update(record)
    if update.kind == UpdateKind.POLLED:
        polls.take(update)
        return
    key = f"{update.sink}/{update.incident_id}"
    reasons: dict[str, Why] = {}
    commands: list[Command] = []
    if update.kind == UpdateKind.RETRY:
        reasons["update"] = _retry(update, sinks, outboxes, now_ms, effects, settle)
    elif (outbox := outboxes.get(key)) is None:
        known = isinstance(sinks.get(update.sink), TwoWay)
        reasons["update"] = Why.UNKNOWN_INCIDENT if known else Why.UNKNOWN_SINK
    elif update.kind == UpdateKind.GONE:
        reasons["update"] = _gone(update, outbox, sinks.get(update.sink), effects, disown)
        settle(key, effects, theirs=True)
    elif isinstance(rules := sinks.get(update.sink), TwoWay):
        sync = Sync(rules, outbox, update, now_ms)
        sync.take()
        reasons, commands = sync.reasons, sync.asking.commands
        effects.outputs += outputs(commands, outbox.sides, update.incident_id, now_ms)
        settle(key, effects, theirs=sync.changed_state)
    else:
        reasons["update"] = Why.UNKNOWN_SINK
    _say(update, reasons, commands, now_ms, effects)


def read_update(record: Record) -> SinkUpdate:
    """The update that a record of ``sink.updates`` holds.

    Raises:
        BadRecord: it is not an update of this schema.
    """
    document: dict[str, Any] = read_object(record, SINK_UPDATE_SCHEMA)
    try:
        return _UPDATE.validate_python(document)
    except ValidationError as error:
        raise BadRecord(Reason.WRONG_TYPE, describe(error)) from None


def _gone(update: SinkUpdate, outbox: Outbox, rules: SinkRules | None, effects: Effects, disown: Disown) -> Why:
    remote = outbox.remote
    if remote is None or (update.remote_id and update.remote_id != remote.id):
        return Why.OTHER_RECORD
    if remote.state == RemoteState.GONE:
        return Why.SAME
    if outbox.final and outbox.queue and outbox.due_ms is None and rules is not None and rules.enabled:
        return Why.LATE  # the attempt under way finds that out, or has made another record, whose id is not known yet
    disown(outbox, effects)
    return Why.MADE_AGAIN if outbox.remote is None else Why.GONE


def _retry(
    update: SinkUpdate,
    sinks: Mapping[str, SinkRules],
    outboxes: Mapping[str, Outbox],
    now_ms: int,
    effects: Effects,
    settle: Settle,
) -> Why:
    """Send again what was given up, and what waits for its next attempt: now."""
    found = False
    for key in sorted(outboxes):
        outbox = outboxes[key]
        if update.sink not in (EVERY, outbox.sink) or update.incident_id not in (EVERY, outbox.incident_id):
            continue
        waited = outbox.due_ms is not None
        given_up = bool(outbox.stuck or outbox.abandoned or outbox.sides.contested or outbox.parked_body)
        if not waited and not given_up:
            continue
        found = True
        outbox.due_ms, outbox.stuck = None, False
        outbox.sides.contested, outbox.sides.written_back, outbox.sides.remade_ms = {}, {}, []
        if outbox.abandoned:
            make_again(outbox, now_ms)
        outbox.unpark(room_of(sinks.get(outbox.sink)), now_ms)
        settle(key, effects)
    return Why.RETRIED if found else Why.NOTHING_TO_RETRY


def _say(update: SinkUpdate, reasons: dict[str, Why], commands: list[Command], now_ms: int, effects: Effects) -> None:
    """Count each reason; tell what was decided, but not of what was looked up and is as it was."""
    sink = "" if Why.UNKNOWN_SINK in reasons.values() else update.sink  # anybody may name what is no sink
    for reason in reasons.values():
        counted = (sink, str(reason))
        effects.came_back[counted] = effects.came_back.get(counted, 0) + 1
    if update.kind == UpdateKind.READ and set(reasons.values()) <= {Why.SAME, Why.DUPLICATE}:
        return
    note = Received(
        sink=update.sink,
        incident_id=update.incident_id,
        update_id=update.update_id,
        kind=update.kind,
        author=update.author,
        outcome=min(reasons.values(), key=_RANKS.__getitem__),
        reasons={name: str(reason) for name, reason in reasons.items()},
        commands=[str(each.type) for each in commands],
        at_ms=now_ms,
    )
    value = orjson.dumps(note.to_wire())
    effects.outputs.append(Output(DELIVERIES_TOPIC, update.incident_id.encode(), value, now_ms))
