"""The part of `effective` that the catalogue and the lists decide: neighbours, names, feeds, maintenance, sinks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.catalog.annotations import PREFIX
from pipeline.catalog.effective_facts import DEFAULT, Fact, at
from pipeline.catalog.lint_context import Context
from pipeline.catalog.lint_coverage import Coverage
from pipeline.core.alerts.recurrence import Recurrence
from pipeline.core.names import HOST_LABELS, bare_host, identifying_labels, phrase_of, terms_of
from pipeline.core.topology import REACH_HOPS_MAX
from pipeline.models.catalog import Entity
from pipeline.models.maintenance import MaintenanceWindow
from pipeline.models.policy import Feed
from pipeline.models.sinks.status_pages import Published

NEIGHBOURS_SHOWN_MAX: Final = 50  # a platform has thousands of dependents; nobody reads them here
_WORDS_OF_NEIGHBOUR: Final = ("type", "tier", "owner")


def dependencies(context: Context, ref: str, *, backwards: bool = False) -> Iterator[Fact]:
    """What an entity needs or, backwards, what needs it: nearest first, with the hops and where the last is written."""
    found: dict[str, tuple[int, str]] = {}
    queue: deque[tuple[str, int]] = deque([(ref, 0)])
    while queue:
        here, hops = queue.popleft()
        if hops >= REACH_HOPS_MAX:
            continue
        topology = context.topology
        for each in sorted(topology.dependents(here) if backwards else topology.depends_on(here)):
            if each != ref and each not in found:
                found[each] = (hops + 1, here)
                queue.append((each, hops + 1))
    for each, (hops, via) in list(found.items())[:NEIGHBOURS_SHOWN_MAX]:
        origin = _written(context, each, via) if backwards else _written(context, via, each)
        through = "" if hops == 1 else f" by {_name(context, via)}"
        yield Fact(each, f"{hops} hop{'' if hops == 1 else 's'}{through}; {_about(context, each)}", origin)
    if len(found) > NEIGHBOURS_SHOWN_MAX:
        yield Fact("and more", len(found) - NEIGHBOURS_SHOWN_MAX, DEFAULT)


def _name(context: Context, ref: str) -> str:
    return context.config.catalogue.entities[ref].name


def _about(context: Context, ref: str) -> str:
    entity = context.config.catalogue.entities[ref]
    tier = f"tier {entity.tier}" if entity.tier else ""
    owner = f"of {entity.owner}" if entity.owner else ""
    return ", ".join(word for word in (entity.type or entity.kind, tier, owner) if word)


def _written(context: Context, dependent: str, needed: str) -> str:
    """Where a dependency is written, from either side."""
    descriptors = context.opened.descriptors
    name = _name(context, needed)
    for written in descriptors[dependent].many.get("dependsOn", ()):
        if written.text.lower().rpartition("/")[2].rpartition(":")[2] == name:
            return at(written.place)
    other = _name(context, dependent)
    for written in descriptors[needed].many.get("dependencyOf", ()):
        if written.text.lower().rpartition("/")[2].rpartition(":")[2] == other:
            return at(written.place)
    return at(descriptors[dependent].place)


def hosting(context: Context, ref: str) -> Iterator[Fact]:
    """The places within reach: what runs there fails together."""
    for each, hops in context.topology.reach(ref).items():
        kind = context.topology.hosting(each)
        if kind is not None and each != ref:
            entity = context.config.catalogue.entities[each]
            model = f", {entity.hosting_model}" if entity.hosting_model else ""
            yield Fact(kind, f"{each} ({entity.title}{model}), {hops} hop{'' if hops == 1 else 's'}", entity.location)


def matching_names(context: Context, ref: str) -> Iterator[Fact]:
    """Names by which alerts find the entity, and those that mean another."""
    entity = context.config.catalogue.entities[ref]
    terms = terms_of(context.config.catalogue)
    for how, name, origin in _spellings(context, entity):
        term = terms.get(phrase_of(name))
        other = f"means {term.ref} instead" if term is not None and term.ref != ref else ""
        yield Fact(how, f"{name} ({other})" if other else name, origin)
    for (label, value), owner in identifying_labels(context.config.catalogue).items():
        if owner == ref:
            yield Fact(f"label {label}", value, _label_origin(context, entity, label))


def _spellings(context: Context, entity: Entity) -> Iterator[tuple[str, str, str]]:
    yield "name", entity.name, entity.location
    for label in HOST_LABELS:
        for host in entity.labels.get(label, "").split(","):
            if bare := bare_host(host):
                yield "host", bare, _label_origin(context, entity, label)
    if phrase_of(entity.title) != phrase_of(entity.name):
        yield "title", entity.title, entity.location
    for alias in entity.aliases:
        yield "alias", alias, at(context.place(entity.ref, PREFIX + "aliases"))


def _label_origin(context: Context, entity: Entity, label: str) -> str:
    place = context.written(entity.ref, "metadata", "labels", label)
    return at(place) if place is not None else entity.location


def feeds_that_name(context: Context, ref: str, feeds: dict[str, Feed], coverage: Sequence[Coverage]) -> Iterator[Fact]:
    """Feeds whose settings name the entity and, where alerts were given, feeds whose alerts are about it."""
    enricher = context.enricher
    sources = context.opened.packs.sources
    for name, feed in feeds.items():
        source = sources.get(("feed", name))
        named = [text for text in _texts(feed.options) if enricher.resolve(text) == ref]
        if named:
            yield Fact(
                name, f"its options name it: {', '.join(named)}", at(source.at("options")) if source else DEFAULT
            )
    for rule in context.config.matching:
        source = sources.get(("matching rule", rule.name))
        if enricher.resolve(rule.entity) == ref:
            of = ", ".join(rule.feeds) or "all feeds"
            yield Fact(f"rule {rule.name}", f"alerts of {of}", at(source.at()) if source else "matching.yaml")
    for each in coverage:
        if number := each.services[ref]:
            source = sources.get(("feed", each.feed))
            words = f"{number:,} of {each.alerts:,} recorded alerts are about it"
            yield Fact(each.feed, words, at(source.at()) if source else DEFAULT)


def _texts(value: Any) -> Iterator[str]:
    """Every text in options, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def maintenance(context: Context, ref: str, at_ms: int) -> Iterator[Fact]:
    """Windows on the entity or on what it runs on, and those by labels, which may cover its alerts."""
    places = context.topology.runs_on(ref)
    enricher = context.enricher
    moment = datetime.fromtimestamp(at_ms / 1_000, UTC)
    for window in context.config.maintenance:
        hit = [target for target in window.targets if enricher.resolve(target) in places]
        if not hit and window.targets:
            continue
        labels = ", ".join(f"{name}={value}" for name, value in window.labels.items())
        whom = f"on {', '.join(hit)}" if hit else ""
        only = f"alerts with {labels}" if labels else ""
        words = ", ".join(part for part in (*when_of(window, moment), whom, only) if part)
        yield Fact(window.name, words, at(context.opened.packs.sources["window", window.name].at()))


def when_of(window: MaintenanceWindow, moment: datetime) -> tuple[str, str]:
    """Whether a window is on at a moment, and when it is: of one that recurs its rule, and the next or present time."""
    if window.recurs:
        at_ms = round(moment.timestamp() * 1_000)
        around = Recurrence(window).around(at_ms)
        span = next((each for each in around if at_ms < each.end_ms), None)
        rule = window.every or f"{window.rrule} {window.timezone}"
        if span is None:
            return "over", rule
        begins, ends = (datetime.fromtimestamp(each / 1_000, UTC) for each in span)
    elif window.start is not None and window.end is not None:
        rule, begins, ends = "", window.start, window.end
    else:
        return "", ""
    when = "over" if ends <= moment else "ahead" if moment < begins else "on now"
    told = f"{begins:%Y-%m-%d %H:%M %Z} to {ends:%Y-%m-%d %H:%M %Z}"
    return when, f"{rule}, {told}" if rule else told


def sinks(context: Context, domain: str | None) -> Iterator[Fact]:
    """Sinks that hear of its incidents."""
    for name, sink in context.config.sinks.items():
        if not sink.domains or domain in sink.domains:
            told = [sink.type, sink.address or "at a secret address"]
            priorities = ", ".join(sink.priorities) or "all priorities"
            audience = f", messages to '{sink.audience}' alone" if isinstance(sink, Published) else ""
            off = "" if sink.enabled else ", disabled"
            place = at(context.opened.packs.sources["sink", name].at())
            yield Fact(name, f"{' '.join(told)}, {priorities}{audience}{off}", place)
