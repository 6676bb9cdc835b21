"""How simulated faults compare with the real ones, in what the real data can tell: alerts, components, spans.

Quantiles over faults or components: 25 %, 50 %, 75 % and 95 %. Both by the first alert of each condition. The real
monitors watched every figure of every process of two small systems, for ten minutes after each injection; so many
alerts of so many components are no company's rules, and what took longer was not seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Final, NamedTuple

import orjson

from benchmarks.quality.days import Case, Row, make_case
from benchmarks.quality.real import System, read_systems
from benchmarks.quality.stream import NOISE

CUTS: Final = (25, 50, 75, 95)
NAMES: Final = {
    "alerts": "alerts a fault",
    "components": "components a fault",
    "each": "alerts a component",
    "first_s": "a component's first alert, s after the fault's first",
    "later_s": "its other alerts, s after its first",
    "span_s": "last alert, s after the fault's first",
}


class Heard(NamedTuple):
    """A condition of a fault, when it was first told."""

    at_ms: int
    component: str


def real_rows(folder: Path) -> list[Row]:
    """One row for each real system."""
    return [_row(system.name, _real(system)) for system in read_systems(folder)]


def simulated_rows(topologies: Path, seeds: Sequence[int], level: str = "busy") -> list[Row]:
    """One row for the simulated days together."""
    faults = [fault for seed in seeds for fault in _simulated(make_case(topologies, level, seed))]
    return [_row(f"simulated, {level}", faults)]


def _real(system: System) -> Iterable[list[Heard]]:
    for fault in system.faults:
        first: dict[str, Heard] = {}
        for alert in fault.alerts:
            component = alert.labels.get("pod") or alert.labels.get("service") or alert.labels["host"]
            first.setdefault(f"{alert.kind}/{alert.identity}", Heard(alert.at_ms, component))
        yield list(first.values())


def _simulated(case: Case) -> Iterable[list[Heard]]:
    first: dict[str, dict[str, Heard]] = {}
    for record in case.told.records:
        name = case.told.truth[record.topic, record.offset, 0]
        for alert in orjson.loads(record.value or b"").get("alerts", ()) if name != NOISE else ():
            _, _, component, _ = alert["fingerprint"].rsplit("/", 3)
            first.setdefault(name, {}).setdefault(alert["fingerprint"], Heard(record.timestamp, component))
    return [list(each.values()) for each in first.values()]


def _row(name: str, faults: Iterable[list[Heard]]) -> Row:
    found: dict[str, list[float]] = {figure: [] for figure in NAMES}
    for heard in faults:
        begin_ms = min(each.at_ms for each in heard)
        by_component: dict[str, list[int]] = {}
        for each in heard:
            by_component.setdefault(each.component, []).append(each.at_ms)
        found["alerts"].append(len(heard))
        found["components"].append(len(by_component))
        found["span_s"].append((max(each.at_ms for each in heard) - begin_ms) / 1_000)
        for times in by_component.values():
            first_ms = min(times)
            found["each"].append(len(times))
            found["first_s"].append((first_ms - begin_ms) / 1_000)
            found["later_s"] += [(at_ms - first_ms) / 1_000 for at_ms in sorted(times)[1:]]
    return {"fit": name, "faults": len(found["alerts"]), **{figure: _cuts(each) for figure, each in found.items()}}


def _cuts(values: Sequence[float]) -> list[float]:
    if len(values) < 2:
        return [round(value, 1) for value in values] * len(CUTS)
    cut = quantiles(values, n=100, method="inclusive")
    return [round(cut[percent - 1], 1) for percent in CUTS]
