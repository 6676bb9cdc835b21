"""Figures: what the incidents of a period come to. ``docs/analytics.md`` has each in words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pipeline.records.analytics.periods import Period


class By(StrEnum):
    """By what figures are told apart."""

    PRIORITY = "priority"
    DOMAIN = "domain"
    SERVICE = "service"
    HOSTING_MODEL = "hosting_model"
    INFRASTRUCTURE_LAYER = "infrastructure_layer"
    OWNER = "owner"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something took, in seconds; None where nothing was measured.

    Attributes:
        count: how many were measured.
        mean: what the M of MTTR says. A single incident that nobody closed for a week moves it by hours.
        median: half took longer.
        p90: one in ten took longer.
    """

    count: int = 0
    mean: float | None = None
    median: float | None = None
    p90: float | None = None


@dataclass(frozen=True, slots=True)
class Adherence:
    """Service level clocks that were decided: met in time, or missed.

    Attributes:
        ratio: share that was kept, 0 to 1; None where none was decided.
        used_mean: time that was used of the target, in seconds on the calendar of each clock: working hours where the
            policy counts those. Of those that were met, in time or late.
    """

    kept: int = 0
    missed: int = 0
    ratio: float | None = None
    used_mean: float | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of the incidents of one group, or of all.

    Attributes:
        group: column -> value; of a priority also its ``priority_rank``. Empty for all.
        label: the group in one line, for people.
        domains: of a priority, where domains are not told apart: those that have incidents of it; else empty.
        incidents: detected in the period, neither merged nor cancelled since.
        self_healed: resolved before any person did something.
        reopened: incidents that came back at least once.
        detect: from the first symptom's own time to its arrival (MTTD).
        acknowledge: from detection to the first acknowledgement (MTTA).
        restore: from detection to the service restored, by workaround or resolution (MTRS).
        resolve: from detection to the resolution that holds (MTTR).
        resolve_by_people: the same without what healed by itself.
        updates_missed: periods in which the promised update did not go out.
        alerts: alerts decided into incidents, repeats left out.
        incidents_called: incidents that somebody was called for.
        calls: times that somebody was called; ``calls_asked``: because a person escalated.
        escalations: levels that fired by themselves, the first left out; ``escalations_asked`` those people asked for.
        routes: escalation routes taken by rule.
        exhausted: times that a path ended without an answer; ``nobody``: that nobody was found to call.
        reassigned: times that an incident was given to another than the first; ``rerouted`` likewise its owning team.
        repeats: incidents whose condition had one in the `REPEAT_DAYS` before.
        repeat_ratio: their share, 0 to 1; None where there was none.
    """

    group: dict[str, str | int | None]
    label: str
    domains: list[str]
    incidents: int
    merged: int
    cancelled: int
    self_healed: int
    muted: int
    reopened: int
    detect: Spread
    acknowledge: Spread
    restore: Spread
    resolve: Spread
    resolve_by_people: Spread
    response: Adherence
    resolution: Adherence
    updates_missed: int
    alerts: int
    episodes: int
    incidents_called: int
    calls: int
    calls_asked: int
    escalations: int
    escalations_asked: int
    routes: int
    exhausted: int
    nobody: int
    reassigned: int
    incidents_reassigned: int
    rerouted: int
    repeats: int
    repeat_ratio: float | None


@dataclass(frozen=True, slots=True)
class Maturity:
    """Figures of a period.

    Attributes:
        by: by what the groups are told apart.
        whole: figures of all incidents in scope.
        groups: figures of each group: priorities most urgent first, others by incidents, the most first.
        groups_left_out: groups past `GROUPS_MAX`, those with the fewest incidents.
    """

    period: Period
    by: tuple[By, ...]
    whole: Figures
    groups: list[Figures]
    groups_left_out: int = 0


class Direction(StrEnum):
    """What a change of a figure means."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    MORE = "more"
    LESS = "less"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of two periods.

    Attributes:
        figure: its name, such as ``acknowledge.median``.
        title: for people.
        unit: ``seconds``, ``ratio`` or ``count``.
        share: after / before - 1; None where before is 0 or unknown.
        direction: what it means; ``unknown`` where too little was measured to say.
        words: one sentence.
    """

    figure: str
    title: str
    unit: str
    before: float | None
    after: float | None
    share: float | None
    direction: Direction
    words: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two periods side by side."""

    period: Period
    before: Period
    figures: Figures
    figures_before: Figures
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class Point:
    """A figure of one day, week, month or quarter.

    Attributes:
        start: its first day, in the period's zone.
        value: None where nothing was measured.
        count: how many incidents it is of.
    """

    start: str
    value: float | None
    count: int


@dataclass(frozen=True, slots=True)
class TimeInState:
    """Time that ended incidents had spent in one state.

    Attributes:
        seconds: of all of them together; ``share``: of their whole time, 0 to 1.
        spent: of those that were in it at all.
    """

    state: str
    incidents: int
    seconds: float
    share: float
    spent: Spread


@dataclass(frozen=True, slots=True)
class Noise:
    """Alerts in, incidents out, people called.

    Attributes:
        alerts: all that is known of: decided into incidents, or hidden.
        hidden: what hid alerts -> how many.
        reduction: 1 - incidents / alerts; None without alerts.
        alerts_per_incident: None without incidents.
    """

    label: str
    alerts: int
    alerts_hidden: int
    hidden: dict[str, int]
    episodes: int
    incidents: int
    incidents_called: int
    calls: int
    people: int
    reduction: float | None
    alerts_per_incident: float | None


@dataclass(frozen=True, slots=True)
class Escalations:
    """Who was called, and at whose instance.

    Attributes:
        fired: levels and routes that fired by themselves.
        asked: escalations that people asked for.
        automatic_ratio: share of all that fired by itself, 0 to 1; None where there was none.
    """

    label: str
    incidents: int
    escalated: int
    fired: int
    asked: int
    calls: int
    calls_asked: int
    routes: int
    exhausted: int
    nobody: int
    automatic_ratio: float | None


class RepeatBy(StrEnum):
    """What came again: the condition of the first symptom, the cause that was told to people, or the service."""

    CONDITION = "condition"
    CAUSE = "cause"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Repeat:
    """A condition, cause or service that had incidents again and again.

    Attributes:
        key: alert key, or catalogue reference.
        incidents: in the period; ``repeats``: of those that came within the days after one.
        newest: id of the newest incident.
        calls: people called for them.
    """

    key: str
    service: str | None
    domain: str | None
    incidents: int
    repeats: int
    newest: str
    newest_title: str | None
    resolve_seconds: float | None
    calls: int
