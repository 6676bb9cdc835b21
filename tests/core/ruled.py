"""Benches with correlation rules, and the words of their tests."""

from __future__ import annotations

from typing import Any

from pipeline.models.correlation_rules import CorrelationRule
from pipeline.models.policy import Config
from tests.core import builders
from tests.core.builders import alert, config
from tests.core.rooms import Room

JOB: dict[str, Any] = {"join": "always", "group_by": ["labels.job"], "window": {"seconds": 600}}


def setup(**rules: dict[str, Any]) -> Config:
    made = {name.replace("_", "-"): CorrelationRule(**rule) for name, rule in rules.items()}
    return config(correlation=builders.settings(rules=made))


def strange(key: str, **fields: Any) -> Any:
    """An alert about a machine that nothing relates to any other."""
    return alert(key, **{"entity": None, "service": None, "domain": None, "host": f"h-{key}"} | fields)


def batch(key: str, job: str = "night", **fields: Any) -> Any:
    return strange(key, labels={"job": job}, **fields)


def clusters(room: Room) -> list[list[str]]:
    """Episodes by incident, as they are now."""
    found: dict[str, list[str]] = {}
    held: dict[str, str] = {}
    for event in builders.values(room.effects.outputs, "incidents"):
        held.update(dict.fromkeys(event["joined"], event["incident_id"]))
    for episode, incident in held.items():
        found.setdefault(incident, []).append(episode.removeprefix("EP-"))
    return sorted(sorted(each) for each in found.values())
