"""Maintenance windows: trouble that is expected."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from pipeline.models.catalog import Frozen


class MaintenanceWindow(Frozen):
    """Expected trouble: alerts on the targets are suppressed, never dropped; their end restores the truth.

    Attributes:
        targets: what is worked on, in any name that the catalogue knows; includes what runs on it.
        labels: only alerts that carry all these labels; without targets, any alert that carries them.
    """

    name: str
    start: datetime
    end: datetime
    targets: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    owner: str = ""
