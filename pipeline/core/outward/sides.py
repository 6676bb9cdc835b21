"""Both sides of an incident: how it stands here, and what is known of who changed what here and there.

Ours is the one record that both agree on: what is taken from there becomes a command, and its answer is the next
revision. Until then the field is left alone there (`Yield`), or their change would be overwritten by what it changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.core.draft import MACHINE
from pipeline.core.outward.incident_event import IncidentEvent
from pipeline.models.remote import STATES, RemoteState

FIELDS: Final = ("state", "priority", "assignee", "title")
"""What both sides write of a record."""

ANSWER_MINUTES_MAX: Final = 60
"""So long a command may be without an answer; after it the field is as if it had been refused. Correlate answers within
seconds, and what it holds back for an hour is no answer to anybody."""

UPDATES_REMEMBERED_MAX: Final = 100
"""Ids of updates: a downstream repeats a webhook for hours at most, and a record rarely changes so often."""

NOTES_REMEMBERED_MAX: Final = 200
"""Ids of notes: a poll may bring all notes of a record again."""

WRITTEN_REMEMBERED_MAX: Final = 5
"""Values of a field written before the last: webhooks about them may come late, and are no change by anybody."""

ASKED_REMEMBERED_MAX: Final = 20
"""Values that a field had during one attempt. The first of them are kept: the attempt under way knows one of these."""

MINUTE_MS: Final = 60_000


@dataclass(slots=True)
class Yield:
    """A field that is left as it is there. ``commands``: whose answer decides; none: until ours becomes another."""

    commands: list[str]
    ours: str
    since_ms: int

    @property
    def until_ms(self) -> int | None:
        """When it is over without an answer; None: none is waited for."""
        return self.since_ms + ANSWER_MINUTES_MAX * MINUTE_MS if self.commands else None


@dataclass(slots=True)
class Ours:
    """Who changed a field here last. ``action``: of its timeline entry."""

    at_ms: int
    person: bool
    action: str


@dataclass(slots=True, kw_only=True)
class Sides:
    """What both sides did. Times of theirs are by their clock, of which the future is not believed.

    Attributes:
        facts: of the newest snapshot: ``state``, ``space``, ``kind``, ``rank``, ``resolved_by``, ``reopened``.
        desired: field -> value that the record there should have, in our words.
        ours: field -> its last change here.
        heard_ms: field -> when it was last heard of, by their clock.
        heard_version: field -> number of the change that it was last heard of with, where they are counted there.
        said_ms: field whose value there was heard of, not written since -> when that was, by their clock as it is.
        heard_in: field -> the outbox's turn in which that was.
        written_ms: field -> when it was last written by us.
        wrote: field -> values written before, the newest last.
        edited: field -> value that a person gave it there, where ours ends with that (`until_edited`).
        yields: fields that are left alone.
        asked: field -> what an attempt may have written that is not known to have, or that has not arrived yet.
        written_back: field -> when ours was written back unasked, within the last hour.
        contested: field -> our value that is written back no more.
        person_there: a person works on it there.
        proposed: after how many reopenings it was proposed there that it be resolved; None: never.
        updates, notes: ids that came from there.
        taken: author and time of what was taken: its entries on the timeline are no news there.
        links: kind and id of records that hang on it there -> state.
        linked: state that our own link says; None: there is none yet.
        links_told: how often a link was asked for.
        calls: keys of calls told.
        streams: stream of messages -> number of the newest told.
        remade_ms: when it was made again because it was gone.
        gone: ids of records that are gone.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    desired: dict[str, str] = field(default_factory=dict)
    ours: dict[str, Ours] = field(default_factory=dict)
    heard_ms: dict[str, int] = field(default_factory=dict)
    heard_version: dict[str, int] = field(default_factory=dict)
    said_ms: dict[str, int] = field(default_factory=dict)
    heard_in: dict[str, int] = field(default_factory=dict)
    written_ms: dict[str, int] = field(default_factory=dict)
    wrote: dict[str, list[str]] = field(default_factory=dict)
    edited: dict[str, str] = field(default_factory=dict)
    yields: dict[str, Yield] = field(default_factory=dict)
    asked: dict[str, list[str]] = field(default_factory=dict)
    written_back: dict[str, list[int]] = field(default_factory=dict)
    contested: dict[str, str] = field(default_factory=dict)
    person_there: bool = False
    proposed: int | None = None
    updates: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    linked: str | None = None
    links_told: int = 0
    calls: list[str] = field(default_factory=list)
    streams: dict[str, int] = field(default_factory=dict)
    remade_ms: list[int] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """State of the incident; "" where an older release wrote what is known."""
        return str(self.facts.get("state", ""))

    @property
    def final(self) -> bool:
        """Whether the incident has said its last word."""
        return self.state in FINAL_STATES

    def add(self, event: IncidentEvent) -> None:
        """Take a revision in: what it makes of the record there, who changed it, and which commands it answers."""
        incident = event.incident
        self.facts = facts_of(incident)
        self.desired = desired_of(incident)
        for entry in event.entries:
            changed = entry.get("changed")
            if not isinstance(changed, dict):
                continue
            for name in FIELDS:
                if name in changed:
                    at_ms = entry.get("event_at_ms") or entry.get("at_ms") or event.at_ms
                    person = entry.get("actor") != MACHINE
                    self.ours[name] = Ours(min(int(at_ms), event.at_ms), person, str(entry.get("action", "")))
        self._answered(set(incident.get("commands") or ()), event.at_ms)
        self.contested = {name: value for name, value in self.contested.items() if self.desired.get(name) == value}

    def forget_record(self) -> None:
        """The record there is gone: what was known of its fields says nothing of the next one."""
        self.heard_in, self.said_ms, self.heard_version = {}, {}, {}
        self.heard_ms, self.written_ms, self.wrote, self.asked, self.edited = {}, {}, {}, {}, {}
        self.yields, self.contested, self.written_back = {}, {}, {}
        self.person_there, self.proposed, self.linked = False, None, None

    def let_be(self, name: str, commands: list[str], now_ms: int) -> None:
        """Leave a field as it is there: until the commands are answered, or until ours is another."""
        self.yields[name] = Yield(commands, self.desired.get(name, ""), now_ms)

    def told_there(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry is what somebody did there, and no refusal of it."""
        mark = taken_mark(str(entry.get("actor", "")), entry.get("event_at_ms") or 0)
        return mark in self.taken and not str(entry.get("action", "")).startswith("refused_")

    def expire(self, now_ms: int) -> None:
        """Fields whose commands are without an answer for too long are left alone no more."""
        self.yields = {
            name: each for name, each in self.yields.items() if each.until_ms is None or each.until_ms > now_ms
        }

    @property
    def expires_ms(self) -> int | None:
        """When the next one is; None: none waits for an answer."""
        return min((each.until_ms for each in self.yields.values() if each.until_ms is not None), default=None)

    def doubt(self, asked: Mapping[str, str]) -> None:
        """Remember what an attempt may be writing, or may have written where its outcome was lost."""
        for name, value in asked.items():
            known = self.asked.get(name, [])
            if value not in known:
                self.asked[name] = [*known, value][:ASKED_REMEMBERED_MAX]

    def trust(self, written: Mapping[str, str] | None) -> None:
        """Forget that again of the fields that an attempt has written since; None: it is not said which."""
        self.asked = {
            name: values for name, values in self.asked.items() if written is not None and name not in written
        }

    def _answered(self, commands: set[str], now_ms: int) -> None:
        for name, each in list(self.yields.items()):
            if each.until_ms is not None:
                over = now_ms >= each.until_ms or all(command in commands for command in each.commands)
            else:
                over = self.desired.get(name, "") != each.ours
            if over or self.final:
                del self.yields[name]


FINAL_STATES: Final = ("closed", "merged", "cancelled")
"""States after which an incident says nothing more."""


def facts_of(incident: Mapping[str, Any]) -> dict[str, Any]:
    """What of a snapshot decides about both sides."""
    rank = incident.get("priority_rank")
    resolution = incident.get("resolution")
    return {
        "state": str(incident.get("state", "")),
        "space": str(incident.get("space", "")),
        "kind": str(incident.get("kind", "incident")),
        "rank": rank if isinstance(rank, int) else None,
        "resolved_by": resolution.get("by") if isinstance(resolution, dict) else None,
        "reopened": incident.get("reopened") or 0,
    }


def desired_of(incident: Mapping[str, Any]) -> dict[str, str]:
    """The fields that the record of a snapshot should have, in our words; ``assignee`` is "" where nobody has it."""
    desired = {"state": str(STATES.get(str(incident.get("state")), RemoteState.OPEN))}
    desired |= {name: str(incident[name]) for name in ("priority", "title") if incident.get(name)}
    return desired | {"assignee": str(incident.get("assignee") or "")}


def taken_mark(author: str, at_ms: int) -> str:
    """What an entry on the timeline is known by that came from there."""
    return f"{at_ms}/{author}"
