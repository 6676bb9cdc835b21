"""What goes out as JSON: exact in size, complete, and read back as it was."""

from __future__ import annotations

import sys
from base64 import b32encode
from dataclasses import fields
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.identity import content_hash, short_id
from pipeline.models.alert import Alert, alert_from_wire, alert_to_wire
from pipeline.models.summary import Summary, summary_dated
from pipeline.models.wire import to_json
from tests.core.builders import alert

TEXT = st.text(max_size=20)
NUMBER = st.none() | st.integers(0, 1 << 50)
OPTIONAL: dict[str, st.SearchStrategy[Any]] = {
    "str | None": st.none() | st.text(min_size=1, max_size=20),
    "int | None": NUMBER,
    "str": TEXT,
    "dict[str, str]": st.dictionaries(TEXT, TEXT, max_size=3),
    "list[str]": st.lists(TEXT, max_size=3),
}


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    given = {each.name: draw(OPTIONAL[str(each.type)]) for each in fields(Alert) if str(each.type) in OPTIONAL}
    return Alert(**given)


@given(alerts())
def test_an_alert_comes_back_as_it_was_whatever_it_leaves_out(about: Alert) -> None:
    back = alert_from_wire(orjson.loads(alert_to_wire(about)))
    back.origin = tuple(back.origin)  # type: ignore[assignment]  # JSON knows lists only
    assert back == about


def test_an_alert_says_nothing_that_is_empty_and_names_the_zeros() -> None:
    document = orjson.loads(alert_to_wire(alert(users_affected=0, ticket=None, description="")))
    assert document["users_affected"] == 0
    assert not {"ticket", "description", "links", "host"} & document.keys()


@pytest.mark.parametrize("document", [{"schema": 1, "nonsense": 2}, {"schema": 1}, [], 7, None])
def test_what_is_no_alert_is_a_type_error(document: Any) -> None:
    with pytest.raises(TypeError):
        alert_from_wire(document)


def test_json_takes_no_more_memory_than_it_is_long() -> None:
    value = to_json({"a": [1, 2, 3]})
    assert value == b'{"a":[1,2,3]}'
    assert sys.getsizeof(value) == sys.getsizeof(b"") + len(value)


@given(st.lists(TEXT, max_size=3))
def test_an_id_is_sixty_bits_of_the_hash_in_base_32(parts: list[str]) -> None:
    first_bits = bytes.fromhex(content_hash(*parts))[:8]
    assert short_id("EP", *parts) == f"EP-{b32encode(first_bits).decode()[:12]}"


def test_a_summary_is_dated_as_if_it_had_been_written_so() -> None:
    said: dict[str, Any] = {each.name: [] for each in fields(Summary) if str(each.type).startswith("list")}
    said |= {each.name: "" for each in fields(Summary) if str(each.type).startswith("str")}
    summary = Summary(**said, impacts={}, tickets=0)
    undated = to_json(summary)
    summary.revision, summary.at_ms, summary.received_at_ms = 3, 1_700_000_000_000, 7
    assert summary_dated(undated, 3, 1_700_000_000_000, 7) == to_json(summary)
