"""The pages on two ways and on orphans: their configuration is valid, and they name what the code can say."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.catalog import load_config
from pipeline.cli.stats_orphans import Standing
from pipeline.models.delivery import UpdateReason
from pipeline.models.sinks.base import Owners, TwoWay

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "two-way.md").read_text("utf-8")
ORPHANS = (DOCS / "orphans.md").read_text("utf-8")

ON_RECORDS_ALONE = {UpdateReason.RETRIED, UpdateReason.NOTHING_TO_RETRY}
"""Said of a retry, which is on the page of operations."""


def test_the_configuration_of_the_page_is_valid_and_shows_the_defaults(tmp_path: Path) -> None:
    [block] = re.findall(r"```yaml\n# sinks.yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "sinks.yaml").write_text(block)
    sink = load_config(tmp_path).sinks["desk"]
    assert isinstance(sink, TwoWay)
    assert sink.owners == Owners()
    assert (sink.on_all_clear, sink.reconcile_minutes) == ("propose", 60)


def test_the_pages_name_every_reason_and_every_standing() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE))
    assert {str(each) for each in UpdateReason} - {str(each) for each in ON_RECORDS_ALONE} <= named
    assert all(f"| {each.value} |" in ORPHANS for each in Standing)
