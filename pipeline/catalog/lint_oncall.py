"""Rules about being on call: those that cost little, and those that unfold schedules.

`check_oncall` is part of every lint: names, overrides, runbooks. `check_cover` looks at the days ahead, for
`spillway oncall lint`: gaps, double bookings, hand-offs at night.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import combinations, pairwise
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from pipeline.catalog.annotations import PREFIX, RUNBOOK
from pipeline.catalog.lint_context import Context, Finding
from pipeline.catalog.problems import Place, suggestion
from pipeline.core.escalation.oncall import OnCall, scheduled, why_nobody
from pipeline.core.escalation.oncall_calendar import calendar_people
from pipeline.core.escalation.oncall_schedule import DAY_MS, Shift, schedule
from pipeline.core.escalation.oncall_turns import from_ms, to_ms, zone_of
from pipeline.models.oncall import POSITIONS, OncallOverride, Rotation

OVERRIDE_DAYS_MAX: Final = 400
"""An override that lasts longer is not searched for turns: whoever is away for a year takes none."""

CRITICAL_TIER_MAX: Final = 2
"""Services of tier 1 and 2 must have somebody at any time."""

NIGHT: Final = (22, 6)
"""Local hours between which a hand-off finds both people asleep."""

_HTTPS: Final = "https://"

Span = tuple[int, int]


def check_oncall(context: Context) -> Iterator[Finding]:
    """Every rule that needs no schedule, but for the turns that an override speaks of."""
    takers = {name: _takers(each) for name, each in context.config.rotations.items()}
    everybody = {person for people in takers.values() for person in people}
    for name, rotation in sorted(context.config.rotations.items()):
        for index, override in enumerate(rotation.overrides):
            place = context.opened.packs.sources["rotation", name].at("overrides", index)
            yield from _override(context, rotation, override, place, takers[name], everybody)
        yield from _unmapped(context, rotation)
    yield from _runbooks(context)


def _takers(rotation: Rotation) -> tuple[str, ...]:
    """Everybody who takes turns, those of calendars included."""
    listed = (person for layer in rotation.whole() for person in calendar_people(layer))
    return tuple(dict.fromkeys((*rotation.takers(), *listed)))


def _unmapped(context: Context, rotation: Rotation) -> Iterator[Finding]:
    """People of a calendar whom its mapping does not know: somebody new, or a second address."""
    for index, layer in enumerate(rotation.whole()):
        known = set(layer.calendar.people.values()) if layer.calendar is not None else set()
        if strange := [each for each in calendar_people(layer) if known and each not in known]:
            path = ("layers", index, "calendar", "people") if rotation.layers else ("calendar", "people")
            place = context.opened.packs.sources["rotation", rotation.name].at(*path)
            message = f"the calendar names {', '.join(strange[:5])}, whom 'people' does not list: they are called so"
            yield Finding("unknown-person", place, message)


def _override(
    context: Context,
    rotation: Rotation,
    override: OncallOverride,
    place: Place,
    takers: tuple[str, ...],
    everybody: set[str],
) -> Iterator[Finding]:
    start_ms, end_ms = to_ms(override.start), to_ms(override.end)
    if end_ms <= context.now_ms:
        message = f"the override by {override.person} is over since {override.end:%Y-%m-%d %H:%M %Z}: remove it"
        yield Finding("override-past", place, message)
    if override.person not in everybody:
        near = suggestion(override.person, everybody)
        message = f"{override.person} stands in and takes turns in no rotation{near}"
        yield Finding("unknown-person", place, message)
    away = override.instead_of
    if away is None:
        return
    if away not in takers:
        message = f"{away} takes no turn in rotation '{rotation.name}'{suggestion(away, takers)}"
        yield Finding("unknown-person", place, message)
    elif end_ms - start_ms <= OVERRIDE_DAYS_MAX * DAY_MS:
        bare = rotation.model_copy(update={"overrides": ()})
        if not any(_has(shift, away) for shift in schedule(bare, start_ms, end_ms)):
            message = f"{away} has no turn in that time: the override changes nothing"
            yield Finding("override-outside-turn", place, message)


def _has(shift: Shift, person: str) -> bool:
    return any(each.person == person for each in shift.people)


def _runbooks(context: Context) -> Iterator[Finding]:
    for ref, entity in sorted(context.config.catalogue.entities.items()):
        if entity.kind == "component" and entity.tier == 1 and not entity.runbooks:
            message = f"'{entity.name}' is of tier 1 and has no {PREFIX}{RUNBOOK}: whoever is called finds nothing"
            yield Finding("runbook-missing", context.place(ref), message)
        for category, address in entity.runbooks.items():
            if not address.startswith(_HTTPS):
                name = PREFIX + (RUNBOOK if category == "default" else f"{RUNBOOK}.{category}")
                place = context.place(ref, name)
                yield Finding(
                    "runbook-address", place, f"runbook '{address}' is no {_HTTPS} address that a page can link"
                )


# -- the days ahead


class _Held(NamedTuple):
    """A time in which somebody is primary somewhere."""

    start_ms: int
    end_ms: int
    rotation: str


def check_cover(context: Context, start_ms: int, days: int) -> Iterator[Finding]:
    """Every rule that unfolds schedules.

    Args:
        context: a usable directory.
        start_ms: first moment looked at, epoch milliseconds.
        days: how many days from then on.
    """
    end_ms = start_ms + days * DAY_MS
    rotations = sorted(context.config.rotations.items())
    shifts = {name: list(schedule(rotation, start_ms, end_ms)) for name, rotation in rotations}
    for name, rotation in rotations:
        yield from _gaps(context, rotation, shifts, days)
        yield from _twice_in_one(context, rotation, shifts[name])
        yield from _at_night(context, rotation, shifts[name])
    yield from _twice_in_two(context, shifts, days)


def _gaps(context: Context, rotation: Rotation, shifts: dict[str, list[Shift]], days: int) -> Iterator[Finding]:
    """Times in which nobody is on call, neither here nor in the fall-back."""
    covered = [each for each in context.config.catalogue.entities.values() if _covers(context, rotation, each.ref)]
    chain = context.oncall.chain(rotation)
    empty = [[(each.start_ms, each.end_ms) for each in shifts[name.name] if not each.people] for name in chain]
    gaps = reduce(_both, empty)
    if not gaps or not covered:
        return
    start_ms, end_ms = gaps[0]
    tier = min((each.tier for each in covered if each.tier is not None), default=None)
    names = ", ".join(each.name for each in covered[:3]) + (f" and {len(covered) - 3} more" if len(covered) > 3 else "")
    more = f" and {len(gaps) - 1:,} times more in {days} days" if len(gaps) > 1 else ""
    zone = ZoneInfo(rotation.timezone)
    began, ends = (from_ms(at_ms).astimezone(zone) for at_ms in (start_ms, end_ms))
    message = (
        f"nobody is on call for {names} from {began:%a %Y-%m-%d %H:%M} to {ends:%a %Y-%m-%d %H:%M %Z}{more}: "
        f"{why_nobody(rotation, start_ms)}; fill it or give it an escalate_to"
    )
    critical = tier is not None and tier <= CRITICAL_TIER_MAX
    place = context.opened.packs.sources["rotation", rotation.name].at()
    yield Finding("oncall-gap-critical" if critical else "oncall-gap", place, message)


def _covers(context: Context, rotation: Rotation, ref: str) -> bool:
    found = context.oncall.rotation_of(ref)
    return found is not None and found.name == rotation.name


def _both(first: list[Span], second: list[Span]) -> list[Span]:
    """Times that are in both of two lists of spans; each list is in order and has no overlaps."""
    met: list[Span] = []
    mine, other = 0, 0
    while mine < len(first) and other < len(second):
        start = max(first[mine][0], second[other][0])
        end = min(first[mine][1], second[other][1])
        if start < end:
            met.append((start, end))
        if first[mine][1] <= second[other][1]:
            mine += 1
        else:
            other += 1
    return met


def _twice_in_two(context: Context, shifts: dict[str, list[Shift]], days: int) -> Iterator[Finding]:
    """People who are called first in two rotations at once."""
    held: dict[str, list[_Held]] = {}
    for name, each in shifts.items():
        for shift in each:
            for person in _primaries(shift.people):
                held.setdefault(person, []).append(_Held(shift.start_ms, shift.end_ms, name))
    for person, spans in sorted(held.items()):
        for first, second in combinations(sorted({span.rotation for span in spans}), 2):
            together = _both(
                [(span.start_ms, span.end_ms) for span in spans if span.rotation == first],
                [(span.start_ms, span.end_ms) for span in spans if span.rotation == second],
            )
            if together:
                more = f", and {len(together) - 1:,} times more in {days} days" if len(together) > 1 else ""
                moment = from_ms(together[0][0])
                message = (
                    f"{person} is primary here and in rotation '{first}' at once, from {moment:%Y-%m-%d %H:%M %Z}{more}"
                )
                yield Finding("double-booking", context.opened.packs.sources["rotation", second].at(), message)


def _primaries(people: Iterable[OnCall]) -> list[str]:
    return [each.person for each in people if each.position == POSITIONS[0]]


def _twice_in_one(context: Context, rotation: Rotation, shifts: list[Shift]) -> Iterator[Finding]:
    """People whose turns as primary and secondary fall together."""
    told: set[str] = set()
    if not any(layer.place == POSITIONS[1] for layer in rotation.layers):
        return
    for shift in shifts:
        first, second = (scheduled(rotation, position, shift.start_ms) for position in POSITIONS[:2])
        for person in [each for each in first if each in second and each not in told]:
            told.add(person)
            moment = from_ms(shift.start_ms)
            message = f"{person} has the turn of the primary and of the secondary from {moment:%Y-%m-%d %H:%M %Z}"
            yield Finding("primary-is-secondary", context.opened.packs.sources["rotation", rotation.name].at(), message)


def _at_night(context: Context, rotation: Rotation, shifts: list[Shift]) -> Iterator[Finding]:
    """Hand-offs from one person to another while both are asleep; overrides may be so."""
    layers = {layer.name: (index, layer) for index, layer in enumerate(rotation.whole())}
    told: set[str] = set()
    overridden = {to_ms(moment) for each in rotation.overrides for moment in (each.start, each.end)}
    for before, after in pairwise(shifts):
        came = [each for each in after.people if each.position == POSITIONS[0] and each.layer in layers]
        before_that = set(_primaries(before.people))
        if not came or not before_that or before_that == set(_primaries(after.people)):
            continue
        index, layer = layers[came[0].layer]
        local = from_ms(after.start_ms).astimezone(zone_of(layer))
        if NIGHT[1] <= local.hour < NIGHT[0] or layer.name in told or after.start_ms in overridden:
            continue
        told.add(layer.name)
        source = context.opened.packs.sources["rotation", rotation.name]
        path = ("layers", index) if rotation.layers else ()
        message = f"layer '{layer.name}' hands over at {local:%H:%M} in {layer.timezone}, first on {local:%Y-%m-%d}"
        yield Finding("night-hand-off", source.at(*path), message)
