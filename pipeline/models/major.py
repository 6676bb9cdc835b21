"""When incidents together are a Major Incident."""

from __future__ import annotations

from pipeline.models.catalog import Frozen


class MajorIncidentRule(Frozen):
    """Aggregate business impact at which a bridge incident opens; any one stated condition is enough.

    Attributes:
        users_at_least: people affected, over all related incidents, populations counted once.
        revenue_per_minute_at_least: money a minute, over all related incidents.
        regulatory: any of these tags, on an incident whose priority is in ``priorities``.
        priorities: only incidents of these priorities count at all.
    """

    users_at_least: int | None = None
    revenue_per_minute_at_least: float | None = None
    regulatory: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ("P1", "P2")
