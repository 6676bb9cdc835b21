"""One incident's life at a downstream whose answers are damaged, and what must hold of every attempt nevertheless."""

from __future__ import annotations

import asyncio
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import orjson
from aiohttp import web

from pipeline.core.outward.outcome import read_outcome
from pipeline.core.outward.received import read_update
from pipeline.core.outward.send import Send
from pipeline.core.step import StreamRecord
from pipeline.flow import MEBIBYTE
from pipeline.models.delivery import Delivery, DeliveryOutcome
from pipeline.models.remote import STATES, Remote, RemoteState, SinkUpdate
from pipeline.sinks.base import Answer, SinkClient, Trouble
from pipeline.sinks.bounds import bounded, fitting
from pipeline.sinks.clients import client_of
from pipeline.sinks.limits import Bucket
from tests.sinks import bodies
from tests.sinks.conformance.table import Downstream
from tests.sinks.hostile.garbage import garbled, unreadable
from tests.sinks.servers.base import VendorServer

ATTEMPT_SECONDS_MAX: Final = 20.0
REQUESTS_MAX: Final = 300
"""Of one attempt: a downstream must not have us ask for ever."""

UPDATES_MAX: Final = 2_000
GARBLED_ATTEMPTS: Final = 3
CLEAN_ATTEMPTS: Final = 6
"""After which a downstream that is well again must have been told."""

RECORD_BYTES_MAX: Final = MEBIBYTE - 4_096
MEMORY_BYTES_MAX: Final = 256 << 10

Answering = Callable[[web.Request, bytes], Any]


class Tireless(Bucket):
    """A bucket that waits for nothing: what a downstream asks of our patience is tested elsewhere."""

    def pause(self, seconds: float) -> None:
        if not 0 <= seconds <= 3_600:
            raise AssertionError(f"paused for {seconds} s")


@dataclass
class Findings:
    """What a run has found.

    Attributes:
        wrong: what must not be.
        counts: outcomes.
        twice: lives of which something was made twice.
    """

    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    twice: list[str] = field(default_factory=list)


def _words(number: int, state: str) -> dict[str, Any]:
    about = {"audience": "public", "page": "status", "subject": "Checkout", "approved_by": "noor"}
    return {"number": number, "state": state, "text": f"It is {state}.", **about}


def steps() -> list[Send]:
    """The life, from the first symptom to the end, without what is known of the record."""
    told: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("logged", {}, {"calls": [bodies.call("INC/0/1/1/kim")], "messages": [_words(1, "investigating")]}),
        ("acknowledged", {"assignee": "kim", "acknowledged_at_ms": bodies.OPENED_MS}, {}),
        ("in_progress", {"bridge_id": bodies.BRIDGE_ID}, {"calls": [bodies.call("INC/0/2/1/jo", "jo")]}),
        ("mitigated", {"workaround": "moved"}, {"messages": [_words(2, "mitigated")]}),
        ("resolved", {"resolution": {"code": "fixed", "summary": "Done."}}, {"messages": [_words(3, "resolved")]}),
        ("reopened", {"reopened": 1}, {"calls": [bodies.call("INC/1/1/1/kim")]}),
        ("closed", {"reopened": 1, "merged_into": None}, {}),
    ]
    made = []
    for revision, (state, fields, news) in enumerate(told, 1):
        incident = bodies.snapshot(state=state, **fields)
        wanted = {"state": str(STATES[state]), "priority": "P1", "title": str(incident["title"])}
        wanted |= {"assignee": "kim"} if revision > 1 else {}
        entries = [bodies.entry("note", f"words of revision {revision}", "kim")]
        made.append(bodies.send(incident, revision=revision, change=state, entries=entries, wanted=wanted, **news))
    return made


class Bench:
    """Plays lives at one downstream."""

    def __init__(self, downstream: Downstream, seed: int, *, only_unreadable: bool = False) -> None:
        self._downstream = downstream
        self._seed = seed
        self._only_unreadable = only_unreadable
        self.findings = Findings()

    async def play(self, number: int) -> None:
        """One life. What is wrong is told with its number, by which it is repeated."""
        random = Random(f"{self._seed}/{self._downstream.name}/{number}")  # noqa: S311  # repeatable, not secret
        server = self._downstream.server(number)
        async with server.running():
            play = _Play(self._downstream, random, server, self.findings, f"{self._downstream.name} {number}")
            play.only_unreadable = self._only_unreadable
            async with play.client() as client:
                await play.run(client)


class _Play:
    def __init__(
        self, downstream: Downstream, random: Random, server: VendorServer, findings: Findings, where: str
    ) -> None:
        self._downstream = downstream
        self._random = random
        self._server = server
        self._findings = findings
        self._where = where
        self._share = 0.0
        self.only_unreadable = False

    @asynccontextmanager
    async def client(self) -> AsyncIterator[SinkClient]:
        handle = self._server.handle

        async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
            try:
                whole = await handle(request, body)
            except (ValueError, KeyError, TypeError):  # it was asked by what it had said itself
                return web.json_response({"error": "bad request"}, status=400)
            if not isinstance(whole, web.Response) or self._random.random() >= self._share:
                return whole
            if self.only_unreadable:
                return unreadable(self._random, whole)
            return garbled(self._random, whole, self._server.url)

        self._server.handle = answer  # type: ignore[method-assign]
        rules = self._downstream.rules(self._server.url)
        secrets = {name: value.replace("{url}", self._server.url) for name, value in self._downstream.secrets.items()}
        client = client_of(rules, secrets, Tireless(0, 1))
        try:
            yield client
        finally:
            await client.close()

    async def run(self, client: SinkClient) -> None:
        remote: Remote | None = None
        share = self._random.choice((0.1, 0.4, 1.0))
        for told in steps():
            remote = await self._tell(client, told._replace(sink=self._downstream.name), remote, share)
            if remote is not None:
                self._share = share
                await self._ask(client, told.incident_id, remote)
        self._share = 0.0
        for seen in self._server.seen():
            allowed = 2 if self._downstream.created_per_reopening else 1
            if seen.incident_id == bodies.INCIDENT_ID and seen.created > allowed:
                self._findings.twice.append(self._where)
                break

    # -- told

    async def _tell(self, client: SinkClient, told: Send, remote: Remote | None, share: float) -> Remote | None:
        unsure, answer, garbled_attempts = False, None, self._random.randint(0, GARBLED_ATTEMPTS)
        for attempt in range(1, garbled_attempts + CLEAN_ATTEMPTS + 1):
            self._share = share if attempt <= garbled_attempts else 0.0
            send = told._replace(remote=remote, unsure=unsure, attempt=attempt)
            answer = await self._attempt(client, send)
            if answer is None:
                return remote
            remote = answer.remote or remote
            if remote is not None and remote.state == RemoteState.GONE and answer.outcome is DeliveryOutcome.REJECTED:
                remote = None  # as the outbox decides of what is gone there: it is made again
            unsure = unsure or answer.unknown
            if answer.outcome is DeliveryOutcome.DELIVERED:
                return remote
        if answer is not None:
            self._wrong(f"{told.revision}: it is well again, and cannot be told: {answer.status} {answer.detail}")
        return remote

    async def _attempt(self, client: SinkClient, send: Send) -> Answer | None:
        async with self._watched(f"send of {send.revision}, attempt {send.attempt}"):
            answer = bounded(await client.send(send, datetime.now(UTC)))
            self._findings.counts[str(answer.outcome)] += 1
            delivery = Delivery(
                delivery_id=send.delivery_id, sink=send.sink, incident_id=send.incident_id, revision=send.revision,
                attempt=send.attempt, outcome=answer.outcome, at_ms=0, status=answer.status, detail=answer.detail[:300],
                retry_after_seconds=answer.retry_after_seconds, unknown=answer.unknown, remote=answer.remote,
            )  # fmt: skip
            value = orjson.dumps(delivery.to_wire())
            if len(value) > MEMORY_BYTES_MAX + 16_384:
                self._wrong(f"{len(value)} bytes of outcome")
            return answer._replace(remote=read_outcome(orjson.loads(value)).remote)
        return None

    # -- asked

    async def _ask(self, client: SinkClient, incident_id: str, remote: Remote) -> None:
        async with self._watched("look"):
            self._update(await client.look(incident_id, Remote(**asdict(remote)), datetime.now(UTC)))
        async with self._watched("changed"):
            count = 0
            async for update in client.changed(datetime.now(UTC) - timedelta(days=1)):
                self._update(update)
                count += 1
                if count > UPDATES_MAX:
                    self._wrong("updates without end")
                    break
        async with self._watched("check"):
            await client.check()

    def _update(self, update: SinkUpdate | None) -> None:
        if update is None:
            return
        self._findings.counts[f"update {update.kind}"] += 1
        value = fitting(update).model_dump_json(by_alias=True).encode()
        if len(value) > RECORD_BYTES_MAX:
            self._wrong(f"{len(value)} bytes of update")
        read_update(StreamRecord("sink.updates", 0, 0, 0, None, value, ()))

    # -- what must hold

    @asynccontextmanager
    async def _watched(self, what: str) -> AsyncIterator[None]:
        before = len(self._server.journal)
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS_MAX):
                yield
        except Trouble as trouble:
            self._findings.counts[f"trouble at {what.split(maxsplit=1)[0]}"] += 1
            bounded(trouble.answer)
        except TimeoutError:
            self._wrong(f"{what}: no end within {ATTEMPT_SECONDS_MAX:g} s")
        except Exception as error:  # noqa: BLE001  # any exception is a finding
            frames = [each for each in traceback.extract_tb(error.__traceback__) if "/pipeline/" in each.filename]
            place = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else "?"
            self._wrong(f"{what}: {type(error).__name__} at {place}: {str(error)[:160]!r}")
        asked = len(self._server.journal) - before
        if asked > REQUESTS_MAX:
            self._wrong(f"{what}: {asked} requests")

    def _wrong(self, what: str) -> None:
        self._findings.wrong.append(f"{self._where}: {what}")
