"""Duties: notices that a regulator or a customer is owed for an incident, with the moment by which they are due."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pipeline.core.communication import audiences
from pipeline.core.communication.audiences import MINUTE_MS
from pipeline.core.draft import Draft
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.core.practice.lifecycle import OPEN_STATES
from pipeline.models.communications import CommunicationDuty
from pipeline.models.incident import Incident, IncidentChange, IncidentKind
from pipeline.models.incident_parts import Duty

DUTIES_MAX: Final = 20
"""Notices that one incident owes: more than any law book has for one."""

WARN_SHARE: Final = 0.75
"""Share of its time after which a duty that is open is reminded of."""


def owe(desk: Desk, draft: Draft) -> None:
    """Note the notices that the incident owes by now. Called before each revision is written.

    The members of a bridge incident owe none: one notice is given, and the bridge incident owes it.
    """
    incident = draft.incident
    if incident.bridge_id is not None or incident.logged_at_ms is None or incident.state not in OPEN_STATES:
        if incident.bridge_id is not None and any(each.done_at_ms is None for each in incident.duties):
            _hand_over(draft)
        return
    known = {each.name for each in incident.duties}
    for policy in audiences.policies(desk, incident):
        for rule in policy.communication.duties:
            if rule.name not in known and len(known) < DUTIES_MAX and _applies(rule, incident):
                known.add(rule.name)
                _add(draft, rule)


def carry(loser: Incident, receiver: Draft) -> None:
    """Notices that a merged incident owes or gave are those of the one that goes on, due when they were due there.

    One notice is given of one failure: of two of a name the earlier moment holds, and what was given is given.
    """
    survivor = receiver.incident
    known = {each.name: each for each in survivor.duties}
    for each in loser.duties:
        own = known.get(each.name)
        if own is None and len(survivor.duties) < DUTIES_MAX:
            survivor.duties.append(replace(each))
            text = f"notice to {each.notify} ({each.name}) is owed here, as {loser.id} is part of it"
            receiver.note("duty", MACHINE, text, IncidentChange.UPDATED, duty=each.name, due_at_ms=each.due_at_ms)
        elif own is not None and own.done_at_ms is None and each.done_at_ms is not None:
            survivor.duties[survivor.duties.index(own)] = replace(each)
        elif own is not None and own.done_at_ms is None and each.due_at_ms < own.due_at_ms:
            own.due_at_ms, own.warn_at_ms, own.missed_at_ms = each.due_at_ms, each.warn_at_ms, each.missed_at_ms


def next_due_ms(incident: Incident) -> int | None:
    """When a duty is to be reminded of, or will have been missed."""
    dues: list[int | None] = []
    for each in incident.duties:
        if each.done_at_ms is None and each.missed_at_ms is None:
            dues += (each.warn_at_ms, each.due_at_ms)
    return min([due for due in dues if due is not None], default=None)


def closes_at_ms(incident: Incident, close_ms: int) -> int:
    """When a resolved incident closes by itself: not before each notice that it owes was given or was due."""
    open_ms = [each.due_at_ms for each in incident.duties if each.done_at_ms is None and each.missed_at_ms is None]
    return max([close_ms, *open_ms])


def on_due(draft: Draft) -> None:
    """Remind of what is due soon, once; say what was missed, once."""
    for duty in draft.incident.duties:
        if duty.done_at_ms is not None or duty.missed_at_ms is not None:
            continue
        what = f"notice to {duty.notify} ({duty.name})"
        if duty.due_at_ms <= draft.now_ms:
            duty.missed_at_ms, duty.warn_at_ms = duty.due_at_ms, None
            text = f"{what} was due and is not recorded as given"
            draft.note("duty_missed", MACHINE, text, IncidentChange.SLA_BREACHED, duty=duty.name)
        elif duty.warn_at_ms is not None and duty.warn_at_ms <= draft.now_ms:
            duty.warn_at_ms = None
            left = max(1, (duty.due_at_ms - draft.now_ms) // MINUTE_MS)
            text = f"{what} is due in {left:,} minute{'s' if left > 1 else ''}"
            draft.note("duty_warning", MACHINE, text, IncidentChange.SLA_WARNING, duty=duty.name)


def fulfil(draft: Draft, name: str, actor: str, how: str) -> bool:
    """A notice was given; False: the incident does not owe it, or it was given before."""
    for duty in draft.incident.duties:
        if duty.name == name and duty.done_at_ms is None:
            duty.done_at_ms, duty.done_by, duty.warn_at_ms = draft.now_ms, actor, None
            text = f"notice to {duty.notify} ({name}) was given: {how}"
            draft.note("duty_fulfilled", actor, text, IncidentChange.NOTED, duty=name)
            return True
    return False


def _applies(rule: CommunicationDuty, incident: Incident) -> bool:
    tagged = not rule.regulatory or any(tag in rule.regulatory for tag in incident.regulatory)
    return tagged and (not rule.priorities or incident.priority in rule.priorities)


def _add(draft: Draft, rule: CommunicationDuty) -> None:
    incident = draft.incident
    since_ms = incident.detected_at_ms
    if incident.kind == IncidentKind.BRIDGE:  # that it was declared later gives nobody more time
        since_ms = min(since_ms, incident.opened_at_ms or since_ms)
    span_ms = round(rule.within_minutes * MINUTE_MS)
    tags = [tag for tag in incident.regulatory if tag in rule.regulatory]
    because = f"regulated: {', '.join(tags)}" if tags else f"{incident.priority} in {incident.domain}"
    duty = Duty(
        name=rule.name,
        notify=rule.notify,
        due_at_ms=since_ms + span_ms,
        because=because,
        text=rule.text,
        warn_at_ms=since_ms + round(span_ms * WARN_SHARE),
    )
    incident.duties.append(duty)
    what = f": {rule.text}" if rule.text else ""
    text = f"owes {rule.notify} a notice within {rule.within_minutes:,.0f} minutes ({because}){what}"
    draft.note("duty", MACHINE, text, IncidentChange.UPDATED, duty=rule.name, due_at_ms=duty.due_at_ms)


def _hand_over(draft: Draft) -> None:
    incident = draft.incident
    names = ", ".join(each.name for each in incident.duties if each.done_at_ms is None)
    incident.duties = [each for each in incident.duties if each.done_at_ms is not None]
    draft.note("duty_moved", MACHINE, f"{names}: bridge incident {incident.bridge_id} owes it for all its members")
