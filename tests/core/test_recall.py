"""Recall: the same bytes again come to the same as if they were read anew, and memory stays bounded."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.alerts.ingest import IngestProcessor
from pipeline.core.alerts.recall import ENTRY_BYTES, MESSAGE_BYTES_MAX, Recall, Remembered
from pipeline.core.step import Effects, Headers, Output, StreamRecord
from pipeline.feeds import ADAPTERS, DEFAULT_FEEDS
from pipeline.models.policy import Config

TOPIC = "alerts.raw.alertmanager"
TRICKY = '"origin":["x",1,2,3],"received_at_ms":5'
WORDS = st.text(max_size=20) | st.just("origin") | st.just(TRICKY)
LABELS = st.dictionaries(WORDS, WORDS, min_size=1, max_size=4)


def record(value: bytes, offset: int, at_ms: int, headers: Headers = ()) -> StreamRecord:
    return StreamRecord(TOPIC, offset % 3, offset, at_ms, None, value, headers)


def group(*labels: dict[str, Any]) -> bytes:
    return orjson.dumps({"alerts": [{"status": "firing", "labels": each} for each in labels]})


def outcome(*records: StreamRecord) -> tuple[IngestProcessor, Effects]:
    subject, effects = IngestProcessor(Config(), ADAPTERS, DEFAULT_FEEDS), Effects()
    subject.handle(records, effects)
    return subject, effects


@given(st.lists(LABELS, min_size=1, max_size=3), st.integers(0, 1 << 41))
def test_a_message_that_comes_again_comes_to_what_a_fresh_process_makes_of_it(
    labels: list[dict[str, str]], at_ms: int
) -> None:
    first, again, thrice = (record(group(*labels), number, at_ms + 700 * number) for number in range(3))
    subject, effects = outcome(first, again, thrice)
    assert effects.outputs == [output for each in (first, again, thrice) for output in outcome(each)[1].outputs]
    assert (subject.ledger.received, subject.ledger.forwarded) == (3 * len(labels), 3 * len(labels))
    assert subject.ledger.remainder() == 0


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (group({"a": "b"}), (("id", b"1"),)),
        (group({"a": "b"}, {"a": 7}), ()),
        (group({"a": "x" * MESSAGE_BYTES_MAX}), ()),
    ],
    ids=["with headers", "with a bad member", "too large"],
)
def test_what_is_not_remembered_is_read_each_time(value: bytes, headers: Headers) -> None:
    subject, effects = outcome(*(record(value, number, number, headers) for number in range(3)))
    fresh = [outcome(record(value, number, number, headers))[1] for number in range(3)]
    assert effects.outputs == [output for each in fresh for output in each.outputs]
    assert effects.decisions == [decision for each in fresh for decision in each.decisions]
    assert subject.ledger.remainder() == 0


def test_what_is_asked_for_stays_and_what_is_not_is_forgotten() -> None:
    value = b"x" * 100
    recall = Recall(2 * 3 * (len(b"0") + len(value) + ENTRY_BYTES))  # three messages in each of two generations
    outputs = Remembered([Output("alerts", b"k", value, 0)])
    recall.put(TOPIC, b"0", outputs)
    for number in range(1, 10):
        assert recall.get(TOPIC, b"0") == outputs
        recall.put(TOPIC, b"%d" % number, outputs)
    kept = [number for number in range(10) if recall.get(TOPIC, b"%d" % number) is not None]
    assert 0 in kept
    assert 1 not in kept
    assert len(kept) <= 6
    assert recall.get("alerts.raw.other", b"0") is None
