"""The documentation agrees with the code: generated parts, links, commands, settings and series that it names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from pipeline.cli import main
from pipeline.core.alerts.enrich import REFERENCE_LABELS
from pipeline.core.alerts.own_alerts import PROBE_LABEL
from pipeline.models.incident import Incident
from pipeline.settings import VARIABLES
from tools import api_parts, generate_docs, incident_words, picture
from tools.generate_docs import PICTURE, ROOT, pages, render
from tools.observability.catalogue import recorded_names
from tools.observability.series import every_series

ALL = pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))

STALE = "run: python -m tools.generate_docs"

FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
SHELL = ("", "console", "sh", "bash")
# What operators name themselves, in sinks.yaml.
# Secrets are no settings: nothing shows them.
NAMED_BY_OPERATORS = (
    "SPILLWAY_SINK_",
    "SPILLWAY_REDACTION_KEY",
    "SPILLWAY_PRIVACY_KEY",
    "SPILLWAY_OIDC_SECRET",
    "SPILLWAY_PING_URL",
)


@ALL
def test_generated_parts_are_up_to_date(page: Path) -> None:
    text = page.read_text()
    assert render(text) == text, f"{page.relative_to(ROOT)} is stale; {STALE}"


def test_every_generated_part_is_used() -> None:
    used = set(re.findall(r"<!-- generated: ([a-z-]+) -->", "".join(page.read_text() for page in pages())))
    assert used == set(generate_docs.GENERATORS)


def test_the_picture_shows_what_the_demo_says() -> None:
    assert picture.texts(PICTURE.read_text()) == picture.texts(picture.draw()), STALE


def test_the_description_of_the_api_is_up_to_date() -> None:
    assert api_parts.DOCUMENT.read_text() == api_parts.text(), STALE


def test_the_picture_takes_nothing_from_elsewhere() -> None:
    drawn = PICTURE.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
    found = re.findall(r"@import|@font-face|href=|url\((?!#)", drawn)
    assert not found


def test_every_field_of_an_incident_is_told_in_words() -> None:
    assert set(incident_words.SNAPSHOT) == {each.name for each in fields(Incident)}
    for title, part, words in incident_words.PARTS:
        assert set(words) == {each.name for each in fields(part)}, title


@ALL
def test_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not _leads_somewhere(page, link)]
    assert not broken, f"{page.relative_to(ROOT)}: {broken}"


def _leads_somewhere(page: Path, link: str) -> bool:
    if re.match(r"https?://", link):
        return True  # others' pages are not ours to check
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return False
    return not anchor or anchor in _anchors(target)


def _anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@ALL
def test_commands_and_options_exist(page: Path) -> None:
    wrong = [f"{line}: {fault}" for line in _commands(page.read_text()) if (fault := _fault(line))]
    assert not wrong, f"{page.relative_to(ROOT)}: {wrong}"


def test_a_command_that_does_not_exist_is_found() -> None:
    block = "```\nA=b spillway topics plan --colour \\\n  red # see\n$ spillway run all\n```\n"
    text = f"Use `spillway replya X`, or\n\n{block}"
    assert [_fault(line) for line in _commands(text)] == ["no command replya", "no option --colour", "no choice all"]


def _commands(text: str) -> Iterator[str]:
    """Every call of ``spillway`` in code, in the text and in blocks."""
    for code in CODE.findall(FENCE.sub("", text)):
        if code.startswith("spillway "):
            yield code
    for language, block in FENCE.findall(text):
        if language in SHELL:
            for line in block.replace("\\\n", " ").splitlines():
                if found := re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )*(spillway .*)", line.strip()):
                    yield found[1]


def _fault(line: str) -> str | None:
    """What is wrong with a call, or None. Names in capitals and brackets stand for values."""
    command: click.Command = main
    for word in shlex.split(line, comments=True)[1:]:
        if word == "|":  # what follows is another program's
            break
        name = word.split("=")[0]
        if word.startswith("-"):
            options = [option for each in command.params for option in (*each.opts, *each.secondary_opts)]
            if name not in {*options, "--help", "-h"}:
                return f"no option {name}"
        elif isinstance(command, click.Group) and word[0].islower():
            found = [_subcommand(command, alternative) for alternative in word.split("|")]
            if None in found:
                return f"no command {word}"
            command = found[-1] or command
        elif (choices := _choices(command)) and word[0].islower() and word not in choices | _values(line):
            return f"no choice {word}"
    return None


def _subcommand(group: click.Group, name: str) -> click.Command | None:
    return group.get_command(click.Context(group), name)


def _choices(command: click.Command) -> set[str]:
    """What the command's arguments may be, where that is a fixed list."""
    kinds = [each.type for each in command.params if isinstance(each, click.Argument)]
    return {str(choice) for kind in kinds if isinstance(kind, click.Choice) for choice in kind.choices}


def _values(line: str) -> set[str]:
    """Words that follow an option, which may be its value."""
    return set(re.findall(r"--[\w-]+[ =](?=(\S+))", line))


@ALL
def test_settings_and_make_targets_exist(page: Path) -> None:
    text = page.read_text()
    named = {name for name in re.findall(r"SPILLWAY_[A-Z_]+[A-Z]", text) if not name.startswith(NAMED_BY_OPERATORS)}
    assert named <= set(VARIABLES.values())
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = "\n".join([*CODE.findall(FENCE.sub("", text)), *(block for _, block in FENCE.findall(text))])
    assert set(re.findall(r"^(?:\$ )?make ([a-z]+)", code, re.MULTILINE)) <= targets


@ALL
def test_series_exist(page: Path) -> None:
    known = {name for series in every_series() for name in (series.name, *series.exposed)} | recorded_names()
    assert set(re.findall(r"\bspillway_[a-z_]+", page.read_text())) - {*REFERENCE_LABELS, PROBE_LABEL} <= known
