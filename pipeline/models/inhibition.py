"""Inhibition: what is muted while what it needs is known to be down; ``inhibit`` in ``correlation.yaml``."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from pipeline.models.catalog import Frozen
from pipeline.models.correlation_rules import Names, Selector

INHIBIT_RULES_MAX: Final = 200
"""Rules of one company; each that matches an episode is one look at an index."""

HOPS_MAX: Final = 3
"""As far as dependence is followed anywhere: beyond that nearly everything needs everything."""

GRACE_SECONDS_MAX: Final = 3_600


class InhibitRule(Frozen):
    """While an episode that matches ``source`` fires in an incident, those that match ``target`` open none.

    Attributes:
        source: what inhibits: a monitor's alerts, critical ones unless ``match`` states a severity.
        target: what is inhibited; never what people report.
        along: ``dependencies``: the target needs what the source is about, directly or not.
        hops: how far along the dependencies.
        equal: facts or labels that both have, with the same values.
        grace_seconds: how long after its source is over a target still waits: what follows from a failure recovers a
            little later.
    """

    source: Selector
    target: Selector
    along: Literal["dependencies"] | None = None
    hops: int = Field(default=HOPS_MAX, ge=1, le=HOPS_MAX)
    equal: Names = ()
    grace_seconds: int = Field(default=120, ge=0, le=GRACE_SECONDS_MAX)

    @model_validator(mode="after")
    def _ties_the_two(self) -> Self:
        if self.along is None and not self.equal:
            raise ValueError("needs 'along: dependencies' or 'equal': what ties a target to its source")
        if self.along is None and "hops" in self.model_fields_set:
            raise ValueError("'hops' is of 'along: dependencies'")
        for name, selector in (("source", self.source), ("target", self.target)):
            if not (selector.match or selector.when):
                raise ValueError(f"'{name}' needs match or when")
        return self
