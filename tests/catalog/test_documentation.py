"""The examples of the documentation are configurations that load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pipeline.catalog import check_config
from pipeline.catalog.annotations import ANNOTATIONS, PREFIX
from pipeline.feeds import ADAPTERS
from tests.catalog.directory import EXAMPLE, component, write

PAGE: Final = (EXAMPLE.parent / "docs" / "configuration.md").read_text("utf-8")

FILES: Final = {
    "Catalogue": "catalog/documented.yaml",
    "Policy packs": "domains/hospital.yaml",
    "On-call": "oncall/payments.yaml",
    "Feeds": "feeds.yaml",
    "Sinks": "sinks.yaml",
    "Correlation": "correlation.yaml",
    "Maintenance": "maintenance.yaml",
}


def first_example(section: str) -> str:
    """The first YAML block of a section of the page."""
    text = PAGE.partition(f"\n## {section}\n")[2]
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert block, section
    return block[1]


def test_every_example_of_the_page_loads_as_it_stands(tmp_path: Path) -> None:
    surroundings = [
        component("payments-sre", kind="Group"),
        component("shop", kind="System", spec="domain: retail"),
        component("retail", kind="Domain"),
        component("workplace", kind="Domain"),
        component("card-processor"),
        component("payments-db", kind="Resource"),
        component("backup-store-1", kind="Resource"),
    ]
    files = {file: first_example(section) for section, file in FILES.items()}
    files["catalog/others.yaml"] = "---\n".join(surroundings)
    files["domains/retail.yaml"] = (EXAMPLE / "domains" / "retail.yaml").read_text("utf-8")

    checked = check_config(write(tmp_path, files), ADAPTERS)

    assert [str(each) for each in (*checked.problems, *checked.warnings)] == []


def test_every_annotation_is_in_the_table() -> None:
    for name in (*ANNOTATIONS, "runbook", "runbook.<category>"):
        assert f"| `{PREFIX}{name}` |" in PAGE, name
