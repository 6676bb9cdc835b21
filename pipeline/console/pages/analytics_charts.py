"""The charts of the analytics page, from figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from markupsafe import Markup

from pipeline.console.charts import Frame, Series, Unit, bars, lines
from pipeline.console.pages.words import state_words
from pipeline.records.analytics.figures import Figures, Maturity, Point, TimeInState

Value = Callable[[Figures], float | None]

TIMES: Final[tuple[tuple[str, str, Value, Value], ...]] = (
    ("detect", "Time to detect (MTTD)", lambda each: each.detect.median, lambda each: each.detect.p90),
    (
        "acknowledge",
        "Time to acknowledge (MTTA)",
        lambda each: each.acknowledge.median,
        lambda each: each.acknowledge.p90,
    ),
    ("resolve", "Time to resolve (MTTR)", lambda each: each.resolve.median, lambda each: each.resolve.p90),
)


def over_quarters(periods: Sequence[Maturity]) -> list[Markup]:
    """Quarter over quarter: times, promises kept, repeats, and how much people had to do."""
    labels = [each.period.name for each in periods]
    whole = [each.whole for each in periods]

    def chart(key: str, title: str, unit: Unit, *named: tuple[str, Value]) -> Markup:
        series = [Series(name, [value(each) for each in whole]) for name, value in named]
        return lines(Frame(f"quarters-{key}", title, unit, first="Quarter"), labels, series)

    times = [chart(key, title, Unit.SECONDS, ("median", median), ("p90", late)) for key, title, median, late in TIMES]
    return [
        *times,
        chart(
            "sla",
            "Service level targets kept",
            Unit.SHARE,
            ("response", lambda each: each.response.ratio),
            ("resolution", lambda each: each.resolution.ratio),
        ),
        chart(
            "volume",
            "Incidents, and repeats of the same condition",
            Unit.COUNT,
            ("incidents", lambda each: float(each.incidents)),
            ("repeats", lambda each: float(each.repeats)),
        ),
        chart(
            "work",
            "Escalations by themselves, and reassignments",
            Unit.COUNT,
            ("escalations", lambda each: float(each.escalations)),
            ("reassigned", lambda each: float(each.reassigned)),
        ),
    ]


def over_weeks(points: Sequence[Point]) -> Markup:
    """Incidents of each week."""
    frame = Frame("weeks", "Incidents, week by week", first="Week of")
    return lines(
        frame, [each.start for each in points], [Series("Incidents", [each.value for each in points])], area=True
    )


def by_group(told: Maturity, label: Mapping[str, str]) -> Markup:
    """Time to acknowledge and to resolve of each group, median."""
    names = [label[each.label] for each in told.groups]
    frame = Frame("groups", "Median time to acknowledge and to resolve", Unit.SECONDS, first="Group")
    series = [
        Series("to acknowledge", [each.acknowledge.median for each in told.groups]),
        Series("to resolve", [each.resolve.median for each in told.groups]),
    ]
    return bars(frame, names, series)


def states_chart(found: Sequence[TimeInState]) -> Markup:
    """Where the time of incidents that ended went."""
    own = [each for each in found if each.incidents]
    frame = Frame("states", "Where the time went, of incidents that ended", Unit.SHARE, first="State")
    return bars(
        frame, [state_words(each.state) for each in own], [Series("share of the time", [each.share for each in own])]
    )
