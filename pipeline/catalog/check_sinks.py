"""What sinks.yaml must hold together with the rest: names that exist, and templates that can be rendered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from pipeline.catalog.check_policy import all_of
from pipeline.catalog.descriptors import Descriptor
from pipeline.catalog.packs import Packs
from pipeline.catalog.problems import Findings, Place, suggestion
from pipeline.catalog.references import short
from pipeline.models.policy import DEFAULT_DOMAIN
from pipeline.models.scales import PRIORITIES_DEFAULT
from pipeline.models.sinks.base import Refers
from pipeline.sinks.mapping import FACTS, faults

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""It is part of ids of deliveries, of headers and of an address at the gateway."""


class Named(NamedTuple):
    """One place of a sink that names something of ours.

    Attributes:
        path: from the sink's entry.
        field: name of the mapping or list that it is in.
        key: of the mapping; "" in a list.
        kind: what is named: a word of `Refers`.
        name: what it is called there.
    """

    path: tuple[str | int, ...]
    field: str
    key: str
    kind: str
    name: str


def named(rules: BaseModel, path: tuple[str | int, ...] = ()) -> Iterator[Named]:
    """Every place of a sink that names something of ours, those in models inside it too."""
    for field, about in type(rules).model_fields.items():
        value, here = getattr(rules, field), (*path, field)
        entries: list[tuple[str | int, Any]] = []
        if isinstance(value, Mapping):
            entries = [*value.items()]
        elif isinstance(value, tuple):
            entries = [*enumerate(value)]
        elif isinstance(value, BaseModel):
            yield from named(value, here)
        for key, each in entries:
            if isinstance(each, BaseModel):
                yield from named(each, (*here, key))
            for refers in about.metadata:
                if isinstance(refers, Refers):
                    yield from _entry((*here, key), field, refers, key, each)


def _entry(path: tuple[str | int, ...], field: str, refers: Refers, key: str | int, value: Any) -> Iterator[Named]:
    word = key if isinstance(key, str) else ""
    if refers.keys is not None:
        yield Named(path, field, word, refers.keys, word)
    if refers.values is not None and isinstance(value, str):
        yield Named(path, field, word, refers.values, value)


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
        for each in named(sink):
            _check_name(each, source.at(*each.path), known, findings)


def _check_name(each: Named, place: Place, known: _Known, findings: Findings) -> None:
    if each.kind == "fact template":
        _check_template(each, place, findings)
    elif each.kind == "service":
        if not known.is_service(each.name):
            near = findings.near(each.name, {*known.services})
            findings.problem(place, f"{each.field}: nothing is called '{each.name}'{near}")
    elif each.kind in ("priority", "domain"):
        names = known.priorities if each.kind == "priority" else known.domains
        if each.name not in names:
            hint = suggestion(each.name, names) or all_of(tuple(names))
            findings.problem(place, f"{each.field}: unknown {each.kind} '{each.name}'{hint}")


def _check_template(each: Named, place: Place, findings: Findings) -> None:
    for fault in faults(each.name):
        # A block stands below its key.
        where = Place(place.file, place.line + fault.line) if "\n" in each.name else place
        near = suggestion(fault.unknown, FACTS) if fault.unknown else ""
        findings.problem(where, f"{each.field}: template of '{each.key}': {fault.message}{near}")


def _priorities(packs: Packs) -> list[str]:
    """Every priority that an incident may have, of any domain."""
    scales = (PRIORITIES_DEFAULT, *(policy.priorities for policy in packs.domains.values()))
    return list(dict.fromkeys(priority for scale in scales for priority in scale))
