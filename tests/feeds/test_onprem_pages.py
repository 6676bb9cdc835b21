"""Pages of the on-premises feeds: their output is real, their configuration good, their options those there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
import yaml
from click.testing import CliRunner

from pipeline.catalog import load_config
from pipeline.cli.feed import feed
from pipeline.feeds import ADAPTERS
from tests.feeds.templates import PAGES, blocks

ROOT: Final = Path(__file__).parents[2]
NAMES: Final = (
    "icinga2", "nagios", "otel-logs", "snmp-logstash", "snmp-telegraf", "syslog", "syslog-vector", "zabbix",
    "zabbix-webhook",
)  # fmt: skip
EVERY: Final = pytest.mark.parametrize("name", NAMES)

# Pages that refer to another one for all or the rest of their options.
_SHARES: Final = {"snmp-logstash": "snmp-telegraf", "syslog-vector": "syslog"}
_COLUMNS: Final = "110"


@EVERY
def test_the_output_on_the_page_is_real(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shown = blocks(name, "console")
    assert shown
    for block in shown:
        command, _, output = block.partition("\n")
        result = CliRunner().invoke(feed, command.removeprefix("$ spillway feed ").split(), env={"COLUMNS": _COLUMNS})

        assert result.exit_code == 0, result.output
        assert [line.rstrip() for line in result.output.rstrip().splitlines()] == output.rstrip().splitlines()


@EVERY
def test_the_configuration_on_the_page_is_good(name: str, tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    given = [block for block in blocks(name, "yaml") if name in yaml.safe_load(block)]
    assert given
    for block in given:
        (tmp_path / "feeds.yaml").write_text(block)
        said = yaml.safe_load(block)[name] or {}
        found = load_config(tmp_path, ADAPTERS).feeds[name]

        assert found.options == said.get("options", {})
        assert (found.gateway is not None) == ("gateway" in said)


@EVERY
def test_the_options_on_the_page_are_those_of_the_adapter(name: str) -> None:
    told: set[str] = set()
    for page in (name, _SHARES.get(name, name)):
        section = (PAGES / f"{page}.md").read_text().partition("## Options")[2].partition("## ")[0]
        told |= set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    model = ADAPTERS[name].options

    assert told == (set() if model is None else set(model.model_fields))
