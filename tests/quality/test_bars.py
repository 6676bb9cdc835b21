"""Rows become figures, bars, tables, plots and a page; each shown on rows made by hand."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection
from math import inf
from typing import Any

import pytest

from benchmarks.bar import Bar
from benchmarks.quality import page
from benchmarks.quality.bars import BARS, outcomes
from benchmarks.quality.baselines import baselines
from benchmarks.quality.days import OURS, Row
from benchmarks.quality.large import LEVEL as LARGE
from benchmarks.quality.large import measure_large
from benchmarks.quality.metrics import bootstrap
from benchmarks.quality.plots import draw
from benchmarks.quality.report import bars, differences, grouping, majors, roots, sheets
from benchmarks.quality.summary import FIGURES, levels

SEEDS = (1_001, 1_002)
SIMULATED = ("calm", "busy", "storm")
REAL = ("real, 1 at once", "real, 3 at once", "real, 10 at once")


def row(level: str, seed: int, method: str, f1: float, **parts: Any) -> Row:
    figures = {**dict.fromkeys(FIGURES, f1), "groups": 10, "classes": 5}
    made: Row = {"level": level, "seed": seed, "method": method, "episodes": 20, "all": figures, "reassigned": 1}
    if level in SIMULATED:
        major = {"first": 9, "duplicates": 1, "false": 0, "missed": 1, "delays_ms": [40_000] * 9, "days": 1.0}
        made |= {"faults": figures, "major": major, "swallowed": 0}
        if method == OURS[0]:
            made["roots"] = {"final": [1, 1, 1, 3], "early": [2, 0]}
    return made | parts


def all_rows(ours: float = 0.95, theirs: float = 0.5) -> list[Row]:
    rows = [
        row(level, seed, method, ours if method in OURS else theirs)
        for level in (*SIMULATED, *REAL)
        for seed in SEEDS
        for method in (*OURS, *baselines())
    ]
    large = {"level": LARGE, "seed": 1, "method": OURS[0], "episodes": 10_500, "reassigned": 0}
    return [*rows, large | {"held": 10_500, "recovered": 10_500, "state": "resolved"}]


def change(rows: list[Row], level: str, methods: Collection[str], parts: Row) -> None:
    for each in rows:
        if each["level"] == level and each["method"] in methods:
            each.update(parts)


def verdicts(rows: list[Row]) -> dict[str, str]:
    return {each.bar.text: each.verdict for each in outcomes(rows)}


def test_all_bars_are_met_by_rows_that_are_good_enough() -> None:
    assert set(verdicts(all_rows()).values()) == {"met"}


def test_nothing_measured_is_not_met() -> None:
    assert set(verdicts([]).values()) == {"not measured"}


@pytest.mark.parametrize(
    ("worse", "missed"),
    [
        ({"all": {**dict.fromkeys(FIGURES, 0.7), "groups": 10, "classes": 5}}, "B-cubed F1, busy"),
        ({"swallowed": 1}, "failures of tier 1 swallowed by an incident of another"),
        ({"roots": {"final": [2, 2, 2, 2], "early": [1]}}, "true root is the top suspect"),
        ({"roots": {"final": [0, 4, 0, 0], "early": [1]}}, "true root among the top 3 suspects"),
        (
            {"major": {"first": 1, "duplicates": 0, "false": 4, "missed": 9, "delays_ms": [1_000], "days": 1.0}},
            "Major Incidents: false ones a day, busy",
        ),
    ],
)
def test_a_bar_is_missed_by_our_own_final_row_alone(worse: Row, missed: str) -> None:
    rows = all_rows()
    change(rows, "busy", OURS[:1], worse)
    assert verdicts(rows)[missed] == "missed"

    rows = all_rows()
    change(rows, "busy", [*OURS[1:], *baselines()], worse)
    assert verdicts(rows)[missed] == "met"


def test_half_of_all_major_incidents_missed_is_a_median_delay_of_never() -> None:
    rows = all_rows()
    for each in rows:
        if "major" in each:
            each["major"] = {"first": 1, "duplicates": 0, "false": 0, "missed": 9, "delays_ms": [1_000], "days": 1.0}
    found = {each.bar.text: each for each in outcomes(rows)}
    delay = found["Major Incidents: p50 delay after the true crossing, s"]

    assert (delay.value, delay.verdict) == (inf, "missed")
    assert found["Major Incidents: recall"].verdict == "missed"
    assert "never" in bars(found.values()).markdown()


def test_real_data_must_be_above_every_gap_not_level_with_it() -> None:
    assert verdicts(all_rows(0.95, 0.95))[
        "real data, 3 at once: F1 above every global gap, low end of the interval"
    ] == ("missed")


def test_a_limit_is_read_in_its_own_direction() -> None:
    def bar(*, least: bool, strict: bool) -> Bar[object]:
        return Bar("", 1, lambda _: 1.0, least=least, strict=strict)

    assert [bar(least=True, strict=False).met(value) for value in (0.9, 1, 1.1)] == [False, True, True]
    assert [bar(least=True, strict=True).met(value) for value in (0.9, 1, 1.1)] == [False, False, True]
    assert [bar(least=False, strict=False).met(value) for value in (0.9, 1, 1.1)] == [True, True, False]
    assert len({each.text for each in BARS}) == len(BARS)


def test_a_failure_with_a_thousand_alerts_is_one_incident_that_is_told_of_every_recovery() -> None:
    row = measure_large(1_000)

    assert (row["held"], row["recovered"], row["state"]) == (1_000, 1_000, "resolved")


def test_the_difference_is_taken_seed_by_seed() -> None:
    rows = all_rows()
    for each in [each for each in rows if "all" in each]:
        shift = 0.2 if each["seed"] == SEEDS[1] else 0.0
        each["all"] = {**each["all"], "bcubed_f1": each["all"]["bcubed_f1"] - shift}
    level = levels(rows)["busy"]
    above = level.above(level.best_gap())

    assert (above.mean, above.low, above.high) == pytest.approx((0.45, 0.45, 0.45))
    assert level.methods[OURS[0]].interval().low < level.methods[OURS[0]].interval().high


def test_a_bootstrap_draws_whole_worlds() -> None:
    found = bootstrap([(1, 2), (0, 8)], lambda drawn: sum(a for a, _ in drawn) / sum(b for _, b in drawn))

    assert (found.mean, found.low, found.high) == pytest.approx((0.1, 0.0, 0.5))


def test_compression_stands_beside_the_ideal() -> None:
    sheet = grouping(levels(all_rows())["busy"])

    assert [line[-2] for line in sheet.lines] == ["2.0"] * (len(sheet.lines) - 1) + ["4.0"]
    assert sheet.lines[0][-1] == "5.0%"


def test_tables_leave_out_what_real_data_cannot_tell() -> None:
    found = page.compared(all_rows())

    assert LARGE not in found
    assert "F1 without noise" in grouping(found["busy"]).head
    assert "F1 without noise" not in grouping(found["real, 3 at once"]).head
    assert not any(line[0].startswith("real") for line in (*majors(found.values()).lines, *roots(found.values()).lines))
    assert len(differences(found.values()).lines) == 3 * len(found)
    assert all(len(line) == len(sheet.head) for sheet in sheets(all_rows(), outcomes([])) for line in sheet.lines)


def test_a_plot_is_well_formed_names_every_method_and_is_for_light_and_dark() -> None:
    picture = draw(levels(all_rows())["busy"])
    texts = [each.text for each in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314 our own

    assert {*OURS, *baselines()} <= set(texts)
    assert "prefers-color-scheme: dark" in picture
    assert "href" not in picture


def test_the_page_holds_what_the_published_results_say() -> None:
    text = page.PAGE.read_text()

    assert page.render(text, page.read()) == text, "docs/quality.md is stale; run: python -m benchmarks.quality.page"
    for level in page.compared(page.read()).values():
        assert (page.PLOTS / page.plot_name(level)).read_text() == draw(level)


def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(page.MarkerError, match="are missing"):
        page.render("# Quality\n", all_rows())
