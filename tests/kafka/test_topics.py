"""Topics planned from the flow and applied to a real broker: shown first, never shrunk, done once."""

from __future__ import annotations

import orjson
import pytest
from click.testing import CliRunner, Result
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

from pipeline.cli import main
from pipeline.flow import DAY_MS, RAW_RECORD_BYTES_MAX, SHADOW_CHANGELOG, SHADOW_STATUS, changelog_topic
from pipeline.kafka.topics import DesiredTopic, Plan, TopicsError, apply, desired_topics, plan
from pipeline.models.policy import Config, Feed
from pipeline.settings import Settings
from tests.support import wait_until

CONFIG = Config(feeds={"factory": Feed(name="factory", adapter="zabbix")})


@pytest.fixture
def admin(kafka: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": kafka})


def settings(kafka: str, prefix: str, **more: object) -> Settings:
    return Settings.model_validate({"bootstrap": kafka, "topic_prefix": prefix, "partitions": 2, **more})


def topic_config(admin: AdminClient, name: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, name)
    entries = admin.describe_configs([resource])[resource].result(10)
    return {entry: found.value for entry, found in entries.items()}


def test_applying_a_plan_leaves_nothing_to_plan(kafka: str, prefix: str, admin: AdminClient) -> None:
    wanted = desired_topics(settings(kafka, prefix), CONFIG)
    first = plan(admin, wanted)
    assert [topic.name for topic in first.create] == [topic.name for topic in wanted]
    apply(admin, first)
    assert plan(admin, wanted) == Plan()
    apply(admin, first)  # once more is once
    assert plan(admin, wanted).empty


def test_a_plan_alone_makes_nothing(kafka: str, prefix: str, admin: AdminClient) -> None:
    plan(admin, desired_topics(settings(kafka, prefix), CONFIG))
    assert not [name for name in admin.list_topics(timeout=10).topics if name.startswith(prefix)]


def test_topics_get_what_the_flow_says(kafka: str, prefix: str, admin: AdminClient) -> None:
    apply(admin, plan(admin, desired_topics(settings(kafka, prefix), CONFIG)))
    listed = admin.list_topics(timeout=10).topics
    assert len(listed[f"{prefix}alerts.raw.factory"].partitions) == 2
    assert len(listed[f"{prefix}alerts.raw.zabbix"].partitions) == 1  # nobody asked for it
    assert len(listed[f"{prefix}incidents.summaries"].partitions) == 1
    assert len(listed[prefix + changelog_topic("bridge")].partitions) == 1

    raw = topic_config(admin, f"{prefix}alerts.raw.factory")
    assert raw["message.timestamp.type"] == "LogAppendTime"
    assert int(raw["max.message.bytes"]) > RAW_RECORD_BYTES_MAX
    assert raw["retention.ms"] == str(7 * DAY_MS)
    state = topic_config(admin, prefix + changelog_topic("dedupe"))
    assert state["cleanup.policy"] == "compact"
    assert state["message.timestamp.type"] == "CreateTime"
    assert topic_config(admin, f"{prefix}changes")["message.timestamp.type"] == "LogAppendTime"
    assert topic_config(admin, f"{prefix}incidents")["message.timestamp.type"] == "CreateTime"


def test_a_recordings_clock_keeps_the_recorded_times_and_all_records(
    kafka: str, prefix: str, admin: AdminClient
) -> None:
    apply(admin, plan(admin, desired_topics(settings(kafka, prefix, clock="recording"), CONFIG)))
    raw = topic_config(admin, f"{prefix}alerts.raw.factory")
    assert raw["message.timestamp.type"] == "CreateTime"
    assert raw["retention.ms"] == "-1"
    year_2100_ms = 4_102_444_800_000
    failures: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": kafka})
    for topic in ("alerts.raw.factory", "alerts", "incidents"):
        producer.produce(
            prefix + topic, b"{}", timestamp=year_2100_ms, on_delivery=lambda error, _: failures.append(error)
        )
    assert producer.flush(20) == 0
    assert failures == [None, None, None]


def test_the_largest_raw_record_fits_and_so_does_its_dead_letter(kafka: str, prefix: str, admin: AdminClient) -> None:
    apply(admin, plan(admin, desired_topics(settings(kafka, prefix), CONFIG)))
    failures: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": kafka, "message.max.bytes": 32 << 20})
    for topic in ("alerts.raw.factory", "dead.letter"):
        producer.produce(
            prefix + topic,
            bytes(RAW_RECORD_BYTES_MAX),
            headers=[("spillway-detail", bytes(10_000))],
            on_delivery=lambda error, _: failures.append(error),
        )
    assert producer.flush(30) == 0
    assert failures == [None, None]


def test_what_an_operator_made_larger_stays_unless_shrinking_is_allowed(
    kafka: str, prefix: str, admin: AdminClient
) -> None:
    name = f"{prefix}alerts"
    large = DesiredTopic(
        name=name,
        partitions=1,
        replication_factor=1,
        config={"retention.ms": "-1", "max.message.bytes": "3000000", "cleanup.policy": "compact"},
    )
    small = DesiredTopic(
        name=name,
        partitions=1,
        replication_factor=1,
        config={"retention.ms": "1000", "max.message.bytes": "2000000", "cleanup.policy": "delete"},
    )
    apply(admin, plan(admin, [large]))
    kept = plan(admin, [small])
    assert kept.empty
    assert {change.setting for change in kept.keep} == {"retention.ms", "max.message.bytes", "cleanup.policy"}
    apply(admin, kept)
    assert topic_config(admin, name)["retention.ms"] == "-1"
    apply(admin, plan(admin, [small], allow_shrink=True))
    assert topic_config(admin, name)["retention.ms"] == "1000"
    apply(admin, plan(admin, [large], allow_shrink=True))
    assert topic_config(admin, name)["retention.ms"] == "-1"


def test_a_longer_retention_is_applied(kafka: str, prefix: str, admin: AdminClient) -> None:
    name = f"{prefix}alerts"
    admin.create_topics([NewTopic(name, 2, 1, config={"retention.ms": "1000"})])[name].result(10)
    wait_until(lambda: name in admin.list_topics(timeout=10).topics, 10, "the broker knows the topic that it made")
    wanted = [topic for topic in desired_topics(settings(kafka, prefix), CONFIG) if topic.name == name]
    difference = plan(admin, wanted)
    assert f"~ {name}  retention.ms: 1000 -> {7 * DAY_MS}" in difference.lines()
    apply(admin, difference)
    assert plan(admin, wanted) == Plan()


def test_without_feeds_in_the_configuration_every_adapter_gets_the_usual_partitions(kafka: str) -> None:
    wanted = {each.name: each.partitions for each in desired_topics(settings(kafka, ""), Config())}

    assert wanted["alerts.raw.zabbix"] == wanted["alerts.raw.jira"] == 2


def test_a_raw_topic_with_another_partition_count_is_left_alone(kafka: str, prefix: str, admin: AdminClient) -> None:
    apply(admin, plan(admin, desired_topics(settings(kafka, prefix), CONFIG)))
    asked_for = Config(feeds={name: Feed(name=name, adapter="zabbix") for name in ("factory", "zabbix")})

    difference = plan(admin, desired_topics(settings(kafka, prefix), asked_for))

    assert difference.empty
    assert difference.remark[0].startswith(f"{prefix}alerts.raw.zabbix has 1 partitions and 2 are wanted")


def test_a_changed_partition_count_is_refused_with_the_reason(kafka: str, prefix: str, admin: AdminClient) -> None:
    wanted = desired_topics(settings(kafka, prefix), CONFIG)
    apply(admin, plan(admin, wanted))
    name = f"{prefix}episodes"
    admin.create_partitions([NewPartitions(name, 3)])[name].result(10)
    wait_until(lambda: plan(admin, wanted).refuse, 10, "the broker to show the new partition")
    difference = plan(admin, wanted)
    assert len(difference.refuse) == 1
    assert difference.refuse[0].startswith(f"{name} has 3 partitions and 2 are wanted: a changed count moves keys")
    with pytest.raises(TopicsError, match="moves keys"):
        apply(admin, difference)


def invoke(kafka: str, prefix: str, *arguments: str, **environment: str) -> Result:
    variables = {
        "SPILLWAY_TOPIC_PREFIX": prefix,
        "SPILLWAY_BOOTSTRAP": kafka,
        "SPILLWAY_PARTITIONS": "2",
        **environment,
    }
    return CliRunner().invoke(main, ["topics", *arguments], env=variables)


def test_the_command_shows_the_difference_then_applies_it_once(kafka: str, prefix: str) -> None:
    shown = invoke(kafka, prefix, "plan")
    assert shown.exit_code == 0, shown.output
    assert f"+ {prefix}alerts  partitions=2" in shown.output
    applied = invoke(kafka, prefix, "apply")
    assert applied.exit_code == 0, applied.output
    assert applied.output.startswith("+ ")
    assert "created" in applied.output
    again = invoke(kafka, prefix, "apply")
    assert again.output == "the topics are as they should be\n"


def test_the_command_speaks_json_and_refuses_with_exit_code_two(kafka: str, prefix: str) -> None:
    applied = orjson.loads(invoke(kafka, prefix, "apply", "--json").output)
    assert applied["applied"]
    assert f"{prefix}alerts" in {topic["topic"] for topic in applied["create"]}
    refused = invoke(kafka, prefix, "apply", SPILLWAY_PARTITIONS="5")
    assert refused.exit_code == 2
    assert f"! {prefix}alerts has 2 partitions and 5 are wanted" in refused.output


def test_a_broker_that_does_not_answer_is_one_line(prefix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.kafka.topics.REQUEST_SECONDS_MAX", 0.5)
    failed = invoke("127.0.0.1:1", prefix, "plan")
    assert failed.exit_code == 1
    assert failed.output.startswith("Error: cannot list the topics")
    assert failed.output.count("\n") == 1


def test_a_bad_bootstrap_address_is_one_line(prefix: str) -> None:
    failed = invoke("127.0.0.1:1", prefix, "plan", "--bootstrap", "nonsense")
    assert failed.exit_code == 1
    assert failed.output.startswith("Error: --bootstrap 'nonsense'")


def test_kafka_itself_refuses_what_the_flow_never_asks(kafka: str, prefix: str, admin: AdminClient) -> None:
    bad = DesiredTopic(name=f"{prefix}alerts", partitions=1, replication_factor=9, config={})
    with pytest.raises(TopicsError, match="cannot create topic") as failure:
        apply(admin, plan(admin, [bad]))
    assert isinstance(failure.value.__cause__, KafkaException)


def test_the_shadows_topics_are_wanted_where_there_is_a_shadow(kafka: str, prefix: str) -> None:
    without = {topic.name for topic in desired_topics(settings(kafka, prefix), CONFIG)}
    wanted = desired_topics(settings(kafka, prefix, shadow_config="shadow"), CONFIG)
    more = [topic for topic in wanted if topic.name not in without]
    assert [topic.name for topic in more] == [prefix + SHADOW_CHANGELOG, prefix + SHADOW_STATUS]
    assert {(topic.partitions, topic.config["cleanup.policy"]) for topic in more} == {(1, "compact")}
