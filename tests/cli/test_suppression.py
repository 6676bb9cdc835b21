"""``spillway suppression`` over a noisy fortnight: the same from a recording and from a real records store."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from pipeline.catalog import load_config
from pipeline.cli.explain_recording import about_recording
from pipeline.cli.suppression import suppression
from pipeline.core.outward.incident_event import read_event
from pipeline.core.outward.told import read_suppression
from pipeline.core.step import Output, StreamRecord
from pipeline.recording import read_recording
from pipeline.records.store import RecordsStore
from pipeline.replay import Outcome, Replay
from tests.stories import fortnight

RUN_ON = 3_600
SPAN = ("--from", "2026-03-01", "--to", "2026-04-01")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the recording and its company."""
    directory = tmp_path_factory.mktemp("fortnight")
    fortnight.write(directory)
    return directory


@cache
def outcome(directory: Path) -> Outcome:
    with (directory / "fortnight.ndjson").open("rb") as lines:
        machine = Replay(load_config(directory / "company"))
        played = machine.run(read_recording(lines, "fortnight"), run_on_seconds=RUN_ON)
    assert machine.remainder() == 0
    return played


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(suppression, arguments, env={"SPILLWAY_RECORDS_URL": "", "SPILLWAY_CONFIG": ""})
    assert result.exit_code == 0, result.output
    return result


def of_recording(company: Path, *arguments: str) -> Result:
    recording, config = company / "fortnight.ndjson", company / "company"
    return run("--recording", str(recording), "--config", str(config), "--run-on", str(RUN_ON), *arguments)


@cache
def whole(company: Path) -> dict[str, Any]:
    """The report of the whole recording."""
    return as_json(of_recording(company, "--json"))


def as_json(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(result.output)
    return document


def record(output: Output) -> StreamRecord:
    return StreamRecord(output.topic, 0, 0, output.timestamp_ms, output.key, output.value, output.headers)


@pytest.fixture
def filled(records: RecordsStore, company: Path) -> None:
    """The records store with what the fortnight came to."""
    records.project([read_event(record(each)) for each in outcome(company).events])
    records.keep([read_suppression(record(each)) for each in outcome(company).suppressions])


def test_spikes_that_pass_call_nobody_once_they_are_known_and_a_real_outage_was_not_delayed(company: Path) -> None:
    document = whole(company)
    transients = document["by_what"]["transient"]
    assert transients["times"] + 6 - 1 == 14 * 6, (
        "six were told before that was learned; the outage began with one more"
    )
    assert (transients["untold"], transients["let_in"]) == (78, 1)
    assert transients["seconds_max"] < 60
    assert document["let_in_by"] == {"evidence": {"times": 1, "seconds_median": 20.0}}
    outages = [each for each in snapshots(company) if each["priority"] == "P1"]
    assert [each["detected_at_ms"] for each in outages] == [
        at_ms(8, 14 * 3_600 + 20),  # when the first critical alert came, which takes the held spike in
        at_ms(10, 20 * 3_600 + 23 * 60),
    ]


def at_ms(day: int, seconds: int) -> int:
    return round(fortnight.BEGIN.timestamp() * 1_000) + (day * 86_400 + seconds) * 1_000


def snapshots(company: Path) -> list[dict[str, Any]]:
    newest = {event["incident_id"]: event["incident"] for event in map(_value, outcome(company).events)}
    return [each for each in newest.values() if each["kind"] == "incident"]


def _value(output: Output) -> dict[str, Any]:
    event: dict[str, Any] = orjson.loads(output.value or b"")
    return event


def test_calls_that_were_spared_are_those_that_the_policy_would_have_made(company: Path) -> None:
    document = whole(company)
    people = Counter[str]()
    for each in map(_value, outcome(company).suppressions):
        people.update({page["person"]: each["runs"] for page in each["pages"]})
    assert document["all"]["people"] == dict(people.most_common())
    assert document["all"]["pages"] == sum(people.values()) == 86
    assert {what: each["pages"] for what, each in document["by_what"].items() if each["pages"]} == {
        "transient": 78,
        "maintenance": 3,
        "chronic": 5,
    }


def test_every_hidden_alert_is_counted_once(company: Path) -> None:
    """Firing alerts that were held, repeated or suppressed; recoveries end them and are not counted as held."""
    document = whole(company)
    reasons = Counter(each.reason.value for each in outcome(company).decisions if each.disposition != "joined")
    by = {what: each["alerts"] for what, each in document["by_what"].items()}
    assert by["repeats"] == reasons["still_firing"]
    assert by["maintenance"] == reasons["maintenance"]
    assert by["flapping"] == reasons["flapping"]
    assert by["transient"] == document["by_what"]["transient"]["runs"]
    assert document["all"]["alerts"] == sum(by.values())
    assert sum(each["alerts"] for each in document["by_feed"].values()) == document["all"]["alerts"]
    assert sum(each["alerts"] for each in document["by_service"].values()) == document["all"]["alerts"]
    assert sum(each["alerts"] for each in document["conditions"]) == document["all"]["alerts"]


def test_what_was_the_beginning_of_an_incident_after_all_is_named(company: Path) -> None:
    document = whole(company)
    (each,) = document["later"]
    assert (each["what"], each["summary"], each["seconds_before"]) == ("transient", fortnight.SPIKE[2], 360.0)
    assert each["incident_id"] in {incident["id"] for incident in snapshots(company)}


def test_a_records_store_answers_as_a_recording_does(company: Path, filled: None, database: str) -> None:
    assert as_json(run("--records-url", database, *SPAN, "--json")) == whole(company)


def test_a_span_leaves_out_what_ended_before_and_after(company: Path, filled: None, database: str) -> None:
    span = ("--from", "2026-03-10", "--to", "2026-03-11", "--json")
    stored = as_json(run("--records-url", database, *span))
    assert stored == as_json(of_recording(company, *span))
    assert set(stored["by_what"]) == {"repeats", "transient"}
    assert stored["by_what"]["transient"]["times"] == 7


def test_the_report_is_told_in_words(company: Path) -> None:
    output = of_recording(company).output
    assert output.startswith("223 alerts were hidden; 86 calls were spared: ")
    assert "possible transients       79      79    79      78       1            78" in output
    assert "Held and let in (half of them waited no longer): 1 by evidence after 20 s." in output


def test_nothing_hidden_is_said_so(records: RecordsStore, database: str) -> None:
    assert run("--records-url", database).output == "Nothing was hidden.\n"
    assert as_json(run("--records-url", database, "--json"))["all"] is None


@pytest.mark.parametrize("module", ["pipeline.cli.suppression", "pipeline.cli.explain_recording"])
def test_a_recording_is_not_kept_in_memory_to_be_reported_on(
    company: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    made: list[Replay] = []

    class Seen(Replay):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            made.append(self)

    monkeypatch.setattr(f"{module}.Replay", Seen)
    monkeypatch.setattr("pipeline.replay.FORGET_STEPS", 1)
    if module.endswith("suppression"):
        assert as_json(of_recording(company, "--json")) == whole(company)
    else:
        with (company / "fortnight.ndjson").open("rb") as lines:
            about_recording(read_recording(lines, "fortnight"), [load_config(company / "company")], "x", RUN_ON)
    (replay,) = made
    assert replay.take_changes() == []
    assert replay.outcome == Outcome()
