"""When incidents together are a Major Incident, and what is done then."""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

from pydantic import Field

from pipeline.models.catalog import Frozen


class MajorIncidentMode(StrEnum):
    """What a trigger rule does.

    ``declare`` opens a bridge incident at once. ``propose`` asks the Major Incident manager, who confirms or rejects
    it. ``promote`` declares, and raises the priority of the incidents that led to it to the top as well.
    """

    DECLARE = "declare"
    PROPOSE = "propose"
    PROMOTE = "promote"


class MajorIncidentPhase(StrEnum):
    """Where the record of a Major Incident is: asked for, in force, or how it came to nothing."""

    PROPOSED = "proposed"
    DECLARED = "declared"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    DEMOTED = "demoted"


class CoordinatedStatus(StrEnum):
    """The one status of a Major Incident, in its order. It goes on by itself, and people set it."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MITIGATING = "mitigating"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class Thresholds(Frozen):
    """Aggregate business impact over all related incidents.

    Attributes:
        users_at_least: people affected, populations counted once.
        revenue_per_minute_at_least: money a minute, systems counted once.
        regulatory: any of these tags.
        sites_at_least: different sites.
        tickets_at_least: service-desk tickets.
        reporters_at_least: people who reported.
        incidents_at_least: related incidents, whatever each of them comes to.
    """

    users_at_least: int | None = Field(default=None, ge=1)
    revenue_per_minute_at_least: float | None = Field(default=None, gt=0)
    regulatory: tuple[str, ...] = ()
    sites_at_least: int | None = Field(default=None, ge=1)
    tickets_at_least: int | None = Field(default=None, ge=1)
    reporters_at_least: int | None = Field(default=None, ge=1)
    incidents_at_least: int | None = Field(default=None, ge=1)

    @cached_property
    def stated(self) -> dict[str, Any]:
        """The conditions that it states, by name."""
        values = ((name, getattr(self, name)) for name in Thresholds.model_fields)
        return {name: value for name, value in values if value is not None and value != ()}


class MajorIncidentTrigger(Thresholds):
    """One trigger rule: all that it states must hold. One that states nothing never does.

    Attributes:
        name: for people, on the record.
        priorities: only incidents of these priorities count; None: those of the pack's ``major_incident``.
    """

    name: str = Field(default="", max_length=100)
    mode: MajorIncidentMode = MajorIncidentMode.DECLARE
    priorities: tuple[str, ...] | None = None


class ProposalRules(Frozen):
    """How long a proposal waits for the Major Incident manager.

    Attributes:
        call_again_minutes: after which the next of the managers is called, where there is one.
        expires_minutes: after which nobody's answer is an answer: see ``unanswered``.
        withdraw_minutes: how long the impact must stay under all thresholds for a proposal to be withdrawn by itself.
        unanswered: ``expire``: nothing is declared; ``declare``: it is declared by itself.
    """

    call_again_minutes: int = Field(default=10, gt=0)
    expires_minutes: int = Field(default=60, gt=0)
    withdraw_minutes: int = Field(default=5, ge=0)
    unanswered: Literal["expire", "declare"] = "expire"


class MajorIncidentRule(Thresholds):
    """When related incidents are a Major Incident.

    Either ``rules``, in order, of which the first that holds wins and all that it states must hold; or thresholds
    right here, of which any one is enough to declare.

    Attributes:
        priorities: only incidents of these priorities count at all.
        rules: trigger rules; empty: the thresholds stated here.
        manager: who is called for a Major Incident, declared or proposed: names of rotations or people, ``owner``.
            The first at once, for a proposal each next one while nobody answers.
        propose: how proposals wait.
        demote_after_minutes: how long corrected impact must stay under all thresholds for a declaration to be taken
            back by itself; None: only people do.
    """

    priorities: tuple[str, ...] = ("P1", "P2")
    rules: tuple[MajorIncidentTrigger, ...] = ()
    manager: tuple[str, ...] = ()
    propose: ProposalRules = ProposalRules()
    demote_after_minutes: int | None = Field(default=15, ge=1)

    @cached_property
    def triggers(self) -> tuple[MajorIncidentTrigger, ...]:
        """The trigger rules: those in its list, or the one that its thresholds are."""
        if self.rules:
            return self.rules
        return (MajorIncidentTrigger(**{name: getattr(self, name) for name in Thresholds.model_fields}),)

    @cached_property
    def counted(self) -> frozenset[str]:
        """Priorities that count for any trigger rule."""
        return frozenset(self.priorities).union(*(each.priorities or () for each in self.rules))
