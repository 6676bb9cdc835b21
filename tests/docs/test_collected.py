"""What runs the commands of the documentation: a test of this folder, as a rule; else something that is named."""

from __future__ import annotations

import re
from typing import Final

from tests.docs.collected import ELSEWHERE, EXCEPTIONS, ROOT, RUN_BY, commands, elsewhere, of, reason

ALL: Final = commands()
RUN: Final = [written for test in ("commands", "shell", "live") for written in of(test)]
SHARE_MIN: Final = 0.73
"""Of all commands those that a test of this folder runs as they stand; of the rest it is said who runs them, or why
nobody does."""


def test_most_commands_are_run_by_a_test_of_this_folder() -> None:
    assert len(ALL) > 200
    assert len(RUN) >= SHARE_MIN * len(ALL), f"{len(RUN)} of {len(ALL)} are run"


def test_each_command_is_run_once_or_has_a_reason() -> None:
    others = [each for each in ALL if reason(each.text) or elsewhere(each.text)]
    assert sorted([*RUN, *of("understood"), *others]) == sorted(ALL)
    assert all(len(why) > 15 for _, why in EXCEPTIONS)


def test_each_line_of_the_lists_is_about_a_command() -> None:
    lines = [begins for begins, *_ in (*EXCEPTIONS, *ELSEWHERE, *RUN_BY)]
    assert [begins for begins in lines if not any(re.match(begins, each.text) for each in ALL)] == []


def test_what_is_said_to_be_run_elsewhere_stands_there() -> None:
    held = [(each.text, found) for each in ALL if not reason(each.text) and (found := elsewhere(each.text))]
    assert held
    assert [(text, file) for text, (file, words) in held if words not in (ROOT / file).read_text()] == []
