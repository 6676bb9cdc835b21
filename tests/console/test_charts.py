"""Charts and the graph: whatever the figures and names are, what comes out is a document, and says the figures."""

from __future__ import annotations

from itertools import pairwise
from math import inf, isfinite, nan
from typing import Final
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from pipeline.console.charts import Edge, Frame, Node, Series, Unit, bars, graph, lines, sparkline, stacked
from pipeline.console.charts.frame import LARGEST, WIDTH, axis, said
from pipeline.console.charts.graph import NODES_MAX
from pipeline.console.charts.layout import ROW_MAX, layout, spread

FIGURES: Final = some.one_of(some.none(), some.floats(), some.integers(-(10**18), 10**18).map(float))
UNITS: Final = some.sampled_from(Unit)
WORDS: Final = some.text(max_size=30)
NAMES: Final = some.sampled_from([f"n{index}" for index in range(14)])
PAIRS: Final = some.lists(some.tuples(NAMES, NAMES), max_size=40)


def document(markup: str) -> ElementTree.Element:
    """What a browser would make of it, more strictly."""
    return ElementTree.fromstring(f"<main>{markup}</main>")  # noqa: S314  # it is what we have just written


@given(
    some.lists(WORDS, max_size=6),
    some.lists(some.tuples(WORDS, some.lists(FIGURES, max_size=7)), max_size=3),
    UNITS,
    WORDS,
)
def test_any_figures_make_a_document_whose_coordinates_are_numbers(
    labels: list[str], given_series: list[tuple[str, list[float | None]]], unit: Unit, title: str
) -> None:
    frame, series = Frame("k", title, unit), [Series(*each) for each in given_series]
    for chart in (bars, stacked, lines):
        for each in document(chart(frame, labels, series)).iter():
            for name in ("x", "y", "width", "height", "x1", "y1", "cx", "cy"):
                if name in each.attrib:
                    assert isfinite(float(each.attrib[name]))
                    assert -1 <= float(each.attrib[name]) <= max(WIDTH, 2_000)
            assert "style" not in each.attrib, "the content security policy has no room for it"
            assert "nan" not in each.attrib.get("d", "")
            assert "inf" not in each.attrib.get("d", "")


@given(some.lists(FIGURES, max_size=50), WORDS)
def test_a_sparkline_of_anything_is_a_document(values: list[float | None], title: str) -> None:
    document(sparkline("s", title, values))


@given(some.lists(FIGURES, max_size=20), UNITS)
def test_an_axis_holds_all_that_is_drawn_and_has_few_lines(values: list[float | None], unit: Unit) -> None:
    drawn = [max(-LARGEST, min(LARGEST, each)) for each in values if each is not None and isfinite(each)]
    found = axis(values, unit)
    assert found.low < found.high
    assert 2 <= len(found.ticks) <= 12
    little = (found.high - found.low) * 1e-9
    assert all(found.low - little <= each <= found.high + little for each in [0.0, *drawn])
    assert all(one < other for one, other in pairwise(found.ticks))


def test_words_are_escaped_wherever_they_stand() -> None:
    evil = "<script>alert('x')</script>\"&\x00\ud800"
    frame, series = Frame(evil, evil, summary=evil, first=evil), [Series(evil, [1.0]), Series(evil, [2.0])]
    node = Node(evil, evil, note=evil, href=f"/services/{evil}", because=(evil,))
    for chart in (
        bars(frame, [evil], series),
        stacked(frame, [evil], series),
        lines(frame, [evil], series),
        sparkline(evil, evil, [1.0, 2.0]),
        graph(frame, [node], [Edge(evil, evil)]),
    ):
        assert "<script" not in chart
        assert not [each for each in document(chart).iter() if each.tag == "script"]


def test_a_picture_is_named_described_and_beside_it_stand_its_figures() -> None:
    frame = Frame("mttr", "Time to restore", Unit.SECONDS, first="Quarter")
    found = document(
        lines(frame, ["2026 Q1", "2026 Q2"], [Series("median", [90.0, None]), Series("p90", [7_200.0, nan])])
    )
    picture = found.find(".//svg")
    assert picture is not None
    assert picture.attrib["role"] == "img"
    named = {each.attrib["id"]: each.text for each in found.iter() if "id" in each.attrib}
    assert [named[each] for each in picture.attrib["aria-labelledby"].split()] == [
        "Time to restore",
        "median: highest 90 s (2026 Q1), lowest 90 s (2026 Q1). p90: highest 2 h (2026 Q1), lowest 2 h (2026 Q1).",
    ]
    cells = [each.text for each in found.findall(".//td")]
    assert cells == ["90 s", "2 h", "\N{EN DASH}", "\N{EN DASH}"]


def test_where_there_are_no_figures_it_says_so() -> None:
    assert "Nothing to show yet." in bars(Frame("a", "Open incidents"), [], [])


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0, Unit.COUNT, "0"),
        (1_234_567.0, Unit.COUNT, "1,234,567"),
        (0.5, Unit.COUNT, "0.5"),
        (0.975, Unit.SHARE, "97.5 %"),
        (1, Unit.SHARE, "100 %"),
        (90, Unit.SECONDS, "90 s"),
        (405, Unit.SECONDS, "6.8 min"),
        (5_400, Unit.SECONDS, "90 min"),
        (90_000, Unit.SECONDS, "25 h"),
        (864_000, Unit.SECONDS, "10 days"),
        (None, Unit.COUNT, "\N{EN DASH}"),
        (inf, Unit.SECONDS, "\N{EN DASH}"),
    ],
)
def test_figures_are_said_as_people_say_them(value: float | None, unit: Unit, words: str) -> None:
    assert said(value, unit) == words


@settings(max_examples=200)
@given(some.lists(NAMES, max_size=14), PAIRS)
def test_boxes_never_overlap_whatever_the_graph_and_each_edge_joins_its_ends(
    nodes: list[str], edges: list[tuple[str, str]]
) -> None:
    found = layout(nodes, edges)
    assert set(found.places) == set(nodes)
    rows: dict[int, list[float]] = {}
    for column, row in found.places.values():
        assert 0.5 - 1e-6 <= column <= found.columns - 0.5 + 1e-6
        assert 0 <= row < found.rows
        rows.setdefault(row, []).append(column)
    for columns in rows.values():
        assert len(columns) <= ROW_MAX
        assert all(other - one >= 1 - 1e-6 for one, other in pairwise(sorted(columns)))
    for (one, other), way in found.ways.items():
        assert (way[0], way[-1]) == (found.places[one], found.places[other])
        steps = {after[1] - before[1] for before, after in pairwise(way)}
        assert steps in ({1}, {-1}), "it goes row by row, one way"
        for column, row in way[1:-1]:
            boxes = [at for at, level in found.places.values() if level == row]
            assert all(abs(column - at) >= 0.5 - 1e-6 for at in boxes), "it passes beside the boxes"


@given(some.lists(NAMES, max_size=14), PAIRS)
def test_the_same_graph_looks_the_same_whatever_order_its_edges_come_in(
    nodes: list[str], edges: list[tuple[str, str]]
) -> None:
    assert layout(nodes, edges) == layout(nodes, [*reversed(edges), *edges])


@given(PAIRS)
def test_what_needs_stands_above_what_it_needs_where_there_is_no_circle(edges: list[tuple[str, str]]) -> None:
    straight = [(one, other) for one, other in edges if int(one[1:]) < int(other[1:])]
    found = layout(sorted({each for pair in straight for each in pair}), straight)
    assert all(found.places[one][1] < found.places[other][1] for one, other in straight)


@given(some.lists(some.tuples(some.floats(-50, 50), some.floats(0.1, 2)), max_size=12))
def test_spread_keeps_the_order_and_the_distance_and_moves_nothing_that_has_room(
    wanted: list[tuple[float, float]],
) -> None:
    wishes, widths = [want for want, _ in wanted], [width for _, width in wanted]
    found = spread(wishes, widths)
    for index, (one, other) in enumerate(pairwise(found)):
        assert other - one >= (widths[index] + widths[index + 1]) / 2 - 1e-6
    roomy = [want + 200 * index for index, want in enumerate(wishes)]
    assert spread(roomy, widths) == pytest.approx(roomy)


def test_a_graph_marks_suspects_with_rank_and_reason_and_leads_to_each_service() -> None:
    nodes = [
        Node("checkout", "Checkout", href="/services/checkout", kinds=("service", "alerting")),
        Node("db", "Payments database", kinds=("suspect", "identified"), rank=1, because=("alerts itself",)),
    ]
    found = document(graph(Frame("g", "What it needs"), nodes, [Edge("checkout", "db")]))
    link = found.find(".//svg/a")
    assert link is not None
    assert link.attrib["href"] == "/services/checkout"
    assert link.attrib["aria-label"] == "Checkout. what the incident is about, alerts itself"
    listed = ["".join(each.itertext()) for each in found.findall(".//details/ul/li")]
    assert listed == [
        "Checkout: what the incident is about, alerts itself; needs Payments database",
        "Payments database: suspect 1, the probable cause: alerts itself",
    ]


def test_of_a_large_graph_the_first_are_drawn_and_the_rest_is_counted() -> None:
    nodes = [Node(f"s{index}", f"Service {index}") for index in range(NODES_MAX + 12)]
    found = graph(Frame("g", "All"), nodes, [Edge("s0", each.name) for each in nodes[1:]])
    assert found.count('class="graph__box"') == NODES_MAX
    assert "12 more are not drawn." in found
