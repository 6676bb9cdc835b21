"""Downstreams that answer anything. Each attempt ends in an answer, and what was learned from garbage poisons nothing.

A long run: ``python -m tests.sinks.hostile --lives 2000 --seed 7``.
"""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import Remote, RemoteLink, RemoteNote, SinkUpdate
from pipeline.models.sinks.streams import Webhook
from pipeline.sinks.asked import asked, changes
from pipeline.sinks.base import Answer, SinkClient, Trouble
from pipeline.sinks.bounds import EXTRA_BYTES_MAX, UPDATE_BYTES_MAX, bounded, fitting
from pipeline.sinks.clients import client_of
from pipeline.sinks.http import Http, Reply, by_the_api, retry_after_seconds
from pipeline.sinks.secrets import HIDDEN, Secrets
from tests.sinks.conformance.table import DOWNSTREAMS
from tests.sinks.hostile.bench import Bench, Tireless, steps
from tests.sinks.raw_server import answering, head, writing

SEED = 20261130
"""The suite does the same damage each time; `python -m tests.sinks.hostile` does other damage each time."""

LIVES = 4
WEB = sorted(DOWNSTREAMS.keys() - {"kafka", "mail"})
"""Those that answer by HTTP."""

NOW = datetime(2026, 3, 4, 2, 11, 42, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """What the servers think of our requests is no news here."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def play(bench: Bench) -> None:
    async def lives() -> None:
        for number in range(LIVES):
            await bench.play(number)

    asyncio.run(lives())


@pytest.mark.parametrize("name", WEB)
def test_every_attempt_ends_in_an_answer_and_nothing_that_was_learned_stops_the_next(name: str) -> None:
    seed = SEED
    bench = Bench(DOWNSTREAMS[name], seed)
    play(bench)
    assert not bench.findings.wrong, f"python -m tests.sinks.hostile --seed {seed} --sink {name}"
    assert bench.findings.counts["delivered"] >= LIVES * 7


@pytest.mark.parametrize("name", ["servicenow", "jira", "xurrent", "slack", "statuspage", "incident_io", "pagerduty"])
def test_an_answer_that_cannot_be_read_makes_nothing_twice(name: str) -> None:
    seed = SEED
    bench = Bench(DOWNSTREAMS[name], seed, only_unreadable=True)
    play(bench)
    again = f"python -m tests.sinks.hostile --unreadable --seed {seed} --sink {name}"
    assert not bench.findings.wrong, again
    assert not bench.findings.twice, again


# -- secrets


def spelled(secret: str) -> list[str]:
    encoded = b64encode(secret.encode()).decode().rstrip("=")
    return [secret, encoded, quote(secret, safe="")]


@pytest.mark.parametrize("fault", ["401", "before", "after"])
@pytest.mark.parametrize("name", WEB)
def test_who_asks_is_told_no_secret_that_an_error_quotes(name: str, fault: str) -> None:
    downstream = DOWNSTREAMS[name]
    server = downstream.server(0)
    server.quotes = True
    said: list[str] = []

    async def test() -> None:
        async with server.running():
            secrets = {name: value.replace("{url}", server.url) for name, value in downstream.secrets.items()}
            client = client_of(downstream.rules(server.url), secrets, Tireless(0, 1))
            server.next_faults = [fault] * 40
            extra = {"channel": "C0INCIDENTS"}
            try:
                said.append((await client.send(steps()[0], NOW)).detail)
                for question in (client.check(), client.look("INC-1", replace(KNOWN, extra=extra), NOW)):
                    with suppress(Trouble):
                        await told(question, said)
                with suppress(Trouble):
                    await told(anext(client.changed(NOW), None), said)
            finally:
                await client.close()
            forbidden = [text for value in secrets.values() for text in spelled(value)]
            assert not [text for text in forbidden for detail in said if text in detail]

    asyncio.run(test())
    assert said


async def told(question: Awaitable[object], said: list[str]) -> None:
    try:
        await question
    except Trouble as trouble:
        said.append(trouble.answer.detail)
        raise


def test_a_secret_that_a_title_echoes_is_not_remembered() -> None:
    secrets = Secrets(["a-token-of-some-length", "production"])
    assert secrets.hide_long("a-token-of-some-length in production") == "[secret] in production"
    assert Secrets(["production"]).hide_long("production") == "production"


@pytest.mark.parametrize("before", ["", "x", "xy", "Authorization: Bearer "])
@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_a_secret_inside_of_something_longer_in_base64_is_hidden(before: str, encode: Callable[[bytes], bytes]) -> None:
    secret = "s3cret?>~token/of some+length"
    text = encode(f"{before}{secret} and more".encode()).decode()
    shown = Secrets([secret]).hide(text)
    assert HIDDEN in shown
    assert len(text) - len(shown.replace(HIDDEN, "")) >= len(secret)


@pytest.mark.parametrize("spelled", ["a%2fsecret%2fof%2fparts", "a%252Fsecret%252Fof%252Fparts"])
def test_a_secret_in_an_address_is_hidden_however_it_is_escaped(spelled: str) -> None:
    assert Secrets(["a/secret/of/parts"]).hide(f"?key={spelled}&") == f"?key={HIDDEN}&"


# -- what may be remembered

KNOWN = Remote(id="10001", key="OPS-1", url="https://acme.example/browse/OPS-1", fields={"title": "x"})


@pytest.mark.parametrize(
    "remote",
    [
        Remote(id=""),
        Remote(id="x" * 257),
        Remote(id="a\nb"),
        Remote(id="a b"),
        Remote(id="1", state="on fire"),
        Remote(id="1", extra={"a": "x" * EXTRA_BYTES_MAX}),
        Remote(id="1", extra={"a": 2**70}),
    ],
)
def test_what_cannot_be_a_record_is_not_remembered_and_looked_for_again(remote: Remote) -> None:
    answer = bounded(Answer(DeliveryOutcome.DELIVERED, 201, remote=remote))
    assert (answer.outcome, answer.unknown, answer.remote) == (DeliveryOutcome.RETRY, True, None)
    assert bounded(Answer(DeliveryOutcome.REJECTED, 400, remote=remote)).outcome is DeliveryOutcome.REJECTED


def test_what_people_see_of_a_record_is_cut_and_its_address_is_one_of_the_web() -> None:
    fields = {"title": "t" * 5_000}
    remote = Remote(id="1", key="K\x1b[31m" + "k" * 900, url="javascript:alert(1)", fields=fields)
    found = bounded(Answer(DeliveryOutcome.DELIVERED, remote=remote)).remote
    assert found is not None
    assert (len(found.key), found.url, len(found.fields["title"])) == (256, "", 1_000)
    assert "\x1b" not in found.key
    assert bounded(Answer(DeliveryOutcome.DELIVERED, remote=KNOWN)).remote is KNOWN


def update(**fields: object) -> SinkUpdate:
    return SinkUpdate.model_validate(
        {"update_id": "1", "sink": "desk", "incident_id": "INC-1", "at": "2026-03-04T02:11:42Z"} | fields
    )


def test_an_update_is_never_larger_than_a_record() -> None:
    notes = tuple(RemoteNote(id=str(number), text="\u0001" * 4_000) for number in range(50))
    found = fitting(update(notes=notes))
    assert len(found.to_bytes()) <= UPDATE_BYTES_MAX < len(update(notes=notes).to_bytes())
    assert found.notes[-1].id == "49"
    assert fitting(update(notes=notes[:2])).notes == notes[:2]


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "https://a b", 'https://a"onclick=', "//a"]
)
def test_an_address_that_is_none_of_the_web_goes_no_further(url: str) -> None:
    assert update(remote_url=url).remote_url == ""
    assert RemoteLink(kind="ticket", id="1", url=url).url is None


# -- heads


@pytest.mark.parametrize(
    "value",
    ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 01 Jan 2026 00:00:00 +99999999999999", "\udcff", "-1", ""],
)
def test_a_moment_that_is_none_asks_for_no_patience(value: str) -> None:
    assert retry_after_seconds(value, NOW) is None


@pytest.mark.parametrize(
    "begin",
    [
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 000 x\r\nContent-Length: 2\r\n\r\n{}",
        head(999, Content_Length="2") + b"{}",
        head(200, Content_Length="-5") + b"{}",
        head(200, Transfer_Encoding="chunked") + b"0\r\n" + b"X: y\r\n" * 50_000,
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(50_000)),
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1_000,
    ],
)
def test_a_head_that_is_none_leaves_a_write_in_doubt(begin: bytes) -> None:
    async def test() -> None:
        async with answering(writing(begin)) as url:
            rules = Webhook.model_validate({"name": "desk", "url": url, "secret_env": "SECRET", "timeout_seconds": 5})
            http = Http(rules, Tireless(0, 1))
            with pytest.raises(Trouble) as caught:
                await http.call("POST", url, json={})
            await http.close()
        assert (caught.value.answer.outcome, caught.value.answer.unknown) == (DeliveryOutcome.RETRY, True)

    asyncio.run(test())


def test_a_404_that_no_api_has_said_does_not_mean_that_a_record_is_gone() -> None:
    said = Reply(404, {}, {"error": "not found"}, "")
    assert by_the_api(said) is said
    with pytest.raises(Trouble, match="no API"):
        by_the_api(Reply(404, {}, None, "<html>"))


# -- a defect


class Defective(SinkClient):
    async def send(self, send: Send, now: datetime) -> Answer:
        return Answer(DeliveryOutcome.DELIVERED)

    async def look(self, incident_id: str, remote: Remote, now: datetime) -> SinkUpdate | None:
        raise TypeError("unhashable, and a secret")

    async def changed(self, since: datetime) -> AsyncIterator[SinkUpdate]:
        yield update()
        raise KeyError("a secret")

    async def close(self) -> None:
        """Nothing is open."""


def test_a_defect_in_a_sink_that_is_asked_costs_its_question_and_not_the_worker(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def test() -> None:
        client = Defective()
        with pytest.raises(Trouble, match="a defect in this sink, see the log: TypeError"):
            await asked("desk", client.look("INC-1", KNOWN, NOW))
        found = changes("desk", client, NOW)
        assert (await anext(found)).incident_id == "INC-1"
        with pytest.raises(Trouble, match="KeyError"):
            await anext(found)

    asyncio.run(test())
    log = capfd.readouterr().err
    assert "in look" in log
    assert "unhashable" not in log.replace('raise TypeError(\\"unhashable, and a secret\\")', "")


def test_who_is_cancelled_while_a_sink_is_asked_leaves_no_question_behind() -> None:
    ended = []

    async def question() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def test() -> None:
        task = asyncio.create_task(asked("desk", question()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await asyncio.sleep(0)
        assert ended

    asyncio.run(test())
