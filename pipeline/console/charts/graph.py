"""A dependency graph: boxes that are links, who needs above what is needed; and the same as a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from markupsafe import Markup

from pipeline.console.charts.frame import Frame
from pipeline.console.charts.layout import Layout, layout
from pipeline.console.charts.svg import element, number, shortened, text

NODES_MAX: Final = 60
"""Boxes drawn: more is no picture any more. Those that are over are counted below it."""

EDGES_MAX: Final = 200
"""Lines drawn, likewise: those of the first nodes."""

_COLUMN: Final = 198
_ROW: Final = 104
_BOX_WIDTH: Final = 178
_BOX_HEIGHT: Final = 58
_MARGIN: Final = 12
_TITLE_CHARACTERS: Final = 21
_NOTE_CHARACTERS: Final = 27


@dataclass(frozen=True, slots=True)
class Node:
    """One box.

    Attributes:
        name: unique in the graph.
        title: what people call it.
        note: one line below the title: what it is, or how it is.
        href: where it leads; empty: nowhere.
        kinds: what it is in this picture, of `KINDS`: drawn, and said in words.
        rank: place among the suspects, from 1; 0: it is none.
        because: why, each a sentence.
    """

    name: str
    title: str
    note: str = ""
    href: str = ""
    kinds: tuple[str, ...] = ()
    rank: int = 0
    because: tuple[str, ...] = ()


KINDS: Final[dict[str, str]] = {
    "service": "what the incident is about",
    "centre": "what this is about",
    "alerting": "alerts itself",
    "suspect": "suspected",
    "change": "was changed lately",
    "identified": "the probable cause",
    "down": "a P1 or P2 incident is open",
    "ill": "an incident is open",
    "well": "nothing is open",
}
"""What a box can be, in words."""

_MARKS: Final = {"service": "incident", "alerting": "alerts", "identified": "probable cause", "change": "changed"}


@dataclass(frozen=True, slots=True)
class Edge:
    """One needs the other."""

    one: str
    other: str
    kinds: tuple[str, ...] = field(default=())


def graph(frame: Frame, nodes: Sequence[Node], edges: Sequence[Edge], *, nodes_max: int = NODES_MAX) -> Markup:
    """Draw a graph.

    Args:
        frame: what it is called.
        nodes: the most important ones first: what is over is in the list alone, and counted.
        edges: who needs what.
        nodes_max: boxes drawn; at most `NODES_MAX`.
    """
    shown = {each.name: each for each in nodes[: min(nodes_max, NODES_MAX)]}
    lines = [each for each in edges if each.one in shown and each.other in shown and each.one != each.other][:EDGES_MAX]
    placed = layout(list(shown), [(each.one, each.other) for each in lines])
    if not shown:
        said = element("p", "Nothing of it is in the catalogue.", class_="faint")
        return element("figure", element("figcaption", frame.title), said, class_="chart-figure")
    by_pair = {(each.one, each.other): each for each in lines}
    body = [_way(placed, pair, by_pair[pair]) for pair in sorted(placed.ways)]
    body += [_box(node, placed) for node in shown.values()]
    left_out = len({each.name for each in nodes}) - len(shown)
    more = element("p", f"{left_out:,} more are not drawn.", class_="faint") if left_out else Markup("")
    picture = element(
        "div",
        _svg(frame, placed, body),
        class_="scroll graph-scroll",
        tabindex="0",
        role="region",
        aria_label=frame.title,
    )
    return element(
        "figure", element("figcaption", frame.title), picture, more, _listed(nodes, edges), class_="chart-figure"
    )


def _svg(frame: Frame, placed: Layout, body: list[Markup]) -> Markup:
    width, height = placed.columns * _COLUMN + 2 * _MARGIN, placed.rows * _ROW + 2 * _MARGIN - (_ROW - _BOX_HEIGHT)
    title_id, desc_id = f"{frame.id}-title", f"{frame.id}-desc"
    said = frame.summary or "Each box needs those below it that a line leads to. The same as a list follows."
    return element(
        "svg",
        element("title", frame.title, id=title_id),
        element("desc", said, id=desc_id),
        *body,
        class_="graph",
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
        role="group",
        aria_labelledby=title_id,
        aria_describedby=desc_id,
    )


def _point(column: float, row: int) -> tuple[float, float]:
    """The middle of a box."""
    return _MARGIN + column * _COLUMN, _MARGIN + _BOX_HEIGHT / 2 + row * _ROW


def _way(placed: Layout, pair: tuple[str, str], edge: Edge) -> Markup:
    """A line through the lanes of its edge: curves that leave and arrive upright, straight through a row."""
    points = [_point(*each) for each in placed.ways[pair]]
    down = 1 if points[-1][1] > points[0][1] else -1
    half = down * _BOX_HEIGHT / 2
    path = [f"M{_at(points[0][0], points[0][1] + half)}"]
    for (from_x, from_y), (to_x, to_y) in pairwise(points):
        start_y, end_y = from_y + half, to_y - half
        middle = (start_y + end_y) / 2
        path.append(f"L{_at(from_x, start_y)} C{_at(from_x, middle)} {_at(to_x, middle)} {_at(to_x, end_y)}")
    x, y = points[-1][0], points[-1][1] - half
    path.append(f"M{_at(x - 4, y - down * 6)} L{_at(x, y)} L{_at(x + 4, y - down * 6)}")
    marks = "".join(f" is-{kind}" for kind in edge.kinds)
    return element("path", class_=f"graph__edge{marks}", d=" ".join(path))


def _at(x: float, y: float) -> str:
    return f"{number(x)} {number(y)}"


def _box(node: Node, placed: Layout) -> Markup:
    x, y = _point(*placed.places[node.name])
    left, top = x - _BOX_WIDTH / 2, y - _BOX_HEIGHT / 2
    marks = " ".join(["graph__node", *(f"is-{kind}" for kind in node.kinds if kind in KINDS)])
    parts = [
        element("title", _told(node)),
        element("rect", class_="graph__box", x=left, y=top, width=_BOX_WIDTH, height=_BOX_HEIGHT, rx=8),
        element("rect", class_="graph__side", x=left, y=top, width=6, height=_BOX_HEIGHT, rx=3),
        element("text", shortened(node.title, _TITLE_CHARACTERS), class_="graph__title", x=left + 14, y=top + 19),
        element("text", shortened(node.note, _NOTE_CHARACTERS), class_="graph__note", x=left + 14, y=top + 35),
        element("text", shortened(_mark(node), _NOTE_CHARACTERS), class_="graph__mark", x=left + 14, y=top + 50),
    ]
    box = element("g", *parts, class_=marks)
    return element("a", box, href=node.href, aria_label=_told(node)) if node.href else box


def _mark(node: Node) -> str:
    """What it is in this picture, in a few words, so that nobody needs the colours."""
    said = [f"suspect {node.rank}"] if node.rank else []
    return " · ".join([*said, *(_MARKS[kind] for kind in node.kinds if kind in _MARKS)])


def _told(node: Node) -> str:
    """What it is in this picture and why, in words: what a screen reader says, and what a pointer sees."""
    ranked = [f"suspect {node.rank}"] if node.rank else []
    kinds = [KINDS[each] for each in node.kinds if each in KINDS and not (each == "suspect" and node.rank)]
    what = ". ".join(filter(None, (node.title, ", ".join([*ranked, *kinds]))))
    return ": ".join(filter(None, (what, "; ".join(node.because))))


def _listed(nodes: Sequence[Node], edges: Sequence[Edge]) -> Markup:
    """The graph in words: each with what it needs."""
    titles = {each.name: each.title for each in nodes}
    needs: dict[str, list[str]] = {}
    for each in edges:
        if each.one in titles and each.other in titles and each.one != each.other:
            needs.setdefault(each.one, []).append(titles[each.other])
    items = []
    for node in nodes:
        name: Markup = element("a", node.title, href=node.href) if node.href else text(node.title)
        said = _told(node)[len(node.title) :].lstrip(". :")
        parts = [part for part in (node.note, said) if part]
        needed = ", ".join(sorted(needs.get(node.name, ())))
        parts += [f"needs {needed}"] if needed else []
        items.append(element("li", name, *([": " + "; ".join(parts)] if parts else [])))
    return element("details", element("summary", "As a list"), element("ul", *items), class_="figures")
