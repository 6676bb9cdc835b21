"""Dead letters for the eye: every reason has a hint, no byte reaches the terminal raw, and long work shows a bar."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import pipeline
from pipeline.cli.dead_letter_view import (
    HINT_OTHER,
    HINTS,
    SHOWN_BYTES_MAX,
    escaped,
    hex_dump,
    hint,
    plain_text,
    readable,
    shown_value,
)
from pipeline.cli.progress import STEPS_MIN, progress
from pipeline.models.decision import Reason

SOURCES = sorted(Path(pipeline.__file__).parent.rglob("*.py"))


def test_every_reason_that_anything_is_refused_for_says_what_to_do() -> None:
    raised = {
        Reason[name]
        for path in SOURCES
        for name in re.findall(r"BadRecord\(\s*Reason\.([A-Z_]+)", path.read_text("utf-8"))
    }
    assert len(raised) >= 8  # else the search finds nothing
    assert {reason for reason in raised if hint(reason) == HINT_OTHER} == set()
    assert all(words.endswith(".") for words in HINTS.values())


@given(st.text() | st.binary().map(lambda data: data.decode(errors="backslashreplace")))
def test_escaped_text_has_nothing_that_steers_and_printable_text_stays(text: str) -> None:
    safe = escaped(text)
    assert safe.isprintable()
    if text.isprintable():
        assert safe == text


@given(st.binary(max_size=3 * SHOWN_BYTES_MAX))
def test_whatever_bytes_came_what_is_shown_is_safe(value: bytes) -> None:
    for whole in (False, True):
        shown = shown_value(value, whole=whole)
        assert not [letter for letter in shown if not letter.isprintable() and letter not in "\n\t"]


@given(st.binary(max_size=200))
def test_a_dump_holds_every_byte(value: bytes) -> None:
    digits = "".join(line[10:57].replace(" ", "") for line in hex_dump(value).splitlines())
    assert bytes.fromhex(digits) == value


@pytest.mark.parametrize("position", range(SHOWN_BYTES_MAX - 4, SHOWN_BYTES_MAX + 1))
def test_a_text_that_is_cut_inside_a_character_is_still_shown_as_text(position: int) -> None:
    value = b"x" * position + "é€😀".encode() + b"y" * 100
    assert shown_value(value, whole=False).startswith("xxxx")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (b'{"a": 1}\r\n', '{"a": 1}\n'),
        (b"down\x07 since noon", r"down\x07 since noon"),
        (b"\x1b[2J", r"\x1b[2J"),
        (b"\x00\x01\x02a", None),
        (b"\xff{", None),
        (b"", ""),
    ],
)
def test_text_is_told_from_bytes(value: bytes, shown: str | None) -> None:
    assert readable(value) == shown


def test_plain_text_is_text_without_anything_written_out() -> None:
    assert [plain_text(value) for value in (b"a\r\n", b"a\x1b", b"\xff", "naïve".encode())] == [
        "a\r\n",
        None,
        None,
        "naïve",
    ]


def bar(steps: int, *, terminal: bool) -> str:
    output = StringIO()
    console = Console(file=output, force_terminal=terminal, width=100)
    with progress("reading letters", steps, console) as seen:
        seen(steps // 2)
    return output.getvalue()


def test_long_work_shows_a_bar_on_a_terminal_alone() -> None:
    assert "reading letters" in bar(STEPS_MIN, terminal=True)
    assert f"{STEPS_MIN}/{STEPS_MIN}" in bar(STEPS_MIN, terminal=True)
    assert bar(STEPS_MIN, terminal=False) == ""
    assert bar(STEPS_MIN - 1, terminal=True) == ""


def test_the_page_says_what_the_command_says() -> None:
    page = (Path(pipeline.__file__).parents[1] / "docs" / "dead-letter.md").read_text("utf-8")
    for reason, words in HINTS.items():
        assert f"| `{reason}` | {words} |" in page, reason
