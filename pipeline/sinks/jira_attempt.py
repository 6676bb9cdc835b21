"""One attempt to make an issue of Jira look like an incident, and what it learns of the issue on the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from pipeline.core.identity import content_hash
from pipeline.core.outward.send import Send
from pipeline.models.delivery import DeliveryOutcome
from pipeline.models.mark import label_of
from pipeline.models.remote import ENDED, STATES, Remote, RemoteState
from pipeline.models.sinks.jira import CATEGORIES, TITLE_CHARACTERS_MAX, Jira
from pipeline.models.sinks.ticketing import one_line
from pipeline.sinks import jira_words as words
from pipeline.sinks import ticket_words
from pipeline.sinks.base import Answer, Trouble
from pipeline.sinks.jira_api import KEYS_AT_ONCE, Invalid, Issue, Issues
from pipeline.sinks.told import Told, told

TRANSITIONS_MAX: Final = 3
"""Transitions on the way to a state: new, in progress, done. Workflows that need more name statuses between."""

WINDOWS_MAX: Final = 5
"""Windows of the newest issues that are looked through: a project gets no five hundred within a minute."""

NUMBER_DIGITS_MAX: Final = 9
"""Of the number in a key: no project has a thousand million issues."""

ATTEMPTS_UNSURE: Final = 2
"""Attempts by which a creation is over, one way or the other, that was under way when its answer was lost."""


class Attempt:
    """One attempt.

    Attributes:
        remote: what is known of the issue.
        learned: whether that is more than was known before.
        detail: what could not be done and costs no more than a field.
    """

    def __init__(self, rules: Jira, issues: Issues, send: Send) -> None:
        self._rules = rules
        self._issues = issues
        self._send = send
        self._told: Told = told(send.body)
        self._unsure = send.unsure or send.attempt > 1
        self._found_there = False
        self.remote = send.remote
        self.learned = False
        self.detail = ""

    async def make(self) -> None:
        """Make the issue look like the incident.

        Raises:
            Trouble: it could not be made to.
        """
        known = self.remote is not None and self.remote.state != RemoteState.GONE
        if not known and not await self._found():
            if self.remote is not None and words.is_over(self._told):
                return  # it is gone there, and over here: nothing is owed
            await self._create()
        if not await self._update():
            await self._replace()

    # -- the issue

    async def _found(self) -> bool:
        """Look for the issue; of several, the first that was made is it."""
        label = label_of(self._send.incident_id)
        issue = await self._labelled(label)
        if issue is None and self._unsure:
            issue = await self._among_newest(label)
            if issue is None and self._send.attempt <= ATTEMPTS_UNSURE and self._rules.search_again_seconds:
                wait = self._rules.search_again_seconds
                detail = "it may have been created, and is not found: looked for once more before it is created again"
                raise Trouble(Answer(DeliveryOutcome.RETRY, None, detail, wait, unknown=True))
        if issue is None:
            return False
        self._learn(issue, self.remote.extra if self.remote is not None else {})
        self._unsure = self._found_there = True
        return True

    async def _labelled(self, label: str) -> Issue | None:
        jql = f'project = "{self._rules.project}" AND labels = "{label}" ORDER BY created ASC'
        page = await self._issues.search(jql, words.FIELDS, limit=1, rank=self._send.rank)
        if page.issues and not words.bears(page.issues[0], label):
            raise Trouble(
                Answer(DeliveryOutcome.RETRY, detail="it was looked for by its label, and another issue came")
            )
        return page.issues[0] if page.issues else None

    async def _among_newest(self, label: str) -> Issue | None:
        """Look through the newest issues of the project, those that the index does not know yet with them."""
        jql = f'project = "{self._rules.project}" ORDER BY created DESC'
        page = await self._issues.search(jql, ["labels"], limit=1, rank=self._send.rank)
        newest = _number(page.issues[0].get("key")) if page.issues else 0
        first = max(1, newest - KEYS_AT_ONCE // 2)
        for _ in range(WINDOWS_MAX):
            numbers = range(first, first + KEYS_AT_ONCE)
            keys = [f"{self._rules.project}-{number}" for number in numbers]
            found = await self._issues.fetch(keys, words.FIELDS, rank=self._send.rank)
            for issue in found:
                if words.bears(issue, label):
                    return issue
            if not any(_number(issue.get("key")) == numbers[-1] for issue in found):
                break
            first += KEYS_AT_ONCE
        return None

    async def _create(self) -> None:
        told, send = self._told, self._send
        must = words.opening(self._rules, told, send.incident_id, send.wanted)
        shared = {"priority": str(told.incident.get("priority") or ""), **send.wanted}
        own = words.own_fields(self._rules, told.incident)
        may = {**words.optional(self._rules, told, shared), **own}
        properties = [{"key": words.PROPERTY, "value": {"incident_id": send.incident_id}}]
        try:
            made = await self._issues.create({"fields": {**must, **may}, "properties": properties}, rank=send.rank)
        except Invalid as invalid:
            left = self._left_out(invalid, may)
            again = {"fields": {**must, **left}, "properties": properties}
            made = await self._issues.create(again, rank=send.rank)
        title, priority = str(must["summary"]), shared["priority"] if "priority" in may else ""
        fields = {"state": RemoteState.OPEN, "title": title, "priority": self._rules.canonical("priority", priority)}
        self.remote = Remote(
            id=str(made.get("id") or ""),
            key=str(made.get("key") or ""),
            url=f"{self._rules.url.rstrip('/')}/browse/{made.get('key')}",
            fields={name: str(value) for name, value in fields.items() if value},
            extra={"own": _digests(own)},
        )
        self.learned = True

    async def _replace(self) -> None:
        """The issue was deleted there: what goes on here gets another one."""
        if words.is_over(self._told):
            self.learned = True
            self.remote = Remote(id=self.remote.id if self.remote else "", state=RemoteState.GONE)
            return
        await self._create()
        await self._update()

    # -- what it says

    async def _update(self) -> bool:
        """Write what is new; False: the issue is gone."""
        remote = self.remote
        if remote is None:
            return False
        wanted = {name: value for name, value in self._wanted().items() if self._is_due(remote, name, value)}
        first = words.leaves_its_end(remote, wanted)
        changed = await self._move(wanted) if first else False
        if not await self._edit(remote, wanted):
            return False
        await self._link()
        if not await self._say():
            return False
        changed = changed or (not first and await self._move(wanted))
        if changed or wanted:
            issue = await self._issues.read(remote.id, words.FIELDS, rank=self._send.rank)
            if issue is None:
                return False
            self._learn(issue, self.remote.extra if self.remote else {})
        return True

    def _wanted(self) -> dict[str, str]:
        """What is ours to write; of an issue that this attempt has made, or found, its state in any case."""
        if self._send.remote is not None:
            return dict(self._send.wanted)
        return {"state": str(STATES.get(self._told.state, RemoteState.OPEN)), **self._send.wanted}

    def _is_due(self, remote: Remote, name: str, value: str) -> bool:
        """Whether a field is to be written: of an issue that was found after all, perhaps a person has taken it."""
        taken = self._found_there and getattr(self._rules.owners, name) == "theirs"
        return not taken and remote.fields.get(name, "") != self._rules.canonical(name, value)

    async def _edit(self, remote: Remote, wanted: Mapping[str, str]) -> bool:
        before = remote.extra.get("own", {})
        own = words.own_fields(self._rules, self._told.incident)
        fresh = {name: value for name, value in own.items() if before.get(name) != _digest(value)}
        must = {"summary": one_line(wanted["title"], TITLE_CHARACTERS_MAX)} if wanted.get("title") else {}
        may = {**words.optional(self._rules, self._told, wanted), **fresh}
        if not must and not may:
            return True
        try:
            there = await self._issues.edit(remote.id, {"fields": {**must, **may}}, rank=self._send.rank)
        except Invalid as invalid:
            if await self._is_over_there(remote):
                # Somebody has ended it there, which comes back by itself; what is over may take no edits.
                self.detail = f"left out, it is over there: {invalid.answer.detail}"
                return True
            left = {**must, **self._left_out(invalid, may)}
            there = not left or await self._issues.edit(remote.id, {"fields": left}, rank=self._send.rank)
        if there:
            self._remember(own={**before, **_digests(fresh)})
        return there

    async def _is_over_there(self, remote: Remote) -> bool:
        """Whether the issue has ended, whether we have heard so or not."""
        issue = await self._issues.read(remote.id, words.FIELDS, rank=self._send.rank)
        return issue is not None and words.remote_of(self._rules, issue, {}).ended

    def _left_out(self, invalid: Invalid, may: Mapping[str, Any]) -> dict[str, Any]:
        """What is left without the fields that the project does not take: one of them costs itself and no more.

        Raises:
            Trouble: it is none of them.
        """
        if not invalid.fields or not invalid.fields <= may.keys():
            raise invalid
        self.detail = f"left out: {invalid.answer.detail}"
        return {name: value for name, value in may.items() if name not in invalid.fields}

    async def _say(self) -> bool:
        """Comments that are new; where an attempt before this one may have written them, those that are not there.

        False: the issue is gone.
        """
        remote, told, send = self.remote, self._told, self._send
        audience = self._rules.public_audience
        notes = ticket_words.notes(told, self._rules.notes, propose=send.propose, public_audience=audience)
        said = ticket_words.public_words(told, audience)
        if remote is None or not (notes or said):
            return True
        there = await self._comments(remote.id) if self._unsure else ""
        for public, texts, between in ((False, notes, "\n"), (True, said, "\n\n")):
            new = ticket_words.unsaid(texts, there, told)
            if new:
                text = ticket_words.marked(between.join(new), told, send.incident_id, words.TEXT_CHARACTERS_MAX)
                if not await self._issues.comment(remote.id, words.comment(text, public=public), rank=send.rank):
                    return False
        return True

    async def _comments(self, issue_id: str) -> str:
        """All that the newest comments say."""
        found = await self._issues.comments(issue_id, rank=self._send.rank)
        return "\n".join(words.text_of(each.get("body")) for each in found)

    # -- links and states

    async def _link(self) -> None:
        """The incident that took it in, and its bridge incident. What is not there yet is no failure."""
        incident, remote = self._told.incident, self.remote
        if remote is None:
            return
        for name, kind, target in (
            ("duplicate", self._rules.duplicate_link, incident.get("merged_into")),
            ("parent", self._rules.member_link, incident.get("bridge_id")),
        ):
            known = str(remote.extra.get(name) or "")
            if target and target != known and ticket_words.is_plain(str(target)):
                issue = await self._labelled(label_of(str(target)))
                if issue is not None:
                    await self._issues.link(kind, remote.key, str(issue.get("key")), rank=self._send.rank)
                    self._remember(**{name: target, f"{name}_key": str(issue.get("key"))})
            elif known and name == "parent" and "bridge_id" in incident and not target:
                await self._unlink(remote, str(remote.extra.get("parent_key")))
                self._remember(parent="", parent_key="")

    async def _unlink(self, remote: Remote, key: str) -> None:
        issue = await self._issues.read(remote.id, ["issuelinks"], rank=self._send.rank)
        links = words.part(issue or {}, "fields").get("issuelinks")
        for link in links if isinstance(links, list) else ():
            if not isinstance(link, Mapping):
                continue
            other = words.part(link, "outwardIssue") or words.part(link, "inwardIssue")
            if other.get("key") == key and words.name_of(words.part(link, "type")) == self._rules.member_link:
                await self._issues.unlink(str(link.get("id")), rank=self._send.rank)

    async def _move(self, wanted: Mapping[str, str]) -> bool:
        """Take the transitions to the state that is wanted; whether any was taken.

        Raises:
            Trouble: it should end and no transition leads there.
        """
        remote = self.remote
        if remote is None or "state" not in wanted:
            return False
        state, taken = RemoteState(wanted["state"]), False
        for _ in range(TRANSITIONS_MAX):
            issue = await self._issues.read(remote.id, ["status"], rank=self._send.rank)
            status = words.part(words.part(issue or {}, "fields"), "status")
            category = str(words.part(status, "statusCategory").get("key") or "")
            if self._rules.read_state(words.name_of(status), category) == self._rules.canonical("state", state):
                return taken
            options = await self._issues.transitions(remote.id, rank=self._send.rank)
            chosen = words.way_to(self._rules, state, self._told, category, options)
            if chosen is None:
                break
            json = words.transition(self._rules, self._told, chosen)
            await self._issues.transition(remote.id, json, rank=self._send.rank)
            taken = True
        if state in ENDED and category != CATEGORIES[state]:
            detail = f"no transition leads from {words.name_of(status)} to a status that is done: {_names(options)}"
            raise Trouble(Answer(DeliveryOutcome.REJECTED, detail=detail))
        return taken

    # -- what is known

    def _learn(self, issue: Issue, extra: Mapping[str, Any]) -> None:
        self.remote = words.remote_of(self._rules, issue, extra)
        self.learned = True

    def _remember(self, **extra: Any) -> None:
        if self.remote is not None:
            self.remote = Remote(
                id=self.remote.id,
                key=self.remote.key,
                url=self.remote.url,
                state=self.remote.state,
                fields=self.remote.fields,
                extra={**self.remote.extra, **extra},
            )
            self.learned = True


def _number(key: Any) -> int:
    digits = str(key or "").rpartition("-")[2]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= NUMBER_DIGITS_MAX else 0


def _digest(value: Any) -> str:
    return content_hash(orjson.dumps(value).decode())[:12]


def _digests(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: _digest(value) for name, value in fields.items()}


def _names(options: list[dict[str, Any]]) -> str:
    return ", ".join(words.name_of(words.part(each, "to")) for each in options) or "there is none"
