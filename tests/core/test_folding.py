"""Folding under pressure: fewer records, and every alert decided, counted and explained as without it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.alerts.dedupe import DedupeProcessor
from pipeline.core.alerts.enrich import Enricher
from pipeline.core.alerts.folding import FOLD_ALERTS_MAX, FOLD_SPAN_MS
from pipeline.core.alerts.ingest import IngestProcessor
from pipeline.core.step import Effects, StreamRecord
from pipeline.core.topology import Topology
from pipeline.feeds import ADAPTERS, DEFAULT_FEEDS
from pipeline.models.decision import Disposition, Reason
from pipeline.models.policy import Config

TOPIC = "alerts.raw.alertmanager"
BEGIN_MS = 1_772_590_000_000

Said = tuple[int, str, int]
"""Condition, status, milliseconds since the one before."""


def message(condition: int, status: str = "firing", more: int | None = None) -> bytes:
    members = [condition] if more is None else [condition, more]
    alerts = [
        {"status": status, "labels": {"alertname": f"Rule{each}"}, "startsAt": "2026-03-04T02:00:00Z"}
        for each in members
    ]
    return orjson.dumps({"alerts": alerts})


def raw(said: list[Said]) -> list[StreamRecord]:
    at_ms, records = BEGIN_MS, []
    for offset, (condition, status, later_ms) in enumerate(said):
        at_ms += later_ms
        records.append(StreamRecord(TOPIC, 3, offset, at_ms, None, message(condition, status)))
    return records


def ingested(records: list[StreamRecord], *, pressed: bool) -> tuple[IngestProcessor, Effects]:
    subject, effects = IngestProcessor(Config(), ADAPTERS, DEFAULT_FEEDS), Effects()
    subject.pressed = pressed
    subject.handle(records, effects)
    subject.finish(effects)
    return subject, effects


def decided(effects: Effects) -> tuple[DedupeProcessor, Effects]:
    config = Config()
    subject, after = DedupeProcessor(config, DEFAULT_FEEDS, Topology(config.catalogue)), Effects()
    subject.handle(
        [
            StreamRecord("alerts", 0, number, output.timestamp_ms, output.key, output.value, output.headers)
            for number, output in enumerate(effects.outputs)
        ],
        after,
    )
    return subject, after


STORM = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["firing"] * 6 + ["resolved"]), st.integers(0, 2)),
    min_size=1,
    max_size=150,
)


@given(STORM)
def test_whatever_storms_each_alert_is_decided_as_if_nothing_had_been_folded(said: list[Said]) -> None:
    plain, folded = (ingested(raw(said), pressed=pressed) for pressed in (False, True))
    assert folded[0].ledger == plain[0].ledger
    assert len(folded[1].outputs) + sum(folded[1].folded.values()) == len(said) == len(plain[1].outputs)
    before, after = decided(plain[1]), decided(folded[1])
    assert after[0].ledger == before[0].ledger
    assert after[0].ledger.received == len(said)

    def by_place(effects: Effects) -> list[tuple[Any, ...]]:
        # Not which episode: its id has the stream's time of its begin in it.
        return sorted((d.origin, d.disposition, d.reason, d.received_at_ms, d.alert_key) for d in effects.decisions)

    assert by_place(after[1]) == by_place(before[1])
    assert len(after[1].outputs) == len(before[1].outputs)


def test_a_thousand_repeats_go_on_as_twenty_records_and_count_as_a_thousand() -> None:
    _, effects = ingested(raw([(0, "firing", 0)] * 1_000), pressed=True)
    assert len(effects.outputs) == 1_000 // FOLD_ALERTS_MAX
    assert effects.folded == {"alertmanager": 1_000 - len(effects.outputs)}
    subject, after = decided(effects)
    assert (subject.ledger.received, subject.ledger.forwarded) == (1_000, 1)
    assert {(d.disposition, d.reason) for d in after.decisions} == {(Disposition.REPEATED, Reason.STILL_FIRING)}
    assert [d.origin.offset for d in after.decisions] == list(range(1, 1_000))
    assert subject.ledger.remainder() == 0


def test_without_pressure_every_alert_has_its_record() -> None:
    _, effects = ingested(raw([(0, "firing", 0)] * 10), pressed=False)
    assert len(effects.outputs) == 10
    assert not effects.folded


def test_a_recovery_in_between_is_not_overtaken() -> None:
    _, effects = ingested(raw([(0, "firing", 0), (0, "firing", 1), (0, "resolved", 1), (0, "firing", 1)]), pressed=True)
    assert [orjson.loads(output.value or b"")["kind"] for output in effects.outputs] == ["firing", "resolved", "firing"]


@pytest.mark.parametrize(("later_ms", "records"), [(FOLD_SPAN_MS, 1), (FOLD_SPAN_MS + 1, 2)])
def test_repeats_that_lie_apart_in_time_keep_their_records(later_ms: int, records: int) -> None:
    _, effects = ingested(raw([(0, "firing", 0), (0, "firing", later_ms)]), pressed=True)
    assert len(effects.outputs) == records


def test_alerts_of_a_group_are_folded_each_into_its_own_record() -> None:
    value = message(0, more=1)
    records = [StreamRecord(TOPIC, 3, offset, BEGIN_MS, None, value) for offset in range(4)]
    _, effects = ingested(records, pressed=True)
    assert len(effects.outputs) == 2
    subject, after = decided(effects)
    assert subject.ledger.received == 8
    assert sorted(d.origin[2:] for d in after.decisions) == [
        (offset, index) for offset in (1, 2, 3) for index in (0, 1)
    ]


def test_each_batch_has_its_own_records() -> None:
    subject = IngestProcessor(Config(), ADAPTERS, DEFAULT_FEEDS)
    subject.pressed = True
    for first in (0, 3):
        effects = Effects()
        records = raw([(0, "firing", 0)] * 6)[first : first + 3]
        subject.handle(records, effects)
        subject.finish(effects)
        assert len(effects.outputs) == 1
        assert [offset for offset, _ in orjson.loads(effects.outputs[0].value or b"")["more"]] == [first + 1, first + 2]


def test_what_another_partition_reads_meanwhile_changes_nothing() -> None:
    config = Config()
    enricher = Enricher(config)
    subject, other = (IngestProcessor(config, ADAPTERS, DEFAULT_FEEDS, enricher) for _ in range(2))
    subject.pressed, effects = True, Effects()
    records = raw([(1, "firing", 1), (1, "firing", 1)])
    subject.handle(records[:1], effects)
    earlier = records[0]._replace(partition=4, timestamp=records[0].timestamp - 1)
    other.handle([earlier], Effects())  # earlier than what memory holds, so it is read anew
    subject.handle(records[1:], effects)
    subject.finish(effects)
    assert len(effects.outputs) == 1
