"""A bar: what the project promises, as a number that a run is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Measured = TypeVar("Measured")


@dataclass(frozen=True, slots=True)
class Bar(Generic[Measured]):
    """One bar.

    Attributes:
        text: what is promised, for people.
        limit: the number.
        figure: computes it; KeyError where it was not measured.
        least: the figure must reach the limit; else it must not pass it.
        goal: a wish that fails no check.
        strict: the limit itself is not enough.
    """

    text: str
    limit: float
    figure: Callable[[Measured], float]
    least: bool = True
    goal: bool = False
    strict: bool = False

    def met(self, value: float) -> bool:
        """Whether a value is good enough."""
        if value == self.limit:
            return not self.strict
        return value > self.limit if self.least else value < self.limit

    @property
    def sign(self) -> str:
        """How the limit is to be read."""
        return (">" if self.least else "<") + ("" if self.strict else "=")
