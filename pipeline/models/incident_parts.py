"""Parts of an incident: timeline entries, suspects, tickets, clocks, pages, communications.

Incidents travel on our own topics only, so these are plain slotted dataclasses, as `pipeline.models.incident` says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class TimelineEntry:
    """One action on the record: when, what, by whom, in words; ``facts`` holds the same for machines.

    Attributes:
        at_ms: when it went on record: stream time.
        event_at_ms: when it happened, by the clock of whoever says so; None: then.
        changed: fields of the incident that it changed -> value before and after; None: none of `AUDITED`.
    """

    at_ms: int
    action: str
    actor: str
    text: str
    facts: dict[str, Any] = field(default_factory=dict)
    event_at_ms: int | None = None
    changed: dict[str, tuple[Any, Any]] | None = None


@dataclass(slots=True, kw_only=True)
class Suspect:
    """A probable cause, with the reasons in words.

    Attributes:
        ref: catalogue reference.
        score: relative weight; comparable within one incident only.
        change_id: the change on it that is suspected, if one is.
        evident: it is clear enough to be told and to call somebody for.
    """

    ref: str
    score: float
    because: list[str] = field(default_factory=list)
    change_id: str | None = None
    evident: bool = False


@dataclass(slots=True, kw_only=True)
class TicketLink:
    """A service-desk ticket of the incident and the state that we want it to be in."""

    id: str
    feed: str
    state: str
    summary: str
    episode_id: str


@dataclass(slots=True, kw_only=True)
class Waiting:
    """Somebody outside has the ball.

    Attributes:
        kind: whom the incident waits for: ``customer``, ``vendor``, ``provider``.
        since_ms: when somebody said so.
        by: who said so.
        link_kind: what ``id`` names, as on the incident's links: their case, their ticket.
        id: of that record; None: there is none.
        state: of that record there, as last heard; None: never.
    """

    kind: str
    since_ms: int
    by: str
    link_kind: str | None = None
    id: str | None = None
    state: str | None = None


@dataclass(slots=True, kw_only=True)
class CorrectiveAction:
    """What keeps it from coming back, or fixes what a workaround stands in for.

    Attributes:
        id: unique on the incident.
        text: what is to be done.
        owner: who does it; None: nobody said so.
        due_date: the day by which; None: none was agreed.
        state: ``open`` or ``done``.
        opened_by, opened_at_ms, done_by, done_at_ms: who and when.
    """

    id: str
    text: str
    opened_by: str
    opened_at_ms: int
    owner: str | None = None
    due_date: str | None = None
    state: str = "open"
    done_by: str | None = None
    done_at_ms: int | None = None


@dataclass(slots=True, kw_only=True)
class Page:
    """Somebody was called: who, for which service, why, and with which runbook.

    Attributes:
        target: the escalation target that led to the person: ``oncall``, ``dependency``, ``owner``...
        step: what the call is a part of; the step and the person together are the call's idempotency key. Empty on
            records of releases that had none.
        evidence: why the service is suspected, where that is what the person is called for.
    """

    at_ms: int
    person: str
    rotation: str | None
    service: str | None
    target: str
    runbook: str | None
    because: str
    step: str = ""
    evidence: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Escalation:
    """Where the incident is on its escalation path.

    Attributes:
        level: index of the next level to fire.
        started_at_ms: what ``after_minutes`` counts from.
        since_ms: from when on it counts who was called: opened, reopened, resumed, or the last round's beginning.
        next_at_ms: when the next level fires, the next round begins or the path ends; None when stopped.
        paged: the newest `PAGES_MAX` calls.
        called_from: index in ``paged``: who was called before it may be called again.
        run: how often the path was begun: by the opening, a reopening, another priority, a resumption.
        run_at_ms: when this run began.
        repeat: rounds of this run that are over.
        fired_at_ms: when a level fired last.
        exhausted_at_ms: when the path had ended without an answer.
        nobody: why nobody could be called, in words; None: somebody was.
        answered_by: who acknowledged last, and ``answered_at_ms`` when.
        progress_at_ms: when somebody last did something about it.
        stalls_at_ms: when escalation resumes unless somebody does; None: it does not.
        share_used: it has resumed because of the resolution clock; it does so once.
        route: the route that was taken, by its name.
        routed: all routes taken since it was opened or reopened; each calls once.
        hand_back_at_ms: when the owner of a suspect that is quiet is let go.
        pushed_over: what muted the incident when a person escalated it all the same; that mutes it no more.
    """

    level: int = 0
    started_at_ms: int = 0
    since_ms: int = 0
    next_at_ms: int | None = None
    paged: list[Page] = field(default_factory=list)
    called_from: int = 0
    run: int = 0
    run_at_ms: int | None = None
    repeat: int = 0
    fired_at_ms: int | None = None
    exhausted_at_ms: int | None = None
    nobody: str | None = None
    answered_by: str | None = None
    answered_at_ms: int | None = None
    progress_at_ms: int | None = None
    stalls_at_ms: int | None = None
    share_used: bool = False
    route: str | None = None
    routed: list[str] = field(default_factory=list)
    hand_back_at_ms: int | None = None
    pushed_over: list[str] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Engagement:
    """The owner of a suspect was brought in.

    Attributes:
        ref: the suspect.
        since_ms: from when on.
        because: the evidence, as sentences.
        state: ``engaged``, ``acknowledged`` (the person has done something about the incident), ``handed_back``.
        ended_ms: when it was handed back, or the incident was restored.
        ended_by: ``suspect`` (another one is identified), ``quiet``, ``person`` (who cleared it) or ``end``; None: it
            goes on.
        quiet_since_ms: since when nothing about the suspect fires; None: something does, or nothing ever did.
        reopened: how often the incident had been reopened by then; each time it may engage as many again.
    """

    ref: str
    person: str
    rotation: str | None
    since_ms: int
    because: list[str] = field(default_factory=list)
    state: str = "engaged"
    ended_ms: int | None = None
    ended_by: str | None = None
    quiet_since_ms: int | None = None
    reopened: int = 0


@dataclass(slots=True, kw_only=True)
class CaseOwed:
    """A case that somebody has to open outside and link.

    Attributes:
        kind: ``provider_case`` or ``vendor_ticket``.
        ref: what it is about.
        because: the route that asks for it.
        link_id: id of the link that settled it; None while it is owed.
        remind_at_ms: when it is next reminded of; None: never, as on records of releases that did not.
    """

    kind: str
    ref: str | None
    at_ms: int
    because: str
    link_id: str | None = None
    settled_ms: int | None = None
    remind_at_ms: int | None = None


@dataclass(slots=True, kw_only=True)
class Communication:
    """One message to one audience.

    Attributes:
        page: where it goes: a status page, a chat, a list.
        state: ``investigating``, ``identified``, ``waiting``, ``mitigated``, ``resolved``, ``cancelled``, ``moved``.
        audience: for whom it is.
        number: which message of its stream it is, from 1; a draft has the number that it will have.
        kind: ``state``: that is new; ``update``: it was due; ``message``: somebody says so.
        status: ``published`` or ``draft``.
        by: who says it; `approved_by`: who approved it, where that was asked for.
        next_update_ms: when the next message is promised; None: none is.
        translations: language -> subject and text, for further languages.
    """

    at_ms: int
    page: str
    state: str
    text: str
    audience: str = "public"
    subject: str = ""
    number: int = 0
    kind: str = "state"
    status: str = "published"
    by: str = "spillway"
    approved_by: str | None = None
    next_update_ms: int | None = None
    translations: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class AudienceStream:
    """Where the messages to one audience at one place are.

    Attributes:
        state: of the newest message; a draft counts.
        number: messages so far; a draft counts.
        published: messages that went out.
        next_update_ms: when the next message is due; None: none was promised.
    """

    audience: str
    page: str
    state: str = ""
    number: int = 0
    published: int = 0
    next_update_ms: int | None = None


@dataclass(slots=True, kw_only=True)
class Duty:
    """A notice that is owed.

    Attributes:
        warn_at_ms: when somebody is reminded; None once that is done.
        done_at_ms: when it was fulfilled, ``done_by`` whom; ``missed_at_ms``: when it was late.
    """

    name: str
    notify: str
    due_at_ms: int
    because: str
    text: str = ""
    warn_at_ms: int | None = None
    done_at_ms: int | None = None
    done_by: str | None = None
    missed_at_ms: int | None = None


@dataclass(slots=True, kw_only=True)
class Declaration:
    """A person has declared an incident a Major Incident; ``command_id`` tells one declaration from the next."""

    by: str
    because: str
    at_ms: int
    command_id: str


@dataclass(slots=True, kw_only=True)
class Correction:
    """A person has put the estimates of impact right: what holds, whatever is estimated later.

    Attributes:
        users: people affected; None: as estimated.
        revenue_per_minute: likewise.
        estimated_users: what is estimated meanwhile; ``estimated_revenue_per_minute`` likewise.
    """

    by: str
    because: str
    at_ms: int
    users: int | None = None
    revenue_per_minute: float | None = None
    estimated_users: int = 0
    estimated_revenue_per_minute: float = 0.0


@dataclass(slots=True, kw_only=True)
class MajorIncident:
    """What makes a bridge incident the record of a Major Incident.

    Attributes:
        phase: a `pipeline.models.major.MajorIncidentPhase`.
        by: who declared, proposed or ended it.
        rule: name of the trigger rule; empty where a person declared it, or the rule has no name.
        held: keys of the thresholds that held.
        decide_by_ms: when a proposal expires.
        call_at_ms: when the next manager is called; ``called`` is how many have been.
        lowered: its impact was put right to less: it was corrected, or a member left or was cancelled.
        below_since_ms: since when its impact is under all thresholds.
        promoted: member -> the priority that it had before it was raised.
    """

    phase: str = "declared"
    mode: str = "declare"
    by: str = ""
    at_ms: int = 0
    because: list[str] = field(default_factory=list)
    rule: str = ""
    held: list[str] = field(default_factory=list)
    decide_by_ms: int | None = None
    call_at_ms: int | None = None
    called: int = 0
    lowered: bool = False
    below_since_ms: int | None = None
    promoted: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class ProblemReview:
    """A review of the underlying problem, owed on a date (local to the domain)."""

    due_date: str
    because: str
