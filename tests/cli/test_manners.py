"""All commands have the same manners: help, a purpose, machine-readable answers, one-line errors, the nearest name."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import incident_send, main
from pipeline.kafka import scan, topics
from pipeline.shadow import store
from tools.command_parts import commands

COMMANDS = dict(commands())

ENDS_OF_ANSWERS = (
    " list",
    " show",
    " check",
    " lint",
    " verify",
    " export",
    " access",
    " report",
    " retention",
    " plan",
)
"""Last words of commands that answer a question."""

ASKS = {"spillway incident status", "spillway problem status"}
"""These are asked of somebody, and answer nothing."""

WAITING = (incident_send, scan, store, topics)

SERVING = {"spillway run", "spillway gateway", "spillway console", "spillway demo"}
"""They would start something."""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_is_for_and_what_its_options_are(name: str) -> None:
    done = CliRunner().invoke(main, [*name.split()[1:], "--help"])
    assert done.exit_code == 0
    assert (COMMANDS[name].help or "").strip()
    unexplained = [each.name for each in COMMANDS[name].params if isinstance(each, click.Option) and not each.help]
    assert not unexplained


@pytest.mark.parametrize("name", [each for each in COMMANDS if each.endswith(ENDS_OF_ANSWERS) and each not in ASKS])
def test_what_answers_answers_machines_as_well(name: str) -> None:
    assert any("--json" in each.opts for each in COMMANDS[name].params)


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - SERVING))
def test_without_an_environment_a_command_is_one_line_and_no_traceback(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in WAITING:  # for brokers that are not there
        for limit in ("REQUEST_SECONDS_MAX", "SECONDS_MAX", "ANSWER_SECONDS_MAX"):
            if hasattr(module, limit):
                monkeypatch.setattr(module, limit, 0.5)
    clean = {each: "" for each in os.environ if each.startswith("SPILLWAY_")}
    arguments = ["nowhere" for each in COMMANDS[name].params if isinstance(each, click.Argument) and each.required]
    done = CliRunner(env=clean).invoke(main, [*name.split()[1:], *arguments], input="")
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert "Traceback" not in done.output
    if done.exit_code:
        assert len([line for line in done.stderr.splitlines() if line.startswith("Error:")]) <= 1


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("incidnt", "did you mean 'incident'?"),
        ("audit exprot", "did you mean 'export'?"),
        ("config chekc", "did you mean 'check'?"),
        ("audit export --form", "--from"),
        ("xyzzyx", "see: spillway --help"),
    ],
)
def test_a_name_that_is_none_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    done = CliRunner().invoke(main, typed.split(), prog_name="spillway")
    assert done.exit_code == 2
    assert meant in done.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_completion(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0
    assert "_SPILLWAY_COMPLETE" in done.output


def complete(words: str) -> str:
    """What bash would be offered for the last of these words, and which parts of Spillway were imported for that."""
    count = len(words.split(" ")) - 1
    asked = {**os.environ, "COMP_WORDS": words, "COMP_CWORD": str(count), "_SPILLWAY_COMPLETE": "bash_complete"}
    script = (
        "import atexit, sys; from pipeline.cli import main\n"
        "atexit.register(lambda: print(*(m for m in sys.modules if m.startswith('pipeline.')), '', sep='\\n'))\n"
        "main(prog_name='spillway')"
    )
    return subprocess.run([sys.executable, "-c", script], env=asked, capture_output=True, text=True, check=False).stdout


def test_commands_complete_without_importing_any_and_options_by_importing_one() -> None:
    offered = complete("spillway inc")
    assert "plain,incident" in offered
    assert "pipeline.cli.incident\n" not in offered
    assert "pipeline.catalog\n" not in offered
    below = complete("spillway audit ver")
    assert "plain,verify" in below
