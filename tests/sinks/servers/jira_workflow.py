"""Workflows of Jira's projects: statuses by category, and which transitions lead from which."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Workflow:
    """Statuses and the ways between them.

    Attributes:
        statuses: name -> key of its category; the first one is where an issue begins.
        ways: name of a status -> names of those that a transition leads to from it.
        asks_resolution: statuses whose transitions have a screen that asks for a resolution.
        resolutions: that the screen offers.
        locked: statuses in which an issue takes no edit.
    """

    statuses: dict[str, str]
    ways: dict[str, tuple[str, ...]]
    asks_resolution: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ("Done", "Duplicate", "Cannot Reproduce", "Won't Do")
    locked: tuple[str, ...] = field(default=())

    @property
    def first(self) -> dict[str, Any]:
        """Where an issue begins."""
        return self.status(next(iter(self.statuses)))

    def status(self, name: str) -> dict[str, Any]:
        """A status as it is shown."""
        return {"name": name, "statusCategory": {"key": self.statuses[name]}}

    def transitions(self, name: str) -> list[dict[str, Any]]:
        """The transitions from a status."""
        numbers = {status: str(11 + 10 * place) for place, status in enumerate(self.statuses)}
        return [
            {
                "id": numbers[target],
                "name": f"To {target}",
                "to": self.status(target),
                "fields": self._screen(target),
            }
            for target in self.ways[name]
        ]

    def _screen(self, target: str) -> dict[str, Any]:
        if target not in self.asks_resolution:
            return {}
        allowed = [{"name": name} for name in self.resolutions]
        return {"resolution": {"required": True, "name": "Resolution", "allowedValues": allowed}}


SERVICE = Workflow(
    statuses={
        "Open": "new",
        "Work in progress": "indeterminate",
        "Pending": "indeterminate",
        "Canceled": "done",
        "Completed": "done",
        "Closed": "done",
    },
    ways={
        "Open": ("Work in progress", "Canceled"),
        "Work in progress": ("Pending", "Canceled", "Completed", "Open"),
        "Pending": ("Work in progress", "Canceled"),
        "Canceled": ("Open",),
        "Completed": ("Closed", "Work in progress"),
        "Closed": ("Open",),
    },
    asks_resolution=("Completed", "Closed"),
    locked=("Closed",),
)
"""As a service project's for incidents: done is reached through work, and what is closed is locked."""

ONE_WAY = Workflow(statuses={"Open": "new", "Doing": "indeterminate"}, ways={"Open": ("Doing",), "Doing": ()})
"""A workflow in which nothing ends."""
