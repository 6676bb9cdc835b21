"""``spillway stats`` of a period: tables, arrows in words, sparklines, JSON, and files that spreadsheets may open."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from pipeline.cli.stats import stats
from pipeline.cli.stats_maturity import sparkline
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.records.store import RecordsStore

QUARTER = ("--quarter", "2026-Q1")


def run(url: str, *arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(stats, ["--records-url", url, *arguments], env={"SPILLWAY_RECORDS_URL": ""})
    assert result.exit_code == code, result.output
    return result


def ask(url: str, *arguments: str) -> Any:
    return orjson.loads(run(url, *arguments, "--json").output)


def test_a_quarter_is_told_by_priority_and_domain_beside_the_one_before(stories: str) -> None:
    lines = run(stories, *QUARTER, "--by", "priority", "--by", "domain").output.splitlines()
    assert lines[0] == "2026-Q1"
    assert [" ".join(line.split()[:3]) for line in lines[2:8]] == [
        "P1, hospital 1", "P1, retail 1", "P3, workplace 2", "P4, default 1", "P4, workplace 2", "all 7 0.0%",
    ]  # fmt: skip
    assert "Noise: 147 alerts in, 7 incidents out (95.2% less); 4 of them called somebody, 9 calls" in lines
    assert (
        "Escalations: 3 fired by themselves, 0 were asked for; 0 reassignments; 0 reopened; 0 healed by themselves"
        in lines
    )
    assert any(line.startswith("Compared with 2025-Q4") for line in lines)
    assert any(line.split() == ["Incidents", "0", "7", "↑", "more"] for line in lines)
    assert any("too little was measured" in line for line in lines), "three acknowledgements show nothing"


def test_a_trend_is_a_line_of_bars_and_its_ends_in_words(stories: str) -> None:
    output = run(stories, *QUARTER, "--trend", "incidents", "--every", "month").output
    assert "incidents by month: ▁▁█  least 0, most 7, last 7" in output
    assert "·" in run(stories, *QUARTER, "--trend", "acknowledge", "--every", "month").output


def test_bars_reach_from_the_least_to_the_most_and_a_gap_is_no_zero() -> None:
    assert sparkline([0, 7, None, 3.5]) == "▁█·▅"
    assert sparkline([4, 4]) == "▁▁"
    assert sparkline([]) == ""


@pytest.mark.parametrize(
    ("arguments", "because"),
    [
        (("--quarter", "2026-Q7"), "is no quarter"),
        ((*QUARTER, "--since", "2026-01-01"), "not both"),
        (("--zone", "Mars/Olympus", "--by", "domain"), "no time zone"),
        (("--export", "figures.txt"), ".csv or .parquet"),
        (("--export", "/nowhere/at/all.csv"), "cannot be written"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_in_one_line(
    stories: str, arguments: tuple[str, ...], because: str
) -> None:
    output = run(stories, *arguments, code=1).output
    assert because in output
    assert output.count("\n") == 1


def test_an_export_has_a_row_for_each_incident_and_bridge(stories: str, tmp_path: Path) -> None:
    path = tmp_path / "incidents.csv"
    assert f"{path}: 9 rows, incidents of 2026-Q1" in run(stories, *QUARTER, "--export", str(path)).output
    with path.open(newline="", encoding="utf-8") as file:
        rows = {row["incident_id"]: row for row in csv.DictReader(file)}
    checkout = rows["INC-D5KZHUYBCD7C"]
    assert (checkout["acknowledge_ms"], checkout["restore_ms"], checkout["response_kept"]) == (
        "75000",
        "405000",
        "True",
    )
    assert len(rows) == 9


def test_parquet_keeps_types(stories: str, tmp_path: Path) -> None:
    from pyarrow import parquet

    path = tmp_path / "incidents.parquet"
    run(stories, *QUARTER, "--export", str(path))
    table = parquet.read_table(path)
    assert table.num_rows == 9
    assert {name: str(table.schema.field(name).type) for name in ("detected_at", "acknowledge_ms", "counted")} == {
        "detected_at": "timestamp[ms, tz=UTC]", "acknowledge_ms": "int64", "counted": "bool",
    }  # fmt: skip
    figures = tmp_path / "figures.parquet"
    run(stories, *QUARTER, "--by", "domain", "--export", str(figures), "--export-of", "figures")
    rows = parquet.read_table(figures).to_pylist()
    assert [(row["label"], row["incidents"]) for row in rows][-1] == ("all", 7)


def test_an_export_of_nothing_has_the_columns_alone(records: RecordsStore, database: str, tmp_path: Path) -> None:
    from pyarrow import parquet

    for name in ("none.csv", "none.parquet"):
        assert "0 rows" in run(database, *QUARTER, "--export", str(tmp_path / name)).output
    assert (tmp_path / "none.csv").read_text().startswith("incident_id,revision,")
    assert parquet.read_table(tmp_path / "none.parquet").num_rows == 0


def test_without_pyarrow_it_says_what_to_install(stories: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = tmp_path / "incidents.parquet"
    assert "pip install '.[parquet]'" in run(stories, *QUARTER, "--export", str(path), code=1).output
    assert not path.exists()


@pytest.mark.parametrize("text", ["=cmd|'/c calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\uff1d1+1"])
def test_no_cell_runs_as_a_formula(records: RecordsStore, database: str, tmp_path: Path, text: str) -> None:
    fields = {"id": text, "kind": "incident", "state": "logged", "service": text, "owner": text, "domain": text}
    records.project([IncidentEvent(text, 1, "opened", 0, [], fields)])
    path = tmp_path / "incidents.csv"
    run(database, "--by", "domain", "--export", str(path))
    (row,) = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    for name in ("incident_id", "service", "owner", "domain", "domains"):
        assert row[name] == f"'{text}"


def test_json_has_what_the_api_has(stories: str) -> None:
    found = ask(stories, *QUARTER, "--by", "domain", "--trend", "resolve")
    assert set(found) == {"maturity", "comparison", "noise", "states", "trend"}
    assert found["maturity"]["whole"]["acknowledge"] == {"count": 3, "mean": 425.0, "median": 540.0, "p90": 636.0}
    assert found["maturity"]["period"]["name"] == "2026-Q1"
    assert len(found["trend"]) == 14
