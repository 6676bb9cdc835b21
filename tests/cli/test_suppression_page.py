"""The page on suppression: its configuration is valid, and its commands print what it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from shutil import copytree

import orjson
import pytest
import yaml
from click.testing import CliRunner

from pipeline.catalog import check_config, load_config
from pipeline.cli import main
from pipeline.examples import config_directory
from pipeline.models.suppression import Suppression
from pipeline.recording import read_recording
from pipeline.records.store import RecordsStore
from pipeline.replay import Replay
from tests.cli import drill

PAGE = (Path(__file__).parents[2] / "docs" / "suppression.md").read_text("utf-8")
SHOWN: list[tuple[str, str]] = [
    (command, output)
    for block in re.findall(r"```\n(\$ spillway .*?)```", PAGE, re.DOTALL)
    for command, output in re.findall(r"^\$ spillway (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]
OF_THE_DRILL = [command for command, _ in SHOWN if "drill.ndjson" in command]


def shown(command: str) -> list[str]:
    (output,) = (each for known, each in SHOWN if known == command)
    return said(output)


def said(output: str) -> list[str]:
    return [" ".join(line.split()) for line in output.splitlines() if line.strip()]


def run(command: str, **environment: str) -> list[str]:
    clean = {"SPILLWAY_RECORDS_URL": "", "SPILLWAY_CONFIG": str(config_directory())}
    result = CliRunner().invoke(main, shlex.split(command), env=clean | environment)
    assert result.exit_code == 0, result.output
    return said(result.output)


@pytest.mark.parametrize("command", OF_THE_DRILL)
def test_a_recording_comes_to_what_the_page_shows(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    drill.write(tmp_path / "drill.ndjson")
    assert run(command) == shown(command)


def test_the_page_asks_about_the_drill() -> None:
    assert len(OF_THE_DRILL) == 3


def test_the_list_of_silences_is_what_the_page_shows(records: RecordsStore, database: str, tmp_path: Path) -> None:
    drill.write(tmp_path / "drill.ndjson")
    with (tmp_path / "drill.ndjson").open("rb") as lines:
        played = Replay(load_config(config_directory())).run(read_recording(lines, "drill"), run_on_seconds=7_200)
    records.keep([Suppression(**orjson.loads(each.value or b"{}")) for each in played.suppressions])
    command = "silence list --all"
    assert run(command, SPILLWAY_RECORDS_URL=database) == shown(command)


def test_the_configuration_of_the_page_is_valid(tmp_path: Path) -> None:
    files: dict[str, str] = {}
    for block in re.findall(r"```yaml\n(# .*?)```", PAGE, re.DOTALL):
        name = block.partition("\n")[0].removeprefix("# ")
        files[name] = files.get(name, "") + block
    assert sorted(files) == ["correlation.yaml", "domains/retail.yaml", "maintenance.yaml"]
    copytree(config_directory(), tmp_path, dirs_exist_ok=True)
    files["domains/retail.yaml"] += (config_directory() / "domains" / "retail.yaml").read_text("utf-8")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    checked = check_config(tmp_path)
    assert checked.problems == ()
    assert checked.config is not None
    windows = yaml.safe_load(files["maintenance.yaml"])
    assert [each.name for each in checked.config.maintenance] == list(windows)
    assert list(checked.config.correlation.inhibit) == ["rack-down", "cluster-unreachable"]
