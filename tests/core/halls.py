"""A bench for the bridge, with the words of its tests."""

from __future__ import annotations

from typing import Any

from pipeline.core.step import Output
from pipeline.models.major import MajorIncidentRule
from pipeline.models.summary import Summary
from tests.core.builders import MAJOR, T0, Bench, config, policy, topology, values

GRAPH = topology()


def summary(incident_id: str, ref: str, *, users: int = 6_000, system: str = "store", **fields: Any) -> Summary:
    """What the bridge is told of an incident about an entity."""
    given: dict[str, Any] = {
        "space": "production",
        "domain": "shop",
        "state": "logged",
        "revision": 1,
        "title": f"{incident_id} hurts",
        "priority": "P1",
        "service": ref,
        "owner": "team",
        "entities": [ref],
        "services": [ref],
        "depends": [each for each in GRAPH.reach(ref) if GRAPH.hosting(each) is None],
        "suspects": [],
        "identified": None,
        "regulatory": [],
        "impacts": {ref: (system, users, 100.0, system)},
        "tickets": 0,
        "at_ms": T0,
    }
    return Summary(incident_id=incident_id, **(given | fields))


class Hall(Bench):
    """The bridge on a bench."""

    def __init__(self, **rule: Any) -> None:
        major = MajorIncidentRule(**rule) if rule else MAJOR
        super().__init__("bridge", config(domains={"shop": policy(major_incident=major)}))

    def tell(self, incident_id: str, ref: str, at_ms: int = T0, **fields: Any) -> list[Output]:
        return self.put("incidents.summaries", summary(incident_id, ref, **fields), at_ms)

    def ask(self, kind: str, at_ms: int, **fields: Any) -> list[Output]:
        """A commander asks something of the first bridge incident, or of the one that is named."""
        named = fields.pop("bridge", None) or next(iter(self.bridges()), "MI-NONE")
        value = {
            "command_id": f"{kind}-{at_ms}",
            "type": kind,
            "actor": "ann",
            "role": "commander",
            "target": {"incident_id": named},
            **fields,
        }
        return self.put("bridge.commands", value, at_ms)

    def bridges(self) -> dict[str, dict[str, Any]]:
        return {each["incident_id"]: each["incident"] for each in values(self.effects.outputs, "incidents")}

    def one(self) -> dict[str, Any]:
        (bridge,) = self.bridges().values()
        return bridge

    def newest(self) -> dict[str, Any]:
        return list(self.bridges().values())[-1]

    def told(self) -> list[str]:
        """All that stands on timelines, in words."""
        return [entry["text"] for each in values(self.effects.outputs, "incidents") for entry in each["entries"]]

    def sent(self, kind: str = "") -> list[tuple[str, str]]:
        """Commands to members: what and to whom."""
        found = [(each["type"], each["target"]["incident_id"]) for each in values(self.effects.outputs, "commands")]
        return [each for each in found if not kind or each[0] == kind]
