"""Who asks, in what role, for which domains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pipeline.models.command import Role

PEOPLE: Final = (Role.VIEWER, Role.RESPONDER, Role.COMMANDER, Role.ADMINISTRATOR)
"""Roles of people, each of which may all that the ones before may."""

_RANK: Final = {role: rank for rank, role in enumerate(PEOPLE)}

Scope = frozenset[str] | None
"""Domains whose incidents somebody may see; None: all, and those of no domain."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A role, for some domains or for all.

    Attributes:
        domains: names of service domains; None: all.
    """

    role: Role
    domains: frozenset[str] | None = None

    def covers(self, domains: Iterable[str]) -> bool:
        """Whether it holds for an incident of any of these domains."""
        return self.domains is None or not self.domains.isdisjoint(domains)


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who is known.

    Attributes:
        subject: stable and unique: who it is in the access log, and the actor of what is asked.
        name: for people.
        grants: what he may.
        by: how he came in: ``oidc``, ``token`` or ``session``.
        credential: id of the token or session, never the secret.
    """

    subject: str
    name: str
    grants: tuple[Grant, ...]
    by: str
    credential: str = ""

    def role_for(self, domains: Iterable[str]) -> Role | None:
        """The highest role for an incident of these domains; None: he may not even see it."""
        known = set(domains)
        return max((each.role for each in self.grants if each.covers(known)), key=_RANK.__getitem__, default=None)

    @property
    def highest(self) -> Role | None:
        """The highest role that he has for anything."""
        return max((each.role for each in self.grants), key=_RANK.__getitem__, default=None)

    @property
    def scope(self) -> Scope:
        """Domains that he may see."""
        return _domains(self.grants)

    def scope_as(self, role: Role) -> Scope:
        """Domains in which he may what that role may: fewer, perhaps, than he may see."""
        return _domains(each for each in self.grants if at_least(each.role, role))


def _domains(grants: Iterable[Grant]) -> Scope:
    found = [each.domains for each in grants]
    if None in found:
        return None
    return frozenset(domain for each in found for domain in each or ())


def at_least(role: Role | None, needed: Role) -> bool:
    """Whether a role may what the needed one may."""
    return role is not None and _RANK[role] >= _RANK[needed]


def domains_of(snapshot: dict[str, Any]) -> set[str]:
    """The domains that an incident is of: its own, and of a bridge incident those of its members."""
    own, more = snapshot.get("domain"), snapshot.get("domains")
    found = [own, *(more if isinstance(more, list) else [])]
    return {each for each in found if isinstance(each, str) and each}
