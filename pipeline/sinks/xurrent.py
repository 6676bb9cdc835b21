"""The Xurrent sink: a request for each incident.

A request is found by its source and our id. Neither is unique there, so whatever may have been created is looked for
before anything is created again. Requests of the members of a Major Incident are grouped into that of their bridge
incident, which is a group; whichever of the two is there last sees to it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final

from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import Remote, RemoteState, SinkUpdate
from pipeline.models.sinks.xurrent import STATES_READ, Xurrent
from pipeline.sinks.base import Answer, SinkClient, SinkError, Trouble, gone_update
from pipeline.sinks.limits import Bucket
from pipeline.sinks.told import Told, told
from pipeline.sinks.xurrent_api import Api
from pipeline.sinks.xurrent_updates import address_of, as_read, incident_of, person_of
from pipeline.sinks.xurrent_words import OVER, created, note, note_mark, patch, public_notes

NOT_IN_EVENTS: Final = frozenset({"grouping", "major_incident_status", "custom_fields"})
"""Fields of requests that the Events API does not take."""

MEMBERS_AT_ONCE_MAX: Final = 20
"""Members that a bridge incident looks for in one delivery: two requests each, of an hour's 3,600."""

WORD_CHARACTERS_MAX: Final = 64

KEPT_MAX: Final = 200
"""Members that the request of a bridge incident remembers having looked for."""


class XurrentSink(SinkClient):
    """Requests of one account of Xurrent."""

    def __init__(self, rules: Xurrent, secrets: Mapping[str, str], bucket: Bucket) -> None:
        """Check what it needs; nothing connects yet.

        Raises:
            SinkError: the token is empty or no token.
        """
        token = secrets[rules.secret_env].strip()
        if not token or any(each.isspace() for each in token):
            raise SinkError(f"sink {rules.name}: {rules.secret_env} must hold a personal access token of Xurrent")
        self._rules = rules
        self._api = Api(rules, token, bucket)
        self._me: frozenset[str] | None = None

    async def send(self, send: Send, now: datetime) -> Answer:
        """Make one attempt."""
        attempt = _Attempt(self._rules, self._api, send, now)
        try:
            detail = await attempt.make()
        except Trouble as trouble:
            return trouble.answer._replace(remote=attempt.remote)
        return Answer(DeliveryOutcome.DELIVERED, HTTPStatus.OK, detail, remote=attempt.remote)

    async def look(self, incident_id: str, remote: Remote, now: datetime) -> SinkUpdate | None:
        """The request as it is there, or that it is gone."""
        found = await self._api.request(remote.id)
        if found is None:
            return gone_update(self._rules.name, incident_id, remote, now)
        return as_read(self._rules, incident_id, found, await self._notes(remote.id), now, await self._own())

    async def changed(self, since: datetime) -> AsyncIterator[SinkUpdate]:
        """Requests of ours that have changed since."""
        async for found in self._api.touched(since):
            incident_id = incident_of(self._rules, found)
            if incident_id is not None:
                notes = await self._notes(str(found.get("id")))
                yield as_read(self._rules, incident_id, found, notes, since, await self._own())

    async def check(self) -> str:
        """Who we are there; that the token may write requests is seen by the first one."""
        return f"we are person {await self._api.me()}"

    async def close(self) -> None:
        """Disconnect."""
        await self._api.close()

    async def _own(self) -> frozenset[str]:
        """The person that the token is of: asked for once. A token that may not say so leaves it to ``own_users``."""
        if self._me is None:
            try:
                me = await self._api.me()
            except Trouble as trouble:
                if trouble.answer.status != HTTPStatus.FORBIDDEN:
                    raise
                me = ""
            self._me = frozenset({me} if me else ())
        return self._me

    async def _notes(self, identity: str) -> list[dict[str, Any]]:
        return [] if self._rules.owners.notes == "ours" else await self._api.notes(identity)


class _Attempt:
    """One delivery. ``remote`` is kept up to date, so that what was done is known also where the rest fails."""

    def __init__(self, rules: Xurrent, api: Api, send: Send, now: datetime) -> None:
        self._rules = rules
        self._api = api
        self._send = send
        self._now = now
        self._said: Told = told(send.body)
        self._into = ""
        self.remote: Remote | None = deepcopy(send.remote)

    async def make(self) -> str:
        """Bring the request up to date; words for people about what was not done.

        Raises:
            Trouble: it could not be done now.
        """
        if self.remote is None and not await self._open():
            return "over: no request is opened"
        detail = await self._write()
        await self._write_notes()
        if self._said.incident.get("kind") == "bridge" and self._said.state not in OVER:
            await self._group_members()
        return detail

    # -- creating

    async def _open(self, but: str = "") -> bool:
        """Find the request or create it. Whether there is one then: what is over already gets none."""
        found = await self._api.find(self._send.incident_id, self._rank, but) if self._send.unsure or but else None
        if found is None and self._said.state in OVER:
            return False
        fields = created(self._rules, self._said)
        is_new = found is None
        if found is None:
            found = await self._api.create(
                {name: value for name, value in fields.items() if name not in self._lacking}, self._rank
            )
        self.remote = self._of(found, fields, is_new=is_new)
        return True

    @property
    def _lacking(self) -> frozenset[str]:
        """Fields that whatever creates requests does not know; they are written as soon as there is one."""
        return NOT_IN_EVENTS if self._rules.create_by == "events" else frozenset()

    def _of(self, found: Mapping[str, Any], fields: Mapping[str, Any], *, is_new: bool) -> Remote:
        """What is known of a request that was created.

        Of one that was created by an attempt whose answer was lost what it was created with: whatever else it says
        by now a person has done since, and that comes back as what it is.
        """
        remote = Remote(
            id=str(found["id"]),
            key=str(found["id"]),
            url=address_of(self._rules, found["id"]),
            state=RemoteState.OPEN,
            fields={"state": RemoteState.OPEN, "title": str(fields["subject"]), "assignee": ""},
            extra={
                "noted": self._send.delivery_id if is_new else "",
                "grouping": _word(found.get("grouping")),
                "problem": _identity(found.get("problem")),
                "major": _word(found.get("major_incident_status")),
                "group": _identity(found.get("grouped_into")),
                "member": _identity(found.get("member")),
            },
        )
        _impact(self._rules, remote, fields)
        if is_new:
            remote.state = STATES_READ.get(str(found.get("status")), RemoteState.OPEN)
            remote.fields["state"] = remote.state
            _member(self._rules, remote, found)
        return remote

    # -- writing

    async def _write(self) -> str:
        remote = self._known
        wanted = {name: value for name, value in self._send.wanted.items() if self._differs(name, value)}
        if self._said.state == "merged" and (winner := self._said.incident.get("merged_into")):
            found = await self._api.find(str(winner), self._rank)
            self._into = address_of(self._rules, found["id"]) if found else ""
        fields = patch(self._rules, self._said, remote, wanted, self._now)
        fields |= await self._group()
        fields |= await self._major_at_the_end(fields)
        if not fields:
            return ""
        try:
            written = await self._api.update(remote.id, fields, self._rank)
        except Trouble as trouble:
            return await self._write_less(fields, trouble)
        if written is None:
            raise self._gone()
        self._take(fields, written)
        return ""

    def _differs(self, field: str, value: str) -> bool:
        return self._known.fields.get(field) != self._rules.canonical(field, value)

    async def _write_less(self, fields: dict[str, Any], trouble: Trouble) -> str:
        """A status of work may need what the request has not, such as somebody who has it; the rest need not wait.

        Raises:
            Trouble: that is not what it was refused for, or what is over could not be completed.
        """
        status = fields.get("status")
        refused = trouble.answer.status == HTTPStatus.UNPROCESSABLE_ENTITY
        if not refused or status is None:
            raise trouble
        if self._known.ended:
            return await self._open_anew(trouble)
        if status == "completed":
            raise trouble
        rest = {name: value for name, value in fields.items() if name not in ("status", "waiting_until")}
        if rest:
            written = await self._api.update(self._known.id, rest, self._rank)
            if written is None:
                raise self._gone()
            self._take(rest, written)
        return f"status {status} was refused: {trouble.answer.detail}"

    async def _open_anew(self, trouble: Trouble) -> str:
        """What cannot be opened again there is opened as a new request, which names the old one."""
        before = self._known
        if not await self._open(but=before.id):
            raise trouble
        await self._note(f"It follows {before.url}", internal=True)
        return f"request {before.key} could not be opened again: {self._known.key} follows it"

    def _gone(self) -> Trouble:
        """The request is not there any more. Whether another takes its place is decided where all of them are known."""
        self._known.state = RemoteState.GONE
        words = f"request {self._known.key} is gone"
        return Trouble(Answer(DeliveryOutcome.REJECTED, HTTPStatus.NOT_FOUND, words))

    def _take(self, fields: Mapping[str, Any], written: Mapping[str, Any]) -> None:
        """Remember what was written; what was not is left to what comes back."""
        remote = self._known
        if "status" in fields:
            remote.state = STATES_READ.get(str(written.get("status")), RemoteState.OPEN)
            remote.fields["state"] = remote.state
        if "subject" in fields:
            remote.fields["title"] = str(written.get("subject") or "")
        if "impact" in fields:
            _impact(self._rules, remote, written)
        if "member_id" in fields:
            _member(self._rules, remote, written)
        for name, kept in (("problem_id", "problem"), ("major_incident_status", "major"), ("grouped_into_id", "group")):
            if name in fields:
                remote.extra[kept] = fields[name]

    # -- Major Incidents

    async def _group(self) -> dict[str, Any]:
        """Into the request of the bridge incident, or out of it."""
        incident, remote = self._said.incident, self._known
        if not self._rules.grouping or incident.get("kind") == "bridge" or "bridge" not in self._rules.kinds:
            return {}
        bridge, known = incident.get("bridge_id"), remote.extra.get("group")
        if not bridge:
            return {"grouped_into_id": None} if known else {}
        if known or remote.ended or self._said.state in OVER:
            return {}
        found = await self._api.find(str(bridge), self._rank)
        return {"grouped_into_id": found["id"]} if found and found.get("status") != "completed" else {}

    async def _group_members(self) -> None:
        """Requests of members that were there before the bridge incident's."""
        remote = self._known
        if not self._rules.grouping or "incident" not in self._rules.kinds:
            return
        asked = list(remote.extra.get("members", []))
        for member in [each for each in self._said.incident.get("members", []) if each not in asked][
            :MEMBERS_AT_ONCE_MAX
        ]:
            found = await self._api.find(str(member), self._rank)
            if found and found.get("status") != "completed" and _identity(found.get("grouped_into")) is None:
                await self._api.update(str(found["id"]), {"grouped_into_id": int(remote.id)}, self._rank)
            asked.append(member)
            remote.extra["members"] = asked[-KEPT_MAX:]

    async def _major_at_the_end(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """How the process of Major Incidents there ends: resolved if the manager there had accepted it."""
        known = self._known.extra.get("major")
        if fields.get("status") != "completed" or known not in ("proposed", "accepted"):
            return {}
        found = await self._api.request(self._known.id, self._rank)
        there = found.get("major_incident_status") if found else None
        ends = {"accepted": "resolved", "proposed": "canceled"}.get(str(there))
        return {"major_incident_status": ends} if ends else {}

    # -- notes

    async def _write_notes(self) -> None:
        """One internal note and the words for the requester, each once."""
        remote, revision = self._known, self._said.revision
        text = note(self._rules, self._said, propose=self._send.propose, into=self._into)
        words = public_notes(self._rules, self._said)
        said = remote.extra.get("said", 0) if remote.extra.get("saying") == revision else 0
        # By delivery: what was given up and is sent again comes under a revision that was told already.
        noted = not text or remote.extra.get("noted") == self._send.delivery_id
        if noted and said >= len(words):
            return
        retries = self._send.unsure or self._send.attempt > 1
        there = [str(each.get("text") or "").rstrip() for each in await self._api.notes(remote.id)] if retries else []
        if not noted:
            if not any(each.endswith(note_mark(self._said)) for each in there):
                await self._note(text, internal=True)
            remote.extra["noted"] = self._send.delivery_id
        for number, each in enumerate(words[said:], said + 1):
            if each.rstrip() not in there:
                await self._note(each, internal=False)
            remote.extra |= {"saying": revision, "said": number}

    async def _note(self, text: str, *, internal: bool) -> None:
        if not await self._api.add_note(self._known.id, text, self._rank, internal=internal):
            raise self._gone()

    # -- what is known

    @property
    def _known(self) -> Remote:
        if self.remote is None:
            raise RuntimeError("a request is found or created before it is written")
        return self.remote

    @property
    def _rank(self) -> int:
        return self._send.rank


def _impact(rules: Xurrent, remote: Remote, found: Mapping[str, Any]) -> None:
    impact = str(found.get("impact") or "")
    remote.extra["impact"] = impact
    if priority := rules.priority(impact):
        remote.fields["priority"] = priority


def _member(rules: Xurrent, remote: Remote, found: Mapping[str, Any]) -> None:
    remote.extra["member"] = _identity(found.get("member"))
    remote.fields["assignee"] = person_of(rules, found.get("member"))


def _word(value: Any) -> str | None:
    """One of its own values, such as ``proposed``; a few letters."""
    return value if isinstance(value, str) and len(value) <= WORD_CHARACTERS_MAX else None


def _identity(reference: Any) -> int | None:
    identity = reference.get("id") if isinstance(reference, dict) else None
    return identity if isinstance(identity, int) else None
