"""Scales of a service domain: categories, and how urgency and impact are derived."""

from __future__ import annotations

from pydantic import Field

from pipeline.models.catalog import Frozen


class Category(Frozen):
    """One incident category of a domain; the first that matches an episode wins, in file order.

    Attributes:
        words: match when the alert's name, summary, description or ticket text holds one, lower case.
        labels: match when every named label equals one of its values.
        layers: match when the entity's infrastructure layer is one of them.
    """

    name: str
    title: str = ""
    words: tuple[str, ...] = ()
    labels: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    layers: tuple[str, ...] = ()


class ImpactRule(Frozen):
    """One line of the impact scale; the first line whose stated conditions all hold gives the level."""

    level: str
    tier_at_most: int | None = None
    users_at_least: int | None = None
    revenue_per_minute_at_least: float | None = None
    regulatory: tuple[str, ...] = ()
    because: str = ""


class UrgencyRule(Frozen):
    """One line of the urgency scale; the first line whose stated conditions all hold gives the level.

    Attributes:
        severity_at_least: the worst open severity reaches this.
        regulatory: an affected service carries one of these tags.
        categories: the incident has one of these categories.
        business_hours: only inside (true) or outside (false) the domain's business hours.
    """

    level: str
    severity_at_least: str | None = None
    regulatory: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    business_hours: bool | None = None
    because: str = ""
