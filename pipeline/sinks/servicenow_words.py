"""An incident in the words of ServiceNow: the fields of a record, from what is told. Pure.

Journals show what stands between ``[code]`` and ``[/code]`` as HTML (product documentation, "Use HTML in journal
fields"), so no text of ours may hold that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pipeline.core.identity import content_hash
from pipeline.models.command import WaitingFor
from pipeline.models.incident import IncidentState
from pipeline.models.mark import PRODUCT
from pipeline.models.remote import ENDED, STATES, Remote, RemoteState
from pipeline.models.sinks.servicenow import TITLE_CHARACTERS_MAX, ServiceNow
from pipeline.models.sinks.ticketing import of_service, one_line
from pipeline.sinks import ticket_words
from pipeline.sinks.mapping import render
from pipeline.sinks.servicenow_api import Row
from pipeline.sinks.told import Told

DESCRIPTION_CHARACTERS_MAX: Final = 4_000
"""Length of ``description`` and of ``close_notes``."""

FIELDS: Final = (
    "sys_id,number,state,priority,short_description,correlation_id,correlation_display,close_code,close_notes,"
    "sys_updated_on,sys_updated_by,sys_mod_count,assigned_to,assigned_to.user_name,assigned_to.name,"
    "parent_incident,parent_incident.correlation_id,problem_id,problem_id.number,problem_id.state,hold_reason"
)
"""What is asked of a record, those of referenced records with it."""

_HTML_IN_JOURNALS: Final = re.compile(r"\[(/?)code\]", re.IGNORECASE)
_WAITING: Final[Mapping[str, WaitingFor]] = {
    IncidentState.WAITING_CUSTOMER: WaitingFor.CUSTOMER,
    IncidentState.WAITING_VENDOR: WaitingFor.VENDOR,
    IncidentState.WAITING_PROVIDER: WaitingFor.PROVIDER,
}


def safe(text: str) -> str:
    """A text that a journal shows as it is."""
    return _HTML_IN_JOURNALS.sub(r"[\1 code]", text)


def opening(rules: ServiceNow, told: Told, incident_id: str, wanted: Mapping[str, str]) -> Row:
    """Fields of a new record. All that is shared is in it: a record has to begin somewhere."""
    incident = told.incident
    shared = {
        "state": str(STATES.get(told.state, RemoteState.OPEN)),
        "priority": str(incident.get("priority") or ""),
        "title": str(incident.get("title") or incident_id),
        **wanted,
    }
    return {
        "correlation_id": incident_id,
        "correlation_display": PRODUCT,
        "description": ticket_words.cut(ticket_words.description(incident), DESCRIPTION_CHARACTERS_MAX),
        **({"caller_id": rules.caller} if rules.caller else {}),
        **changes(rules, told, shared),
        **own_fields(rules, incident),
    }


def changes(rules: ServiceNow, told: Told, wanted: Mapping[str, str]) -> Row:
    """The shared fields that are to be written, with all that the instance asks for beside them."""
    values: Row = {}
    if title := wanted.get("title"):
        values["short_description"] = one_line(title, TITLE_CHARACTERS_MAX)
    if priority := wanted.get("priority"):
        grade = rules.grade(priority)
        values |= {"impact": str(grade.impact), "urgency": str(grade.urgency)}
    if "assignee" in wanted and (there := rules.person_there(wanted["assignee"])) is not None:
        values["assigned_to"] = there
    if state := wanted.get("state"):
        values |= state_fields(rules, told, RemoteState(state))
    return values


def state_fields(rules: ServiceNow, told: Told, state: RemoteState) -> Row:
    """A state, with the reason that it is on hold, or the code and words of its end."""
    cancelled = told.state == IncidentState.CANCELLED and state == RemoteState.CLOSED
    values = {"state": rules.cancelled_state if cancelled else rules.states[state]}
    if state == RemoteState.WAITING:
        waits_for = told.incident.get("waiting_for") or _WAITING.get(told.state, WaitingFor.VENDOR)
        values["hold_reason"] = rules.hold_reason(str(waits_for))
    if state in ENDED:
        values |= end_fields(rules, told)
    return values


def end_fields(rules: ServiceNow, told: Told) -> Row:
    """How it ended."""
    code, words = ticket_words.closing(told.incident)
    return {
        "close_code": rules.close_codes.get(code, rules.default_close_code),
        "close_notes": ticket_words.cut(words, DESCRIPTION_CHARACTERS_MAX),
    }


def own_fields(rules: ServiceNow, incident: Mapping[str, Any]) -> Row:
    """Team, configuration item, business service and the operator's own fields."""
    service = str(incident.get("service") or "")
    found = {
        "assignment_group": rules.group_there(incident),
        "cmdb_ci": of_service(rules.configuration_items, service),
        "business_service": of_service(rules.business_services, service),
        **{name: ticket_words.visible(render(text, incident)) for name, text in rules.fields.items()},
    }
    return {name: value for name, value in found.items() if value}


def fresh(values: Row, before: Mapping[str, str]) -> Row:
    """Of fields that nobody here reads back those whose value is another than the one last written.

    What a person put into them there stays, until there is something new to say.
    """
    return {name: value for name, value in values.items() if before.get(name) != digest(value)}


def digest(value: str) -> str:
    """What is remembered of a value."""
    return content_hash(value)[:12]


def journal(rules: ServiceNow, told: Told, incident_id: str, there: Row, *, propose: bool) -> Row:
    """Notes for whoever works on it, and words for whoever is affected; each ends with our mark.

    Args:
        rules: of the sink.
        told: what is told.
        incident_id: ours.
        there: what stands in the journals, by name, where something of it may have been written already.
        propose: say that all is clear.
    """
    audience = rules.public_audience
    notes = ticket_words.notes(told, rules.notes, propose=propose, public_audience=audience)
    texts = {"work_notes": (notes, "\n"), "comments": (ticket_words.public_words(told, audience), "\n\n")}
    found = {}
    for name, (each, between) in texts.items():
        new = ticket_words.unsaid(map(safe, each), there.get(name, ""), told)
        if new:
            found[name] = ticket_words.marked(between.join(new), told, incident_id)
    return found


def remote_of(rules: ServiceNow, record: Row, extra: Mapping[str, Any]) -> Remote:
    """A record of theirs as the ledger knows it."""
    sys_id, state = record.get("sys_id", ""), rules.read_state(record.get("state", ""))
    return Remote(
        id=sys_id,
        key=record.get("number", ""),
        url=f"{rules.url.rstrip('/')}/{rules.table}.do?sys_id={sys_id}",
        state=state,
        fields={name: value for name, value in fields_of(rules, record).items() if value},
        extra=dict(extra),
    )


def fields_of(rules: ServiceNow, record: Mapping[str, str]) -> dict[str, str]:
    """The shared fields of a record, in our words; "" where it says nothing."""
    names = (record.get(name, "") for name in ("assigned_to", "assigned_to.name", "assigned_to.user_name"))
    return {
        "state": rules.read_state(record.get("state", "")),
        "priority": rules.read_priority(record.get("priority", "")) or "",
        "title": one_line(record.get("short_description", ""), TITLE_CHARACTERS_MAX),
        "assignee": rules.person_here(*names),
    }
