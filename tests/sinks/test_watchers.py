"""The watchers of the deliver worker: what they read is on ``sink.updates``; who polls and who reconciles."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, cast

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.core.identity import partition_of, short_id
from pipeline.models.delivery import DELIVERIES_TOPIC
from pipeline.models.policy import Config
from pipeline.models.remote import SINK_UPDATES_TOPIC, SinkUpdate, UpdateKind
from pipeline.models.sinks.servicenow import ServiceNow
from pipeline.settings import Settings
from pipeline.sinks.looking import Surroundings
from pipeline.sinks.outcomes import OutcomeTopic
from pipeline.sinks.poller import polling_partition
from pipeline.sinks.watch import Watched
from pipeline.sinks.watchers import WATCHERS, poll_sinks, reconcile_sinks
from tests.gateway.house import read_records
from tests.sinks.record_desk import BEGAN, Books, Clock, DeskClient, DeskServer, TimeIsOver, known

PARTITIONS = 4
SECONDS_MAX = 30
HERE = polling_partition("desk", PARTITIONS)
ELSEWHERE = (HERE + 1) % PARTITIONS
IDS = [short_id("INC", str(number)) for number in range(6)]


def rules(url: str, **more: Any) -> ServiceNow:
    fields: dict[str, Any] = {"poll_seconds": 60, "reconcile_minutes": 60, **more}
    return ServiceNow(name="desk", url=url, user="spillway", secret_env="DESK", **fields)


def _as_it_is(books: Any) -> Books:
    """These tests write the ledger by hand."""
    return cast(Books, books)


def watched(
    server: DeskServer,
    client: DeskClient,
    publish: Callable[[SinkUpdate], Awaitable[None]],
    books: dict[int, Books],
    **more: Any,
) -> Watched:
    return Watched(
        config=Config(sinks={"desk": rules(server.url, **more)}),
        clients={"desk": client},
        processors=cast(Any, books),
        partitions=PARTITIONS,
        publish=publish,
    )


@pytest.fixture
def settings(kafka: str, prefix: str) -> Iterator[Settings]:
    client = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    topics = [f"{prefix}{name}" for name in (SINK_UPDATES_TOPIC, DELIVERIES_TOPIC)]
    for made in client.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics]).values():
        made.result(SECONDS_MAX)
    yield Settings(bootstrap=kafka, topic_prefix=prefix)
    for gone in client.delete_topics(topics).values():
        gone.result(SECONDS_MAX)


def test_what_is_polled_and_what_drifted_is_in_the_topic_beside_its_incident(settings: Settings) -> None:
    async def test() -> None:
        server, topic, clock = DeskServer(), OutcomeTopic(settings), Clock()
        for each in IDS:
            server.put(each, BEGAN)
        del server.records[f"R-{IDS[0]}"]
        books = {HERE: Books([known(each, assignee="ben") for each in IDS])}
        await topic.start()
        written, kinds = asyncio.Event(), set[UpdateKind]()

        async def publish(update: SinkUpdate) -> None:
            await topic.publish(update)
            kinds.add(update.kind)
            if kinds == {UpdateKind.READ, UpdateKind.POLLED, UpdateKind.GONE}:
                written.set()

        async with server.running():
            client = DeskClient(server.url)
            around = Surroundings(write=publish, clock=clock, sleep=clock.sleep)
            given = watched(server, client, publish, books)
            loops = [asyncio.create_task(each(given, around, _as_it_is)) for each in (poll_sinks, reconcile_sinks)]
            await asyncio.wait_for(written.wait(), SECONDS_MAX)
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
            await client.close()
        await topic.stop()

    asyncio.run(test())
    records = read_records(settings.bootstrap, settings.wire(SINK_UPDATES_TOPIC), len(IDS) + 1)
    updates = [SinkUpdate.model_validate_json(each.value() or b"") for each in records]
    for record, update in zip(records, updates, strict=True):
        assert record.key() == update.incident_id.encode()
        assert record.partition() == partition_of(update.incident_id.encode(), PARTITIONS)
    assert set(IDS[1:]) == {each.incident_id for each in updates if each.kind is UpdateKind.READ}
    assert {IDS[0]} == {each.incident_id for each in updates if each.kind is UpdateKind.GONE}
    assert {"desk"} == {each.incident_id for each in updates if each.kind is UpdateKind.POLLED}


def hours(work: Any, owned: dict[int, Books], hours: int = 6, **more: Any) -> DeskServer:
    """What a watcher asks a desk in so many hours."""
    server = DeskServer()

    async def test() -> None:
        clock = Clock(timedelta(hours=hours))

        async def publish(update: SinkUpdate) -> None:
            """Nobody reads it."""

        server.put(IDS[0], BEGAN)
        server.down = more.pop("down", False)
        async with server.running():
            client = DeskClient(server.url)
            around = Surroundings(write=publish, clock=clock, sleep=clock.sleep)
            try:
                await work(watched(server, client, publish, owned, **more), around, _as_it_is)
            except* TimeIsOver:
                pass
            await client.close()

    asyncio.run(test())
    return server


def test_only_who_owns_the_partition_of_a_sinks_name_polls_it() -> None:
    assert len(hours(poll_sinks, {HERE: Books()}).journal) == 6 * 60 + 1
    assert hours(poll_sinks, {ELSEWHERE: Books()}).journal == []


def test_who_owns_any_partition_reconciles_its_records() -> None:
    assert len(hours(reconcile_sinks, {HERE: Books([known(IDS[0])]), ELSEWHERE: Books([known(IDS[1])])}).journal) == 12


@pytest.mark.parametrize(("work", "field"), [(poll_sinks, "poll_seconds"), (reconcile_sinks, "reconcile_minutes")])
def test_a_sink_that_need_not_be_watched_is_not(work: Any, field: str) -> None:
    assert hours(work, {HERE: Books([known(IDS[0])])}, **{field: 0}).journal == []


def test_a_sink_that_is_down_is_asked_less_and_less_often() -> None:
    asked = hours(poll_sinks, {HERE: Books()}, down=True).journal
    assert 24 < len(asked) < 70  # of 361; each counts for one or two, since a connection that was reset is tried again


def test_an_update_that_cannot_be_written_ends_the_watcher() -> None:
    async def test() -> None:
        async def publish(update: SinkUpdate) -> None:
            raise OSError("no broker")

        server = DeskServer()
        server.put(IDS[0], BEGAN)
        async with server.running():
            client, clock = DeskClient(server.url), Clock()
            around = Surroundings(write=publish, clock=clock, sleep=clock.sleep)
            with pytest.raises(ExceptionGroup) as failed:
                await poll_sinks(watched(server, client, publish, {HERE: Books()}), around, _as_it_is)
            await client.close()
        assert [str(each) for each in failed.value.exceptions] == ["no broker"]

    asyncio.run(test())


def test_the_worker_knows_both() -> None:
    assert (poll_sinks, reconcile_sinks) == WATCHERS
