"""A company whose truth is known, and what its catalogue says of it, which is not quite the same.

The call graphs are real ones (six open-source systems: `topologies.json` of the benchmark data), copied until the
company is as large as asked. Around them: platform services that many share, providers outside, hosts in racks in
zones. The catalogue that the correlator gets lacks some edges and has some that are not there, and what is true goes
on changing over the day while it stays: instances move to other hosts, services begin to call others.

Nothing here is fitted. How much a catalogue lacks, how fast it ages, how many people use what and when a Major Incident
is declared are guesses; nobody publishes them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from pipeline.models.catalog import Catalogue, Entity, HostingModel
from pipeline.models.major import MajorIncidentRule
from pipeline.models.policy import Config, DomainPolicy, Feed

SERVICES: Final = 400
EDGE_MISSING_SHARE: Final = 0.15
EDGE_SPURIOUS_SHARE: Final = 0.05
HOST_MISSING_SHARE: Final = 0.10
MOVED_SHARE: Final = 0.10
"""Services of which one instance moves to another host in the course of a day, which the catalogue does not hear of."""
NEW_CALL_SHARE: Final = 0.04
"""Services that begin to call another in the course of a day, which the catalogue does not hear of either."""
SERVICES_PER_HOST: Final = 4
HOSTS_PER_RACK: Final = 8
ZONES: Final = 3
INSTANCES: Final = 2
PLATFORM: Final = {"auth": 0.30, "dns": 0.25, "kafka": 0.20, "object-store": 0.12, "load-balancer": 0.15}
"""Shared services, and which share of all services needs each."""
PROVIDERS: Final = {"card-payments": 0.03, "text-messages": 0.02, "maps": 0.02}
"""Services of others, and which share of ours calls each."""
TERMS: Final = (
    "checkout", "booking", "invoices", "login", "search", "tracking", "basket", "timetable", "photo upload", "chat",
    "payroll", "claims", "appointments", "catalogue", "returns", "vouchers", "reporting", "delivery notes",
)  # fmt: skip
"""What people call an application's front end."""
FEEDS: Final = {name: Feed(name=name, adapter="alertmanager") for name in ("metrics", "hosts", "apm")}
USERS_OF_TIER: Final = {1: 5_000, 2: 1_200, 3: 300, 4: 60}
DAY_MS: Final = 86_400_000
MAJOR: Final = MajorIncidentRule(users_at_least=10_000, priorities=("P1", "P2", "P3"))
"""When this company declares a Major Incident: about one failure in seven truly comes to that."""
DOMAINS: Final = {
    name: DomainPolicy(domain=name, title="Operations", major_incident=MAJOR) for name in ("operations", "default")
}
"""One policy for all: hosts, racks and zones have no domain of their own."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service as it truly is.

    Attributes:
        calls: names of the services that it truly calls.
        hosts: where its instances truly run.
        term: what people call it; only front ends have one.
    """

    name: str
    application: str
    tier: int
    users: int
    calls: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    term: str | None = None
    is_provider: bool = False

    @property
    def ref(self) -> str:
        """Its reference in the catalogue."""
        return f"component:default/{self.name}"


class Move(NamedTuple):
    """Where a service's instances run from a moment on, in milliseconds since the day began."""

    after_ms: int
    hosts: tuple[str, ...]


class NewCall(NamedTuple):
    """Who calls a service from a moment on, in milliseconds since the day began."""

    after_ms: int
    caller: str


@dataclass(frozen=True, slots=True)
class World:
    """The truth, and what is written down of it.

    Attributes:
        services: by name, as they are when the day begins.
        callers: name -> names of the services that truly call it when the day begins.
        moves: name -> where it runs later.
        new_calls: name of the callee -> who calls it later.
        rack_of: host -> rack.
        zone_of: rack -> zone.
        config: the configuration with the catalogue as people keep it.
    """

    services: Mapping[str, Service]
    callers: Mapping[str, tuple[str, ...]]
    rack_of: Mapping[str, str]
    zone_of: Mapping[str, str]
    config: Config
    moves: Mapping[str, Move] = field(default_factory=dict)
    new_calls: Mapping[str, tuple[NewCall, ...]] = field(default_factory=dict)

    def hosts_of(self, name: str, since_ms: int) -> tuple[str, ...]:
        """Where a service truly runs at a moment of the day."""
        move = self.moves.get(name)
        return self.services[name].hosts if move is None or since_ms < move.after_ms else move.hosts

    def within(self, place: str, since_ms: int) -> list[str]:
        """Services with an instance on a host, in a rack or in a zone at a moment of the day."""
        return [
            name for name in self.services if any(self.holds(place, host) for host in self.hosts_of(name, since_ms))
        ]

    def holds(self, place: str, host: str) -> bool:
        """Whether a host is the place or stands in it."""
        rack = self.rack_of[host]
        return place in (host, rack, self.zone_of[rack])

    def callers_of(self, name: str, since_ms: int) -> tuple[str, ...]:
        """Who truly calls a service at a moment of the day."""
        new = (each.caller for each in self.new_calls.get(name, ()) if since_ms >= each.after_ms)
        return (*self.callers.get(name, ()), *new)


@dataclass(slots=True)
class _Draft:
    chance: random.Random
    calls: dict[str, set[str]] = field(default_factory=dict)
    application: dict[str, str] = field(default_factory=dict)
    terms: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, application: str) -> None:
        self.calls.setdefault(name, set())
        self.application[name] = application


def make_world(topologies: Path, seed: int, services: int = SERVICES) -> World:
    """A company of about so many services.

    Args:
        topologies: the file with the call graphs.
        seed: of everything that is chance; the same seed is the same company.
        services: how many, at least; the last copy of a graph is whole.
    """
    draft = _Draft(random.Random(f"world-{seed}"))  # noqa: S311 a repeatable sequence, not a secret
    graphs = {name: each["edges"] for name, each in sorted(orjson.loads(topologies.read_bytes()).items())}
    terms = cycle(TERMS)
    for copy, graph in enumerate(cycle(graphs)):
        if len(draft.calls) >= services:
            break
        _copy(draft, graphs[graph], f"{graph}-{copy // len(graphs) + 1}", next(terms))
    _share(draft)
    hosts, rack_of, zone_of = _hosts(len(draft.calls))
    made = {name: _service(draft, name, hosts) for name in draft.calls}
    callers: dict[str, list[str]] = {}
    for name, service in made.items():
        for callee in service.calls:
            callers.setdefault(callee, []).append(name)
    catalogue = _catalogue(draft.chance, made, rack_of, zone_of)
    config = Config(version=f"world-{seed}", catalogue=catalogue, feeds=FEEDS, domains=DOMAINS)
    known = {name: tuple(each) for name, each in callers.items()}
    return World(made, known, rack_of, zone_of, config, *_drift(seed, made, hosts))


def _drift(
    seed: int, services: Mapping[str, Service], hosts: Sequence[str]
) -> tuple[dict[str, Move], dict[str, tuple[NewCall, ...]]]:
    """What changes in the course of the day, unknown to the catalogue."""
    chance = random.Random(f"drift-{seed}")  # noqa: S311 a repeatable sequence, not a secret
    own = sorted(name for name, each in services.items() if each.hosts)
    moves: dict[str, Move] = {}
    for name in chance.sample(own, round(MOVED_SHARE * len(own))):
        stays = services[name].hosts[1:]
        elsewhere = [host for host in hosts if host not in services[name].hosts]
        moves[name] = Move(chance.randrange(DAY_MS), (chance.choice(elsewhere), *stays))
    new_calls: dict[str, tuple[NewCall, ...]] = {}
    for caller in chance.sample(own, round(NEW_CALL_SHARE * len(own))):
        callee = chance.choice([name for name in own if name != caller and name not in services[caller].calls])
        new_calls[callee] = (*new_calls.get(callee, ()), NewCall(chance.randrange(DAY_MS), caller))
    return moves, new_calls


def _copy(draft: _Draft, edges: Sequence[Sequence[str]], application: str, term: str) -> None:
    for caller, callee in edges:
        names = [_name(application, each) for each in (caller, callee)]
        for name in names:
            draft.add(name, application)
        draft.calls[names[0]].add(names[1])
    fronts = sorted({caller for caller, _ in edges} - {callee for _, callee in edges})
    front = max(fronts or [edges[0][0]], key=lambda each: sum(caller == each for caller, _ in edges))
    draft.terms[_name(application, front)] = term


def _name(application: str, node: str) -> str:
    return f"{application}-{node}".lower().replace("_", "-")


def _share(draft: _Draft) -> None:
    """Platform services and providers, and who needs them."""
    own = sorted(draft.calls)
    for application, shared in (("platform", PLATFORM), ("providers", PROVIDERS)):
        for name, share in shared.items():
            draft.add(name, application)
            for caller in draft.chance.sample(own, round(share * len(own))):
                draft.calls[caller].add(name)


def _hosts(services: int) -> tuple[list[str], dict[str, str], dict[str, str]]:
    hosts = [f"node-{number:03}" for number in range(max(1, services * INSTANCES // SERVICES_PER_HOST))]
    rack_of = {host: f"rack-{number // HOSTS_PER_RACK:02}" for number, host in enumerate(hosts)}
    zone_of = {rack: f"zone-{number % ZONES}" for number, rack in enumerate(dict.fromkeys(rack_of.values()))}
    return hosts, rack_of, zone_of


def _service(draft: _Draft, name: str, hosts: Sequence[str]) -> Service:
    chance, application = draft.chance, draft.application[name]
    shared = application in ("platform", "providers")
    tier = 1 if shared else chance.choices((1, 2, 3, 4), (1, 3, 4, 2))[0]
    return Service(
        name=name,
        application=application,
        tier=tier,
        users=round(USERS_OF_TIER[tier] * chance.lognormvariate(0, 0.5)),
        calls=tuple(sorted(draft.calls[name])),
        hosts=() if application == "providers" else tuple(chance.sample(hosts, INSTANCES)),
        term=draft.terms.get(name),
        is_provider=application == "providers",
    )


def _catalogue(
    chance: random.Random, services: Mapping[str, Service], rack_of: Mapping[str, str], zone_of: Mapping[str, str]
) -> Catalogue:
    """What people have written down."""
    entities = [_component(chance, each, services) for each in services.values()]
    entities += [_resource(host, "host", rack) for host, rack in rack_of.items()]
    entities += [_resource(rack, "rack", zone) for rack, zone in zone_of.items()]
    entities += [_resource(zone, "zone") for zone in sorted(set(zone_of.values()))]
    return Catalogue(entities={each.ref: each for each in entities})


def _component(chance: random.Random, service: Service, services: Mapping[str, Service]) -> Entity:
    names = sorted(services)
    written = [callee for callee in service.calls if chance.random() >= EDGE_MISSING_SHARE]
    if chance.random() < EDGE_SPURIOUS_SHARE * max(1, len(service.calls)):
        written.append(chance.choice(names))
    hosts = [host for host in service.hosts if chance.random() >= HOST_MISSING_SHARE]
    needs = (
        *(services[name].ref for name in dict.fromkeys(written) if name != service.name),
        *(f"resource:default/{host}" for host in hosts),
    )
    return Entity(
        ref=service.ref,
        kind="component",
        name=service.name,
        title=service.name,
        owner=f"team-{service.application}",
        system=service.application,
        domain="operations",
        depends_on=needs,
        tier=service.tier,
        users=service.users,
        aliases=() if service.term is None else (service.term,),
        hosting_model=HostingModel.SAAS if service.is_provider else HostingModel.CLOUD,
        infrastructure_layer="application",
    )


def _resource(name: str, kind: str, *needs: str) -> Entity:
    depends_on = tuple(f"resource:default/{need}" for need in needs)
    return Entity(
        ref=f"resource:default/{name}", kind="resource", type=kind, name=name, title=name, depends_on=depends_on
    )
