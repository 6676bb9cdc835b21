"""Paths of adapters in YAML: what JMESPath says, quicker; and never another error than a refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jmespath
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.feeds import RawMessage
from pipeline.feeds.declarative.paths import Member, compile_path
from pipeline.models.alert import Alert
from pipeline.models.decision import BadRecord
from tests.feeds.declared import adapter, read, with_alert

PLAIN = st.recursive(
    st.sampled_from(["a", "b", '"x-y"', "a.b", "a[0]", "b[-1]", "a[0][1]", "@", 'a."x-y".b[2]']),
    lambda inner: st.tuples(inner, st.sampled_from([".a", ".b", "[0]", "[-2]", '."x-y"'])).map("".join),
    max_leaves=4,
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "x-y"]), inner, max_size=3),
    max_leaves=15,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(text=PLAIN, document=DOCUMENTS)
def test_a_plain_path_finds_what_jmespath_finds(text: str, document: Any) -> None:
    path = compile_path(text)

    assert "_walk" in path.find.__qualname__
    assert path.find(document) == jmespath.search(text, document)


INVOLVED = (
    "a || b", "!a", "a && b", "a == b", "a > b", "a[?b]", "a[?b > `1`].b | [0]", "a[*].b", "a.*", "a[]", "a[::2]",
    "a[::-1]", "*", "keys(@)", "values(a)", "length(a)", "sort(a)", "sort_by(a, &b)", "max_by(a, &b)", "min(a)",
    "avg(a)", "sum(a)", "abs(a)", "ceil(a)", "floor(to_number(a))", "join(', ', a)", "join(a, b)", "merge(a, b)",
    "map(&a, b)", "not_null(a, b)", "reverse(a)", "starts_with(a, 'x')", "ends_with(a, b)", "contains(a, b)",
    "to_array(a)[0]", "type(a)", "a[9223372036854775808]", "a[1:99999999999999999999]",
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=st.sampled_from(INVOLVED), document=DOCUMENTS)
def test_a_path_with_functions_finds_something_or_refuses(text: str, document: Any) -> None:
    member = Member(document, document, RawMessage("declared", "saas"), "$")
    said = f"$.{text}: a function finds another type"
    try:
        compile_path(text).look(member)
    except BadRecord as bad:
        said = bad.detail
    assert said == f"$.{text}: a function finds another type"


def test_messages_nested_as_deep_as_json_may_be_are_read_or_refused(tmp_path: Path) -> None:
    deep, other = (orjson.loads(b'{"a":' * 1_000 + b"1" + b"}" * 1_000) for _ in range(2))
    text = with_alert("name: a == b") + "skip: [{when: member.a == member.c, because: x}]\n"
    (result,) = read(adapter(tmp_path, text), {"id": 7, "state": "on", "a": deep, "b": other, "c": 1})

    assert isinstance(result, Alert) or result.detail == "$.a == b: a function finds another type"
