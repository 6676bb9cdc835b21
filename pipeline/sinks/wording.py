"""How what is told is worded, alike at every sink: names, states, suspects and news of the timeline. Pure.

Who reads it has been woken, or works in another product: names of services and not references of the catalogue, whole
words and not codes, and of the timeline what somebody has to know or do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipeline.core.draft import MACHINE
from pipeline.core.practice.lifecycle import UNANSWERED_STATES
from pipeline.models.incident import IncidentState
from pipeline.models.remote import RemoteState
from pipeline.sinks.told import IMPORTANT, Call, Told

SUSPECTS_SHOWN: Final = 3
"""What is probable; the others `spillway incident show` has."""

NOBODY: Final = "nobody has it yet"

_WAITING: Final[Mapping[str, str]] = {
    IncidentState.WAITING_CUSTOMER: "waiting for the customer",
    IncidentState.WAITING_VENDOR: "waiting for the vendor",
    IncidentState.WAITING_PROVIDER: "waiting for the provider",
}
_LINK_CHANGED: Final = tuple(f"({state})" for state in RemoteState if state != RemoteState.OPEN)
_LINKED: Final = "linked "
_KIND: Final = re.compile(
    r"\b(?:vendor_ticket|vendor_case|provider_case|provider_ticket|support_case|status_page|in_progress)\b"
)
"""Codes in sentences of the core."""

_LINKS_PLAIN: Final = ("linked chat ", "linked status_page ")
"""Of records whose ids say nothing to a reader."""

_AT_ONCE: Final = "opened"
"""Why the first level of an escalation path calls (`pipeline.core.escalation.escalate`)."""


def name_of(ref: Any) -> str:
    """The name in a reference of the catalogue: ``component:default/checkout`` is ``checkout``."""
    return ref.rpartition("/")[2] if isinstance(ref, str) else ""


def words_of(code: Any) -> str:
    """A code in words: ``cleared_by_itself`` is ``cleared by itself``."""
    return str(code).replace("_", " ")


def state_words(told: Told) -> str:
    """The state in words: also whether nobody has it, and into what it was merged."""
    incident, state = told.incident, told.state
    if state == IncidentState.MERGED and incident.get("merged_into"):
        return f"merged into {incident['merged_into']}"
    words = _WAITING.get(state) or words_of(state)
    waits = state in UNANSWERED_STATES and not incident.get("assignee")
    return f"{words}, {NOBODY}" if waits else words


def suspects(incident: Mapping[str, Any]) -> list[str]:
    """The likeliest causes, each with why. What is wrong itself explains nothing where nothing else is suspected."""
    found = incident.get("suspects")
    known = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    if [each.get("ref") for each in known] == [incident.get("service")]:
        return []
    return [_suspect(each) for each in known[:SUSPECTS_SHOWN]]


def news(told: Told, which: str, *, calls: bool = True) -> list[dict[str, Any]]:
    """The new entries of the timeline that are told.

    Args:
        told: what is told.
        which: the sink's ``notes``: ``important``, ``all`` or ``none``.
        calls: who is called is told by its entry; else by `Told.calls`.
    """
    opened_ms = {each.get("at_ms") for each in told.entries if each.get("action") == "log"}
    found = [] if which == "none" else told.entries
    if which != "all":
        found = [each for each in found if each.get("action") in IMPORTANT and not _is_known(each, opened_ms)]
        found = [each for each in found if not _is_in_another(each, found)]
    return [each for each in found if calls or each.get("action") != "page"]


def entry_words(entry: Mapping[str, Any]) -> str:
    """One entry, after who said it where that is a person whom its words do not name."""
    text, actor = str(entry.get("text", "")), str(entry.get("actor") or "")
    if entry.get("action") != "note":
        text = _KIND.sub(lambda found: words_of(found[0]), text)
    if entry.get("action") == "priority" and not text.startswith("priority"):
        text = f"priority: {text}"
    return text if actor in ("", MACHINE) or actor in text else f"{actor}: {text}"


def because(call: Call) -> str:
    """Why somebody is called. Of who is called at once the path says no more than that."""
    if call.because != _AT_ONCE:
        return call.because
    service = name_of(call.service)
    return f"first in line for {service}" if service else "first in line"


def closing_lines(incident: Mapping[str, Any]) -> Iterator[str]:
    """How it ended: the code in words, what was done, and why it happened."""
    known = incident.get("resolution")
    given = known if isinstance(known, dict) else {}
    yield from (words_of(given["code"]) for _ in range(1) if given.get("code"))
    yield from (str(given[name]) for name in ("summary", "cause") if given.get(name))


def _is_known(entry: Mapping[str, Any], opened_ms: set[Any]) -> bool:
    """Whether the record itself says so, as the reasons of its first priority; or how our other records stand."""
    action, own, text = entry.get("action"), entry.get("actor") == MACHINE, str(entry.get("text", ""))
    if action == "priority":
        return own and entry.get("at_ms") in opened_ms
    return action == "link" and own and (text.startswith(_LINKS_PLAIN) or text.endswith(_LINK_CHANGED))


def _is_in_another(entry: Mapping[str, Any], entries: list[dict[str, Any]]) -> bool:
    """Whether a link is named by another entry beside it: whoever waits for a case links it in the same breath."""
    text = str(entry.get("text", ""))
    if entry.get("action") != "link" or not text.startswith(_LINKED):
        return False
    named = text.removeprefix(_LINKED).partition(" (")[0]
    return any(named in str(each.get("text", "")) for each in entries if each.get("action") != "link")


def _suspect(suspect: Mapping[str, Any]) -> str:
    reasons = suspect.get("because")
    why = "; ".join(map(str, reasons)) if isinstance(reasons, list) else ""
    return ": ".join(filter(None, (name_of(suspect.get("ref")), why)))
