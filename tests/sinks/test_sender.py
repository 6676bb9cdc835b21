"""The sender with outboxes and webhook sinks against real HTTP servers: order, retries, isolation."""

from __future__ import annotations

import asyncio

from aiohttp import web

from pipeline.models.delivery import Delivery
from pipeline.sinks.limits import Buckets
from pipeline.sinks.sender import Sender
from tests.sinks.receivers import (
    SECONDS_MAX,
    Receiver,
    World,
    outlet,
    responding,
    run,
    send,
    serving,
    sink,
)


def test_a_failing_receiver_gets_the_same_id_again_and_the_order_of_an_incident_holds() -> None:
    receiver = Receiver(500, 503, 429)

    async def test() -> None:
        async with serving(receiver.handle) as url:
            world = World(sink("desk", url))
            for revision, change in enumerate(["opened", "resolved", "reopened"], 1):
                world.event(revision, change)
            await world.until(lambda: len(world.outcomes) == 6)
            await world.sender.close()
            assert world.lost == []

    run(test())
    assert receiver.got == ["INC-1/1/desk"] * 4 + ["INC-1/2/desk", "INC-1/3/desk"]
    assert receiver.at_once_max == 1


def test_a_sink_that_hangs_delays_no_other() -> None:
    receiver = Receiver()

    async def hang(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets this event")

    async def test() -> None:
        async with serving(receiver.handle) as url, serving(hang) as dead:
            world = World(sink("dead", dead, timeout_seconds=SECONDS_MAX), sink("desk", url))
            for number in range(30):
                world.event(1, "opened", f"INC-{number}")
                world.event(2, "resolved", f"INC-{number}")
            await world.until(lambda: len(world.outcomes) == 60)
            assert {outcome.sink for outcome in world.outcomes} == {"desk"}
            await world.sender.close()

    run(test())
    assert len(receiver.got) == 60


def test_a_timeout_is_tried_again_under_the_same_id() -> None:
    ids: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        ids.append(request.headers["webhook-id"])
        if len(ids) == 1:
            await asyncio.Event().wait()
        return web.Response()

    async def test() -> None:
        async with serving(handler) as url:
            world = World(sink("desk", url, timeout_seconds=0.2))
            world.event(1, "opened")
            await world.until(lambda: len(world.outcomes) == 2)
            await world.sender.close()
            assert [outcome.outcome for outcome in world.outcomes] == ["retry", "delivered"]

    run(test())
    assert ids == ["INC-1/1/desk"] * 2


def test_what_a_dead_worker_left_without_outcome_is_sent_again_under_the_same_id() -> None:
    receiver = Receiver()

    async def test() -> None:
        async with serving(receiver.handle) as url:
            first = World(sink("desk", url))
            first.event(1, "opened")
            await first.until(lambda: len(first.outcomes) == 1)  # sent; the outcome never becomes a record
            await first.sender.close()
            second = World(sink("desk", url))
            for key, value in first.processor.take_changes():
                second.processor.restore(key, value)
            second.processor.restored()
            second.sender.assign(0, second.processor.ready())
            await second.until(lambda: len(second.outcomes) == 1)
            await second.sender.close()

    run(test())
    assert receiver.got == ["INC-1/1/desk"] * 2


def test_an_outcome_that_cannot_be_written_is_reported_since_its_head_would_wait_for_ever() -> None:
    async def test() -> None:
        reported = asyncio.get_running_loop().create_future()

        async def refuse(delivery: Delivery) -> None:
            raise ConnectionError(delivery.delivery_id)

        async with serving(responding(200)) as url:
            rules = sink("desk", url)
            sender = Sender({"desk": outlet(rules, Buckets().of(rules))}, refuse, reported.set_result)
            sender.tell(0, [send()])
            assert str(await reported) == "INC-1/1/desk"

    run(test())


def test_a_partition_that_leaves_takes_its_sends_with_it() -> None:
    arrived = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets this event")

    async def test() -> None:
        async with serving(hang) as url:
            world = World(sink("desk", url))
            world.event(1, "opened")
            await arrived.wait()
            await world.sender.release(0, grace_seconds=0)
            assert world.outcomes == []
            assert world.lost == []
            arrived.clear()
            world.sender.assign(0, world.processor.ready())  # it came back to us
            await arrived.wait()
            await world.sender.close()

    run(test())
