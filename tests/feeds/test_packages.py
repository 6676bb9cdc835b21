"""Adapters of packages: the example of the documentation, installed and run; and packages that do not fit."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import orjson
import pytest

from pipeline.core.identity import content_hash
from pipeline.feeds import ADAPTERS
from pipeline.feeds.packages import GROUP, packaged

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "feeds" / "writing-an-adapter.md").read_text("utf-8")
RECORD = "2026-03-04T02:11:42Z|T4|LEVEL|HIGH|93.5\n"
NAME, PACKAGE, VERSION = "tank-gauge", "spillway-tank-gauge", "1.0.0"


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found, language
    return found[1]


def install(place: Path, files: Mapping[str, str], entries: Mapping[str, str], package: str = PACKAGE) -> None:
    """Lay a package down as an installer does: its files, and what it says of itself."""
    told = place / f"{package.replace('-', '_')}-{VERSION}.dist-info"
    group = "".join(f"{name} = {value}\n" for name, value in entries.items())
    texts = {
        **files,
        f"{told.name}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {VERSION}\n",
        f"{told.name}/entry_points.txt": f"[{GROUP}]\n{group}",
    }
    for name, text in texts.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)


def spillway(place: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, which sees the packages of a folder."""
    command = "import sys; sys.path.append(sys.argv.pop(1)); from pipeline.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", command, str(place), *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"COLUMNS": "100", "PATH": ""},
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the package of the documentation, as its own pyproject.toml describes it."""
    project = tomllib.loads(block("toml"))["project"]
    assert (project["name"], project["version"]) == (PACKAGE, VERSION)
    target = tmp_path / "installed"
    install(target, {"tank_gauge/adapter.py": block("python")}, project["entry-points"][GROUP])
    return target


def test_the_package_of_the_documentation_reads_its_record(place: Path, tmp_path: Path) -> None:
    (tmp_path / "gauges.txt").write_text(RECORD)
    ran = spillway(place, "feed", "test", NAME, tmp_path / "gauges.txt")

    assert ran.returncode == 0, ran.stderr
    shown = block("console").splitlines()
    assert shown[0] == "$ spillway feed test tank-gauge gauges.txt"
    assert [line.rstrip() for line in ran.stdout.rstrip().splitlines()] == shown[1:]


def test_a_feed_sets_the_options_of_a_packages_adapter(place: Path, tmp_path: Path) -> None:
    (tmp_path / "gauges.txt").write_text(RECORD.replace("HIGH", "NORMAL") + "odd\n")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "feeds.yaml").write_text(f"depot-4: {{adapter: {NAME}, options: {{depot: Leipzig}}}}\n")
    ran = spillway(place, "feed", "test", "depot-4", tmp_path / "gauges.txt", "--config", tmp_path / "config", "--json")
    alert, bad = map(orjson.loads, ran.stdout.splitlines())

    assert alert["alert"]["labels"] == {"tank": "T4", "value": "93.5", "depot": "Leipzig"}
    assert (bad["message"], bad["detail"]) == (2, "$[0]: 1 fields, expected 5")
    assert spillway(place, "config", "check", tmp_path / "config").returncode == 0
    (tmp_path / "config" / "feeds.yaml").write_text(f"{NAME}: {{options: {{depto: Leipzig}}}}\n")
    refused = spillway(place, "config", "check", tmp_path / "config")
    assert "feeds.yaml:1: unknown field 'depto'; did you mean 'depot'?" in refused.stdout


def test_a_broken_package_refuses_every_command_with_its_sentence(place: Path, tmp_path: Path) -> None:
    module = place / "tank_gauge" / "adapter.py"
    module.write_text(f"import bars\n{module.read_text()}")
    (tmp_path / "payload.json").write_text("{}")
    (tmp_path / "recording.ndjson").write_text("")
    sentence = PAGE.partition("rather than leave its source unread:\n\n```text\n")[2].partition("\n```")[0]

    for command in (
        ("config", "check", tmp_path / "installed"),
        ("config", "show", tmp_path / "installed"),
        ("feed", "test", "alertmanager", tmp_path / "payload.json"),
        ("replay", tmp_path / "recording.ndjson"),
        ("run", "ingest"),
    ):
        ran = spillway(place, *command)
        assert ran.returncode != 0, command
        assert sentence in f"{ran.stdout}{ran.stderr}", (command, ran.stdout, ran.stderr)
        assert "Traceback" not in ran.stderr


def test_a_configured_adapter_does_not_replace_a_packages_one(place: Path, tmp_path: Path) -> None:
    directory = tmp_path / "config"
    (directory / "adapters").mkdir(parents=True)
    (directory / "adapters" / f"{NAME}.yaml").write_text("feed_class: saas\nkind: state\nalert: {identity: [id]}\n")
    ran = spillway(place, "config", "check", directory)

    assert ran.returncode == 2
    assert f"adapters/{NAME}.yaml:1: adapter '{NAME}' is there already, built in or by a package" in ran.stdout


GOOD = "from pydantic import BaseModel\nFEED_CLASS = 'saas'\ndef parse(document, message): return []\n"


@pytest.mark.parametrize(
    ("module", "fault"),
    [
        ("import nothing_of_that_name", "it cannot be imported: ModuleNotFoundError: No module named 'nothing_of_that"),
        ("def", "it cannot be imported: SyntaxError: "),
        ("1 / 0", "it cannot be imported: ZeroDivisionError: "),
        ("raise RuntimeError('not today')", "it cannot be imported: RuntimeError: not today"),
        ("", "FEED_CLASS must be one of cloud, on_prem, saas, desk"),
        ("FEED_CLASS = 'space'", "FEED_CLASS must be one of cloud, on_prem, saas, desk"),
        ("FEED_CLASS = 'saas'", "it has no function parse(document, message)"),
        (f"{GOOD}decode = 'utf-8'", "decode must be a function of bytes"),
        (f"{GOOD}Options = dict", "Options must be a pydantic model"),
        (f"{GOOD}class Options(BaseModel):\n  zone: str", "Options needs a default for zone: feeds may set nothing"),
        (f"{GOOD}class Options(BaseModel):\n  zone: str = ''", 'Options must have extra="forbid": a misspelt option'),
    ],
)
def test_a_module_that_is_no_adapter_is_a_sentence_and_the_others_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, fault: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = f"module_{content_hash(module)}"
    (tmp_path / f"{name}.py").write_text(module)
    (tmp_path / "module_that_fits.py").write_text(GOOD)
    found = packaged(ADAPTERS, [entry("odd", name), entry("fits", "module_that_fits")])

    assert list(found.adapters) == ["fits"]
    (problem,) = found.problems
    assert problem.startswith(f"package acme 2.0: adapter 'odd': {name}: {fault}")
    assert problem.endswith("; repair or uninstall it")


@pytest.mark.parametrize(
    ("names", "faults"),
    [
        (["zabbix"], ["Spillway has one of that name"]),
        (["twice", "twice"], ["package acme 2.0 has one of that name"]),
        (["Upper"], ["the name must be lower-case letters, digits, '-', '_' or '.', as a topic's name"]),
    ],
)
def test_a_name_that_is_taken_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], faults: list[str]
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "module_of_a_name.py").write_text(GOOD)
    found = packaged(ADAPTERS, [entry(name, "module_of_a_name") for name in names])

    assert found.adapters == {}
    assert [
        problem.partition("': ")[2].removesuffix("; repair or uninstall it") for problem in found.problems
    ] == faults


def entry(name: str, module: str) -> EntryPoint:
    """An entry of a package acme 2.0."""
    made = EntryPoint(name, module, GROUP)
    vars(made)["dist"] = SimpleNamespace(name="acme", version="2.0")
    return made
