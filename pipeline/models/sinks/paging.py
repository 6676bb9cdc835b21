"""Paging services."""

from __future__ import annotations

from typing import ClassVar, Literal

from pipeline.models.sinks.base import Address, TwoWay, WithSecret


class PagerDuty(WithSecret, TwoWay):
    """PagerDuty, by its Events API version 2. The secret is the integration's routing key."""

    type: Literal["pagerduty"] = "pagerduty"
    url: Address = "https://events.pagerduty.com"

    LINK_KIND: ClassVar[str | None] = "page"
