"""The service catalogue as Spillway uses it: entities, what they depend on, and what they mean to the business.

Read from Backstage descriptors by `pipeline.catalog`; this file holds only the words.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Frozen(BaseModel):
    """Base of configuration models: frozen, and a misspelt field is an error, not a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HostingModel(StrEnum):
    """Where something runs."""

    CLOUD = "cloud"
    ON_PREM = "on_prem"
    HYBRID = "hybrid"
    SAAS = "saas"


class Entity(Frozen):
    """One Component, Resource or System of the catalogue.

    Attributes:
        ref: full reference, lower case: ``component:default/checkout``.
        kind: ``component``, ``resource`` or ``system``.
        name: name inside its kind and namespace.
        type: Backstage ``spec.type``: service, website, database, host, rack, zone, cluster...
        owner: name of the owning group.
        system: name of its system.
        domain: name of its service domain, own or by its system.
        depends_on: references of what it needs, Components and Resources alike.
        tier: criticality, 1 (most critical) to 4; None when not stated.
        hosting_model: a `HostingModel`.
        infrastructure_layer: application, database, network, compute, identity...
        users: people who use it.
        population: who they are, where other systems serve the same people: ``staff``, or a part of them,
            ``staff/berlin``; own or its system's.
        revenue_per_minute: money lost a minute when it is down, in the company's currency.
        regulatory: tags such as ``pci-dss``, ``patient-safety``.
        sites: places of business where it is used: plants, branches, wards.
        aliases: business terms that users say, lower case.
        runbooks: incident category (or ``default``) -> address.
        oncall: name of the rotation that covers it; None: its owner's.
        environment: ``production`` unless stated.
        labels: other labels of the descriptor, for matching.
        location: file and line of the descriptor, for messages.
    """

    ref: str
    kind: str
    name: str
    title: str
    description: str = ""
    type: str = ""
    owner: str | None = None
    system: str | None = None
    domain: str | None = None
    depends_on: tuple[str, ...] = ()
    tier: int | None = Field(default=None, ge=1, le=4)
    hosting_model: HostingModel | None = None
    infrastructure_layer: str | None = None
    users: int | None = Field(default=None, ge=0)
    population: str | None = None
    revenue_per_minute: float | None = Field(default=None, ge=0)
    regulatory: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    runbooks: dict[str, str] = Field(default_factory=dict)
    oncall: str | None = None
    environment: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    location: str = ""


class Group(Frozen):
    """A team that owns services."""

    name: str
    title: str
    oncall: str | None = None
    email: str | None = None


class Catalogue(Frozen):
    """All entities by reference, and groups by name."""

    entities: dict[str, Entity] = Field(default_factory=dict)
    groups: dict[str, Group] = Field(default_factory=dict)
