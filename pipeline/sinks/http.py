"""HTTP to a downstream: one request inside its rate, and what each answer means.

What an answer means is decided here, once for all sinks: refused for good, not now, or perhaps done. An answer may be
hostile: it is bounded in size and in time, also where it is compressed, and what is shown of it holds no secret.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from math import ceil
from typing import Any, Final, NamedTuple

import aiohttp
import orjson

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks import SinkRules
from pipeline.sinks.base import Answer, Trouble
from pipeline.sinks.limits import Bucket, note_answer
from pipeline.sinks.traced import trace_headers

# An answer of ours has one record, a page of records, or an error; a receiver may answer with gigabytes.
ANSWER_BYTES_MAX: Final = 2 << 20
ANSWER_CHARACTERS_SHOWN: Final = 200
ERROR_BYTES_MAX: Final = 64 << 10
"""Of an answer that says no its beginning is enough, and it need not be whole."""

READ_BYTES: Final = 64 << 10

CONNECT_SECONDS_MAX: Final = 10.0
"""A connection that is not there by then was never made, so nothing was done; later failures leave that open."""

HEADER_BYTES_MAX: Final = 16 << 10
"""Of one line of an answer's head. Vendors send some hundred bytes; policies of content some thousand."""

_WINDOW_BITS: Final = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}

RETRIED_CLIENT_ERRORS: Final = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.CONFLICT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
        420,  # Statuspage says so instead of 429
    }
)
"""Refused now, but the same request may pass later."""

CREDENTIAL_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""A person has to repair the credential; nothing may be lost until then, so it is tried again."""

RATE_LIMITED: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, 420})

RATE_LIMITED_TRIES_MAX: Final = 3
"""Of one request that is too many for now: what has been done before it need not be done again for its sake."""

RATE_LIMITED_SECONDS_MAX: Final = 5
"""So long it is waited for in its place; a longer wait is the outbox's, which lets others go before."""

PAUSE_SECONDS_DEFAULT: Final = 5
"""Of a downstream that says "too many" and not for how long."""

PAUSE_SECONDS_MAX: Final = 3_600
"""A downstream may ask for patience, but not for ever: what it holds back is looked at again within the hour."""


class Reply(NamedTuple):
    """An answer that came.

    Attributes:
        data: the JSON in it; None where it holds none.
    """

    status: int
    headers: Mapping[str, str]
    data: Any
    text: str

    @property
    def mapping(self) -> Mapping[str, Any]:
        """The JSON object in it.

        Raises:
            Trouble: it holds none, so that nobody knows what was done: a proxy's page, for example.
        """
        if isinstance(self.data, Mapping):
            return self.data
        raise Trouble(Answer(DeliveryOutcome.RETRY, self.status, "the answer is no JSON object", unknown=True))


def by_the_api(reply: Reply) -> Reply:
    """The reply, unless it is a 404 that no API has said.

    Raises:
        Trouble: it is a proxy's page, or the address is another's: a record that is there must not be made again.
    """
    if reply.status == HTTPStatus.NOT_FOUND and not isinstance(reply.data, Mapping):
        raise Trouble(Answer(DeliveryOutcome.RETRY, reply.status, "there is no API at this address: it says no JSON"))
    return reply


class Http:
    """Requests of one sink."""

    def __init__(
        self,
        rules: SinkRules,
        bucket: Bucket,
        headers: Mapping[str, str] | None = None,
        *,
        secrets: Iterable[str] = (),
    ) -> None:
        """Describe; nothing connects yet.

        Args:
            rules: timeouts.
            bucket: of the credential.
            headers: with each request, such as the credential, which is never quoted.
            secrets: more that is never quoted: keys in bodies, secrets that sign. Those of the configuration are known.
        """
        self._bucket = bucket
        self._bucket.secrets.learn(secrets)
        self.headers: dict[str, str] = {"User-Agent": "spillway", "Accept-Encoding": "identity", **(headers or {})}
        seconds = rules.timeout_seconds
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, CONNECT_SECONDS_MAX)),
            connector=aiohttp.TCPConnector(limit=0),  # the sender bounds how many run at once
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # it has no bound
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
        )

    async def call(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        rank: int = 0,
        allowed: tuple[int, ...] = (),
        gives_secret: bool = False,
    ) -> Reply:
        """Make one request.

        Args:
            method: ``GET`` changes nothing there; what others do is unknown where no answer comes.
            url: the whole address. Redirects are not followed: a receiver must not point us inside the network.
            json: a body to be written as JSON; or ``form``, or ``body`` as it is.
            form: fields of a form.
            body: bytes as they are.
            params: the query.
            headers: beside those of every request.
            rank: who waits for the rate goes first by it.
            allowed: statuses that the caller deals with, beside those of success.
            gives_secret: the answer may hold a secret of ours, since it is asked for one; of others they are taken out.

        Raises:
            Trouble: no answer came, or one that means that it was not done.
        """
        sent = {
            **self.headers,
            **({"Content-Type": "application/json"} if json is not None else {}),
            **(headers or {}),
        }
        self._bucket.secrets.learn_headers(sent)
        sent |= trace_headers()
        data: bytes | dict[str, str] | None = orjson.dumps(json) if json is not None else body
        tries_left = RATE_LIMITED_TRIES_MAX
        while True:
            await self._bucket.take(rank)
            reply = await self._reply(method, url, dict(form) if form is not None else data, params, sent)
            if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES or reply.status in allowed:
                note_answer()
                text = reply.text if gives_secret else self._without_secrets(reply)
                return reply._replace(text=text, data=_json(text))
            refused = self._refused(reply, datetime.now(UTC), writes=method != "GET")
            tries_left -= 1
            if not tries_left or not _soon(refused):
                raise Trouble(refused)

    async def _reply(
        self, method: str, url: str, data: Any, params: Mapping[str, str] | None, headers: Mapping[str, str]
    ) -> Reply:
        """The answer, whatever it says.

        Raises:
            Trouble: none came, or not all of it. Errors' own texts may quote the address, which is often a secret.
        """
        writes = method != "GET"
        try:
            async with self._session.request(
                method, url, data=data, params=params, headers=headers, allow_redirects=False
            ) as response:
                return await _read(response, writes=writes)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise Trouble(_failed(f"no connection: {type(error).__name__}", unknown=False)) from None
        except TimeoutError:
            raise Trouble(_failed("no answer in time", unknown=writes)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Trouble(_failed(f"broken off: {type(error).__name__}", unknown=writes)) from None

    async def close(self) -> None:
        """Disconnect."""
        await self._session.close()

    def _without_secrets(self, reply: Reply) -> str:
        """What it says, without our secrets: it goes into records, titles and details from here on."""
        secrets = self._bucket.secrets
        is_error = reply.status >= HTTPStatus.MULTIPLE_CHOICES
        return secrets.hide(reply.text) if is_error else secrets.hide_long(reply.text)

    def _refused(self, reply: Reply, now: datetime, *, writes: bool) -> Answer:
        status = reply.status
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            words = "redirects are not followed: configure the final address"
            return Answer(DeliveryOutcome.RETRY, status, words)
        wait = retry_after_seconds(reply.headers.get("Retry-After"), now)
        if wait is None and status in RATE_LIMITED:
            wait = reset_seconds(reply.headers.get("X-RateLimit-Reset"), now)
        if status in RATE_LIMITED or (status == HTTPStatus.SERVICE_UNAVAILABLE and wait is not None):
            self._bucket.pause(min(PAUSE_SECONDS_DEFAULT if wait is None else wait, PAUSE_SECONDS_MAX))
        is_ours = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        rejected = is_ours and status not in RETRIED_CLIENT_ERRORS | CREDENTIAL_REFUSED
        return Answer(
            DeliveryOutcome.REJECTED if rejected else DeliveryOutcome.RETRY,
            status,
            self._bucket.secrets.shown(reply.text, ANSWER_CHARACTERS_SHOWN),
            None if rejected else wait,
            # What is no status of an answer says nothing of what was done.
            unknown=writes and not HTTPStatus.OK <= status < HTTPStatus.INTERNAL_SERVER_ERROR,
        )


def _soon(refused: Answer) -> bool:
    """Whether the same request is likely to pass after a pause that is short enough to be waited for."""
    wait = refused.retry_after_seconds
    return refused.status in RATE_LIMITED and wait is not None and wait <= RATE_LIMITED_SECONDS_MAX


def _failed(words: str, *, unknown: bool) -> Answer:
    return Answer(DeliveryOutcome.RETRY, detail=words, unknown=unknown)


async def _read(response: aiohttp.ClientResponse, *, writes: bool) -> Reply:
    """The answer with its text; of one that says no the beginning, as much of it as comes.

    Raises:
        Trouble: one that says yes is too large or cannot be read.
    """
    status = response.status
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        try:
            data, _ = await _beginning(response, ERROR_BYTES_MAX)
        except (aiohttp.ClientError, OSError):  # a timeout is an OSError; the status alone decides
            data = b""
        return Reply(status, response.headers, None, data.decode(errors="replace"))
    data, whole = await _beginning(response, ANSWER_BYTES_MAX)
    if not whole:
        words = f"the answer is larger than {ANSWER_BYTES_MAX} bytes, or does not unpack"
        raise Trouble(Answer(DeliveryOutcome.RETRY, status, words, unknown=writes))
    return Reply(status, response.headers, None, data.decode(errors="replace"))


async def _beginning(response: aiohttp.ClientResponse, bytes_max: int) -> tuple[bytes, bool]:
    """The beginning of the answer's body, unpacked, and whether that is all of it."""
    bits = _WINDOW_BITS.get(response.headers.get("Content-Encoding", "").strip().casefold())
    unpacker = zlib.decompressobj(bits) if bits is not None else None
    data = bytearray()
    while not response.content.at_eof():
        chunk = await response.content.read(READ_BYTES)
        if unpacker is not None:
            try:
                chunk = unpacker.decompress(chunk, bytes_max + 1 - len(data))
            except zlib.error:
                return bytes(data), False
        data += chunk
        if len(data) > bytes_max:
            return bytes(data[:bytes_max]), False
    return bytes(data), unpacker is None or unpacker.eof or not data


def _json(text: str) -> Any:
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None


def retry_after_seconds(value: str | None, now: datetime) -> int | None:
    """Seconds that a ``Retry-After`` header asks for, as a number or as a date; None where it says neither."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return int(text[:9])  # 9 digits are 30 years: more is no different, and stays a plain number
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year of twenty digits overflows
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, int((aware - now).total_seconds()))


def reset_seconds(value: str | None, now: datetime) -> int | None:
    """Seconds until the moment that an ``X-RateLimit-Reset`` header names; None where it names none.

    Jira writes it as ISO 8601 to the minute ("Rate limiting" at developer.atlassian.com), others in epoch seconds.
    """
    text = (value or "").strip()
    try:
        is_epoch = text.isascii() and text.isdigit() and len(text) < len("100000000000")
        moment = datetime.fromtimestamp(int(text), UTC) if is_epoch else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    if moment.tzinfo is None:
        return None
    return max(0, ceil((moment - now).total_seconds()))
