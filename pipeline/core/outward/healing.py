"""What is not there as it should be is written again, unasked: some times, and then we say that we stop."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import orjson

from pipeline.core.outward.carried import messages_so_far
from pipeline.core.outward.delivery_body import LARGE, SMALL, Room, message_key, snapshot_alone, without_messages
from pipeline.core.outward.outbox import Outbox
from pipeline.core.outward.ownership import wanted
from pipeline.models.delivery import ParkReason
from pipeline.models.remote import Remote, RemoteState
from pipeline.models.sinks import SinkRules
from pipeline.models.sinks.base import TwoWay
from pipeline.models.sinks.streams import Webhook

WRITTEN_BACK_MAX: Final = 3
"""Times that a field is written back unasked within `WINDOW_MS`. Whoever changes it once more means it, or is a machine
that does not end."""

REMADE_MAX: Final = 3
"""Times that a record which is gone there is made again."""

WINDOW_MS: Final = 3_600_000


def room_of(rules: SinkRules | None) -> Room:
    """How long a sink's bodies may be."""
    return LARGE if rules is not None and not isinstance(rules, Webhook) else SMALL


def heal(rules: SinkRules, outbox: Outbox, now_ms: int) -> list[str]:
    """Queue the newest snapshot once more where the record there differs; fields that are contested from here on."""
    remote, sides = outbox.remote, outbox.sides
    if not isinstance(rules, TwoWay) or not rules.enabled or outbox.queue or outbox.stuck or outbox.newest is None:
        return []
    if remote is None or remote.state == RemoteState.GONE:
        return []
    sides.expire(now_ms)
    differs = wanted(rules, remote, sides, sides.desired.get("state"))
    found, given_up = False, []
    # What was never read there may be a field that it does not have.
    for name in [each for each in differs if each == "state" or each in remote.fields]:
        times = [each for each in sides.written_back.get(name, ()) if now_ms - each < WINDOW_MS]
        if len(times) >= WRITTEN_BACK_MAX:
            sides.contested[name] = sides.desired.get(name, "")
            given_up.append(name)
        else:
            sides.written_back[name] = [*times, now_ms]
            found = True
    if found:
        outbox.add_again(outbox.newest, now_ms)
    return given_up


def disown(rules: SinkRules | None, outbox: Outbox, now_ms: int) -> ParkReason | None:
    """The record there is gone. While the incident is open it is made again; else, or too often: why not."""
    remote, sides = outbox.remote, outbox.sides
    if remote is None:
        return None
    if outbox.final:
        outbox.remote = _gone(outbox)
        return ParkReason.RECORD_GONE
    if rules is not None and not rules.MADE_AGAIN:
        outbox.remote, outbox.abandoned = _gone(outbox), True
        return ParkReason.RECORD_GONE
    times = [each for each in sides.remade_ms if now_ms - each < WINDOW_MS]
    if len(times) >= REMADE_MAX:
        outbox.remote, outbox.abandoned = _gone(outbox), True
        return ParkReason.CONTESTED
    sides.remade_ms = [*times, now_ms]
    make_again(outbox, now_ms)
    return None


def make_again(outbox: Outbox, now_ms: int) -> None:
    """Have the record made again, with the messages that stand."""
    if outbox.remote is not None:
        outbox.sides.gone = [*outbox.sides.gone, outbox.remote.id][-REMADE_MAX - 1 :]
    outbox.remote, outbox.abandoned, outbox.stuck = None, False, False
    outbox.sides.forget_record()
    if outbox.newest is not None:
        incident = orjson.loads(outbox.newest)["data"]["incident"]
        messages = messages_so_far(incident, outbox.revision)
        standing = {message_key(each) for each in messages}
        for each in outbox.queue:  # told with the others, in order and once
            each.body = without_messages(each.body, standing)
        if outbox.parked_body is not None:
            outbox.parked_body = without_messages(outbox.parked_body, standing)
        outbox.add_again(snapshot_alone(outbox.newest, messages), now_ms)


def _gone(outbox: Outbox) -> Remote | None:
    return None if outbox.remote is None else replace(outbox.remote, state=RemoteState.GONE)
