"""The pages on sinks: every sample in them is a configuration that `config check` takes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli import main

ROOT = Path(__file__).parents[2]
SAMPLE = re.compile(r"^( *)```yaml\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


def samples() -> list[tuple[str, str]]:
    """Page and text of every sample that is an entry of sinks.yaml."""
    found = []
    for page in sorted((ROOT / "docs" / "sinks").glob("*.md")):
        texts = [dedent(match[2]) for match in SAMPLE.finditer(page.read_text())]
        found += [(page.stem, text) for text in texts if _is_entry(yaml.safe_load(text))]
    return found


def _is_entry(document: object) -> bool:
    return isinstance(document, dict) and any(isinstance(each, dict) and "type" in each for each in document.values())


@pytest.mark.parametrize(("page", "text"), samples())
def test_a_sample_is_a_configuration_that_is_taken(page: str, text: str, tmp_path: Path) -> None:
    place = tmp_path / "config"
    shutil.copytree(ROOT / "config", place)
    (place / "sinks.yaml").write_text(text)
    result = CliRunner().invoke(main, ["config", "check", str(place)])
    assert result.exit_code == 0, f"{page}: {result.output}"
