"""The ServiceNow sink: an incident there for each incident here, by the Table API.

``correlation_id`` is the incident's id; the instance does not keep it unique, so a record is looked for before one is
created. All that one delivery changes is one PATCH, which is done wholly or not at all; so a note that is found by its
mark tells that the whole delivery was done.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.incident import IncidentState
from pipeline.models.mark import PRODUCT
from pipeline.models.remote import STATES, Remote, RemoteState, SinkUpdate, UpdateKind
from pipeline.models.sinks.servicenow import ServiceNow
from pipeline.sinks import servicenow_words as words
from pipeline.sinks import ticket_words
from pipeline.sinks.base import Answer, SinkClient, Trouble, gone_update
from pipeline.sinks.limits import RANK_POLL, RANK_RECONCILE, Bucket
from pipeline.sinks.servicenow_api import Row, Table
from pipeline.sinks.servicenow_updates import STORED_TIME, read_fields, update_of, with_journal
from pipeline.sinks.told import Told, told

PAGE_RECORDS: Final = 200
"""Records asked for at once: some hundred kilobytes."""

PAGES_MAX: Final = 50
"""Pages of one look at what has changed: what is more is found by the next look, which begins where this one ended."""

JOURNAL_ENTRIES_MAX: Final = 1_000
"""Entries of one look: people write slower."""

JOURNALS: Final = ("work_notes", "comments")
OPEN_STATES_THERE: Final = frozenset(set(RemoteState) - {RemoteState.RESOLVED, RemoteState.CLOSED, RemoteState.GONE})


class ServiceNowSink(SinkClient):
    """One instance."""

    def __init__(self, rules: ServiceNow, secrets: Mapping[str, str], bucket: Bucket) -> None:
        self._rules = rules
        self._table = Table(rules, secrets[rules.secret_env], bucket)
        self._journals_closed = False

    async def send(self, send: Send, now: datetime) -> Answer:
        """Make one attempt. A failure half-way tells what was learned of the record."""
        del now
        attempt = _Attempt(self._rules, self._table, send)
        try:
            await attempt.make()
        except Trouble as trouble:
            return trouble.answer._replace(remote=attempt.remote if attempt.learned else None)
        return Answer(DeliveryOutcome.DELIVERED, remote=attempt.remote)

    async def look(self, incident_id: str, remote: Remote, now: datetime) -> SinkUpdate | None:
        """The record as it is there now."""
        record = await self._table.read(remote.id, read_fields(self._rules), rank=RANK_RECONCILE)
        if record is None:
            return gone_update(self._rules.name, incident_id, remote, now)
        return update_of(self._rules, record, UpdateKind.READ, incident_id=incident_id)

    async def changed(self, since: datetime) -> AsyncIterator[SinkUpdate]:
        """Records of ours that have changed, oldest first.

        By the time of their change, from the last one that was seen on: one that changes meanwhile moves to the end and
        is met there, where a page by its number alone would jump over its neighbour.
        """
        first = begin = since.astimezone(UTC).strftime(STORED_TIME)
        offset, seen = 0, set[tuple[str, str]]()
        for _ in range(PAGES_MAX):
            query = f"correlation_display={PRODUCT}^sys_updated_on>={begin}^ORDERBYsys_updated_on^ORDERBYsys_id"
            page = await self._table.find(
                query, read_fields(self._rules), limit=PAGE_RECORDS, offset=offset, rank=RANK_POLL
            )
            entries = await self._journal([each.get("sys_id", "") for each in page], first)
            for record in page:
                version = (record.get("sys_id", ""), record.get("sys_mod_count", ""))
                if version not in seen and (update := update_of(self._rules, record, UpdateKind.READ)) is not None:
                    seen.add(version)
                    yield with_journal(update, self._rules, entries)
            if len(page) < PAGE_RECORDS:
                return
            last = page[-1].get("sys_updated_on", "")
            begin, offset = (last, 0) if last > begin else (begin, offset + len(page))

    async def _journal(self, sys_ids: list[str], since: str) -> list[Row]:
        """What was written into journals of records since then; nothing where the account may not read journals."""
        if not sys_ids or self._journals_closed:
            return []
        query = (
            f"name={self._rules.table}^element_idIN{','.join(sys_ids)}^elementIN{','.join(JOURNALS)}"
            f"^sys_created_on>={since}^ORDERBYsys_created_on"
        )
        fields = "sys_id,element_id,element,value,sys_created_by,sys_created_on"
        try:
            return await self._table.find(
                query, fields, table="sys_journal_field", limit=JOURNAL_ENTRIES_MAX, rank=RANK_POLL
            )
        except Trouble as trouble:
            if trouble.answer.status != HTTPStatus.FORBIDDEN:
                raise
            self._journals_closed = True
            return []

    async def check(self) -> str | None:
        """Read a record, as whoever the credential is."""
        await self._table.find("", "sys_id")
        return f"{self._rules.user} may read {self._rules.table}"

    async def close(self) -> None:
        """Disconnect."""
        await self._table.close()


class _Attempt:
    """One attempt, and what it learns of the record on the way.

    Attributes:
        remote: what is known of the record.
        learned: whether that is more than was known before.
    """

    def __init__(self, rules: ServiceNow, table: Table, send: Send) -> None:
        self._rules = rules
        self._table = table
        self._send = send
        self._told: Told = told(send.body)
        self._unsure = send.unsure or send.attempt > 1
        self.remote = send.remote
        self.learned = False

    async def make(self) -> None:
        """Make the record look like the incident.

        Raises:
            Trouble: it could not be made to.
        """
        known = self.remote is not None and self.remote.state != RemoteState.GONE
        if not known and not await self._found():
            if self.remote is not None and self._is_over():
                return  # it is gone there, and over here: nothing is owed
            await self._create()
            return
        if not await self._update():
            await self._replace()

    def _is_over(self) -> bool:
        return self._told.state in {IncidentState.CLOSED, IncidentState.MERGED, IncidentState.CANCELLED}

    async def _found(self) -> bool:
        """Look for the record; of several, the first that was made is it."""
        query = f"correlation_id={self._send.incident_id}^correlation_display={PRODUCT}^ORDERBYsys_created_on"
        for record in await self._table.find(query, words.FIELDS, rank=self._send.rank):
            if record.get("correlation_id", "").casefold() != self._send.incident_id.casefold():
                # An instance leaves out of a query what the account may not read: that gives anybody's record.
                detail = (
                    "it was looked for by correlation_id, and another record came: may the account read that field?"
                )
                raise Trouble(Answer(DeliveryOutcome.RETRY, detail=detail))
            self._learn(record, self.remote.extra if self.remote is not None else {})
            self._unsure = True
            return True
        return False

    async def _create(self) -> None:
        told, send = self._told, self._send
        values = words.opening(self._rules, told, send.incident_id, send.wanted)
        linked, links = await self._links({})
        notes = words.journal(self._rules, told, send.incident_id, {}, propose=send.propose)
        record = await self._table.create({**values, **linked, **notes}, words.FIELDS, rank=send.rank)
        own = words.own_fields(self._rules, told.incident)
        self._learn(record, links | self._remembered({}, own))

    async def _replace(self) -> None:
        """The record was deleted there: what goes on here gets another one."""
        if await self._found():
            if not await self._update():
                raise Trouble(Answer(DeliveryOutcome.RETRY, detail="the record was deleted while it was written"))
        elif self._is_over():
            self.remote = self._gone()
        else:
            await self._create()

    def _gone(self) -> Remote:
        self.learned = True
        return Remote(id=self.remote.id if self.remote else "", state=RemoteState.GONE)

    async def _update(self) -> bool:
        """Write what is new; False: the record is gone."""
        remote = self.remote
        if remote is None:
            return False
        send, told, extra = self._send, self._told, remote.extra
        wanted = {name: value for name, value in send.wanted.items() if self._is_due(remote, name, value)}
        own = words.fresh(words.own_fields(self._rules, told.incident), extra.get("own", {}))
        linked, links = await self._links(extra)
        values = {**words.changes(self._rules, told, wanted), **own, **linked}
        values |= {**self._documented(remote, wanted), **self._held(remote, wanted)}
        values |= await self._notes(remote)
        if not values:
            return True
        record = await self._table.change(remote.id, values, words.FIELDS, rank=send.rank)
        if record is None:
            return False
        self._learn(record, {**extra, **links, **self._remembered(extra, own)})
        return True

    def _is_due(self, remote: Remote, name: str, value: str) -> bool:
        """Whether a field is to be written: of a record that was found after all, perhaps a person has taken it."""
        taken = self._send.remote is None and getattr(self._rules.owners, name) == "theirs"
        return not taken and remote.fields.get(name, "") != self._rules.canonical(name, value)

    def _documented(self, remote: Remote, wanted: Mapping[str, str]) -> Row:
        """What ended by itself is documented later: its record then tells how, if its end is ours to write."""
        told_later = any(entry.get("action") == "resolution" for entry in self._told.entries)
        if not told_later or "state" in wanted or remote.state in OPEN_STATES_THERE:
            return {}
        return {} if self._rules.owners.state == "theirs" else words.end_fields(self._rules, self._told)

    def _held(self, remote: Remote, wanted: Mapping[str, str]) -> Row:
        """It is on hold there still, and waits for somebody else now."""
        waits = STATES.get(self._told.state) == RemoteState.WAITING == remote.state
        if not waits or "state" in wanted or self._rules.owners.state == "theirs":
            return {}
        values = words.state_fields(self._rules, self._told, RemoteState.WAITING)
        reason = values["hold_reason"]
        return {} if remote.extra.get("hold", reason) == reason else {"hold_reason": reason}

    async def _notes(self, remote: Remote) -> Row:
        """Journal entries that are new; where an attempt may have written them already, those that are not there."""
        send = self._send
        notes = words.journal(self._rules, self._told, send.incident_id, {}, propose=send.propose)
        if not notes or not self._unsure:
            return notes
        there = await self._table.read(remote.id, ",".join(JOURNALS), display=True, rank=send.rank) or {}
        return words.journal(self._rules, self._told, send.incident_id, there, propose=send.propose)

    async def _links(self, extra: Mapping[str, Any]) -> tuple[Row, dict[str, Any]]:
        """Parent and problem: fields to write, and what is to be remembered. What is not there yet is no failure."""
        values, remembered = Row(), dict[str, Any]()
        incident = self._told.incident
        parent = str(incident.get("merged_into") or incident.get("bridge_id") or "")
        says = bool(parent) or "bridge_id" in incident  # a body that had to be cut to its bones says nothing of it
        if says and parent != extra.get("parent", "") and (not parent or ticket_words.is_plain(parent)):
            query = f"correlation_id={parent}^correlation_display={PRODUCT}^ORDERBYsys_created_on"
            found = await self._table.find(query, "sys_id", rank=self._send.rank) if parent else [{"sys_id": ""}]
            if found:
                values["parent_incident"], remembered["parent"] = found[0].get("sys_id", ""), parent
        for problem in ticket_words.problem_ids(incident)[:1]:
            if problem == extra.get("problem"):
                continue
            query = f"number={problem}^ORcorrelation_id={problem}"
            found = await self._table.find(query, "sys_id", table="problem", rank=self._send.rank)
            if found:
                values["problem_id"], remembered["problem"] = found[0].get("sys_id", ""), problem
        return values, remembered

    @staticmethod
    def _remembered(extra: Mapping[str, Any], own: Row) -> dict[str, Any]:
        digests = {name: words.digest(value) for name, value in own.items()}
        return {"own": {**extra.get("own", {}), **digests}}

    def _learn(self, record: Row, extra: Mapping[str, Any]) -> None:
        self.remote = words.remote_of(self._rules, record, {**extra, "hold": record.get("hold_reason", "")})
        self.learned = True
