"""What is published: results, plots, and the generated part of docs/quality.md, all from the same rows.

python -m benchmarks.quality.page      # writes plots and page again from the published results
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks.quality.bars import outcomes
from benchmarks.quality.days import Row
from benchmarks.quality.plots import draw
from benchmarks.quality.report import bars, differences, fits, grouping, majors, roots
from benchmarks.quality.summary import Level, levels

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "quality.md"
PLOTS: Final = ROOT / "docs" / "quality"
PUBLISHED: Final = Path(__file__).parent / "results.jsonl"
BEGIN: Final = "<!-- results: made by `make quality` -->"
END: Final = "<!-- end of results -->"


class MarkerError(Exception):
    """The page has not the markers that the tables stand between."""


def read(path: Path = PUBLISHED) -> list[Row]:
    """Rows of a results file; the first is the head: commit and machine."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines() if line]


def write(path: Path, rows: Iterable[Row]) -> None:
    """Keep rows, one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


def plot_name(level: Level) -> str:
    """The file of a level's plot."""
    return f"{level.name.replace(',', '').replace(' ', '-')}.svg"


def compared(rows: Iterable[Row]) -> dict[str, Level]:
    """The levels that have tables and plots."""
    return {name: level for name, level in levels(rows).items() if level.is_compared}


def write_plots(found: Iterable[Level], folder: Path = PLOTS) -> None:
    """A picture for each level."""
    folder.mkdir(parents=True, exist_ok=True)
    for level in found:
        (folder / plot_name(level)).write_text(draw(level))


def section(rows: Sequence[Row]) -> str:
    """The generated part of the page."""
    found = compared(rows)
    parts = [_head(rows[0]), _titled("Bars", bars(outcomes(rows)).markdown())]
    for level in found.values():
        picture = f"![B-cubed F1 by method, {level.name}](quality/{plot_name(level)})\n"
        sheet = grouping(level)
        parts.append(_titled(sheet.title.capitalize(), f"{picture}\n{sheet.markdown()}"))
    for sheet in (differences(found.values()), majors(found.values()), roots(found.values()), fits(rows)):
        parts.append(_titled(sheet.title, sheet.markdown()))
    return "\n".join(parts)


def _head(row: Row) -> str:
    facts: dict[str, Any] = {"commit": "unknown", **row}
    return f"Commit {facts['commit'] or 'unknown'}, Python {facts.get('python', 'unknown')}.\n"


def _titled(title: str, text: str) -> str:
    return f"### {title}\n\n{text}"


def render(page: str, rows: Sequence[Row]) -> str:
    """The page with its generated part made anew.

    Raises:
        MarkerError: it has no place for it.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MarkerError(f"{PAGE}: the lines {BEGIN!r} and {END!r} are missing: add them where the tables belong")
    return f"{before}{BEGIN}\n\n{section(rows)}\n{END}{after}"


def publish(rows: Sequence[Row]) -> None:
    """Results, plots and page."""
    write(PUBLISHED, rows)
    write_plots(compared(rows).values())
    PAGE.write_text(render(PAGE.read_text(), rows))


if __name__ == "__main__":
    publish(read())
