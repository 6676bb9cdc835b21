"""A picture for each level: B-cubed F1 of every method with its interval, as SVG that can be read on light and dark.

Written by hand: a dot, a whisker and two texts a method need no library.
"""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from benchmarks.quality.days import OURS
from benchmarks.quality.metrics import Interval
from benchmarks.quality.summary import Level

WIDTH: Final = 880
LEFT: Final = 330
RIGHT: Final = 170
TOP: Final = 56
ROW: Final = 26
BOTTOM: Final = 34
TICKS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

# The picture is shown as an image, so it asks the reader's own setting for light or dark.
_FRAME: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">
<style>
text {{ font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f; }}
.title {{ font-size: 15px; font-weight: 600; }}
.soft {{ fill: #57606a; font-size: 12px; }}
.end {{ text-anchor: end; }}
.middle {{ text-anchor: middle; }}
.paper {{ fill: #ffffff; }}
.grid {{ stroke: #d0d7de; stroke-width: 1; }}
.theirs {{ stroke: #57606a; fill: #57606a; }}
.ours {{ stroke: #0a5cc2; fill: #0a5cc2; }}
.whisker {{ stroke-width: 2; }}
.bold {{ font-weight: 600; }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #e6edf3; }}
.soft {{ fill: #9aa4af; }}
.paper {{ fill: #0d1117; }}
.grid {{ stroke: #30363d; }}
.theirs {{ stroke: #9aa4af; fill: #9aa4af; }}
.ours {{ stroke: #6cb0ff; fill: #6cb0ff; }}
}}
</style>
<rect class="paper" width="100%" height="100%" rx="8"/>
{content}
</svg>
"""


def draw(level: Level) -> str:
    """The picture of a level, best method first."""
    found = sorted(
        ((name, method.interval()) for name, method in level.methods.items()), key=lambda each: (-each[1].mean, each[0])
    )
    bottom = TOP + ROW * len(found)
    lines = [
        f'<text class="title" x="16" y="26">{escape(level.name)}</text>',
        f'<text class="soft" x="16" y="44">B-cubed F1 of {_count(level)}, mean and 95 % interval</text>',
    ]
    for tick in TICKS:
        x = _x(tick)
        lines.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{TOP}" y2="{bottom}"/>')
        lines.append(f'<text class="soft middle" x="{x}" y="{bottom + 18}">{tick:g}</text>')
    for row, (name, where) in enumerate(found):
        lines += _row(name, where, TOP + ROW * row + ROW // 2)
    label = f"{level.name}: B-cubed F1 by method, best {found[0][0]} with {found[0][1].mean:.2f}"
    return _FRAME.format(width=WIDTH, height=bottom + BOTTOM, label=escape(label), content="\n".join(lines))


def _count(level: Level) -> str:
    what = "splice" if level.name.startswith("real") else "day"
    count = len(level.seeds)
    return f"{count} {what}{'s' if count > 1 else ''}"


def _x(value: float) -> float:
    return round(LEFT + max(0.0, min(1.0, value)) * (WIDTH - LEFT - RIGHT), 1)


def _row(name: str, where: Interval, y: int) -> list[str]:
    kind, bold = ("ours", " bold") if name in OURS else ("theirs", "")
    text = f"{where.mean:.3f} ({where.low:.2f}\u2013{where.high:.2f})"
    return [
        f'<text class="end{bold}" x="{LEFT - 14}" y="{y + 4}">{escape(name)}</text>',
        f'<line class="{kind} whisker" x1="{_x(where.low)}" x2="{_x(where.high)}" y1="{y}" y2="{y}"/>',
        f'<circle class="{kind}" cx="{_x(where.mean)}" cy="{y}" r="4.5"/>',
        f'<text class="soft{bold}" x="{WIDTH - RIGHT + 10}" y="{y + 4}">{text}</text>',
    ]
