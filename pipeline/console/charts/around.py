"""Which part of the dependency graph is drawn: around an incident, around a service, or a whole domain."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, Protocol

from markupsafe import Markup

from pipeline.console.charts.frame import Frame
from pipeline.console.charts.graph import Edge, Node, graph
from pipeline.console.identity import Scope
from pipeline.console.knowledge import Knowledge, service_href

AROUND_MAX: Final = 24
"""Boxes around an incident or a service: what fits on a screen."""

NEIGHBOURS_MAX: Final = 8
"""Of what it needs and of what needs it, each: the others are in the list of the service."""

SEVERE_RANK: Final = 1
"""Priorities up to this place of their scale make a service count as down."""


class Health(Protocol):
    """How a service is: open incidents, and the priority of the most urgent one."""

    @property
    def total(self) -> int: ...  # noqa: D102  # a member of a protocol
    @property
    def priority(self) -> str | None: ...  # noqa: D102
    @property
    def priority_rank(self) -> int | None: ...  # noqa: D102


States = Mapping[str, Health]
"""Reference -> how a service is; of what somebody may not see nothing."""


def around_incident(
    known: Knowledge, incident: Mapping[str, Any], scope: Scope, *, alerting: Collection[str]
) -> Markup:
    """What an incident is about, what that needs, what needs it, and who is suspected, as one picture.

    Args:
        known: the company.
        incident: its snapshot.
        scope: of whoever looks: services outside are drawn, and lead nowhere.
        alerting: entities with an episode that is open; of an incident that is over those that had one.
    """
    service = _text(incident.get("service"))
    suspects = [each for each in _list(incident.get("suspects")) if isinstance(each, dict) and _text(each.get("ref"))]
    chosen = dict.fromkeys([service] if service else [])
    chosen.update(dict.fromkeys(each["ref"] for each in suspects))
    chosen.update(dict.fromkeys(each for each in _list(incident.get("entities")) if isinstance(each, str)))
    for suspect in suspects if service else []:
        chosen.update(dict.fromkeys(known.topology.path(service, suspect["ref"])))
    if service:
        chosen.update(dict.fromkeys(known.topology.depends_on(service)[:NEIGHBOURS_MAX]))
        chosen.update(dict.fromkeys(known.topology.dependents(service)[:NEIGHBOURS_MAX]))
    refs = [ref for ref in chosen if ref in known.topology.entities][:AROUND_MAX]
    ranked = {each["ref"]: (rank, each) for rank, each in enumerate(suspects, 1)}
    nodes = []
    for ref in refs:
        rank, suspect = ranked.get(ref, (0, {}))
        kinds = {
            "service": ref == service,
            "alerting": ref in alerting,
            "suspect": bool(rank),
            "identified": ref == incident.get("identified"),
            "change": bool(suspect.get("change_id")),
        }
        why = tuple(str(each) for each in _list(suspect.get("because")))
        if suspect.get("change_id"):
            why += (f"change {suspect['change_id']}",)
        nodes.append(_node(known, ref, scope, tuple(kind for kind, holds in kinds.items() if holds), rank, why))
    name = known.title(service) if service else str(incident.get("title") or incident.get("id"))
    frame = Frame(f"around-{incident.get('id')}", f"Around {name}", summary=_suspects_said(known, suspects))
    return graph(frame, nodes, _edges(known, refs, set(ranked)))


def around_service(known: Knowledge, ref: str, scope: Scope, health: States) -> Markup:
    """A service, what it needs down to three hops, and what needs it."""
    topology = known.topology
    needs = list(topology.reach(ref))
    chosen = list(dict.fromkeys([ref, *topology.dependents(ref)[:NEIGHBOURS_MAX], *needs]))
    nodes = [_node(known, each, scope, _kinds(each, health, here=ref), 0, (), health) for each in chosen]
    frame = Frame(f"service-{ref}", f"What {topology.title(ref)} needs, and what needs it")
    return graph(frame, nodes, _edges(known, chosen, set()), nodes_max=AROUND_MAX)


def domain_map(known: Knowledge, domain: str, scope: Scope, health: States) -> Markup:
    """The services of a domain and what they need, those with open incidents first."""
    own = [each.ref for each in known.services if known.domain(each.ref) == domain and known.sees(scope, each.ref)]
    needed = (needs for ref in own for needs in known.topology.depends_on(ref))
    chosen = list(dict.fromkeys([*own, *(ref for ref in needed if ref in known.topology.entities)]))
    chosen.sort(key=lambda ref: -int(ref in health and health[ref].total > 0))
    nodes = [_node(known, ref, scope, _kinds(ref, health), 0, (), health) for ref in chosen]
    return graph(Frame(f"map-{domain}", f"Who needs whom in {domain}"), nodes, _edges(known, chosen, set()))


def _kinds(ref: str, health: States, here: str = "") -> tuple[str, ...]:
    own = health.get(ref)
    centre = ("centre",) if ref == here else ()
    if own is None:
        return centre
    if not own.total:
        return (*centre, "well")
    severe = own.priority_rank is not None and own.priority_rank <= SEVERE_RANK
    return (*centre, "down" if severe else "ill")


def _node(
    known: Knowledge,
    ref: str,
    scope: Scope,
    kinds: tuple[str, ...],
    rank: int,
    because: tuple[str, ...],
    health: States | None = None,
) -> Node:
    entity = known.topology.entities.get(ref)
    what = [entity.type or entity.kind] if entity else []
    if entity and entity.tier:
        what.append(f"tier {entity.tier}")
    own = (health or {}).get(ref)
    if own is not None and own.total:
        what = [*filter(None, [own.priority]), f"{own.total} open"]
    href = service_href(ref) if known.sees(scope, ref) else ""
    return Node(ref, known.title(ref), " · ".join(what), href, kinds, rank, because)


def _edges(known: Knowledge, refs: Iterable[str], suspected: set[str]) -> list[Edge]:
    shown = list(refs)
    inside = set(shown)
    return [
        Edge(ref, needed, ("suspected",) if needed in suspected else ())
        for ref in shown
        for needed in known.topology.depends_on(ref)
        if needed in inside
    ]


def _suspects_said(known: Knowledge, suspects: list[dict[str, Any]]) -> str:
    if not suspects:
        return "Nothing is suspected yet."
    return "Suspected, the likeliest first: " + ", ".join(known.title(each["ref"]) for each in suspects) + "."


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
