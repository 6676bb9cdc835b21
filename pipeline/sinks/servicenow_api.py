"""The Table API of ServiceNow: sign in, find, read, create and change records.

Facts (product documentation "Table API", "REST API rate limiting", "Client credentials grant workflow"): all values are
texts; ``sysparm_fields`` takes fields of referenced records (``parent_incident.number``); a query is
``field OPERATOR value`` joined by ``^``, its times are in UTC; a data policy or a business rule that refuses answers
with 403 like a missing right does, and says so in ``error.detail``; 429 comes with ``Retry-After``.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks.servicenow import ServiceNow
from pipeline.sinks.base import Answer, Trouble
from pipeline.sinks.http import ANSWER_CHARACTERS_SHOWN, Http, Reply
from pipeline.sinks.limits import Bucket
from pipeline.sinks.ticket_words import is_plain

Row = dict[str, str]

# Words of `error.detail` for what a credential cannot repair: the same request would be refused for ever.
_REFUSED_FOR_GOOD: Final = ("data policy", "business rule", "mandatory", "invalid")


class Table:
    """Records of one instance, in any table that the account may see."""

    def __init__(self, rules: ServiceNow, secret: str, bucket: Bucket) -> None:
        self._rules = rules
        self._secret = secret
        self._http = Http(rules, bucket, {"Accept": "application/json"})
        self._token: str | None = None
        self._signing_in = asyncio.Lock()

    async def find(
        self, query: str, fields: str, *, table: str | None = None, limit: int = 1, offset: int = 0, rank: int = 0
    ) -> list[Row]:
        """Records that a query finds; ``fields``: names, with commas between, ``sys_id`` among them."""
        params = {
            "sysparm_query": query,
            "sysparm_fields": fields,
            "sysparm_limit": str(limit),
            "sysparm_offset": str(offset),
            "sysparm_exclude_reference_link": "true",
            "sysparm_no_count": "true",
        }
        reply = await self._call("GET", self._path(table), params=params, rank=rank)
        return [_identified(each) for each in rows(reply.data)[:limit]]

    async def read(self, sys_id: str, fields: str, *, display: bool = False, rank: int = 0) -> Row | None:
        """One record; None: it is gone. ``display``: values as people see them; of a journal all of it."""
        params = {"sysparm_fields": fields, "sysparm_exclude_reference_link": "true"}
        params |= {"sysparm_display_value": "true"} if display else {}
        reply = await self._call("GET", f"{self._path()}/{sys_id}", params=params, rank=rank)
        return None if reply.status == HTTPStatus.NOT_FOUND else row(reply.data)

    async def create(self, values: Mapping[str, str], fields: str, *, rank: int = 0) -> Row:
        """A new record, as it stands there then."""
        params = {"sysparm_fields": fields, "sysparm_exclude_reference_link": "true"}
        reply = await self._call("POST", self._path(), json=dict(values), params=params, rank=rank)
        return _identified(row(reply.data))

    async def change(self, sys_id: str, values: Mapping[str, str], fields: str, *, rank: int = 0) -> Row | None:
        """Change a record: all of it or nothing. None: it is gone."""
        params = {"sysparm_fields": fields, "sysparm_exclude_reference_link": "true"}
        reply = await self._call("PATCH", f"{self._path()}/{sys_id}", json=dict(values), params=params, rank=rank)
        if reply.status == HTTPStatus.NOT_FOUND:
            return None
        if (record := _identified(row(reply.data)))["sys_id"] != sys_id:
            raise Trouble(Answer(DeliveryOutcome.RETRY, reply.status, "one record was changed, and another came"))
        return record

    async def close(self) -> None:
        """Disconnect."""
        await self._http.close()

    def _path(self, table: str | None = None) -> str:
        return f"{self._rules.url.rstrip('/')}/api/now/table/{table or self._rules.table}"

    async def _call(self, method: str, url: str, **asked: Any) -> Reply:
        for first in (True, False):
            token = await self._authorization()
            judged = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
            reply = await self._http.call(method, url, headers={"Authorization": token}, allowed=judged, **asked)
            if reply.status != HTTPStatus.UNAUTHORIZED or not first or self._rules.auth == "basic":
                break
            if self._token == token:  # it has expired; another request may have renewed it meanwhile
                self._token = None
        if reply.status == HTTPStatus.NOT_FOUND and not _is_said_by_the_api(reply):
            # A proxy's page, or the address of something else: a record that is there must not be made again.
            raise Trouble(Answer(DeliveryOutcome.RETRY, reply.status, f"no Table API at this address: {said(reply)}"))
        if reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise Trouble(_refused(reply))
        return reply

    async def _authorization(self) -> str:
        if self._rules.auth == "basic":
            return "Basic " + b64encode(f"{self._rules.user}:{self._secret}".encode()).decode()
        async with self._signing_in:
            if self._token is None:
                self._token = await self._sign_in()
            return self._token

    async def _sign_in(self) -> str:
        """A token by client credentials; nothing is changed there by it, however it goes."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self._rules.client_id or "",
            "client_secret": self._secret,
        }
        url = f"{self._rules.url.rstrip('/')}/oauth_token.do"
        try:
            reply = await self._http.call("POST", url, form=form, allowed=(HTTPStatus.UNAUTHORIZED,), gives_secret=True)
        except Trouble as trouble:
            raise Trouble(trouble.answer._replace(outcome=DeliveryOutcome.RETRY, unknown=False)) from None
        token = reply.data.get("access_token") if isinstance(reply.data, dict) else None
        if reply.status != HTTPStatus.OK or not isinstance(token, str) or not token:
            raise Trouble(Answer(DeliveryOutcome.RETRY, reply.status, "no token for the client credentials"))
        return f"Bearer {token}"


def rows(data: Any) -> list[Row]:
    """The records in an answer.

    Raises:
        Trouble: it holds no list of any: whatever answered is not the Table API, and "none" would be a lie.
    """
    found = data.get("result") if isinstance(data, dict) else None
    if not isinstance(found, list):
        raise Trouble(Answer(DeliveryOutcome.RETRY, detail="the answer holds no list of records"))
    return [_texts(each) for each in found if isinstance(each, dict)]


def row(data: Any) -> Row:
    """The one record in an answer.

    Raises:
        Trouble: there is none: whatever answered is not the Table API.
    """
    found = data.get("result") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        raise Trouble(Answer(DeliveryOutcome.RETRY, detail="the answer holds no record", unknown=True))
    return _texts(found)


def said(reply: Reply) -> str:
    """What an error says, on one line."""
    error = reply.data.get("error") if isinstance(reply.data, dict) else None
    words = [str(error.get(name) or "") for name in ("message", "detail")] if isinstance(error, dict) else [reply.text]
    return " ".join(": ".join(filter(None, words)).split())[:ANSWER_CHARACTERS_SHOWN]


def _identified(record: Row) -> Row:
    """A record that can be addressed: its id stands in addresses and queries from now on.

    Raises:
        Trouble: its id is none.
    """
    if not is_plain(record.get("sys_id", "")):
        raise Trouble(Answer(DeliveryOutcome.RETRY, detail="the answer holds a record without a sys_id", unknown=True))
    return record


def _is_said_by_the_api(reply: Reply) -> bool:
    return isinstance(reply.data, dict) and isinstance(reply.data.get("error"), dict)


def _texts(record: dict[str, Any]) -> Row:
    return {name: value if isinstance(value, str) else "" for name, value in record.items()}


def _refused(reply: Reply) -> Answer:
    """Rights are given by a person and tried again; what a policy refuses stays refused."""
    words = said(reply)
    for_good = reply.status == HTTPStatus.FORBIDDEN and any(each in words.casefold() for each in _REFUSED_FOR_GOOD)
    return Answer(DeliveryOutcome.REJECTED if for_good else DeliveryOutcome.RETRY, reply.status, words)
