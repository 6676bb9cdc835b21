"""Pages of the on-premises feeds: their output is real, their configuration good, their options those there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from pipeline.feeds import ADAPTERS
from tests.feeds.templates import PAGES

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
def test_the_options_on_the_page_are_those_of_the_adapter(name: str) -> None:
    told: set[str] = set()
    for page in (name, _SHARES.get(name, name)):
        section = (PAGES / f"{page}.md").read_text().partition("## Options")[2].partition("## ")[0]
        told |= set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
    model = ADAPTERS[name].options

    assert told == (set() if model is None else set(model.model_fields))
