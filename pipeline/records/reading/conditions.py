"""Filters as conditions on the columns of ``incidents``."""

from __future__ import annotations

from typing import Any, Final

from pipeline.records.reading.filters import NOBODY, Filters
from pipeline.records.reading.scope import Scope, domains_within

ENDED: Final = ("closed", "merged", "cancelled")

OPEN: Final = "incidents.state NOT IN ('closed', 'merged', 'cancelled')"
"""As the partial indexes say it, so that they are used."""

_EQUAL: Final = ("kind", "owner", "hosting_model", "infrastructure_layer", "severity", "space")

MUTED: Final = "coalesce(jsonb_typeof(incidents.snapshot->'muted') = 'object', false)"


def conditions(filters: Filters, scope: Scope) -> tuple[str, dict[str, Any]]:
    """A condition that holds for what may be seen and is asked for, and its parameters; ``q`` is not in it."""
    within, parameters = domains_within(scope)
    parts = [within]
    for name in _EQUAL:
        if (value := getattr(filters, name)) is not None:
            parts.append(f"incidents.{name} = :{name}")
            parameters[name] = value
    for name in ("state", "priority"):
        if values := getattr(filters, name):
            parts.append(f"incidents.{name} = ANY(cast(:{name} AS text[]))")
            parameters[name] = list(values)
    if filters.open is not None:
        parts.append(OPEN if filters.open else f"NOT ({OPEN})")
    for name, column in (("domain", "domains"), ("service", "services")):
        if (value := getattr(filters, name)) is not None:
            parts.append(f"(incidents.{name} = :{name} OR :{name} = ANY(incidents.{column}))")
            parameters[name] = value
    if filters.category is not None:
        parts.append("(incidents.category = :category OR incidents.snapshot->'categories' ? :category)")
        parameters["category"] = filters.category
    parts += _flags(filters, parameters)
    if filters.opened_from is not None:
        parts.append("incidents.opened_at >= :opened_from")
        parameters["opened_from"] = filters.opened_from
    if filters.opened_to is not None:
        parts.append("incidents.opened_at < :opened_to")
        parameters["opened_to"] = filters.opened_to
    return " AND ".join(parts), parameters


def _flags(filters: Filters, parameters: dict[str, Any]) -> list[str]:
    parts = []
    if filters.assignee is not None:
        if filters.assignee == NOBODY:
            parts.append("incidents.assignee IS NULL")
        else:
            parts.append("incidents.assignee = :assignee")
            parameters["assignee"] = filters.assignee
    if filters.member is not None:
        parts.append(f"incidents.bridge_id IS {'NOT NULL' if filters.member else 'NULL'}")
    if filters.muted is not None:
        parts.append(MUTED if filters.muted else f"NOT {MUTED}")
    if filters.at_risk is not None:
        risk = f"({OPEN} AND (incidents.breached OR coalesce(incidents.due_at < :risk_by, false)))"
        parts.append(risk if filters.at_risk else f"NOT coalesce({risk}, false)")
        parameters["risk_by"] = filters.risk_by
    return parts
