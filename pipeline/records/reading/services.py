"""How the services of the catalogue are, by the incidents that are open."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from pipeline.core.names import places_of
from pipeline.models.catalog import Entity
from pipeline.models.policy import Config
from pipeline.records.reading.board import RESOLVED
from pipeline.records.reading.conditions import OPEN
from pipeline.records.reading.scope import Scope, domains_within

# Of one service that is named: the most urgent ones, the rest is counted.
NAMED_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """A service and what is open on it.

    Attributes:
        ref: as the catalogue has it.
        name: for people.
        tier: 1 is the most critical.
        incidents: ids of those that are worked on and affect it, the most urgent first; `NAMED_MAX` at most.
        total: how many there are.
        own: how many of them are its own; the others reach it from elsewhere.
        priority: of the most urgent; None: there is none.
        priority_rank: 0 is the most urgent.
        since: the longest open.
        breached: one of them has missed a target.
    """

    ref: str
    name: str
    domain: str | None
    owner: str | None
    tier: int | None
    incidents: tuple[str, ...] = ()
    total: int = 0
    own: int = 0
    priority: str | None = None
    priority_rank: int | None = None
    since: datetime | None = None
    breached: bool = False


_ASKED: Final = """
    SELECT ref, count(*) AS total, count(*) FILTER (WHERE incidents.service = ref) AS own,
        min(opened_at) AS since, bool_or(breached) AS breached,
        (array_agg(incidents.id ORDER BY coalesce(priority_rank, 999), opened_at, id))[1:{named}] AS incidents,
        (array_agg(priority ORDER BY coalesce(priority_rank, 999), opened_at, id))[1] AS priority,
        min(priority_rank) AS priority_rank
    FROM incidents CROSS JOIN LATERAL (
        SELECT unnest(incidents.services) AS ref UNION SELECT incidents.service) AS affected
    WHERE {opened} AND incidents.state <> '{resolved}' AND incidents.kind = 'incident' AND ref IS NOT NULL AND {within}
    GROUP BY ref"""


def services(connection: Connection, scope: Scope, config: Config) -> list[ServiceHealth]:
    """The services of the catalogue that are of these domains, by their refs; resolved incidents do not count."""
    within, parameters = domains_within(scope)
    asked = text(_ASKED.format(named=NAMED_MAX, opened=OPEN, resolved=RESOLVED, within=within))
    found: dict[str, dict[str, Any]] = {}
    for each in connection.execute(asked, parameters).mappings():
        told = dict(each) | {"incidents": tuple(each["incidents"])}
        found[told.pop("ref")] = told
    return [
        ServiceHealth(entity.ref, entity.title, domain, entity.owner, entity.tier, **found.get(entity.ref, {}))
        for entity, domain in _known(config)
        if scope is None or domain in scope
    ]


def _known(config: Config) -> Iterable[tuple[Entity, str | None]]:
    """The services of the catalogue and the domain of each."""
    entities = config.catalogue.entities
    places = places_of(config.catalogue)
    return ((entities[ref], places[ref].domain) for ref in sorted(entities) if entities[ref].kind == "component")
