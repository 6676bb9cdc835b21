"""Whose incidents somebody may see, as a condition of a question."""

from __future__ import annotations

from typing import Any

Scope = frozenset[str] | None
"""Domains whose incidents somebody may see; None: all, and those of no domain."""


def domains_within(scope: Scope, column: str = "incidents.domains") -> tuple[str, dict[str, Any]]:
    """A condition on a column of domains, and its parameter."""
    if scope is None:
        return "true", {}
    return f"{column} && cast(:scope AS text[])", {"scope": sorted(scope)}


def domain_within(scope: Scope, column: str) -> tuple[str, dict[str, Any]]:
    """A condition on a column of one domain, and its parameter."""
    if scope is None:
        return "true", {}
    return f"{column} = ANY(cast(:scope AS text[]))", {"scope": sorted(scope)}
