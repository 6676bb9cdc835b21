"""Real alerts of real faults: two systems in which faults were injected while monitors watched.

Reads the data set that docs/quality.md names, which is not in this repository: for each fault its metric, trace and
log alerts, and for each system a graph of services, instances and hosts. Metric and trace times are epoch
milliseconds; the lines of logs are in local time, UTC+8, without saying so.

An alert becomes a record as Alertmanager would send it, by one feed a kind. The data does not say when a condition was
over, so the feeds expire what falls silent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from pipeline.models.catalog import Catalogue, Entity
from pipeline.models.policy import Config, Feed

SYSTEMS: Final = ("MicroSS", "Online-Boutique-cloudbed-1")
LOG_ZONE: Final = timezone(timedelta(hours=8))
KINDS: Final = ("metrics", "traces", "logs")
TTL_SECONDS: Final = 900
"""Longer than any fault was watched (ten minutes), so that nothing expires within its fault."""
WORDS_MAX: Final = 300
INSTANCE_TYPES: Final = ("Service_Instance", "Cache_Instance")
CALLS: Final = ("control_flow", "data_flow", "registers_with")
FEEDS: Final = {kind: Feed(name=kind, adapter="alertmanager", ttl_seconds=TTL_SECONDS) for kind in KINDS}


class RealAlert(NamedTuple):
    """One alert of the data.

    Attributes:
        kind: metrics, traces or logs: its feed.
        identity: what the condition is, within its system.
    """

    at_ms: int
    kind: str
    identity: str
    name: str
    words: str
    severity: str
    labels: Mapping[str, str]


class RealFault(NamedTuple):
    """A fault that was injected, with its alerts in order of time."""

    name: str
    alerts: tuple[RealAlert, ...]


@dataclass(frozen=True, slots=True)
class System:
    """A system that was watched."""

    name: str
    entities: tuple[Entity, ...]
    faults: tuple[RealFault, ...]


class DataError(Exception):
    """The data is not there, or is not what is expected; the message is one line."""


def read_systems(folder: Path) -> list[System]:
    """All systems of the data set that are there.

    Raises:
        DataError: none is, or a file of one is missing or not to be read.
    """
    found = [folder / name for name in SYSTEMS if (folder / name).is_dir()]
    if not found:
        raise DataError(f"{folder} holds none of {', '.join(SYSTEMS)}: give the folder of the rca-alerts data set")
    return [read_system(each) for each in found]


def read_system(folder: Path) -> System:
    """One system: its graph as a catalogue, and its faults.

    Raises:
        DataError: a file is missing or not to be read.
    """
    graph = _Graph(_load(folder / "knowledge-graph.json"))
    rows = {kind: _load(folder / f"{kind}.json") for kind in KINDS}
    graph.addresses = _addresses(rows["metrics"], graph)
    readers = {"metrics": _metric, "traces": _trace, "logs": _log}
    faults = []
    for number in dict.fromkeys(name for kind in KINDS for name in rows[kind]):
        alerts = [readers[kind](row, graph) for kind in KINDS for row in rows[kind].get(number, ())]
        if alerts:
            faults.append(RealFault(f"{folder.name}-{number}", tuple(sorted(alerts, key=lambda each: each[:3]))))
    return System(folder.name, tuple(graph.entities(folder.name)), tuple(faults))


def config_of(systems: Sequence[System]) -> Config:
    """The configuration under which alerts of these systems are correlated: nothing but catalogue and feeds."""
    entities = {entity.ref: entity for system in systems for entity in system.entities}
    return Config(version="real", catalogue=Catalogue(entities=entities), feeds=FEEDS)


def _load(path: Path) -> dict[str, Any]:
    try:
        loaded = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise DataError(f"{path}: {error}") from error
    if not isinstance(loaded, dict):
        raise DataError(f"{path}: an object is expected, by fault")
    return loaded


class _Graph:
    """The graph of one system, and the names that its alerts use.

    Attributes:
        addresses: address of a host -> its name in the graph.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.types: dict[str, str] = {node["id"]: node["type"] for node in document["nodes"]}
        self.addresses: dict[str, str] = {}
        self.service_of: dict[str, str] = {}
        self.host_of: dict[str, str] = {}
        self._calls: dict[str, list[str]] = {}
        for edge in document["edges"]:
            source, target, label = edge["source"], edge["target"], edge["label"]
            if label == "instance_of":
                self.service_of[source] = target
            elif label == "hosted_on":
                self.host_of[source] = target
            elif label in CALLS and source != target:
                self._calls.setdefault(source, []).append(target)

    def entities(self, system: str) -> Iterator[Entity]:
        """The graph as a catalogue: services need what they call and their instances, instances their host."""
        instances: dict[str, list[str]] = {}
        for instance, service in self.service_of.items():
            instances.setdefault(service, []).append(instance)
        addresses = {host: address for address, host in self.addresses.items()}
        for name, type_ in self.types.items():
            hosted = [self.host_of[name]] if name in self.host_of else []
            needs = [*self._calls.get(name, ()), *instances.get(name, ()), *hosted]
            kind, _, _ = self.ref(name).partition(":")
            yield Entity(
                ref=self.ref(name),
                kind=kind,
                name=name,
                title=name,
                type=type_.lower(),
                system=system.lower(),
                depends_on=tuple(self.ref(need) for need in dict.fromkeys(needs)),
                aliases=(addresses[name],) if name in addresses else (),
            )

    def ref(self, name: str) -> str:
        """Reference of a node: what runs on something is a component, hosts and instances are resources."""
        kind = "resource" if self.types.get(name) in ("Host", *INSTANCE_TYPES) else "component"
        return f"{kind}:default/{name}"

    def labels(self, name: str, host: str | None = None) -> dict[str, str]:
        """The labels that an alert about a node carries, as a monitor in a cluster sets them."""
        labels: dict[str, str] = {}
        if name in self.service_of:
            labels = {"service": self.service_of[name], "pod": name}
        elif self.types.get(name) == "Host" or name in self.addresses:
            labels = {"host": self.addresses.get(name, name)}
        else:
            labels = {"service": name}
        where = self.host_of.get(name) if host is None else self.addresses.get(host, host)
        return labels | ({"host": where} if where and self.types.get(where) == "Host" else {})


def _addresses(metrics: Mapping[str, Any], graph: _Graph) -> dict[str, str]:
    """Address -> host: alerts name hosts by address, the graph by name; most instances there tell which is which."""
    seen: dict[str, Counter[str]] = {}
    for rows in metrics.values():
        for _, instance, address, *_ in rows:
            host = graph.host_of.get(instance)
            if host is not None and address is not None and address not in graph.types:
                seen.setdefault(address, Counter())[host] += 1
    return {address: min(hosts, key=lambda host: (-hosts[host], host)) for address, hosts in seen.items()}


def _metric(row: Sequence[Any], graph: _Graph) -> RealAlert:
    at, instance, host, metric, direction = row[:5]
    return RealAlert(
        at_ms=int(at),
        kind="metrics",
        identity=f"{instance}/{host}/{metric}/{direction}",
        name=f"{metric} {direction}",
        words=f"{metric} of {instance} is {direction}",
        severity="warning",
        labels=graph.labels(instance, host),
    )


def _trace(row: Sequence[Any], graph: _Graph) -> RealAlert:
    at, caller, callee, url, kind = row[:5]
    slow = kind == "PD"
    return RealAlert(
        at_ms=int(at),
        kind="traces",
        identity=f"{caller}/{callee}/{url}/{kind}",
        name="calls are slow" if slow else f"calls answer {kind}",
        words=f"{caller} calls {callee}: {url} {'is slow' if slow else f'answers {kind}'}",
        severity="warning" if slow else "error",
        labels=graph.labels(caller),
    )


def _log(row: Sequence[Any], graph: _Graph) -> RealAlert:
    instance, template, lines = row[:3]
    moment, _, text = lines[0].partition("|")
    local = datetime.fromisoformat(moment.strip().replace(",", ".")).replace(tzinfo=LOG_ZONE)
    return RealAlert(
        at_ms=round(local.timestamp() * 1_000),
        kind="logs",
        identity=f"{instance}/{template}",
        name=f"log template {template}",
        words=f"{instance}: {text.strip()}"[:WORDS_MAX],
        severity="error" if "error" in text.lower() else "warning",
        labels=graph.labels(instance),
    )
