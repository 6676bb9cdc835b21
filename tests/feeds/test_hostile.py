"""Hostile input: whatever JSON comes, an adapter gives alerts or bad records, and never tells a payload's values."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.feeds import ADAPTERS
from pipeline.models.alert import Alert
from pipeline.models.decision import BadRecord
from tests.feeds.payloads import SAMPLE_OF, read

SAMPLES_OF = {name: [sample.document() for sample in SAMPLE_OF.values() if sample.adapter == name] for name in ADAPTERS}

# What orjson can give: 64-bit numbers, text without lone surrogates.
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.sampled_from(
        ["", "firing", "resolved", "ALARM", "{", "[]", "0001-01-01T00:00:00Z", "9999-99-99", "://", "[", "²"]
    )
)
JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def check(adapter: str, payload: object) -> None:
    """Read a payload: no other exception than `BadRecord` comes out, and alerts can go on the wire."""
    try:
        results = read(adapter, payload)
    except BadRecord as bad:
        results = [bad]
    assert results
    for result in results:
        if isinstance(result, Alert):
            orjson.dumps(result)
            assert result.alert_key
        else:
            assert isinstance(result, BadRecord)
            assert result.detail.startswith("$")


@st.composite
def mutated(draw: st.DrawFn, adapter: str) -> Any:
    """A sample with one to three of its values replaced or removed, anywhere in it."""
    document = deepcopy(draw(st.sampled_from(SAMPLES_OF[adapter])))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if places:
            holder, key = draw(st.sampled_from(places))
            if draw(st.booleans()):
                holder[key] = draw(JSON)
            else:
                del holder[key]
    if isinstance(document, dict) and isinstance(document.get("Message"), str) and draw(st.booleans()):
        document["Message"] = orjson.dumps(draw(mutated_alarm())).decode()
    return document


@st.composite
def mutated_alarm(draw: st.DrawFn) -> Any:
    """The alarm inside an SNS envelope, with one value replaced."""
    alarm = orjson.loads(SAMPLES_OF["cloudwatch"][0]["Message"])
    holder, key = draw(st.sampled_from(list(_places(alarm))))
    holder[key] = draw(JSON)
    return alarm


def _places(value: Any) -> Any:
    """Every place of a document that holds a value: its holder and its key or index."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(items):
        yield value, key
        yield from _places(inner)


@pytest.mark.parametrize("adapter", ADAPTERS)
@settings(max_examples=100, deadline=None, derandomize=True)
@given(payload=JSON)
def test_any_json_gives_alerts_or_bad_records(adapter: str, payload: object) -> None:
    check(adapter, payload)


@pytest.mark.parametrize("adapter", ADAPTERS)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_damaged_sample_gives_alerts_or_bad_records(adapter: str, data: st.DataObject) -> None:
    check(adapter, data.draw(mutated(adapter)))


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_refusal_names_the_path_and_never_the_value(adapter: str) -> None:
    secret = {"hunter2": ["hunter2"]}
    for sample in SAMPLES_OF[adapter]:
        for place in range(len(list(_places(sample)))):
            damaged = deepcopy(sample)
            holder, key = list(_places(damaged))[place]
            holder[key] = secret
            try:
                results = read(adapter, damaged)
            except BadRecord as bad:
                results = [bad]
            for result in results:
                if isinstance(result, BadRecord):
                    assert "hunter2" not in result.detail
                    assert result.detail.startswith("$")
