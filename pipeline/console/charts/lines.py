"""Figures over time: lines, the area below one, and a line as small as a word."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Final

from markupsafe import Markup

from pipeline.console.charts.frame import (
    NO_FIGURE,
    SERIES_KINDS,
    WIDTH,
    Axis,
    Frame,
    Series,
    axis,
    drawing,
    figure,
    in_words,
    known,
    legend,
    nothing,
    said,
    table,
    value_at,
)
from pipeline.console.charts.svg import element, join, number, shortened

POINTS_MAX: Final = 400
"""Points of a line: one for each unit of the width. Of more, each that is drawn stands for the largest of its own."""

_CHARACTER_WIDTH: Final = 6.2
"""Of a label, about: digits of a sans serif at 11 units."""

_LEFT: Final = 52.0
_RIGHT: Final = WIDTH - 12.0
_TOP: Final = 10.0
_BOTTOM: Final = 160.0
_HEIGHT: Final = 186
_LABEL_CHARACTERS: Final = 11


def lines(frame: Frame, labels: Sequence[str], series: Sequence[Series], *, area: bool = False) -> Markup:
    """A line for each series over labels that follow one another: moments, days, quarters.

    Args:
        frame: what it is called.
        labels: of the points, in order.
        series: their figures.
        area: fill what lies below the lines.
    """
    if not labels or not series:
        return nothing(frame)
    scale = axis((value for each in series for value in each.values), frame.unit)
    body = [*_grid(frame, scale), *_moments(labels)]
    for order, each in enumerate(series):
        body += _line(_points(labels, each, scale), scale, order, area=area)
    picture = drawing(frame, _HEIGHT, body, in_words(labels, series, frame.unit))
    return figure(frame, picture, legend([each.name for each in series]), table(frame, labels, series))


def sparkline(key: str, title: str, values: Sequence[float | None]) -> Markup:
    """How a figure went, as small as a word; its title tells the first and the last."""
    frame = Frame(key, title)
    drawn = [(index, each) for index, value in enumerate(values) if (each := known(value)) is not None]
    if not drawn:
        return element("span", NO_FIGURE, class_="faint")
    low, high = min(each for _, each in drawn), max(each for _, each in drawn)
    across, up = 72 / max(1, len(values) - 1), 16 / ((high - low) or 1)
    points = [(2 + index * across, 18 - (each - low) * up) for index, each in drawn]
    title_id = f"{frame.id}-title"
    words = f"{title}: from {said(drawn[0][1], frame.unit)} to {said(drawn[-1][1], frame.unit)}"
    path = "M" + " L".join(f"{number(x)} {number(y)}" for x, y in points)
    return element(
        "svg",
        element("title", words, id=title_id),
        element("path", class_="chart__line series-0", d=path),
        element("circle", class_="chart__dot series-0", cx=points[-1][0], cy=points[-1][1], r=2.0),
        class_="sparkline",
        viewBox="0 0 76 20",
        role="img",
        aria_labelledby=title_id,
        focusable="false",
    )


def _x(index: int, count: int) -> float:
    return (_LEFT + _RIGHT) / 2 if count == 1 else _LEFT + (_RIGHT - _LEFT) * index / (count - 1)


def _points(labels: Sequence[str], series: Series, scale: Axis) -> list[tuple[float, float] | None]:
    """Where the points are; None where the line is broken."""
    count = len(labels)
    stride = -(-count // POINTS_MAX)
    points: list[tuple[float, float] | None] = []
    for start in range(0, count, stride):
        own = [
            (value, at)
            for at in range(start, min(count, start + stride))
            if (value := known(value_at(series, at))) is not None
        ]
        best = max(own, default=None)
        points.append(None if best is None else (_x(best[1], count), scale.at(best[0], _BOTTOM, _TOP)))
    return points


def _line(points: list[tuple[float, float] | None], scale: Axis, order: int, *, area: bool) -> list[Markup]:
    mark = f"series-{order % SERIES_KINDS}"
    zero = scale.at(0, _BOTTOM, _TOP)
    found: list[Markup] = []
    for run in _runs(points):
        path = " L".join(f"{number(x)} {number(y)}" for x, y in run)
        if area and len(run) > 1:
            closed = f"M{number(run[0][0])} {number(zero)} L{path} L{number(run[-1][0])} {number(zero)} Z"
            found.append(element("path", class_=f"chart__area {mark}", d=closed))
        if len(run) > 1:
            found.append(element("path", class_=f"chart__line {mark}", d=f"M{path}"))
        if len(run) == 1 or len(points) <= _DOTS_MAX:
            found += [element("circle", class_=f"chart__dot {mark}", cx=x, cy=y, r=3.0) for x, y in run]
    return found


_DOTS_MAX: Final = 24


def _runs(points: list[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for each in points:
        if each is not None:
            runs[-1].append(each)
        elif runs[-1]:
            runs.append([])
    return [each for each in runs if each]


def _grid(frame: Frame, scale: Axis) -> list[Markup]:
    found = []
    for tick in scale.ticks:
        y = scale.at(tick, _BOTTOM, _TOP)
        mark = "chart__axis" if tick == 0 else "chart__grid"
        found.append(element("line", class_=mark, x1=_LEFT, x2=_RIGHT, y1=y, y2=y))
        words = said(tick, frame.unit)
        found.append(
            element(
                "text", words, class_="chart__tick", x=_LEFT - 6, y=y, text_anchor="end", dominant_baseline="central"
            )
        )
    return found


def _moments(labels: Sequence[str]) -> list[Markup]:
    """Some of the labels, the last among them, without one running into the next."""
    count = len(labels)
    words = [shortened(each, _LABEL_CHARACTERS) for each in labels]
    step = (_RIGHT - _LEFT) / max(1, count - 1)
    room = max(map(len, words)) * _CHARACTER_WIDTH * 1.5 + _CHARACTER_WIDTH  # half of one, and all of the last
    stride = max(1, ceil(room / step))
    named = []
    for index in range(count - 1, -1, -stride):
        anchor = "end" if index == count - 1 and count > 1 else "middle"
        x = _x(index, count)
        named.append(element("text", words[index], class_="chart__tick", x=x, y=_BOTTOM + 16, text_anchor=anchor))
    return [join(named)]
