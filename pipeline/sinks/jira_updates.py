"""What comes back from Jira: its webhooks about issues and comments, and issues that were read. Pure.

A webhook about an issue has all its fields, the labels among them. One about a comment has only some, and without the
label nobody knows whose issue it is: such comments come with the issue when it is read (docs/sinks/jira.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.models.command import ID_CHARACTERS_MAX, NOTE_CHARACTERS_MAX
from pipeline.models.remote import (
    ENDED,
    Fields,
    Remote,
    RemoteLink,
    RemoteNote,
    RemoteState,
    SinkUpdate,
    UpdateKind,
)
from pipeline.models.sinks.jira import Jira
from pipeline.sinks import jira_words as words
from pipeline.sinks import ticket_words
from pipeline.sinks.base import gone_update
from pipeline.sinks.messages import read_object

DELIVERY_HEADER: Final = "x-atlassian-webhook-identifier"
NOTES_MAX: Final = 50
"""Notes of one update: as many as one takes."""

_ABOUT_ISSUES: Final = frozenset({"jira:issue_created", "jira:issue_updated", "jira:issue_deleted"})
_ABOUT_COMMENTS: Final = frozenset({"comment_created"})
_DELETED: Final = "jira:issue_deleted"
_EPOCH_MS_MAX: Final = 253_402_214_400_000
"""9999-12-31, the last day that a date can spell."""


def read_fields(rules: Jira) -> list[str]:
    """What is asked of an issue when it is read."""
    return [*words.FIELDS, "comment", *rules.link_fields]


def read(body: bytes, headers: Mapping[str, str], rules: Any, at: datetime) -> list[SinkUpdate]:
    """Updates in one webhook.

    Raises:
        ValueError: it is none.
    """
    document = read_object(body)
    event, issue = document.get("webhookEvent"), words.part(document, "issue")
    if not isinstance(event, str) or not issue:
        raise ValueError("no webhookEvent or no issue: only events about issues and comments are read")
    incident_id = words.incident_of(issue.get("fields"))
    if incident_id is None or event not in _ABOUT_ISSUES | _ABOUT_COMMENTS:
        return []
    moment = _moment(document.get("timestamp")) or at
    comment = words.part(document, "comment")
    person = comment.get("author") if event in _ABOUT_COMMENTS else document.get("user")
    author: Mapping[str, Any] = person if isinstance(person, Mapping) else {}
    identity = headers.get(DELIVERY_HEADER) or f"{issue.get('id')}/{event}/{document.get('timestamp')}"
    if event == _DELETED:
        remote = Remote(id=_short(issue.get("id")), key=_short(issue.get("key")))
        update: SinkUpdate | None = gone_update(rules.name, incident_id, remote, moment)
    else:
        update = update_of(rules, issue, UpdateKind.CHANGED, at=moment, incident_id=incident_id)
    if update is None:
        return []
    known = {"update_id": _short(identity), "author": _name(rules, author), "own": _is_own(rules, author)}
    notes = _notes(rules, [comment]) if event in _ABOUT_COMMENTS else ()
    fields = Fields() if event in _ABOUT_COMMENTS else update.fields  # what a comment brings along is not its news
    return [
        update.model_copy(
            update={**known, "person": author.get("accountType") != "app", "notes": notes, "fields": fields}
        )
    ]


def update_of(
    rules: Jira,
    issue: Mapping[str, Any],
    kind: UpdateKind,
    *,
    at: datetime,
    incident_id: str | None = None,
    since: datetime | None = None,
) -> SinkUpdate | None:
    """An issue of ours as an update; None where it is not of ours.

    Args:
        rules: of the sink.
        issue: as Jira has it.
        kind: of the update.
        at: when, where the issue does not say.
        incident_id: ours, where it is known; else the label says it.
        since: comments that are older are no news; None: comments are none.
    """
    fields = words.part(issue, "fields")
    ours = incident_id or words.incident_of(fields)
    if ours is None:
        return None
    remote = words.remote_of(rules, issue, {})
    resolution = words.name_of(words.part(fields, "resolution")) if remote.state in ENDED else ""
    updated, status = _time(fields.get("updated")), words.name_of(words.part(fields, "status"))
    return SinkUpdate(
        kind=kind,
        update_id=_short(f"{remote.id}/{fields.get('updated') or ''}"),
        sink=rules.name,
        incident_id=ours,
        at=at if kind == UpdateKind.CHANGED else updated or at,
        fields=_fields(rules, fields),
        notes=_notes(rules, words.part(fields, "comment").get("comments"), since) if since is not None else (),
        waiting_for=rules.waits_for(status),
        resolution_code=_short(rules.read_resolution(resolution) or resolution) if resolution else None,
        links=_links(rules, fields),
        remote_id=_short(remote.id),
        remote_key=_short(remote.key),
        remote_url=remote.url[:2_000],
    )


def _fields(rules: Jira, fields: Mapping[str, Any]) -> Fields:
    """What the issue says; a field that it lacks says nothing, an empty assignee says nobody."""
    found = words.fields_of(rules, fields)
    return Fields(
        state=RemoteState(found["state"]) if found["state"] else None,
        priority=_short(found["priority"]) or None,
        assignee=_short(found["assignee"]) if "assignee" in fields else None,
        title=found["title"] or None,
    )


def _notes(rules: Jira, comments: Any, since: datetime | None = None) -> tuple[RemoteNote, ...]:
    """Comments of people; ours are known by their mark, whoever seems to have written them."""
    found = []
    for comment in comments if isinstance(comments, list) else ():
        author = words.part(comment, "author") if isinstance(comment, Mapping) else {}
        text = words.text_of(comment.get("body")) if isinstance(comment, Mapping) else ""
        created = _time(comment.get("created")) if isinstance(comment, Mapping) else None
        is_old = since is not None and created is not None and created < since
        if not text.strip() or is_old or _is_own(rules, author) or ticket_words.is_marked(text):
            continue
        public = comment.get("jsdPublic") is True
        note = RemoteNote(
            id=_short(comment.get("id")), author=_name(rules, author), text=text[:NOTE_CHARACTERS_MAX], public=public
        )
        found.append(note)
    return tuple(found[-NOTES_MAX:])


def _links(rules: Jira, fields: Mapping[str, Any]) -> tuple[RemoteLink, ...]:
    """Problems that are linked, and the cases and tickets elsewhere that the configuration names fields for."""
    found = []
    links = fields.get("issuelinks")
    for link in links if isinstance(links, list) else ():
        if not isinstance(link, Mapping) or "problem" not in words.name_of(words.part(link, "type")).casefold():
            continue
        other = words.part(link, "outwardIssue") or words.part(link, "inwardIssue")
        status = words.name_of(words.part(words.part(other, "fields"), "status"))
        if other.get("key"):
            found.append(RemoteLink(kind="problem", id=_short(other.get("key")), state=_short(status) or None))
    for name, kind in rules.link_fields.items():
        value = fields.get(name)
        number = value.get("value") if isinstance(value, Mapping) else value
        if isinstance(number, str) and number.strip():
            found.append(RemoteLink(kind=kind, id=_short(number.strip())))
    return tuple(found[:NOTES_MAX])


def _is_own(rules: Jira, author: Mapping[str, Any]) -> bool:
    ours = {rules.user, rules.account_id, *rules.own_users} - {""}
    return any(str(author.get(name)) in ours for name in ("accountId", "emailAddress"))


def _name(rules: Jira, author: Mapping[str, Any]) -> str:
    names = (str(author.get(name) or "") for name in ("accountId", "emailAddress", "displayName"))
    return _short(rules.person_here(*names))


def _moment(value: Any) -> datetime | None:
    """A moment in epoch milliseconds; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _EPOCH_MS_MAX:
        return None
    return datetime.fromtimestamp(value / 1_000, UTC)


def _time(value: Any) -> datetime | None:
    """A time as Jira writes it, ``2026-03-04T02:11:42.318+0000``; None where it is none."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _short(value: Any) -> str:
    return str(value or "")[:ID_CHARACTERS_MAX]
