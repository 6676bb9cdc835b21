"""Whom escalation would call for one service, level by level, and what goes beside the levels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipeline.catalog.effective_facts import DEFAULT, Fact, at
from pipeline.catalog.lint_context import Context
from pipeline.catalog.references import short
from pipeline.models.catalog import Entity
from pipeline.models.escalation import EscalationPath, EscalationRoute
from pipeline.models.incident import Incident
from pipeline.models.policy import DomainPolicy

_MINUTE_MS: Final = 60_000


def escalation(context: Context, policy: DomainPolicy, entity: Entity, answers: Entity, at_ms: int) -> Iterator[Fact]:
    """Whom each level calls, as the escalation itself tells it, if the incident begins now and nobody answers.

    Args:
        context: the configuration.
        policy: the pack that is in force.
        entity: what fails.
        answers: the service that answers for it.
        at_ms: when, epoch milliseconds.
    """
    source = context.opened.packs.sources.get(("domain", policy.domain))
    written = source is not None and "escalation" in policy.model_fields_set
    for index, path in enumerate(policy.escalation):
        incident = Incident(id="", space="", service=answers.ref, owner=answers.owner, opened_at_ms=at_ms)
        incident.hosting_model, incident.infrastructure_layer = entity.hosting_model, entity.infrastructure_layer
        route = context.escalator.route(incident, path)
        incident.escalation.route = route.title if route is not None else None
        priorities = ", ".join(path.priorities)
        for number, level in enumerate(path.levels):
            due_ms = at_ms + round(level.after_minutes * _MINUTE_MS)
            found = context.escalator.level(incident, path, level, due_ms)
            if not found.anybody:
                found = context.escalator.find(incident, path.hops_max, path.fallback, due_ms, "", as_what="fallback")
            pages = found.new
            incident.escalation.paged.extend(pages)
            people = [f"{page.person} ({_as_what(page.target, page.service, answers.ref)})" for page in pages]
            origin = at(source.at("escalation", index, "levels", number)) if source and written else DEFAULT
            asks = ", ".join(level.notify)
            yield Fact(f"{priorities} after {level.after_minutes:g} min", people or f"nobody new ({asks})", origin)
        if route is not None and source is not None:
            owed = _owed(route) if route.case else ""
            place = source.at("escalation", index, "routes", path.routes.index(route))
            yield Fact(f"{priorities} route", f"{route.title}{owed}", at(place))
        if source is not None:
            for name, words in beside(path):
                yield Fact(f"{priorities} {name}", words, at(source.at("escalation", index)))


def _owed(route: EscalationRoute) -> str:
    """The case that a route owes, in words."""
    return f", and owes a {(route.case or '').replace('_', ' ')}, reminded of after {route.case_minutes:g} min"


def beside(path: EscalationPath) -> Iterator[tuple[str, str]]:
    """What a path states beside its levels, in words."""
    if path.repeat is not None:
        yield "repeat", f"{path.repeat.times} times, every {path.repeat.minutes:g} min"
    if path.fallback:
        yield "fall-back", ", ".join(path.fallback)
    after = [
        f"{path.resume_after_minutes:g} min without news" if path.resume_after_minutes else "",
        f"{path.resume_waiting_after_minutes:g} min of waiting" if path.resume_waiting_after_minutes else "",
        f"{path.resume_at_share:.0%} of the time to resolve" if path.resume_at_share else "",
    ]
    if any(after):
        yield "resumes", f"after {', '.join(each for each in after if each)}"


def _as_what(target: str, service: str | None, about: str) -> str:
    return target if service in (None, about) else f"{target} {short(service or '')}"
