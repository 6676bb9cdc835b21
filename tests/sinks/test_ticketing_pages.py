"""The pages on ServiceNow and Jira: their samples are configuration, and the script sends what the reader reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.models.sinks import SINK_TYPES
from pipeline.models.sinks.servicenow import ServiceNow
from pipeline.sinks.mapping import faults
from pipeline.sinks.servicenow_updates import read_fields

PAGES = Path(__file__).parent.parent.parent / "docs" / "sinks"
LINES_MAX = 120


def sample(name: str) -> dict[str, Any]:
    """The entry in sinks.yaml that a page shows."""
    found = re.search(r"```yaml\n(.*?)```", (PAGES / f"{name}.md").read_text(), re.DOTALL)
    assert found is not None
    (entry,) = yaml.safe_load(found[1]).values()
    return dict(entry)


@pytest.mark.parametrize("name", ["servicenow", "jira"])
def test_the_sample_of_a_page_is_taken(name: str) -> None:
    entry = sample(name)
    rules = SINK_TYPES[name].model_validate({"name": "desk", **entry})
    assert [fault for each in entry["fields"].values() for fault in faults(each)] == []
    assert rules.model_fields_set >= {"people", "updates", "link_fields"}


@pytest.mark.parametrize("name", ["servicenow", "jira"])
def test_a_page_fits(name: str) -> None:
    assert (PAGES / f"{name}.md").read_text().count("\n") <= LINES_MAX


def test_the_business_rule_sends_every_field_that_is_read() -> None:
    script = (PAGES / "servicenow.md").read_text()
    sent = set(re.findall(r"'([a-z_]+(?:\.[a-z_]+)?)'", script))
    rules = ServiceNow(name="desk", url="https://x.example", secret_env="DESK", user="us")
    assert set(read_fields(rules).split(",")) | {"work_notes", "comments"} <= sent
