"""Rotations: who is on call for which services."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from pipeline.models.catalog import Frozen


class OncallOverride(Frozen):
    """Somebody stands in."""

    start: datetime
    end: datetime
    person: str


class Rotation(Frozen):
    """Who is on call: people take turns of equal length from a first hand-off, in local time.

    Attributes:
        services: names or references of the services that it covers.
        people: order of turns for the primary; the secondary is the next in turn.
        start: first hand-off, aware.
        turn_days: length of a turn.
    """

    name: str
    services: tuple[str, ...] = ()
    people: tuple[str, ...] = Field(min_length=1)
    start: datetime
    timezone: str = "UTC"
    turn_days: int = Field(default=7, gt=0)
    overrides: tuple[OncallOverride, ...] = ()
