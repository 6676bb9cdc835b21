"""The command: what it refuses with a sentence, and one small run from end to end."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from benchmarks.quality.__main__ import DATA_VARIABLE, main
from benchmarks.quality.baselines import baselines
from benchmarks.quality.days import OURS
from tests.quality.company import topologies


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["quality", *map(str, arguments)])
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    return main()


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, *arguments)
    assert ended.value.code == 2
    return " ".join(capsys.readouterr().err.split())


def test_without_data_it_says_what_is_needed_and_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(monkeypatch, capsys)
    assert f"Give --data FOLDER or set {DATA_VARIABLE}" in said
    assert "docs/quality.md" in said


def test_a_folder_without_call_graphs_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert f"{tmp_path / 'topologies.json'} is not there" in refused(monkeypatch, capsys, "--data", tmp_path)


@pytest.mark.parametrize(("seed", "test"), [(1_001, ()), (1, ("--test",)), (2_000, ())])
def test_seeds_of_another_purpose_are_refused(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    seed: int,
    test: tuple[str, ...],
) -> None:
    said = refused(monkeypatch, capsys, "--topologies", topologies(tmp_path), "--seeds", seed, *test)
    assert f"seed {seed} is not for" in said


def test_a_small_run_measures_every_method_on_the_same_day(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = tmp_path / "results" / "rows.jsonl"
    arguments = (
        "--topologies",
        topologies(tmp_path),
        "--seeds",
        1,
        "--levels",
        "calm",
        "--hours",
        6,
        "--results",
        kept,
    )
    assert run(monkeypatch, *arguments) == 0

    _, *rows = [orjson.loads(line) for line in kept.read_bytes().splitlines()]
    assert [row["method"] for row in rows] == [*OURS, *baselines()]
    assert len({row["episodes"] for row in rows}) == 1
    assert rows[0]["roots"]["final"]
    said = capsys.readouterr().out
    assert "Major Incidents" in said
    assert "Bars" not in said
