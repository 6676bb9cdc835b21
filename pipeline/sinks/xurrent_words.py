"""What Xurrent is told: fields of requests and texts of notes, made from a snapshot. Pure.

Names of fields and their values: see `pipeline.models.sinks.xurrent`. A reference is written as ``<field>_id``; the
Events API also takes names, as ``<field>``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pipeline.core.draft import MACHINE
from pipeline.models.remote import ENDED, Remote, RemoteState
from pipeline.models.sinks.ticketing import of_service
from pipeline.models.sinks.xurrent import DOWNTIME_IMPACTS, Xurrent, subject
from pipeline.sinks import ticket_words
from pipeline.sinks.mapping import render
from pipeline.sinks.told import Told

NOTE_CHARACTERS_MAX: Final = 60_000
"""Far below what a text field holds; what is longer is read in the incident itself."""

OVER: Final = frozenset({"resolved", "closed", "merged", "cancelled"})

COMPLETED: Final[Mapping[str, str]] = {
    "solved": "This is solved.",
    "workaround": "A workaround is in place.",
    "gone": "It is over, and its cause was not found.",
    "duplicate": "It goes on in another request.",
}
"""What the requester reads at the end, by completion reason; Xurrent asks for a note there."""

COMPLETED_OTHERWISE: Final = "This is closed."
NEED_A_MEMBER: Final = frozenset({"accepted", "in_progress", "waiting_for", "completed"})
"""Statuses that say that somebody has it."""

_MENTION: Final = re.compile(r"@(?=\w)")
_LINK: Final = re.compile(r"\](?=\()")
_BREAK: Final = "\u200b"


def created(rules: Xurrent, said: Told) -> dict[str, Any]:
    """The fields of a new request."""
    incident = said.incident
    impact = rules.impact(_text(incident, "priority"), incident.get("priority_rank"))
    fields: dict[str, Any] = {
        **own_fields(rules, incident),
        "category": "incident",
        "subject": subject(_text(incident, "title")),
        "impact": impact,
        "source": rules.source,
        "sourceID": _text(incident, "id"),
        "internal_note": description(rules, said),
    }
    service = _text(incident, "service")
    fields |= _reference("service_instance", of_service(rules.service_instances, service) or rules.service_instance)
    fields |= _reference("ci", of_service(rules.configuration_items, service))
    fields |= _reference("team", rules.group_there(incident) or rules.team)
    if rules.downtime and impact in DOWNTIME_IMPACTS and (down := incident.get("detected_at_ms")):
        fields["downtime_start_at"] = timestamp(down)
    if incident.get("kind") == "bridge" and rules.grouping:
        fields["grouping"] = "group"
    if major := major_status(rules, incident):
        fields["major_incident_status"] = major
    if problem := problem_of(incident):
        fields["problem_id"] = problem
    return fields


def patch(rules: Xurrent, said: Told, remote: Remote, wanted: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """What is to be written of a request; empty where nothing is.

    Args:
        rules: the configuration.
        said: what is told.
        remote: the request as it is known.
        wanted: of the fields that both sides write, ours that are not so there.
        now: what sleeps there counts from it.
    """
    fields: dict[str, Any] = {}
    incident = said.incident
    if "title" in wanted:
        fields["subject"] = subject(wanted["title"])
    if "priority" in wanted:
        impact = rules.impact(wanted["priority"], incident.get("priority_rank"))
        if impact != remote.extra.get("impact"):
            fields["impact"] = impact
    if "assignee" in wanted:
        fields |= _member(rules, wanted["assignee"], remote)
    if "state" in wanted:
        fields |= _status(rules, said, RemoteState(wanted["state"]), now)
        has_member = remote.extra.get("member") or fields.get("member_id")
        if fields["status"] in NEED_A_MEMBER and not has_member and rules.member:
            fields["member_id"] = rules.member
    if incident.get("kind") == "bridge" and rules.grouping and remote.extra.get("grouping") == "none":
        fields["grouping"] = "group"
    problem = problem_of(incident)
    if problem and problem != remote.extra.get("problem"):
        fields["problem_id"] = problem
    major = major_status(rules, incident)
    if major and major != remote.extra.get("major") and said.state not in OVER:
        fields["major_incident_status"] = major
    return fields


def _status(rules: Xurrent, said: Told, state: RemoteState, now: datetime) -> dict[str, Any]:
    status: str = rules.status(state)
    if state is RemoteState.WAITING and said.incident.get("waiting_for") == "customer" and status == "waiting_for":
        return {"status": "waiting_for_customer"}
    if status == "waiting_for":
        until = now.astimezone(UTC) + timedelta(minutes=rules.waiting_minutes)
        return {"status": status, "waiting_until": f"{until:%Y-%m-%dT%H:%M:00Z}"}
    if state not in ENDED:
        return {"status": status}
    reason = completion_reason(rules, said)
    fields = {"status": status, "completion_reason": reason, "note": COMPLETED.get(reason, COMPLETED_OTHERWISE)}
    over_ms = said.incident.get("resolved_at_ms")
    impact = rules.impact(_text(said.incident, "priority"), said.incident.get("priority_rank"))
    if rules.downtime and over_ms and impact in DOWNTIME_IMPACTS:
        fields["downtime_end_at"] = timestamp(over_ms)
    return fields


def completion_reason(rules: Xurrent, said: Told) -> str:
    """Why it is completed."""
    incident = said.incident
    given = incident.get("resolution")
    if said.state == "resolved" and not (isinstance(given, dict) and given.get("code")) and incident.get("workaround"):
        return rules.reason("workaround")
    code, _ = ticket_words.closing(incident)
    return rules.reason(code)


def major_status(rules: Xurrent, incident: Mapping[str, Any]) -> str:
    """What a bridge incident says in the process of Major Incidents there; "" where it says nothing."""
    major = incident.get("major")
    if rules.major_incidents == "none" or incident.get("kind") != "bridge" or not isinstance(major, dict):
        return ""
    phase = _text(major, "phase")
    if phase == "declared":
        by_person = _text(major, "by") not in ("", MACHINE)
        return "accepted" if by_person or rules.major_incidents == "accept" else "proposed"
    return {"proposed": "proposed", "rejected": "rejected"}.get(phase, "canceled")


def problem_of(incident: Mapping[str, Any]) -> int | None:
    """The problem there that hangs on the incident, by its number."""
    return next((int(each) for each in ticket_words.problem_ids(incident) if each.isdecimal()), None)


def own_fields(rules: Xurrent, incident: Mapping[str, Any]) -> dict[str, Any]:
    """Own fields, by template; those named ``custom_fields.<id>`` are of the account's forms."""
    found: dict[str, Any] = {}
    custom = []
    for name, template in rules.fields.items():
        value = render(template, incident)
        head, _, identity = name.partition(".")
        if head == "custom_fields" and identity:
            custom.append({"id": identity, "value": value})
        elif value:
            found[name] = value
    return found | ({"custom_fields": custom} if custom else {})


# -- notes


def description(rules: Xurrent, said: Told) -> str:
    """What an agent has to know who opens the request, and what was noted until then."""
    entries = ticket_words.note(said, rules.notes, propose=False, public_audience=rules.public_audience)
    return _marked("\n\n".join(filter(None, [ticket_words.description(said.incident), entries])), said)


def note(rules: Xurrent, said: Told, *, propose: bool, into: str = "") -> str:
    """What is new on the timeline, as one internal note; "" where nothing of it matters there.

    Args:
        rules: the configuration.
        said: what is told.
        propose: say that it could be completed.
        into: address of the request that it goes on in, where it was merged.
    """
    lines = [ticket_words.note(said, rules.notes, propose=propose, public_audience=rules.public_audience)]
    if said.change in ("resolved", "closed", "merged", "cancelled"):
        ending = ticket_words.closing(said.incident)[1].split("\n")
        lines += [each for each in ending if each not in lines[0]]
        lines.append(into)
    text = "\n".join(filter(None, lines))
    return _marked(text, said) if text else ""


def public_notes(rules: Xurrent, said: Told) -> list[str]:
    """What whoever requested it reads."""
    return [plain(each)[:NOTE_CHARACTERS_MAX] for each in ticket_words.public_words(said, rules.public_audience)]


def note_mark(said: Told) -> str:
    """What an internal note about a revision ends in."""
    return ticket_words.mark(_text(said.incident, "id"), said.revision)


def _marked(text: str, said: Told) -> str:
    return ticket_words.marked(plain(text), said, _text(said.incident, "id"), NOTE_CHARACTERS_MAX)


def plain(text: str) -> str:
    """Words of others as Xurrent shows them: no mention, and no link that is not the address it shows."""
    return _LINK.sub("]" + _BREAK, _MENTION.sub("@" + _BREAK, ticket_words.visible(text)))


def timestamp(time_ms: int) -> str:
    """As Xurrent writes moments."""
    return f"{datetime.fromtimestamp(time_ms // 1_000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _member(rules: Xurrent, assignee: str, remote: Remote) -> dict[str, Any]:
    """Who has it, if they are known there."""
    if not assignee:
        return {"member_id": None} if remote.extra.get("member") else {}
    there = rules.person_there(assignee)
    if there is None or not there.isdecimal():
        return {}
    return {"member_id": int(there)} if int(there) != remote.extra.get("member") else {}


def _reference(field: str, name: str | None) -> dict[str, Any]:
    if not name:
        return {}
    return {f"{field}_id": int(name)} if name.isdecimal() else {field: name}


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""
