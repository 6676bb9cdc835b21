"""What stands between a command line and a running stage: settings, topics, the broker."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry

from pipeline import app
from pipeline.cli.run import run
from pipeline.feeds import ADAPTERS, required_feeds
from pipeline.flow import STAGE_BY_NAME
from pipeline.models.policy import Config, Feed
from pipeline.runtime.broker import StartError, check_topics, input_topics
from pipeline.runtime.guard import RefusedError
from pipeline.settings import Settings, SettingsError
from tests.runtime.toy import INPUT, STAGE
from tests.runtime.workers import Bench


def test_settings_without_an_environment_work_on_one_machine() -> None:
    settings = Settings.from_environment({})
    assert settings.bootstrap == "127.0.0.1:9092"
    assert settings.stages == ()
    assert settings.clock == "wall"


def test_settings_are_read_from_the_environment_and_empty_ones_count_as_not_set() -> None:
    settings = Settings.from_environment(
        {
            "SPILLWAY_BOOTSTRAP": "a:1,b:2",
            "SPILLWAY_STAGES": " correlate, ingest ",
            "SPILLWAY_PARTITIONS": "12",
            "SPILLWAY_CONFIG": "",
            "SPILLWAY_LOG_LEVEL": "INFO",
        }
    )
    assert settings.bootstrap == "a:1,b:2"
    assert settings.stages == ("ingest", "correlate")
    assert settings.partitions == 12
    assert settings.config_dir is None
    assert settings.log_level == "info"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SPILLWAY_BOOTSTRAP", "kafka"),
        ("SPILLWAY_APP_ID", "a b"),
        ("SPILLWAY_TOPIC_PREFIX", "ü"),
        ("SPILLWAY_STAGES", "dedupe,nosuch"),
        ("SPILLWAY_PARTITIONS", "0"),
        ("SPILLWAY_CLOCK", "sundial"),
        ("SPILLWAY_HTTP_PORT", "http"),
        ("SPILLWAY_SESSION_TIMEOUT_SECONDS", "-1"),
        ("SPILLWAY_LOG_LEVEL", "loud"),
        ("SPILLWAY_INSTANCE_ID", "a b"),
        ("SPILLWAY_PRODUCTION", "perhaps"),
        ("SPILLWAY_STOP_SECONDS", "0"),
    ],
)
def test_a_bad_setting_is_one_line_that_names_the_variable_and_what_is_allowed(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment({variable: value})
    message = str(raised.value)
    assert variable in message
    assert "allowed is" in message
    assert "\n" not in message


def test_ingest_reads_configured_feeds_and_every_other_raw_topic() -> None:
    topics = {"alerts": 4, "alerts.raw.zabbix": 4, "alerts.raw.stranger": 2}
    read = input_topics("ingest", topics, ["zabbix", "jira"])
    assert read == ("alerts.raw.jira", "alerts.raw.stranger", "alerts.raw.zabbix")
    assert input_topics("correlate", topics, []) == STAGE_BY_NAME["correlate"].reads


def test_ingest_starts_where_only_the_topics_of_configured_feeds_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(feeds={"factory": Feed(name="factory", adapter="zabbix")})
    made = {"alerts.raw.factory": 4, "alerts.raw.stranger": 1, "alerts": 4, "dead.letter": 4}
    for name, answer in (("existing_topics", made), ("topic_makes", {}), ("check_grants", None)):
        monkeypatch.setattr(app, name, lambda *_, answer=answer: answer)  # what brokers say
    (context,) = app.compose(Settings(), config, CollectorRegistry(), ["ingest"])
    assert context.inputs == ("alerts.raw.factory", "alerts.raw.stranger")
    del made["alerts.raw.factory"]
    with pytest.raises(StartError, match=r"alerts\.raw\.factory is missing"):
        app.compose(Settings(), config, CollectorRegistry(), ["ingest"])


def test_where_no_feed_is_configured_each_adapter_has_to_have_its_topic() -> None:
    assert required_feeds(Config()) == tuple(ADAPTERS)


def test_state_and_input_of_different_partition_counts_are_refused() -> None:
    topics = {"alerts": 4, "episodes": 4, "dead.letter": 4, "spillway.dedupe.changelog": 2}
    with pytest.raises(RefusedError, match=r"alerts 4, spillway\.dedupe\.changelog 2"):
        check_topics(Settings(), STAGE, [INPUT], topics)


def test_a_missing_topic_is_one_line_that_says_what_to_do(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPILLWAY_BOOTSTRAP", bench.kafka)
    monkeypatch.setenv("SPILLWAY_TOPIC_PREFIX", bench.prefix)
    result = CliRunner().invoke(run, ["correlate"])
    assert result.exit_code == 1
    assert result.output == f"Error: topic {bench.prefix}changes is missing: run `spillway topics apply`\n"


def test_no_broker_is_one_line_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPILLWAY_BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setattr("pipeline.runtime.broker.ANSWER_SECONDS_MAX", 0.5)
    result = CliRunner().invoke(run, ["dedupe"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: no Kafka broker answers at 127.0.0.1:1")
    assert len(result.output.splitlines()) == 1
