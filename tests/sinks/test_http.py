"""HTTP to a downstream that may be slow, broken or hostile: what an answer means, how large it is, what is shown."""

from __future__ import annotations

import asyncio
import gzip
import html
import tracemalloc
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks.streams import Webhook
from pipeline.sinks.base import Answer, Trouble
from pipeline.sinks.http import (
    ANSWER_BYTES_MAX,
    ANSWER_CHARACTERS_SHOWN,
    PAUSE_SECONDS_DEFAULT,
    PAUSE_SECONDS_MAX,
    Http,
    Reply,
    reset_seconds,
    retry_after_seconds,
)
from pipeline.sinks.limits import Bucket
from pipeline.sinks.secrets import HIDDEN, LEARNED_MAX, Secrets
from tests.sinks.raw_server import Answer as RawAnswer
from tests.sinks.raw_server import answering, head, without_end, writing
from tests.sinks.receivers import NOW, Handler, responding, run, serving

SECRET = "s3cr3t/+canary&1"
RULES = Webhook(name="desk", url="https://desk.example", secret_env="DESK", timeout_seconds=5)


@asynccontextmanager
async def http(**fields: Any) -> AsyncIterator[Http]:
    rules = RULES.model_copy(update={"timeout_seconds": fields.pop("timeout_seconds", 5)})
    client = Http(rules, fields.pop("bucket", None) or Bucket(0, 5), **fields)
    try:
        yield client
    finally:
        await client.close()


async def refused(url: str, method: str = "POST", **fields: Any) -> Answer:
    """What is made of a request that is not done."""
    async with http(**fields) as client:
        with pytest.raises(Trouble) as raised:
            await client.call(method, url, json={"a": 1} if method != "GET" else None)
        return raised.value.answer


def refusal(handler: Handler, method: str = "POST", **fields: Any) -> Answer:
    found: list[Answer] = []

    async def test() -> None:
        async with serving(handler) as url:
            found.append(await refused(url, method, **fields))

    run(test())
    return found[0]


def raw_refusal(answer: RawAnswer, method: str = "POST", **fields: Any) -> Answer:
    found: list[Answer] = []

    async def test() -> None:
        async with answering(answer) as url:
            found.append(await refused(url, method, **fields))

    run(test())
    return found[0]


@pytest.mark.parametrize(
    ("status", "outcome", "unknown"),
    [
        (400, DeliveryOutcome.REJECTED, False),
        (404, DeliveryOutcome.REJECTED, False),
        (422, DeliveryOutcome.REJECTED, False),
        (401, DeliveryOutcome.RETRY, False),
        (403, DeliveryOutcome.RETRY, False),
        (408, DeliveryOutcome.RETRY, False),
        (409, DeliveryOutcome.RETRY, False),
        (420, DeliveryOutcome.RETRY, False),
        (429, DeliveryOutcome.RETRY, False),
        (301, DeliveryOutcome.RETRY, False),
        (307, DeliveryOutcome.RETRY, False),
        (500, DeliveryOutcome.RETRY, True),
        (502, DeliveryOutcome.RETRY, True),
        (503, DeliveryOutcome.RETRY, True),
        (599, DeliveryOutcome.RETRY, True),
    ],
)
def test_what_a_status_means(status: int, outcome: DeliveryOutcome, unknown: bool) -> None:
    answer = refusal(responding(status, {"Location": "http://127.0.0.1:1/"}, "no"))
    assert (answer.outcome, answer.status, answer.unknown) == (outcome, status, unknown)


def test_what_is_only_read_is_never_in_doubt() -> None:
    assert not refusal(responding(500), "GET").unknown
    assert not raw_refusal(writing(), "GET").unknown


def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=307, headers={"Location": "/inside"})

    assert "redirects are not followed" in refusal(handler).detail
    assert asked == ["/hook"]


@pytest.mark.parametrize(
    ("status", "header", "paused"),
    [
        (429, {"Retry-After": "17"}, 17),
        (429, {}, PAUSE_SECONDS_DEFAULT),
        (420, {"Retry-After": "3"}, 3),
        (429, {"Retry-After": "999999999"}, PAUSE_SECONDS_MAX),
        (503, {"Retry-After": "9"}, 9),
        (503, {}, 0),
        (500, {"Retry-After": "9"}, 0),
    ],
)
def test_patience_that_is_asked_for_holds_the_whole_credential(
    status: int, header: dict[str, str], paused: float
) -> None:
    bucket = Bucket(0, 5)
    refusal(responding(status, header), bucket=bucket)
    assert bucket.paused_seconds == pytest.approx(paused, abs=1)


def test_nobody_listening_is_no_doubt_and_an_answer_that_stays_away_is() -> None:
    async def test() -> None:
        refusing = await refused("http://127.0.0.1:1/")
        assert (refusing.status, refusing.unknown, refusing.outcome) == (None, False, DeliveryOutcome.RETRY)
        nowhere = await refused("http://no-such-host.invalid/")
        assert (nowhere.status, nowhere.unknown) == (None, False)

    run(test())

    async def hang(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets this event")

    answer = refusal(hang, timeout_seconds=0.2)
    assert (answer.outcome, answer.status, answer.unknown) == (DeliveryOutcome.RETRY, None, True)


@pytest.mark.parametrize(
    "answer",
    [
        writing(),
        writing(b"HTTP/1.1 2"),
        writing(b"\x00\xff garbage \r\n\r\n"),
        writing(b"SSH-2.0-OpenSSH_9.6\r\n"),
        writing(head(Content_Length="100"), b"{"),
        writing(head(Transfer_Encoding="chunked"), b'5\r\n{"a"\r\nzzz\r\n'),
        writing(head(X_Long="x" * 100_000, Content_Length="2"), b"{}"),
        writing(b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n"),
        without_end(b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n" * 1_000, 0),
        without_end(head(Content_Length="1000000"), b" ", 0.01),
        without_end(head(), b" ", 0.01),
    ],
    ids=[
        "nothing",
        "half a line",
        "garbage",
        "another protocol",
        "less than promised",
        "broken chunks",
        "a huge header",
        "a huge reason",
        "headers without end",
        "a slow drip",
        "a slow drip without a length",
    ],
)
def test_an_answer_that_is_none_leaves_a_write_in_doubt_and_ends_in_time(answer: RawAnswer) -> None:
    found = raw_refusal(answer, timeout_seconds=0.5)
    assert (found.outcome, found.unknown) == (DeliveryOutcome.RETRY, True)


def packed(data: bytes, kind: str) -> bytes:
    return gzip.compress(data) if kind == "gzip" else zlib.compress(data)


@pytest.mark.parametrize("kind", ["gzip", "deflate"])
def test_an_answer_that_is_packed_though_we_did_not_ask_is_unpacked_as_far_as_it_may_be_large(kind: str) -> None:
    small, bomb = packed(b'{"id": "7"}', kind), packed(b" " * (50 << 20), kind)

    async def test() -> None:
        async with (
            answering(writing(head(Content_Encoding=kind, Content_Length=str(len(small))), small)) as url,
            http() as client,
        ):
            assert (await client.call("GET", url)).mapping == {"id": "7"}

    run(test())
    tracemalloc.start()
    answer = raw_refusal(writing(head(Content_Encoding=kind, Content_Length=str(len(bomb))), bomb))
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 5 * ANSWER_BYTES_MAX
    assert answer.unknown
    assert "larger" in answer.detail
    broken = raw_refusal(writing(head(Content_Encoding=kind, Content_Length="7"), b"nothing"))
    assert broken.unknown


def test_an_answer_without_end_is_read_to_its_bound_and_no_further() -> None:
    written = 0

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(head())
        while True:
            writer.write(b"x" * 65_536)
            written += 65_536
            await writer.drain()

    answer = raw_refusal(pour)
    assert "larger" in answer.detail
    assert written < 8 * ANSWER_BYTES_MAX


def test_of_a_refusal_the_beginning_is_enough_also_where_the_rest_never_comes() -> None:
    answer = raw_refusal(without_end(head(400) + b"too long: " + b"x" * 100_000, b"x" * 65_536, 0))
    assert (answer.outcome, answer.status) == (DeliveryOutcome.REJECTED, 400)
    assert answer.detail.startswith("too long: ")
    assert len(answer.detail) <= ANSWER_CHARACTERS_SHOWN
    dripping = raw_refusal(without_end(head(422), b" ", 0.05), timeout_seconds=0.3)
    assert (dripping.outcome, dripping.status) == (DeliveryOutcome.REJECTED, 422)


@pytest.mark.parametrize("body", [b"<html>it works</html>", b"", b"[1, 2]", b"{" * 100_000, b"\xff\xfe{}", b"NaN"])
def test_success_in_words_that_are_none_is_not_taken_for_success_where_an_answer_matters(body: bytes) -> None:
    async def test() -> None:
        async with answering(writing(head(Content_Length=str(len(body))), body)) as url, http() as client:
            reply = await client.call("POST", url, json={})
            with pytest.raises(Trouble) as raised:
                _ = reply.mapping
            assert raised.value.answer.unknown

    run(test())


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    answer = raw_refusal(writing(head(400, Content_Length="23"), b"\x1b[2J\x1b]0;x\x07no\r\n\x00 way\xff\xfe\x9b\n"))
    assert answer.detail.isprintable()
    assert "no" in answer.detail


SPELLINGS = {
    "as it is": SECRET,
    "in base64": b64encode(SECRET.encode()).decode(),
    "as a credential": b64encode(f"spillway:{SECRET}".encode()).decode(),
    "percent-encoded": quote(SECRET, safe=""),
    "percent-encoded but for slashes": quote(SECRET),
    "in JSON": orjson.dumps(SECRET).decode(),
    "in HTML": html.escape(SECRET),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_credential_that_is_echoed_is_not_shown(spelling: str, status: int) -> None:
    basic = b64encode(f"spillway:{SECRET}".encode()).decode()
    # At the end of what is shown too: half a secret is one.
    text = f"you sent {spelling} {'x' * (ANSWER_CHARACTERS_SHOWN - 40)} {spelling}"
    answer = refusal(responding(status, text=text), headers={"Authorization": f"Basic {basic}"})
    assert HIDDEN in answer.detail
    for each in (SECRET, basic, b64encode(SECRET.encode()).decode()):
        assert each[:8] not in answer.detail


def test_secrets_that_are_in_bodies_and_of_single_requests_are_not_shown_either() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(status=400, text=f"{await request.text()} {dict(request.headers)}")

    async def test() -> None:
        async with serving(echo) as url, http(secrets=["routing-canary"]) as client:
            with pytest.raises(Trouble) as raised:
                await client.call("POST", url, json={"key": "routing-canary"}, headers={"X-Token": "token-canary"})
            assert "canary" not in raised.value.answer.detail
            assert HIDDEN in raised.value.answer.detail

    run(test())


def test_no_address_is_quoted_in_what_is_said_of_a_failure() -> None:
    async def test() -> None:
        for url in ("http://127.0.0.1:1/canary", "http://canary.invalid/x", "http://[canary/", "canary://x/"):
            assert "canary" not in (await refused(url)).detail

    run(test())


@given(st.lists(st.text(min_size=4, max_size=20), max_size=5), st.text(max_size=50), st.data())
def test_no_known_secret_is_left_in_any_text(values: list[str], text: str, data: st.DataObject) -> None:
    secrets = Secrets(values)
    for value in values:
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + value + text[place:]
    hidden = secrets.hide(text)
    assert not any(value in part for value in values for part in hidden.split(HIDDEN))


def test_tokens_that_are_renewed_again_and_again_do_not_pile_up() -> None:
    secrets = Secrets(["configured"])
    for number in range(200):
        secrets.learn_headers({"Authorization": f"Bearer token-{number:03}", "Idempotency-Key": f"key-{number:03}"})
    assert len(secrets._from_headers) == LEARNED_MAX
    assert secrets.hide("configured token-199 key-199 token-001") == f"{HIDDEN} {HIDDEN} key-199 token-001"


LIKE_A_DATE = r"\A[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,6} [\d:]{1,9} [A-Z+\-\d]{0,6}\Z"


@given(st.one_of(st.text(max_size=40), st.from_regex(LIKE_A_DATE)))
def test_whatever_retry_after_says_it_is_a_number_of_seconds_or_nothing(text: str) -> None:
    found = retry_after_seconds(text, NOW)
    assert found is None or found >= 0


def test_retry_after_as_a_number_and_as_a_date() -> None:
    later = (NOW + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert [retry_after_seconds(each, NOW) for each in (" 120 ", later, "soon", None)] == [120, 90, None, None]
    assert retry_after_seconds(datetime(2020, 1, 1, tzinfo=UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"), NOW) == 0


def test_a_reply_knows_its_object() -> None:
    assert Reply(200, {}, {"id": 1}, "").mapping == {"id": 1}


@pytest.mark.parametrize(
    ("refusals", "wait", "requests", "passes"), [(2, 0, 3, True), (3, 0, 3, False), (1, 6, 1, False)]
)
def test_what_is_too_many_for_a_moment_is_asked_again_in_its_place(
    refusals: int, wait: int, requests: int, passes: bool
) -> None:
    got: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        got.append(request.path)
        status = 429 if len(got) <= refusals else 200
        return web.Response(status=status, headers={"Retry-After": str(wait)})

    async def test() -> None:
        async with serving(handler) as url, http() as client:
            if passes:
                assert (await client.call("POST", url, json={})).status == 200
            else:
                with pytest.raises(Trouble) as raised:
                    await client.call("POST", url, json={})
                assert raised.value.answer.status == 429

    run(test())
    assert len(got) == requests


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-03-04T02:13Z", 78),
        ("2026-03-04T02:11:42.5+00:00", 1),
        ("1772590303", 1),
        ("2026-03-04T02:10Z", 0),
        ("2026-03-04T02:13", None),
        ("soon", None),
        ("9" * 30, None),
        ("", None),
        (None, None),
    ],
)
def test_the_moment_at_which_a_limit_ends_is_a_number_of_seconds_or_nothing(
    text: str | None, seconds: int | None
) -> None:
    assert reset_seconds(text, NOW) == seconds
