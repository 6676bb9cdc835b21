"""``spillway policy``: packs with their origins, differences field by field, and the preview of a change."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main
from pipeline.core.practice.shelf import stamp_of
from tests.catalog.directory import EXAMPLE

STORY = Path(__file__).parents[1] / "stories" / "checkout.ndjson"


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["policy", *args], catch_exceptions=False)


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """The example company with another practice of its shop."""
    new = tmp_path / "new"
    shutil.copytree(EXAMPLE, new)
    retail = new / "domains" / "retail.yaml"
    text = retail.read_text()
    for was, becomes in (
        ("high: {severe: P1,", "high: {severe: P2,"),
        ("medium: {severe: P1,", "medium: {severe: P2,"),
        ("extends: _practice\n", 'extends: _practice\nversion: "2026.2"\n'),
    ):
        assert was in text
        text = text.replace(was, becomes)
    retail.write_text(text)
    return new


@pytest.fixture
def incidents(tmp_path: Path) -> Path:
    """The incidents of the checkout story, as they were before anybody resolved them."""
    file = tmp_path / "incidents.ndjson"
    arguments = ["replay", str(STORY), "--config", str(EXAMPLE), "--incidents", str(file)]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    opened = []
    for line in file.read_bytes().splitlines():
        incident: dict[str, Any] = orjson.loads(line)
        opened.append(orjson.dumps(incident | {"state": "logged", "resolved_at_ms": None}))
    file.write_bytes(b"\n".join(opened))
    return file


def test_every_value_of_a_pack_is_shown_with_its_file_or_as_the_default() -> None:
    document = orjson.loads(run("show", "retail", "--config", str(EXAMPLE), "--json").output)
    fields = document["fields"]
    assert fields["version"] == {"value": "2026.1", "from": "domains/_practice.yaml:2"}
    assert fields["categories.certificate.words"]["from"].startswith("domains/_practice.yaml:")
    assert fields["categories.network.words"]["from"].startswith("domains/retail.yaml:")
    assert fields["matrix.high.severe"]["value"] == "P1"
    assert fields["chronic.severity_at_most"] == {"value": "warning", "from": "default"}


def test_an_unknown_domain_is_refused_with_the_nearest_name() -> None:
    result = run("show", "retial", "--config", str(EXAMPLE))
    assert (result.exit_code, "did you mean 'retail'?" in result.output) == (2, True)


def test_a_difference_is_named_field_by_field(changed: Path) -> None:
    result = run("diff", str(EXAMPLE), str(changed), "--json")
    assert result.exit_code == 1
    (name,) = orjson.loads(result.output)["domains"]
    assert name == "retail"
    assert orjson.loads(result.output)["domains"]["retail"]["changes"] == [
        {"name": "version", "before": "2026.1", "after": "2026.2"},
        {"name": "matrix.high.severe", "before": "P1", "after": "P2"},
        {"name": "matrix.medium.severe", "before": "P1", "after": "P2"},
    ]
    words = run("diff", str(EXAMPLE), str(changed)).output
    assert "retail: 2026.1+" in words
    assert "matrix.high.severe" in words


def test_without_a_difference_the_exit_code_is_zero() -> None:
    result = run("diff", str(EXAMPLE), str(EXAMPLE))
    assert (result.exit_code, result.output) == (0, "No pack differs.\n")


def test_a_directory_that_cannot_be_used_is_told_with_file_and_line(changed: Path) -> None:
    (changed / "domains" / "retail.yaml").write_text("extends: nothing\n")
    result = run("diff", str(EXAMPLE), str(changed))
    assert result.exit_code == 2
    assert "domains/retail.yaml:1: extends: there is no pack 'nothing'" in result.output


def test_the_preview_says_for_each_open_incident_what_would_change(changed: Path, incidents: Path) -> None:
    arguments = (
        "preview",
        str(changed),
        "--config",
        str(EXAMPLE),
        "--incidents",
        str(incidents),
        "--at",
        "2026-03-10T09:10:00Z",
    )
    result = run(*arguments, "--json")
    assert result.exit_code == 1
    document = orjson.loads(result.output)
    assert document["open_incidents"] == 1
    (row,) = document["incidents"]
    assert (row["now"]["priority"], row["then"]["priority"]) == ("P1", "P2")
    assert "priority P1 -> P2" in row["changes"]
    assert row["now"]["policy_version"] != row["then"]["policy_version"]
    words = run(*arguments).output
    assert "1 of 1 open incidents would change if they adopted it" in words
    assert "   priority P1 -> P2" in words


def test_incidents_of_the_pack_itself_do_not_change(incidents: Path) -> None:
    result = run("preview", str(EXAMPLE), "--config", str(EXAMPLE), "--incidents", str(incidents))
    assert "0 of 1 open incidents would change" in result.output, result.output
    assert result.exit_code == 0


def test_what_is_no_incident_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.ndjson"
    for text in ("{}", "[", '"a"'):
        file.write_text(text)
        assert run("preview", str(EXAMPLE), "--config", str(EXAMPLE), "--incidents", str(file)).exit_code == 2, text


def test_the_stamp_in_the_preview_is_that_of_live_incidents(incidents: Path) -> None:
    from pipeline.catalog import load_config

    (line,) = incidents.read_bytes().splitlines()
    assert orjson.loads(line)["policy_version"] == stamp_of(load_config(EXAMPLE).policy("retail"))
