"""The checker itself: each way in which a topic can be wrong is noticed, and what is right is left alone."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from pipeline.core.alerts.ingest import IngestProcessor
from pipeline.core.step import Effects, StreamRecord
from pipeline.feeds import ADAPTERS, DEFAULT_FEEDS
from pipeline.models.policy import Config
from pipeline.settings import Settings
from tests.faults.checker import Check, Verdict, check_revisions, compare
from tests.faults.corpus import Corpus
from tests.faults.journal import OFFSETS_TOPIC, Commit, Taken, decode, transactions
from tests.faults.reference import LOAD, Expectation, _Play, stand_so, standing
from tests.faults.site import digest

PLACE = ("episodes", 0)
ONE, OTHER = ("dedupe", 0), ("dedupe", 1)


def digests(*values: bytes) -> list[bytes]:
    return [digest(b"key", value, 1_000, ()) for value in values]


def judged(found: list[bytes], one: list[bytes], other: list[bytes]) -> dict[Check, int]:
    verdict = Verdict()
    compare(PLACE, found, {ONE: one, OTHER: other}, verdict)
    return dict(verdict.counts)


@pytest.mark.parametrize("order", [b"abxy", b"axby", b"xyab", b"xaby"])
def test_sources_may_mix_as_long_as_each_keeps_its_order(order: bytes) -> None:
    found = digests(*(bytes([each]) for each in order))
    assert judged(found, digests(b"a", b"b"), digests(b"x", b"y")) == {}


def test_a_record_that_is_missing_is_lost() -> None:
    assert judged(digests(b"a", b"x"), digests(b"a", b"b"), digests(b"x")) == {Check.LOST: 1}


def test_a_record_that_is_there_twice_is_duplicated() -> None:
    assert judged(digests(b"a", b"b", b"b", b"x"), digests(b"a", b"b"), digests(b"x")) == {Check.DUPLICATED: 1}


def test_an_input_that_the_loads_client_stored_twice_is_told_and_is_no_fault_of_ours() -> None:
    verdict = Verdict()
    compare(("alerts.raw.jira", 0), digests(b"a", b"b", b"b"), {LOAD: digests(b"a", b"b")}, verdict)
    assert (verdict.counts, verdict.repeated_input) == ({}, 1)
    compare(("alerts.raw.jira", 0), digests(b"a", b"x"), {LOAD: digests(b"a", b"b")}, verdict)
    assert verdict.counts == {Check.LOST: 1, Check.FOREIGN: 1}


def test_records_of_one_source_that_changed_places_are_out_of_order() -> None:
    assert judged(digests(b"b", b"x", b"a"), digests(b"a", b"b"), digests(b"x")) == {Check.ORDER: 1}


@pytest.mark.parametrize(
    "altered",
    [
        digest(b"key", b"B", 1_000, ()),
        digest(b"Key", b"b", 1_000, ()),
        digest(None, b"b", 1_000, ()),
        digest(b"key", b"b", 1_001, ()),
        digest(b"key", b"b", 1_000, (("name", b""),)),
    ],
    ids=["value", "key", "no key", "timestamp", "header"],
)
def test_one_altered_byte_anywhere_is_a_foreign_record_and_a_lost_one(altered: bytes) -> None:
    found = [*digests(b"a"), altered]
    assert judged(found, digests(b"a", b"b"), []) == {Check.LOST: 1, Check.FOREIGN: 1}


@pytest.mark.parametrize(
    ("outputs", "so"), [(b"ab", True), (b"aab", True), (b"ba", False), (b"aaab", False), (b"ax", False), (b"", True)]
)
def test_of_two_possible_orders_the_one_that_was_written_is_chosen(outputs: bytes, so: bool) -> None:
    there = standing({PLACE: digests(b"a", b"a", b"b")})
    assert stand_so([(PLACE, digests(bytes([each]))[0]) for each in outputs], there) is so


@pytest.mark.parametrize(("revisions", "wrong"), [([1, 2, 3], 0), ([1, 3], 1), ([1, 2, 2], 1), ([2], 1)])
def test_revisions_are_one_two_three_without_a_gap_or_a_repeat(revisions: list[int], wrong: int) -> None:
    verdict = Verdict()
    events = [orjson.dumps({"incident_id": "INC-1", "revision": revision}) for revision in revisions]
    check_revisions((StreamRecord("incidents", 0, at, 0, b"", event) for at, event in enumerate(events)), verdict)
    assert verdict.counts[Check.REVISIONS] == wrong


def offset_record(at: int, group: str, topic: str, offset: int, version: int = 1, text: str = "") -> StreamRecord:
    """A record as Kafka writes it on `__consumer_offsets`."""
    words = b"".join(struct.pack(">h", len(word)) + word.encode() for word in (group, topic))
    key = struct.pack(">h", version) + words + struct.pack(">i", 0)
    value = struct.pack(">hqih", 3, offset, -1, len(text)) + text.encode()
    return StreamRecord(OFFSETS_TOPIC, 0, at, 0, key, value)


def test_offsets_are_read_as_kafka_writes_them_and_other_records_are_passed_over() -> None:
    record = offset_record(0, "shop-dedupe", "alerts", 42, text="beside")
    assert decode(record.key, record.value) == Commit("shop-dedupe", "alerts", 0, 42, "beside")
    compact = struct.pack(">hqi", 4, 42, -1) + bytes((0xC8 + 1, 0x01)) + 200 * b"x"
    assert decode(record.key, compact) == Commit("shop-dedupe", "alerts", 0, 42, 200 * "x")
    member = offset_record(0, "shop-dedupe", "alerts", 42, version=2)
    assert decode(member.key, member.value) is None
    assert decode(record.key, None) is None


def test_offsets_side_by_side_are_of_one_transaction_and_a_mark_parts_two() -> None:
    records = [
        offset_record(0, "ours", "episodes", 5),
        offset_record(1, "ours", "commands", 2),
        offset_record(3, "ours", "episodes", 9),
        offset_record(4, "theirs", "alerts", 1),
    ]
    taken = transactions(records, ["ours"])
    assert [each.next_offsets for each in taken["ours", 0]] == [{"episodes": 5, "commands": 2}, {"episodes": 9}]
    assert ("theirs", 0) not in taken


def test_the_same_seed_sends_the_same_bytes_and_another_seed_others() -> None:
    first, again, other = (Corpus(seed, 3, 1_800_000_000_000).take(500) for seed in (7, 7, 8))
    assert first == again != other
    assert {record.topic for record in first} >= {"alerts.raw.alertmanager", "alerts.raw.jira", "commands"}
    assert any(record.poison for record in first)


RAW = "alerts.raw.alertmanager"


def ingest() -> IngestProcessor:
    return IngestProcessor(Config(), ADAPTERS, DEFAULT_FEEDS)


@pytest.mark.parametrize("under_pressure", [(False, False), (False, True), (True, True)])
def test_ingest_is_played_again_as_it_was_with_repeats_folded_where_more_waited(
    under_pressure: tuple[bool, bool],
) -> None:
    said = orjson.dumps(
        {"alerts": [{"status": "firing", "labels": {"alertname": "Rule"}, "startsAt": "2026-03-04T02:00:00Z"}]}
    )
    records = [StreamRecord(RAW, 0, at, 1_772_590_000_000 + at, None, said) for at in range(20)]
    there: list[bytes] = []
    live = ingest()
    for number, pressed in enumerate(under_pressure):
        live.pressed, effects = pressed, Effects()
        live.handle(records[10 * number : 10 * number + 10], effects)
        live.finish(effects)
        there += [digest(each.key, each.value, each.timestamp_ms, each.headers) for each in effects.outputs]
    assert len(there) == sum(1 if pressed else 10 for pressed in under_pressure)

    site: Any = SimpleNamespace(
        settings=Settings(), inputs=lambda stage: [RAW], counts={RAW: 1, "alerts": 1, "dead.letter": 1}, settled={}
    )
    expectation = Expectation()
    found = standing({("alerts", 0): there})
    play = _Play(site, ("ingest", 0), ingest, {(RAW, 0): records}, found, expectation, None)
    play.run([Taken({site.settings.wire(RAW): 10}), Taken({site.settings.wire(RAW): 20})])
    assert expectation.outputs["alerts", 0]["ingest", 0] == there
    assert (expectation.faults, expectation.ledgers["ingest", 0]) == ([], live.ledger)
