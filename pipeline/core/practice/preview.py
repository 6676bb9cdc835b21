"""Preview: what adopting another policy would do to an open incident, before anybody decides so.

It is decided by the functions that decide live: the incident is copied, assessed under the other pack, and its clocks
and escalation are set as `pipeline.core.practice.adopt` sets them. What is known of its reach is what its record says;
the members themselves are not asked again, so people that reports stand for are those of the pack that counted them.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field

import orjson

from pipeline.core.clustering.assessor import named
from pipeline.core.clustering.habits import chronic_words
from pipeline.core.draft import Draft
from pipeline.core.major.bridge import BridgeProcessor
from pipeline.core.practice import adopt
from pipeline.core.practice.adopt import Standing
from pipeline.core.practice.desk import Desk
from pipeline.core.practice.impacts import population_key
from pipeline.core.practice.lifecycle import UNANSWERED_STATES
from pipeline.core.practice.prioritise import Facts, assess
from pipeline.core.step import Effects, StreamRecord
from pipeline.models.incident import Incident, IncidentKind
from pipeline.models.policy import DomainPolicy
from pipeline.models.summary import Summary
from pipeline.models.wire import to_json


@dataclass(frozen=True, slots=True)
class Outlook:
    """How an incident stands under one pack.

    Attributes:
        because: why it has its priority.
        breached: clocks whose target is missed already.
        calls_next: whom the next level of escalation would call, by name.
    """

    standing: Standing
    because: list[str] = field(default_factory=list)
    breached: list[str] = field(default_factory=list)
    calls_next: list[str] = field(default_factory=list)


def facts_of(incident: Incident, desk: Desk) -> Facts:
    """What the record of an incident and the catalogue tell of its reach."""
    refs = dict.fromkeys([*incident.entities, *incident.services])
    entities = [entity for ref in refs if (entity := desk.topology.entities.get(ref)) is not None]
    return Facts(
        impacts={ref: (ref, 0, 0.0, ref) for ref in incident.services},
        users=incident.users_affected,
        revenue_per_minute=incident.revenue_per_minute,
        tier=min((entity.tier for entity in entities if entity.tier is not None), default=None),
        regulatory=sorted({*incident.regulatory, *(tag for entity in entities for tag in entity.regulatory)}),
        severity=incident.severity,
        categories=list(incident.categories),
        reporters=incident.reporters,
        sites=sorted({site for entity in entities for site in entity.sites}),
        layers=sorted({entity.infrastructure_layer for entity in entities if entity.infrastructure_layer}),
        hosting_models=sorted({entity.hosting_model for entity in entities if entity.hosting_model}),
    )


def as_it_is(desk: Desk, incident: Incident, now_ms: int) -> Outlook:
    """How an incident stands by the pack that it goes by; ``desk`` is of the configuration in force."""
    return _outlook(desk, incident, desk.policy(incident), list(incident.priority_because), now_ms)


def under(desk: Desk, incident: Incident, now_ms: int) -> Outlook:
    """How it would stand had it adopted the pack of another configuration, which ``desk`` is of, at a moment."""
    if incident.policy_version == desk.stamp(incident.domain):
        return as_it_is(desk, incident, now_ms)
    copy = deepcopy(incident)
    adopt.switch(desk, copy)
    policy = desk.policy(copy)
    because = list(copy.priority_because)
    if copy.kind == IncidentKind.BRIDGE:
        if copy.priority_by is None:
            copy.priority = policy.top_priority()
    elif copy.priority_by is None:
        chronic = f"chronic, {chronic_words(copy.chronic)}" if copy.chronic is not None else None
        assessment = assess(facts_of(copy, desk), policy, now_ms, chronic)
        copy.priority, because = assessment.priority, assessment.because
    adopt.settle(desk, Draft(copy, now_ms))
    return _outlook(desk, copy, policy, because, now_ms)


def _outlook(desk: Desk, incident: Incident, policy: DomainPolicy, because: list[str], now_ms: int) -> Outlook:
    return Outlook(
        adopt.standing(incident),
        because,
        sorted(
            name
            for name, clock in incident.clocks.items()
            if clock.met_at_ms is None
            and (clock.breached_at_ms is not None or (clock.due_at_ms or now_ms + 1) <= now_ms)
        ),
        _calls_next(desk, incident, policy, now_ms),
    )


def _calls_next(desk: Desk, incident: Incident, policy: DomainPolicy, now_ms: int) -> list[str]:
    path = desk.escalator.path(policy, incident.priority)
    level = incident.escalation.level
    if path is None or incident.state not in UNANSWERED_STATES or level >= len(path.levels):
        return []
    at_ms = max(now_ms, incident.escalation.next_at_ms or 0)
    return [page.person for page in desk.escalator.pages(incident, path, path.levels[level], at_ms)]


def majors(desk: Desk, incidents: Iterable[tuple[Incident, str]], now_ms: int) -> set[str]:
    """Which incidents would be part of a Major Incident, by the bridge itself, which hears of all of them at once.

    What each comes to is put on its own service, as its record does not tell one service's people from another's.

    Args:
        desk: of the configuration whose thresholds hold.
        incidents: those that are open, each with the priority that it would have.
        now_ms: stream time, epoch milliseconds.
    """
    bridge, effects = BridgeProcessor(desk, desk.topology), Effects()
    for offset, (incident, priority) in enumerate(incidents):
        value = to_json(_summary(desk, incident, priority, now_ms))
        key = incident.id.encode()
        bridge.handle_one(StreamRecord("incidents.summaries", 0, offset, now_ms, key, value), effects)
    found: dict[str, list[str]] = {}
    for output in effects.outputs:
        if output.topic == "incidents":
            snapshot = orjson.loads(output.value or b"{}")["incident"]
            found[snapshot["id"]] = snapshot["members"]
    return {member for members in found.values() for member in members}


def _summary(desk: Desk, incident: Incident, priority: str, now_ms: int) -> Summary:
    about = incident.service or incident.id
    entity = desk.topology.entities.get(about)
    system = (entity.system if entity else None) or about
    who = population_key(entity.population) if entity and entity.population else system
    reach = {ref: None for each in incident.entities for ref in desk.topology.reach(each)}
    return Summary(
        incident_id=incident.id,
        space=incident.space,
        domain=incident.domain,
        state=incident.state,
        title=incident.title,
        priority=priority,
        service=incident.service,
        owner=incident.owner,
        entities=incident.entities,
        services=incident.services,
        depends=named(ref for ref in reach if desk.topology.hosting(ref) is None),
        suspects=[suspect.ref for suspect in incident.suspects[:1]],
        identified=incident.identified,
        regulatory=incident.regulatory,
        impacts={about: (system, incident.users_affected, incident.revenue_per_minute, who)},
        tickets=len(incident.tickets),
        merged_into=incident.merged_into,
        sites=facts_of(incident, desk).sites,
        reporters=incident.reporters,
        fires=incident.episodes_open > 0,
        revision=incident.revision,
        at_ms=now_ms,
    )
