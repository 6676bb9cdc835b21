"""What each component is granted, without a broker; that it is right and enough is shown on one in tests/secured."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.flow import PRESSING_STAGES, STAGES, topics
from pipeline.kafka import grants as grants_module
from pipeline.kafka.grants import (
    COMPONENTS,
    FURTHER_COMPONENTS,
    Grant,
    acl_lines,
    grants_of,
    user_of,
)
from pipeline.runtime.reload import UNCONFIGURED_STAGES
from pipeline.settings import Settings

SETTINGS = Settings(app_id="one", topic_prefix="tenant.")
EVERYBODY = (*COMPONENTS, *FURTHER_COMPONENTS)
# Words of Kafka's own operations, without those that would let somebody destroy or take over.
HARMLESS = {"Read", "Write", "Create", "Describe", "AlterConfigs", "DescribeConfigs"}


def named(grants: tuple[Grant, ...], operation: str, resource: str = "topic") -> set[str]:
    return {each.name for each in grants if each.resource == resource and operation in each.operations}


def test_components_are_the_stages_the_doors_and_the_job_of_the_topics() -> None:
    assert (*(stage.name for stage in STAGES), "gateway", "console", "topics") == COMPONENTS


@pytest.mark.parametrize("component", EVERYBODY)
def test_every_grant_lies_within_the_installation(component: str) -> None:
    found = grants_of(SETTINGS, component)
    assert found
    for grant in found:
        assert grant.name.startswith("tenant." if grant.resource == "topic" else "one-"), grant
        assert set(grant.operations) <= HARMLESS
        assert not ({"Read", "Write"} & set(grant.operations) and "Describe" in grant.operations), "it is implied"
    assert len({(each.resource, each.name, each.prefixed) for each in found}) == len(found)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_reads_its_inputs_and_its_state_and_writes_what_the_flow_says(stage: object) -> None:
    assert isinstance(stage, type(STAGES[0]))
    found = grants_of(SETTINGS, stage.name)
    state = {f"tenant.spillway.{stage.name}.changelog"} if stage.stateful else set()
    assert named(found, "Read") == {f"tenant.{name.removesuffix('*')}" for name in stage.reads} | state
    beside = {"tenant.sink.updates"} if stage.name == "deliver" else set()
    ticks = set() if stage.name == "record" else {f"tenant.{stage.reads[0].removesuffix('*')}"}
    assert named(found, "Write") == {f"tenant.{name}" for name in stage.writes} | state | beside | ticks
    asked = PRESSING_STAGES if stage.name == "ingest" else ()  # ingest goes no faster than they do
    assert {each for each in found if each.resource != "topic"} == {
        Grant("group", f"one-{stage.name}", False, ("Read",)),
        *(Grant("group", f"one-{after}", False, ("Describe",)) for after in asked),
        Grant("transactionalId", f"one-{stage.name}-", True, ("Write",)),
    }


def test_stages_that_no_reload_reaches_write_no_ticks() -> None:
    assert set(grants_module._UNRELOADED) == UNCONFIGURED_STAGES


def test_doors_write_and_read_nothing() -> None:
    for door, more in (("gateway", set()), ("console", {"Describe"})):  # the board tells how far stages are behind
        assert {operation for each in grants_of(SETTINGS, door) for operation in each.operations} == {"Write"} | more
    assert not named(grants_of(SETTINGS, "gateway"), "Write") & named(grants_of(SETTINGS, "console"), "Write")


def test_whoever_makes_topics_makes_all_and_sees_no_record() -> None:
    found = grants_of(SETTINGS, "topics")
    prefixes = tuple(each.name for each in found if each.prefixed)
    wanted = {f"tenant.{topic.name}" for topic in topics(("grafana",))}
    assert {name for name in wanted if not name.startswith(prefixes)} == {
        each.name for each in found if not each.prefixed
    }
    assert not named(found, "Read") | named(found, "Write")
    shadowed = grants_of(SETTINGS.model_copy(update={"shadow_config": Path("shadow")}), "topics")
    assert {each.name for each in set(shadowed) - set(found)} == {
        "tenant.spillway.shadow.changelog",
        "tenant.spillway.shadow.status",
    }


def test_production_asks_for_the_settings_of_its_topics_alone() -> None:
    production = SETTINGS.model_copy(update={"production": True})
    for component in EVERYBODY:
        plain, more = grants_of(SETTINGS, component), grants_of(production, component)
        for operation in HARMLESS - {"DescribeConfigs", "Describe"}:
            assert named(plain, operation) == named(more, operation)
    dedupe = named(grants_of(production, "dedupe"), "DescribeConfigs")
    assert dedupe == {
        *(f"tenant.{name}" for name in ("alerts", "episodes", "dead.letter", "spillway.dedupe.changelog")),
        "__consumer_offsets",
        "__transaction_state",
    }


def test_the_command_prints_them_for_people_machines_and_kafkas_own_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPILLWAY_APP_ID", "one")
    monkeypatch.setenv("SPILLWAY_TOPIC_PREFIX", "tenant.")

    def said(*arguments: str) -> str:
        ended = CliRunner().invoke(main, ["topics", "grants", *arguments])
        assert ended.exit_code == 0, ended.output
        return ended.output

    assert said("--component", "gateway").splitlines() == [
        "gateway",
        "  topic  tenant.alerts.raw.*  Write",
        "  topic  tenant.sink.updates  Write",
    ]
    assert list(orjson.loads(said("--json"))) == list(COMPONENTS)
    (first, _) = orjson.loads(said("--json", "--component", "gateway"))["gateway"]
    assert first == {
        "resource": {"type": "topic", "name": "tenant.alerts.raw.", "patternType": "prefix"},
        "operations": ["Write"],
    }
    assert said("--acls", "--component", "console", "--user", "clerk").splitlines() == acl_lines(
        "clerk", grants_of(SETTINGS, "console")
    )
    assert said("--acls").splitlines()[0] == (
        "--add --allow-principal 'User:one-ingest' --operation Read --operation Write --topic 'tenant.alerts.raw.' "
        "--resource-pattern-type prefixed"
    )
    assert user_of(SETTINGS, "ingest") == "one-ingest"
    refused = CliRunner().invoke(main, ["topics", "grants", "--user", "clerk"])
    assert (refused.exit_code, refused.output) == (
        1,
        "Error: --user names the user of one component: give --component, too\n",
    )


def test_who_runs_the_shadow_may_ask_for_its_status_as_may_an_operator() -> None:
    shadowed = SETTINGS.model_copy(update={"shadow_config": Path("shadow")})
    for component in ("shadow", "operator"):
        found = grants_of(shadowed, component)
        assert "tenant.spillway.shadow.status" in named(found, "Read"), component
        assert Grant("group", "one-shadow", False, ("Describe",)) in found, component
