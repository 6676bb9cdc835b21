"""Every downstream goes through the same: the real worker, a real Kafka, and servers that behave as documented."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.models.sinks import SINK_TYPES
from tests.sinks.conformance.judge import problems
from tests.sinks.conformance.scenarios import SCENARIOS, Played
from tests.sinks.conformance.table import DOWNSTREAMS
from tests.sinks.conformance.town import Town

SEED = 8


@pytest.fixture(scope="module")
def played(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """One town, one worker, all downstreams."""
    place = tmp_path_factory.mktemp("conformance")
    with Town(kafka, f"{place.name}.", place, DOWNSTREAMS, SEED) as town:
        town.start()
        yield Played(town)


def test_every_type_of_sink_is_in_the_table() -> None:
    assert {each.entry_type for each in DOWNSTREAMS.values()} == set(SINK_TYPES)


@pytest.mark.parametrize("name", DOWNSTREAMS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_downstream_ends_as_the_incident_did_with_nothing_twice(played: Played, scenario: str, name: str) -> None:
    assert problems(played.town, name, played.of(scenario)) == []


def test_only_a_credential_that_was_refused_was_given_up_and_all_could_be_read(played: Played) -> None:
    for scenario in SCENARIOS:
        played.of(scenario)
    expired = {told.incident_id for told in played.of("a credential that expires")}
    assert [each for each in played.town.given_up() if each["incident_id"] not in expired] == []
    assert played.town.raw["dead.letter"] == []
