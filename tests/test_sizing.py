"""The calculator of sizes: more load never needs less, each limit shows where it binds, and where figures come from."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Final

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import sizing
from benchmarks.results import newest, read
from benchmarks.sizing_costs import ASSUMED, COMPUTED, MEASURED, NEWS_SHARES, PUBLISHED, costs_of
from benchmarks.sizing_model import (
    BROKER_BYTES_PER_SECOND_MAX,
    BROKER_REPLICAS_MAX,
    TOPICS_AS_SET,
    Load,
    Prices,
    busy_cores,
    plan,
)

COSTS: Final = costs_of()
LOADS: Final = st.builds(
    Load,
    alerts_per_second=st.floats(1, 1e6),
    services=st.floats(1, 1e5),
    news_share=st.floats(0, 1),
    open_per_service=st.floats(0, 20),
    gateway_share=st.floats(0, 1),
    replicas=st.integers(1, 5),
    utilisation=st.floats(0.1, 1),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(load=LOADS, factor=st.floats(1, 10))
def test_more_alerts_never_need_less(load: Load, factor: float) -> None:
    less, more = plan(load, COSTS), plan(replace(load, alerts_per_second=load.alerts_per_second * factor), COSTS)

    assert more.installations >= less.installations
    assert more.spaces >= less.spaces
    assert more.cores >= less.cores * 0.999
    assert more.disk_gigabytes >= less.disk_gigabytes * 0.999
    assert more.brokers >= less.brokers


@settings(max_examples=150, deadline=None, derandomize=True)
@given(load=LOADS)
def test_nothing_is_busier_than_it_may_be(load: Load) -> None:
    found = plan(load, COSTS)

    for part in found.parts:
        if part.pods and part.name not in {"console", "PostgreSQL"}:
            assert part.busy_cores <= part.pods * part.cores * load.utilisation * 1.001, part
    assert min(each.pods for each in found.parts if each.name != "gateway") >= 2
    replicas = found.partitions * (TOPICS_AS_SET + load.feeds) * load.replicas * found.installations
    assert replicas <= found.brokers * BROKER_REPLICAS_MAX * 1.001
    assert found.written * load.replicas <= found.brokers * BROKER_BYTES_PER_SECOND_MAX * 1.001


def test_a_worker_costs_what_the_pipeline_was_measured_to_cost() -> None:
    rows = {row["name"]: row for row in newest(read(PUBLISHED)) if row["bench"] == "pipeline"}
    for name, news in (("90% repeats", 0.15), ("0% repeats", 1.0)):
        stages = busy_cores(Load(1e6, 500, news_share=news), COSTS)
        us = sum(stages[each] for each in ("ingest", "dedupe", "correlate", "bridge"))
        assert us == pytest.approx(1e6 / rows[name]["per_cpu_second"]["median"], rel=0.25)


def test_the_line_through_the_outer_shares_predicts_the_one_between() -> None:
    rows = {row["name"]: row for row in newest(read(PUBLISHED)) if row["bench"] == "pipeline"}
    few, half, all_ = (1e6 / rows[name]["per_cpu_second"]["median"] for name in NEWS_SHARES)
    at_few, at_half, at_all = NEWS_SHARES.values()
    predicted = few + (all_ - few) * (at_half - at_few) / (at_all - at_few)

    assert predicted == pytest.approx(half, rel=0.25)


def test_one_bridge_and_one_core_for_a_space_are_where_a_load_is_split() -> None:
    small, large = plan(Load(1e3, 1e3), COSTS), plan(Load(1e6, 1e5), COSTS)

    assert (small.installations, small.spaces, small.warnings) == (1, 1, [])
    assert large.installations > 1
    assert large.spaces > 10
    assert any("one bridge" in each for each in large.warnings)
    assert any("one space" in each for each in large.warnings)


def test_every_cost_says_where_it_is_from() -> None:
    for each in fields(COSTS):
        cost = getattr(COSTS, each.name)
        assert cost.value > 0, each.name
        assert cost.kind in {MEASURED, COMPUTED, ASSUMED}
        assert len(cost.source) > 10


def test_a_part_that_was_not_measured_is_assumed_and_says_so(tmp_path: Path) -> None:
    rows = [line for line in PUBLISHED.read_text().splitlines() if orjson.loads(line)["bench"] in {"core", "pipeline"}]
    (tmp_path / "results.jsonl").write_text("\n".join(rows))
    found = costs_of(tmp_path / "results.jsonl")

    assert found.restore_keys.kind == found.episode_bytes.kind == found.request_us.kind == ASSUMED
    assert found.alert_us == COSTS.alert_us


def test_prices_are_what_they_are_said_to_be() -> None:
    load = Load(1e5, 1e4)
    free = plan(load, COSTS, Prices(0, 0, 0, 0))
    dear = plan(load, COSTS, Prices(core_hour=0.0816))

    assert free.money["all"] == 0
    assert dear.money["cores"] == pytest.approx(2 * plan(load, COSTS).money["cores"])


@pytest.mark.parametrize("wrong", [{"services": 0}, {"news_share": 1.1}, {"utilisation": 0}, {"alerts_per_second": -1}])
def test_a_load_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="0"):
        plan(replace(Load(1e3, 1e3), **wrong), COSTS)  # type: ignore[arg-type]  # numbers, one each


def test_the_command_says_it_in_words_and_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert sizing.main(["--alerts-per-second", "1e6", "--services", "1e5"]) == 0
    said = capsys.readouterr().out
    assert "correlate" in said
    assert sizing.main(["--alerts-per-second", "1e4", "--json"]) == 0
    found = orjson.loads(capsys.readouterr().out)
    assert found["plan"]["cores"] == plan(Load(1e4, 1e3), COSTS).cores
    assert sizing.main(["--services", "0"]) == 2
    assert sizing.main(["--costs"]) == 0
