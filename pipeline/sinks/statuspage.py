"""Atlassian Statuspage: an incident there for each incident that a published message was said of.

By its API, version 1 (https://developer.statuspage.io, with its OpenAPI description): ``Authorization: OAuth KEY``;
``POST /v1/pages/{page}/incidents`` needs ``incident.name`` (255 characters) and takes ``body`` (25,000 characters),
``status``, ``impact_override``, ``components`` (id -> status), ``component_ids``, ``metadata`` (top-level values are
objects) and ``deliver_notifications``, which is true unless one says no; ``PATCH .../incidents/{id}`` takes the same,
and a ``body`` in it becomes an incident update. Creation knows no idempotency key, so after an unknown outcome the
incident is looked for by ``metadata.spillway``, and a message by its words. 60 requests in 60 seconds and token, then
420 or 429.

A component has one status, whoever set it, so what other incidents there need is looked up before it is written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import Remote, RemoteState, SinkUpdate
from pipeline.models.sinks.status_pages import Statuspage
from pipeline.sinks.base import Answer, Trouble, gone_update
from pipeline.sinks.http import Reply, by_the_api
from pipeline.sinks.limits import RANK_LOOK_UP, Bucket
from pipeline.sinks.status_page_words import RESOLVED, Post, cut, held, is_over, rank_of
from pipeline.sinks.status_pages import (
    PageSink,
    Said,
    Spoken,
    There,
    gone,
    in_status,
    page_http,
    record_of,
    remembering,
)
from pipeline.sinks.statuspage_updates import MARK, marked, read
from pipeline.sinks.statuspage_words import Others, safe, settled
from pipeline.sinks.ticket_words import is_plain
from pipeline.sinks.told import Told

BODY_CHARACTERS_MAX: Final = 25_000
"""Of one update (its API, `incident.body`)."""

ROWS_PER_PAGE: Final = 100
"""The most that a list gives at once (its API, `limit` and `per_page`)."""

PAGES_MAX: Final = 10
"""Of a list that is read: a page with a thousand open incidents has nobody who reads it."""

NEWEST_PAGES_MAX: Final = 2
"""Of all incidents, newest first: what may have been made an attempt ago is among the newest two hundred."""

_GONE: Final = (HTTPStatus.NOT_FOUND,)


class StatuspageSink(PageSink):
    """One page."""

    def __init__(self, rules: Statuspage, secrets: Mapping[str, str], bucket: Bucket) -> None:
        """Check the key; nothing connects yet. Arguments and errors as those of `page_http`."""
        super().__init__(rules)
        self._rules = rules
        self.notify = rules.notify
        self._http = page_http(rules, secrets, bucket, "OAuth")
        self._page = f"{rules.url.rstrip('/')}/v1/pages/{rules.page_id}"

    # -- what is there

    async def there(self, send: Send, remote: Remote | None) -> There:  # noqa: D102  # as `PageSink`
        here = There(remote, [])
        if remote is not None and remote.state != RemoteState.GONE:
            here = await self._here(send, remote)
            if here.news or not remote.ended:
                return here
        other = await self._made(send, "" if remote is None else remote.id)
        if other is None:
            return here
        before = remote.extra if remote is not None else {}
        kept = {**before, "update": "", "components": _holds(other)}
        return There(_status_of(replace(_remote(other), extra=kept), other), _said(other, ""))

    async def _here(self, send: Send, remote: Remote) -> There:
        """The incident that we know of, as it is there."""
        reply = await self._incident("GET", remote, rank=send.rank)
        if reply.status == HTTPStatus.NOT_FOUND:
            return There(gone(remote), [])
        found = record_of(reply)
        return There(_status_of(remote, found), _said(found, str(remote.extra.get("update", ""))))

    async def _made(self, send: Send, but: str) -> Mapping[str, Any] | None:
        """The incident there that was made for ours, though we never heard so; not the one of that id."""
        async for each in self._incidents("incidents/unresolved", "per_page", PAGES_MAX, send.rank):
            if marked(each, self._rules.name) == send.incident_id and each["id"] != but:
                return each
        if but:
            return None  # one that was resolved may be any of the earlier ones
        async for each in self._incidents("incidents", "limit", NEWEST_PAGES_MAX, send.rank):
            if marked(each, self._rules.name) == send.incident_id:
                return each
        return None

    async def _others(self, own: str, rank: int) -> Others:
        """What the other open incidents of the page need of its components."""
        needs: dict[str, list[str | None]] = {}
        shown: dict[str, str] = {}
        metadata: Mapping[str, Any] = {}
        async for each in self._incidents("incidents/unresolved", "per_page", PAGES_MAX, rank):
            if each["id"] == own:
                metadata = _metadata(each)
                continue
            holds = _holds(each)
            for component in _components(each):
                needs.setdefault(component["id"], []).append(holds.get(component["id"]))
                shown[component["id"]] = str(component.get("status", ""))
        return Others(needs, shown, metadata)

    async def _incidents(self, path: str, size: str, pages_max: int, rank: int) -> AsyncIterator[Mapping[str, Any]]:
        for page in range(1, pages_max + 1):
            params = {"page": str(page), size: str(ROWS_PER_PAGE)}
            reply = await self._http.call("GET", f"{self._page}/{path}", params=params, rank=rank)
            if not isinstance(reply.data, list) or not all(
                map(_is_record, reply.data)
            ):  # a proxy's page; to take it for "none" would make it twice
                raise Trouble(Answer(DeliveryOutcome.RETRY, reply.status, "the answer holds no list of incidents"))
            for each in reply.data:
                yield each
            if len(reply.data) < ROWS_PER_PAGE:
                return

    # -- what is said

    async def say(self, send: Send, about: Told, remote: Remote | None, post: Post, now: datetime) -> Spoken:  # noqa: D102  # as `PageSink`
        kept: Mapping[str, Any] = remote.extra if remote is not None else {}
        wish = held(self._rules, about, kept, post.status)
        # Where another incident speaks from now on its components stay as they are, until this one is over.
        left = kept.get("components", {}) if post.state == "moved" else {}
        parts = {} if left else await self._component_fields(send, remote, wish, kept)
        fields = self._words(about, remote, post) | parts
        memory = {"components": wish, "left": left, "impact": self._impact(about, kept), "rank": rank_of(about, kept)}
        if remote is None or remote.state == RemoteState.GONE:
            fields["metadata"] = {MARK: self._mark(send, wish)}
            reply = await self._http.call("POST", f"{self._page}/incidents", json={"incident": fields}, rank=send.rank)
            made = record_of(reply)
            return Spoken(_after(replace(_remote(made), extra=dict(kept)), post, made, memory))
        # One that was resolved is opened again; where that is not taken, another is made.
        allowed = (*_GONE, HTTPStatus.UNPROCESSABLE_ENTITY) if remote.ended else _GONE
        reply = await self._incident("PATCH", remote, fields, rank=send.rank, allowed=allowed)
        if reply.status not in allowed:
            return Spoken(_after(remote, post, record_of(reply), memory))
        if post.status == RESOLVED:
            return Spoken(gone(remote))
        return await self.say(send, about, gone(remote), post, now)

    def _words(self, about: Told, remote: Remote | None, post: Post) -> dict[str, Any]:
        """Fields of a message."""
        fields: dict[str, Any] = {
            "status": post.status,
            "body": self.shown(post.text),
            "deliver_notifications": post.notify,
        }
        if remote is None or remote.state == RemoteState.GONE or self._rules.rename:
            fields["name"] = safe(post.name)
        if post.status != RESOLVED:
            fields["impact_override"] = self._impact(about, remote.extra if remote is not None else {})
        return fields

    async def settle(self, send: Send, about: Told, remote: Remote) -> Remote:
        """Impact and components follow the priority and the services, without a word and without a notification."""
        kept = remote.extra
        if remote.ended:
            return await self._let_go(send, remote) if is_over(about) else remote
        wish, impact = held(self._rules, about, kept, str(kept.get("status", ""))), self._impact(about, kept)
        parts = await self._component_fields(send, remote, wish, kept)
        if not parts and impact == kept.get("impact"):
            return remote
        fields = {"impact_override": impact, "deliver_notifications": False, **parts}
        reply = await self._incident("PATCH", remote, fields, rank=send.rank)
        if reply.status == HTTPStatus.NOT_FOUND:
            return gone(remote)
        memory = {"components": wish, "impact": impact, "rank": rank_of(about, kept)}
        return replace(remote, extra={**kept, **memory})

    async def _let_go(self, send: Send, remote: Remote) -> Remote:
        """Components that were left down when the incident ended there: up again, as it is over here.

        They were left for the incident that speaks instead, which may never have been shown, or may not be about all of
        them; or a person has resolved or deleted it there.
        """
        left = {**remote.extra.get("left", {}), **remote.extra.get("components", {})}
        if not left:
            return remote
        others = await self._others(remote.id, send.rank)
        for component, status in settled({}, left, others, self._rules.SEVERITIES).items():
            url = f"{self._page}/components/{quote(component, safe='')}"
            body = {"component": {"status": status}}
            await self._http.call("PATCH", url, json=body, rank=send.rank, allowed=_GONE)
        return replace(remote, extra={**remote.extra, "left": {}, "components": {}})

    async def _component_fields(
        self, send: Send, remote: Remote | None, wish: Mapping[str, str], kept: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Fields that bring the components to what this and the other open incidents need of them."""
        before: Mapping[str, str] = kept.get("components", {})
        if wish == before:
            return {}
        others = await self._others(remote.id if remote is not None else "", send.rank)
        fields: dict[str, Any] = {"metadata": {**others.metadata, MARK: self._mark(send, wish)}}
        if wish:
            fields["component_ids"] = list(wish)
        statuses = settled(wish, before, others, self._rules.SEVERITIES)
        return fields | ({"components": statuses} if statuses else {})

    def _mark(self, send: Send, wish: Mapping[str, str]) -> dict[str, Any]:
        return {"incident_id": send.incident_id, "sink": self._rules.name, "components": dict(wish)}

    def _impact(self, about: Told, kept: Mapping[str, Any]) -> str:
        return self._rules.impact(about.incident.get("priority"), rank_of(about, kept))

    def shown(self, text: str) -> str:  # noqa: D102  # as `PageSink`
        return cut(safe(text), BODY_CHARACTERS_MAX)

    # -- what changes there

    async def look(self, incident_id: str, remote: Remote, now: datetime) -> SinkUpdate | None:  # noqa: D102  # as `SinkClient`
        reply = await self._incident("GET", remote)
        if reply.status == HTTPStatus.NOT_FOUND:
            return gone_update(self._rules.name, incident_id, remote, now)
        return read(self._rules, record_of(reply), incident_id, now)

    async def changed(self, since: datetime) -> AsyncIterator[SinkUpdate]:  # noqa: D102  # as `SinkClient`
        found: dict[str, SinkUpdate] = {}
        for path, size, pages in (("incidents/unresolved", "per_page", PAGES_MAX), ("incidents", "limit", 1)):
            async for each in self._incidents(path, size, pages, 0):
                incident_id = marked(each, self._rules.name)
                update = read(self._rules, each, incident_id, since) if incident_id else None
                if update is not None and update.at > since:
                    found[update.remote_id] = update
        for update in sorted(found.values(), key=lambda each: each.at):
            yield update

    async def check(self) -> str:
        """The page as its API describes it. Source: https://developer.statuspage.io, ``GET /pages/{page_id}``."""
        reply = await self._http.call("GET", self._page, rank=RANK_LOOK_UP)
        return f"the page is {reply.mapping.get('name')}"

    async def close(self) -> None:  # noqa: D102  # as `SinkClient`
        await self._http.close()

    async def _incident(
        self,
        method: str,
        remote: Remote,
        fields: Mapping[str, Any] | None = None,
        *,
        rank: int = 0,
        allowed: tuple[int, ...] = _GONE,
    ) -> Reply:
        url = f"{self._page}/incidents/{quote(remote.id, safe='')}"
        body = None if fields is None else {"incident": fields}
        return by_the_api(await self._http.call(method, url, json=body, rank=rank, allowed=allowed))


def _is_record(each: Any) -> bool:
    return isinstance(each, dict) and isinstance(each.get("id"), str) and is_plain(each["id"])


def _components(incident: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    return [each for each in _list(incident, "components") if _is_record(each)]


def _metadata(incident: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = incident.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _holds(incident: Mapping[str, Any]) -> dict[str, str]:
    """What an incident of ours needs of its components; nothing where it is a person's."""
    mark = _metadata(incident).get(MARK)
    components = mark.get("components") if isinstance(mark, dict) else None
    named = components if isinstance(components, dict) else {}
    return {name: each for name, each in named.items() if isinstance(each, str)}


def _list(incident: Mapping[str, Any], name: str) -> list[Any]:
    found = incident.get(name)
    return found if isinstance(found, list) else []


def _said(incident: Mapping[str, Any], known: str) -> list[Said]:
    """Updates that are newer than the one that is known, oldest first; the list there has the newest first."""
    found: list[Said] = []
    for each in _list(incident, "incident_updates"):
        if not _is_record(each) or each["id"] == known:
            break
        found.append(Said(each["id"], str(each.get("status", "")), str(each.get("body") or "")))
    return found[::-1]


def _remote(incident: Mapping[str, Any]) -> Remote:
    return Remote(id=incident["id"], key=incident["id"], url=str(incident.get("shortlink") or ""))


def _status_of(remote: Remote, incident: Mapping[str, Any]) -> Remote:
    return in_status(remote, str(incident.get("status", "")))


def _after(remote: Remote, post: Post, incident: Mapping[str, Any], memory: Mapping[str, Any]) -> Remote:
    newest = [each.id for each in _said(incident, "")][-1:]
    return remembering(remote, post, update=newest[0] if newest else "", **memory)
