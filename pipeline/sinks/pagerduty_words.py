"""What PagerDuty is told: events of its Events API version 2, made from a snapshot. Pure.

Lengths, required fields and the size of an event: https://developer.pagerduty.com/docs/events-api-v2-overview and
"Send an Alert Event" of the same documentation (read in PagerDuty/developer-docs, ``docs/events-API-v2``). Who reads a
page on a phone sees the summary only, so that holds our reference as well. It is also what a webhook of a note, which
carries no deduplication key, is told apart by.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import orjson

from pipeline.core.outward.delivery_body import rfc3339
from pipeline.models.sinks.paging import EVENT_FIELDS, PagerDuty
from pipeline.sinks import wording
from pipeline.sinks.mapping import render
from pipeline.sinks.told import Call, Told

EVENT_BYTES_MAX: Final = 512 * 1_024
"""Of one event."""

SUMMARY_CHARACTERS_MAX: Final = 1_024
TEXT_CHARACTERS_MAX: Final = 1_000
"""Of a detail: what is longer is read in the incident itself."""

LIST_ITEMS_MAX: Final = 20
MEMBERS_MAX: Final = 100
"""Members of a Major Incident that are named one by one; how many there are is said beside them."""

LINKS_MAX: Final = 10
NOTE_CHARACTERS_MAX: Final = 10_000

NOTE_MARK: Final = "Spillway, revision"
"""Begins every note of ours, so that it is known again: by the retry that asks whether it was written, and by the
webhook that tells of it."""

_KEY: Final = re.compile(r"((?:INC|MI)-[A-Za-z0-9]{1,40})/(\d{1,6})(?:/([0-9a-z]{1,32}))?")
_REFERENCE: Final = re.compile(rf"\[{_KEY.pattern}\]\s*$")
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")
_ADDRESS: Final = re.compile(r"https?://[^\s/]+\S*")


class Key(NamedTuple):
    """A deduplication key of ours.

    Attributes:
        run: how often it was opened there before: a resolved key would open a new incident, so each has its own.
        step: of an alert that stands for one call alone; "" of the incident's own.
    """

    incident_id: str
    run: int
    step: str = ""

    def __str__(self) -> str:
        return f"{self.incident_id}/{self.run}" + (f"/{self.step}" if self.step else "")


def read_key(text: str) -> Key | None:
    """The key that a text is; None where it is not one of ours."""
    found = _KEY.fullmatch(text)
    return Key(found[1], int(found[2]), found[3] or "") if found else None


def read_title(title: str) -> Key | None:
    """The key at the end of a title; None where it does not end in one of ours."""
    found = _REFERENCE.search(title)
    return Key(found[1], int(found[2]), found[3] or "") if found else None


def summary(title: str, key: Key) -> str:
    """One line that ends in the reference, however long the title is."""
    reference = f" [{key}]"
    line = " ".join(_UNSEEN.sub(" ", title).split()) or "Incident"
    room = SUMMARY_CHARACTERS_MAX - len(reference)
    return (line if len(line) <= room else line[: room - 1] + "…") + reference


def trigger(rules: PagerDuty, said: Told, key: Key, calls: Iterable[Call] = (), proposal: str = "") -> dict[str, Any]:
    """The event that opens an alert or brings it up to date; the routing key is not in it yet."""
    incident = said.incident
    own = {name: render(template, incident) for name, template in rules.fields.items()}
    payload = {
        "summary": summary(str(incident.get("title") or ""), key),
        "source": _text(own.get("source")) or _short(incident.get("service")) or _first(incident, "entities") or "-",
        "severity": rules.severity(str(incident.get("priority") or ""), incident.get("priority_rank")),
        "component": _text(own.get("component")) or _short(incident.get("service")),
        "group": _text(own.get("group")) or _text(incident.get("domain")),
        "class": _text(own.get("class")) or _text(incident.get("category")),
        "custom_details": _details(said, calls, proposal)
        | {name: value for name, value in own.items() if value and name not in EVENT_FIELDS},
    }
    if isinstance(opened_ms := incident.get("opened_at_ms"), int) and opened_ms > 0:
        payload["timestamp"] = rfc3339(opened_ms)
    event: dict[str, Any] = {
        "event_action": "trigger",
        "dedup_key": str(key),
        "payload": {name: value for name, value in payload.items() if value},
        "client": rules.client,
        "links": _links(incident),
    }
    if rules.client_url:
        event["client_url"] = rules.client_url
    return _fitted({name: value for name, value in event.items() if value})


def follow_up(action: str, key: Key) -> dict[str, Any]:
    """The event that acknowledges or resolves an alert."""
    return {"event_action": action, "dedup_key": str(key)}


def note(rules: PagerDuty, said: Told, *, propose: bool) -> str:
    """What is new on the timeline, as one note; "" where nothing of it matters there."""
    lines = [_text(wording.entry_words(entry)) for entry in wording.news(said, rules.notes)]
    if propose:
        lines.append(PROPOSAL)
    if said.state == "merged" and (into := said.incident.get("merged_into")):
        lines.append(f"It goes on in {_text(into)}.")
    return "\n".join([f"{NOTE_MARK} {said.revision}:", *lines])[:NOTE_CHARACTERS_MAX] if lines else ""


PROPOSAL: Final = "All alerts are clear. Resolve it if the work is done."
"""What is said where everything is clear while a person still works on it there."""


def _details(said: Told, calls: Iterable[Call], proposal: str) -> dict[str, Any]:
    """What whoever is paged has to know, and no more: people read it at night."""
    incident = said.incident
    found = {
        "incident": _text(incident.get("id")),
        "state": _text(wording.state_words(said)),
        "priority": _text(incident.get("priority")),
        "because": _texts(incident, "priority_because"),
        "affected": _text(incident.get("who_is_affected")),
        "symptoms": _texts(incident, "symptoms"),
        "suspects": [_text(each) for each in wording.suspects(incident)],
        "services": [_short(each) for each in _list(incident, "services")[:LIST_ITEMS_MAX]],
        "owner": _text(incident.get("owner")),
        "regulatory": _texts(incident, "regulatory"),
        "bridge": _text(incident.get("bridge_id")),
        "members": [_text(each) for each in _list(incident, "members")[:MEMBERS_MAX]],
        "members_total": len(_list(incident, "members")),
        "workaround": _text(incident.get("workaround")),
        "calls": [
            {"person": _text(call.person), "because": _text(wording.because(call)), "key": call.key}
            for call in list(calls)[:MEMBERS_MAX]
        ],
        "proposal": proposal,
    }
    return {name: value for name, value in found.items() if value}


def _links(incident: dict[str, Any]) -> list[dict[str, str]]:
    """The runbook and what hangs on the incident; only web addresses, as PagerDuty shows them to be clicked."""
    found = [("Runbook", incident.get("runbook"))]
    for each in _list(incident, "links"):
        if isinstance(each, dict):
            found.append((f"{_text(each.get('kind'))} {_text(each.get('id'))}".strip(), each.get("url")))
    return [
        {"href": address, "text": text[:TEXT_CHARACTERS_MAX]}
        for text, address in found
        if isinstance(address, str) and len(address) <= TEXT_CHARACTERS_MAX and _ADDRESS.fullmatch(address)
    ][:LINKS_MAX]


def _fitted(event: dict[str, Any]) -> dict[str, Any]:
    """The event, without its largest details where it is too large for PagerDuty."""
    details = event["payload"].get("custom_details", {})
    while len(orjson.dumps(event)) > EVENT_BYTES_MAX - TEXT_CHARACTERS_MAX and details:  # the routing key needs room
        del details[max(details, key=lambda name: len(orjson.dumps(details[name])))]
    return event


def _list(incident: dict[str, Any], name: str) -> list[Any]:
    found = incident.get(name)
    return found if isinstance(found, list) else []


def _texts(incident: dict[str, Any], name: str) -> list[str]:
    return [_text(each) for each in _list(incident, name)[:LIST_ITEMS_MAX]]


def _text(value: Any) -> str:
    return value[:TEXT_CHARACTERS_MAX] if isinstance(value, str) else ""


def _first(incident: dict[str, Any], name: str) -> str:
    found = _texts(incident, name)
    return _short(found[0]) if found else ""


def _short(ref: Any) -> str:
    """The name in a catalogue reference: ``component:default/checkout`` is ``checkout``."""
    return _text(ref).rpartition("/")[2]
