"""The examples of the documentation are configurations that load."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from pipeline.catalog import check_config, open_config
from pipeline.catalog.annotations import ANNOTATIONS, PREFIX
from pipeline.catalog.lint import RULES, lint
from pipeline.catalog.schema import SCHEMA_NAMES
from pipeline.feeds import ADAPTERS
from pipeline.recording import to_ms
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
    "Console": "console.yaml",
    "Privacy": "privacy.yaml",
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
        component("prometheus"),
    ]
    files = {file: first_example(section) for section, file in FILES.items()}
    for name in ("clinical-applications", "retail-platform", "vendor-management"):  # escalation names them
        files[f"oncall/{name}.yaml"] = "people: [ann, bob]\nstart: 2026-01-05T09:00:00Z\n"
    files["catalog/others.yaml"] = "---\n".join(surroundings)
    for name in ("_practice", "retail"):
        files[f"domains/{name}.yaml"] = (EXAMPLE / "domains" / f"{name}.yaml").read_text("utf-8")

    checked = check_config(write(tmp_path, files), ADAPTERS)

    assert [str(each) for each in (*checked.problems, *checked.warnings)] == []


def test_every_annotation_is_in_the_table() -> None:
    for name in (*ANNOTATIONS, "runbook", "runbook.<category>"):
        assert f"| `{PREFIX}{name}` |" in PAGE, name


def test_every_rule_of_lint_is_in_the_table() -> None:
    for rule in RULES.values():
        assert f"| `{rule.name}` | {rule.level} | {rule.finds} |" in PAGE, rule.name


def test_the_editor_settings_name_every_schema_for_files_that_the_loader_reads(tmp_path: Path) -> None:
    block = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert block
    named = json.loads(block[1])["yaml.schemas"]
    assert sorted(Path(file).stem for file in named) == sorted(SCHEMA_NAMES)
    for pattern in named.values():
        file = pattern.removeprefix("config/").replace("**/", "").replace("*", "x")
        checked = check_config(write(tmp_path / file.replace("/", "-"), {file: ""}))
        assert not [
            each for each in checked.problems if "not a file" in each.message or "not in a folder" in each.message
        ]


def test_the_comment_that_silences_silences(tmp_path: Path) -> None:
    text = PAGE.partition("A comment silences rules at one place")[2]
    block = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert block
    files = {"maintenance.yaml": block[1], "catalog/a.yaml": component("backup-store-1", kind="Resource")}
    report = lint(open_config(write(tmp_path, files), ADAPTERS), to_ms("2026-03-11T00:00:00Z"))
    assert [each.rule for each in report.silenced] == ["window-past"]
