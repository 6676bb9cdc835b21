"""Who is on call: rotations map to services, hand over in local time, and can be overridden.

A rotation has layers. Of those that are on at a moment and fill the same position, the highest wins; an override that
applies wins over all of them. `OncallIndex` finds the rotation of a service, and who is called where it has nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from pipeline.core.escalation.oncall_calendar import calendar_turn_at
from pipeline.core.escalation.oncall_turns import Turn, from_ms, is_on_duty, turn_at, zone_of
from pipeline.models.catalog import Catalogue
from pipeline.models.oncall import POSITIONS, Layer, OncallOverride, Position, Rotation

FALL_BACKS_MAX: Final = 10
"""Rotations that are asked one after the other where nobody is on call."""

NEXT_IN_TURN: Final = "next in turn"


@dataclass(frozen=True, slots=True)
class OnCall:
    """One person who is on call at a moment, and why.

    Attributes:
        position: `primary`, `secondary` or `tertiary`.
        layer: name of the layer whose turn it is; "" for who stands in where no layer is on.
        because: by what, in words.
    """

    person: str
    position: Position
    rotation: str
    layer: str
    because: str


def on_call(rotation: Rotation, at_ms: int, *, ahead: int = 0) -> str | None:
    """The person on call at a moment; None where nobody is (`why_nobody` says why).

    Args:
        rotation: whose layers are asked.
        at_ms: epoch milliseconds.
        ahead: 0 for the primary, 1 for the secondary, 2 for the tertiary.
    """
    return next((each.person for each in duty(rotation, at_ms) if each.position == POSITIONS[ahead]), None)


def duty(rotation: Rotation, at_ms: int) -> tuple[OnCall, ...]:
    """Everybody who is on call at a moment, in the order of calling, each once.

    Without a layer for the secondary, the next in turn after the primary is it.
    """
    found: list[OnCall] = []
    layers = rotation.whole()
    standing = [each for each in rotation.overrides if _ms_within(each, at_ms)]
    away = {each.instead_of for each in standing if each.instead_of is not None}
    for position in POSITIONS:
        layer, turn, because = _turn_for(layers, position, at_ms)
        taken = {each.person for each in found}
        if layer is not None and turn is not None:
            away |= {person for person in turn.people if _stands_in(standing, position, person) is not None}
        found += _fill(rotation, position, layer, turn, because, standing, taken | away)
    return tuple(found)


def scheduled(rotation: Rotation, position: Position, at_ms: int) -> tuple[str, ...]:
    """Who has the turn of a position at a moment by the layers alone, whatever else they are and whoever stands in."""
    layers = [each for each in rotation.whole() if each.place == position]
    _, turn, _ = _turn_for(layers, position, at_ms)
    return turn.people if turn is not None else ()


def why_nobody(rotation: Rotation, at_ms: int) -> str:
    """Why nobody is primary at a moment, in words."""
    reasons: list[str] = []
    for layer in rotation.whole():
        if layer.place != POSITIONS[0]:
            continue
        local = from_ms(at_ms).astimezone(zone_of(layer))
        if not is_on_duty(layer, at_ms):
            reasons.append(f"layer '{layer.name}' is not on duty at {local:%A %H:%M} in {layer.timezone}")
        elif layer.calendar is not None:
            reasons.append(f"the calendar of layer '{layer.name}' has no event at {local:%Y-%m-%d %H:%M} ({local:%Z})")
    return "; ".join(reasons) or "no layer fills the primary"


def _ms_within(override: OncallOverride, at_ms: int) -> bool:
    return override.start <= from_ms(at_ms) < override.end


def _stands_in(standing: Iterable[OncallOverride], position: Position, person: str) -> OncallOverride | None:
    """The override that takes the place of a person at a position; the first that applies."""
    for each in standing:
        if each.instead_of == person or (each.instead_of is None and each.position == position):
            return each
    return None


def _turn_for(layers: Iterable[Layer], position: Position, at_ms: int) -> tuple[Layer | None, Turn | None, str]:
    """The highest layer that is on for a position, its turn and why. The secondary may be the next in turn."""
    given = [each for each in layers if each.place == position]
    for layer in given:
        if is_on_duty(layer, at_ms):
            turn = turn_at(layer, at_ms) if layer.people else calendar_turn_at(layer, at_ms)
            if turn is not None:
                return layer, turn, turn.because or f"turn in layer '{layer.name}'"
    if position == POSITIONS[1] and not given:
        before, turn, _ = _turn_for(layers, POSITIONS[0], at_ms)
        if turn is not None and turn.following:
            return before, replace(turn, people=turn.following[:1], following=turn.following[1:]), NEXT_IN_TURN
    return None, None, ""


def _fill(
    rotation: Rotation,
    position: Position,
    layer: Layer | None,
    turn: Turn | None,
    because: str,
    standing: list[OncallOverride],
    taken: set[str],
) -> Iterator[OnCall]:
    """Who fills a position: who stands in, or whose turn it is; whoever is on call already or away is passed over."""
    name = layer.name if layer is not None else ""
    whole = next((each for each in standing if each.instead_of is None and each.position == position), None)
    if whole is not None:
        yield OnCall(whole.person, position, rotation.name, name, _override_words(whole))
        return
    if turn is None:
        return
    filled: set[str] = set()
    waiting = [person for person in turn.following if person not in taken]
    for person in turn.people:
        instead = _stands_in(standing, position, person)
        here: str | None = person if instead is None else instead.person
        words = because if instead is None else _override_words(instead)
        if here in taken | filled:
            here, words = next((each for each in waiting if each not in filled), None), NEXT_IN_TURN
        if here is not None:
            filled.add(here)
            yield OnCall(here, position, rotation.name, name, words)


def _override_words(override: OncallOverride) -> str:
    instead = f" instead of {override.instead_of}" if override.instead_of else ""
    reason = f": {override.reason}" if override.reason else ""
    by = f" (arranged by {override.by})" if override.by else ""
    return f"stands in{instead} until {override.end:%Y-%m-%d %H:%M %Z}{reason}{by}"


class OncallIndex:
    """Finds the rotation of a service: its own annotation, a rotation that lists it, or its owner's."""

    def __init__(self, catalogue: Catalogue, rotations: dict[str, Rotation]) -> None:
        self._catalogue = catalogue
        self.rotations = rotations
        self.groups = catalogue.groups
        self._by_service: dict[str, Rotation] = {}
        for name in sorted(rotations):
            for service in rotations[name].services:
                self._by_service.setdefault(service.lower(), rotations[name])

    def rotation_of(self, ref: str | None) -> Rotation | None:
        """The rotation that covers an entity, or None."""
        entity = self._catalogue.entities.get(ref) if ref else None
        if entity is None:
            return None
        if entity.oncall and entity.oncall in self.rotations:
            return self.rotations[entity.oncall]
        listed = self._by_service.get(entity.ref) or self._by_service.get(entity.name.lower())
        if listed is not None:
            return listed
        group = self._catalogue.groups.get(entity.owner) if entity.owner else None
        return self.rotations.get(group.oncall) if group and group.oncall else None

    def chain(self, rotation: Rotation) -> tuple[Rotation, ...]:
        """A rotation, then those that are called where it has nobody."""
        found = {rotation.name: rotation}
        while len(found) <= FALL_BACKS_MAX:
            following = self.rotations.get(rotation.escalate_to or "")
            if following is None or following.name in found:
                break
            found[following.name] = rotation = following
        return tuple(found.values())

    def answering(self, rotation: Rotation, at_ms: int, *, ahead: int = 0) -> tuple[OnCall, ...]:
        """Who is called at a moment, falling back to `escalate_to`: all that are on call together at one step.

        Args:
            rotation: that covers the service.
            at_ms: epoch milliseconds.
            ahead: 0 for who is called first, 1 for the next step: the secondary, or the first of the fall-back.
        """
        steps: list[tuple[OnCall, ...]] = []
        seen: set[str] = set()
        for each in self.chain(rotation):
            people = [one for one in duty(each, at_ms) if one.person not in seen]
            seen |= {one.person for one in people}
            groups = (tuple(one for one in people if one.position == position) for position in POSITIONS)
            steps += [group for group in groups if group]
            if len(steps) > ahead:
                return steps[ahead]
        return ()
