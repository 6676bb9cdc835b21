"""``spillway config lint`` as people and scripts call it, and what recorded alerts say of each feed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from pipeline.catalog.lint import RULES
from pipeline.cli import main
from pipeline.core.step import StreamRecord
from pipeline.recording import write_line
from tests.catalog.directory import EXAMPLE, component, write
from tests.stories import payloads

AT = datetime(2026, 3, 10, tzinfo=UTC)
STORIES = EXAMPLE.parent / "tests" / "stories"


def run(*arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "160"}).invoke(main, ["config", "lint", *arguments])


def alert(**labels: str) -> bytes:
    named = {"alertname": "Errors", "severity": "critical", **labels}
    return orjson.dumps(payloads.alertmanager(named, "it fails", AT))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A service, and three feeds."""
    feeds = "alertmanager:\nlab: {adapter: alertmanager}\nquiet: {adapter: jira}\n"
    return write(tmp_path / "config", {"catalog/a.yaml": component("checkout"), "feeds.yaml": feeds})


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Alerts of three feeds: some match, one cannot be read, and one topic is nobody's."""
    messages = [
        ("alertmanager", alert(service="checkout")),
        ("alertmanager", alert(service="payments", pod="payments-7d4f")),
        ("alertmanager", alert(service="payments")),
        ("alertmanager", b"{"),
        ("lab", alert(job="probe")),
        ("nobody", b"{}"),
    ]
    lines = (
        write_line(StreamRecord(f"alerts.raw.{feed}", 0, offset, 1_780_000_000_000, None, value))
        for offset, (feed, value) in enumerate(messages)
    )
    file = tmp_path / "day.ndjson"
    file.write_bytes(b"".join(lines) + write_line(StreamRecord("changes", 0, 0, 1_780_000_000_000, None, b"{}")))
    return file


def test_a_recording_tells_how_much_of_each_feed_the_catalogue_covers(directory: Path, recording: Path) -> None:
    result = run(str(directory), "--recording", str(recording), "--json")

    report = json.loads(result.output)
    coverage = {each["feed"]: each for each in report["coverage"]}
    first = coverage["alertmanager"]
    assert {name: first[name] for name in ("messages", "alerts", "matched", "to_service")} == {
        "messages": 4, "alerts": 3, "matched": 1, "to_service": 1,
    }  # fmt: skip
    assert (first["refused"], first["matched_by"]) == ({"broken_json": 1}, {"label:service": 1})
    assert first["unmatched"] == [
        {"label": "service", "value": "payments", "alerts": 2},
        {"label": "pod", "value": "payments-7d4f", "alerts": 1},
    ]
    found = [(each["rule"], each["level"], each["file"], each["line"]) for each in report["findings"]]
    assert [each for each in found if each[2] == "feeds.yaml"] == [
        ("feed-coverage", "advice", "feeds.yaml", 1),
        ("feed-refused", "advice", "feeds.yaml", 1),
        ("topic-without-feed", "error", "feeds.yaml", 1),
        ("feed-uncovered", "error", "feeds.yaml", 2),
        ("feed-silent", "advice", "feeds.yaml", 3),
    ]
    assert (result.exit_code, report["ok"]) == (1, False)


def test_people_read_the_coverage_as_a_table_with_what_matches_nothing(directory: Path, recording: Path) -> None:
    output = run(str(directory), "--recording", str(recording)).output

    assert "feed 'alertmanager': 1 of 3 alerts match the catalogue; most of the rest name something by serv" in output
    assert "no feed reads alerts.raw.nobody (1 message): name it in feeds.yaml [topic-without-feed]" in output
    assert "1 (33%)" in output
    assert "  service=payments  2\n" in output


def test_samples_judge_one_feed(directory: Path, tmp_path: Path) -> None:
    one, lines = tmp_path / "one.json", tmp_path / "many.ndjson"
    one.write_bytes(alert(service="checkout"))
    lines.write_bytes(alert(service="checkout") + b"\n\n" + alert(service="payments") + b"\n")
    result = run(str(directory), "--sample", f"alertmanager={one}", "--sample", f"lab={lines}", "--json")

    coverage = {each["feed"]: (each["messages"], each["matched"]) for each in json.loads(result.output)["coverage"]}
    assert coverage == {"alertmanager": (1, 1), "lab": (2, 1)}
    assert "feed-silent" not in result.output  # samples are not all that there is


def test_label_values_cannot_steer_the_terminal(directory: Path, tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_bytes(alert(service="\x1b[31mred\u202e"))
    output = run(str(directory), "--sample", f"alertmanager={file}").output
    assert not [letter for letter in output if not letter.isprintable() and letter != "\n"]


def test_the_stories_are_covered_by_the_example_company() -> None:
    recorded = [f"--recording={STORIES}/{story}.ndjson" for story in ("checkout", "email", "hospital")]
    result = run(str(EXAMPLE), *recorded, "--json", "--at", "2026-03-10")

    report = json.loads(result.output)
    assert (result.exit_code, report["errors"]) == (0, 0)
    alerts = sum(each["alerts"] for each in report["coverage"])
    assert sum(each["matched"] for each in report["coverage"]) >= 0.98 * alerts > 100


def test_advice_ends_with_1_only_where_it_is_strict(tmp_path: Path) -> None:
    mail = component("mail", annotations="spillway.dev/aliases: email", spec="owner: messaging")
    directory = str(write(tmp_path, {"catalog/a.yaml": mail}))
    assert (run(directory).exit_code, run(directory, "--strict").exit_code) == (0, 1)
    assert run(directory).output.splitlines() == [
        f"{directory}/catalog/a.yaml:6: advice: alias 'email' is a common word: texts about other things hold it too "
        "[common-alias]",
        "0 errors, 1 of advice",
    ]


def test_what_check_refuses_is_an_error_here_too(tmp_path: Path) -> None:
    result = run(str(write(tmp_path, {"correlation.yaml": "a: 1\n"})), "--recording", __file__)
    assert result.exit_code == 1
    assert "correlation.yaml:1: error: unknown field 'a' [invalid]" in result.output


def test_maintenance_is_judged_at_the_time_that_is_named(tmp_path: Path) -> None:
    window = "w: {start: 2026-03-10T10:00:00Z, end: 2026-03-10T12:00:00Z, labels: {job: probe}}\n"
    directory = str(write(tmp_path, {"maintenance.yaml": window}))
    assert run(directory, "--at", "2026-03-10T11:59:59Z").output == "0 errors, 0 of advice\n"
    assert "[window-past]" in run(directory, "--at", "2026-03-10T12:00:00Z").output


def test_what_is_no_recording_and_no_sample_is_one_line(directory: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.ndjson"
    bad.write_text("7\n")
    assert run(str(directory), "--recording", str(bad)).output == (
        "Error: bad.ndjson:1: not a recorded Kafka record: a line is one JSON object\n"
    )
    for wrong in ("alertmanager", "alertmanager=nowhere.json", f"={bad}"):
        assert run(str(directory), "--sample", wrong).exit_code == 2


def test_the_rules_are_listed_with_their_levels() -> None:
    output = run("--rules").output
    assert all(name in output for name in RULES)


def test_check_warns_of_references_that_lead_nowhere_unless_silenced(tmp_path: Path) -> None:
    rotation = "people: [amara.okafor]\nstart: 2026-01-05T09:00:00Z\n"
    files = {"oncall/idle.yaml": rotation, "oncall/quiet.yaml": "# spillway-lint: allow unused-rotation\n" + rotation}
    result = CliRunner().invoke(main, ["config", "check", str(write(tmp_path, files))])
    assert result.exit_code == 0
    assert result.output.splitlines()[0].startswith(f"{tmp_path}/oncall/idle.yaml:1: warning: rotation 'idle' covers")
    assert "quiet" not in result.output
