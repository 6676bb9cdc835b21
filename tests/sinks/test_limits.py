"""The bucket of tokens: its rate holds whatever happens, no token is lost, and the most urgent is served first."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.sinks.streams import Webhook
from pipeline.sinks.limits import PATIENCE_SECONDS, RANK_POLL, Bucket, Buckets, ranked
from tests.sinks.virtual import VirtualLoop, run_virtually

SLACK = 1e-6
"""Of sums of floats."""


@dataclass
class Takers:
    """Tasks that take a token each, and what became of them."""

    bucket: Bucket
    loop: VirtualLoop
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    served: list[tuple[float, int, int]] = field(default_factory=list)
    """When, rank and number of each that was served, in order."""

    def add(self, rank: int) -> None:
        number = len(self.tasks)

        async def take() -> None:
            await self.bucket.take(rank)
            self.served.append((self.loop.time(), rank, number))

        self.tasks.append(asyncio.create_task(take()))

    async def end(self) -> None:
        await asyncio.gather(*self.tasks, return_exceptions=True)


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(0, 3)),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("pause"), st.floats(0.1, 5)),
        st.tuples(st.just("share"), st.floats(0.1, 1)),
        st.tuples(st.just("wait"), st.floats(0.01, 3)),
    ),
    max_size=40,
)


@given(rate=st.floats(0.2, 50), burst=st.integers(1, 5), actions=ACTIONS)
def test_whatever_happens_the_rate_holds_in_every_span_and_nobody_is_forgotten(
    rate: float, burst: int, actions: list[tuple[str, float]]
) -> None:
    async def test(loop: VirtualLoop) -> None:
        bucket = Bucket(rate, burst, loop.time)
        takers = Takers(bucket, loop)
        for what, how in actions:
            if what == "take":
                takers.add(int(how))
            elif what == "cancel" and takers.tasks:
                takers.tasks[int(how) % len(takers.tasks)].cancel()
            elif what == "pause":
                bucket.pause(how)
            elif what == "share":
                bucket.limit_to(how)
            elif what == "wait":
                await asyncio.sleep(how)
        await takers.end()
        cancelled = sum(task.cancelled() for task in takers.tasks)
        assert len(takers.served) + cancelled == len(takers.tasks)
        times = [at for at, _, _ in takers.served]
        for first in range(len(times)):
            for last in range(first, len(times)):
                assert last - first + 1 <= burst + (times[last] - times[first]) * rate + SLACK

    run_virtually(test)


@given(ranks=st.lists(st.integers(0, 3), min_size=2, max_size=20), cancelled=st.sets(st.integers(0, 19)))
def test_who_waits_is_served_by_rank_and_then_in_the_order_of_coming_at_the_full_rate(
    ranks: list[int], cancelled: set[int]
) -> None:
    async def test(loop: VirtualLoop) -> None:
        bucket = Bucket(1.0, 1, loop.time)
        await bucket.take()
        takers = Takers(bucket, loop)
        for rank in ranks:
            takers.add(rank)
        await asyncio.sleep(0.5)
        for number in cancelled & set(range(len(ranks))):
            takers.tasks[number].cancel()
        await takers.end()
        left = sorted((rank, number) for number, rank in enumerate(ranks) if number not in cancelled)
        assert [(rank, number) for _, rank, number in takers.served] == left
        # One each second from the first on: no token was lost with those who went away.
        assert [at for at, _, _ in takers.served] == pytest.approx([1.0 + n for n in range(len(left))], abs=0.01)

    run_virtually(test)


def test_a_token_that_was_given_to_somebody_who_is_cancelled_in_that_moment_goes_to_the_next() -> None:
    async def test(loop: VirtualLoop) -> None:
        bucket = Bucket(1.0, 1, loop.time)
        await bucket.take()
        takers = Takers(bucket, loop)
        takers.add(0)
        takers.add(1)
        # Served at one second and woken in the next turn: cancelled in between.
        serve = bucket._serve

        def serve_and_cancel() -> None:
            serve()
            takers.tasks[0].cancel()
            bucket._serve = serve  # type: ignore[method-assign]  # once

        bucket._serve = serve_and_cancel  # type: ignore[method-assign]  # the moment cannot be met from outside
        await takers.end()
        assert takers.tasks[0].cancelled()
        assert [(round(at, 2), number) for at, _, number in takers.served] == [(1.0, 1)]

    run_virtually(test)


def test_a_pause_holds_all_and_its_length_is_counted_once() -> None:
    async def test(loop: VirtualLoop) -> None:
        bucket = Bucket(0, 5, loop.time)
        bucket.pause(10)
        bucket.pause(4)
        await bucket.take()
        assert loop.time() == pytest.approx(10, abs=0.01)
        assert bucket.paused_total_seconds == pytest.approx(10)
        await asyncio.wait_for(asyncio.gather(*(bucket.take() for _ in range(100))), 0.1)

    run_virtually(test)


def test_a_poll_that_waits_behind_a_backlog_has_its_turn_within_the_patience() -> None:
    async def test(loop: VirtualLoop) -> None:
        bucket = Bucket(1.0, 1, loop.time)
        takers = Takers(bucket, loop)
        for _ in range(100):
            takers.add(0)
        await asyncio.sleep(0)
        takers.add(RANK_POLL)
        await takers.end()
        [polled] = [at for at, rank, _ in takers.served if rank == RANK_POLL]
        assert PATIENCE_SECONDS <= polled <= 100
        # Those from before it have waited as long, and they came first.
        assert [number for _, _, number in takers.served] == list(range(101))

    run_virtually(test)


def test_a_poll_goes_before_sends_that_came_long_after_it() -> None:
    async def test(loop: VirtualLoop) -> None:
        bucket = Bucket(1.0, 1, loop.time)
        takers = Takers(bucket, loop)
        takers.add(0)
        takers.add(RANK_POLL)
        for _ in range(60):
            takers.add(0)
            await asyncio.sleep(0.9)
        await takers.end()
        [polled] = [at for at, rank, _ in takers.served if rank == RANK_POLL]
        assert polled == pytest.approx(PATIENCE_SECONDS, abs=1.01)

    run_virtually(test)


def test_who_waits_for_an_hour_costs_a_handful_of_turns() -> None:
    async def test(loop: VirtualLoop) -> None:
        bucket = Bucket(1 / 3_600, 1, loop.time)
        await bucket.take()
        before = loop.turns
        await bucket.take()
        assert loop.time() == pytest.approx(3_600, abs=0.1)
        assert loop.turns - before < 10

    run_virtually(test)


def test_an_attempt_that_is_chosen_has_its_first_token_and_gives_it_back_where_it_asks_for_nothing() -> None:
    async def test(loop: VirtualLoop) -> None:
        bucket = Bucket(1.0, 1, loop.time)
        reserved = bucket.reserve()
        assert reserved is not None
        assert bucket.reserve() is None
        reserved.release()
        reserved.release()
        reserved = bucket.reserve()
        assert reserved is not None
        with reserved:
            await bucket.take()  # paid for
            assert loop.time() == 0
            await bucket.take()
            assert loop.time() == pytest.approx(1.0, abs=0.01)
        reserved.release()
        assert bucket.reserve() is None

    run_virtually(test)


def test_what_is_reserved_at_one_credential_pays_at_no_other() -> None:
    async def test(loop: VirtualLoop) -> None:
        ours, other = Bucket(1.0, 1, loop.time), Bucket(1.0, 1, loop.time)
        await other.take()
        reserved = ours.reserve()
        assert reserved is not None
        with reserved:
            await other.take()
        assert loop.time() == pytest.approx(1.0, abs=0.01)

    run_virtually(test)


def test_what_runs_beside_is_of_its_rank_whatever_its_requests_say() -> None:
    async def test(loop: VirtualLoop) -> None:
        bucket = Bucket(1.0, 1, loop.time)
        await bucket.take()
        takers = Takers(bucket, loop)
        with ranked(RANK_POLL):
            takers.add(0)
        await asyncio.sleep(0.1)
        takers.add(3)
        await takers.end()
        assert [number for _, _, number in takers.served] == [1, 0]

    run_virtually(test)


def test_workers_share_a_rate_by_the_partitions_that_they_own() -> None:
    async def test(loop: VirtualLoop) -> None:
        workers = [Buckets(loop.time) for _ in range(3)]
        rules = Webhook(name="desk", url="https://desk.example", secret_env="DESK", requests_per_second=8, burst=8)
        buckets = [each.of(rules) for each in workers]
        for each, owned in zip(workers, (1, 2, 5), strict=True):
            each.limit_to(owned, 8)
        takers = [Takers(bucket, loop) for bucket in buckets]
        for taker in takers:
            for _ in range(100):
                taker.add(0)
        await asyncio.sleep(10.05)
        assert [len(taker.served) for taker in takers] == [11, 22, 55]  # with their share of the burst
        for taker in takers:
            for task in taker.tasks:
                task.cancel()
            await taker.end()

    run_virtually(test)


def test_sinks_of_one_credential_share_its_bucket_and_the_slowest_of_them_says_how_fast() -> None:
    buckets = Buckets()
    fast, slow = (
        Webhook(name=name, url="https://desk.example", secret_env="DESK", requests_per_second=rate)
        for name, rate in (("a", 5), ("b", 2))
    )
    assert buckets.of(fast) is buckets.of(slow)
    assert buckets.of(fast).per_second == 2


def test_waiters_that_went_away_do_not_pile_up() -> None:
    async def test(loop: VirtualLoop) -> None:
        bucket = Bucket(0.001, 1, loop.time)
        await bucket.take()
        for _ in range(1_000):
            task = asyncio.create_task(bucket.take(1))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert len(bucket._queue) < 100
        assert len(bucket._arrived) < 100

    run_virtually(test)
