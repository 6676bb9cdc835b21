"""The PagerDuty sink: an alert for each incident, by the Events API version 2.

An alert is addressed by its deduplication key: the incident's id and how often it was opened there. A trigger with the
key of an open alert is added to it and pages nobody; with the key of a resolved one it would open a new incident; and
what acknowledges or resolves a key that is not open is dropped. So every event can be sent again, and each opening has
a key of its own (PagerDuty/developer-docs, ``docs/events-API-v2/02-Trigger-Events.md``).

Who is paged when is PagerDuty's: opening the alert pages, and its escalation policy goes on from there. What a further
call of our own path does is ``calls`` of the configuration.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from pipeline.core.identity import content_hash
from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.remote import ENDED, STEPS_KEPT_MAX, Remote, RemoteState, SinkUpdate
from pipeline.models.remote import STATES as ALL_STATES
from pipeline.models.sinks.paging import PagerDuty
from pipeline.sinks.base import Answer, SinkClient, SinkError, Trouble
from pipeline.sinks.http import CREDENTIAL_REFUSED, Http
from pipeline.sinks.limits import Bucket
from pipeline.sinks.pagerduty_api import Api
from pipeline.sinks.pagerduty_updates import address_of, as_read, key_of, number_of
from pipeline.sinks.pagerduty_words import NOTE_MARK, PROPOSAL, Key, follow_up, note, read_key, trigger
from pipeline.sinks.told import Call, Told, told

OVER: Final = frozenset({"resolved", "closed", "merged", "cancelled"})
"""States of an incident that nobody is paged for."""

TOLD: Final = ("title", "priority")
"""Fields that an event says; of those that both sides write the others are follow-ups, or cannot be said."""

STEP_CHARACTERS: Final = 12
"""Of the hash that tells the alerts of calls apart: a few dozen of them an incident."""


class PagerDutySink(SinkClient):
    """One integration of a service of PagerDuty."""

    def __init__(self, rules: PagerDuty, secrets: Mapping[str, str], bucket: Bucket) -> None:
        """Check what it needs; nothing connects yet.

        Raises:
            SinkError: the routing key is empty or no key.
        """
        self._rules = rules
        self._routing_key = secrets[rules.secret_env].strip()
        if not self._routing_key or any(each.isspace() for each in self._routing_key):
            raise SinkError(f"sink {rules.name}: {rules.secret_env} must hold the integration key of PagerDuty")
        self._enqueue = f"{rules.url.rstrip('/')}/v2/enqueue"
        if not urlsplit(self._enqueue).hostname:
            raise SinkError(f"sink {rules.name}: url must be https://host")
        self._http = Http(rules, bucket)
        self._api = Api(self._http, rules, secrets[rules.api_secret_env]) if rules.api_secret_env else None

    async def send(self, send: Send, now: datetime) -> Answer:
        """Make one attempt."""
        del now  # events carry the time of what they tell
        attempt = _Attempt(self, send)
        try:
            detail = await attempt.make()
        except Trouble as trouble:
            return trouble.answer._replace(remote=attempt.remote)
        return Answer(DeliveryOutcome.DELIVERED, attempt.status, detail, remote=attempt.remote)

    async def look(self, incident_id: str, remote: Remote, now: datetime) -> SinkUpdate | None:
        """The incident as it is there; None without a key of the REST API, or where its alert made no incident."""
        if self._api is None:
            return None
        key = _key_of(incident_id, remote)
        found = await self._api.incident(str(key))
        if found is None:
            return None  # PagerDuty deletes none; but a rule of the account may keep an alert from becoming one
        return as_read(self._rules, key, found, await self._notes(found), now)

    async def changed(self, since: datetime) -> AsyncIterator[SinkUpdate]:
        """Incidents of ours that something happened to since; none without a key of the REST API."""
        if self._api is None:
            return
        for found in await self._api.touched(since):
            if key_of(found) is not None:
                update = as_read(self._rules, None, found, await self._notes(found), since)
                if update is not None:
                    yield update

    async def check(self) -> str | None:
        """The key of the REST API reads incidents. That of events cannot be tried without an event."""
        return None if self._api is None else await self._api.reads()

    async def close(self) -> None:
        """Disconnect."""
        await self._http.close()

    async def enqueue(self, event: dict[str, Any], rank: int) -> int:
        """Send one event; the status of the answer.

        Raises:
            Trouble: it was not taken, as far as is known.
        """
        body = {"routing_key": self._routing_key, **event}
        return (await self._http.call("POST", self._enqueue, json=body, rank=rank)).status

    async def _notes(self, found: Mapping[str, Any]) -> list[dict[str, Any]]:
        if self._api is None or self._rules.owners.notes == "ours":
            return []
        return await self._api.notes(str(found.get("id", "")))

    @property
    def rules(self) -> PagerDuty:
        """The configuration."""
        return self._rules

    @property
    def api(self) -> Api | None:
        """The REST API; None without a key for it."""
        return self._api


class _Attempt:
    """One delivery. ``remote`` is kept up to date, so that what was done is known also where the rest fails.

    Attributes:
        status: of the last answer.
    """

    def __init__(self, sink: PagerDutySink, send: Send) -> None:
        self._sink = sink
        self._send = send
        self._said: Told = told(send.body)
        self.remote: Remote | None = deepcopy(send.remote)
        self.status: int | None = None

    async def make(self) -> str:
        """Bring the other side up to date; words for people about what was not done.

        Raises:
            Trouble: it could not be done now.
        """
        if self.remote is None:
            silent = await self._silent()
            if silent:
                return silent
            await self._open(self._said.incident.get("reopened") or 0)
        elif self.remote.ended:
            if not self._opens_again():
                await self._resolve_half_opened()
            elif self._said.incident.get("muted"):
                return "muted: nobody is paged"
            else:
                await self._open(max(self._run + 1, self._said.incident.get("reopened") or 0))
        else:
            await self._update()
        await self._follow()
        if self._known.ended:  # what is over takes no words; the event that opens it again says them
            wanted = self._send.wanted
            self._known.fields |= {name: wanted[name] for name in TOLD if name in wanted}
        return await self._note()

    # -- opening

    async def _silent(self) -> str:
        """Why nothing is opened; "" where something is. What an attempt before this one may have opened is resolved."""
        because = self._silent_because()
        if because and self._send.unsure:
            await self._event(follow_up("resolve", self._key(self._said.incident.get("reopened") or 0)))
        return because

    def _silent_because(self) -> str:
        incident = self._said.incident
        if self._said.state in OVER:
            return "over: nobody is paged"
        if incident.get("muted"):
            return "muted: nobody is paged"
        if incident.get("bridge_id") and self._sink.rules.members == "in_bridge":
            return f"part of {incident['bridge_id']}: it is paged for there"
        return ""

    async def _resolve_half_opened(self) -> None:
        """Of a reopening whose answer never came the alert may be open, though it counts as over."""
        run = self._known.extra.get("opening")
        if isinstance(run, int):
            await self._event(follow_up("resolve", self._key(run)))
            del self._known.extra["opening"]

    def _opens_again(self) -> bool:
        wanted = self._send.wanted.get("state")
        return wanted is not None and RemoteState(wanted) not in ENDED and self._said.state not in OVER

    async def _open(self, run: int) -> None:
        key, calls = self._key(run), self._new_calls()
        if self.remote is not None:
            self.remote.extra["opening"] = run
        if self._send.unsure and self._sink.api is not None:
            found = await self._sink.api.incident(str(key), self._send.rank)
            if found is not None and found.get("status") == "resolved":
                # Opened by the attempt before this one, and resolved there since: to trigger again would page again.
                self._opened(key, calls, RemoteState.OPEN)
                return
        await self._event(trigger(self._sink.rules, self._said, key, calls))
        self._opened(key, calls, RemoteState.OPEN)

    def _opened(self, key: Key, calls: list[Call], state: RemoteState) -> None:
        extra = {name: each for name, each in (self.remote.extra if self.remote else {}).items() if name != "opening"}
        steps = [*extra.get("steps", []), *(call.key for call in calls)][-STEPS_KEPT_MAX:]
        self.remote = Remote(
            id=str(key),
            key=self.remote.key if self.remote else str(key),
            url=self.remote.url if self.remote else "",
            state=state,
            fields={"state": state, **self._told_of()},
            extra=extra | {"key": str(key), "steps": steps, "alerts": []},
        )

    # -- an alert that is open

    async def _update(self) -> None:
        """Tell what is new of an open alert. It pages nobody, unless calls have alerts of their own."""
        remote, wanted = self._known, self._send.wanted
        calls = self._new_calls()
        ends = RemoteState(wanted.get("state", RemoteState.OPEN)) in ENDED
        if ends or self._said.state in OVER:
            return  # what is over is resolved, and calls nobody
        if calls and remote.state == RemoteState.ACKNOWLEDGED:
            if self._nobody_has_it():
                await self._replace()
                return
            if self._send.unsure:  # an attempt before this one may have begun to replace it: its alert would stay
                await self._event(follow_up("resolve", self._key(self._run + 1)))
        if calls and self._sink.rules.calls == "alert":
            await self._page(calls)
        elif calls or self._send.propose or wanted.keys() & set(TOLD):
            if await self._is_over_there():
                return  # a trigger would open a new incident; what a person did there comes back by itself
            proposal = PROPOSAL if self._send.propose else ""
            await self._event(trigger(self._sink.rules, self._said, self._key(self._run), calls, proposal))
            self._called(calls)
            remote.fields |= {name: wanted[name] for name in TOLD if name in wanted}

    def _nobody_has_it(self) -> bool:
        """Whether ours says so: it was handed back, or escalation has resumed because whoever answered is not heard of.

        Before anybody has answered here it is only that the acknowledgement there has not arrived yet.
        """
        if self._send.wanted.get("state") == RemoteState.OPEN:
            return True
        answered = (self._said.incident.get("escalation") or {}).get("answered_at_ms")
        return answered is not None and ALL_STATES.get(self._said.state) is RemoteState.OPEN

    async def _replace(self) -> None:
        """Nobody has it any more and people are called again: a new alert pages anew, in place of the old one.

        No event takes an acknowledgement back, and what is acknowledged pages nobody.
        """
        run = self._run
        await self._resolve_all()
        self._known.state = RemoteState.RESOLVED
        await self._open(run + 1)

    async def _page(self, calls: list[Call]) -> None:
        """One more alert for each call. A retry has the same key, so it pages nobody twice, also with more calls."""
        for call in calls:
            step = content_hash(call.key)[:STEP_CHARACTERS].lower()
            key, known = Key(self._send.incident_id, self._run, step), self._known.extra.get("alerts", [])
            if str(key) not in known:  # remembered first: it is resolved also where the answer never comes
                self._known.extra["alerts"] = [*known, str(key)][-STEPS_KEPT_MAX:]
            await self._event(trigger(self._sink.rules, self._said, key, [call]))
            self._called([call])

    async def _is_over_there(self) -> bool:
        if self._sink.api is None:
            return False
        found = await self._sink.api.incident(str(self._key(self._run)), self._send.rank)
        return found is not None and found.get("status") == "resolved"

    # -- states

    async def _follow(self) -> None:
        """Acknowledge or resolve, where that is wanted and not so there."""
        remote = self._known
        wanted = self._send.wanted.get("state")
        if wanted is None and self._send.remote is None:
            wanted = self._state_said()
        if wanted is None or remote.ended:
            return
        state = RemoteState(self._sink.rules.canonical("state", wanted))
        if state in ENDED:
            await self._resolve_all()
        elif state == RemoteState.ACKNOWLEDGED and remote.state != state:
            for key in self._keys():
                await self._event(follow_up("acknowledge", key))
        else:
            return
        remote.state = state
        remote.fields["state"] = state

    def _state_said(self) -> str | None:
        """Of what is opened late, the state that it has by then: nobody is paged for long for what somebody has."""
        taken = self._said.incident.get("acknowledged_at_ms") is not None and self._said.state != "escalated"
        return RemoteState.ACKNOWLEDGED if taken else None

    async def _resolve_all(self) -> None:
        for key in reversed(self._keys()):
            await self._event(follow_up("resolve", key))
        self._known.extra["alerts"] = []

    # -- notes

    async def _note(self) -> str:
        """Write what is new as a note. A note that is refused must not hold up pages: it is said and left out."""
        api, remote = self._sink.api, self.remote
        text = note(self._sink.rules, self._said, propose=self._send.propose)
        if not text or api is None or not api.writes or remote is None:
            return ""
        if remote.extra.get("noted") == self._send.delivery_id:
            return ""
        try:
            found = await api.incident(str(self._key(self._run)), self._send.rank)
            if found is None:
                return "not noted: the alert has made no incident"
            await self._write_note(api, str(found.get("id", "")), text)
        except Trouble as trouble:
            lasting = trouble.answer.outcome is DeliveryOutcome.REJECTED or trouble.answer.status in CREDENTIAL_REFUSED
            if not lasting:
                raise
            return f"not noted: {trouble.answer.status} from the REST API"
        remote.key = number_of(found.get("incident_number")) or remote.key
        remote.url = address_of(found) or remote.url
        remote.extra["noted"] = self._send.delivery_id
        return ""

    async def _write_note(self, api: Api, identity: str, text: str) -> None:
        mark = f"{NOTE_MARK} {self._said.revision}:"
        if self._send.attempt > 1 or self._send.unsure:
            notes = await api.notes(identity, self._send.rank)
            if any(str(each.get("content", "")).startswith(mark) for each in notes):
                return
        await api.add_note(identity, text, self._send.rank)

    # -- what is known

    @property
    def _known(self) -> Remote:
        if self.remote is None:
            raise RuntimeError("an alert is opened before it is followed up")
        return self.remote

    @property
    def _run(self) -> int:
        return _key_of(self._send.incident_id, self._known).run

    def _key(self, run: int) -> Key:
        return Key(self._send.incident_id, run)

    def _keys(self) -> list[Key]:
        """Of the alert and of those that stand for calls."""
        alerts = [read_key(each) for each in self._known.extra.get("alerts", [])]
        return [self._key(self._run), *(each for each in alerts if each is not None)]

    def _new_calls(self) -> list[Call]:
        made = set(self.remote.extra.get("steps", [])) if self.remote else set()
        return list({call.key: call for call in self._said.calls if call.key not in made}.values())

    def _called(self, calls: list[Call]) -> None:
        steps = [*self._known.extra.get("steps", []), *(call.key for call in calls)]
        self._known.extra["steps"] = steps[-STEPS_KEPT_MAX:]

    def _told_of(self) -> dict[str, str]:
        """What the event that opens an alert says of the fields that both sides write."""
        return {name: str(self._send.wanted.get(name) or self._said.incident.get(name) or "") for name in TOLD}

    async def _event(self, event: dict[str, Any]) -> None:
        self.status = await self._sink.enqueue(event, self._send.rank)


def _key_of(incident_id: str, remote: Remote) -> Key:
    """The key of the alert that was opened last."""
    return read_key(str(remote.extra.get("key", ""))) or read_key(remote.id) or Key(incident_id, 0)
