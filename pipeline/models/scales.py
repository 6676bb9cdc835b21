"""Scales of a service domain: its priorities, its categories, and how urgency and impact are derived."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from pipeline.models.catalog import Frozen, HostingModel

PRIORITIES_DEFAULT: Final = ("P1", "P2", "P3", "P4")
"""The scale of a domain that has none of its own, most urgent first."""

PRIORITIES_MAX: Final = 10
"""Priorities of one scale: nobody can tell more of them apart, and each is a label of metrics."""


def place_of(priority: str, rank: int | None) -> int:
    """Place of a priority in its scale, 0 the most urgent, where perhaps an older release did not say."""
    if rank is not None:
        return rank
    return PRIORITIES_DEFAULT.index(priority) if priority in PRIORITIES_DEFAULT else PRIORITIES_MAX


class Category(Frozen):
    """One incident category of a domain; the first that matches an episode wins, in file order.

    Any one of its conditions is enough.

    Attributes:
        words: match when the alert's name, summary, description or ticket text holds one, lower case.
        labels: match when every named label equals one of its values.
        layers: match when the entity's infrastructure layer is one of them.
        feeds: match when the alert came by one of these feeds.
        hosting_models: match when the entity's hosting model is one of them.
    """

    name: str
    title: str = ""
    words: tuple[str, ...] = ()
    labels: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    layers: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    hosting_models: tuple[HostingModel, ...] = ()


class ScaleRule(Frozen):
    """One line of a scale; the first line whose stated conditions all hold gives the level.

    Attributes:
        level: name of the level.
        because: why, in words for the timeline.
        severity_at_least: the worst open severity reaches this.
        tier_at_most: a service that is affected is of this criticality tier or a more critical one.
        users_at_least: so many people are affected.
        reporters_at_least: so many different people have reported.
        services_at_least: so many services are affected.
        sites_at_least: what is affected is used at so many sites (``spillway.dev/sites``).
        revenue_per_minute_at_least: so much money a minute is at stake.
        regulatory: an affected service carries one of these tags, such as ``patient-safety``.
        categories: the incident has one of these categories.
        layers: something affected is of one of these infrastructure layers.
        hosting_models: something affected runs so: ``cloud``, ``on_prem``, ``hybrid``, ``saas``.
        business_hours: only inside (true) or outside (false) the domain's business hours.
    """

    level: str
    because: str = ""
    severity_at_least: str | None = None
    tier_at_most: int | None = None
    users_at_least: int | None = None
    reporters_at_least: int | None = None
    services_at_least: int | None = None
    sites_at_least: int | None = None
    revenue_per_minute_at_least: float | None = None
    regulatory: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    hosting_models: tuple[HostingModel, ...] = ()
    business_hours: bool | None = None


class ImpactRule(ScaleRule):
    """One line of the impact scale: how much is affected."""


class UrgencyRule(ScaleRule):
    """One line of the urgency scale: how little time there is."""
