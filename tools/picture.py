"""The picture of the README: what the demo prints, drawn by the demo's own views over a replay of the same day.

Live and replay agree byte for byte, which the demo itself checks, so a replay may stand for it here.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from rich.console import Console, Group
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from pipeline.catalog import load_config
from pipeline.cli.demo import RUN_ON_SECONDS
from pipeline.demo.show import Board, show_figures, show_incident
from pipeline.examples import config_directory, one_day
from pipeline.replay import Outcome, Replay

WIDTH_CHARACTERS: Final = 110

_THEME: Final = TerminalTheme(
    (21, 27, 35),
    (214, 221, 230),
    [
        (21, 27, 35),
        (255, 123, 114),
        (126, 211, 133),
        (229, 192, 103),
        (121, 184, 255),
        (201, 160, 255),
        (110, 205, 215),
        (214, 221, 230),
    ],
)

# Rich's own frame, without its fonts from another site, its title and its window buttons.
_FRAME: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" \
aria-label="Output of spillway demo: a table of incidents, one incident's timeline, and what became of all alerts">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
<rect fill="#151b23" width="100%" height="100%" rx="12"/>
<g transform="translate({terminal_x}, 24)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def draw() -> str:
    """The picture as SVG."""
    machine = Replay(load_config(config_directory()))
    board = Board(0)
    for step in machine.steps(one_day(), run_on_seconds=RUN_ON_SECONDS):
        board.step(step.record.timestamp, len(step.decisions), [event.value or b"" for event in step.events])
    outcome = machine.outcome
    console = _console(WIDTH_CHARACTERS)
    console.print("[bold green]$[/bold green] make demo\n")
    console.print(Group(*board.__rich__().renderables[1:]))  # the bar of progress shows time that a replay has not
    for line in _story(outcome):
        console.print(line, no_wrap=True, overflow="ellipsis")
    show_figures(console, _summary(outcome, machine.remainder()))
    svg = console.export_svg(title="", theme=_THEME, code_format=_FRAME, unique_id="demo")
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def _console(width: int) -> Console:
    return Console(record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor")


def _story(outcome: Outcome) -> list[Text]:
    """The incident of the checkout story, line by line, so that a long one ends in dots where the picture ends."""
    console = _console(WIDTH_CHARACTERS * 4)
    show_incident(console, *leading_incident(outcome))
    return list(Text.from_ansi(console.export_text(styles=True)).split("\n"))


def leading_incident(outcome: Outcome) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The incident of the checkout story: its last snapshot and its timeline as the records store gives it."""
    events = [orjson.loads(event.value or b"") for event in outcome.events]
    wanted = next(event["incident_id"] for event in events if event["incident"]["domain"] == "retail")
    own = [event for event in events if event["incident_id"] == wanted]
    entries = [entry for event in own for entry in event["entries"]]
    timeline = [entry | {"at": datetime.fromtimestamp(entry["at_ms"] / 1_000, UTC)} for entry in entries]
    return own[-1]["incident"], timeline


def story_text(outcome: Outcome) -> str:
    """The checkout incident in words, as plain text."""
    out = io.StringIO()
    show_incident(Console(file=out, width=WIDTH_CHARACTERS), *leading_incident(outcome))
    return "\n".join(line.rstrip() for line in out.getvalue().strip("\n").splitlines())


def texts(svg: str) -> list[str]:
    """What a picture says, without how it is drawn: that differs between versions of the library."""
    found = re.findall(r"<text[^>]*>(.*?)</text>", svg)
    return "".join(found).replace("&#160;", " ").split()


def _summary(outcome: Outcome, remainder: int) -> dict[str, Any]:
    incidents = {event.key or b"" for event in outcome.events}
    return {
        "alerts": len(outcome.decisions),
        "incidents": len(incidents),
        "bridges": sum(each.startswith(b"MI-") for each in incidents),
        "dispositions": Counter(decision.disposition.value for decision in outcome.decisions),
        "remainder": remainder,
    }
