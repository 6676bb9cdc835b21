"""What forms offer to choose from: of the company's configuration."""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.console.identity import Scope
from pipeline.models.policy import Config
from pipeline.sinks.wording import name_of, words_of

CHOICES_MAX: Final = 300
"""Entries of one list: more is nothing to choose from."""


class Option(NamedTuple):
    """An entry of a list."""

    value: str
    words: str


def domains(config: Config, scope: Scope) -> list[Option]:
    """The domains that somebody may see, by title."""
    known = {name: pack for name, pack in config.domains.items() if not pack.abstract}
    found = [Option(name, pack.title or name) for name, pack in known.items() if scope is None or name in scope]
    return sorted(found, key=lambda each: each.words)[:CHOICES_MAX]


def categories(config: Config) -> list[Option]:
    """The categories of all domains."""
    names = {each.name for pack in config.domains.values() for each in pack.categories}
    return [Option(name, words_of(name)) for name in sorted(names)][:CHOICES_MAX]


def priorities(config: Config) -> list[Option]:
    """The priorities of all scales, the most urgent first."""
    ranks: dict[str, int] = {}
    for pack in (*config.domains.values(), config.policy(None)):
        for rank, name in enumerate(pack.priorities):
            ranks[name] = min(rank, ranks.get(name, rank))
    return [Option(name, name) for name in sorted(ranks, key=lambda each: (ranks[each], each))]


def service_title(config: Config, ref: str | None) -> str:
    """What people call an entity of the catalogue."""
    entity = config.catalogue.entities.get(ref or "")
    return (entity.title if entity is not None else "") or name_of(ref)


def people(config: Config) -> list[Option]:
    """Whom something can be assigned to: everybody of a rotation, and teams."""
    names = {person for each in config.rotations.values() for person in each.everybody()} | set(config.catalogue.groups)
    return [Option(name, name) for name in sorted(names)][:CHOICES_MAX]
