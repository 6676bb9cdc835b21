"""Urgent first: a message that goes before its turn is decided once, and what it overtakes cannot undo it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.alerts.condition import Condition
from pipeline.core.alerts.dedupe import DedupeProcessor
from pipeline.core.alerts.ingest import IngestProcessor
from pipeline.core.alerts.own_alerts import OWN_FEED
from pipeline.core.overtaking import TEXT_BYTES_MAX, Overtaking
from pipeline.core.step import Effects, StreamRecord
from pipeline.core.topology import Topology
from pipeline.feeds import ADAPTERS, DEFAULT_FEEDS
from pipeline.models.alert import Alert, Kind
from pipeline.models.decision import Disposition, Reason
from pipeline.models.policy import Config

TOPIC = "alerts.raw.cloudevents"
REPEATING = "alerts.raw.alertmanager"
BEGIN_MS = 1_772_590_000_000
SECOND_MS = 1_000

Said = tuple[int, str, str]
"""Condition, whether it fires, severity."""


def message(number: int, condition: int, status: str, severity: str) -> bytes:
    """What a source says that tells no time of its own; each has an id of its own."""
    data = {"alertname": f"Rule{condition}", "status": status, "severity": severity, "summary": "it does not answer"}
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": str(number),
            "source": "/checks",
            "type": f"check.{status}",
            "subject": f"r{condition}",
            "data": data,
        }
    )


def raw(said: list[Said]) -> list[StreamRecord]:
    return [
        StreamRecord(TOPIC, 3, offset, BEGIN_MS + offset * SECOND_MS, None, message(offset, *each))
        for offset, each in enumerate(said)
    ]


def same(count: int) -> list[StreamRecord]:
    """The same bytes again and again, of a source that says when it began."""
    alert = {
        "status": "firing",
        "labels": {"alertname": "Down", "severity": "critical"},
        "startsAt": "2026-03-04T02:00:00Z",
    }
    value = orjson.dumps({"alerts": [alert]})
    return [StreamRecord(REPEATING, 3, offset, BEGIN_MS + offset, None, value) for offset in range(count)]


class Line:
    """Ingest and dedupe, fed in turn and ahead of it."""

    def __init__(self) -> None:
        config = Config()
        self.ahead = {TOPIC: Overtaking(), REPEATING: Overtaking()}
        self.ingest = IngestProcessor(config, ADAPTERS, DEFAULT_FEEDS)
        self.ingest.ahead = self.ahead
        self.dedupe = DedupeProcessor(config, DEFAULT_FEEDS, Topology(config.catalogue))
        self.effects = Effects()
        self._written = 0

    def handle(self, *records: StreamRecord) -> list[dict[str, Any]]:
        """Decide records as they come; what goes on to correlate."""
        between = Effects()
        self.ingest.handle(records, between)
        self.ingest.finish(between)
        first = len(self.effects.outputs)
        alerts = [
            StreamRecord("alerts", 0, self._written + number, each.timestamp_ms, each.key, each.value)
            for number, each in enumerate(between.outputs)
            if each.topic == "alerts"
        ]
        self._written += len(alerts)
        self.dedupe.handle(alerts, self.effects)
        return [orjson.loads(each.value or b"") for each in self.effects.outputs[first:]]

    def go_ahead(self, record: StreamRecord) -> bool:
        """Decide a record before its turn, if it shall be."""
        goes = self.ingest.goes_ahead(record, self.ahead[record.topic])
        if goes:
            self.handle(record)
        return goes

    def in_turn(self, record: StreamRecord) -> None:
        """Its turn has come."""
        if record.offset not in self.ahead[record.topic]:
            self.handle(record)
        self.ahead[record.topic].passed(record.offset + 1)

    def stands(self) -> dict[str, tuple[bool, str]]:
        """By condition: whether it fires, and how bad that is."""
        found: dict[str, tuple[bool, str]] = {}
        for key in self.dedupe._conditions:
            condition = self.dedupe.condition(key)
            assert condition is not None
            found[key] = (condition.fires, condition.severity if condition.fires else "")
        return found


STORM = st.lists(
    st.tuples(
        st.integers(0, 3), st.sampled_from(["firing"] * 3 + ["resolved"]), st.sampled_from(["critical", "warning"])
    ),
    min_size=1,
    max_size=60,
)


@given(STORM, st.data())
def test_whatever_goes_ahead_each_alert_is_decided_once_and_all_stands_as_without_it(
    said: list[Said], data: st.DataObject
) -> None:
    plain, subject, records = Line(), Line(), raw(said)
    plain.handle(*records)
    turn, looked = 0, 0
    while turn < len(records):
        looked = max(turn, data.draw(st.integers(looked, len(records))))
        for record in records[turn:looked]:
            if data.draw(st.booleans()) and record.offset not in subject.ahead[TOPIC]:
                subject.go_ahead(record)
        following = data.draw(st.integers(turn + 1, len(records)))
        for record in records[turn:following]:
            subject.in_turn(record)
        turn = following

    assert subject.stands() == plain.stands()
    assert subject.ingest.ledger == plain.ingest.ledger
    assert subject.dedupe.ledger.received == plain.dedupe.ledger.received == len(said)
    assert subject.dedupe.ledger.remainder() == 0
    decided = Counter(each.origin for each in subject.effects.decisions)
    assert not decided or max(decided.values()) == 1
    assert not subject.ahead[TOPIC]


GROUPS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["firing", "firing", "resolved"])),
        min_size=1,
        max_size=3,
        unique_by=lambda each: each[0],
    ),
    min_size=1,
    max_size=40,
)


def grouped(said: list[list[tuple[int, str]]]) -> list[StreamRecord]:
    """Messages of several conditions each, of a source that says no time; conditions of even number are critical."""
    return [
        StreamRecord(
            REPEATING,
            3,
            offset,
            BEGIN_MS + offset * SECOND_MS,
            None,
            orjson.dumps(
                {
                    "alerts": [
                        {
                            "status": status,
                            "labels": {
                                "alertname": f"Rule{condition}",
                                "severity": "warning" if condition % 2 else "critical",
                            },
                        }
                        for condition, status in each
                    ]
                }
            ),
        )
        for offset, each in enumerate(said)
    ]


@given(GROUPS, st.data())
def test_conditions_that_come_along_with_what_goes_ahead_stand_as_without_it(
    said: list[list[tuple[int, str]]], data: st.DataObject
) -> None:
    plain, subject, records = Line(), Line(), grouped(said)
    plain.handle(*records)
    for turn, record in enumerate(records):
        for other in records[turn:]:
            if data.draw(st.integers(0, 9)) == 0 and other.offset not in subject.ahead[REPEATING]:
                subject.go_ahead(other)
        subject.in_turn(record)

    assert subject.stands() == plain.stands()
    assert subject.dedupe.ledger.received == sum(map(len, said))
    assert subject.dedupe.ledger.remainder() == 0
    assert all(b"overtaken" not in (each.value or b"") for each in subject.effects.outputs)


def test_what_came_along_does_not_keep_a_critical_one_from_going_ahead() -> None:
    line, (first, second) = Line(), grouped([[(0, "firing"), (2, "resolved")], [(2, "firing")]])

    assert line.go_ahead(first)
    assert line.go_ahead(second)


def test_what_ends_by_silence_goes_ahead_again_as_a_sign_of_life() -> None:
    line = Line()
    feed = DEFAULT_FEEDS["cloudevents"].model_copy(update={"ttl_seconds": 300})
    line.ingest = IngestProcessor(Config(), ADAPTERS, {"cloudevents": feed})
    line.ingest.ahead = line.ahead
    first, again = raw([(0, "firing", "critical")] * 2)

    assert line.go_ahead(first)
    assert line.go_ahead(again)
    line.in_turn(first)
    line.in_turn(again)
    assert line.dedupe.ledger.received == 2


def test_our_own_alerts_go_ahead_under_the_keys_that_they_are_known_by() -> None:
    topic = f"alerts.raw.{OWN_FEED}"
    line = Line()
    feed = DEFAULT_FEEDS["alertmanager"].model_copy(update={"name": OWN_FEED})
    line.ingest = IngestProcessor(Config(), ADAPTERS, {OWN_FEED: feed})
    line.ahead[topic] = Overtaking()
    line.ingest.ahead = line.ahead
    earlier, begins = (each._replace(topic=topic) for each in grouped([[(0, "resolved")], [(0, "firing")]]))

    assert line.go_ahead(begins)
    line.handle(earlier)
    assert [fires for fires, _ in line.stands().values()] == [True]


@pytest.mark.parametrize(
    ("opened_ms", "overtaken", "is_told"),
    [(5, False, True), (15, False, True), (5, True, True), (15, True, False)],
)
def test_an_acknowledgement_is_of_the_run_that_was_on_when_it_came(
    opened_ms: int, overtaken: bool, is_told: bool
) -> None:
    alert = Alert(
        feed="pagerduty",
        feed_class="saas",
        kind=Kind.ACKNOWLEDGED,
        alert_key="k",
        name="n",
        summary="s",
        received_at_ms=10,
        overtaken=overtaken,
    )
    assert Condition(opened_at_ms=opened_ms).is_told_by(alert) is is_told


def test_a_recovery_of_an_earlier_run_does_not_end_the_one_that_went_ahead() -> None:
    line, (earlier, begins) = Line(), raw([(0, "resolved", "critical"), (0, "firing", "critical")])

    assert line.go_ahead(begins)
    assert line.handle(earlier) == []
    assert line.effects.decisions[-1][1:3] == (Disposition.REPEATED, Reason.OUT_OF_ORDER)
    assert [fires for fires, _ in line.stands().values()] == [True]


def test_a_lesser_severity_from_before_does_not_take_its_place() -> None:
    line, (earlier, begins) = Line(), raw([(0, "firing", "warning"), (0, "firing", "critical")])

    assert line.go_ahead(begins)
    assert line.handle(earlier) == []
    assert line.effects.decisions[-1][1:3] == (Disposition.REPEATED, Reason.OUT_OF_ORDER)
    assert list(line.stands().values()) == [(True, "critical")]


def test_what_comes_after_it_counts_as_ever() -> None:
    line, (begins, ends) = Line(), raw([(0, "firing", "critical"), (0, "resolved", "critical")])

    assert line.go_ahead(begins)
    line.in_turn(begins)
    assert [each["change"] for each in line.handle(ends)] == ["resolved"]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ((0, "firing", "warning"), "it is not critical"),
        ((0, "resolved", "critical"), "it ends"),
    ],
)
def test_only_what_is_critical_and_begins_goes_ahead(said: Said, why: str) -> None:
    assert not Line().go_ahead(raw([said])[0]), why


def test_a_condition_goes_ahead_once_until_its_turn() -> None:
    line, (first, again, later) = Line(), raw([(0, "firing", "critical")] * 3)

    assert line.go_ahead(first)
    assert not line.go_ahead(again)
    line.in_turn(first)
    assert line.go_ahead(later)


def test_without_room_it_waits() -> None:
    line, (record,) = Line(), raw([(0, "firing", "critical")])
    offset = 1
    while line.ahead[TOPIC].has_room(offset, 1):
        line.ahead[TOPIC].add(offset, [str(offset)])
        offset += 1

    assert offset < TEXT_BYTES_MAX
    assert not line.go_ahead(record)


@pytest.mark.parametrize("value", [None, b"", b"{", b'{"specversion": "1.0"}'])
def test_what_cannot_be_read_is_refused_in_its_turn_and_once(value: bytes | None) -> None:
    line = Line()
    bad = StreamRecord(TOPIC, 3, 0, BEGIN_MS, None, value)

    assert not line.go_ahead(bad)
    assert line.ingest.ledger.received == 0


def test_an_overtaken_message_is_not_remembered_as_one() -> None:
    line, (before, begins, after) = Line(), same(3)

    assert line.go_ahead(begins)
    line.in_turn(before)
    line.in_turn(begins)
    line.in_turn(after)
    assert [each[1:3] for each in line.effects.decisions] == [
        (Disposition.REPEATED, Reason.OUT_OF_ORDER),
        (Disposition.REPEATED, Reason.STILL_FIRING),
    ]


def test_under_pressure_what_is_overtaken_is_not_folded_with_what_is_not() -> None:
    line, (first, second, begins, after) = Line(), same(4)
    line.ingest.pressed = True

    assert line.go_ahead(begins)
    line.handle(first, second, after)
    assert [each[1:3] for each in line.effects.decisions] == [
        (Disposition.REPEATED, Reason.OUT_OF_ORDER),
        (Disposition.REPEATED, Reason.OUT_OF_ORDER),
        (Disposition.REPEATED, Reason.STILL_FIRING),
    ]
