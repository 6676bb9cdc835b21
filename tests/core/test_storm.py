"""A storm: 12,000 conditions of one failure are one incident, which no recovery is lost to.

Played from raw messages through the deciding stages, with a restart of all workers on the way. Costs are counted in
calls and bytes, which are the same on every machine.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import pytest

from pipeline.core.step import StreamRecord
from pipeline.models.catalog import Catalogue, Entity
from pipeline.models.incident import NAMED_MAX
from pipeline.models.policy import Config
from pipeline.replay import STAGES, Replay, Step
from tests.core.builders import HOUR, T0, entity

HOSTS: Final = 40
SERVICES: Final = 300
CONDITIONS: Final = 12_000
ALERTS_OF_A_MESSAGE: Final = 20
MILLISECONDS_BETWEEN: Final = 10
SEED: Final = 6
NOT_OVER: Final = "0001-01-01T00:00:00Z"
COSTS_AT_MOST: Final = 2.0


def one_rack(services: int) -> Config:
    """Services on the hosts of one rack."""
    rack = entity("resource:default/rack-1", type="rack")
    hosts = [entity(f"resource:default/host-{number}", type="host", depends_on=(rack.ref,)) for number in range(HOSTS)]
    known: list[Entity] = [rack, *hosts]
    for number in range(services):
        on = hosts[number % HOSTS].ref
        known.append(entity(f"component:default/svc-{number}", users=number, depends_on=(on,)))
    return Config(version="rack", catalogue=Catalogue(entities={each.ref: each for each in known}))


def spelled(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Storm:
    """A failure under way, and what was told of it."""

    services: int = SERVICES
    now_ms: int = T0
    offset: int = 0
    replay: Replay = field(init=False)
    state: dict[str, dict[bytes, bytes | None]] = field(default_factory=lambda: {stage: {} for stage in STAGES})
    decided: Counter[tuple[str, str]] = field(default_factory=Counter)
    incidents: dict[str, dict[str, Any]] = field(default_factory=dict)
    joined: set[str] = field(default_factory=set)
    cleared: list[str] = field(default_factory=list)
    changes: Counter[str] = field(default_factory=Counter)
    told_bytes: int = 0
    costs: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.replay = Replay(one_rack(self.services))

    def send(
        self, conditions: Iterable[int], *, severity: str = "critical", over: bool = False, named: str = ""
    ) -> None:
        """One message of the monitor. What it costs is kept under a name: calls of functions in Python and in C, and
        bytes that it writes about incidents.
        """
        alerts = [self._alert(number, severity, over=over) for number in conditions]
        value = orjson.dumps({"version": "4", "status": alerts[0]["status"], "alerts": alerts})
        record = StreamRecord("alerts.raw.alertmanager", 0, self.offset, self.now_ms, None, value)
        self.offset += 1
        self.now_ms += MILLISECONDS_BETWEEN * len(alerts)
        before, count = self.told_bytes, 0

        def called(frame: object, event: str, argument: object) -> None:
            nonlocal count
            count += event in {"call", "c_call"}

        profiler = sys.getprofile()
        sys.setprofile(called if named else profiler)
        try:
            self._note(self.replay.steps([record]))
        finally:
            sys.setprofile(profiler)
        if named:
            self.costs[named] = count, self.told_bytes - before

    def wait(self, span_ms: int) -> None:
        """Time passes."""
        self.now_ms += span_ms
        self._note(self.replay.steps([], run_on_seconds=span_ms // 1_000))

    def restart(self) -> None:
        """Every worker dies; others go on from what the changelogs hold."""
        fresh = Replay(one_rack(self.services))
        for stage, state in self.state.items():
            for key, value in state.items():
                if value is not None:
                    fresh.processors[stage].restore(key, value)
            fresh.processors[stage].restored()
        self.replay.processors.update(fresh.processors)

    def _alert(self, number: int, severity: str, *, over: bool) -> dict[str, Any]:
        began_ms = T0 + number * MILLISECONDS_BETWEEN
        service, check = number % self.services, number // self.services
        return {
            "status": "resolved" if over else "firing",
            "labels": {"alertname": f"Check{check}", "service": f"svc-{service}", "severity": severity},
            "annotations": {"summary": f"check {check} of svc-{service} fails"},
            "startsAt": spelled(began_ms),
            "endsAt": spelled(self.now_ms) if over else NOT_OVER,
            "fingerprint": f"{number:016x}",
        }

    def _note(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self.decided.update((each.disposition.value, each.reason.value) for each in step.decisions)
            for event in step.events:
                self.told_bytes += len(event.value or b"")
                self._read(orjson.loads(event.value or b""))
            for stage, processor in self.replay.processors.items():
                self.state[stage].update(processor.take_changes())
        outcome = self.replay.outcome
        outcome.decisions.clear()
        outcome.events.clear()
        assert not outcome.dead_letters
        assert self.replay.remainder() == 0

    def _read(self, event: dict[str, Any]) -> None:
        if event["incident"]["kind"] == "bridge":
            return  # it is a Major Incident, too
        self.incidents[event["incident_id"]] = event["incident"]
        self.joined.update(event["joined"])
        self.changes[event["change"]] += 1
        self.cleared += [each["facts"]["episode_id"] for each in event["entries"] if each["action"] == "clear"]

    def one(self) -> dict[str, Any]:
        (incident,) = self.incidents.values()
        return incident


def in_messages(conditions: list[int]) -> list[list[int]]:
    return [conditions[at : at + ALERTS_OF_A_MESSAGE] for at in range(0, len(conditions), ALERTS_OF_A_MESSAGE)]


def at_most_twice(costs: tuple[int, int], early: tuple[int, int]) -> bool:
    return all(now <= COSTS_AT_MOST * then for now, then in zip(costs, early, strict=True))


@pytest.fixture(scope="module")
def storm() -> Storm:
    """All 12,000 fire, and some get better."""
    under_way, messages = Storm(), in_messages(list(range(CONDITIONS)))
    when = {2 * SERVICES // ALERTS_OF_A_MESSAGE: "early", len(messages) - 1: "late"}
    for number, message in enumerate(messages):
        under_way.send(message, named=when.get(number, ""))
    under_way.send(messages[7], severity="warning", named="severity")
    return under_way


def test_twelve_thousand_conditions_of_one_failure_are_one_incident_and_no_recovery_is_lost(storm: Storm) -> None:
    assert storm.decided["opened", "first_symptom"] == 1
    assert sum(count for (became, _), count in storm.decided.items() if became != "joined") == 1
    incident = storm.one()
    assert (incident["episodes_total"], incident["episodes_open"]) == (CONDITIONS, CONDITIONS)
    assert (incident["services_total"], len(incident["services"])) == (SERVICES, NAMED_MAX)
    assert len(storm.joined) == CONDITIONS

    order = list(range(CONDITIONS))
    random.Random(SEED).shuffle(order)  # noqa: S311 a repeatable order, not a secret
    *recovering, last = order
    for number, message in enumerate(in_messages(recovering)):
        if number == CONDITIONS // ALERTS_OF_A_MESSAGE // 2:
            storm.restart()
        storm.send(message, over=True, named="recovery" if number == 1 else "")
    assert len(storm.cleared) == len(set(storm.cleared)) == CONDITIONS - 1

    storm.wait(6 * HOUR)
    late = storm.one()
    assert (late["state"], late["episodes_open"], late["resolve_at_ms"]) == ("escalated", 1, None)
    assert storm.changes["resolved"] == 0, "one condition fires still"

    storm.send([last], over=True)
    storm.wait(HOUR // 4)
    assert set(storm.cleared) == storm.joined
    resolved = storm.one()
    assert (resolved["state"], resolved["episodes_open"], resolved["episodes_total"]) == ("resolved", 0, CONDITIONS)
    assert storm.changes["resolved"] == 1
    assert storm.decided["joined", "episode_resolved"] == CONDITIONS

    assert at_most_twice(storm.costs["recovery"], storm.costs["early"])


@pytest.mark.parametrize("when", ["late", "severity"])
def test_what_comes_late_in_the_storm_costs_what_an_early_alert_does(storm: Storm, when: str) -> None:
    assert at_most_twice(storm.costs[when], storm.costs["early"])


def test_one_more_of_thousands_of_services_costs_what_one_of_hundreds_does() -> None:
    thousands = 3_000
    under_way, messages = Storm(services=thousands), in_messages(list(range(thousands)))
    when = {2 * NAMED_MAX // ALERTS_OF_A_MESSAGE: "early", len(messages) - 1: "late"}
    for number, message in enumerate(messages):
        under_way.send(message, named=when.get(number, ""))
    assert under_way.one()["entities_total"] == thousands
    assert at_most_twice(under_way.costs["late"], under_way.costs["early"])
