"""Commands that take minutes, or more than a test's machine: each is understood by the very program that it names.
Behind the words of the page it is given one that nobody takes, and that one alone must be refused."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from tests.docs.collected import ROOT, Written, of
from tests.docs.reader import MAKE

STRANGE: Final = "--nobody-takes-this"
REFUSED: Final = re.compile(rf"(unrecognized arguments|No such option): '?{STRANGE}'?\.?$", re.MULTILINE)


def made(target: list[str]) -> tuple[int, list[str]]:
    """How `make` ends, and what it would run."""
    done = subprocess.run([*MAKE, "--dry-run", *target], cwd=ROOT, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout.replace("\\\n", "").splitlines()


def refused(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What a program of ours says to some words and to `STRANGE`."""
    program = Path(words[0]).name
    if program == "spillway":
        result = CliRunner().invoke(main, [*words[1:], STRANGE])
        assert result.exit_code == 2
        return result.output
    assert (program, words[1]) == ("python", "-m"), words
    monkeypatch.setattr(sys, "argv", [*words[2:], STRANGE])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(words[2], run_name="__main__", alter_sys=True)
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("written", of("understood"), ids=lambda written: written.text)
def test_a_long_command_of_the_documentation_is_understood(
    written: Written, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(written.text)
    if words[0] == "make":
        code, lines = made(words[1:])
        assert (code, bool(lines)) == (0, True), written
        words = shlex.split(lines[-1])
    if "uv" not in words:  # a program of others, whose words are the target's own
        assert REFUSED.search(refused(words, monkeypatch, capsys)), written


@pytest.mark.parametrize(
    "wrong", ["spillway demmo", "python -m tests.cluster --only rollin", "python -m tests.faults --sede 7"]
)
def test_a_word_that_a_program_does_not_take_is_noticed(
    wrong: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not REFUSED.search(refused(wrong.split(), monkeypatch, capsys))


def test_a_target_that_there_is_not_is_noticed() -> None:
    assert made(["quallity"])[0] == 2
