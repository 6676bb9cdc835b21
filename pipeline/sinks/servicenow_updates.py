"""What comes back from ServiceNow: what our business rule posts, and records that were read. Pure.

The rule is ours (docs/sinks/servicenow.md), as ServiceNow has no webhooks: it posts stored values, all of them texts,
and of the journals the newest entry where that is new.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.models.command import ID_CHARACTERS_MAX, NOTE_CHARACTERS_MAX
from pipeline.models.mark import PRODUCT, marked_id
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
from pipeline.models.sinks.servicenow import ServiceNow
from pipeline.models.sinks.ticketing import LinkKind
from pipeline.sinks import servicenow_words as words
from pipeline.sinks import ticket_words
from pipeline.sinks.base import gone_update
from pipeline.sinks.messages import read_object

STORED_TIME: Final = "%Y-%m-%d %H:%M:%S"
"""How times are stored and queried; they are UTC and do not say so."""

MACHINES: Final = frozenset({"", "system", "guest", "glide.maint", "mid.server"})
"""Users that are no people."""

_LINKS: Final[Mapping[str, LinkKind]] = {"rfc": "change", "caused_by": "change"}
_NUMBERED: Final[Mapping[str, LinkKind]] = {"problem_id": "problem", **_LINKS}
# First line of an entry as `getJournalEntry` gives it: ``2026-03-04 02:11:42 - Kim Lee (Work notes)``.
_HEADING: Final = re.compile(r"\A\s*\d[^\n]{6,30} - [^\n]{0,200} \([^\n()]{1,60}\)\n")
NOTES_MAX: Final = 50
COUNT_DIGITS_MAX: Final = 15  # more is no count of changes, and no number that JSON keeps exactly
"""Notes of one update: as many as one takes."""

_OPERATION_DELETE: Final = "delete"


def read_fields(rules: ServiceNow) -> str:
    """What is asked of a record when it is read."""
    linked = ",".join(f"{name}.number,{name}.state" for name in _LINKS)
    return ",".join([words.FIELDS, linked, *rules.link_fields])


def read(body: bytes, headers: Mapping[str, str], rules: Any, at: datetime) -> list[SinkUpdate]:
    """Updates in one message of our business rule.

    Raises:
        ValueError: it is none.
    """
    del headers
    document = read_object(body)
    record = {str(name): value for name, value in document.items() if isinstance(value, str)}
    if not record.get("sys_id"):
        raise ValueError("$.sys_id: missing; send it by the business rule of docs/sinks/servicenow.md")
    incident_id = _ours(record)
    if incident_id is None:
        return []
    if record.get("operation") == _OPERATION_DELETE:
        remote = Remote(id=_short(record["sys_id"]), key=_short(record.get("number", "")))
        deleted = gone_update(rules.name, incident_id, remote, at)
        author = record.get("sys_updated_by", "")
        return [deleted.model_copy(update={"author": _short(author), "own": _is_own(rules, author)})]
    update = update_of(rules, record, UpdateKind.CHANGED, at=at)
    return [update] if update is not None else []


def update_of(
    rules: ServiceNow,
    record: Mapping[str, str],
    kind: UpdateKind,
    *,
    incident_id: str | None = None,
    at: datetime | None = None,
) -> SinkUpdate | None:
    """A record of ours as an update; None where it is not of ours.

    Who changed a record last has perhaps not changed what differs from what we know: of one that was read nobody is
    the author, and its values speak.
    """
    ours = incident_id or _ours(record)
    if ours is None:
        return None
    changed, sys_id = kind == UpdateKind.CHANGED, _short(record.get("sys_id", ""))
    author = record.get("sys_updated_by", "")
    known = rules.person_here(record.get("sys_updated_by.name", ""), author)
    remote = words.remote_of(rules, dict(record), {})
    ended = remote.state in ENDED
    return SinkUpdate(
        kind=kind,
        update_id=_short(f"{sys_id}/{record.get('sys_mod_count', '')}"),
        version=_count(record.get("sys_mod_count", "")),
        sink=rules.name,
        incident_id=ours,
        at=stored_time(record.get("sys_updated_on", "")) or at or datetime.fromtimestamp(0, UTC),
        author=_short(known) if changed else "",
        own=changed and _is_own(rules, author),
        person=author not in MACHINES,
        fields=_fields(rules, record),
        notes=_notes(record, _short(known)),
        waiting_for=rules.waits_for(record.get("hold_reason", "")) if remote.state == RemoteState.WAITING else None,
        resolution_code=_resolution_code(rules, record) if ended else None,
        resolution=_long(record.get("close_notes", "")) or None if ended else None,
        links=_links(rules, record),
        duplicate_of=_duplicate_of(rules, record, ours) if ended else None,
        remote_id=sys_id,
        remote_key=_short(remote.key),
        remote_url=remote.url[:2_000],
    )


def _count(text: str) -> int | None:
    """How often a record was changed; None where that is not said."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= COUNT_DIGITS_MAX else None


def stored_time(text: str) -> datetime | None:
    """A stored time; None where it is none."""
    try:
        return datetime.strptime(text, STORED_TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def with_journal(update: SinkUpdate, rules: ServiceNow, entries: list[dict[str, str]]) -> SinkUpdate:
    """An update with the entries of its journals that are new and not ours; each has an id of its own there."""
    notes = [
        RemoteNote(
            id=_short(entry.get("sys_id", "")),
            author=_short(rules.person_here(entry.get("sys_created_by", ""))),
            text=_long(entry.get("value", "")),
            public=entry.get("element") == "comments",
        )
        for entry in entries
        if entry.get("element_id") == update.remote_id
        and not ticket_words.is_marked(entry.get("value", ""))
        and not _is_own(rules, entry.get("sys_created_by", ""))
    ]
    return update.model_copy(update={"notes": tuple(notes[-NOTES_MAX:])})


def _ours(record: Mapping[str, str]) -> str | None:
    """Our incident, by the mark. Other tools write correlation ids too, under their own name."""
    if record.get("correlation_display", PRODUCT) != PRODUCT:
        return None
    return marked_id(record.get("correlation_id"))


def _is_own(rules: ServiceNow, author: str) -> bool:
    return author in {rules.user, *rules.own_users}


def _fields(rules: ServiceNow, record: Mapping[str, str]) -> Fields:
    """What the record says; a field that the message lacks says nothing, an empty assignee says nobody."""
    found = words.fields_of(rules, record)
    return Fields(
        state=RemoteState(found["state"]) if record.get("state") else None,
        priority=_short(found["priority"]) or None,
        assignee=_short(found["assignee"]) if "assigned_to" in record else None,
        title=found["title"] or None,
    )


def _notes(record: Mapping[str, str], author: str) -> tuple[RemoteNote, ...]:
    """New entries of the journals; ours are known by their mark, whoever seems to have written them."""
    found = []
    for name in ("work_notes", "comments"):
        text = _HEADING.sub("", record.get(name, "")).strip()
        if text and not ticket_words.is_marked(text):
            note_id = _short(f"{record.get('sys_id', '')}/{record.get('sys_mod_count', '')}/{name}")
            found.append(RemoteNote(id=note_id, author=author, text=_long(text), public=name == "comments"))
    return tuple(found)


def _links(rules: ServiceNow, record: Mapping[str, str]) -> tuple[RemoteLink, ...]:
    """Problem, change, and the cases and tickets elsewhere that the configuration names fields for."""
    found = []
    for name, kind in _NUMBERED.items():
        if number := record.get(f"{name}.number", ""):
            state = record.get(f"{name}.state", "")
            found.append(RemoteLink(kind=kind, id=_short(number), state=_short(state) or None))
    for name, kind in rules.link_fields.items():
        if number := record.get(name, "").strip():
            found.append(RemoteLink(kind=kind, id=_short(number)))
    return tuple(found)


def _resolution_code(rules: ServiceNow, record: Mapping[str, str]) -> str | None:
    """How it ended, in our words; what was cancelled there was no incident, whatever code was left in it."""
    if record.get("state") == rules.cancelled_state:
        return "false_alarm"
    code = record.get("close_code", "")
    return _short(rules.read_close_codes.get(code, code)) or None


def _duplicate_of(rules: ServiceNow, record: Mapping[str, str], incident_id: str) -> str | None:
    """The incident that it was closed as a duplicate of; None where it was not, or that one is not ours."""
    if rules.read_close_codes.get(record.get("close_code", "")) != "duplicate":
        return None
    parent = marked_id(record.get("parent_incident.correlation_id"))
    return parent if parent != incident_id else None


def _short(text: str) -> str:
    return text[:ID_CHARACTERS_MAX]


def _long(text: str) -> str:
    return text[:NOTE_CHARACTERS_MAX]
