"""A bench for correlate, with the words of its tests."""

from __future__ import annotations

from typing import Any

from pipeline.core.step import Output
from pipeline.models.alert import Alert
from pipeline.models.policy import Config
from tests.core.builders import T0, WIKI, Bench, alert, opened, values


class Room(Bench):
    """Correlate on a bench."""

    def __init__(self, setup: Config | None = None) -> None:
        super().__init__("correlate", setup)

    def open(self, about: Alert, at_ms: int = T0, **fields: Any) -> list[Output]:
        return self.put("episodes", opened(about, at_ms, **fields), at_ms)

    def news(self, key: str, what: str, at_ms: int, **fields: Any) -> list[Output]:
        return self.put("episodes", opened(alert(key, **fields), at_ms, change=what), at_ms)

    def ask(self, kind: str, at_ms: int, command_id: str = "", **fields: Any) -> list[Output]:
        target = fields.pop("target", {"service": "shop"})
        name = command_id or f"{kind}-{at_ms}-{self._offset}"
        value = {"command_id": name, "type": kind, "actor": "ann", "target": target, **fields}
        return self.put("commands", value, at_ms)

    def incidents(self) -> dict[str, dict[str, Any]]:
        """The newest snapshot of each incident with its whole timeline, in order of first appearance."""
        found: dict[str, dict[str, Any]] = {}
        for each in values(self.effects.outputs, "incidents"):
            earlier = found.get(each["incident_id"], {"timeline": []})["timeline"]
            found[each["incident_id"]] = each["incident"] | {"timeline": [*earlier, *each["entries"]]}
        return found

    def one(self) -> dict[str, Any]:
        (incident,) = self.incidents().values()
        return incident


def actions(incident: dict[str, Any]) -> list[str]:
    return [each["action"] for each in incident["timeline"]]


def two_incidents() -> tuple[Room, str, str]:
    room = Room()
    room.open(alert("a"))
    room.open(alert("w", entity=WIKI, service=WIKI, domain="office"), T0 + 1)
    first, second = room.incidents()
    return room, first, second
