"""What the example company and the pages say about sinks can be used as it stands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

from pipeline.catalog import check_config
from pipeline.catalog.schema import schema_of
from pipeline.feeds import ADAPTERS
from pipeline.models.sinks import SINK_TYPES
from tests.catalog.directory import EXAMPLE

DOCS = EXAMPLE.parent / "docs"
PAGES = sorted((DOCS / "sinks").glob("*.md"))
BLOCK = re.compile(r"^( *)```yaml\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def uncommented() -> str:
    """The examples of config/sinks.yaml without the marks before them: an entry, and what is indented below it."""
    lines = (EXAMPLE / "sinks.yaml").read_text("utf-8").splitlines()
    return "\n".join(line[2:] for line in lines if re.match(r"# ( +|[a-z-]+:$)", line))


def entries(page: Path) -> list[dict[str, object]]:
    """Every entry of sinks.yaml that a page shows."""
    found = []
    for _, block in BLOCK.findall(page.read_text("utf-8")):
        document = yaml.safe_load(dedent(block))
        if isinstance(document, dict):
            found += [
                each for each in document.values() if isinstance(each, dict) and ("type" in each or "url" in each)
            ]
    return found


def test_the_examples_of_the_company_are_of_every_type_and_can_be_used(tmp_path: Path) -> None:
    directory = tmp_path / "config"
    shutil.copytree(EXAMPLE, directory)
    (directory / "sinks.yaml").write_text(uncommented(), "utf-8")

    checked = check_config(directory, ADAPTERS)

    assert [str(each) for each in checked.problems] == []
    assert checked.config is not None
    assert {each.type for each in checked.config.sinks.values()} == set(SINK_TYPES)


def test_the_file_itself_names_no_sink() -> None:
    assert yaml.safe_load((EXAMPLE / "sinks.yaml").read_text("utf-8")) is None


@pytest.mark.parametrize("kind", SINK_TYPES)
def test_every_type_has_a_page_and_a_row_in_the_table(kind: str) -> None:
    assert (DOCS / "sinks" / f"{kind}.md").exists()
    assert f"| [`{kind}`](sinks/{kind}.md) |" in (DOCS / "sinks.md").read_text("utf-8")


@pytest.mark.parametrize("page", [*PAGES, DOCS / "sink-fields.md"], ids=lambda page: str(page.name))
def test_every_entry_that_a_page_shows_can_be_used(page: Path) -> None:
    shown = entries(page)
    assert shown
    for entry in shown:
        model = SINK_TYPES[str(entry.get("type", "webhook"))]
        model.model_validate({"name": "shown", **entry})


@pytest.mark.parametrize("kind", SINK_TYPES)
def test_every_field_says_what_it_is_in_editors(kind: str) -> None:
    model = SINK_TYPES[kind]
    properties = schema_of("sinks")["$defs"][model.__name__]["properties"]
    without = {name for name, each in properties.items() if "description" not in each} - {"type"}
    assert without == set()
