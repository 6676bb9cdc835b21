"""What a pack says, field by field: in words for people, and as the difference between two packs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from pipeline.catalog.yaml_lines import Path
from pipeline.core.practice.shelf import content_of
from pipeline.models.policy import Config, DomainPolicy


class Field(NamedTuple):
    """One thing that a pack says.

    Attributes:
        name: the way to it: ``matrix.high.low``, ``categories.network.words``, ``impact.2``.
        path: the same as the document has it.
        value: a scalar, a list of scalars, or an entry of a list that has no name.
    """

    name: str
    path: Path
    value: Any


class Change(NamedTuple):
    """One field that differs; None on the side that has no such field."""

    name: str
    before: Any
    after: Any


def fields_of(policy: DomainPolicy) -> Iterator[Field]:
    """Everything that a pack says, defaults included, in order."""
    content = content_of(policy)
    for name in sorted(content.keys() - {"domain"}, key=list(DomainPolicy.model_fields).index):
        yield from _fields((name,), (name,), content[name])


def _fields(names: tuple[str, ...], path: Path, value: Any) -> Iterator[Field]:
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from _fields((*names, str(name)), (*path, name), each)
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for index, each in enumerate(value):
            name = each.get("name") if isinstance(each, dict) else None
            if isinstance(name, str):
                rest = {key: inner for key, inner in each.items() if key != "name" and inner not in ("", [], {}, None)}
                yield from _fields((*names, name), (*path, index), rest)
            else:
                yield Field(".".join((*names, str(index + 1))), (*path, index), _stated(each))
    else:
        yield Field(".".join(names), path, value)


def _stated(entry: Any) -> Any:
    """An entry of a list without what says nothing."""
    if isinstance(entry, dict):
        return {name: _stated(each) for name, each in entry.items() if each not in (None, "", [], {})}
    return [_stated(each) for each in entry] if isinstance(entry, list) else entry


def changes(before: DomainPolicy, after: DomainPolicy) -> list[Change]:
    """What differs between two packs, in the order of the newer one, what it lacks last.

    Where categories stand in another order, that is a change as well: the first that matches wins.
    """
    was = {field.name: field.value for field in fields_of(before)}
    becomes = {field.name: field.value for field in fields_of(after)}
    orders = [[category.name for category in each.categories] for each in (before, after)]
    if orders[0] != orders[1]:
        was, becomes = {"categories": orders[0], **was}, {"categories": orders[1], **becomes}
    names = dict.fromkeys([*becomes, *was])
    return [Change(name, was.get(name), becomes.get(name)) for name in names if was.get(name) != becomes.get(name)]


def domains_of(*configs: Config) -> list[str]:
    """Every domain that has a pack or an entity in one of the configurations."""
    found = {name for config in configs for name in config.domains}
    entities = (entity for config in configs for entity in config.catalogue.entities.values())
    return sorted(found | {entity.domain for entity in entities if entity.domain is not None})
