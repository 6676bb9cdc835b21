"""What is in force for one service, each fact with where it comes from: a file and line, or the default."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from pipeline.catalog.annotations import ANNOTATIONS, PREFIX, RUNBOOK, RUNBOOK_DEFAULT
from pipeline.catalog.effective_escalation import escalation
from pipeline.catalog.effective_facts import DEFAULT, Fact, Section, at
from pipeline.catalog.effective_policy import policy_sections
from pipeline.catalog.effective_reach import (
    dependencies,
    feeds_that_name,
    hosting,
    maintenance,
    matching_names,
    sinks,
)
from pipeline.catalog.effective_rules import correlation_rules, thresholds
from pipeline.catalog.lint_context import Context
from pipeline.catalog.lint_coverage import Coverage
from pipeline.catalog.packs import Source
from pipeline.catalog.references import NAMESPACE_DEFAULT, full
from pipeline.core.alerts.enrich import SPACE_DEFAULT
from pipeline.core.escalation.oncall import OnCall, duty, why_nobody
from pipeline.core.escalation.oncall_schedule import next_change
from pipeline.core.escalation.oncall_turns import from_ms
from pipeline.core.names import Place as Follows
from pipeline.core.names import places_of
from pipeline.models.catalog import Entity
from pipeline.models.oncall import POSITIONS, Rotation
from pipeline.models.policy import DomainPolicy, Feed

_MINUTE_MS: Final = 60_000
_STATED: Final = (
    "tier",
    "hosting-model",
    "infrastructure-layer",
    "users",
    "population",
    "revenue-per-minute",
    "regulatory",
    "aliases",
)


@dataclass(slots=True)
class Effective:
    """What is in force for one entity.

    Attributes:
        ref: the entity.
        at_ms: the moment that people and maintenance are told for, epoch milliseconds.
        version: of the configuration.
    """

    ref: str
    at_ms: int
    version: str
    sections: list[Section] = field(default_factory=list)


class Subject:
    """The entity in question, with what follows from it."""

    def __init__(self, context: Context, ref: str) -> None:
        self.context = context
        self.entity: Entity = context.config.catalogue.entities[ref]
        self.follows: Follows = places_of(context.config.catalogue)[ref]
        self.answers = context.config.catalogue.entities[self.follows.service or ref]
        """Whom an incident about it is about: itself, or the one service that needs it."""
        self.policy: DomainPolicy = context.config.policy(self.follows.domain)

    def stated(self, ref: str, *path: str) -> str:
        """Where a descriptor states something at a path of its document; the default where it does not."""
        place = self.context.written(ref, *path)
        return at(place) if place is not None else DEFAULT


def find(context: Context, name: str) -> str | None:
    """The entity that a reference, name, title, alias or host means."""
    return context.enricher.resolve(name)


def effective(
    context: Context, ref: str, at_ms: int, feeds: dict[str, Feed], coverage: Sequence[Coverage] = ()
) -> Effective:
    """What is in force for an entity at a moment.

    Args:
        context: a usable directory.
        ref: the entity, one of the catalogue.
        at_ms: epoch milliseconds.
        feeds: the feeds in force.
        coverage: what recorded alerts of each feed came to, where they were given.
    """
    subject = Subject(context, ref)
    found = Effective(ref, at_ms, context.config.version)
    found.sections = [
        Section("service", list(_service(subject))),
        Section("owner", list(_owner(subject))),
        Section("on call", list(_on_call(subject, at_ms))),
        *policy_sections(context, subject.policy, subject.entity, subject.follows, at_ms),
        Section("escalation", list(escalation(context, subject.policy, subject.entity, subject.answers, at_ms))),
        Section("depends on", list(dependencies(context, ref))),
        Section("runs on", list(hosting(context, ref))),
        Section("needed by", list(dependencies(context, ref, backwards=True))),
        Section("names", list(matching_names(context, ref))),
        Section("feeds", list(feeds_that_name(context, ref, feeds, coverage))),
        Section("maintenance", list(maintenance(context, ref, at_ms))),
        Section("sinks", list(sinks(context, subject.follows.domain))),
        Section("correlation", list(thresholds(context))),
        Section("correlation rules", list(correlation_rules(context, subject.entity, subject.follows))),
    ]
    return found


# -- the service


def _service(subject: Subject) -> Iterator[Fact]:
    entity, ref = subject.entity, subject.entity.ref
    yield Fact("reference", ref, entity.location)
    yield Fact("title", entity.title, subject.stated(ref, "metadata", "title"))
    yield Fact("type", entity.type or None, subject.stated(ref, "spec", "type"))
    for name in _STATED:
        value = getattr(entity, ANNOTATIONS[name].field)
        shown = list(value) if isinstance(value, tuple) else value
        yield Fact(name, shown or (shown if shown == 0 else None), _annotation(subject, ref, name))
    environment = entity.environment
    yield Fact("environment", environment or SPACE_DEFAULT, _annotation(subject, ref, "environment"))
    for category, address in entity.runbooks.items():
        name = RUNBOOK if category == RUNBOOK_DEFAULT else f"{RUNBOOK}.{category}"
        yield Fact(name, address, _annotation(subject, ref, name))
    yield from _domain(subject)


def _annotation(subject: Subject, ref: str, name: str) -> str:
    return subject.stated(ref, "metadata", "annotations", PREFIX + name)


def _domain(subject: Subject) -> Iterator[Fact]:
    entity = subject.entity
    yield Fact("system", entity.system, subject.stated(entity.ref, "spec", "system"))
    for heir, whose in ((entity, ""), (subject.answers, f" its service {subject.answers.name}")):
        of_system = subject.stated(_reference("system", heir.system), "spec", "domain")
        if (own := subject.stated(heir.ref, "spec", "domain")) != DEFAULT:
            yield Fact("domain", subject.follows.domain, f"{own} by{whose}" if whose else own)
            return
        if of_system != DEFAULT:
            by = f"the system of{whose}" if whose else "its system"
            yield Fact("domain", subject.follows.domain, f"{of_system} by {by}")
            return
    yield Fact("domain", subject.follows.domain, DEFAULT)


def _reference(kind: str, written: str | None) -> str:
    """Full reference of a system or group as entities name it; "" where there is none."""
    if written is None:
        return ""
    namespace, found, name = written.partition("/")
    return full(kind, namespace if found else NAMESPACE_DEFAULT, name if found else namespace)


# -- people


def _owner(subject: Subject) -> Iterator[Fact]:
    answers = subject.answers
    if answers is not subject.entity:
        yield Fact("answers for it", answers.ref, f"{answers.location} as the one service that needs it")
    yield Fact("owner", answers.owner, subject.stated(answers.ref, "spec", "owner"))
    group = subject.context.config.catalogue.groups.get(answers.owner or "")
    if group is None or answers.owner is None:
        return
    ref = _reference("group", answers.owner)
    yield Fact("team", group.title, subject.stated(ref, "metadata", "title"))
    yield Fact("email", group.email, subject.stated(ref, "spec", "profile", "email"))


def rotation_origin(subject: Subject, rotation: Rotation) -> str:
    """By what a rotation covers the service that answers."""
    answers = subject.answers
    if answers.oncall == rotation.name:
        return f"{_annotation(subject, answers.ref, 'oncall')} by its annotation"
    source = subject.context.opened.packs.sources["rotation", rotation.name]
    if answers.ref in rotation.services:
        return f"{at(source.at('services'))} by its list of services"
    return f"{_annotation(subject, _reference('group', answers.owner), 'oncall')} by its owner"


def _on_call(subject: Subject, at_ms: int) -> Iterator[Fact]:
    rotation = subject.context.oncall.rotation_of(subject.answers.ref)
    if rotation is None:
        yield Fact("rotation", None, DEFAULT)
        return
    source = subject.context.opened.packs.sources["rotation", rotation.name]
    yield Fact("rotation", rotation.name, rotation_origin(subject, rotation))
    people = duty(rotation, at_ms)
    for each in people:
        yield Fact(each.position, each.person, _duty_origin(rotation, each, at_ms, source))
    if not any(each.position == POSITIONS[0] for each in people):
        yield Fact(POSITIONS[0], f"nobody: {why_nobody(rotation, at_ms)}", at(source.at("on_duty")))
    if rotation.escalate_to is not None:
        yield Fact("fall-back", rotation.escalate_to, at(source.at("escalate_to")))
    if (following := next_change(rotation, at_ms)) is not None:
        first = next((each for each in following.people if each.position == POSITIONS[0]), None)
        moment = f"from {from_ms(following.start_ms):%Y-%m-%d %H:%M %Z}"
        origin = _duty_origin(rotation, first, following.start_ms, source) if first else at(source.at())
        yield Fact("next", f"{first.person if first else 'nobody'} {moment}", origin)


def _duty_origin(rotation: Rotation, each: OnCall, at_ms: int, source: Source) -> str:
    """The line by which somebody is on call: of the override, or of the layer."""
    moment = from_ms(at_ms)
    for index, override in enumerate(rotation.overrides):
        if override.start <= moment < override.end and override.person == each.person:
            return f"{at(source.at('overrides', index))} by an override until {override.end:%Y-%m-%d %H:%M %Z}"
    return layer_origin(rotation, each.layer, source)


def layer_origin(rotation: Rotation, name: str, source: Source) -> str:
    """Where the people of a layer are written."""
    index = next((number for number, layer in enumerate(rotation.layers) if layer.name == name), None)
    path = () if index is None else ("layers", index)
    what = "calendar" if any(layer.name == name and layer.calendar for layer in rotation.whole()) else "people"
    return at(source.at(*path, what))
