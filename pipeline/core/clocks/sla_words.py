"""What the timeline says of service level clocks: warnings, pauses, and why a target was missed."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.core.clocks.clockwork import Gear
from pipeline.core.practice.lifecycle import WAITING_STATES
from pipeline.models.clocks import RESOLUTION, RESPONSE, UPDATE
from pipeline.models.incident import Incident, IncidentKind, IncidentState
from pipeline.models.incident_clock import CLOCK_REASONS_MAX, Clock
from pipeline.models.policy import DomainPolicy

PEOPLE_NAMED_MAX: Final = 3
"""People named in the reason of a missed response; the timeline has the others."""

_MINUTE_MS: Final = 60_000
_HOUR_MINUTES: Final = 60
_DAY_MINUTES: Final = 1_440
_TIMES: Final = {1: "once", 2: "twice"}


def span(span_ms: int) -> str:
    """A span of time as people say it: ``45 min``, ``3 h 10 min``, ``2 d 4 h``; what is shorter counts as a minute."""
    minutes = max(1, round(span_ms / _MINUTE_MS))
    if minutes < _HOUR_MINUTES:
        return f"{minutes} min"
    if minutes < 2 * _DAY_MINUTES:
        hours, rest = divmod(minutes, _HOUR_MINUTES)
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, rest = divmod(round(minutes / _HOUR_MINUTES), 24)
    return f"{days} d {rest} h" if rest else f"{days} d"


def warning(name: str, clock: Clock, gear: Gear, now_ms: int) -> str:
    """A warning, the more pressing the more of the target is used."""
    left = span((clock.due_at_ms or now_ms) - now_ms)
    used = f"{gear.shares[clock.warned - 1]:.0%} of it is used"
    if clock.warned == len(gear.shares) > 1:
        return f"{name} target of {clock.priority} is nearly missed: due in {left}, {used}"
    return f"{name} target of {clock.priority} is due in {left}: {used}"


def paused(incident: Incident, name: str, clock: Clock) -> str:
    """That a clock is paused, and what for."""
    return f"{name} clock paused, {_state(incident.state)}: {_used(clock)}"


def resumed(name: str, clock: Clock) -> str:
    """That a clock runs on."""
    return f"{name} clock runs on: {_used(clock)}"


def late(name: str, over_ms: int) -> str:
    """By how much a missed target was missed when it was met after all."""
    return f"{name} target was met {span(over_ms)} late"


def waited(clock: Clock, span_ms: int) -> str:
    """How long somebody waited for somebody outside while the clock ran, and with which case."""
    return f"waited for {clock.held_for} for {span(span_ms)}"


def whom(incident: Incident) -> str:
    """Whom a waiting incident waits for, with the record there: ``vendor CASE-12``."""
    who = incident.state.removeprefix("waiting_")
    known = [wait.id for wait in incident.waiting if wait.kind == who and wait.id is not None]
    return f"{who} {known[-1]}" if known else f"the {who}"


def rose(policy: DomainPolicy, before: str, after: str, at_ms: int) -> str:
    """That a priority changed, at the domain's local time."""
    moment = datetime.fromtimestamp(at_ms / 1_000, ZoneInfo(policy.business_hours.timezone))
    return f"priority {'rose' if policy.rank(after) < policy.rank(before) else 'fell'} from {before} at {moment:%H:%M}"


def missed(policy: DomainPolicy, incident: Incident, name: str, clock: Clock, now_ms: int) -> list[str]:
    """Why a target was missed, as far as the record knows, the plainest reason first."""
    if name == UPDATE:
        since = datetime.fromtimestamp(clock.started_at_ms / 1_000, ZoneInfo(policy.business_hours.timezone))
        return [f"nobody was told anything since {since:%H:%M}", *clock.because]
    reasons = []
    if name == RESPONSE:
        reasons.append(f"nobody acknowledged{_called(incident)}")
    elif incident.acknowledged_at_ms is None:
        reasons.append("nobody acknowledged")
    if name == RESOLUTION and incident.reopened:
        reasons.append(f"reopened {_TIMES.get(incident.reopened, f'{incident.reopened} times')}")
    reasons += clock.because
    if incident.state in WAITING_STATES and clock.held_since_ms is not None:
        reasons.append(waited(clock, now_ms - clock.held_since_ms))
    if incident.state == IncidentState.ESCALATED:
        reasons.append("escalated")
    return (reasons or ["it took longer than promised"])[:CLOCK_REASONS_MAX]


def _called(incident: Incident) -> str:
    people = list(dict.fromkeys(page.person for page in incident.escalation.paged))
    if incident.kind == IncidentKind.BRIDGE and not people:
        return ", and it has no commander"
    if not people:
        return ", nobody was called"
    more = f" and {len(people) - PEOPLE_NAMED_MAX} more" if len(people) > PEOPLE_NAMED_MAX else ""
    return f", called {', '.join(people[:PEOPLE_NAMED_MAX])}{more}"


def _state(state: str) -> str:
    if state in WAITING_STATES:
        return f"waiting for the {state.removeprefix('waiting_')}"
    return state.replace("_", " ")


def _used(clock: Clock) -> str:
    used = f"{span(clock.elapsed_ms)} of {span(clock.target_ms)} used" if clock.elapsed_ms else "nothing used"
    return f"{used}, {span(clock.paused_ms)} paused so far" if clock.paused_ms else used
