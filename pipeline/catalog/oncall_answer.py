"""The answer to "who is on call for X at T, and what if nobody": people, why, until when, fall-backs, runbooks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.catalog.effective import Subject, effective, rotation_origin
from pipeline.catalog.lint_context import Context
from pipeline.core.escalation.oncall import OnCall, duty, why_nobody
from pipeline.core.escalation.oncall_schedule import Shift, held_until, next_change
from pipeline.core.escalation.oncall_turns import from_ms
from pipeline.models.oncall import Rotation


@dataclass(slots=True)
class Duty:
    """Who is on call in one rotation.

    Attributes:
        people: each with the moment until which the place is theirs, epoch milliseconds; None: over a year.
        nobody: why nobody is; "" where somebody is.
        following: the next change of the primary.
    """

    rotation: Rotation
    people: list[tuple[OnCall, int | None]] = field(default_factory=list)
    nobody: str = ""
    following: Shift | None = None

    def local(self, at_ms: int) -> str:
        """A moment in the rotation's own zone."""
        return f"{from_ms(at_ms).astimezone(ZoneInfo(self.rotation.timezone)):%a %Y-%m-%d %H:%M %Z}"


@dataclass(slots=True)
class Answer:
    """Who is called for a service, step by step.

    Attributes:
        ref: the entity that was asked for.
        answers: the entity whose people answer for it; itself, or the one service that needs it.
        origin: by what the rotation covers it, with the file and line.
        duties: of the rotation, then of its fall-backs.
        escalation: name of each level, such as `P1 after 5 min` -> whom it calls if nobody answers.
        runbooks: incident category, or `default` -> address.
    """

    ref: str
    title: str
    answers: str
    at_ms: int
    origin: str = ""
    duties: list[Duty] = field(default_factory=list)
    escalation: list[tuple[str, str]] = field(default_factory=list)
    runbooks: dict[str, str] = field(default_factory=dict)

    @property
    def reached(self) -> bool:
        """Whether anybody is on call."""
        return any(each.people for each in self.duties)


def answer(context: Context, ref: str, at_ms: int) -> Answer:
    """Who is on call for an entity at a moment, epoch milliseconds."""
    subject = Subject(context, ref)
    found = Answer(ref, subject.entity.title, subject.answers.ref, at_ms)
    rotation = context.oncall.rotation_of(subject.answers.ref)
    if rotation is not None:
        found.origin = rotation_origin(subject, rotation)
        found.duties = [_duty(each, at_ms) for each in context.oncall.chain(rotation)]
    sections = {section.title: section.facts for section in effective(context, ref, at_ms, {}).sections}
    for fact in sections.get("escalation", []):
        called = ", ".join(map(str, fact.value)) if isinstance(fact.value, list) else str(fact.value)
        found.escalation.append((fact.name, called))
    found.runbooks = {**subject.answers.runbooks, **subject.entity.runbooks}
    return found


def _duty(rotation: Rotation, at_ms: int) -> Duty:
    people = [(each, held_until(rotation, at_ms, each)) for each in duty(rotation, at_ms)]
    nobody = "" if people else why_nobody(rotation, at_ms)
    return Duty(rotation, people, nobody, next_change(rotation, at_ms))


def shift_document(shift: Shift) -> dict[str, Any]:
    """One shift for machines."""
    return {
        "from": f"{from_ms(shift.start_ms):%Y-%m-%dT%H:%M:%SZ}",
        "until": f"{from_ms(shift.end_ms):%Y-%m-%dT%H:%M:%SZ}",
        "people": [person_document(each) for each in shift.people],
    }


def person_document(each: OnCall) -> dict[str, Any]:
    """One person for machines."""
    return {
        "person": each.person,
        "position": each.position,
        "rotation": each.rotation,
        "layer": each.layer or None,
        "because": each.because,
    }
