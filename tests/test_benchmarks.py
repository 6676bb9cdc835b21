"""The benchmarks' own tools: what they generate, compute and compare. The measuring itself is `make bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks import bars, recovery, table
from benchmarks.__main__ import MINUTES, PARTS
from benchmarks.alerts import Flood, webhook
from benchmarks.bar import Bar
from benchmarks.bars import Figures, outcomes
from benchmarks.core import Point, expect, new_records
from benchmarks.corpus import about_stranger, company, raw, with_rules, write_company
from benchmarks.latency import Timed
from benchmarks.peers.check import expected
from benchmarks.peers.run import service_table
from benchmarks.results import Results, broken_off_run, newest, read, spread
from benchmarks.stages import Line
from benchmarks.worker import WorkerError
from pipeline.agents.shared import Shared
from pipeline.catalog import load_config


def rows_of(*rates: tuple[str, int]) -> list[dict[str, Any]]:
    """Rows as a run of the peers writes them."""
    return [
        {
            "run": "2026-01-01T00:00:00Z",
            "mode": "quick",
            "bench": "peers",
            "name": f"{peer}, 90% repeats",
            "per_cpu_second": spread([rate]),
            "warm_up_alerts": 400_000,
        }
        for peer, rate in rates
    ]


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("repeats", [0.9, 0.5, 0.0])
def test_a_flood_is_the_same_every_time_and_has_the_repeats_it_names(repeats: float, even: bool) -> None:
    flood = Flood(alerts=2_000, repeats=repeats, services=50, even=even)
    made = list(flood.make())
    assert made == list(flood.make())
    assert len({each.fingerprint for each in made}) == flood.conditions == round(2_000 * (1 - repeats))
    assert sum(each.news for each in made) == flood.news
    assert {each.alert["status"] for each in made} == ({"firing", "resolved"} if repeats else {"firing"})


def test_every_part_of_an_even_flood_has_as_much_news() -> None:
    made = list(Flood(alerts=2_000, repeats=0.9, even=True).make())
    assert {sum(each.news for each in made[first : first + 200]) for first in range(0, 2_000, 200)} <= {29, 30, 31}


@pytest.mark.parametrize("even", [False, True])
def test_the_pipeline_decides_a_flood_as_the_flood_says(even: bool) -> None:
    flood = Flood(alerts=600, repeats=0.9, services=16, even=even)
    line = Line(Shared.of(company(16)))
    template = raw(0, about_stranger(0), flood.start_ms)
    line.run([template._replace(offset=at, value=webhook(each.alert)) for at, each in enumerate(flood.make())])
    decided = line.processors["dedupe"].ledger.decided
    assert decided == {"repeated": flood.alerts - flood.news}
    assert line.processors["dedupe"].ledger.remainder() == line.processors["correlate"].ledger.remainder() == 0


def test_a_written_company_reads_as_the_one_in_memory(tmp_path: Path) -> None:
    write_company(20, tmp_path)
    read_back, made = load_config(tmp_path).catalogue.entities, company(20).catalogue.entities
    assert {ref: sorted(entity.depends_on) for ref, entity in read_back.items()} == {
        ref: sorted(entity.depends_on) for ref, entity in made.items()
    }
    assert read_back["component:default/service-7"].tier == made["component:default/service-7"].tier


def test_as_many_incidents_are_open_as_an_axis_says() -> None:
    line = Line(Shared.of(with_rules(company(500), 3)))
    line.run([raw(number, about_stranger(number), 1_772_600_000_000) for number in range(150)])
    expect(line, 150)
    assert len(new_records(Point(incidents=150))) == len({each.offset for each in new_records(Point(incidents=150))})


def test_the_peers_digest_is_the_same_in_any_order() -> None:
    services = service_table()
    alerts = [each.alert for each in Flood(alerts=300, repeats=0.0).make()]
    forward, backward = expected(alerts, services), expected(reversed(alerts), services)
    assert forward == backward
    assert forward.records == 300
    assert expected(alerts[1:], services) != forward


def timed_with_outage(begin: float, end: float, usual: float) -> Timed:
    """Ten alerts a second from -8 to 20; those due in the outage open at its end, the others after the usual time."""
    timed = Timed()
    for number in range(-80, 200):
        at = number / 10
        timed.sent[f"vm-{number}"] = at
        timed.opened[f"vm-{number}"] = max(at, end if begin <= at < end else at) + usual
    return timed


def test_caught_up_is_when_the_last_late_incident_has_opened() -> None:
    assert recovery.promptness(timed_with_outage(0.0, 6.0, 0.1), 0.0) == (1.0, 6.1)
    assert recovery.promptness(timed_with_outage(0.0, 6.0, 0.8), 0.0) == pytest.approx((1.6, 6.8))


def test_a_worker_that_never_gets_prompt_again_has_not_caught_up() -> None:
    with pytest.raises(WorkerError, match="did not open incidents within"):
        recovery.promptness(timed_with_outage(0.0, 20.0, 0.1), 0.0)


def test_a_machine_that_was_late_before_the_kill_cannot_tell() -> None:
    with pytest.raises(WorkerError, match="before the kill: the machine has too much else to do"):
        recovery.promptness(timed_with_outage(0.0, 6.0, 2.5), 0.0)


def test_a_check_fails_below_the_bar_and_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results.jsonl"

    def written(ours: int) -> Path:
        rows = rows_of(("spillway", ours), ("Kafka Streams", 100))
        results.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
        return results

    assert bars.report(written(201)) == 0
    assert bars.report(written(150)) == 1
    assert "1.33x off     peer job against Kafka Streams" in capsys.readouterr().err


def test_a_bar_that_must_not_be_passed_and_a_goal() -> None:
    rows = rows_of(("spillway", 130))
    above: Bar[Figures] = Bar("cost", 100, lambda figures: figures.peer("spillway"), least=False)
    wish: Bar[Figures] = Bar("wish", 200, lambda figures: figures.peer("spillway"), goal=True)
    unknown: Bar[Figures] = Bar("unknown", 1, lambda figures: figures.peer("nobody"))
    assert [each.passed for each in outcomes(rows, (above, wish, unknown))] == [False, True, True]


def test_the_newest_full_run_of_a_part_counts(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    for run, mode in (("2026-01-01", "full"), ("2026-01-02", "full"), ("2026-01-03", "quick")):
        Results(path, run=run, mode=mode).add("core", "point", axis="x", size=1)
    assert [row["run"] for row in newest(read(path))] == ["2026-01-02"]


def test_a_run_that_broke_off_goes_on_if_commit_mode_and_runs_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "results.jsonl"
    monkeypatch.setattr("benchmarks.machine.commit", lambda: "abc")
    assert broken_off_run(Results(path)) is None
    begun = Results(path, run="first", mode="full", runs=3)
    begun.add_machine()
    begun.add("core", "point")
    Results(path, run="second", mode="quick").add_machine()
    assert broken_off_run(Results(path, mode="full", runs=3)) == ("first", {"core"})
    assert broken_off_run(Results(path, mode="full", runs=5)) is None
    monkeypatch.setattr("benchmarks.machine.commit", lambda: "def")
    assert broken_off_run(Results(path, mode="full", runs=3)) is None


def test_every_part_has_its_minutes() -> None:
    assert all(minutes.keys() == PARTS.keys() for minutes in MINUTES.values())


def test_the_table_stands_between_its_markers_and_is_replaced(tmp_path: Path) -> None:
    results, readme = tmp_path / "results.jsonl", tmp_path / "README.md"
    results.write_bytes(b"\n".join(orjson.dumps(row) for row in rows_of(("spillway", 1_234))))
    readme.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.write(results, readme)
    first = readme.read_text()
    table.write(results, readme)
    assert readme.read_text() == first
    assert first.startswith("before\n")
    assert first.endswith("after\n")
    assert "old" not in first
    assert "| spillway, 90% repeats |" in first
    assert "1,234" in first
    readme.write_text("no markers")
    with pytest.raises(table.MarkerError):
        table.write(results, readme)
