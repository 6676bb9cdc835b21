"""PagerDuty's REST API, as far as it is needed: incidents by deduplication key, what changed, and notes.

Optional: events need no key of the account. Headers, pagination by ``offset``, ``limit`` and ``more``, and the filter
``incident_key``, which also finds an incident by the key of one of its alerts: PagerDuty/api-schema,
``reference/REST/openapiv3.json``.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.sinks.paging import PagerDuty
from pipeline.sinks.base import Answer, Trouble
from pipeline.sinks.http import Http, by_the_api

PAGE_SIZE: Final = 100
"""The largest page that PagerDuty gives."""

ENTRIES_MAX: Final = 10_000
"""PagerDuty pages no further into a list; what is further back is found by the reconciler."""

STATUSES: Final = ("triggered", "acknowledged", "resolved")


class Api:
    """Requests to the REST API."""

    def __init__(self, http: Http, rules: PagerDuty, secret: str) -> None:
        """Describe; nothing connects yet.

        Args:
            http: shared with the events, and so their rate.
            rules: the address and the user.
            secret: a REST API key.
        """
        self._http = http
        self._url = rules.api_url.rstrip("/")
        self._headers = {
            "Accept": "application/vnd.pagerduty+json;version=2",
            "Authorization": f"Token token={secret}",
        }
        self._user = rules.api_user

    @property
    def writes(self) -> bool:
        """Whether it may write: PagerDuty asks in whose name."""
        return self._user is not None

    async def incident(self, key: str, rank: int = 0) -> dict[str, Any] | None:
        """The newest incident that an alert of this key is in, if there is one.

        Raises:
            Trouble: it could not be asked.
        """
        # A range of dates would hide what is older than a month.
        found = await self._page("incidents", {"incident_key": key, "date_range": "all", "limit": str(PAGE_SIZE)}, rank)
        known = [each for each in _listed(found, "incidents") if each.get("status") in STATUSES]
        # Of several the one that is open; of those that are over the last.
        return max(
            known, key=lambda each: (each["status"] != "resolved", str(each.get("created_at", ""))), default=None
        )

    async def touched(self, since: datetime) -> list[dict[str, Any]]:
        """Incidents that something happened to since, each once, that of what happened first first.

        Raises:
            Trouble: it could not be asked.
        """
        found: dict[str, dict[str, Any]] = {}
        query = {"since": since.isoformat(), "include[]": "incidents", "limit": str(PAGE_SIZE)}
        offset, more = 0, True
        for _ in range(ENTRIES_MAX // PAGE_SIZE):
            if not more or offset + PAGE_SIZE > ENTRIES_MAX:
                break
            page = await self._page("log_entries", query | {"offset": str(offset)})
            entries = _listed(page, "log_entries")[:PAGE_SIZE]
            for entry in entries:  # the newest is first
                incident = entry.get("incident")
                if isinstance(incident, dict):
                    identity = str(incident.get("id", ""))
                    found[identity] = found.pop(identity, incident)
            offset += len(entries)
            more = bool(page.get("more")) and bool(entries)
        return list(reversed(found.values()))

    async def notes(self, identity: str, rank: int = 0) -> list[dict[str, Any]]:
        """The notes of an incident.

        Raises:
            Trouble: it could not be asked.
        """
        return _listed(await self._page(f"incidents/{quote(identity, safe='')}/notes", {}, rank), "notes")

    async def add_note(self, identity: str, text: str, rank: int = 0) -> None:
        """Write a note.

        Raises:
            Trouble: it was not written, as far as is known.
        """
        await self._http.call(
            "POST",
            f"{self._url}/incidents/{quote(identity, safe='')}/notes",
            json={"note": {"content": text}},
            headers={**self._headers, "From": self._user or ""},
            rank=rank,
        )

    async def reads(self) -> str:
        """Read the newest incident, so that a person sees whether the key is good.

        Raises:
            Trouble: it is not, or nobody answers.
        """
        await self._page("incidents", {"limit": "1"})
        return "the key of the REST API reads incidents; the routing key is seen by the first event"

    async def _page(self, path: str, query: dict[str, str], rank: int = 0) -> dict[str, Any]:
        reply = await self._http.call(
            "GET",
            f"{self._url}/{path}",
            params=query,
            headers=self._headers,
            rank=rank,
            allowed=(HTTPStatus.NOT_FOUND,),
        )
        return {} if by_the_api(reply).status == HTTPStatus.NOT_FOUND else dict(reply.mapping)


def _listed(page: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list in an answer.

    Raises:
        Trouble: it holds no such list: whatever answered is not PagerDuty, and "none" would be a lie.
    """
    found = page.get(name) if page else []
    if not isinstance(found, list):
        raise Trouble(Answer(DeliveryOutcome.RETRY, detail=f"the answer holds no list of {name}"))
    return [each for each in found if isinstance(each, dict)]
