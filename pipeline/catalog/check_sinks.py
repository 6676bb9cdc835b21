"""What sinks.yaml must hold together with the rest: names that exist, and templates that can be rendered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.catalog.check_policy import check_known
from pipeline.catalog.descriptors import Descriptor
from pipeline.catalog.packs import Packs, Source
from pipeline.catalog.problems import Findings, Place, suggestion
from pipeline.catalog.references import short
from pipeline.models.policy import DEFAULT_DOMAIN
from pipeline.models.scales import PRIORITIES_DEFAULT
from pipeline.models.sinks import SinkRules
from pipeline.models.sinks.base import Refers
from pipeline.sinks.mapping import FACTS, faults

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""It is part of ids of deliveries, of headers and of an address at the gateway."""


class Mapped(NamedTuple):
    """A mapping of a sink that speaks of things of ours."""

    field: str
    refers: Refers
    entries: Mapping[str, str]


def mapped(sink: SinkRules) -> Iterator[Mapped]:
    """The mappings of a sink that speak of things of ours."""
    for field, about in type(sink).model_fields.items():
        value = getattr(sink, field)
        for each in about.metadata:
            if isinstance(each, Refers) and isinstance(value, Mapping):
                yield Mapped(field, each, value)


@dataclass(frozen=True, slots=True)
class _Known:
    """Names that exist, by what they name, and whether one is a service."""

    priorities: list[str]
    domains: list[str]
    services: Iterable[str]
    is_service: Callable[[str], bool]


def check_sinks(
    packs: Packs,
    descriptors: Mapping[str, Descriptor],
    services: Iterable[str],
    is_service: Callable[[str], bool],
    findings: Findings,
) -> None:
    """Every rule of sinks.yaml that needs more than the entry.

    Args:
        packs: all files beside the catalogue.
        descriptors: by reference.
        services: names of the catalogue, for suggestions.
        is_service: whether a name or reference means something in the catalogue.
        findings: takes what is wrong.
    """
    domains = packs.names("domain") | {short(ref) for ref, each in descriptors.items() if each.kind == "domain"}
    known = _Known(_priorities(packs), sorted({*domains, DEFAULT_DOMAIN}), services, is_service)
    for name, sink in packs.sinks.items():
        source = packs.sources["sink", name]
        if not _NAME.fullmatch(name):
            message = (
                f"sink '{name}': must be at most 64 letters, digits, '-', '_' or '.', beginning with a letter or digit"
            )
            findings.problem(source.at(), message)
        check_known(sink.priorities, known.priorities, "priority", source, findings, "priorities")
        check_known(sink.domains, known.domains, "domain", source, findings, "domains")
        for each in mapped(sink):
            _check_mapping(each, source, known, findings)


def _check_mapping(mapping: Mapped, source: Source, known: _Known, findings: Findings) -> None:
    for key, value in mapping.entries.items():
        place = source.at(mapping.field, key)
        for kind, name in ((mapping.refers.keys, key), (mapping.refers.values, value)):
            if kind == "priority" and name not in known.priorities:
                _unknown(mapping.field, kind, name, known.priorities, place, findings)
            elif kind == "domain" and name not in known.domains:
                _unknown(mapping.field, kind, name, known.domains, place, findings)
            elif kind == "service" and not known.is_service(name):
                near = findings.near(name, {*known.services})
                findings.problem(place, f"{mapping.field}: nothing is called '{name}'{near}")
            elif kind == "fact template":
                _check_template(mapping.field, key, value, place, findings)


def _unknown(field: str, kind: str, name: str, known: list[str], place: Place, findings: Findings) -> None:
    findings.problem(place, f"{field}: unknown {kind} '{name}'{suggestion(name, known)}")


def _check_template(field: str, key: str, text: str, place: Place, findings: Findings) -> None:
    for each in faults(text):
        # A block stands below its key.
        where = Place(place.file, place.line + each.line) if "\n" in text else place
        near = suggestion(each.unknown, FACTS) if each.unknown else ""
        findings.problem(where, f"{field}: template of '{key}': {each.message}{near}")


def _priorities(packs: Packs) -> list[str]:
    """Every priority that an incident may have, of any domain."""
    scales = (PRIORITIES_DEFAULT, *(policy.priorities for policy in packs.domains.values()))
    return list(dict.fromkeys(priority for scale in scales for priority in scale))
