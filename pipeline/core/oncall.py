"""Who is on call: rotations map to services, hand over in local time, and can be overridden."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.models.catalog import Catalogue
from pipeline.models.oncall import Rotation


def on_call(rotation: Rotation, at_ms: int, *, ahead: int = 0) -> str:
    """The person on call at a moment.

    Args:
        rotation: people take turns of equal length from a first hand-off; turns follow the local wall clock,
            so a hand-off at 09:00 stays at 09:00 over daylight saving shifts.
        at_ms: epoch milliseconds.
        ahead: 0 for the primary, 1 for the next in turn (the secondary).
    """
    moment = datetime.fromtimestamp(at_ms / 1_000, UTC)
    if ahead == 0:
        for override in rotation.overrides:
            if override.start <= moment < override.end:
                return override.person
    zone = ZoneInfo(rotation.timezone)
    wall = moment.astimezone(zone).replace(tzinfo=None)
    first = rotation.start.astimezone(zone).replace(tzinfo=None)
    turn = (wall - first) // timedelta(days=rotation.turn_days)
    return rotation.people[(turn + ahead) % len(rotation.people)]


class OncallIndex:
    """Finds the rotation of a service: its own annotation, a rotation that lists it, or its owner's."""

    def __init__(self, catalogue: Catalogue, rotations: dict[str, Rotation]) -> None:
        self._catalogue = catalogue
        self.rotations = rotations
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
