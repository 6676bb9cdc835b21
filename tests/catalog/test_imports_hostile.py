"""Imports: whatever comes is read or refused with one error, and every text is written so that it reads back."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.catalog.imports.gathered import Found, ImportFailedError, distinct_names, slug
from pipeline.catalog.imports.write import descriptors, to_yaml
from pipeline.catalog.problems import Findings
from pipeline.catalog.yaml_lines import read_documents
from tests.catalog.test_imports import GATHER

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["kind", "items", "metadata", "name", "labels", "result", "data", "status", "metric", "value",
                         "parent", "child", "type", "sys_class_name", "spec", "ownerReferences", "client", "server"]),
        inner, max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)  # a busy machine is no defect
@given(_JSON | st.binary(max_size=60), st.sampled_from(sorted(GATHER)))
def test_whatever_comes_is_read_or_refused_with_one_error(document: Any, source: str) -> None:
    data = document if isinstance(document, bytes) else orjson.dumps(document)
    try:
        found = GATHER[source]([("given", data)])
    except ImportFailedError:
        return
    check_reads_back(found.entities.values(), source)


@settings(deadline=None)  # a busy machine is no defect
@given(st.lists(st.builds(
    Found, kind=st.sampled_from(["Component", "Resource"]), name=st.text(min_size=1).map(slug), title=st.text(),
    description=st.text(), labels=st.dictionaries(st.text(min_size=1).map(slug), st.text(), max_size=3),
), max_size=5, unique_by=lambda found: found.ref))  # fmt: skip
def test_every_text_is_written_so_that_it_is_read_as_that_text(found: list[Found]) -> None:
    check_reads_back(found, "servicenow")


def check_reads_back(found: Any, source: str) -> None:
    documents = descriptors(found, source)
    findings = Findings()
    read = read_documents("written.yaml", to_yaml(documents, source).encode(), findings)
    assert findings.problems == []
    assert [plain(each.value) for each in read] == [plain(each) for each in documents]


def plain(value: Any) -> Any:
    """A document without what is not printable, nor empty mappings: what is written of it."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if each is not None and each != {}}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return "".join(each if each.isprintable() else " " for each in value)


@settings(deadline=None)  # a busy machine is no defect
@given(st.lists(st.tuples(st.uuids().map(str), st.text(max_size=5), st.uuids().map(str)), max_size=6))
def test_names_are_backstages_and_each_is_one_things_own(wanted: list[tuple[str, str, str]]) -> None:
    names = distinct_names(wanted)
    assert len(set(names.values())) == len(names) == len({identity for identity, _, _ in wanted})
    for name in names.values():
        assert 1 <= len(name) <= 63
        assert name == slug(name)
