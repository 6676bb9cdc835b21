"""Who is on call now, until when, who comes next, and where nobody will be: what the pages show of rotations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.console.identity import Scope
from pipeline.console.knowledge import Knowledge
from pipeline.core.escalation.oncall import OnCall, why_nobody
from pipeline.core.escalation.oncall_schedule import DAY_MS, Shift, schedule
from pipeline.core.escalation.oncall_turns import from_ms
from pipeline.models.catalog import Entity
from pipeline.models.oncall import Rotation

AHEAD_DAYS: Final = 28
"""How far ahead gaps are looked for: four weeks are planned nearly everywhere."""

GAPS_MAX: Final = 50
"""Gaps of one rotation that are named: a rotation by day alone has one each night."""

CRITICAL_TIER_MAX: Final = 2
"""A gap on a service of this tier or a more critical one is an error; else it may be meant so."""

_HOUR_MS: Final = 3_600_000
"""As long as a schedule that was unfolded is used: turns of an hour are the shortest that anybody has."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody on call.

    Attributes:
        until_ms: until when, epoch milliseconds; None: longer than is looked ahead.
    """

    who: OnCall
    until_ms: int | None


@dataclass(slots=True)
class Rota:
    """One rotation at a moment.

    Attributes:
        people: on call now, in the order of calling.
        nobody: why nobody is; empty where somebody is.
        next_ms: when other people come; ``following`` who; None: nothing changes while we look ahead.
        chain: the rotations that are called where this one has nobody, nearest first.
        gaps: times ahead in which neither this rotation nor those of its chain have anybody.
        services: those that it covers and the asker may see.
    """

    rotation: Rotation
    people: list[Held] = field(default_factory=list)
    nobody: str = ""
    next_ms: int | None = None
    following: tuple[OnCall, ...] = ()
    chain: list[str] = field(default_factory=list)
    gaps: list[Span] = field(default_factory=list)
    services: list[Entity] = field(default_factory=list)

    @property
    def critical(self) -> bool:
        """Whether a gap is an error: it covers a critical service."""
        return any(each.tier is not None and each.tier <= CRITICAL_TIER_MAX for each in self.services)

    def local(self, at_ms: int) -> str:
        """A moment by the wall clock of the rotation."""
        return f"{from_ms(at_ms).astimezone(ZoneInfo(self.rotation.timezone)):%a %d %b %H:%M %Z}"


def rotas(known: Knowledge, at_ms: int, scope: Scope) -> list[Rota]:
    """Every rotation that covers something that somebody may see; for whoever sees all, every rotation."""
    covered: dict[str, list[Entity]] = {}
    for entity in known.services:
        rotation = known.oncall.rotation_of(entity.ref)
        if rotation is not None and known.sees(scope, entity.ref):
            covered.setdefault(rotation.name, []).append(entity)
    names = [name for name in sorted(known.config.rotations) if scope is None or name in covered]
    found = [rota(known, known.config.rotations[name], at_ms) for name in names]
    for each in found:
        each.services = covered.get(each.rotation.name, [])
    return found


def rota(known: Knowledge, rotation: Rotation, at_ms: int) -> Rota:
    """One rotation at a moment."""
    chain = known.oncall.chain(rotation)
    shifts = list(_from(_schedule(rotation, at_ms), at_ms))
    found = Rota(rotation, chain=[each.name for each in chain[1:]])
    if not shifts:
        return found
    now = shifts[0]
    found.people = [Held(each, _until(shifts, each)) for each in now.people]
    found.nobody = "" if now.people else why_nobody(rotation, at_ms)
    later = next((each for each in shifts if _primary(each) != _primary(now)), None)
    if later is not None:
        found.next_ms, found.following = later.start_ms, later.people
    empty = [_spans(_from(_schedule(each, at_ms), at_ms)) for each in chain]
    found.gaps = list(_common(empty))[:GAPS_MAX]
    return found


_kept: Final[dict[int, tuple[int, Rotation, list[Shift]]]] = {}
_lock: Final = Lock()

KEPT_MAX: Final = 2_000
"""Schedules that are kept: of more rotations than any company has."""


def _schedule(rotation: Rotation, at_ms: int) -> list[Shift]:
    """The shifts from the hour of a moment on. Unfolding them is what costs, so they are kept for that hour."""
    hour = at_ms // _HOUR_MS * _HOUR_MS
    with _lock:
        kept = _kept.get(id(rotation))
        if kept is not None and kept[0] == hour and kept[1] is rotation:
            return kept[2]
    found = list(schedule(rotation, hour, hour + AHEAD_DAYS * DAY_MS))
    with _lock:
        _kept[id(rotation)] = (hour, rotation, found)
        while len(_kept) > KEPT_MAX:
            _kept.pop(next(iter(_kept)))
    return found


def _from(shifts: Iterable[Shift], at_ms: int) -> Iterator[Shift]:
    """Those that are not over at a moment."""
    return (each for each in shifts if each.end_ms > at_ms)


def _until(shifts: list[Shift], held: OnCall) -> int | None:
    place = (held.position, held.person)
    for shift in shifts:
        if place not in [(each.position, each.person) for each in shift.people]:
            return shift.start_ms
    return None


def _primary(shift: Shift) -> list[str]:
    return [each.person for each in shift.people if each.position == "primary"]


def _spans(shifts: Iterable[Shift]) -> list[Span]:
    return [(each.start_ms, each.end_ms) for each in shifts if not each.people]


def _common(several: list[list[Span]]) -> Iterator[Span]:
    """The times that are in all of several lists of spans; touching ones are one."""
    found = several[0] if several else []
    for other in several[1:]:
        found = [
            (max(one[0], two[0]), min(one[1], two[1]))
            for one in found
            for two in other
            if one[0] < two[1] and two[0] < one[1]
        ]
    merged: list[Span] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    yield from merged
