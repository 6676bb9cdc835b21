"""What stands around each chart: its title, its description, the axis of values, and the table of its figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, floor, isfinite, log10
from typing import Final

from markupsafe import Markup

from pipeline.console.charts.svg import element, join, text

WIDTH: Final = 400
"""Units a chart is wide: on a phone of 360 pixels a word of 12 units is still read."""

TICKS: Final = 4
"""Lines across, about: more is a grid that hides the figures."""

LARGEST: Final = 1e15
"""What is larger is drawn at this: its exact value is in the table, and no chart of people, seconds or money has it."""

NO_FIGURE: Final = "\N{EN DASH}"
"""Where there is nothing to tell."""

_NAME: Final = re.compile(r"[^a-zA-Z0-9_-]+")


class Unit(StrEnum):
    """What a figure counts."""

    COUNT = "count"
    SECONDS = "seconds"
    SHARE = "share"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Series:
    """Figures of one name, one for each label; None where there is none."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chart is called.

    Attributes:
        key: unique on the page: ids are made of it.
        title: what it shows.
        unit: of its values.
        summary: what somebody who does not see it should know; empty: the first and the largest figure.
        first: heading of the table's first column.
    """

    key: str
    title: str
    unit: Unit = Unit.COUNT
    summary: str = ""
    first: str = ""

    @property
    def id(self) -> str:
        """The key as an id."""
        return "chart-" + (_NAME.sub("-", self.key) or "x")


def known(value: float | None) -> float | None:
    """A figure that can be drawn; None where it is none, or not a number."""
    if value is None or not isfinite(value):
        return None
    return max(-LARGEST, min(LARGEST, float(value)))


def said(value: float | None, unit: Unit) -> str:
    """A figure as people read it."""
    if value is None or not isfinite(value):
        return NO_FIGURE
    if unit is Unit.SHARE:
        return f"{value * 100:.1f}".rstrip("0").rstrip(".") + " %"
    if unit is Unit.SECONDS:
        return _span(value)
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}".rstrip("0").rstrip(".")


def _span(seconds: float) -> str:
    size = abs(seconds)
    for limit, divisor, name in ((120, 1, "s"), (7_200, 60, "min"), (172_800, 3_600, "h")):
        if size < limit:
            digits = 0 if size / divisor >= 10 else 1
            return f"{seconds / divisor:,.{digits}f}".removesuffix(".0") + f" {name}"
    return f"{seconds / 86_400:,.0f} days"


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale of values, from a low to a high, with the values of its lines."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float, start: float, end: float) -> float:
        """Where a value is between two coordinates."""
        return start + (end - start) * (value - self.low) / (self.high - self.low)


_STEPS: Final = {
    Unit.SECONDS: tuple(
        float(each)
        for each in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600, 43_200, 86_400)
    ),
}


def axis(values: Iterable[float | None], unit: Unit) -> Axis:
    """A scale for values, from zero or below to the largest or above, in steps that people count by."""
    drawn = [each for each in map(known, values) if each is not None]
    low, high = min([0.0, *drawn]), max([0.0, *drawn])
    if unit is Unit.SHARE and low >= 0 and high <= 1:
        return Axis(0, 1, (0, 0.25, 0.5, 0.75, 1))
    if high - low < 1e-9:  # nothing, or all zero: an axis that has a length
        high = low + 1
    step = _step((high - low) / TICKS, unit)
    first, last = floor(low / step), ceil(high / step)
    return Axis(first * step, last * step, tuple(each * step for each in range(first, last + 1)))


def _step(rough: float, unit: Unit) -> float:
    for each in _STEPS.get(unit, ()):
        if each >= rough:
            return each
    magnitude = 10.0 ** floor(log10(rough))
    if unit is Unit.SECONDS:  # days
        magnitude = 86_400 * 10.0 ** floor(log10(max(rough / 86_400, 1)))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10, 20) if factor * magnitude >= rough * (1 - 1e-9))
    return max(1.0, step) if unit is Unit.COUNT else step


def drawing(frame: Frame, height: float, body: list[Markup], summary: str) -> Markup:
    """The SVG of a chart, as one picture with a name and a description."""
    title_id, desc_id = f"{frame.id}-title", f"{frame.id}-desc"
    return element(
        "svg",
        element("title", frame.title, id=title_id),
        element("desc", frame.summary or summary, id=desc_id),
        join(body),
        class_="chart",
        viewBox=f"0 0 {WIDTH} {height:.0f}",
        role="img",
        aria_labelledby=f"{title_id} {desc_id}",
        focusable="false",
    )


def table(frame: Frame, labels: Sequence[str], series: Sequence[Series]) -> Markup:
    """The figures of a chart, to unfold beside it."""
    head = [
        element("th", frame.first or "What", scope="col"),
        *(element("th", each.name, scope="col") for each in series),
    ]
    rows = []
    for index, label in enumerate(labels):
        cells = [element("td", said(value_at(each, index), frame.unit), class_="num") for each in series]
        rows.append(element("tr", element("th", label, scope="row"), *cells))
    caption = element("caption", frame.title, class_="hidden")
    body = element("table", caption, element("thead", element("tr", *head)), element("tbody", *rows))
    scroll = element("div", body, class_="scroll", tabindex="0", role="region", aria_label=f"{frame.title}: figures")
    return element("details", element("summary", "Figures"), scroll, class_="figures")


def figure(frame: Frame, picture: Markup, legend: Markup, figures: Markup) -> Markup:
    """A chart with its heading, legend and table."""
    heading = element("figcaption", frame.title)
    return element("figure", heading, legend, picture, figures, class_="chart-figure")


def nothing(frame: Frame) -> Markup:
    """Instead of a chart that would show nothing."""
    return element(
        "figure",
        element("figcaption", frame.title),
        element("p", "Nothing to show yet.", class_="faint"),
        class_="chart-figure",
    )


def legend(names: Sequence[str]) -> Markup:
    """Which mark is which; nothing where there is one alone."""
    if len(names) < 2:
        return Markup("")
    marks = [
        element("li", element("span", class_=f"swatch series-{index % SERIES_KINDS}", aria_hidden="true"), text(name))
        for index, name in enumerate(names)
    ]
    return element("ul", *marks, class_="legend")


SERIES_KINDS: Final = 8
"""Colours and patterns that can be told apart; a ninth series looks as the first, and its label says which it is."""


def value_at(series: Series, index: int) -> float | None:
    """A figure; None where the series is shorter."""
    return series.values[index] if index < len(series.values) else None


def in_words(labels: Sequence[str], series: Sequence[Series], unit: Unit) -> str:
    """What a chart shows, in a sentence or some."""
    told = []
    for each in series:
        drawn = [(value, index) for index in range(len(labels)) if (value := known(value_at(each, index))) is not None]
        if not drawn:
            told.append(f"{each.name}: no figures.")
            continue
        high, low = max(drawn), min(drawn)
        most, least = (f"{said(value, unit)} ({labels[index]})" for value, index in (high, low))
        told.append(f"{each.name}: highest {most}, lowest {least}.")
    return " ".join(told)
