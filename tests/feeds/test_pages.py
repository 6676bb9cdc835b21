"""The page of every feed: there is one, its output is real and its configuration good."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from click.testing import CliRunner

from pipeline.catalog import load_config
from pipeline.cli.feed import feed
from pipeline.feeds import ADAPTERS
from tests.feeds.templates import blocks

ROOT: Final = Path(__file__).parents[2]
EVERY: Final = pytest.mark.parametrize("name", sorted(ADAPTERS))

_COLUMNS: Final = "110"


def feeds_on(name: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Blocks of a page that configure feeds of its adapter: text, name of the feed, and what is said of it."""
    found = []
    for block in blocks(name, "yaml"):
        for feed_name, given in yaml.safe_load(block).items():
            said = given if isinstance(given, dict) else {}
            if said.get("adapter", feed_name) == name:
                found.append((block, feed_name, said))
    return found


@EVERY
def test_the_output_on_the_page_is_real(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shown = blocks(name, "console")
    assert shown
    for block in shown:
        command, _, output = block.partition("\n")
        words = command.removeprefix("$ spillway feed ").split()
        result = CliRunner().invoke(feed, words, env={"COLUMNS": _COLUMNS})

        assert result.exit_code == 0, result.output
        assert [line.rstrip() for line in result.output.rstrip().splitlines()] == output.rstrip().splitlines()


@EVERY
def test_the_configuration_on_the_page_is_good(name: str, tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    for block, feed_name, given in feeds_on(name):
        (tmp_path / "feeds.yaml").write_text(block)
        found = load_config(tmp_path, ADAPTERS).feeds[feed_name]

        assert found.options == given.get("options", {})
        assert (found.gateway is not None) == ("gateway" in given)


def test_most_pages_show_configuration() -> None:
    assert sum(bool(feeds_on(name)) for name in ADAPTERS) >= len(ADAPTERS) * 0.8
