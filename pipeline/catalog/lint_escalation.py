"""Rules about escalation paths: whom they find in the week to come, rounds without an interval, routes never taken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from pipeline.catalog.lint_context import Context, Finding
from pipeline.catalog.lint_policy import calls_anybody
from pipeline.catalog.packs import Source
from pipeline.models.catalog import Entity
from pipeline.models.escalation import REPEAT_MINUTES_DEFAULT, EscalationLevel, EscalationPath, EscalationRoute
from pipeline.models.incident import Incident
from pipeline.models.oncall import Rotation
from pipeline.models.policy import DomainPolicy

HOURS_AHEAD: Final = 7 * 24
"""A week has every hour in which turns change hands."""

SERVICES_NAMED_MAX: Final = 3
"""Services in one finding: with a fall-back all are helped at once."""

_HOUR_MS: Final = 3_600_000
_DEPENDENCY: Final = "dependency"


def check_paths(context: Context) -> Iterator[Finding]:
    """Every rule about the paths that the packs of the directory state."""
    for name, policy in sorted(context.config.domains.items()):
        source = context.opened.packs.sources["domain", name]
        if "escalation" not in policy.model_fields_set:
            continue
        for index, path in enumerate(policy.escalation):
            yield from _of_path(path, source, index)
            yield from _shadowed_routes(path, source, index)
        yield from _levels_to_nobody(context, policy, source)


def _of_path(path: EscalationPath, source: Source, index: int) -> Iterator[Finding]:
    names = ", ".join(path.priorities)
    if path.repeat is not None and path.repeat.every_minutes is None:
        message = f"the path of {names} repeats without 'every_minutes': {REPEAT_MINUTES_DEFAULT:g} minutes are taken"
        yield Finding("repeat-without-interval", source.at("escalation", index, "repeat"), message)
    asks = any(_DEPENDENCY in level.notify for level in path.levels)
    if asks and path.hops_max == 0:
        message = f"the path of {names} notifies 'dependency', and its hops_max is 0: nobody is ever found so"
        yield Finding("dependency-without-hops", source.at("escalation", index, "hops_max"), message)


def _shadowed_routes(path: EscalationPath, source: Source, index: int) -> Iterator[Finding]:
    for number, route in enumerate(path.routes):
        taker = next((each for each in path.routes[:number] if _takes_all(each, route)), None)
        if taker is not None:
            message = f"route '{route.title}' is never taken: '{taker.title}' comes first and takes all that fits it"
            yield Finding("shadowed-route", source.at("escalation", index, "routes", number), message)


def _takes_all(one: EscalationRoute, other: EscalationRoute) -> bool:
    pairs = (
        (one.hosting_model, other.hosting_model),
        (one.layers, other.layers),
        (one.categories, other.categories),
    )
    return all(not wide or (bool(narrow) and set(narrow) <= set(wide)) for wide, narrow in pairs)


def _levels_to_nobody(context: Context, policy: DomainPolicy, source: Source) -> Iterator[Finding]:
    """Levels that find nobody at some hour of the week to come, where no fall-back helps."""
    services = [each for each in context.services if context.config.policy(each.domain) is policy]
    for index, path in enumerate(policy.escalation):
        if _falls_back(context, path):
            continue
        reached = [each for each in services if calls_anybody(context, each, path)]  # else `escalation-nowhere` says so
        for number, level in enumerate(path.levels):
            alone = {each.name: hour for each in reached if (hour := _lonely_hour(context, each, path, level))}
            if not alone:
                continue
            first = next(iter(alone))
            names = ", ".join(list(alone)[:SERVICES_NAMED_MAX])
            more = f" and {len(alone) - SERVICES_NAMED_MAX} more" if len(alone) > SERVICES_NAMED_MAX else ""
            message = (
                f"level {number + 1} of {', '.join(path.priorities)} finds nobody for {names}{more}, "
                f"as on {alone[first]}: give the path a 'fallback'"
            )
            yield Finding("level-finds-nobody", source.at("escalation", index, "levels", number), message)


def _falls_back(context: Context, path: EscalationPath) -> bool:
    """Whether the fall-back has somebody at any hour."""
    incident = Incident(id="", space="")
    escalator = context.escalator
    moments = _moments(context, [each for name in path.fallback if (each := context.config.rotations.get(name))])
    return bool(path.fallback) and all(
        escalator.find(incident, 0, path.fallback, at_ms, "").anybody for at_ms in moments
    )


def _lonely_hour(context: Context, service: Entity, path: EscalationPath, level: EscalationLevel) -> str | None:
    """The first hour at which a level leads to nobody for a service, in words; None where there is none."""
    if set(level.notify) <= {_DEPENDENCY}:
        return None  # not everything has a chain, and the other levels are there for it
    incident = Incident(id="", space="", service=service.ref, owner=service.owner, domain=service.domain or "")
    asked = [context.oncall.rotation_of(service.ref), *map(context.config.rotations.get, level.notify)]
    for at_ms in _moments(context, [each for each in asked if each is not None]):
        if not context.escalator.level(incident, path, level, at_ms).anybody:
            return f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%A %Y-%m-%d %H:%M} UTC"
    return None


def _moments(context: Context, rotations: list[Rotation]) -> range:
    """Moments worth asking: every hour of the week where hours or calendars decide who is on call, else now."""
    gaps = any(layer.on_duty or layer.calendar for each in rotations for layer in each.whole())
    end_ms = context.now_ms + (HOURS_AHEAD * _HOUR_MS if gaps else 1)
    return range(context.now_ms, end_ms, _HOUR_MS)
