"""Calls and messages that a body carries beside the timeline: never left out, and each once in an outbox.

A sink that hears of an incident late is told the messages that were published so far, since they stand, and of the
calls those of the newest step, while nobody has answered: earlier ones rang long ago.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pipeline.core.draft import MACHINE
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.core.practice.lifecycle import UNANSWERED_STATES

CALLS_REMEMBERED_MAX: Final = 200
"""Keys of calls that an outbox remembers: as many as an incident has on its record."""

PUBLISHED: Final = "published"

Item = dict[str, Any]


class Carried(NamedTuple):
    """What is new for a sink: ``calls`` and ``messages``, as `pipeline.sinks.told` reads them."""

    calls: list[Item]
    messages: list[Item]


NONE: Final = Carried([], [])


def carried(event: IncidentEvent, calls: list[str], streams: dict[str, int], *, late: bool) -> Carried:
    """What an event brings that an outbox has not told yet; notes that it will be told.

    Args:
        event: the revision.
        calls: keys of the newest calls told.
        streams: audience and page -> number of its newest message told.
        late: it is the first that the sink hears, and not the first of the incident.
    """
    found_calls = [*(_calls_so_far(event) if late else ()), *_calls(event)]
    found_messages = [*(messages_so_far(event.incident, event.revision) if late else ()), *_messages(event)]
    new_calls = []
    for call in found_calls:
        if call["key"] not in calls:
            calls.append(call["key"])
            new_calls.append(call)
    del calls[:-CALLS_REMEMBERED_MAX]
    new_messages = []
    for message in found_messages:
        stream = f"{message['audience']}\x1f{message['page']}"
        if message["number"] > streams.get(stream, 0):
            streams[stream] = message["number"]
            new_messages.append(message)
    return Carried(new_calls, new_messages)


def messages_so_far(incident: dict[str, Any], revision: int) -> list[Item]:
    """The published messages on the record of an incident."""
    found = incident.get("communications") or ()
    return [
        _message(
            each,
            str(each.get("text", "")),
            int(each.get("at_ms") or 0),
            revision,
            each.get("approved_by") or each.get("by"),
        )
        for each in found
        if isinstance(each, dict) and each.get("status") == PUBLISHED and isinstance(each.get("number"), int)
    ]


def _messages(event: IncidentEvent) -> list[Item]:
    found = []
    for entry in event.entries:
        facts = entry.get("facts") or {}
        if entry.get("action") != "communication" or facts.get("status") != PUBLISHED:
            continue
        if isinstance(facts.get("number"), int):
            at_ms = int(entry.get("at_ms") or event.at_ms)
            found.append(_message(facts, str(facts.get("message", "")), at_ms, event.revision, entry.get("actor")))
    return found


def _message(said: dict[str, Any], text: str, at_ms: int, revision: int, by: Any) -> Item:
    """A message. ``by``: who published it; what a person published somebody answers for."""
    return {
        "number": said["number"],
        "audience": str(said.get("audience", "")),
        "page": str(said.get("page", "")),
        "state": str(said.get("state", "")),
        "subject": str(said.get("subject", "")),
        "text": text,
        "at_ms": at_ms,
        "next_update_ms": said.get("next_update_ms"),
        "approved_by": by if isinstance(by, str) and by != MACHINE else "",
        "revision": revision,
    }


def _calls(event: IncidentEvent) -> list[Item]:
    reasons = {(each.get("step"), each.get("person")): each.get("because") for each in _paged(event.incident)}
    found = []
    for entry in event.entries:
        facts = entry.get("facts") or {}
        if entry.get("action") == "page" and facts.get("person") and facts.get("step"):
            because = reasons.get((facts["step"], facts["person"])) or entry.get("text", "")
            found.append(_call(facts, str(because), event.revision))
    return found


def _calls_so_far(event: IncidentEvent) -> list[Item]:
    if event.incident.get("state") not in UNANSWERED_STATES:
        return []
    paged = _paged(event.incident)
    step = paged[-1].get("step") if paged else None
    newest = [each for each in paged if step and each.get("step") == step and each.get("person")]
    return [_call(each, str(each.get("because", "")), event.revision) for each in newest]


def _paged(incident: dict[str, Any]) -> list[Item]:
    escalation = incident.get("escalation")
    paged = escalation.get("paged") if isinstance(escalation, dict) else None
    return [each for each in paged if isinstance(each, dict)] if isinstance(paged, list) else []


def _call(facts: dict[str, Any], because: str, revision: int) -> Item:
    return {
        "key": f"{facts['step']}/{facts['person']}",
        "person": str(facts["person"]),
        "because": because,
        "runbook": facts.get("runbook"),
        "service": facts.get("service") or "",
        "revision": revision,
    }
