"""Escalation paths: who is called when, without a person pushing, by what failed and where it runs."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from pipeline.models.catalog import Frozen, HostingModel

REPEATS_MAX: Final = 10
"""Times that a path begins again: who did not answer ten times answers no eleventh, and the record says so instead."""

REPEAT_MINUTES_DEFAULT: Final = 15.0
"""Minutes between two rounds where the policy names none: time to wake up, find the laptop and sign in."""

ANSWER_MINUTES: Final = 15.0
"""Minutes that the last level of a path without ``repeat`` has to answer before the record says that it has ended."""

HOPS_DEFAULT: Final = 3
"""Hops along dependencies: beyond three, published call graphs reach nearly everything."""

ENGAGEMENTS_DEFAULT: Final = 5
"""Owners of suspects that one incident engages by itself: as many suspects as it lists."""

ENGAGEMENTS_MAX: Final = 20
"""Bounds the record; who engages more than twenty teams wants a Major Incident."""

HAND_BACK_MINUTES: Final = 10.0
"""Minutes that a suspect is quiet while the incident goes on, before its owner is let go: what needs it takes some
minutes to recover after it."""


CASE_MINUTES_DEFAULT: Final = 30.0
"""Minutes to open a case outside and link it: a form and a call, beside the failure itself."""

CASE_MINUTES_MIN: Final = 5.0
"""Whoever is reminded more often than that does nothing else."""


class EscalationLevel(Frozen):
    """One level of an escalation path.

    Attributes:
        after_minutes: since opening, if nobody has acknowledged.
        notify: ``oncall`` (the owner's rotation), ``oncall-secondary``, ``owner``, ``dependency`` (the
            on-call of the next service upstream in the dependency chain), or the name of a rotation, group or person.
    """

    after_minutes: float = Field(ge=0)
    notify: tuple[str, ...]


class EscalationRepeat(Frozen):
    """The path begins again where nobody has answered.

    Attributes:
        times: rounds after the first one.
        every_minutes: from the last level of a round to the first of the next; None: `REPEAT_MINUTES_DEFAULT`.
    """

    times: int = Field(ge=1, le=REPEATS_MAX)
    every_minutes: float | None = Field(default=None, ge=1)

    @property
    def minutes(self) -> float:
        """The interval in force."""
        return self.every_minutes or REPEAT_MINUTES_DEFAULT


class EscalationRoute(Frozen):
    """Who else, or who instead, where a failure is of this kind. All conditions that are stated must hold.

    Attributes:
        name: what the record calls it; by default the words of its conditions.
        hosting_model: of the first suspect, else of the service.
        layers: infrastructure layers of the same.
        categories: of the incident.
        notify: takes the place of what the first level notifies; empty: it stays.
        also: is notified beside them.
        case: what has to be opened outside and linked: the provider's support case, or the vendor's ticket.
        case_minutes: after how long without a link that is reminded of; then after twice as long each time.
    """

    name: str = Field(default="", max_length=64)
    hosting_model: tuple[HostingModel, ...] = ()
    layers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    case: Literal["provider_case", "vendor_ticket"] | None = None
    case_minutes: float = Field(default=CASE_MINUTES_DEFAULT, ge=CASE_MINUTES_MIN)

    @property
    def title(self) -> str:
        """Its name, or the words of its conditions."""
        words = ["/".join(each) for each in (self.hosting_model, self.layers, self.categories) if each]
        return self.name or " ".join(words) or "any"


class EscalationPath(Frozen):
    """Levels for the priorities that it names.

    Attributes:
        hops_max: how far along the dependency chain ``dependency`` may go, and the owner of a suspect is engaged.
        repeat: how often it begins again; None: never.
        fallback: who is called where a level finds nobody: rotations, groups or persons.
        resume_after_minutes: escalation resumes when nothing is heard for so long after an answer; None: never.
        resume_waiting_after_minutes: the same while the incident waits for somebody outside; None: never.
        resume_at_share: escalation resumes when so much of the resolution time is used, in (0, 1]; None: never.
        engagements_max: owners of suspects that one incident engages.
        hand_back_minutes: how long a suspect is quiet while the incident goes on before its owner is let go.
        routes: by what failed and where it runs; the first that matches wins.
    """

    priorities: tuple[str, ...]
    levels: tuple[EscalationLevel, ...]
    hops_max: int = Field(default=HOPS_DEFAULT, ge=0, le=10)
    repeat: EscalationRepeat | None = None
    fallback: tuple[str, ...] = ()
    resume_after_minutes: float | None = Field(default=None, ge=1)
    resume_waiting_after_minutes: float | None = Field(default=None, ge=1)
    resume_at_share: float | None = Field(default=None, gt=0, le=1)
    engagements_max: int = Field(default=ENGAGEMENTS_DEFAULT, ge=0, le=ENGAGEMENTS_MAX)
    hand_back_minutes: float = Field(default=HAND_BACK_MINUTES, ge=0)
    routes: tuple[EscalationRoute, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """Everything that it names to be called."""
        levels = [target for level in self.levels for target in level.notify]
        routes = [target for route in self.routes for target in (*route.notify, *route.also)]
        return (*levels, *routes, *self.fallback)

    @property
    def rounds(self) -> int:
        """How often it is run through at most."""
        return 1 + (self.repeat.times if self.repeat is not None else 0)

    @property
    def answer_minutes(self) -> float:
        """How long the last level has to answer before the next round, or the end of the path."""
        return self.repeat.minutes if self.repeat is not None else ANSWER_MINUTES
