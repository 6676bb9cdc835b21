"""Xurrent's REST API: requests by source, notes, pages by ``Link``, and its limits.

Headers, pagination and limits: https://developer.xurrent.com/v1 (general), and what clients of it do: ``Link`` with
``rel="next"``, ``X-RateLimit-Remaining`` and ``-Reset`` (a moment in seconds), ``Retry-After``.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks.xurrent import Xurrent
from pipeline.sinks.base import Answer, Trouble
from pipeline.sinks.http import PAUSE_SECONDS_MAX, Http, Reply, by_the_api
from pipeline.sinks.limits import Bucket

PAGE_SIZE: Final = 100
"""The largest page that Xurrent gives."""

PAGES_MAX: Final = 100
"""Of one question: 10,000 requests that changed since the last one are for the reconciler."""

FIELDS: Final = (
    "id,source,sourceID,subject,category,impact,status,completion_reason,waiting_until,member,team,grouping,"
    "grouped_into,problem,major_incident_status,supplier,supplier_requestID,created_at,updated_at,completed_at"
)
"""Collections show fewer fields unless they are asked for."""

_REQUESTS: Final = "requests"
_NEXT: Final = re.compile(r'<([^<>]+)>\s*;\s*rel="?next"?')


class Api:
    """Requests of one account."""

    def __init__(self, rules: Xurrent, secret: str, bucket: Bucket) -> None:
        """Describe; nothing connects yet."""
        self._rules = rules
        self._bucket = bucket
        self._base = f"{rules.url.rstrip('/')}/v1"
        self._fields = ",".join([FIELDS, *rules.link_fields])
        headers = {"Authorization": f"Bearer {secret}", "X-Xurrent-Account": rules.account}
        self._http = Http(rules, bucket, headers)

    async def create(self, fields: Mapping[str, Any], rank: int) -> dict[str, Any]:
        """Create a request, or by the Events API add to the open one of the same source.

        Raises:
            Trouble: it was not, as far as is known.
        """
        return _object(await self._call("POST", f"{self._base}/{self._rules.create_by}", dict(fields), rank))

    async def update(self, identity: str, fields: Mapping[str, Any], rank: int) -> dict[str, Any] | None:
        """Change a request; None where there is none.

        Raises:
            Trouble: it was not changed, as far as is known.
        """
        reply = await self._call("PATCH", f"{self._base}/requests/{identity}", dict(fields), rank)
        return None if reply.status == HTTPStatus.NOT_FOUND else _object(reply)

    async def request(self, identity: str, rank: int = 0) -> dict[str, Any] | None:
        """A request; None where there is none.

        Raises:
            Trouble: it could not be asked.
        """
        reply = await self._call("GET", f"{self._base}/requests/{identity}", None, rank)
        return None if reply.status == HTTPStatus.NOT_FOUND else _object(reply)

    async def find(self, incident_id: str, rank: int, but: str = "") -> dict[str, Any] | None:
        """The request of an incident: the newest that is open, else the newest.

        Args:
            incident_id: ours, its ``sourceID``.
            rank: who waits for the rate goes first by it.
            but: id of one that does not count.

        Raises:
            Trouble: it could not be asked.
        """
        query = {"source": self._rules.source, "sourceID": incident_id, "fields": self._fields}
        found = [
            each
            async for each in self._pages(_REQUESTS, query, rank)
            # The filter knows no upper and lower case; ours does.
            if each.get("sourceID") == incident_id and _is_identified(each) and str(each["id"]) != but
        ]
        found.sort(key=lambda each: (each.get("status") != "completed", each["id"]))
        return found[-1] if found else None

    async def touched(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """Requests of ours that have changed since, oldest change first.

        Raises:
            Trouble: it could not be asked.
        """
        query = {
            "source": self._rules.source,
            "updated_at": f">={since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "sort": "updated_at",
            "fields": self._fields,
        }
        async for each in self._pages(_REQUESTS, query, 0):
            yield each

    async def notes(self, identity: str, rank: int = 0) -> list[dict[str, Any]]:
        """The notes of a request.

        Raises:
            Trouble: they could not be asked for.
        """
        return [each async for each in self._pages(f"requests/{identity}/notes", {}, rank)]

    async def add_note(self, identity: str, text: str, rank: int, *, internal: bool) -> bool:
        """Write a note; False: there is no such request. An internal one is not shown to whoever requested it.

        Raises:
            Trouble: it was not written, as far as is known.
        """
        body = {"text": text, "internal": internal}
        reply = await self._call("POST", f"{self._base}/requests/{identity}/notes", body, rank)
        return reply.status != HTTPStatus.NOT_FOUND

    async def me(self) -> str:
        """Id of the person that the token is of; "" where it is not said.

        Raises:
            Trouble: it could not be asked.
        """
        reply = await self._call("GET", f"{self._base}/people/me", None, 0)
        return str(reply.data["id"]) if isinstance(reply.data, dict) and _is_identified(reply.data) else ""

    async def close(self) -> None:
        """Disconnect."""
        await self._http.close()

    async def _pages(self, path: str, query: Mapping[str, str], rank: int) -> AsyncIterator[dict[str, Any]]:
        address: str | None = f"{self._base}/{path}"
        params: Mapping[str, str] | None = {**query, "per_page": str(PAGE_SIZE)}
        for _ in range(PAGES_MAX):
            if address is None:
                return
            reply = await self._call("GET", address, None, rank, params)
            if reply.status == HTTPStatus.NOT_FOUND and path != _REQUESTS:
                return  # the request is gone, and its notes with it
            if not isinstance(reply.data, list) or not all(
                isinstance(each, dict) for each in reply.data
            ):  # a proxy's page; to take it for "none" would make it twice
                raise Trouble(Answer(DeliveryOutcome.RETRY, reply.status, "the answer holds no list"))
            for each in reply.data:
                yield each
            address, params = self._next(reply), None

    def _next(self, reply: Reply) -> str | None:
        """The address of the next page. One that leads elsewhere is not followed: our token would go with it."""
        found = _NEXT.search(reply.headers.get("Link", ""))
        if found is None:
            return None
        try:
            there, here = urlsplit(found[1]), urlsplit(self._base)
        except ValueError:
            return None
        return found[1] if (there.scheme, there.netloc) == (here.scheme, here.netloc) else None

    async def _call(
        self, method: str, address: str, body: Any, rank: int, params: Mapping[str, str] | None = None
    ) -> Reply:
        reply = await self._http.call(
            method, address, json=body, params=params, rank=rank, allowed=(HTTPStatus.NOT_FOUND,)
        )
        if reply.headers.get("X-RateLimit-Remaining", "").strip() == "0":
            self._bucket.pause(_seconds_until(reply.headers.get("X-RateLimit-Reset", "")))
        return by_the_api(reply)


def _seconds_until(moment: str) -> float:
    """How long until a moment in seconds; none where it is no moment."""
    text = moment.strip()
    if not (text.isascii() and text.isdecimal()):
        return 0.0
    return max(0.0, min(int(text[:12]) - datetime.now(UTC).timestamp(), PAUSE_SECONDS_MAX))


def _object(reply: Reply) -> dict[str, Any]:
    """The record in an answer.

    Raises:
        Trouble: it holds none, so what it did is unknown.
    """
    if isinstance(reply.data, dict) and _is_identified(reply.data):
        return reply.data
    words = "the answer holds no request: is this the address of the API?"
    raise Trouble(Answer(DeliveryOutcome.RETRY, reply.status, words, unknown=True))


def _is_identified(found: Mapping[str, Any]) -> bool:
    identity = found.get("id")
    return isinstance(identity, int) and not isinstance(identity, bool) and identity > 0
