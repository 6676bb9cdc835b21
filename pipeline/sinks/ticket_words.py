"""Words of a ticket: description, notes and public words, from what is told. Pure; each sink wraps and cuts them.

Every note ends with our mark, which names the incident and the revision, so that no reader takes our words for a
person's. Whether a note that may have been written was is seen by reading what is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from unicodedata import category

from pipeline.core.communication.templates import MESSAGE_CHARACTERS_MAX
from pipeline.core.draft import MACHINE
from pipeline.models.incident import IncidentState
from pipeline.sinks import wording
from pipeline.sinks.told import Told, Words

LISTED_MAX: Final = 10
"""Symptoms, services and reasons that a description lists: more is not read in a ticket."""

NOTE_CHARACTERS_MAX: Final = 4_000
"""One note: what a journal of ServiceNow takes, and more than anybody reads in one."""

COMPARED_CHARACTERS: Final = 150
"""Of a text, to know it again: with its time no two notes begin alike."""

ALL_CLEAR: Final = "All alerts are clear while somebody works on it here: resolve it, if it is over."

INTERNAL: Final = "internal"

# Our mark at the end of a note. Only the end counts: a person may quote a note of ours and write below it.
_MARK: Final = re.compile(r"\[Spillway ((?:INC|MI)-[A-Z0-9]{1,32})/(\d{1,9})\]", re.ASCII)
_MARKED: Final = re.compile(rf"{_MARK.pattern}\s*\Z", re.ASCII)


_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that make what follows read backwards: a title could say the opposite of what it holds."""

_MARK_CHARACTERS_MAX: Final = 200
"""What of a note is looked at for our mark."""


def mark(incident_id: str, revision: int) -> str:
    """Our mark of one revision."""
    return f"[Spillway {incident_id}/{revision}]"


def is_marked(text: str) -> bool:
    """Whether a note is ours by its end. Texts in markup have their brackets and hyphens escaped."""
    return _MARKED.search(text[-_MARK_CHARACTERS_MAX:].replace("\\", "")) is not None


def visible(text: str) -> str:
    """A text without what forms and XML refuse, or what turns the reading order round; lines and tabs stay."""
    return "".join(each for each in text if each in "\n\t" or not (category(each) == "Cc" or each in _TURNING))


def cut(text: str, characters_max: int) -> str:
    """A text that is no longer than that."""
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"


def marked(text: str, told: Told, incident_id: str, characters_max: int = NOTE_CHARACTERS_MAX) -> str:
    """A note with our mark at its end, however long the note is."""
    end = f"\n{mark(incident_id, told.revision)}"
    return cut(text, characters_max - len(end)) + end


def description(incident: Mapping[str, Any]) -> str:
    """What the ticket is about, for whoever opens it."""
    since = day_and_moment(incident.get("detected_at_ms") or incident.get("opened_at_ms"))
    named = {
        "Affected": incident.get("who_is_affected"),
        "Since": since,
        "Priority": _priority(incident),
        "Service": wording.name_of(incident.get("service")),
        "Owner": incident.get("owner"),
        "Runbook": incident.get("runbook"),
        "Part of the Major Incident": incident.get("bridge_id"),
    }
    services = [wording.name_of(each) for each in incident.get("services") or ()]
    parts = [
        "\n".join(f"{name}: {' '.join(str(value).split())}" for name, value in named.items() if value),
        _listed("Symptoms", incident.get("symptoms")),
        _listed("Suspected", wording.suspects(incident)),
        _listed("Services", services if len(services) > 1 else ()),
        _listed("Members", incident.get("members")),
        f"Spillway incident {incident.get('id', '')}",
    ]
    return visible("\n\n".join(part for part in parts if part))


def notes(told: Told, which: str, *, propose: bool, public_audience: str) -> list[str]:
    """The new entries of the timeline that matter, as internal notes.

    Args:
        told: what is told.
        which: the sink's ``notes``: ``important``, ``all`` or ``none``.
        propose: say that all is clear.
        public_audience: a note to this one is public, and not repeated here.
    """
    lines = [
        _line(entry)
        for entry in wording.news(told, which)
        if not public_audience or _audience(entry) != public_audience
    ]
    return [text for each in [*lines, *([ALL_CLEAR] if propose else [])] if (text := visible(each)).strip()]


def note(told: Told, which: str, *, propose: bool, public_audience: str) -> str:
    """`notes` as one text; "" where nothing of them matters."""
    return "\n".join(notes(told, which, propose=propose, public_audience=public_audience))


def public_words(told: Told, audience: str) -> list[str]:
    """What the affected users read: published messages to them, and notes that somebody wrote for them."""
    if not audience:
        return []
    messages = [visible(_message(each)) for each in told.messages if each.audience == audience]
    written = [
        visible(str(entry.get("text", ""))[:MESSAGE_CHARACTERS_MAX])
        for entry in told.entries
        if entry.get("action") == "note" and _audience(entry) == audience
    ]
    return [each for each in (*messages, *written) if each.strip()]


def unsaid(texts: Iterable[str], there: str, told: Told) -> list[str]:
    """Of new texts those that do not stand there yet.

    Only what our notes say counts that can have been written by an attempt of this delivery, by their marks: the same
    words may well be said again later. They are compared by how they begin, as a long note is cut at its end.

    Args:
        texts: what is to be said.
        there: all that stands there, ours with their marks.
        told: what is told.
    """
    first = min((int(each.get("revision", told.revision)) for each in told.entries), default=told.revision)
    flat, end = "", 0
    for found in _MARK.finditer(there):
        flat += f" {there[end : found.start()]}" if int(found[2]) >= first else ""
        end = found.end()
    flat = " ".join(flat.split())
    return [each for each in texts if " ".join(each.split())[:COMPARED_CHARACTERS] not in flat]


def closing(incident: Mapping[str, Any]) -> tuple[str, str]:
    """Resolution code here, and in words how it ended."""
    state, given = incident.get("state"), incident.get("resolution") or {}
    if state == IncidentState.MERGED:
        return "duplicate", f"Merged into {incident.get('merged_into')}."
    if state == IncidentState.CANCELLED:
        return str(given.get("code") or "false_alarm"), str(given.get("summary") or "It was no incident.")
    words = [str(given.get(name) or "") for name in ("summary", "cause", "fix", "workaround")]
    return str(given.get("code") or "cleared_by_itself"), visible("\n".join(filter(None, words))) or "All is clear."


def problem_ids(incident: Mapping[str, Any]) -> list[str]:
    """Problems that hang on the incident, the newest first."""
    found = [str(each.get("id")) for each in _dicts(incident.get("links")) if each.get("kind") == "problem"]
    return [each for each in reversed(found) if _PLAIN.fullmatch(each)]


# What may stand in a query: an id with other characters is none, and could say more than an id.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


def is_plain(text: str) -> bool:
    """Whether a text can stand in a query of any language."""
    return _PLAIN.fullmatch(text) is not None


def moment(at_ms: Any) -> str:
    """Hours and minutes of a moment, in UTC; "" where it is none."""
    if not isinstance(at_ms, int):
        return ""
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%H:%M} UTC"


def day_and_moment(at_ms: Any) -> str:
    """A moment with its day, in UTC; "" where it is none."""
    return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%Y-%m-%d %H:%M} UTC" if isinstance(at_ms, int) else ""


def _audience(entry: Mapping[str, Any]) -> str | None:
    audience = (entry.get("facts") or {}).get("audience")
    return audience if entry.get("action") == "note" and audience != INTERNAL else None


def _line(entry: Mapping[str, Any]) -> str:
    """An entry with its time: of people when they did it; ours when we did it, and not that of the alert behind it."""
    said_ms = None if entry.get("actor") in (None, "", MACHINE) else entry.get("event_at_ms")
    return f"{moment(said_ms or entry.get('at_ms'))} {wording.entry_words(entry)}".strip()


def _message(words: Words) -> str:
    return f"{words.subject}\n\n{words.text}" if words.subject else words.text


def _listed(title: str, items: Any) -> str:
    texts = [str(each) for each in items or () if each][:LISTED_MAX]
    return "\n".join([f"{title}:", *(f"- {' '.join(each.split())}" for each in texts)]) if texts else ""


def _priority(incident: Mapping[str, Any]) -> str:
    because = "; ".join(map(str, incident.get("priority_because") or ()))
    return ": ".join(filter(None, (str(incident.get("priority") or ""), because)))


def _dicts(items: Any) -> Iterable[dict[str, Any]]:
    return [each for each in items or () if isinstance(each, dict)]
