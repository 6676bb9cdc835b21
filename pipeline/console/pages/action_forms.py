"""The forms by which people ask for something: what each asks, and how what they fill in becomes a command's fields."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from pipeline.console.pages.offers import ASSIGN_ME
from pipeline.models.closure import CASES, USUAL_CODES, WORKAROUND_OR_FIX
from pipeline.models.command import CommandType as C
from pipeline.models.command import WaitingFor
from pipeline.models.communications import STATES
from pipeline.models.major import CoordinatedStatus
from pipeline.models.policy import DomainPolicy

RESOLUTION: Final = "resolution."

_NUMBER: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{0,20})?")


class Ask(NamedTuple):
    """One field of a form.

    Attributes:
        name: of the command's field; a dot leads into a part of it.
        kind: ``line``, ``area``, ``choice``, ``day``, ``number``, ``people``, ``episodes``, ``incidents`` or ``fixed``.
        options: of a choice: values and words.
    """

    name: str
    label: str
    kind: str = "line"
    help: str = ""
    required: bool = False
    options: tuple[tuple[str, str], ...] = ()


class Form(NamedTuple):
    """What is asked before something is asked for.

    Attributes:
        type: of the command.
        title: a heading.
        verb: on the button.
        lead: what it does, in a sentence.
        danger: it ends something.
    """

    type: str
    title: str
    verb: str
    lead: str
    asks: tuple[Ask, ...] = ()
    danger: bool = False


_NOTE: Final = Ask("note", "Note", "area", "Stays on the timeline; nobody outside reads it.")
_WHY: Final = Ask("reason", "Why", "area", required=True)
_AUDIENCES: Final = ("public", "affected_users", "executives", "responders")
_LINKS: Final = (
    ("provider_case", "provider's case"),
    ("vendor_ticket", "vendor's ticket"),
    ("problem", "problem"),
    ("change", "change"),
    ("chat", "chat"),
    ("document", "document"),
)
_SUMMARY: Final = Ask(RESOLUTION + "summary", "What was done", "area", "A sentence or two.", True)
_RESOLUTION: Final = (
    Ask(RESOLUTION + "code", "How it ended", "choice", required=True),
    _SUMMARY,
    Ask(RESOLUTION + "cause", "Why it happened", "area"),
    Ask(RESOLUTION + "fix", "Fix", "area", "What removed the cause."),
    Ask(RESOLUTION + "workaround", "Workaround", "area", "What restored service without it."),
    Ask(RESOLUTION + "corrective_action", "Corrective action", "area", "What will keep it from coming back."),
)


def _words(values: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((str(each), str(each).replace("_", " ")) for each in values)


_FORMS: Final = (
    Form(C.ACKNOWLEDGE, "Acknowledge", "Acknowledge", "You have it: calls stop, the response clock is met.", (_NOTE,)),
    Form(C.START, "Start work", "Start work", "You have it and work on it.", (_NOTE,)),
    Form(ASSIGN_ME, "Assign to me", "Assign to me", "It is yours; acknowledge it to stop the calls."),
    Form(C.ASSIGN, "Assign", "Assign", "Who has it.", (Ask("assignee", "Person or team", "people", required=True),)),
    Form(
        C.NOTE,
        "Note",
        "Write it down",
        "Words for the timeline.",
        (Ask("note", "Note", "area", "Only people with access here read it.", required=True),),
    ),
    Form(C.ESCALATE, "Escalate", "Escalate now", "The next level of the escalation path is called now.", (_WHY,)),
    Form(
        C.WAIT,
        "Wait for somebody outside",
        "It waits",
        "Clocks pause where the policy says so.",
        (
            Ask("waiting_for", "For whom", "choice", required=True, options=_words(WaitingFor)),
            Ask("link.id", "Their case or ticket", help="Its number there, if there is one."),
            Ask("link.url", "Its address"),
            _NOTE,
        ),
    ),
    Form(C.RESUME, "Resume", "Resume", "It waits no longer, or the workaround does not hold.", (_NOTE,)),
    Form(
        C.MITIGATE,
        "Mitigated",
        "It is mitigated",
        "A workaround restored the service; the repair is still to come.",
        (
            Ask("workaround", "Workaround", "area", required=True),
            Ask("action.text", "What is still to be done", "area"),
            Ask("action.owner", "By whom", "people"),
            Ask("action.due", "Until", "day"),
        ),
    ),
    Form(C.RESOLVE, "Resolve", "Resolve", "Service is restored. Tickets and cases elsewhere hear of it.", _RESOLUTION),
    Form(C.CLOSE, "Close", "Close", "The record is complete; nothing changes it any more.", _RESOLUTION),
    Form(C.REOPEN, "Reopen", "Reopen", "It is not over: somebody is called again.", (_WHY,)),
    Form(
        C.COMMUNICATE,
        "Tell people",
        "Tell them",
        "Without words of your own, the template of the state says the newest facts.",
        (
            Ask("audience", "Whom", "choice", required=True, options=_words(_AUDIENCES)),
            Ask("state", "Where it is for them", "choice", options=_words(STATES)),
            Ask("text", "Your own words", "area", "They read them as they are."),
        ),
    ),
    Form(
        C.LINK,
        "Link a record elsewhere",
        "Link",
        "A provider's case, a vendor's ticket, a chat.",
        (
            Ask("link.kind", "Kind", "choice", required=True, options=_LINKS),
            Ask("link.id", "Number or name", required=True),
            Ask("link.url", "Address"),
        ),
    ),
    Form(
        C.SET_PRIORITY,
        "Set priority",
        "Set priority",
        "Fixed by hand: the domain's matrix decides it no more.",
        (Ask("priority", "Priority", "choice", required=True), Ask("note", "Why", "area")),
    ),
    Form(
        C.CORRECT_IMPACT,
        "Correct impact",
        "Correct it",
        "What is estimated is replaced by what you know.",
        (
            Ask("users", "People affected", "number"),
            Ask("revenue_per_minute", "Money at stake a minute", "number"),
            _WHY,
        ),
    ),
    Form(
        C.MERGE,
        "Merge",
        "Merge",
        "This incident goes on in the other one, with all that is in it.",
        (Ask("into", "Into", "incidents", "The one that goes on; of the same space.", required=True),),
    ),
    Form(
        C.SPLIT,
        "Split",
        "Split",
        "What you choose goes on in an incident of its own.",
        (Ask("episodes", "Episodes to move", "episodes", required=True), Ask("note", "Why", "area")),
    ),
    Form(
        C.ADD_ACTION,
        "Add corrective action",
        "Add",
        "What keeps it from coming back.",
        (
            Ask("action.text", "What is to be done", "area", required=True),
            Ask("action.owner", "By whom", "people"),
            Ask("action.due", "Until", "day"),
        ),
    ),
    Form(
        C.COMPLETE_ACTION,
        "Corrective action is done",
        "It is done",
        "It is kept with who did it.",
        (Ask("action.id", "Action", "fixed", required=True),),
    ),
    Form(
        C.CLEAR_SUSPECT,
        "Not the cause",
        "It is not the cause",
        "Who was engaged for it is let go, and it is suspected no more.",
        (Ask("ref", "Suspect", "fixed", required=True), Ask("reason", "How you know", "area")),
    ),
    Form(
        C.FULFIL_DUTY,
        "Notice was given",
        "It was given",
        "The duty is met.",
        (
            Ask("duty", "Duty", "fixed", required=True),
            Ask("note", "How, and by whom", "area", required=True),
        ),
    ),
    Form(
        C.APPROVE_COMMUNICATION,
        "Approve the message",
        "Approve and publish",
        "It is published as it is.",
        (Ask("audience", "For", "fixed", required=True),),
    ),
    Form(
        C.DISCARD_COMMUNICATION,
        "Discard the message",
        "Discard",
        "The draft is not published.",
        (Ask("audience", "For", "fixed", required=True),),
    ),
    Form(C.DECLARE_MAJOR, "Declare a Major Incident", "Declare", "One commander, one status, one voice.", (_WHY,)),
    Form(
        C.CONFIRM_MAJOR,
        "Confirm the Major Incident",
        "Confirm",
        "It is declared; people are called.",
        (Ask("assignee", "Commander", "people", "Who leads the response."), _NOTE),
    ),
    Form(C.REJECT_MAJOR, "Reject the proposal", "Reject", "It is no Major Incident.", (_WHY,), danger=True),
    Form(C.DEMOTE_MAJOR, "Demote", "Demote", "It is no Major Incident; whoever was told is told so.", (_WHY,), True),
    Form(
        C.ASSIGN_COMMANDER,
        "Commander",
        "Make commander",
        "Who leads the response.",
        (Ask("assignee", "Person", "people", required=True),),
    ),
    Form(
        C.SET_STATUS,
        "Set status",
        "Set status",
        "Where the response is. It never goes back.",
        (Ask("status", "Status", "choice", required=True, options=_words(CoordinatedStatus)), _NOTE),
    ),
    Form(C.CANCEL, "Cancel", "Cancel the incident", "It was none: a false alarm, a test.", (_WHY,), danger=True),
)

FORMS: Final = {str(each.type): each for each in _FORMS}
"""Type -> its form. What is not here is not asked by a form."""


def form_for(type_: str, policy: DomainPolicy, snapshot: Mapping[str, Any]) -> Form:
    """The form of a type as an incident's pack wants it: its codes, its priorities, what it requires.

    Raises:
        KeyError: there is none.
    """
    form = FORMS[type_]
    if type_ == C.SET_PRIORITY:
        chosen = form.asks[0]._replace(options=tuple((each, each) for each in policy.priorities))
        return form._replace(asks=(chosen, *form.asks[1:]))
    if type_ not in (C.RESOLVE, C.CLOSE):
        return form
    required = policy.closure.of("require", str(snapshot.get("priority")))
    known = snapshot.get("resolution") or {}
    codes = tuple((policy.closure.codes or USUAL_CODES).items())
    asks = [_of_pack(each, required, codes, known, closing=type_ == C.CLOSE) for each in form.asks]
    lead = form.lead
    if WORKAROUND_OR_FIX in required:
        lead += " The policy asks for the workaround or the fix."
    if CASES in required:
        lead += " The policy asks for a link to every case that is owed."
    return form._replace(asks=tuple(asks), lead=lead)


def _of_pack(
    ask: Ask, required: Iterable[str], codes: tuple[tuple[str, str], ...], known: Mapping[str, Any], *, closing: bool
) -> Ask:
    name = ask.name.removeprefix(RESOLUTION)
    needed = (ask.required or name in required) and not (closing and known.get(name))
    return ask._replace(required=needed, options=codes if name == "code" else ask.options)


def fields_of(form: Form, given: Mapping[str, list[str]]) -> dict[str, Any]:
    """The fields of a command that somebody filled in; empty ones are left out, and those that no form of it asks."""
    fields: dict[str, Any] = {}
    for ask in form.asks:
        values = [each.strip() for each in given.get(ask.name, ()) if each.strip()]
        if values:
            place, name = fields, ask.name
            if "." in name:
                part, name = name.split(".", 1)
                place = fields.setdefault(part, {})
            place[name] = values if ask.kind == "episodes" else _typed(ask, values[0])
    _complete(form, fields)
    return fields


def _typed(ask: Ask, value: str) -> Any:
    """A number as one, where it is one; the command's own check says what is wrong with another."""
    plain = value.replace(",", "").replace(" ", "")
    if ask.kind == "number" and _NUMBER.fullmatch(plain):
        return float(plain) if "." in plain else int(plain)
    return value


def _complete(form: Form, fields: dict[str, Any]) -> None:
    if form.type == C.WAIT and "link" in fields:
        waits = fields.get("waiting_for")
        fields["link"]["kind"] = "provider_case" if waits == WaitingFor.PROVIDER else "vendor_ticket"
        if "id" not in fields["link"]:
            del fields["link"]
    if form.type in (C.RESOLVE, C.CLOSE) and not fields.get("resolution"):
        fields.pop("resolution", None)
