"""An inverted index: which incidents hold a name (a condition, an entity, a word), in the order of taking it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice


class Holders:
    """Name -> the incidents that hold it.

    Most names have one holder, which is kept without a container: one string instead of a dictionary of 200 bytes.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[str, str | dict[str, None]] = {}

    def add(self, name: str, incident_id: str) -> None:
        """Note that an incident holds a name; one that did already keeps its place."""
        self.enter((name,), incident_id)

    def enter(self, names: Iterable[str], incident_id: str) -> None:
        """Note that an incident holds names, as `add` does for one."""
        held = self._held
        for name in names:
            known = held.setdefault(name, incident_id)
            if known is incident_id:
                continue
            if isinstance(known, dict):
                known.setdefault(incident_id)
            elif known != incident_id:
                held[name] = {known: None, incident_id: None}

    def drop(self, name: str, incident_id: str) -> None:
        """Note that an incident no longer holds a name; nothing happens where it did not."""
        known = self._held.get(name)
        if isinstance(known, dict):
            known.pop(incident_id, None)
            if len(known) == 1:
                (self._held[name],) = known
        elif known == incident_id:
            del self._held[name]

    def holds(self, name: str, incident_id: str) -> bool:
        """Whether an incident holds a name."""
        known = self._held.get(name)
        return incident_id in known if isinstance(known, dict) else incident_id == known

    def newest(self, name: str, limit: int) -> list[str]:
        """The incidents that took a name last, newest first, at most ``limit``."""
        known = self._held.get(name)
        if known is None:
            return []
        return list(islice(reversed(known), limit)) if isinstance(known, dict) else [known]

    def gather(self, names: Iterable[str], limit: int, into: dict[str, None]) -> None:
        """Add the incidents of `newest` of several names to a set."""
        held = self._held
        for name in names:
            known = held.get(name)
            if known is None:
                continue
            if isinstance(known, dict):
                into.update(known if len(known) <= limit else dict.fromkeys(islice(reversed(known), limit)))
            else:
                into[known] = None

    def all(self) -> dict[str, list[str]]:
        """Every name with its incidents, in the order of taking it."""
        return {name: [known] if isinstance(known, str) else list(known) for name, known in self._held.items()}
