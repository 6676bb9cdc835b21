"""incident.io status pages: an incident there for each incident that a published message was said of.

By its API, version 2 (https://docs.incident.io/api-reference, "Status Pages V2", open to API keys since February 2026;
checked against its own client for Python, version 2.29.0): ``Authorization: Bearer KEY``; ``POST
/v2/status_page_incidents`` needs ``idempotency_key``, of which a repeat returns the original response, so nothing is
searched for, only read again; ``POST /v2/status_page_incident_updates`` has no such key, so after an unknown outcome an
update is looked for by its words. ``component_statuses`` must not be given with ``resolved``, which ends the incident
and what it did to its components; what other incidents do to them stays. Notifying is refused where a page has more
than 1,000 subscribers. Nothing there is deleted or reopened: what comes back is a new incident. 1,200 requests a minute
and key.

Messages there are Markdown, ours are plain text. An incident there can hold no id of ours, so what changes there is
found only by looking at each that we know of.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from pipeline.core.outward.send import Send
from pipeline.models.command import Moment
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import Fields, Remote, RemoteState, SinkUpdate, UpdateKind
from pipeline.models.sinks.status_pages import IncidentIo
from pipeline.sinks.base import Answer, Trouble
from pipeline.sinks.http import ANSWER_CHARACTERS_SHOWN, Reply, by_the_api
from pipeline.sinks.limits import Bucket
from pipeline.sinks.status_page_words import RESOLVED, Post, cut, held, rank_of, remote_state
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
    taken,
)
from pipeline.sinks.told import Told

MESSAGE_CHARACTERS_MAX: Final = 25_000
"""No limit is documented; that of other pages is more than any message has."""

OPENINGS_MAX: Final = 20
"""How often an incident is made anew before something else must be wrong."""

_GONE: Final = (HTTPStatus.NOT_FOUND,)
_ADDRESS: Final = re.compile(r"(https?://[^\s<>]+)")
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>~|!#{}&$])")
# What begins a list, a quotation or a heading, at the beginning of a line.
_LEADING: Final = re.compile(r"^(\s*\d*)(?<=\d)([.)])|^(\s*)([-+=])", re.MULTILINE)
_LINE_END: Final = re.compile(r"(?<=[^\n])\n(?=[^\n])")
_MOMENT: Final[TypeAdapter[datetime]] = TypeAdapter(Moment)


class IncidentIoSink(PageSink):
    """One page."""

    def __init__(self, rules: IncidentIo, secrets: Mapping[str, str], bucket: Bucket) -> None:
        """Check the key; nothing connects yet. Arguments and errors as those of `page_http`."""
        super().__init__(rules)
        self._rules = rules
        self.notify = rules.notify
        self._http = page_http(rules, secrets, bucket, "Bearer")
        self._base = f"{rules.url.rstrip('/')}/v2"

    async def there(self, send: Send, remote: Remote | None) -> There:  # noqa: D102  # as `PageSink`
        if remote is None or remote.ended:
            return There(remote, [])  # what was made meanwhile is returned when it is made again
        reply = await self._show(remote, send.rank)
        if reply.status == HTTPStatus.NOT_FOUND:
            return There(gone(remote), [])
        found = record_of(reply, "status_page_incident")
        known = str(remote.extra.get("update", ""))
        return There(in_status(remote, str(found.get("incident_status", ""))), _said(found, known))

    async def say(self, send: Send, about: Told, remote: Remote | None, post: Post, now: datetime) -> Spoken:  # noqa: D102  # as `PageSink`
        if remote is None or remote.ended:
            return Spoken(remote) if remote and post.status == RESOLVED else await self._open(send, about, remote, post)
        fields = {
            "status_page_incident_id": remote.id,
            "message": self.shown(post.text),
            "incident_status": post.status,
            "notify_subscribers": post.notify,
        }
        wish = held(self._rules, about, remote.extra, post.status)
        if wish:
            fields["component_statuses"] = _statuses(wish)
        try:
            reply = await self._write("status_page_incident_updates", fields, send.rank, _GONE)
        except Trouble as trouble:
            if trouble.answer.status != HTTPStatus.UNPROCESSABLE_ENTITY or not await self._is_over(remote, send.rank):
                raise
            return await self.say(send, about, in_status(remote, RESOLVED), post, now)  # somebody has ended it there
        if reply.status == HTTPStatus.NOT_FOUND:
            return await self.say(send, about, gone(remote), post, now)
        update = record_of(reply, "status_page_incident_update")
        memory = {"components": wish, "rank": rank_of(about, remote.extra), "update": update["id"]}
        return Spoken(remembering(remote, post, **memory))

    async def _open(self, send: Send, about: Told, remote: Remote | None, post: Post) -> Spoken:
        """Make an incident with its first message, or be told of the one that was made before."""
        kept: Mapping[str, Any] = remote.extra if remote is not None else {}
        wish = held(self._rules, about, {**kept, "components": {}}, post.status)
        fields = {
            "status_page_id": self._rules.page_id,
            "name": post.name,
            "message": self.shown(post.text),
            "incident_status": post.status,
            "notify_subscribers": post.notify,
        }
        if wish:
            fields["component_statuses"] = _statuses(wish)
        first = int(kept.get("openings", 0))
        for opening in range(first, first + OPENINGS_MAX):
            fields["idempotency_key"] = f"{send.incident_id}/{self._rules.name}/{opening}"
            reply = await self._write("status_page_incidents", fields, send.rank)
            made = await self._now(send, record_of(reply, "status_page_incident"), post)
            if made is None:
                continue
            news = _said(made, "")
            memory = {"components": wish, "rank": rank_of(about, kept), "openings": opening + 1, "named": post.name}
            known = taken(news, post, self.shown(post.text))
            there = Remote(id=made["id"], key=made["id"], extra={**kept, **memory})
            if known is not None:
                return Spoken(remembering(there, post, update=known.id), news)
            if made.get("incident_status") != RESOLVED:  # made for an earlier message, and we never heard so
                there = in_status(there, str(made.get("incident_status", "")))
                return await self.say(send, about, there, post, datetime.now(UTC))
        raise Trouble(Answer(DeliveryOutcome.REJECTED, detail=f"made anew {OPENINGS_MAX} times, and always over"))

    async def _now(self, send: Send, made: Mapping[str, Any], post: Post) -> Mapping[str, Any] | None:
        """An incident as it is now; None: it is there no more. The original response to a repeated key is older."""
        if not send.unsure and taken(_said(made, ""), post, self.shown(post.text)) is not None:
            return made
        reply = await self._show(Remote(id=made["id"]), send.rank)
        return None if reply.status == HTTPStatus.NOT_FOUND else record_of(reply, "status_page_incident")

    async def settle(self, send: Send, about: Told, remote: Remote) -> Remote:
        """The name follows the newest message. Components follow with the next message: without one they cannot."""
        del about
        name = str(remote.extra.get("name", ""))
        if not self._rules.rename or remote.state == RemoteState.GONE or name == remote.extra.get("named", name):
            return remote
        url = f"{self._base}/status_page_incidents/{quote(remote.id, safe='')}"
        await self._http.call("PUT", url, json={"name": name}, rank=send.rank, allowed=_GONE)
        return replace(remote, extra={**remote.extra, "named": name})

    async def _write(self, path: str, fields: dict[str, Any], rank: int, allowed: tuple[int, ...] = ()) -> Reply:
        """Make a request; where nobody can be notified, make it without."""
        refused = HTTPStatus.UNPROCESSABLE_ENTITY
        url = f"{self._base}/{path}"
        reply = await self._http.call("POST", url, json=fields, rank=rank, allowed=(*allowed, refused))
        if reply.status == refused and fields["notify_subscribers"] and "subscriber" in reply.text:
            quiet = {**fields, "notify_subscribers": False}
            reply = await self._http.call("POST", url, json=quiet, rank=rank, allowed=(*allowed, refused))
        by_the_api(reply)
        if reply.status == refused:
            raise Trouble(Answer(DeliveryOutcome.REJECTED, refused, reply.text[:ANSWER_CHARACTERS_SHOWN]))
        return reply

    def shown(self, text: str) -> str:
        """A text that reads the same as Markdown. Addresses stay as they are: they are links there."""
        parts = _ADDRESS.split(cut(text, MESSAGE_CHARACTERS_MAX // 2))  # each character may get a backslash
        return "".join(part if index % 2 else _escaped(part) for index, part in enumerate(parts))

    async def look(self, incident_id: str, remote: Remote, now: datetime) -> SinkUpdate | None:  # noqa: D102  # as `SinkClient`
        reply = await self._show(remote, 0)
        kind, at, state = UpdateKind.GONE, now, RemoteState.GONE
        if reply.status != HTTPStatus.NOT_FOUND:
            found = record_of(reply, "status_page_incident")
            kind, state = UpdateKind.READ, remote_state(str(found.get("incident_status", "")))
            at = _changed_at(found, now)
        return SinkUpdate(
            kind=kind,
            update_id=f"{remote.id}/{at.isoformat() if kind is UpdateKind.READ else kind}",
            sink=self._rules.name,
            incident_id=incident_id,
            at=at,
            fields=Fields(state=state),
            remote_id=remote.id,
            remote_key=remote.key,
        )

    async def close(self) -> None:  # noqa: D102  # as `SinkClient`
        await self._http.close()

    async def _is_over(self, remote: Remote, rank: int) -> bool:
        reply = await self._show(remote, rank)
        if reply.status == HTTPStatus.NOT_FOUND:
            return False
        found = record_of(reply, "status_page_incident")
        return remote_state(str(found.get("incident_status", ""))) == RemoteState.RESOLVED

    async def _show(self, remote: Remote, rank: int) -> Reply:
        url = f"{self._base}/status_page_incidents/{quote(remote.id, safe='')}"
        return by_the_api(await self._http.call("GET", url, rank=rank, allowed=_GONE))


def _statuses(wish: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"component_id": component, "component_status": status} for component, status in wish.items()]


def _said(incident: Mapping[str, Any], known: str) -> list[Said]:
    """Updates that are newer than the one that is known, oldest first."""
    updates = _updates(incident)
    updates.sort(key=lambda each: (str(each.get("published_at", "")), str(each.get("id", ""))))
    found = [
        Said(str(each.get("id", "")), str(each.get("incident_status", "")), str(each.get("message", "")))
        for each in updates
    ]
    ids = [each.id for each in found]
    return found[ids.index(known) + 1 :] if known in ids else found


def _updates(incident: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = incident.get("updates")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _changed_at(incident: Mapping[str, Any], now: datetime) -> datetime:
    moments = [str(each.get("published_at", "")) for each in _updates(incident)]
    try:
        return _MOMENT.validate_python(max(moments, default=""))
    except ValidationError:
        return now


def _escaped(text: str) -> str:
    marked = _LEADING.sub(r"\1\3\\\2\4", _MARKUP.sub(r"\\\1", text))
    return _LINE_END.sub("  \n", marked)  # else Markdown joins the lines
