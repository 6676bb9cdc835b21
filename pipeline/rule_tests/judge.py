"""Judges what a case came to: every difference from what was expected, as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

from pipeline.rule_tests.cases import Case, IncidentExpected
from pipeline.rule_tests.play import Played, Shown

_FACTS = ("priority", "title", "state", "owner")


def differences(case: Case, played: Played, resolve: Callable[[str], str | None]) -> list[str]:
    """What is not as expected; nothing where all is.

    Args:
        case: what was expected.
        played: what it came to.
        resolve: reference of the entity that a name means.
    """
    expect = case.expect
    found = [f"alert {name} cannot be read: {why}" for name, why in sorted(played.refused.items())]
    if expect.incidents is not None:
        found += _of_incidents(expect.incidents, played, resolve)
    found += [f"alert {name} shall be in no incident, and is in {_where(name, played)}" for name in expect.none
              if _holder(name, played) is not None]  # fmt: skip
    for names in expect.together:
        first = _holder(names[0], played) if names else None
        if first is None or any(_holder(name, played) is not first for name in names):
            found.append(f"{', '.join(names)} shall be in one incident: {_places(names, played)}")
    for names in expect.apart:
        for one, other in combinations(names, 2):
            holder = _holder(one, played)
            if holder is not None and holder is _holder(other, played):
                found.append(f"{one} and {other} shall be apart, and are both in {_called(holder)}")
    return found


def _of_incidents(
    expected: tuple[IncidentExpected, ...], played: Played, resolve: Callable[[str], str | None]
) -> Iterator[str]:
    left = {shown.alerts: shown for shown in played.incidents}
    for incident in expected:
        names = tuple(sorted(set(incident.alerts)))
        shown = left.pop(names, None)
        if shown is None:
            yield f"one incident of {', '.join(names)} is expected: {_places(names, played)}"
        else:
            yield from _of_one(incident, shown, resolve)
    wanted = {name for incident in expected for name in incident.alerts}
    for shown in left.values():
        if not wanted.intersection(shown.alerts):  # else it is told above
            yield f"{_called(shown)} is not expected: {', '.join(shown.alerts)}"


def _of_one(incident: IncidentExpected, shown: Shown, resolve: Callable[[str], str | None]) -> Iterator[str]:
    for fact in _FACTS:
        wanted = getattr(incident, fact)
        if wanted is not None and shown.facts[fact] != wanted:
            yield f"incident of {', '.join(shown.alerts)}: {fact} is {shown.facts[fact]!r}, expected {wanted!r}"
    if incident.service is not None:
        wanted = resolve(incident.service) or incident.service
        if shown.facts["service"] != wanted:
            yield f"incident of {', '.join(shown.alerts)}: service is {shown.facts['service']!r}, expected {wanted!r}"


def _holder(name: str, played: Played) -> Shown | None:
    return next((shown for shown in played.incidents if name in shown.alerts), None)


def _where(name: str, played: Played) -> str:
    holder = _holder(name, played)
    return _called(holder) if holder is not None else "none"


def _places(names: tuple[str, ...], played: Played) -> str:
    """Where alerts are instead."""
    said: dict[str, list[str]] = {}
    for name in names:
        holder = _holder(name, played)
        if holder is not None:
            others = [other for other in holder.alerts if other not in names]
            place = f"in {_called(holder)}" + (f" with {', '.join(others)}" if others else "")
        else:
            place = f"in none, {played.outside.get(name, 'nothing is known of it')}"
        said.setdefault(place, []).append(name)
    return "; ".join(f"{', '.join(each)} {'is' if len(each) == 1 else 'are'} {place}" for place, each in said.items())


def _called(shown: Shown) -> str:
    return f"{shown.facts['id']} ({shown.facts['title']})"
