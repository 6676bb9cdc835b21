"""``spillway explain`` of alerts, from a records store, and why an episode is not in another incident."""

from __future__ import annotations

from functools import partial
from math import log
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.explain_words import EVIDENCE_WORDS
from pipeline.core.clustering.evidence import BIAS, REST, WEIGHTS
from pipeline.core.clustering.measures import GOES_ON
from pipeline.models.decision import Decision, Disposition, Reason, WhyNot
from pipeline.records.questions import entries_of_alert, entries_of_episode
from pipeline.records.store import RecordsStore
from tests.cli.conftest import day, told
from tests.cli.test_explain import ask, named, row, run, words


def place(decision: Decision, *, index: bool = True) -> str:
    parts = decision.origin if index else decision.origin[:3]
    return ":".join(map(str, parts))


def decided(*dispositions: Disposition) -> list[Decision]:
    return [each for each in day().decisions if each.disposition in dispositions]


def test_every_alert_that_came_to_an_incident_is_explained_by_its_place(stories: str) -> None:
    found = decided(Disposition.OPENED, Disposition.JOINED)
    assert len(found) > 20
    for decision in found:
        document = ask(stories, place(decision))
        (alert,) = document["alerts"]
        assert document["kind"] == "alert"
        assert (alert["disposition"], alert["reason"]) == (decision.disposition, decision.reason)
        assert alert["episode_id"] == decision.episode_id
        (episode,) = document["episodes"]
        assert episode["alert_key"] == decision.alert_key
        assert decision.incident_id in {each["incident_id"] for each in episode["because"]}


def test_an_alert_key_and_a_fingerprint_lead_to_all_runs_of_the_condition(stories: str) -> None:
    (first,) = (each for each in decided(Disposition.OPENED) if each.origin.topic == "alerts.raw.alertmanager")
    by_place = ask(stories, place(first, index=False))
    (episode,) = by_place["episodes"]
    fingerprint = episode["source_episode_id"].partition("/")[0]
    for name in (first.alert_key or "", fingerprint, episode["source_episode_id"]):
        assert [each["episode_id"] for each in ask(stories, name)["episodes"]] == [first.episode_id]


def test_an_alert_is_explained_in_words(stories: str) -> None:
    (first,) = (each for each in decided(Disposition.OPENED) if each.origin.topic == "alerts.raw.alertmanager")
    said = words(stories, place(first))
    assert f"{place(first)}  opened (first symptom)\n      first symptom: 12 % of checkout requests fail\n" in said
    assert f"{first.episode_id} is in\n{first.incident_id}  P1" in said


@pytest.mark.parametrize("disposition", [Disposition.REPEATED, Disposition.SUPPRESSED, Disposition.HELD])
def test_one_alert_of_what_is_in_no_incident_is_not_in_the_store_which_says_where_to_ask(
    stories: str, disposition: Disposition
) -> None:
    asked = place(decided(disposition)[0])
    result = run(asked, "--records-url", stories)
    assert result.exit_code == 1
    assert "in a recording alone: `spillway capture --from 2h --out FILE`, then `spillway explain ID" in result.output
    assert len(result.output.splitlines()) == 1


def test_what_was_hidden_is_explained_by_its_alert_key_and_its_episode(stories: str) -> None:
    (key,) = {each.alert_key for each in decided(Disposition.SUPPRESSED) if each.reason == Reason.FLAPPING}
    document = ask(stories, key or "")
    assert (document["kind"], document["alerts"], document["episodes"]) == ("alert", [], [])
    assert {each["what"] for each in document["hidden"]} == {"transient", "flapping"}
    said = words(stories, key or "")
    for part in (
        "12 alerts: write latency of sdb on log-archive-1 above 200 ms\n      it flapped; it was over before anybody",
        "it waited, as what may pass by itself; it was over before anybody was told",
        "No incident has it.",
    ):
        assert part in said
    for hidden in document["hidden"]:
        assert hidden in ask(stories, hidden["episode_id"])["hidden"]


def test_an_episode_of_an_incident_says_how_many_repeats_were_hidden(stories: str) -> None:
    (first,) = (each for each in decided(Disposition.OPENED) if each.origin.topic == "alerts.raw.alertmanager")
    (hidden,) = ask(stories, first.episode_id or "")["hidden"]
    assert (hidden["what"], hidden["ended"], hidden["alerts"]) == ("repeats", "in_incident", 14)
    assert "repeats of what fired already; its incident had it meanwhile" in words(stories, first.episode_id or "")


def printer(url: str) -> dict[str, Any]:
    (joined,) = ask(url, named("Printer on floor 3")["id"])["episodes"]
    return ask(url, joined["episodes"][0])


def test_an_episode_says_how_near_the_others_were_and_what_was_missing(stories: str) -> None:
    (because,) = printer(stories)["because"]
    (other,) = because["others"]
    assert because["join_at_least"] == 0.5
    assert other["why"] == "below_threshold"
    assert ask(stories, other["incident_id"])["title"] == other["title"]
    assert other["score"] < 0.5
    assert other["missing"] == pytest.approx(-other["log_odds"], abs=0.001)
    assert other["log_odds"] == pytest.approx(other["bias"] + sum(other["evidence"].values()), abs=0.001)


def test_an_episode_says_in_words_why_it_is_not_in_another_incident(stories: str) -> None:
    said = words(stories, printer(stories)["episode_id"])
    (other,) = printer(stories)["because"][0]["others"]
    part = said[said.index("Why not another") :]
    for words_of in (
        f"  {other['incident_id']}  {other['title']}\n      too little speaks for it\n",
        "for it: ",
        "against it: time since the last symptom joined -",
        f"probability {other['score']:.2f}, which is {other['missing']:.2f} too little",
    ):
        assert words_of in part


def weighed(score: float, least: float | None, why: str = "below_threshold") -> dict[str, Any]:
    other = {"incident_id": "INC-0", "why": why, "score": score, "evidence": {"gap": -4.0 - BIAS}}
    facts = {"episode_id": "EP-1", "reason": "first_symptom", "join_at_least": least, "others": [other]}
    return {"action": "detect", "text": "first symptom", "facts": facts}


@pytest.mark.parametrize(
    ("least", "missing"),
    [(0.5, 4.0), (0.75, 4.0 + log(3)), (0.01, None), (1.0, None), (None, None)],
    ids=("half", "three quarters", "nearly nothing", "certainty", "unknown"),
)
def test_what_was_missing_to_the_threshold(
    records: RecordsStore, database: str, least: float | None, missing: float | None
) -> None:
    records.project([row("INC-1", weighed(0.27, least))])
    (because,) = ask(database, "EP-1")["because"]
    found = because["others"][0]["missing"]
    assert found == (None if missing is None else pytest.approx(missing, abs=0.001))
    assert "which is not kept" in words(database, "EP-1"), "the other is not in this store"


def test_an_entry_of_an_older_release_says_nothing_of_others(records: RecordsStore, database: str) -> None:
    entry = {"action": "detect", "text": "first symptom", "facts": {"episode_id": "EP-1", "reason": "first_symptom"}}
    records.project([row("INC-1", entry)])
    (because,) = ask(database, "EP-1")["because"]
    assert because["others"] is None
    assert "Why not another" not in words(database, "EP-1")


def test_an_episode_that_waited_says_how_long_and_what_let_it_in(records: RecordsStore, database: str) -> None:
    first = {"action": "detect", "text": "first symptom", "facts": {"episode_id": "EP-1", "reason": "first_symptom"}}
    facts = {"episode_id": "EP-1", "reason": "transient", "waited_ms": 20_000, "let_in_by": "evidence", "held_for": {}}
    records.project([row("INC-1", first, {"action": "held", "text": "waited 20 s and came in", "facts": facts})])
    (waited,) = ask(database, "EP-1")["waited"]
    assert (waited["reason"], waited["waited_ms"], waited["let_in_by"]) == ("transient", 20_000, "evidence")
    assert "waited 20 s and came in" in words(database, "EP-1")


def test_a_place_finds_its_own_alerts_alone(records: RecordsStore) -> None:
    places = [["t", 0, 7, 0], ["t", 0, 7, 12], ["t", 0, 70, 0], ["t", 1, 7, 0], ["tt", 0, 7, 0], ["s", 0, 7, 0]]
    entries = [
        {"action": "join", "text": "joined", "facts": {"episode_id": f"EP-{number}", "origin": each}}
        for number, each in enumerate(places)
    ]
    records.project([row("INC-1", *entries)])
    for index, expected in ((None, ["EP-0", "EP-1"]), (0, ["EP-0"]), (12, ["EP-1"]), (3, [])):
        found = records.ask(partial(entries_of_alert, name="", origin=("t", 0, 7, index)))
        assert [each["facts"]["episode_id"] for each in found] == expected


def test_a_name_with_wildcards_of_the_database_is_taken_as_it_is(records: RecordsStore) -> None:
    facts = {"episode_id": "EP-1", "source_episode_id": "a%b_c\\d/17"}
    records.project([row("INC-1", {"action": "join", "text": "joined", "facts": facts})])
    for name, expected in (("a%b_c\\d", 1), ("a%b_c\\d/17", 1), ("aXb_c\\d", 0), ("a%bXc\\d", 0), ("%", 0), ("a", 0)):
        assert len(records.ask(partial(entries_of_alert, name=name, origin=None))) == expected


def test_an_episode_in_a_list_is_found_among_others(records: RecordsStore) -> None:
    apart = {"action": "detect", "text": "split", "facts": {"episodes": ["EP-1", "EP-2"]}}
    records.project([row("INC-1", apart)])
    for name, expected in (("EP-1", 1), ("EP-2", 1), ("EP-3", 0), ("EP", 0)):
        assert len(records.ask(partial(entries_of_episode, episode_id=name))) == expected


def test_every_contribution_has_words_and_every_obstacle_is_in_the_page_of_events() -> None:
    assert {*WEIGHTS.curves, GOES_ON, REST} <= EVIDENCE_WORDS.keys()
    page = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    assert all(f"| `{why}` |" in page for why in WhyNot)


def test_the_key_of_a_chronic_condition_is_explained_though_that_it_is_chronic_is_told_of_no_alert(
    stories: str, records: RecordsStore
) -> None:
    (first,) = (each for each in decided(Disposition.OPENED) if each.origin.topic == "alerts.raw.alertmanager")
    (event,) = (each for each in told() if each.incident_id == first.incident_id and each.revision == 1)
    facts = {"alert_key": first.alert_key, "episode_id": first.episode_id, "incidents": 5.0, "days": 3.0}
    entry = {"at_ms": event.at_ms, "action": "chronic", "actor": "spillway", "text": "chronic", "facts": facts}
    records.project([event._replace(revision=10_000, entries=[entry])])
    document = ask(stories, first.alert_key or "")
    assert [each["episode_id"] for each in document["alerts"]] == [first.episode_id]
    assert [each["episode_id"] for each in document["episodes"]] == [first.episode_id]
