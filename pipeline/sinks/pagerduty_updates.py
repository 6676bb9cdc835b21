"""What PagerDuty says back: webhooks version 3, and incidents of its REST API, read into updates. Pure.

Event types and payloads: https://developer.pagerduty.com/docs/webhooks-overview (read in PagerDuty/developer-docs,
``docs/webhooks/01-Overview.md``) and the schema ``Incident`` of PagerDuty/api-schema. An incident is known as ours by
its deduplication key; one that has child alerts has none, so its title is looked at, which ends in the same key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from pipeline.models.remote import Fields, RemoteNote, RemoteState, SinkUpdate, UpdateKind
from pipeline.models.sinks.paging import PagerDuty
from pipeline.sinks.pagerduty_words import NOTE_MARK, Key, read_key, read_title

STATES: Final[Mapping[str, RemoteState]] = {
    "triggered": RemoteState.OPEN,
    "acknowledged": RemoteState.ACKNOWLEDGED,
    "resolved": RemoteState.RESOLVED,
}

NOTES_MAX: Final = 50
TEXT_CHARACTERS_MAX: Final = 4_000
NAME_CHARACTERS_MAX: Final = 200
ADDRESS_CHARACTERS_MAX: Final = 2_000

_USER: Final = "user_reference"
_INTEGRATION: Final = "integration_reference"
"""Ends the type of an agent that is an integration: our own events."""

_MERGED: Final = "merge_resolve_reason"
_ANNOTATED: Final = "incident.annotated"


def read_webhook(body: bytes, headers: Mapping[str, str], rules: PagerDuty, at: datetime) -> list[SinkUpdate]:
    """The update in a verified webhook; none where it is about nothing of ours.

    Raises:
        ValueError: it is no event of PagerDuty.
    """
    del headers  # the signature was checked
    event = _part(_parsed(body), "event")
    kind = event.get("event_type")
    if not isinstance(kind, str):
        raise ValueError("$.event.event_type: expected text")  # noqa: TRY004  # what readers raise
    data = _part(event, "data")
    about = _part(data, "incident") if kind == _ANNOTATED else data
    key = key_of(about)
    if key is None or (kind != _ANNOTATED and kind not in _FIELDS):
        return []
    found = _common(rules, key, event, about, at)
    if kind == _ANNOTATED:
        notes = _notes([{**data, "user": event.get("agent")}], rules)
        return [found.model_copy(update={"notes": tuple(notes)})] if notes else []
    merged = _part(data, "resolve_reason")
    if kind == "incident.resolved" and merged.get("type") == _MERGED:
        return _merged(found, _part(merged, "incident"))
    return [found.model_copy(update={"fields": _FIELDS[kind](rules, key, event, data)})]


def as_read(
    rules: PagerDuty, key: Key | None, found: Mapping[str, Any], notes: Iterable[Mapping[str, Any]], at: datetime
) -> SinkUpdate | None:
    """An incident of the REST API as an update; None where it is not ours.

    Args:
        rules: the configuration.
        key: that it was looked up by; None: the key that it says.
        found: the incident.
        notes: of it.
        at: when it was read; used where it says no time.
    """
    key = key or key_of(found)
    if key is None:
        return None
    by = _part(found, "last_status_change_by")
    moment = _text(found.get("last_status_change_at"))
    return SinkUpdate(
        kind=UpdateKind.READ,
        update_id=f"{_short(found.get('id'))}/{_text(found.get('updated_at')) or moment}"[:NAME_CHARACTERS_MAX],
        sink=rules.name,
        incident_id=key.incident_id,
        at=_moment(moment, at),
        author=_short(by.get("summary")) if by.get("type") == _USER else "",
        own=False,
        person=by.get("type") == _USER,
        fields=_as_it_is(rules, key, found),
        notes=tuple(_notes(notes, rules)),
        remote_id=str(key._replace(step="")),
        remote_key=number_of(found.get("incident_number")),
        remote_url=address_of(found),
    )


def key_of(found: Mapping[str, Any]) -> Key | None:
    """The key of an incident, by its own field or its title."""
    key = read_key(_text(found.get("incident_key")))
    title = found.get("title") or found.get("summary")
    return key or read_title(_text(title))


def _common(rules: PagerDuty, key: Key, event: Mapping[str, Any], about: Mapping[str, Any], at: datetime) -> SinkUpdate:
    agent = _part(event, "agent")
    kind = _text(agent.get("type"))
    names = {_short(agent.get(name)) for name in ("id", "summary")}
    return SinkUpdate(
        update_id=_short(event.get("id")) or f"{key}/{_text(event.get('occurred_at'))}"[:NAME_CHARACTERS_MAX],
        sink=rules.name,
        incident_id=key.incident_id,
        at=_moment(_text(event.get("occurred_at")), at),
        author=_short(agent.get("summary")) if kind == _USER else "",
        own=kind.endswith(_INTEGRATION) or bool(names & set(rules.own_users)),
        person=kind == _USER,
        remote_id=str(key._replace(step="")),
        remote_key=number_of(about.get("number")),
        remote_url=address_of(about),
    )


def number_of(value: Any) -> str:
    """What people call an incident there."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def address_of(found: Mapping[str, Any]) -> str:
    """Where people find an incident."""
    return _text(found.get("html_url"))[:ADDRESS_CHARACTERS_MAX]


# -- what each event says


def _state(state: RemoteState) -> Callable[..., Fields]:
    def fields(rules: PagerDuty, key: Key, event: Mapping[str, Any], data: Mapping[str, Any]) -> Fields:
        """Whoever acknowledges has it. What ends the alert of one call does not end the incident."""
        agent = _part(event, "agent")
        if key.step and state is not RemoteState.ACKNOWLEDGED:
            return Fields()
        takes = state is RemoteState.ACKNOWLEDGED and agent.get("type") == _USER
        return Fields(state=state, assignee=_person(rules, agent) if takes else None)

    return fields


def _reopened(rules: PagerDuty, key: Key, event: Mapping[str, Any], data: Mapping[str, Any]) -> Fields:
    return Fields(state=STATES.get(_text(data.get("status")), RemoteState.OPEN))


def _assigned(rules: PagerDuty, key: Key, event: Mapping[str, Any], data: Mapping[str, Any]) -> Fields:
    """Who it was given to. What a policy of PagerDuty does by itself is calling, not giving."""
    if _part(event, "agent").get("type") != _USER:
        return Fields()
    return Fields(assignee=next((_person(rules, each) for each in _objects(data, "assignees")), None))


def _prioritised(rules: PagerDuty, key: Key, event: Mapping[str, Any], data: Mapping[str, Any]) -> Fields:
    return Fields(priority=_priority(rules, data))


def _nothing(rules: PagerDuty, key: Key, event: Mapping[str, Any], data: Mapping[str, Any]) -> Fields:
    """It says under which number and address our alert is found."""
    return Fields()


_FIELDS: Final[Mapping[str, Callable[..., Fields]]] = {
    "incident.triggered": _nothing,
    "incident.acknowledged": _state(RemoteState.ACKNOWLEDGED),
    "incident.unacknowledged": _state(RemoteState.OPEN),
    "incident.resolved": _state(RemoteState.RESOLVED),
    "incident.reopened": _reopened,
    "incident.reassigned": _assigned,
    "incident.delegated": _assigned,
    "incident.priority_updated": _prioritised,
}


def _merged(found: SinkUpdate, into: Mapping[str, Any]) -> list[SinkUpdate]:
    """Merged there. Into one of ours: so it is here. Into another one our alert goes on in that one, still open."""
    target = key_of(into)
    if target is None or target.incident_id == found.incident_id:
        return []
    return [found.model_copy(update={"duplicate_of": target.incident_id})]


def _as_it_is(rules: PagerDuty, key: Key, found: Mapping[str, Any]) -> Fields:
    state = STATES.get(_text(found.get("status")))
    if key.step or _part(found, "resolve_reason").get("type") == _MERGED:
        return Fields()
    taken = state is RemoteState.ACKNOWLEDGED  # before, whoever is assigned is only being called
    people = [_part(each, "acknowledger") for each in _objects(found, "acknowledgements")] if taken else []
    person = next((_person(rules, each) for each in people if each.get("type") == _USER), None)
    return Fields(state=state, priority=_priority(rules, found), assignee=person)


def _priority(rules: PagerDuty, found: Mapping[str, Any]) -> str | None:
    there = _short(_part(found, "priority").get("summary"))
    if not there:
        return None
    return rules.priority_names.get(there) if rules.priority_names else there


def _person(rules: PagerDuty, reference: Mapping[str, Any]) -> str | None:
    identity, name = _short(reference.get("id")), _short(reference.get("summary"))
    return rules.people.get(identity) or rules.people.get(name) or name or None


def _notes(found: Iterable[Mapping[str, Any]], rules: PagerDuty) -> list[RemoteNote]:
    """Notes of people; ours are known by how they begin."""
    notes = []
    for each in found:
        text, by = _text(each.get("content")).strip(), _part(each, "user")
        own = text.startswith(NOTE_MARK) or {_short(by.get("id")), _short(by.get("summary"))} & set(rules.own_users)
        if text and not own:
            author = _person(rules, by) or ""
            notes.append(RemoteNote(id=_short(each.get("id")), author=author, text=text[:TEXT_CHARACTERS_MAX]))
    return notes[-NOTES_MAX:]


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError("the body is not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("$: expected an object")  # noqa: TRY004  # what readers raise
    return found


def _part(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}


def _objects(found: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    part = found.get(name)
    return [each for each in part if isinstance(each, dict)] if isinstance(part, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _short(value: Any) -> str:
    return _text(value)[:NAME_CHARACTERS_MAX]


def _moment(text: str, otherwise: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else otherwise
    except (ValueError, OverflowError):  # the first and the last hours that can be written are no time in UTC
        return otherwise
