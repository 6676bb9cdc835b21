"""The lane of one sink: what it is told next, and what it is being told. Lanes share nothing but a credential's rate.

Of what waits the lowest rank goes first, then the oldest. Each incident has one attempt in flight at most, and none
before the outcome of the attempt before has been taken by its outbox: that is what `Send.turn` says.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil, inf
from time import monotonic
from typing import Any, Final, NamedTuple

from pipeline.core.outward.send import Send
from pipeline.models.delivery import Delivery, DeliveryOutcome
from pipeline.runtime.guard import log_line
from pipeline.sinks.base import Answer, SinkClient, Trouble
from pipeline.sinks.bounds import bounded
from pipeline.sinks.breaker import CREDENTIAL_REFUSED, Breaker, BreakerState, Verdict, verdict
from pipeline.sinks.limits import WAIT_SECONDS_MIN, Bucket, Reservation, ranked
from pipeline.sinks.line import Line, Waiting
from pipeline.sinks.metrics import SinkMetrics
from pipeline.sinks.traced import SinkTraces

SENDS_AT_ONCE_MAX: Final = 8
"""Enough for a storm's incidents to be told within seconds, few enough for a small service desk to bear."""

DETAIL_CHARACTERS_MAX: Final = 300
"""Details are read by people in lists; what a sink answers at length is in the sink's own log."""

DEFECT_FRAMES_MAX: Final = 8
OutcomeWriter = Callable[[Delivery], Coroutine[Any, Any, None]]


class Outlet(NamedTuple):
    """A sink as the sender drives it.

    Attributes:
        client: makes the attempts; None: it is switched off, and what it should be told waits.
        bucket: of its credential.
    """

    client: SinkClient | None
    bucket: Bucket

    @property
    def places(self) -> int:
        """Attempts at once: few where the rate is low, since who has a place cannot be overtaken any more."""
        rate = self.bucket.per_second
        return SENDS_AT_ONCE_MAX if rate <= 0 else min(SENDS_AT_ONCE_MAX, ceil(rate) + 1)


@dataclass(slots=True)
class _Flight:
    """An attempt that is being made, or whose outcome is being written.

    Attributes:
        asks: it is the one that asks whether the sink is back.
        forgotten: its outbox has nothing to send any more, or belongs to another worker.
        following: a later turn that was told meanwhile.
        ended: done when all is over.
    """

    waiting: Waiting
    reservation: Reservation
    asks: bool
    began: float
    ended: asyncio.Future[None]
    task: asyncio.Task[Answer] | asyncio.Task[None] | None = None
    sending: bool = True
    forgotten: bool = False
    following: Send | None = None


@dataclass(slots=True, kw_only=True)
class LaneContext:
    """What all lanes share.

    Attributes:
        write: makes an outcome durable.
        on_lost: called when an outcome could not be written.
        clock: the wall clock.
        monotonic: what waits are measured by.
    """

    write: OutcomeWriter
    on_lost: Callable[[BaseException], None]
    clock: Callable[[], datetime]
    metrics: SinkMetrics
    traces: SinkTraces = field(default_factory=SinkTraces)
    monotonic: Callable[[], float] = monotonic


class Lane:
    """What one sink is told."""

    def __init__(self, name: str, outlet: Outlet, context: LaneContext) -> None:
        self.name = name
        self.outlet = outlet
        self.breaker = Breaker(context.monotonic)
        self._context = context
        self._line = Line()
        self._flights: dict[str, _Flight] = {}
        self._sending = 0
        self._noted: dict[str, tuple[int, int]] = {}
        """Incident -> partition and turn of an attempt whose outcome is written and has not been taken yet."""
        self._timer: asyncio.TimerHandle | None = None

    # -- what is told

    def tell(self, partition: int, send: Send) -> None:
        """Take a send in, instead of the one of its incident that waits. Call `go` afterwards."""
        flight = self._flights.get(send.incident_id)
        if flight is not None:
            if send.turn > flight.waiting.send.turn and not flight.forgotten:
                flight.following = send
            elif flight.forgotten:  # the partition came back while the attempt from before was still ending
                flight.following, flight.waiting.partition = send, partition
            return
        _, noted = self._noted.get(send.incident_id, (0, -1))
        if send.turn <= noted:
            return  # its outcome is on its way to the outbox
        self._noted.pop(send.incident_id, None)
        self._line.put(send, partition)

    def withdraw(self, incident_id: str) -> None:
        """There is nothing to send for an incident any more; an attempt in flight goes on."""
        self._line.drop(incident_id)
        self._noted.pop(incident_id, None)
        if (flight := self._flights.get(incident_id)) is not None:
            flight.forgotten, flight.following = True, None

    # -- what is sent

    def go(self) -> None:
        """Begin as many attempts as there may be now, and come back when there may be more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        client, bucket = self.outlet.client, self.outlet.bucket
        while client is not None and self._line and self._sending < self.outlet.places:
            if (wait := self.breaker.rest_seconds()) > 0:
                self._come_back(wait)
                break
            is_closed = self.breaker.state is BreakerState.CLOSED
            waiting = self._line.first() if is_closed else self._line.first_to_ask(self.breaker.has_failed)
            if waiting is None:
                break
            wait = self.breaker.wait_seconds(waiting.send.incident_id)
            reservation = bucket.reserve(waiting.send.rank) if wait == 0 else None
            if reservation is None:
                self._come_back(wait or bucket.wait_seconds())
                break
            self._begin(client, waiting, reservation)

    def _come_back(self, seconds: float) -> None:
        if seconds < inf:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(seconds, WAIT_SECONDS_MIN), self.go)

    def _begin(self, client: SinkClient, waiting: Waiting, reservation: Reservation) -> None:
        incident_id = waiting.send.incident_id
        self._line.drop(incident_id)
        flight = _Flight(
            waiting=waiting,
            reservation=reservation,
            asks=self.breaker.begin(),
            began=self._context.monotonic(),
            ended=asyncio.get_running_loop().create_future(),
        )
        self._flights[incident_id] = flight
        self._sending += 1
        name = f"send-{waiting.send.delivery_id}"
        flight.task = task = asyncio.create_task(self._send(client, flight), name=name)
        task.add_done_callback(lambda done: self._sent(flight, done))

    async def _send(self, client: SinkClient, flight: _Flight) -> Answer:
        send = flight.waiting.send
        with flight.reservation, ranked(send.rank), self._context.traces.attempt(send) as attempt:
            try:
                answer = await client.send(send, self._context.clock())
            except Trouble as trouble:
                answer = trouble.answer
            attempt.answered(answer)
            return answer

    def _sent(self, flight: _Flight, task: asyncio.Task[Answer]) -> None:
        """The sink has answered: note what it said, or have it asked again where it is down."""
        flight.sending = False
        self._sending -= 1
        flight.reservation.release()
        if task.cancelled():
            self.breaker.given_up(asked=flight.asks)
            self._over(flight)
            self.go()  # its place is free, and if it was to ask whether the sink is back another one does
            return
        error = task.exception()
        answer = self._shown(task.result() if error is None else self._defect(flight, error))
        self._judge(flight, answer)
        if flight.asks and _verdict(flight, answer) is Verdict.DOWN:
            self._ask_later(flight, answer)
        else:
            flight.task = writing = asyncio.create_task(self._context.write(self._outcome(flight, answer)))
            writing.add_done_callback(lambda done: self._written(flight, answer, done))
        self.go()

    def _judge(self, flight: _Flight, answer: Answer) -> None:
        send, before = flight.waiting.send, self.breaker.state
        self._context.metrics.attempted(self.name, answer, self._context.monotonic() - flight.began)
        if answer.outcome is DeliveryOutcome.DELIVERED and send.since_ms:
            self._context.metrics.told(self.name, self._context.clock().timestamp() - send.since_ms / 1_000)
        self.breaker.ended(_verdict(flight, answer), send.incident_id, asked=flight.asks)
        after = self.breaker.state
        if before is BreakerState.CLOSED and after is BreakerState.OPEN:
            log_line("sink down", sink=self.name, status=answer.status, detail=answer.detail)
        elif before is not BreakerState.CLOSED and after is BreakerState.CLOSED:
            log_line("sink back", sink=self.name)

    def _ask_later(self, flight: _Flight, answer: Answer) -> None:
        """The sink is still down: the send waits on, and no retry of it is used up."""
        waiting = flight.waiting
        self._over(flight, answer, again=None if flight.forgotten else waiting)

    def _defect(self, flight: _Flight, error: BaseException) -> Answer:
        """A sink that raises what it must not is a defect of ours: this delivery is given up, the others go on.

        The error's text may hold a secret, so its type and place are all that is told.
        """
        send, frames = flight.waiting.send, traceback.format_tb(error.__traceback__)[-DEFECT_FRAMES_MAX:]
        kind = type(error).__name__
        log_line("defect in a sink", sink=self.name, delivery=send.delivery_id, error=kind, traceback="".join(frames))
        return Answer(DeliveryOutcome.REJECTED, detail=f"a defect in this sink, see the log: {kind}", unknown=True)

    def _shown(self, answer: Answer) -> Answer:
        """The answer without secrets, whoever worded it."""
        answer = bounded(answer)
        secrets, remote = self.outlet.bucket.secrets, answer.remote
        detail = secrets.shown(answer.detail, DETAIL_CHARACTERS_MAX)
        if remote is not None and secrets.hide(remote.key + "\n" + remote.url) != remote.key + "\n" + remote.url:
            remote.key, remote.url = secrets.hide(remote.key), secrets.hide(remote.url)
        return answer._replace(detail=detail)

    def _outcome(self, flight: _Flight, answer: Answer) -> Delivery:
        send = flight.waiting.send
        return Delivery(
            delivery_id=send.delivery_id,
            sink=send.sink,
            incident_id=send.incident_id,
            revision=send.revision,
            attempt=send.attempt,
            outcome=answer.outcome,
            status=answer.status,
            detail=answer.detail,
            retry_after_seconds=answer.retry_after_seconds,
            unknown=answer.unknown,
            remote=answer.remote,
            turn=send.turn,
            wanted=dict(send.wanted),
            at_ms=int(self._context.clock().timestamp() * 1_000),
        )

    def _written(self, flight: _Flight, answer: Answer, task: asyncio.Task[None]) -> None:
        send = flight.waiting.send
        if not task.cancelled() and not flight.forgotten and flight.following is None:
            self._noted[send.incident_id] = (flight.waiting.partition, send.turn)
        self._over(flight, answer)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._context.on_lost(error)
        self.go()

    def _over(self, flight: _Flight, answer: Answer | None = None, again: Waiting | None = None) -> None:
        """The incident has no attempt in flight any more; what follows knows what this one may have done there."""
        send = flight.waiting.send
        del self._flights[send.incident_id]
        following = flight.following or (again.send if again is not None else None)
        if following is not None:
            asked = again.asked + 1 if again is not None else 0
            self._line.put(_knowing(following, answer), flight.waiting.partition, asked)
        if not flight.ended.done():
            flight.ended.set_result(None)

    # -- what leaves

    async def release(self, partition: int | None, grace_seconds: float) -> None:
        """Let go of a partition, or of all: what waits is dropped, what is in flight ends in time or is broken off."""
        self._line.drop_partition(partition)
        for incident_id in [each for each, (owner, _) in self._noted.items() if partition in {owner, None}]:
            del self._noted[incident_id]
        flights = [flight for flight in self._flights.values() if partition in {flight.waiting.partition, None}]
        for flight in flights:
            flight.forgotten, flight.following = True, None
        ended = [flight.ended for flight in flights]
        if ended:
            await asyncio.wait(ended, timeout=grace_seconds)
        for flight in flights:
            if not flight.ended.done() and flight.task is not None:
                flight.task.cancel()
        if ended:
            await asyncio.wait(ended)

    def stop(self) -> None:
        """Come back no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def observe(self) -> None:
        """Set the gauges."""
        self._context.metrics.observe(
            self.name,
            ready=len(self._line),
            in_flight=len(self._flights),
            state=self.breaker.state,
            paused_seconds=self.outlet.bucket.paused_total_seconds,
        )


def _verdict(flight: _Flight, answer: Answer) -> Verdict:
    """What an attempt shows of the sink.

    One of several requests that fails after another was answered is a bad request or bad luck: if that counted as down,
    a sink that fails one request in five and needs five for a delivery would hardly ever be asked.
    """
    found = verdict(answer)
    works = flight.reservation.answered and answer.status not in CREDENTIAL_REFUSED
    return Verdict.UP if found is Verdict.DOWN and works else found


def _knowing(send: Send, answer: Answer | None) -> Send:
    """A send that was decided before an answer came, with what the answer taught; None: it is not known at all."""
    if answer is None:
        return send._replace(unsure=True)
    remote = send.remote if answer.remote is None else answer.remote
    return send._replace(remote=remote, unsure=send.unsure or answer.unknown)
