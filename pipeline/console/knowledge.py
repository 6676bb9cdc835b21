"""What pages know of the company: its services, who needs what, who is on call. Made once for a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import quote

from pipeline.catalog.indexes import Indexes
from pipeline.catalog.lint_context import Context
from pipeline.catalog.load import Checked, Opened
from pipeline.console.identity import Scope
from pipeline.core.names import Place, places_of
from pipeline.models.catalog import Entity
from pipeline.models.policy import Config


class Knowledge(Indexes):
    """Indexes over a configuration."""

    @cached_property
    def services(self) -> tuple[Entity, ...]:
        """Every Component, by its title."""
        found = (each for each in self.config.catalogue.entities.values() if each.kind == "component")
        return tuple(sorted(found, key=lambda each: (each.title.lower(), each.ref)))

    @cached_property
    def places(self) -> dict[str, Place]:
        """What follows from each entity: its service, its domain."""
        return places_of(self.config.catalogue)

    @cached_property
    def callers(self) -> Context:
        """What the command line asks of a directory, without where its parts stand in files."""
        return Context(Opened(Checked(self.config, (), ())), self.config, 0)

    def domain(self, ref: str) -> str | None:
        """The domain of an entity: its own, its system's, or that of the one service that needs it."""
        place = self.places.get(ref)
        return place.domain if place is not None else None

    def sees(self, scope: Scope, ref: str | None) -> bool:
        """Whether somebody may look at an entity: one of his domains."""
        if ref is None or ref not in self.topology.entities:
            return False
        return scope is None or self.domain(ref) in scope

    def title(self, ref: str | None) -> str:
        """What people call it."""
        return self.topology.title(ref)


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A configuration as the one object that it is: to compare two by their content costs more than the indexes."""

    config: Config

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.config is self.config

    def __hash__(self) -> int:
        return id(self.config)


@lru_cache(maxsize=4)
def _known(same: _Same) -> Knowledge:
    return Knowledge(same.config)


def knowledge(config: Config) -> Knowledge:
    """The indexes over a configuration, made at the first call."""
    return _known(_Same(config))


def service_href(ref: str) -> str:
    """The address of an entity's page."""
    return f"/services/{quote(ref, safe='')}"
