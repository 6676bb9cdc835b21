"""``spillway catalog unmatched``: what a recording holds that the catalogue does not know."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from pipeline.cli.catalog import catalog
from pipeline.core.step import StreamRecord
from pipeline.examples import config_directory, story
from pipeline.recording import write_line
from tests.catalog.directory import component, write
from tests.stories import payloads

AT = datetime(2026, 3, 10, 10, tzinfo=UTC)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(catalog, ["unmatched", *arguments])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two alerts of one rule and one of another about strangers, one about the basket, a recovery, and no alert."""
    path = tmp_path / "day.ndjson"
    given = [("Slow", "ledger"), ("Slow", "ledger"), ("Full", "disk-9"), ("Slow", "basket")]
    bodies = [payloads.alertmanager({"alertname": name, "service": about}, "x", AT) for name, about in given]
    bodies.append(payloads.alertmanager({"alertname": "Slow", "service": "ledger"}, "x", AT, AT))
    values = [*map(orjson.dumps, bodies), b"[]"]
    records = [StreamRecord("alerts.raw.alertmanager", 0, at, 0, None, value) for at, value in enumerate(values)]
    path.write_bytes(b"".join(map(write_line, records)))
    return path


def test_rules_are_listed_by_how_often_nothing_was_found(recording: Path, tmp_path: Path) -> None:
    config = write(tmp_path / "config", {"catalog/a.yaml": component("basket")})
    result = run(str(recording), "--config", str(config))
    assert result.exit_code == 2
    assert result.output.splitlines() == [
        "      2  alertmanager  Slow  {alertname=Slow, service=ledger}",
        "      1  alertmanager  Full  {alertname=Full, service=disk-9}",
        "3 of 4 alerts are about nothing that the catalogue knows",
    ]
    told = orjson.loads(run(str(recording), "--config", str(config), "--json").output)
    assert (told["alerts"], told["unmatched"], [row["alerts"] for row in told["rules"]]) == (4, 3, [2, 1])


def test_the_example_company_knows_all_of_its_story() -> None:
    result = run(str(story("checkout")), "--config", str(config_directory()))
    assert (result.exit_code, result.output) == (0, "0 of 88 alerts are about nothing that the catalogue knows\n")


def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("nothing")
    result = run(str(tmp_path / "x"))
    assert result.exit_code == 1
    assert "not a recorded Kafka record" in result.output
