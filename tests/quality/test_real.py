"""The reader of real data, on a made-up system in the same format: two services, three instances, two hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.quality.days import FINAL
from benchmarks.quality.episodes import play
from benchmarks.quality.fit import real_rows
from benchmarks.quality.real import DataError, RealAlert, System, config_of, read_system, read_systems
from benchmarks.quality.splice import ROUND_MS, ROUNDS, SPREAD_MS, measure_splice, splice

NOON_MS = 1_625_112_000_000  # 2021-07-01T04:00:00Z, noon in UTC+8
GRAPH = {
    "nodes": [
        {"id": "shop", "type": "Service"},
        {"id": "stock", "type": "Service"},
        {"id": "shop1", "type": "Service_Instance"},
        {"id": "shop2", "type": "Service_Instance"},
        {"id": "stock1", "type": "Service_Instance"},
        {"id": "host1", "type": "Host"},
        {"id": "host2", "type": "Host"},
    ],
    "edges": [
        {"source": "shop", "target": "stock", "label": "control_flow"},
        {"source": "shop1", "target": "shop", "label": "instance_of"},
        {"source": "shop2", "target": "shop", "label": "instance_of"},
        {"source": "stock1", "target": "stock", "label": "instance_of"},
        {"source": "shop1", "target": "host1", "label": "hosted_on"},
        {"source": "shop2", "target": "host2", "label": "hosted_on"},
        {"source": "stock1", "target": "host2", "label": "hosted_on"},
    ],
}


def write(folder: Path, faults: int = 40) -> Path:
    """Fault by fault: a metric, a trace and a log alert within twelve seconds; none of the last."""
    numbers = [str(number) for number in range(faults)]
    metrics: dict[str, list[Any]] = {
        each: [[str(NOON_MS + 2_000), "shop1", "0.0.0.1", f"cpu_{each}", "up"]] for each in numbers
    }
    metrics[numbers[0]].append([str(NOON_MS), "0.0.0.1", "system", "load", "up"])
    metrics["empty"] = []
    traces = {each: [[str(NOON_MS + 5_000), "shop1", "stock1", f"http://stock/{each}", "PD"]] for each in numbers}
    line = "2021-07-01 12:00:12,345 | ERROR | 0.0.0.2 | shop2 | an error occurred in {}"
    logs = {
        each: [["shop2", each, [line.format(each), "2021-07-01 12:01:00,000 | later"], 2, None]] for each in numbers
    }
    folder.mkdir(parents=True)
    for name, document in (("knowledge-graph", GRAPH), ("metrics", metrics), ("traces", traces), ("logs", logs)):
        (folder / f"{name}.json").write_bytes(orjson.dumps(document))
    return folder


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> System:
    return read_system(write(tmp_path_factory.mktemp("data") / "MicroSS"))


def test_a_fault_has_its_alerts_of_all_kinds_in_order_of_time_and_none_is_a_fault_without(system: System) -> None:
    assert [each.name for each in system.faults] == [f"MicroSS-{number}" for number in range(40)]
    assert [(each.at_ms - NOON_MS, each.kind) for each in system.faults[1].alerts] == [
        (2_000, "metrics"),
        (5_000, "traces"),
        (12_345, "logs"),
    ]


def alert(system: System, kind: str) -> RealAlert:
    return next(each for each in system.faults[1].alerts if each.kind == kind)


def test_lines_of_logs_are_in_local_time_which_is_eight_hours_ahead(system: System) -> None:
    assert alert(system, "logs").at_ms == NOON_MS + 12_345
    assert alert(system, "logs").severity == "error"


def test_alerts_carry_service_instance_and_host_by_the_name_of_the_graph(system: System) -> None:
    assert alert(system, "metrics").labels == {"service": "shop", "pod": "shop1", "host": "host1"}
    assert alert(system, "logs").labels == {"service": "shop", "pod": "shop2", "host": "host2"}
    assert alert(system, "traces").words == "shop1 calls stock1: http://stock/1 is slow"


def test_an_alert_about_an_address_is_about_the_host_that_has_it(system: System) -> None:
    assert system.faults[0].alerts[0].labels == {"host": "host1"}


def test_the_catalogue_is_the_graph_services_need_callees_and_instances_which_need_hosts(system: System) -> None:
    entities = config_of([system]).catalogue.entities

    assert entities["component:default/shop"].depends_on == (
        "component:default/stock",
        "resource:default/shop1",
        "resource:default/shop2",
    )
    assert entities["resource:default/stock1"].depends_on == ("resource:default/host2",)
    assert entities["resource:default/host1"].aliases == ("0.0.0.1",)


def test_a_folder_without_the_data_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds none of MicroSS"):
        read_systems(tmp_path)
    (tmp_path / "MicroSS").mkdir()
    with pytest.raises(DataError, match=r"knowledge-graph\.json"):
        read_systems(tmp_path)


@pytest.mark.parametrize("at_once", ROUNDS)
def test_so_many_faults_begin_within_five_minutes_of_each_other_and_rounds_are_apart(
    system: System, at_once: int
) -> None:
    spliced = splice([system], at_once, 1)
    begins: dict[str, int] = {}
    for record in spliced.records:
        begins.setdefault(spliced.truth[record.topic, record.offset, 0], record.timestamp)
    rounds: dict[int, list[int]] = {}
    for at_ms in begins.values():
        rounds.setdefault((at_ms - min(begins.values()) + SPREAD_MS) // ROUND_MS, []).append(at_ms)

    assert [len(each) for each in rounds.values()] == [at_once] * ROUNDS[at_once]
    assert all(max(each) - min(each) < SPREAD_MS for each in rounds.values())


def test_the_same_seed_is_the_same_splice_in_order_of_time_and_another_is_not(system: System) -> None:
    one, same, other = (splice([system], 3, seed) for seed in (1, 1, 2))

    assert one.records == same.records
    assert one.records != other.records
    assert [each.timestamp for each in one.records] == sorted(each.timestamp for each in one.records)


def test_every_real_alert_finds_its_service_in_the_catalogue(system: System) -> None:
    spliced = splice([system], 1, 1)
    played = play(config_of([system]), spliced.records)

    assert len(played.episodes) == len(spliced.records)
    assert {each.service for each in played.episodes if each.name != "load up"} == {"component:default/shop"}
    assert all(each.ended_at_ms is not None for each in played.episodes)


def test_every_method_is_measured_on_a_splice(system: System) -> None:
    rows = measure_splice([system], 1, 1)

    assert rows[0]["method"] == FINAL
    assert {row["level"] for row in rows} == {"real, 1 at once"}
    assert len({row["method"] for row in rows}) == len(rows) >= 11
    assert all(row["all"]["classes"] == ROUNDS[1] for row in rows)


def test_real_faults_are_told_in_quantiles_by_component(tmp_path: Path) -> None:
    write(tmp_path / "MicroSS")
    (row,) = real_rows(tmp_path)

    assert (row["fit"], row["faults"]) == ("MicroSS", 40)
    assert row["alerts"][:3] == [3, 3, 3]
    assert row["components"][:3] == [2, 2, 2]
    assert row["span_s"][:3] == [10.3, 10.3, 10.3]
    assert (row["each"][0], row["each"][-1]) == (1, 2)
    assert max(row["later_s"]) == 3
