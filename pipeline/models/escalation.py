"""Escalation paths: who is called when, without a person pushing."""

from __future__ import annotations

from pydantic import Field

from pipeline.models.catalog import Frozen


class EscalationLevel(Frozen):
    """One level of an escalation path.

    Attributes:
        after_minutes: since opening, if nobody has acknowledged.
        notify: ``oncall`` (the owner's rotation), ``oncall-secondary``, ``owner``, ``dependency`` (the
            on-call of the next service upstream in the dependency chain), or a rotation's or person's name.
    """

    after_minutes: float = Field(ge=0)
    notify: tuple[str, ...]


class EscalationPath(Frozen):
    """Levels for the priorities that it names.

    Attributes:
        hops_max: how far along the dependency chain ``dependency`` may go.
    """

    priorities: tuple[str, ...]
    levels: tuple[EscalationLevel, ...]
    hops_max: int = Field(default=3, ge=0, le=10)
