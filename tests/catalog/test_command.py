"""``spillway config`` as people and scripts call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pydantic import TypeAdapter

from pipeline.catalog.schema import SCHEMA_NAMES, schema_of
from pipeline.cli import main
from tests.catalog.directory import EXAMPLE, component, write


def run(*arguments: str) -> Result:
    """Call the command. Width of the terminal is fixed, so that tables are the same everywhere."""
    return CliRunner(env={"COLUMNS": "160"}).invoke(main, ["config", *arguments])


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A directory with two problems and a warning."""
    alias = "spillway.dev/aliases: mail"
    documents = [component("a", annotations=alias), component("b", annotations=alias)]
    return write(tmp_path, {"catalog/a.yaml": "---\n".join(documents), "correlation.yaml": "a: 1\nb: 2\n"})


def test_check_names_each_problem_and_exits_2(broken: Path) -> None:
    result = run("check", str(broken))

    assert result.exit_code == 2
    assert result.output.splitlines() == [
        f"{broken}/catalog/a.yaml:15: warning: alias 'mail' is also an alias of component:default/a",
        f"{broken}/correlation.yaml:1: unknown field 'a'",
        f"{broken}/correlation.yaml:2: unknown field 'b'",
        "2 problems",
    ]


def test_check_says_in_one_line_what_it_found() -> None:
    result = run("check", str(EXAMPLE))

    assert result.exit_code == 0
    assert result.output.startswith("ok: 18 components, 26 resources, 5 systems, 10 groups, 3 domains, 10 rotations")
    assert len(result.output.splitlines()) == 1


def test_check_answers_machines_in_json(broken: Path) -> None:
    bad, good = run("check", str(broken), "--json"), run("check", str(EXAMPLE), "--json")

    report = json.loads(bad.output)
    assert (bad.exit_code, report["ok"], report["version"]) == (2, False, None)
    place = {"file": "correlation.yaml", "line": 1}
    assert report["problems"][0] == {**place, "rule": "invalid", "message": "unknown field 'a'"}
    assert report["warnings"][0]["rule"] == "shared-alias"
    assert len(report["warnings"]) == 1
    assert good.exit_code == 0
    assert json.loads(good.output)["found"]["domains"] == 3


def test_check_uses_the_configured_directory_where_none_is_named() -> None:
    result = CliRunner(env={"SPILLWAY_CONFIG": str(EXAMPLE)}).invoke(main, ["config", "check"])

    assert (result.exit_code, result.output[:3]) == (0, "ok:")


def test_check_of_an_adapter_that_does_not_exist_is_a_problem(tmp_path: Path) -> None:
    result = run("check", str(write(tmp_path, {"feeds.yaml": "zabix:\n"})))

    assert result.exit_code == 2
    assert "there is no adapter 'zabix'; did you mean 'zabbix'?" in result.output


def test_show_has_all_that_is_in_effect() -> None:
    result = run("show", str(EXAMPLE))

    assert result.exit_code == 0
    for words in ("payments-api", "Domain retail (Northwind Market)", "25,000 a minute", "respond in 3 min",
                  "3 min: dependency", "amara.okafor", "x509", "backup-store-disks", "Europe/Berlin"):  # fmt: skip
        assert words in result.output, words


def test_show_of_nothing_shows_the_defaults(tmp_path: Path) -> None:
    result = run("show", str(tmp_path))

    assert result.exit_code == 0
    assert "Domain default" in result.output
    assert "alertmanager" in result.output


def test_show_in_json_is_the_whole_configuration() -> None:
    shown = json.loads(run("show", str(EXAMPLE), "--json").output)

    assert shown["catalogue"]["entities"]["component:default/checkout"]["revenue_per_minute"] == 9_500
    assert shown["domains"]["workplace"]["users_per_report"] == 50


def test_show_of_a_broken_directory_is_one_line(broken: Path) -> None:
    result = run("show", str(broken))

    assert result.exit_code == 1
    assert result.output == (
        f"Error: {broken}/correlation.yaml:1: unknown field 'a' (and 1 more: spillway config check {broken})\n"
    )


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_schema_of_each_kind_of_file_is_printed(name: str) -> None:
    result = run("schema", name)

    assert result.exit_code == 0
    assert TypeAdapter(dict[str, object]).validate_json(result.output) == schema_of(name)


def test_schema_asks_for_nothing_that_the_name_already_says() -> None:
    assert "required" not in schema_of("rotation")
    assert [each["required"] for each in schema_of("rotation")["anyOf"]] == [
        ["people", "start"],
        ["calendar"],
        ["layers"],
    ]
    assert "required" not in schema_of("domain")
    assert schema_of("sinks")["$defs"]["Webhook"]["required"] == ["url", "secret_env"]
    assert schema_of("sinks")["$defs"]["Slack"]["required"] == ["secret_env", "channel", "type"]


def test_schema_is_written_where_editors_find_it(tmp_path: Path) -> None:
    result = run("schema", "--write", str(tmp_path / "schemas"))

    assert result.exit_code == 0
    assert sorted(file.stem for file in (tmp_path / "schemas").iterdir()) == sorted(SCHEMA_NAMES)
    assert json.loads((tmp_path / "schemas" / "domain.json").read_text()) == schema_of("domain")
    assert (
        "domain.json: first line of the YAML file: # yaml-language-server: $schema=PATH/TO/domain.json" in result.output
    )


def test_schema_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("schema", "--write", str(tmp_path / "file" / "schemas"))

    assert result.exit_code == 1
    assert result.output == f"Error: {tmp_path}/file/schemas: Not a directory\n"


def test_schema_of_all_has_every_name() -> None:
    assert sorted(json.loads(run("schema").output)) == sorted(SCHEMA_NAMES)
