"""``spillway feed test``: what an adapter and the catalogue make of a payload, or why it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from pipeline.cli.feed import feed
from tests.feeds.payloads import SAMPLES

CATALOGUE = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: payments-api
spec:
  type: service
  lifecycle: production
  owner: group:default/payments
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata:
  name: payments
spec:
  type: team
  children: []
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(feed, ["test", *map(str, arguments)])


def lines(result: Result) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in result.stdout.splitlines()]


def test_a_payload_is_shown_as_a_table() -> None:
    result = run("alertmanager", SAMPLES / "alertmanager-firing.json")

    assert result.exit_code == 0, result.output
    assert "PaymentsLatencyBurn" in result.output
    assert "2026-03-04T02:11:42.318+00:00 (1772590302318)" in result.output


def test_machines_get_a_line_for_each_alert() -> None:
    result = run("alertmanager", SAMPLES / "alertmanager-mixed.json", "--json")

    assert [line["alert"]["kind"] for line in lines(result)] == ["firing", "resolved"]
    assert [line["index"] for line in lines(result)] == [0, 1]


def test_a_configuration_enriches(tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "payments.yaml").write_text(CATALOGUE)
    result = run("alertmanager", SAMPLES / "alertmanager-firing.json", "--config", tmp_path, "--json")

    assert result.exit_code == 0, result.output
    alert = lines(result)[0]["alert"]
    assert (alert["entity"], alert["matched_by"]) == ("component:default/payments-api", "label:service")


def test_a_broken_configuration_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "broken.yaml").write_text("kind: [")
    result = run("alertmanager", SAMPLES / "alertmanager-firing.json", "--config", tmp_path)

    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "broken.yaml" in result.output


@pytest.mark.parametrize("name", ["export.ndjson", "export.txt"])
def test_a_file_of_lines_is_read_line_by_line(tmp_path: Path, name: str) -> None:
    events = [orjson.loads((SAMPLES / f"zabbix-export-{word}.json").read_bytes()) for word in ("firing", "resolved")]
    (tmp_path / name).write_bytes(b"\n".join(map(orjson.dumps, events)))
    found = lines(run("zabbix", tmp_path / name, "--json"))

    assert [(line["message"], line["alert"]["kind"]) for line in found] == [(1, "firing"), (2, "resolved")]
    assert found[0]["alert"]["alert_key"] == found[1]["alert"]["alert_key"]


def test_a_refused_member_is_named_and_the_exit_code_says_so(tmp_path: Path) -> None:
    payload = orjson.loads((SAMPLES / "alertmanager-firing.json").read_bytes())
    del payload["alerts"][0]["status"]
    (tmp_path / "group.json").write_bytes(orjson.dumps(payload))
    result = run("alertmanager", tmp_path / "group.json", "--json")

    assert result.exit_code == 1
    assert lines(result)[0] == {
        "message": 1, "index": 0, "refused": "missing_field", "detail": "$.alerts[0].status: missing or empty",
    }  # fmt: skip
    assert lines(result)[1]["alert"]["kind"] == "firing"
    assert "1 of 2 refused" in result.stderr


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty"), (b"{", "broken_json"), (b"[1]", "wrong_type")])
def test_a_refused_file_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "payload.json").write_bytes(content)
    result = run("jira", tmp_path / "payload.json")

    assert result.exit_code == 1
    assert reason in result.output


def test_an_unknown_adapter_names_those_there_are() -> None:
    result = run("carrier-pigeon", SAMPLES / "jira-ticket-firing.json")

    assert result.exit_code == 1
    assert "no adapter or feed 'carrier-pigeon'; use one of alertmanager, aws-health" in result.output
