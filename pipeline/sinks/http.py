"""HTTP to a downstream: one request inside its rate, and what each answer means.

What an answer means is decided here, once for all sinks: refused for good, not now, or perhaps done.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import aiohttp
import orjson

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks import SinkRules
from pipeline.sinks.base import Answer, Trouble
from pipeline.sinks.limits import Bucket

# An answer of ours has one record, a page of records, or an error; a receiver may answer with gigabytes.
ANSWER_BYTES_MAX: Final = 2 << 20
ANSWER_CHARACTERS_SHOWN: Final = 200

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


class Http:
    """Requests of one sink."""

    def __init__(self, rules: SinkRules, bucket: Bucket, headers: Mapping[str, str] | None = None) -> None:
        """Describe; nothing connects yet.

        Args:
            rules: timeouts.
            bucket: of the credential.
            headers: with each request, such as the credential.
        """
        self._bucket = bucket
        self.headers: dict[str, str] = {"User-Agent": "spillway", **(headers or {})}
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=rules.timeout_seconds),
            connector=aiohttp.TCPConnector(limit=0),  # the sender bounds how many run at once
            cookie_jar=aiohttp.DummyCookieJar(),
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

        Raises:
            Trouble: no answer came, or one that means that it was not done.
        """
        await self._bucket.take(rank)
        data = orjson.dumps(json) if json is not None else body
        kinds = {"Content-Type": "application/json"} if json is not None else {}
        try:
            async with self._session.request(
                method,
                url,
                data=data if form is None else dict(form),
                params=params,
                headers={**self.headers, **kinds, **(headers or {})},
                allow_redirects=False,
            ) as response:
                reply = Reply(response.status, response.headers, None, await _beginning(response))
        except aiohttp.ClientConnectorError as error:
            raise Trouble(_failed(f"no connection: {type(error).__name__}", unknown=False)) from None
        except TimeoutError:
            raise Trouble(_failed("no answer in time", unknown=method != "GET")) from None
        except (aiohttp.ClientError, OSError) as error:
            # The error's own text may quote the address, and addresses of webhooks are often secrets.
            raise Trouble(_failed(f"broken off: {type(error).__name__}", unknown=method != "GET")) from None
        if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES or reply.status in allowed:
            return reply._replace(data=_json(reply.text))
        raise Trouble(self._refused(reply, datetime.now(UTC), writes=method != "GET"))

    async def close(self) -> None:
        """Disconnect."""
        await self._session.close()

    def _refused(self, reply: Reply, now: datetime, *, writes: bool) -> Answer:
        status = reply.status
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            words = "redirects are not followed: configure the final address"
            return Answer(DeliveryOutcome.RETRY, status, words)
        wait = retry_after_seconds(reply.headers.get("Retry-After"), now)
        if status in RATE_LIMITED or (status == HTTPStatus.SERVICE_UNAVAILABLE and wait is not None):
            self._bucket.pause(min(PAUSE_SECONDS_DEFAULT if wait is None else wait, PAUSE_SECONDS_MAX))
        is_ours = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        rejected = is_ours and status not in RETRIED_CLIENT_ERRORS | CREDENTIAL_REFUSED
        return Answer(
            DeliveryOutcome.REJECTED if rejected else DeliveryOutcome.RETRY,
            status,
            reply.text[:ANSWER_CHARACTERS_SHOWN],
            None if rejected else wait,
            unknown=writes and status >= HTTPStatus.INTERNAL_SERVER_ERROR,
        )


def _failed(words: str, *, unknown: bool) -> Answer:
    return Answer(DeliveryOutcome.RETRY, detail=words, unknown=unknown)


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The beginning of the answer's body; what breaks off is no answer."""
    data = bytearray()
    while len(data) < ANSWER_BYTES_MAX and not response.content.at_eof():
        data += await response.content.read(ANSWER_BYTES_MAX - len(data))
    return data.decode(errors="replace")


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
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, int((aware - now).total_seconds()))
