"""What Xurrent says back: webhooks about requests, and requests that were looked up, read into updates. Pure.

Shape of a webhook: xurrent/ipaas-connectors, the trigger of ``connector-sdk/spec/fixtures/xurrent_connector``. Which
fields its payload has is set on each webhook; ``source`` and ``sourceID`` must be among them, as a request is known as
ours by nothing else. Under a policy the body is a signed token, which the gateway has opened.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from pipeline.models.command import WaitingFor
from pipeline.models.remote import Fields, RemoteLink, RemoteNote, SinkUpdate, UpdateKind
from pipeline.models.sinks.xurrent import STATES_READ, Xurrent
from pipeline.sinks.ticket_words import is_marked

NOTES_MAX: Final = 50
LINKS_MAX: Final = 50
TEXT_CHARACTERS_MAX: Final = 4_000
NAME_CHARACTERS_MAX: Final = 200
TITLE_CHARACTERS_MAX: Final = 1_000

_OURS: Final = re.compile(r"(?:INC|MI)-[A-Za-z0-9]{1,40}")
_EVENTS: Final = "request."
# A retry has a new delivery id and names the first one as its origin.
_DELIVERY_HEADERS: Final = ("x-xurrent-delivery-origin", "x-xurrent-delivery")
_MACHINE_MEDIA: Final = frozenset({"system", "automation", "ai"})


def read_webhook(body: bytes, headers: Mapping[str, str], rules: Xurrent, at: datetime) -> list[SinkUpdate]:
    """The update in a verified webhook; none where it is about nothing of ours.

    Raises:
        ValueError: it is no message of Xurrent.
    """
    message = _parsed(body)
    event = message.get("event")
    if not isinstance(event, str):
        raise ValueError("$.event: expected text")  # noqa: TRY004  # what readers raise
    payload = _part(message, "payload")
    incident_id = incident_of(rules, payload)
    if not event.startswith(_EVENTS) or incident_id is None:
        return []
    number = _number(message.get("object_id"))
    person = _number(message.get("person_id"))
    return [
        SinkUpdate(
            update_id=_delivery(headers, payload, body),
            sink=rules.name,
            incident_id=incident_id,
            at=at,  # the body holds no time
            author=_short(message.get("person_name")),
            own=bool({person, _short(message.get("person_name"))} & set(rules.own_users)),
            person=bool(person),
            fields=_fields(rules, payload),
            notes=tuple(_notes(_told_note(message, payload), rules, ())),
            links=tuple(_links(rules, payload)),
            waiting_for=_waiting_for(payload),
            resolution=_resolution(payload),
            remote_id=number,
            remote_key=number,
            remote_url=address_of(rules, number) if number else "",
        )
    ]


def as_read(  # what a request that was looked up consists of
    rules: Xurrent,
    incident_id: str,
    found: Mapping[str, Any],
    notes: Iterable[Mapping[str, Any]],
    at: datetime,
    own: Collection[str] = (),
) -> SinkUpdate:
    """A request of the REST API as an update.

    Args:
        rules: the configuration.
        incident_id: ours.
        found: the request.
        notes: of it.
        at: when it was read; used where it says no time.
        own: ids of the people that we log in as.
    """
    number = _number(found.get("id"))
    moment = found.get("updated_at")
    return SinkUpdate(
        kind=UpdateKind.READ,
        update_id=f"{number}/{moment}"[:NAME_CHARACTERS_MAX],
        sink=rules.name,
        incident_id=incident_id,
        at=_moment(moment, at),
        fields=_fields(rules, found),
        notes=tuple(_notes(notes, rules, own)),
        links=tuple(_links(rules, found)),
        waiting_for=_waiting_for(found),
        resolution=_resolution(found),
        remote_id=number,
        remote_key=number,
        remote_url=address_of(rules, number) if number else "",
    )


def incident_of(rules: Xurrent, found: Mapping[str, Any]) -> str | None:
    """Our incident that a request is of; None where it is none of ours."""
    source, identity = found.get("source"), found.get("sourceID")
    if not isinstance(source, str) or not isinstance(identity, str):
        return None
    return identity if source.casefold() == rules.source.casefold() and _OURS.fullmatch(identity) else None


def person_of(rules: Xurrent, reference: Any) -> str:
    """Who somebody there is here; "" where it is nobody, or the one who stands in for nobody (``member``)."""
    if not isinstance(reference, dict) or _number(reference.get("id")) == str(rules.member):
        return ""
    return rules.person_here(_number(reference.get("id")), _short(reference.get("name")))


def address_of(rules: Xurrent, number: Any) -> str:
    """Where people find a request."""
    if rules.web_url is not None:
        return f"{rules.web_url.rstrip('/')}/requests/{number}"
    parts = urlsplit(rules.url)
    host = parts.netloc
    return f"{parts.scheme}://{rules.account}.{host.removeprefix('api.')}/requests/{number}"


def _fields(rules: Xurrent, found: Mapping[str, Any]) -> Fields:
    """What it says of the fields that both sides write; what a webhook does not show is not said."""
    state = STATES_READ.get(_text(found.get("status")))
    assignee = person_of(rules, found["member"]) if "member" in found else None
    title = _text(found.get("subject"))[:TITLE_CHARACTERS_MAX] or None
    return Fields(state=state, priority=rules.priority(_text(found.get("impact"))), assignee=assignee, title=title)


def _waiting_for(found: Mapping[str, Any]) -> WaitingFor | None:
    """Whom it waits for; Xurrent tells the requester apart, and no others."""
    return WaitingFor.CUSTOMER if found.get("status") == "waiting_for_customer" else None


def _resolution(found: Mapping[str, Any]) -> str | None:
    reason = _short(found.get("completion_reason"))
    return f"completed in Xurrent as {reason}" if reason and found.get("status") == "completed" else None


def _links(rules: Xurrent, found: Mapping[str, Any]) -> list[RemoteLink]:
    """The problem that it hangs on, the supplier's own number, and what own fields name."""
    links = []
    if problem := _number(_part(found, "problem").get("id")):
        links.append(RemoteLink(kind="problem", id=problem))
    if number := _short(found.get("supplier_requestID")):
        links.append(RemoteLink(kind="vendor_ticket", id=number))
    for name, kind in rules.link_fields.items():
        if identity := _number(found.get(name)):
            links.append(RemoteLink(kind=kind, id=identity))
    return links[:LINKS_MAX]


def _told_note(message: Mapping[str, Any], payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The note of a webhook that shows one."""
    note = payload.get("note")
    found = note if isinstance(note, dict) else {"text": note}
    person = {"id": message.get("person_id"), "name": message.get("person_name")}
    return [{"id": payload.get("note_id"), "person": person, "internal": True, **found}]


def _notes(found: Iterable[Mapping[str, Any]], rules: Xurrent, own: Collection[str]) -> list[RemoteNote]:
    """Notes of people; ours are known by their author or by how they begin."""
    ours = {*rules.own_users, *own}
    notes = []
    for each in found:
        text, person = _text(each.get("text")).strip(), _part(each, "person")
        who = {_number(person.get("id")), _short(person.get("name"))}
        if not text or is_marked(text) or who & ours or _text(each.get("medium")) in _MACHINE_MEDIA:
            continue
        notes.append(
            RemoteNote(
                id=_number(each.get("id")) or sha256(text.encode(errors="replace")).hexdigest()[:16],
                author=person_of(rules, person),
                text=text[:TEXT_CHARACTERS_MAX],
                public=each.get("internal") is False,
            )
        )
    return notes[-NOTES_MAX:]


def _delivery(headers: Mapping[str, str], payload: Mapping[str, Any], body: bytes) -> str:
    for header in _DELIVERY_HEADERS:
        if found := headers.get(header, "").strip():
            return found[:NAME_CHARACTERS_MAX]
    return _number(payload.get("audit_line_id")) or sha256(body).hexdigest()[:32]


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError("the body is not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("$: expected an object")  # noqa: TRY004  # what readers raise
    if "jwt" in found and "event" not in found:
        raise ValueError("$.jwt: a token that was not opened: updates must have the scheme xurrent-jwt")
    return found


def _part(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _short(value: Any) -> str:
    return _text(value)[:NAME_CHARACTERS_MAX]


def _number(value: Any) -> str:
    """An id as text; "" where it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)[:NAME_CHARACTERS_MAX]
    return _short(value)


def _moment(value: Any, otherwise: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(_text(value))
        return found.astimezone(UTC) if found.tzinfo else otherwise
    except (ValueError, OverflowError):  # the first and the last hours that can be written are no time in UTC
        return otherwise
