"""Commands of the documentation that need a shell, or files of their own: run by a real bash, and where the outcome is
always the same it is the one that the page shows."""

from __future__ import annotations

import filecmp
import re
import shutil
import tomllib
from pathlib import Path
from typing import Final

import pytest

from tests.docs.answering import answering
from tests.docs.collected import ROOT, of, shown
from tests.docs.reader import Followed, Reader
from tests.real.debian import Program, program
from tools.deploy import fetch_tools
from tools.generate_deploy import FILES, examples, rendered

SAMPLES: Final = ROOT / "tests" / "catalog" / "samples"
FOLLOWED: Final = Followed(of("shell"))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A checkout to read, a configuration to change, and the programs that the pages name."""
    place = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "config", place / "config")
    for name in ("tests", "deploy"):
        (place / name).symlink_to(ROOT / name)
    reader = Reader(place, {"SPILLWAY_HTTP_PORT": "0"})
    reader.has("jq", program(("jq",), "jq", "libjq1", "libonig5"))
    reader.has("helm", Program(fetch_tools.helm(), {}, Path("/")))
    return reader


def test_the_night_of_the_outage_is_written_and_replayed(reader: Reader) -> None:
    FOLLOWED.run(reader, r"python -m tests\.outage ", as_shown=True)
    FOLLOWED.run(reader, "spillway replay outage", as_shown=True)


def test_the_fortnight_is_written_and_its_suppressions_told(reader: Reader) -> None:
    FOLLOWED.run(reader, r"python -m tests\.stories\.fortnight ")
    FOLLOWED.run(reader, "spillway suppression ", as_shown=True)


def test_jq_finds_in_an_incident_what_the_page_shows(reader: Reader) -> None:
    (replay,) = re.findall(
        r"^\$ (spillway replay .*)$", (ROOT / "docs" / "major-incidents.md").read_text(), re.MULTILINE
    )
    assert reader.run(replay).returncode == 0
    FOLLOWED.run(reader, "jq ", as_shown=True)


def test_catalogues_are_imported_from_files_and_over_http(reader: Reader) -> None:
    records = f"{SAMPLES}/cmdb_ci.csv {SAMPLES}/cmdb_rel_ci.csv"
    graph = f"{SAMPLES}/service_graph.txt"
    FOLLOWED.run(reader, "spillway catalog import servicenow ", {"FILE...": records})
    FOLLOWED.run(reader, "spillway catalog import kubernetes ", {"FILE...": f"{SAMPLES}/kubectl.json"})
    FOLLOWED.run(reader, "spillway catalog import otel-service-graph FILE", {"FILE|URL": graph})
    with answering((SAMPLES / "service_graph.json").read_bytes()) as prometheus:
        address = {"http://prometheus.example:9090": prometheus.url}
        FOLLOWED.run(reader, "spillway catalog import otel-service-graph '", address)
    assert prometheus.paths == ["/api/v1/query?query=traces_service_graph_request_total"]
    assert reader.run("spillway config check config").returncode == 0, "what was imported can be used"
    assert (reader.place / "config" / "catalog" / "imported-otel-service-graph.yaml").exists()


def test_the_exit_code_of_a_check_is_the_shells_to_show(reader: Reader, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    pack = tmp_path / "config" / "domains" / "retail.yaml"
    pack.write_text(pack.read_text() + "no_such_field: 1\n")
    (written,) = FOLLOWED.those(r"echo \$\?")
    done = reader.run(f"spillway config check\n{written.text}", tmp_path)
    assert done.stdout.splitlines()[-1:] == shown(written)


def test_an_adapter_in_a_package_reads_the_record_of_its_page(reader: Reader) -> None:
    page = (ROOT / "docs" / "feeds" / "writing-an-adapter.md").read_text()
    blocks = {name: re.findall(rf"```{name}\n(.*?)```", page, re.DOTALL)[0] for name in ("toml", "python")}
    project = tomllib.loads(blocks["toml"])["project"]
    site = reader.place / "site-packages"
    told = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    (site / "tank_gauge").mkdir(parents=True)
    told.mkdir()
    (site / "tank_gauge" / "adapter.py").write_text(blocks["python"])
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    ((group, entries),) = project["entry-points"].items()
    lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
    (told / "entry_points.txt").write_text(f"[{group}]\n{lines}")
    (reader.place / "gauges.txt").write_text("2026-03-04T02:11:42Z|T4|LEVEL|HIGH|93.5\n")
    beside = f'PYTHONPATH="{site}:$PYTHONPATH" COLUMNS=100 spillway'
    FOLLOWED.run(reader, "spillway feed test ", {"spillway": beside}, as_shown=True)


def test_settings_that_do_not_go_together_end_in_the_line_of_the_page(reader: Reader) -> None:
    FOLLOWED.run(reader, r"SPILLWAY_\w+=\S+ spillway run", ends=1, as_shown=True)


def test_a_wrong_value_of_the_chart_is_refused_as_the_page_shows(reader: Reader) -> None:
    FOLLOWED.run(reader, "helm template ", ends=1, as_shown=True)


def test_what_the_deployment_derives_from_the_code_is_written_as_it_stands(reader: Reader) -> None:
    source = reader.place / "source"
    for name in ("deploy", "tools", "pipeline"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, source / name)
    FOLLOWED.run(reader, r"python -m tools\.generate_deploy", {"python": f"PYTHONPATH={source} python"}, cwd=source)
    written = [*FILES, *(rendered(each) for each in examples())]
    assert [each for each in written if not filecmp.cmp(each, source / each.relative_to(ROOT), shallow=False)] == []


def test_every_command_for_a_shell_was_run() -> None:
    assert FOLLOWED.left() == set()
