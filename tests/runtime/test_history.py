"""What the brokers hold does not fit what was committed: the start is refused with a sentence, never guessed."""

from __future__ import annotations

import asyncio

import aiokafka
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewPartitions

from pipeline.core.migrate import MIGRATIONS, STATE_SCHEMAS
from pipeline.flow import changelog_topic
from pipeline.runtime.context import StageContext
from pipeline.runtime.guard import EXIT_REFUSED, RefusedError
from pipeline.runtime.history import check_replication, check_still, topic_makes
from pipeline.runtime.host import StageHost
from pipeline.runtime.note import OffsetNote
from pipeline.runtime.restore import restore
from pipeline.settings import Settings
from tests.runtime.inside import context, running, until
from tests.runtime.toy import INPUT, OUTPUT, STAGE, Count
from tests.runtime.workers import PARTITIONS, Bench, app_id, out_of_sequence
from tests.support import wait_until

# A change is made by the controller, and shown by each broker a little later.
SHOWN_SECONDS_MAX = 20.0

CHANGELOG = changelog_topic(STAGE)


def settle(bench: Bench, count: int = 8) -> None:
    """Let a worker handle records, and stop it."""
    worker = bench.worker().wait_ready()
    for number in range(count):
        bench.send(f"k{number % PARTITIONS}", b"x", partition=number % PARTITIONS)
    bench.flush()
    bench.wait_committed(bench.sent)
    assert worker.terminate() == 0


def refusal(bench: Bench, *more: str) -> str:
    """What a worker says that refuses to start."""
    worker = bench.worker(*more)
    assert worker.exit_code() == EXIT_REFUSED, worker.said
    (told,) = [line for line in worker.events() if line["event"] == "refused"]
    why = str(told["why"])
    assert "\n" not in why
    return why


@pytest.mark.parametrize("topic", [INPUT, OUTPUT, CHANGELOG])
def test_a_raised_partition_count_of_input_output_or_changelog_is_refused(topic: str, bench: Bench) -> None:
    settle(bench)
    (grown,) = bench.admin.create_partitions([NewPartitions(bench.prefix + topic, PARTITIONS + 2)]).values()
    grown.result()
    said = f"topic {topic} has {PARTITIONS + 2} partitions and had {PARTITIONS} when stage {STAGE} last committed"
    assert said in refusal(bench)


def test_a_changelog_that_was_made_anew_is_refused(bench: Bench) -> None:
    settle(bench)
    bench.drop(CHANGELOG)
    bench.topic(CHANGELOG)
    why = refusal(bench)
    assert f"topic {CHANGELOG} was made anew since stage {STAGE} wrote it" in why
    assert "SPILLWAY_APP_ID" in why


def test_an_input_that_was_made_anew_is_refused_also_where_its_offsets_went_with_it(bench: Bench) -> None:
    settle(bench)
    note = OffsetNote("an older topic's id", partitions={INPUT: PARTITIONS}).to_text()
    commit_by_hand(bench, 2, note)
    assert f"topic {INPUT} was made anew since stage {STAGE} read it" in refusal(bench)
    bench.drop(INPUT)
    bench.topic(INPUT)
    assert "has state, and group" in refusal(bench)


def test_records_that_went_unread_are_not_passed_over_silently(bench: Bench) -> None:
    settle(bench)
    for _ in range(20):
        bench.send("a", b"x")
    bench.flush()
    place = TopicPartition(bench.prefix + INPUT, 0, 12)
    (gone,) = bench.admin.delete_records([place]).values()
    gone.result()
    why = refusal(bench)
    assert f"{bench.prefix}{INPUT}-0 at 2 is not in the log any more or not yet" in why
    assert "--reset-offsets" in why


def test_an_offset_beyond_the_end_of_the_log_is_refused(bench: Bench) -> None:
    settle(bench)
    commit_by_hand(bench, 1_000)
    assert f"{bench.prefix}{INPUT}-0 at 1000 is not in the log" in refusal(bench)


def commit_by_hand(bench: Bench, offset: int, note: str = "") -> None:
    place = aiokafka.TopicPartition(bench.prefix + INPUT, 0)

    async def commit() -> None:
        consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=bench.kafka, group_id=f"{app_id(bench.prefix)}-{STAGE}", enable_auto_commit=False
        )
        await consumer.start()
        consumer.assign([place])
        await consumer.commit({place: aiokafka.structs.OffsetAndMetadata(offset, note)})
        await consumer.stop()

    asyncio.run(commit())


def test_state_without_offsets_is_refused_before_it_counts_anything_twice(bench: Bench) -> None:
    settle(bench)
    written = len(bench.read_all(OUTPUT))
    group = f"{app_id(bench.prefix)}-{STAGE}"
    (gone,) = bench.admin.delete_consumer_groups([group]).values()
    gone.result()
    assert f"has state, and group {group} has no committed offset" in refusal(bench)
    assert len(bench.read_all(OUTPUT)) == written


def test_offsets_that_an_operator_set_by_hand_are_obeyed(bench: Bench) -> None:
    settle(bench)
    bench.send("a", b"skipped")
    bench.send("k0", b"x")
    bench.flush()
    commit_by_hand(bench, 3)
    bench.worker().wait_ready()
    assert out_of_sequence(bench.read(OUTPUT, 9)) == {}


def test_a_topic_that_changes_under_a_running_stage_ends_it(bench: Bench) -> None:
    given = context(bench)
    asyncio.run(check_still(given))
    (grown,) = bench.admin.create_partitions([NewPartitions(bench.prefix + OUTPUT, PARTITIONS + 1)]).values()
    grown.result()
    wait_until(lambda: f"topic {OUTPUT} has id" in told(given), SHOWN_SECONDS_MAX, "the brokers show the partition")
    assert f"and {PARTITIONS + 1} partitions now" in told(given)
    bench.drop(INPUT)
    wait_until(lambda: f"topic {INPUT} is gone" in told(given), SHOWN_SECONDS_MAX, "the brokers forget the topic")


def told(given: StageContext) -> str:
    """What a running stage says of its topics; nothing where they are as they were."""
    try:
        asyncio.run(check_still(given))
    except RefusedError as error:
        return str(error)
    return ""


def test_a_partition_that_was_not_there_at_the_start_is_not_served(bench: Bench) -> None:
    async def given_one_more() -> None:
        await StageHost(context(bench)).open([0, PARTITIONS])

    with pytest.raises(RefusedError, match=f"was given partition {PARTITIONS}, and its inputs had {PARTITIONS}"):
        asyncio.run(given_one_more())


def test_production_refuses_topics_that_one_broker_would_take_along(bench: Bench) -> None:
    assert "has 1 copies and SPILLWAY_PRODUCTION asks for 3" in refusal(bench, "--production")


def test_production_refuses_a_write_that_counts_with_one_copy(bench: Bench) -> None:
    settings = Settings(bootstrap=bench.kafka, topic_prefix=bench.prefix, production=True)
    copied = {name: make._replace(replicas=3) for name, make in topic_makes(settings, [INPUT]).items()}
    with pytest.raises(RefusedError, match="SPILLWAY_PRODUCTION asks for"):
        check_replication(settings, copied)


# -- state of other releases


def restored(bench: Bench, partition: int = 0) -> Count:
    settings = Settings(bootstrap=bench.kafka, topic_prefix=bench.prefix)
    processor = Count()
    asyncio.run(restore(settings, STAGE, partition, processor, lambda: False))
    return processor


HERE = STATE_SCHEMAS[STAGE]
"""The form of state records that this release writes."""


def test_state_of_an_older_release_is_migrated_and_state_of_a_later_one_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(bench)
    assert restored(bench).counts == {"k0": 2}
    # A later release counts in tens. Records of both stand side by side until the older have changed.
    monkeypatch.setitem(STATE_SCHEMAS, STAGE, HERE + 1)
    monkeypatch.setitem(MIGRATIONS, (STAGE, HERE), lambda key, count: count * 10)
    assert restored(bench).counts == {"k0": 20}
    handle_here(bench)
    assert restored(bench).counts == {"k0": 20, "new": 1}
    monkeypatch.setitem(STATE_SCHEMAS, STAGE, HERE)
    refused = rf"'new' was written by another release .*schema {HERE + 1}, this release reads {HERE}"
    with pytest.raises(RefusedError, match=refused):
        restored(bench)


def test_a_release_that_has_lost_the_way_from_an_older_schema_refuses_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(bench)
    monkeypatch.setitem(STATE_SCHEMAS, STAGE, HERE + 2)
    monkeypatch.setitem(MIGRATIONS, (STAGE, HERE + 1), lambda key, count: count)
    with pytest.raises(RefusedError, match=f"schema {HERE}, this release reads {HERE + 2}"):
        restored(bench)


def handle_here(bench: Bench) -> None:
    """Handle one record in a stage inside this process."""

    async def handled() -> None:
        async with running(context(bench)):
            bench.send("new", b"x")
            await asyncio.to_thread(bench.flush)
            await until(lambda: bench.committed() >= bench.sent, "it is handled")

    asyncio.run(handled())
