"""Waiting for somebody outside, and the workaround: handlers, and what they mean for the incident.

Several may be waited for at a time, a network vendor's ticket beside a provider's case. The state is about the one
that was named last. When it answers the state is about the one before, and work goes on when nobody is left.
"""

from __future__ import annotations

from typing import Final

from pipeline.core.communication import communicate
from pipeline.core.draft import Draft
from pipeline.core.practice import actions, response
from pipeline.core.practice.desk import MACHINE, Desk
from pipeline.core.practice.handlers import Handlers, needs, refuse, said
from pipeline.core.practice.lifecycle import OPEN_STATES, WAITING_STATES, Step, advance
from pipeline.models.command import Command, CommandType, Link
from pipeline.models.incident import Incident, IncidentChange, IncidentState
from pipeline.models.incident_parts import Waiting

WAITS_MAX: Final = 10
"""Parties that one incident waits for at a time: more than any has, and bounds the record."""

ANSWERED: Final = frozenset({"answered", "resolved", "solved", "closed", "completed", "done", "pending_customer"})
"""States of a case or ticket elsewhere after which the ball is with us again, as the usual desks spell them."""

_STEP: Final = {
    "customer": Step.WAIT_FOR_CUSTOMER,
    "vendor": Step.WAIT_FOR_VENDOR,
    "provider": Step.WAIT_FOR_PROVIDER,
}


def _wait(desk: Desk, draft: Draft, command: Command) -> None:
    if not needs(draft, command, "waiting_for") or command.waiting_for is None:
        return
    incident, kind = draft.incident, command.waiting_for.value
    wait = Waiting(kind=kind, since_ms=draft.now_ms, by=command.actor)
    if command.link is not None:
        wait.link_kind, wait.id, wait.state = command.link.kind, command.link.id, command.link.state
    known = _same(incident, wait)
    because = _cannot_wait(incident, wait, known)
    if because is not None:
        refuse(draft, command, because)
        return
    if known is None:
        incident.waiting.append(wait)
    else:  # the one that was named last
        incident.waiting.remove(known)
        incident.waiting.append(known)
    text = f"{command.actor} waits for the {_named(wait)}{said(command)}"
    if incident.state == f"waiting_{kind}":
        draft.note(_STEP[kind], command.actor, text, IncidentChange.UPDATED)
    else:
        desk.step(draft, _STEP[kind], command.actor, text)
        response.answered(draft)
    if command.link is not None:
        response.link(desk, draft, command.actor, command.link)


def _cannot_wait(incident: Incident, wait: Waiting, known: Waiting | None) -> str | None:
    """Why nobody can wait so; None: somebody can."""
    if incident.state not in OPEN_STATES or (
        incident.state != f"waiting_{wait.kind}" and advance(incident.state, _STEP[wait.kind]) is None
    ):
        return f"the incident is {incident.state}"
    if wait.id is not None and response.too_many_links(incident, wait.link_kind or "", wait.id):
        return f"the incident has {response.LINKS_MAX} links already"
    if wait.state is not None and is_answered(wait.state):
        return f"{wait.link_kind} {wait.id} is {wait.state}"
    if known is not None and incident.state == f"waiting_{wait.kind}" and known is incident.waiting[-1]:
        return f"it waits for the {_named(wait)} already"
    if known is None and len(incident.waiting) >= WAITS_MAX:
        return f"it waits for {WAITS_MAX} already"
    return None


def _same(incident: Incident, wait: Waiting) -> Waiting | None:
    asked = (wait.kind, wait.link_kind, wait.id)
    return next((each for each in incident.waiting if (each.kind, each.link_kind, each.id) == asked), None)


def _named(wait: Waiting) -> str:
    return f"{wait.kind}, {wait.link_kind} {wait.id}" if wait.id is not None else wait.kind


def is_answered(state: str) -> bool:
    """Whether a case or ticket in this state of another system waits for us, or for nobody."""
    return state.strip().lower().replace(" ", "_").replace("-", "_") in ANSWERED


def _resume(desk: Desk, draft: Draft, command: Command) -> None:
    incident = draft.incident
    if incident.state == IncidentState.MITIGATED and command.waiting_for is None and command.link is None:
        _not_held(desk, draft, command)
        return
    over = [each for each in incident.waiting if _is_meant(command, each)]
    if incident.state not in WAITING_STATES and not over:
        refuse(draft, command, f"the incident is {incident.state}, and waits for nobody")
    elif not over and incident.waiting:
        refuse(draft, command, "it does not wait for them")
    else:
        text = f"{command.actor} resumed{said(command)}"
        _go_on(desk, draft, over, command.actor, text)


def _is_meant(command: Command, wait: Waiting) -> bool:
    if command.waiting_for is not None and wait.kind != command.waiting_for:
        return False
    return command.link is None or (wait.link_kind, wait.id) == (command.link.kind, command.link.id)


def _go_on(desk: Desk, draft: Draft, over: list[Waiting], actor: str, text: str) -> None:
    """These are waited for no longer; the incident waits for the one before, or goes on."""
    incident = draft.incident
    incident.waiting = [each for each in incident.waiting if each not in over]
    names = "; ".join(f"the {_named(each)}" for each in over)
    text = f"{text}: no longer waits for {names}" if over else text
    if incident.state not in WAITING_STATES:
        draft.note("wait_over", actor, text, IncidentChange.UPDATED)
        return
    if not incident.waiting:
        step = Step.RESUME if incident.mitigated_at_ms is None else Step.MITIGATE
        desk.step(draft, step, actor, text)
        return
    then = incident.waiting[-1]
    text += f"; waits for the {_named(then)}"
    if incident.state == f"waiting_{then.kind}":
        draft.note("wait_over", actor, text, IncidentChange.UPDATED)
    else:
        desk.step(draft, _STEP[then.kind], actor, text)


def heard(desk: Desk, draft: Draft, link: Link) -> None:
    """A record elsewhere has news: where the incident waits for it and it is answered, it waits no longer."""
    incident = draft.incident
    news = [each for each in incident.waiting if (each.link_kind, each.id) == (link.kind, link.id)]
    if not news or link.state is None:
        return
    for each in news:
        each.state = link.state
    if is_answered(link.state):
        _go_on(desk, draft, news, MACHINE, f"{link.kind} {link.id} is {link.state}")


def _mitigate(desk: Desk, draft: Draft, command: Command) -> None:
    if not needs(draft, command, "workaround"):
        return
    incident, workaround = draft.incident, command.workaround or ""
    text = f"service restored by a workaround, {command.actor}: {workaround}{said(command)}"
    if not desk.step(draft, Step.MITIGATE, command.actor, text):
        return
    incident.mitigated_at_ms, incident.workaround = draft.now_ms, workaround
    response.answered(draft)
    owed = command.action.text if command.action is not None else None
    actions.owe(draft, command, owed or f"fix what the workaround stands in for: {workaround}")
    communicate.tell(desk, draft, "mitigated")


def _not_held(desk: Desk, draft: Draft, command: Command) -> None:
    """The workaround does not hold: the service is not restored, and the clock runs on."""
    text = f"the workaround does not hold, {command.actor} works on it{said(command)}"
    if desk.step(draft, Step.RESUME, command.actor, text):
        response.forget_workaround(draft)
        communicate.tell(desk, draft, "investigating")


HANDLERS: Final[Handlers] = {
    CommandType.WAIT: _wait,
    CommandType.RESUME: _resume,
    CommandType.MITIGATE: _mitigate,
}
"""Which handler has which command."""
