"""Runbooks: one for each alert, whole, of commands and series that exist and queries that Prometheus reads."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.observability.test_rules import known, names_in
from tools.generate_observability import RUNBOOKS
from tools.observability.catalogue import ALERTS
from tools.observability.runbooks import SECTIONS

PAGES: Final = sorted(RUNBOOKS.glob("Spillway*.md"))
ALL = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)

BLOCK: Final = re.compile(r"^```promql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE: Final = re.compile(r"`((?:topk|sum|increase|rate|max|min|count)\b[^`]*\([^`]*\))`")


def queries(page: Path) -> list[str]:
    """Every query of a page: each line of a block, and those in the text."""
    text = page.read_text()
    return [line for block in BLOCK.findall(text) for line in block.splitlines()] + INLINE.findall(text)


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    assert {page.stem for page in PAGES} == {alert.name for alert in ALERTS}


@ALL
def test_a_page_answers_every_question_in_order(page: Path) -> None:
    parts = re.split(r"^## (.+)\n", page.read_text(), flags=re.MULTILINE)
    assert tuple(parts[1::2]) == SECTIONS
    assert all(len(answer.strip()) > 4 for answer in parts[2::2])


@ALL
def test_a_page_has_something_to_look_at(page: Path) -> None:
    first = page.read_text().split("## Look first")[1].split("## ")[0]
    assert "```" in first


@ALL
def test_queries_ask_for_series_that_exist(page: Path) -> None:
    for query in queries(page):
        assert names_in(query) <= known(), query


def test_promtool_reads_every_query_of_every_page(promtool: Path, tmp_path: Path) -> None:
    found = [query for page in PAGES for query in queries(page)]
    rules = [{"record": f"query:page_{place}:once", "expr": query} for place, query in enumerate(found)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
