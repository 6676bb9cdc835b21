"""How far a sink's changes have been read is state of the partition that its name falls on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.core.step import Effects, StreamRecord
from pipeline.models.policy import Config
from pipeline.models.remote import SINK_UPDATES_TOPIC
from pipeline.sinks.poller import polled

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1_000)


def take(processor: DeliverProcessor, at: datetime, sink: str = "desk") -> Effects:
    effects = Effects()
    update = polled(sink, at)
    record = StreamRecord(SINK_UPDATES_TOPIC, 0, 1, AT_MS, sink.encode(), update.to_bytes())
    processor.handle([record], effects)
    return effects


def test_what_one_worker_read_the_next_one_knows() -> None:
    first, second = DeliverProcessor(Config()), DeliverProcessor(Config())
    effects = take(first, AT)
    assert effects.outputs == []
    for key, value in first.take_changes():
        second.restore(key, value)
    second.restored()
    assert (second.polls.read_to_ms("desk"), second.polls.read_to_ms("other")) == (AT_MS, None)
    assert second.outboxes() == []


def test_it_never_goes_back() -> None:
    processor = DeliverProcessor(Config())
    for at in (AT, AT - timedelta(minutes=5), AT + timedelta(minutes=1), AT):
        take(processor, at)
    assert processor.polls.read_to_ms("desk") == AT_MS + 60_000


def test_a_state_of_another_release_is_refused() -> None:
    with pytest.raises(ValueError, match="polls of schema 9"):
        DeliverProcessor(Config()).restore(b"desk/", b'{"schema": 9}')
