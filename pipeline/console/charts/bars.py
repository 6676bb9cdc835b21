"""Bars, lying, so that names of services have room: one series or several side by side, or stacked to a whole."""

from __future__ import annotations

from collections.abc import Sequence
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
from pipeline.console.charts.svg import element, shortened

BARS_MAX: Final = 40
"""Labels drawn; the table has all."""

_NAMES: Final = 118  # width of the names on the left
_VALUES: Final = 58  # and of the values on the right
_BAR: Final = 14
_GAP: Final = 10
_NAME_CHARACTERS: Final = 18


def bars(frame: Frame, labels: Sequence[str], series: Sequence[Series]) -> Markup:
    """Bars of each label, one for each series, with their values beside them."""
    if not labels or not series:
        return nothing(frame)
    scale = axis((value for each in series for value in each.values), frame.unit)
    shown = labels[:BARS_MAX]
    row = _BAR * len(series) + _GAP
    body = [_zero(scale, len(shown) * row)]
    for index, label in enumerate(shown):
        top = index * row + _GAP / 2
        body.append(_name(label, top + row / 2 - _GAP / 2))
        for order, each in enumerate(series):
            body += _bar(frame, scale, value_at(each, index), top + order * _BAR, order)
    picture = drawing(frame, len(shown) * row + 2, body, in_words(labels, series, frame.unit))
    return figure(frame, picture, legend([each.name for each in series]), table(frame, labels, series))


def stacked(frame: Frame, labels: Sequence[str], series: Sequence[Series]) -> Markup:
    """One bar for each label, of parts that add up; each part has its pattern. Negative parts count as nothing."""
    if not labels or not series:
        return nothing(frame)
    shown = labels[:BARS_MAX]
    parts = [[max(0.0, known(value_at(each, index)) or 0.0) for each in series] for index in range(len(shown))]
    scale = axis(map(sum, parts), frame.unit)
    row = _BAR + _GAP + 4
    body = [_zero(scale, len(shown) * row)]
    for index, label in enumerate(shown):
        top, start = index * row + _GAP / 2, float(_NAMES)
        body.append(_name(label, top + (_BAR + 4) / 2))
        for order, value in enumerate(parts[index]):
            length = scale.at(value, _NAMES, WIDTH - _VALUES) - scale.at(0, _NAMES, WIDTH - _VALUES)
            if length > 0:
                mark = f"chart__bar series-{order % SERIES_KINDS}"
                body.append(element("rect", class_=mark, x=start, y=top, width=length, height=float(_BAR + 4)))
            start += length
        total = said(sum(parts[index]), frame.unit)
        body.append(
            element(
                "text", total, class_="chart__value", x=start + 5, y=top + (_BAR + 4) / 2, dominant_baseline="central"
            )
        )
    picture = drawing(frame, len(shown) * row + 2, body, in_words(labels, series, frame.unit))
    return figure(frame, picture, legend([each.name for each in series]), table(frame, labels, series))


def _name(label: str, middle: float) -> Markup:
    name = shortened(label, _NAME_CHARACTERS)
    title = element("title", label)
    return element(
        "text",
        title,
        name,
        class_="chart__label",
        x=_NAMES - 8.0,
        y=middle,
        text_anchor="end",
        dominant_baseline="central",
    )


def _bar(frame: Frame, scale: Axis, value: float | None, top: float, order: int) -> list[Markup]:
    drawn = known(value)
    zero = scale.at(0, _NAMES, WIDTH - _VALUES)
    if drawn is None:
        return [
            element("text", NO_FIGURE, class_="chart__value", x=zero + 5, y=top + _BAR / 2, dominant_baseline="central")
        ]
    end = scale.at(drawn, _NAMES, WIDTH - _VALUES)
    left, length = min(zero, end), abs(end - zero)
    mark = f"chart__bar series-{order % SERIES_KINDS}"
    return [
        element("rect", class_=mark, x=left, y=top + 1, width=length, height=_BAR - 2.0, rx=2.0),
        element(
            "text",
            said(value, frame.unit),
            class_="chart__value",
            x=max(zero, end) + 5,
            y=top + _BAR / 2,
            dominant_baseline="central",
        ),
    ]


def _zero(scale: Axis, height: float) -> Markup:
    at = scale.at(0, _NAMES, WIDTH - _VALUES)
    return element("line", class_="chart__axis", x1=at, x2=at, y1=0.0, y2=height)
