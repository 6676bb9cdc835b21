"""Service level clocks of an incident: set by its priority, run and paused by its state, warned of, missed, met.

The desk calls `on_state` with each move of the state, so nobody else has to think of clocks; `set_clocks` is for a
priority that changed, `informed` for what people were told, `settle` for what is no state and matters all the same.
How a single clock counts is `pipeline.core.clocks.clockwork`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from pipeline.core.clocks import clockwork
from pipeline.core.clocks.calendars import calendar
from pipeline.core.clocks.clockwork import Gear, elapsed_ms
from pipeline.core.clocks.sla_words import late, missed, paused, resumed, rose, waited, warning, whom
from pipeline.core.draft import MACHINE, Draft
from pipeline.core.practice.lifecycle import ANSWERED_STATES, ENDED_STATES, OPEN_STATES, WAITING_STATES
from pipeline.models.clocks import ALWAYS, BUSINESS, RESOLUTION, RESPONSE, UPDATE, Targets
from pipeline.models.incident import Incident, IncidentChange, IncidentState
from pipeline.models.incident_clock import Clock
from pipeline.models.policy import DomainPolicy

if TYPE_CHECKING:
    from pipeline.core.practice.desk import Desk

MINUTE_MS: Final = 60_000

RESPONDERS: Final = "responders"
"""The audience that works on the incident: telling it something is no update."""

CLOCKS: Final = (RESPONSE, UPDATE, RESOLUTION)
"""The clocks of an incident and of a bridge incident, in the order in which they are due."""


class _Mode(Enum):
    """What a clock does in a state of the incident."""

    RUN = "run"
    PAUSE = "pause"
    MET = "met"
    STOP = "stop"


# -- what others call


def set_clocks(desk: Desk, draft: Draft) -> None:
    """Give the incident's clocks the targets of its priority. Used time is kept; what was met or missed stays so."""
    incident, policy = draft.incident, desk.policy(draft.incident)
    targets = policy.targets.get(incident.priority)
    before, after = incident.clocks, dict[str, Clock]()
    for name in CLOCKS:
        clock, minutes = before.get(name), targets.minutes_of(name) if targets else None
        if clock is not None:
            _adopt(policy, incident, name, clock)
        if targets is not None and minutes is not None:
            clock = after[name] = clock or _new(draft, targets, name, minutes)
            if clock.met_at_ms is None and clock.breached_at_ms is None:
                _retarget(policy, draft, name, clock)
        elif clock is not None and (clock.met_at_ms is not None or clock.breached_at_ms is not None):
            after[name] = clock
    incident.clocks = after
    settle(desk, draft)


def on_state(desk: Desk, draft: Draft, before: str) -> None:
    """The incident's state has moved: clocks start, pause, run on, are met or stop."""
    incident = draft.incident
    if before == IncidentState.DETECTED:
        set_clocks(desk, draft)
        return
    policy = desk.policy(incident)
    for name, clock in incident.clocks.items():
        _adopt(policy, incident, name, clock)
        _let_go(policy, draft, name, clock, before)
        if incident.state == IncidentState.REOPENED and policy.clocks.on_reopen == "restart":
            _restart(draft, name, clock)
        _apply(policy, draft, name, clock, aloud=True)


def settle(desk: Desk, draft: Draft) -> None:
    """Let each clock do what the incident asks for as it is now. Changes nothing where it does so already."""
    incident, policy = draft.incident, desk.policy(draft.incident)
    for name, clock in incident.clocks.items():
        _adopt(policy, incident, name, clock)
        _apply(policy, draft, name, clock, aloud=False)


def meet(desk: Desk, draft: Draft, name: str) -> None:
    """What a clock waits for has happened, though the state does not say so: to a member of a bridge incident."""
    clock, policy = draft.incident.clocks.get(name), desk.policy(draft.incident)
    if clock is not None and clock.met_at_ms is None:
        _adopt(policy, draft.incident, name, clock)
        _meet(draft, name, clock, gear_of(policy, clock))


def count(desk: Desk, draft: Draft) -> None:
    """Count what the clocks have used until now, before another pack decides on which calendars they go on."""
    incident, policy = draft.incident, desk.policy(draft.incident)
    for name, clock in incident.clocks.items():
        _adopt(policy, incident, name, clock)
        clockwork.settle(clock, gear_of(policy, clock), draft.now_ms)


def informed(desk: Desk, draft: Draft, audience: str) -> None:
    """An audience was told something: the update clock begins again. Those who work on it are none that waits."""
    incident, policy = draft.incident, desk.policy(draft.incident)
    clock = incident.clocks.get(UPDATE)
    if audience == RESPONDERS or clock is None or clock.met_at_ms is not None or incident.state not in OPEN_STATES:
        return
    _adopt(policy, incident, UPDATE, clock)
    gear = gear_of(policy, clock)
    clockwork.settle(clock, gear, draft.now_ms)
    if clock.breached_at_ms is not None:
        clock.missed += 1
        _note_late(draft, UPDATE, clock)
    clockwork.begin(clock, draft.now_ms)
    clockwork.aim(clock, gear)
    if clock.due_at_ms is not None and _will_be_told(incident, clock.due_at_ms):
        clock.warn_at_ms = None


def run_clocks(desk: Desk, draft: Draft) -> None:
    """Warn of response and resolution, and record their breaches, where that is due."""
    for name, clock in draft.incident.clocks.items():
        if name != UPDATE:
            _run(desk.policy(draft.incident), draft, name, clock)


def run_update_clock(desk: Desk, draft: Draft) -> None:
    """The same of the update clock; after what is due has been told."""
    clock = draft.incident.clocks.get(UPDATE)
    if clock is not None:
        _run(desk.policy(draft.incident), draft, UPDATE, clock)


def share_at_ms(desk: Desk, incident: Incident, name: str, share: float) -> int | None:
    """When a share of a target is used if nothing pauses the clock; None where it does not run.

    Of a share that was used before the clock was last counted: that moment.
    """
    clock, policy = incident.clocks.get(name), desk.policy(incident)
    if clock is None:
        return None
    _adopt(policy, incident, name, clock)
    if clock.running_since_ms is None:
        return None
    used_ms = round(clock.target_ms * share) - clock.elapsed_ms
    return gear_of(policy, clock).after(clock.running_since_ms, used_ms)


# -- one clock


def _new(draft: Draft, targets: Targets, name: str, minutes: int) -> Clock:
    """A clock that counts from detection. News that nobody was promised until now are owed from now on."""
    incident = draft.incident
    since_ms = draft.now_ms if name == UPDATE and incident.clocks else incident.detected_at_ms
    return Clock(
        started_at_ms=since_ms,
        target_ms=minutes * MINUTE_MS,
        running_since_ms=since_ms,
        priority=incident.priority,
        calendar=targets.calendar_of(name),
    )


def _adopt(policy: DomainPolicy, incident: Incident, name: str, clock: Clock) -> None:
    """Complete a clock of an older release, which kept only when it was due, warned of, met and missed."""
    if clock.target_ms:
        return
    targets = policy.targets.get(incident.priority)
    minutes = targets.minutes_of(name) if targets else None
    due_ms = clock.due_at_ms if clock.due_at_ms is not None else incident.detected_at_ms
    clock.target_ms = minutes * MINUTE_MS if minutes else max(1, due_ms - incident.detected_at_ms)
    clock.started_at_ms, clock.priority = incident.detected_at_ms, incident.priority
    clock.calendar = targets.calendar_of(name) if targets else ALWAYS
    gear = gear_of(policy, clock)
    if clock.warn_at_ms is None:
        clock.warned = len(gear.shares)
    if clock.met_at_ms is None:
        clock.running_since_ms = incident.detected_at_ms
    else:
        clock.elapsed_ms = gear.worked_ms(incident.detected_at_ms, clock.met_at_ms)


def gear_of(policy: DomainPolicy, clock: Clock) -> Gear:
    """What a clock runs by. A calendar that is no longer there counts day and night."""
    targets = policy.targets.get(clock.priority)
    shares = targets.warn_at if targets is not None and targets.warn_at is not None else policy.clocks.warn_at
    if clock.calendar == ALWAYS:
        return Gear(None, shares)
    hours = policy.business_hours if clock.calendar == BUSINESS else policy.calendars.get(clock.calendar)
    return Gear(None if hours is None else calendar(hours), shares)


def _mode(policy: DomainPolicy, incident: Incident, name: str, clock: Clock) -> _Mode:
    """What a clock does as the incident is now."""
    state = _standing(incident)
    if name == RESPONSE and (clock.met_at_ms is not None or state in ANSWERED_STATES):
        return _Mode.MET
    if state == IncidentState.RESOLVED or (name == RESOLUTION and state in policy.clocks.met_by):
        return _Mode.MET
    if state in ENDED_STATES:
        return _Mode.STOP
    targets = policy.targets.get(clock.priority)
    own = targets.pause_in if targets is not None else None
    pauses: Mapping[Any, tuple[str, ...]] = policy.clocks.pause_in if own is None else own
    spoken_for = name == UPDATE and incident.bridge_id is not None
    return _Mode.PAUSE if spoken_for or state in pauses.get(name, ()) else _Mode.RUN


def _standing(incident: Incident) -> str:
    """The state, as clocks see it: who waits for the fix while a workaround holds has restored the service."""
    waits = incident.state in WAITING_STATES and incident.mitigated_at_ms is not None
    return IncidentState.MITIGATED.value if waits else incident.state


def _apply(policy: DomainPolicy, draft: Draft, name: str, clock: Clock, *, aloud: bool) -> None:
    """Let a clock do what the incident asks for; ``aloud``: no other entry of the timeline says why it pauses."""
    mode, now_ms = _mode(policy, draft.incident, name, clock), draft.now_ms
    waits, runs = draft.incident.state in WAITING_STATES, clock.running_since_ms is not None
    if mode is _Mode.RUN and runs and not waits:
        return  # as nearly always
    gear, pause_is_on = gear_of(policy, clock), _is_paused(clock)
    if mode is _Mode.MET and clock.met_at_ms is None:
        _meet(draft, name, clock, gear)
    elif mode is _Mode.STOP and (runs or pause_is_on):
        clockwork.halt(clock, gear, now_ms)
        clock.held_since_ms = None
    elif mode is _Mode.PAUSE and not pause_is_on:
        clockwork.halt(clock, gear, now_ms)
        clock.held_since_ms, clock.met_at_ms = now_ms, None
        if aloud:
            draft.note("sla_paused", MACHINE, paused(draft.incident, name, clock), clock=name)
    elif mode is _Mode.RUN and not runs:
        if pause_is_on:
            clock.paused_ms += now_ms - (clock.held_since_ms or now_ms)
            if aloud:
                draft.note("sla_resumed", MACHINE, resumed(name, clock), clock=name)
        clock.held_since_ms, clock.held_for = (now_ms, whom(draft.incident)) if waits else (None, "")
        clockwork.run(clock, gear, now_ms)
        if clock.breached_at_ms is None:
            _retarget(policy, draft, name, clock)
    elif mode is _Mode.RUN and waits and clock.held_since_ms is None:
        clock.held_since_ms, clock.held_for = now_ms, whom(draft.incident)


def _run(policy: DomainPolicy, draft: Draft, name: str, clock: Clock) -> None:
    """Warn and record the breach that is due. A warning of what will happen by itself is none."""
    _adopt(policy, draft.incident, name, clock)
    if clock.running_since_ms is None or clock.breached_at_ms is not None or clock.due_at_ms is None:
        return
    gear = gear_of(policy, clock)
    if clock.due_at_ms <= draft.now_ms:
        _breach(policy, draft, name, clock, gear)
    elif clock.warn_at_ms is not None and clock.warn_at_ms <= draft.now_ms:
        # Of several that are due at once, as after a priority that rose late, the last says it all.
        clock.warned = max(clock.warned + 1, clockwork.passed(clock, gear, draft.now_ms))
        known = clock.warned <= len(gear.shares)  # the pack that it was set by may have had more of them
        if known and (name != UPDATE or not _will_be_told(draft.incident, clock.due_at_ms)):
            share = gear.shares[clock.warned - 1]
            text = warning(name, clock, gear, draft.now_ms)
            draft.note("sla_warning", MACHINE, text, IncidentChange.SLA_WARNING, clock=name, share=share)
        clockwork.aim(clock, gear)


def _will_be_told(incident: Incident, due_ms: int) -> bool:
    """Whether an audience is told before the update is due, without anybody: nothing of it waits for approval."""
    held = {(each.audience, each.page) for each in incident.communications if each.status == "draft"}
    return any(
        each.next_update_ms is not None
        and each.next_update_ms <= due_ms
        and each.published
        and each.audience != RESPONDERS
        and (each.audience, each.page) not in held
        for each in incident.streams.values()
    )


def _meet(draft: Draft, name: str, clock: Clock, gear: Gear) -> None:
    clockwork.meet(clock, gear, draft.now_ms)
    clock.held_since_ms, clock.held_for = None, ""
    if clock.breached_at_ms is not None:
        _note_late(draft, name, clock)


def _is_paused(clock: Clock) -> bool:
    return clock.running_since_ms is None and clock.held_since_ms is not None and clock.met_at_ms is None


def _let_go(policy: DomainPolicy, draft: Draft, name: str, clock: Clock, before: str) -> None:
    """The state is over for which a clock was paused, or for which somebody waited while it ran."""
    if clock.held_since_ms is None:
        return
    span_ms = draft.now_ms - clock.held_since_ms
    if _is_paused(clock):
        if _mode(policy, draft.incident, name, clock) is not _Mode.RUN:  # else the pause ends where it runs on
            clock.paused_ms += span_ms
            clock.held_since_ms = draft.now_ms
        return
    if name == RESOLUTION and before in WAITING_STATES:
        clockwork.remember(clock, waited(clock, span_ms))
    clock.held_since_ms, clock.held_for = None, ""


def _retarget(policy: DomainPolicy, draft: Draft, name: str, clock: Clock) -> None:
    """Give a clock the target of the incident's priority, if it has one and it is another."""
    priority = draft.incident.priority
    targets = policy.targets.get(priority)
    minutes = targets.minutes_of(name) if targets else None
    if targets is None or minutes is None:
        return
    if priority != clock.priority and minutes * MINUTE_MS != clock.target_ms:
        clockwork.remember(clock, rose(policy, clock.priority, priority, draft.now_ms))
    before = after = gear_of(policy, clock)
    hours = targets.calendar_of(name)
    if (priority, hours) != (clock.priority, clock.calendar):
        clock.priority, clock.calendar = priority, hours
        after = gear_of(policy, clock)
    clockwork.retarget(clock, before, after, minutes * MINUTE_MS, draft.now_ms)


def _restart(draft: Draft, name: str, clock: Clock) -> None:
    """A reopened incident's clock begins anew; one that was missed stays so."""
    if name != UPDATE and clock.breached_at_ms is None:
        clockwork.begin(clock, draft.now_ms)
        clock.met_at_ms = None


def _breach(policy: DomainPolicy, draft: Draft, name: str, clock: Clock, gear: Gear) -> None:
    clock.breached_at_ms, clock.warn_at_ms = clock.due_at_ms, None
    because = missed(policy, draft.incident, name, clock, draft.now_ms)
    clock.because = because
    text = f"{name} target of {clock.priority} was missed: {'; '.join(because)}"
    used_ms = elapsed_ms(clock, gear, draft.now_ms)
    draft.note(
        "sla_breached",
        MACHINE,
        text,
        IncidentChange.SLA_BREACHED,
        clock=name,
        because=because,
        target_ms=clock.target_ms,
        elapsed_ms=used_ms,
    )


def _note_late(draft: Draft, name: str, clock: Clock) -> None:
    over_ms = max(0, clock.elapsed_ms - clock.target_ms)
    draft.note("sla_late", MACHINE, late(name, over_ms), clock=name, over_ms=over_ms, because=clock.because)
