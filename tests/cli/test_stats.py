"""``spillway stats`` against a real records store, with figures counted again from the events."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import Any

import orjson
from click.testing import CliRunner, Result

from pipeline.cli.stats import stats
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.records.store import RecordsStore
from tests.cli.conftest import told

START_MS = 1_772_590_302_318


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(stats, arguments, env={"SPILLWAY_RECORDS_URL": ""})
    assert result.exit_code == 0, result.output
    return result


def ask(url: str) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(run("--records-url", url, "--json").output)
    return document


def newest() -> list[dict[str, Any]]:
    """The newest snapshot of each incident of the stories, bridges left out."""
    found = {event.incident_id: event.incident for event in told()}
    return [each for each in found.values() if each["kind"] == "incident"]


def test_figures_of_the_stories_are_what_their_events_say(stories: str) -> None:
    document = ask(stories)
    whole, incidents = document["all"], newest()
    assert whole["incidents"] == len(incidents)
    counted = Counter((each["priority"], each["state"]) for each in incidents)
    assert counted == {
        (priority, state): count for priority, states in document["states"].items() for state, count in states.items()
    }
    assert document["bridges"] == {"closed": 1, "resolved": 1}
    assert whole["pages"] == sum(len(each["escalation"]["paged"]) for each in incidents)
    for name in ("response", "resolution"):
        missed = sum(bool(each["clocks"][name]["breached_at_ms"]) for each in incidents)
        assert whole[f"{name}_missed"] == missed
    assert whole["alerts"] == sum(each["alerts_total"] for each in incidents)
    assert whole["alerts_median"] == median(each["alerts_total"] for each in incidents)
    resolved = [each["resolved_at_ms"] - each["detected_at_ms"] for each in incidents if each["resolved_at_ms"]]
    assert whole["resolve_seconds_median"] == median(resolved) / 1_000
    met = [each["acknowledged_at_ms"] - each["detected_at_ms"] for each in incidents if each["acknowledged_at_ms"]]
    assert whole["acknowledge_seconds_median"] == median(met) / 1_000
    assert sum(each["incidents"] for each in document["by_priority"].values()) == whole["incidents"]


def test_figures_are_told_in_tables(stories: str) -> None:
    lines = run("--records-url", stories).output.splitlines()
    assert lines[0].split() == ["Incidents", "logged", "closed"]
    assert [line.split()[0] for line in lines[1:5]] == ["P1", "P3", "P4", "all"]
    assert lines[6].split()[:3] == ["MTTA", "median", "p90"]
    assert lines[7].split()[:6] == ["P1", "5", "min", "8", "min", "14"]
    assert lines[-1] == "Bridge incidents: 1 closed, 1 resolved"


def row(incident_id: str, *acts: tuple[int, str], **snapshot: Any) -> IncidentEvent:
    """An incident with actions so many seconds after its detection."""
    fields = {"id": incident_id, "kind": "incident", "state": "resolved", "priority": "P2", "title": incident_id}
    fields |= {"detected_at_ms": START_MS, "alerts_total": 3} | snapshot
    entries = [{"at_ms": START_MS + seconds * 1_000, "action": action} for seconds, action in acts]
    return IncidentEvent(incident_id, 1, "updated", START_MS, entries, fields)


def test_the_first_acknowledgement_counts_and_quantiles_lie_between(records: RecordsStore, database: str) -> None:
    records.project(
        [
            row("INC-1", (60, "start"), (600, "acknowledge"), reopened=2, resolved_at_ms=START_MS + 100_000),
            row("INC-2", (120, "acknowledge"), resolved_at_ms=START_MS + 200_000),
            row("INC-3", (1, "page"), (2, "page"), state="logged", alerts_total=10),
        ]
    )
    (figures,) = ask(database)["by_priority"].values()
    assert figures == ask(database)["all"]
    assert (figures["acknowledge_seconds_median"], figures["acknowledge_seconds_p90"]) == (90, 114)
    assert (figures["resolve_seconds_median"], figures["resolve_seconds_p90"]) == (150, 190)
    assert (figures["reopened"], figures["pages"], figures["alerts"], figures["alerts_max"]) == (2, 2, 16, 10)


def test_values_of_other_types_are_left_out_of_the_figures(records: RecordsStore, database: str) -> None:
    records.project([row("INC-1", detected_at_ms="yesterday", reopened=None, alerts_total=None, clocks=7, priority=1)])
    document = ask(database)
    assert document["states"] == {"": {"resolved": 1}}
    assert document["all"]["incidents"] == 1
    assert document["all"]["alerts_median"] is None
    assert "none" in run("--records-url", database).output


def test_an_empty_store_says_so(records: RecordsStore, database: str) -> None:
    assert run("--records-url", database).output == "No incidents.\n"
    assert ask(database)["all"]["incidents"] == 0
