"""One night, told by every source that we read, is a handful of incidents: each explained, each of one failure."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from pipeline.cli.explain import explain
from pipeline.cli.explain_words import REASON_WORDS
from pipeline.cli.replay import replay
from pipeline.core.outward.incident_event import read_event
from pipeline.core.step import StreamRecord
from pipeline.feeds import ADAPTERS
from pipeline.models.alert import Kind
from pipeline.models.decision import Disposition
from pipeline.records.store import RecordsStore
from tests.feeds.payloads import SAMPLE_OF
from tests.outage.night import Night, night, table
from tests.outage.recording import COMPANY, lines
from tests.outage.truth import FAMILIES, KNOWN_FOREIGN, NEVER_ENDED, NO_SYMPTOMS, family_of

PAGE = Path(__file__).parents[2] / "docs" / "feeds" / "outage.md"
BEGINS = (Kind.FIRING, Kind.TICKET)
PAIRS = [
    (name, sample.meets) for name, sample in SAMPLE_OF.items() if sample.meets and sample.alerts[0]["kind"] in BEGINS
]


def families_of(told: Night, incident: dict[str, Any]) -> dict[str, list[str]]:
    """Families in an incident, each with its samples."""
    found: dict[str, list[str]] = {}
    for sample in told.samples_in(incident):
        found.setdefault(family_of(sample) or "", []).append(sample)
    return found


def foreign(told: Night) -> set[str]:
    """Samples that are in an incident which mostly is another family's."""
    strangers: set[str] = set()
    for incident in told.clusters():
        families = families_of(told, incident)
        home = max(families, key=lambda name: len(families[name]))
        strangers.update(sample for name, samples in families.items() if name != home for sample in samples)
    return strangers


def test_every_sample_has_a_place_in_the_story_and_every_adapter_tells_some_of_it() -> None:
    assert {family_of(name) for name in SAMPLE_OF} == {*FAMILIES, None}
    assert set(NO_SYMPTOMS) | set(NEVER_ENDED) | set(KNOWN_FOREIGN) <= set(SAMPLE_OF)
    assert {sample.adapter for sample in SAMPLE_OF.values()} == set(ADAPTERS)


def test_the_command_reads_every_message_and_loses_none(tmp_path: Path) -> None:
    path = tmp_path / "outage.ndjson"
    path.write_bytes(lines())

    result = CliRunner().invoke(replay, [str(path), "--config", str(COMPANY), "--json"])

    assert result.exit_code == 0, result.output
    summary = orjson.loads(result.output)
    assert (summary["dead_letters"], summary["remainder"]) == (0, 0)
    assert summary["alerts"] == sum(len(sample.alerts) for sample in SAMPLE_OF.values())
    assert summary["alerts"] == sum(summary["dispositions"].values())


def test_it_is_a_handful_of_incidents_one_for_each_failure() -> None:
    told = night()
    homes = Counter(next(iter(families_of(told, incident))) for incident in told.clusters())

    assert set(homes) == set(FAMILIES)
    assert all(count <= FAMILIES[name].incidents_max for name, count in homes.items())
    assert [each["kind"] for each in told.incidents].count("bridge") == 1


def test_no_incident_holds_a_member_that_does_not_belong_to_it() -> None:
    assert foreign(night()) == set(KNOWN_FOREIGN)


def test_what_is_no_symptom_is_in_no_incident() -> None:
    told = night()
    decided = {name: Counter[str]() for name in NO_SYMPTOMS}
    for decision in told.outcome.decisions:
        if (name := told.sample_of(decision)) in NO_SYMPTOMS:
            assert decision.incident_id is None
            decided[name][decision.disposition] += 1
    assert all(sum(counts.values()) for counts in decided.values())
    assert {each for counts in decided.values() for each in counts} <= {Disposition.CONTROL, Disposition.REPEATED}


@pytest.mark.parametrize(("begin", "end"), PAIRS)
def test_the_end_of_a_condition_meets_its_beginning(begin: str, end: str) -> None:
    told = night()
    episodes = told.episodes_of(begin)

    assert all(episodes)
    assert told.episodes_of(end) == episodes
    assert set(episodes) <= told.cleared()


def test_everything_that_ends_is_resolved_at_the_end() -> None:
    told = night()
    cleared = told.cleared()
    firing = {
        told.sample_of(each)
        for each in told.outcome.decisions
        if each.incident_id and each.episode_id and each.episode_id not in cleared
    }

    assert firing == set(NEVER_ENDED)
    for incident in told.clusters():
        assert (incident["state"] in {"resolved", "closed"}) == firing.isdisjoint(told.samples_in(incident))


def test_explain_says_why_of_every_episode(database: str) -> None:
    told = night()
    store = RecordsStore(database)
    store.migrate()
    records = (
        StreamRecord(each.topic, 0, offset, each.timestamp_ms, each.key, each.value, each.headers)
        for offset, each in enumerate(told.outcome.events)
    )
    store.project([read_event(record) for record in records])
    store.close()
    for incident in told.incidents:
        asked = [incident["id"], "--records-url", database, "--json"]
        result = CliRunner().invoke(explain, asked, env={"SPILLWAY_RECORDS_URL": ""})
        assert result.exit_code == 0, result.output
        said = orjson.loads(result.output)
        assert said["priority_because"]
        assert [name for joined in said["episodes"] for name in joined["episodes"]] == incident["episodes"]
        for joined in said["episodes"]:
            assert joined["reason"] in REASON_WORDS
            assert joined["reason"] == "first_symptom" or joined["evidence"]


def test_warnings_that_stand_for_days_take_no_outage_in() -> None:
    told = night()
    standing = [each for each in told.clusters() if "certificate" in next(iter(families_of(told, each)))]
    assert standing
    assert all(len(families_of(told, each)) == 1 for each in standing)


def test_the_page_shows_what_the_replay_gives(tmp_path: Path) -> None:
    path = tmp_path / "outage.ndjson"
    path.write_bytes(lines())
    said = CliRunner().invoke(replay, [str(path), "--config", str(COMPANY)]).output

    page = PAGE.read_text()
    assert table() in page, "the page is old: put there what `python -m tests.outage table` says"
    assert said in page, "the page is old: put there what `spillway replay` says"
