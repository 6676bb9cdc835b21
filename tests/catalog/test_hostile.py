"""Files that nobody would write on purpose: whatever they hold, the answer is a problem, never a crash."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.catalog import ConfigError, Problem, check_config, load_config
from pipeline.catalog.yaml_lines import FILE_BYTES_MAX, FILE_NODES_MAX, NESTING_LEVELS_MAX
from tests.catalog.directory import EXAMPLE, component, write

FILES = (
    "catalog/a.yaml",
    "domains/retail.yaml",
    "oncall/payments.yaml",
    "feeds.yaml",
    "sinks.yaml",
    "correlation.yaml",
    "maintenance.yaml",
    "privacy.yaml",
)

_TEXTS = {str(file.relative_to(EXAMPLE)): file.read_text("utf-8") for file in sorted(EXAMPLE.rglob("*.yaml"))}

_WORDS = st.sampled_from(
    ["name", "kind", "Component", "Group", "metadata", "spec", "apiVersion", "backstage.io/v1", "dependsOn", "owner",
     "annotations", "spillway.dev/tier", "people", "start", "end", "targets", "matrix", "P1", "level", "impact",
     "urgency", "2026-03-10T10:00:00Z", "business_hours", "timezone", "escalation", "levels", "notify", "url"]
)  # fmt: skip
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | _WORDS
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS | st.text(max_size=8), inner, max_size=6),
    max_leaves=25,
)


def load_or_refuse(directory: Path) -> None:
    """Load; a refusal must name at least one problem in full."""
    problems: tuple[Problem, ...] = ()
    try:
        assert load_config(directory).version
    except ConfigError as error:
        problems = error.problems or (Problem("", 0, ""),)
    assert all(problem.file and problem.line >= 1 and problem.message for problem in problems)


def refusals(directory: Path) -> list[str]:
    """What is wrong in a directory."""
    return [str(problem) for problem in check_config(directory).problems]


@given(file=st.sampled_from(FILES), data=st.binary(max_size=300) | st.text(max_size=300).map(lambda t: t.encode()))
@settings(max_examples=300, deadline=None)
def test_junk_is_refused_and_never_raises_anything_else(file: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = write(Path(folder), {file: ""})
        (directory / file).write_bytes(data)
        load_or_refuse(directory)


@given(file=st.sampled_from(FILES), value=_VALUES)
@settings(max_examples=400, deadline=None)
def test_good_yaml_of_any_shape_never_raises_anything_else(file: str, value: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        text = yaml.safe_dump(value, allow_unicode=True)
        load_or_refuse(write(Path(folder), {file: text}))


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_the_example_with_a_piece_cut_out_never_raises_anything_else(data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted(_TEXTS)))
    text = _TEXTS[file]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 80)))
    instead = data.draw(st.text(alphabet="{}[]:,&*!|>-#'\"%@ \n\tax1", max_size=6))
    with tempfile.TemporaryDirectory() as folder:
        load_or_refuse(write(Path(folder), {**_TEXTS, file: text[:start] + instead + text[end:]}))


def test_a_billion_laughs_are_counted_and_refused(tmp_path: Path) -> None:
    lines = ["l0: &l0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    found = refusals(write(tmp_path, {"feeds.yaml": "\n".join(lines)}))

    assert any(f"more than {FILE_NODES_MAX:,} values, aliases expanded" in each for each in found)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(tmp_path: Path, opening: str) -> None:
    found = refusals(write(tmp_path, {"feeds.yaml": opening * 50_000}))

    # The parser has a limit of its own, which a file that nests without any end reaches first.
    ours, parsers = f"nested deeper than {NESTING_LEVELS_MAX} levels", "not YAML: exceeded maximum nesting depth"
    assert found in ([f"feeds.yaml:1: {ours}"], [f"feeds.yaml:1: {parsers}"])


def test_aliases_that_nest_deeper_than_what_is_written_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60))]
    found = refusals(write(tmp_path, {"feeds.yaml": "\n".join(lines)}))

    assert any(f"nested deeper than {NESTING_LEVELS_MAX} levels, aliases expanded" in each for each in found)


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    found = refusals(write(tmp_path, {"feeds.yaml": "#" * (FILE_BYTES_MAX + 1)}))

    assert found == [f"feeds.yaml:1: larger than {FILE_BYTES_MAX:,} bytes; split the file"]


def test_numbers_of_a_thousand_digits_stay_texts(tmp_path: Path) -> None:
    found = refusals(write(tmp_path, {"correlation.yaml": f"window_seconds: {'9' * 5_000}\n"}))

    assert len(found) == 1
    assert found[0].startswith("correlation.yaml:1: window_seconds:")


def test_a_folder_that_links_to_its_parent_ends(tmp_path: Path) -> None:
    write(tmp_path, {"feeds.yaml": "zabbix:\n", "catalog/a.yaml": component("checkout")})
    for name in ("again", "and-again"):
        (tmp_path / "catalog" / name).symlink_to(tmp_path / "catalog", target_is_directory=True)

    assert refusals(tmp_path) == []


def test_a_dangling_link_is_a_problem_of_that_file(tmp_path: Path) -> None:
    (tmp_path / "feeds.yaml").symlink_to(tmp_path / "gone.yaml")

    assert refusals(tmp_path) == ["feeds.yaml:1: cannot be read: No such file or directory"]
