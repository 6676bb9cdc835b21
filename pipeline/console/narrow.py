"""What somebody may see, narrowed to what he asks for."""

from __future__ import annotations

from pipeline.console.identity import Scope
from pipeline.console.refusal import not_found


def narrowed(scope: Scope, domain: str) -> Scope:
    """A scope, narrowed to one domain; "": as it is.

    Raises:
        Refusal: the domain is out of it.
    """
    if not domain:
        return scope
    if scope is not None and domain not in scope:
        raise not_found("domain", domain)
    return frozenset({domain})
