"""``spillway explain`` against a real records store that holds the three stories."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from pipeline.cli.explain import explain
from pipeline.cli.explain_words import EVIDENCE_WORDS, REASON_WORDS
from pipeline.core.clustering.evidence import BIAS
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.records.store import RecordsStore
from tests.cli.conftest import told

START_MS = 1_772_590_302_318


def run(*arguments: str) -> Result:
    return CliRunner().invoke(explain, arguments, env={"SPILLWAY_RECORDS_URL": ""})


def ask(url: str, asked: str) -> dict[str, Any]:
    result = run(asked, "--records-url", url, "--json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = orjson.loads(result.output)
    return document


def named(title_part: str, kind: str = "incident") -> dict[str, Any]:
    """The newest snapshot of the incident with such a title."""
    return next(
        event.incident
        for event in reversed(told())
        if title_part in event.incident["title"] and event.incident["kind"] == kind
    )


def words(url: str, asked: str) -> str:
    result = run(asked, "--records-url", url)
    assert result.exit_code == 0, result.output
    return result.output


def test_an_incident_is_explained_with_each_episode_and_the_sum_of_its_evidence(stories: str) -> None:
    checkout = named("Checkout")
    document = ask(stories, checkout["id"])
    assert document["priority"] == "P1"
    assert document["priority_because"] == checkout["priority_because"]
    assert document["policy_version"] == checkout["policy_version"]
    assert document["config_version"] == checkout["config_version"]
    first, *others = document["episodes"]
    assert len(document["episodes"]) == checkout["episodes_total"]
    assert first["reason"] == "first_symptom"
    for joined in others:
        assert joined["log_odds"] == pytest.approx(BIAS + sum(joined["evidence"].values()), abs=0.001)
        assert joined["evidence"].keys() <= EVIDENCE_WORDS.keys()
        assert joined["reason"] in REASON_WORDS
        assert 0.5 <= joined["score"] < 1


def test_an_incident_is_explained_in_words(stories: str) -> None:
    said = words(stories, named("Checkout")["id"])
    for part in (
        "Why P1\n  impact severe: 5,000 a minute or more at stake",
        "Policy retail 2026.1+",
        "one of the two depends on the other",
        "how much of that has to do with it +",
        f", at first {BIAS:+.2f}: log-odds +",
        "Suspects\n  1. resource:default/payments-db",
        "paged noor.haddad (storefront) for Checkout: opened; runbook https://",
    ):
        assert part in said


def test_a_bridge_incident_is_explained_by_its_impact_and_members(stories: str) -> None:
    bridge = named("Corporate mail", "bridge")
    document = ask(stories, bridge["id"])
    assert document["kind"] == "bridge"
    assert [each["id"] for each in document["members"]] == bridge["members"]
    said = words(stories, bridge["id"])
    assert "about 500 users affected, threshold 500" in said
    assert f"Members\n  {bridge['members'][0]}  P3" in said
    member = words(stories, bridge["members"][0])
    assert f"bridge incident {bridge['id']}" in member
    assert "vendor_ticket MX-88213" in member


def test_every_episode_of_every_incident_is_explained_by_that_incident(stories: str) -> None:
    for incident_id in {event.incident_id for event in told() if event.incident["kind"] == "incident"}:
        for joined in ask(stories, incident_id)["episodes"]:
            (episode_id,) = joined["episodes"]
            document = ask(stories, episode_id)
            assert document["incident"]["id"] == incident_id
            assert [each["reason"] for each in document["because"]] == [joined["reason"]]


def test_an_episode_is_explained_in_words(stories: str) -> None:
    joined = ask(stories, named("Checkout")["id"])["episodes"][1]
    said = words(stories, joined["episodes"][0])
    assert "its words name what the incident is about" in said
    assert f"at first {BIAS:+.2f}: log-odds +" in said
    assert "History\n" in said
    assert "cleared: Checkout page" in said


def row(incident_id: str, *entries: dict[str, Any], **snapshot: Any) -> IncidentEvent:
    fields = {"id": incident_id, "kind": "incident", "state": "logged", "priority": "P2", "title": incident_id}
    timed = [{"at_ms": START_MS, "actor": "kim", "facts": {}} | entry for entry in entries]
    return IncidentEvent(incident_id, 1, "opened", START_MS, timed, fields | snapshot)


def test_what_was_taken_out_at_a_second_look_is_no_decision_of_a_person(records: RecordsStore, database: str) -> None:
    first = {"action": "join", "text": "joined", "facts": {"episode_id": "EP-1", "reason": "dependency"}}
    facts = {"episodes": ["EP-1"], "reason": "looked_again"}
    apart = {"action": "detect", "actor": "spillway", "text": "split from INC-1", "facts": facts, "at_ms": START_MS + 1}
    records.project([row("INC-1", first), row("INC-2", apart)])
    said = words(database, "EP-1")
    assert "looked at again, and nothing held it" in said
    assert "a person decided so" not in said


def test_an_episode_is_followed_through_a_split_and_a_merge(records: RecordsStore, database: str) -> None:
    first = {"action": "detect", "text": "first symptom", "facts": {"episode_id": "EP-1", "reason": "first_symptom"}}
    apart = {"action": "detect", "text": "split from INC-1", "facts": {"episodes": ["EP-1"]}, "at_ms": START_MS + 1}
    records.project([row("INC-1", first), row("INC-2", apart, merged_into="INC-3", state="merged"), row("INC-3")])
    document = ask(database, "EP-1")
    assert document["incident"]["id"] == "INC-3"
    assert document["merged_from"] == ["INC-2"]
    assert [each["reason"] for each in document["because"]] == ["first_symptom", "by_command"]
    said = words(database, "EP-1")
    assert [(each["way"], each["from"], each["to"]) for each in document["moves"]] == [
        ("split", "INC-1", "INC-2"),
        ("merge", "INC-2", "INC-3"),
    ]
    assert "INC-1 -> INC-2  split by kim: split from INC-1" in said
    assert "INC-2 -> INC-3  merge merged into INC-3" in said
    assert "a person decided so" in said


def test_incidents_merged_in_a_circle_end_the_search(records: RecordsStore, database: str) -> None:
    first = {"action": "detect", "text": "first symptom", "facts": {"episode_id": "EP-1", "reason": "first_symptom"}}
    records.project([row("INC-1", first, merged_into="INC-2"), row("INC-2", merged_into="INC-1")])
    assert ask(database, "EP-1")["episode_id"] == "EP-1"


def test_texts_from_outside_are_no_markup(records: RecordsStore, database: str) -> None:
    records.project([row("INC-1", title="[red]disk[/red] full")])
    assert "[red]disk[/red] full" in words(database, "INC-1")


@pytest.mark.parametrize("asked", ["INC-NOBODY", "EP-NOBODY", "", "'; DROP TABLE incidents --"])
def test_an_unknown_id_is_one_line_that_says_where_to_look(stories: str, asked: str) -> None:
    result = run(asked, "--records-url", stories)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: nothing is known of {asked}")
    assert len(result.output.splitlines()) == 1


def test_no_records_store_is_one_line() -> None:
    result = run("INC-1")
    assert result.exit_code == 1
    assert result.output == "Error: no records store: give --records-url or set SPILLWAY_RECORDS_URL\n"
