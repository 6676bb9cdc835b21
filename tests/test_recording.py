"""Recordings: what is written reads back as it was, and what is not a record is named by its line."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.step import StreamRecord
from pipeline.recording import TIMESTAMP_MS_MAX, RecordingError, read_recording, to_ms, to_rfc3339, write_line

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
VALUES = st.none() | st.binary(max_size=40) | JSON.map(orjson.dumps)
RECORDS = st.builds(
    StreamRecord,
    topic=TEXT,
    partition=st.integers(0, 1_000),
    offset=st.integers(0, 2**60),
    timestamp=st.integers(-1, TIMESTAMP_MS_MAX),
    key=st.none() | st.binary(max_size=20) | TEXT.map(str.encode),
    value=VALUES,
    headers=st.lists(st.tuples(TEXT, st.binary(max_size=10) | TEXT.map(str.encode)), max_size=4).map(tuple),
)


def same(left: bytes | None, right: bytes | None) -> bool:
    """Equal as bytes, or as the JSON that they hold: white space may go."""
    if left == right:
        return True
    if left is None or right is None:
        return False
    return bool(orjson.loads(left) == orjson.loads(right))


@settings(max_examples=200, deadline=None)
@given(RECORDS)
def test_a_record_reads_back_as_it_was(record: StreamRecord) -> None:
    line = write_line(record)
    assert line.count(b"\n") == 1
    (again,) = read_recording([line], "test")
    assert again._replace(value=None) == record._replace(value=None)
    assert same(again.value, record.value)


def test_a_value_of_null_and_no_value_are_two_things() -> None:
    for value in (None, b"null"):
        record = StreamRecord("alerts.raw.jira", 0, 0, 0, None, value)
        assert next(read_recording([write_line(record)], "test")).value == value


def test_the_same_header_twice_and_binary_headers_are_kept() -> None:
    headers = (("trace", b"1"), ("trace", b"2"), ("raw", b"\xff"))
    record = StreamRecord("t", 0, 0, 0, None, b"{}", headers)
    assert next(read_recording([write_line(record)], "test")).headers == headers


def test_plain_headers_are_an_object_as_the_contract_says() -> None:
    record = StreamRecord("t", 0, 7, 1_772_590_302_318, b"k", b'{"a": 1}', (("id", b"x"),))
    assert orjson.loads(write_line(record)) == {
        "topic": "t",
        "partition": 0,
        "offset": 7,
        "timestamp": "2026-03-04T02:11:42.318Z",
        "key": "k",
        "headers": {"id": "x"},
        "value": {"a": 1},
    }


@given(st.integers(-1, 250_000_000_000_000))
def test_a_time_reads_back_to_the_millisecond(at_ms: int) -> None:
    assert to_ms(to_rfc3339(at_ms)) == at_ms


def test_empty_lines_are_passed_over() -> None:
    assert list(read_recording([b"\n", b"  \n"], "test")) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "test:2: not a recorded Kafka record"),
        (b"[]", "a line is one JSON object"),
        (b'{"topic":"t","value":1}', "'timestamp' is missing"),
        (b'{"topic":"t","timestamp":0}', "'value' is missing"),
        (b'{"topic":"t","timestamp":"2026-03-04T02:11:42","value":1}', "has no time zone"),
        (b'{"topic":"t","timestamp":true,"value":1}', "Invalid isoformat"),
        (b'{"topic":"t","timestamp":0,"value_base64":"%"}', "test:2"),
        (b'{"topic":"t","timestamp":0,"value":1,"headers":[1]}', "test:2"),
        (b'{"topic":"t","timestamp":0,"value":1,"headers_base64":[["a"]]}', "test:2"),
        (b'{"topic":"t","timestamp":0,"value":1,"partition":"x"}', "test:2"),
        (b"\xff\xfe", "test:2"),
    ],
)
def test_what_is_not_a_record_is_named_by_its_line(line: bytes, said: str) -> None:
    with pytest.raises(RecordingError, match="test:2") as caught:
        list(read_recording([b"\n", line], "test"))
    assert said in str(caught.value)
