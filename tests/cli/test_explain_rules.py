"""``spillway explain --recording`` names the correlation rule: for what joined, what was kept apart, and what waits."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from pipeline.cli.explain import explain
from pipeline.core.step import StreamRecord
from pipeline.examples import config_directory
from pipeline.recording import write_line
from tests.core.builders import MINUTE, T0

MESSAGES = (
    {"alertname": "JobFailed", "instance": "worker-1", "schedule": "nightly", "batch": "close-day"},
    {"alertname": "JobFailed", "instance": "worker-2", "schedule": "nightly", "batch": "close-day"},
    {"alertname": "ProbeFailed", "instance": "oslo", "probe": "outside", "target": "www.example"},
    {"alertname": "RecordsDown", "service": "electronic-health-records"},
    {"alertname": "CheckoutDown", "service": "checkout", "summary": "the ehr does not answer"},
)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    lines = []
    for number, said in enumerate(MESSAGES):
        labels = {"severity": "critical", **said}
        summary = labels.pop("summary", f"{labels['alertname']} on {number}")
        alert = {"status": "firing", "labels": labels, "annotations": {"summary": summary}}
        value = orjson.dumps({"alerts": [alert]})
        lines.append(write_line(StreamRecord("alerts.raw.alertmanager", 0, number, T0 + number * MINUTE, None, value)))
    file = tmp_path / "r.ndjson"
    file.write_bytes(b"".join(lines))
    return file


@pytest.mark.parametrize(
    ("offset", "said"),
    [
        (1, ["a correlation rule always puts it there", "rule nightly-batch", "Nightly batch close-day fails"]),
        (
            2,
            [
                "rule outside-probes wants more of its kind before it is an incident (1 had come); until then it waits",
                "No incident has it.",
            ],
        ),
        (4, ["(kept apart by rule hospital-apart)", "a correlation rule keeps the two apart: hospital-apart"]),
    ],
)
def test_the_rule_is_named(recording: Path, offset: int, said: list[str]) -> None:
    asked = [f"alerts.raw.alertmanager:0:{offset}", "--recording", str(recording), "--config", str(config_directory())]
    result = CliRunner().invoke(explain, asked, env={"SPILLWAY_RECORDS_URL": "", "COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for words in said:
        assert words in result.output
