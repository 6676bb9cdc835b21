"""Ticketing systems: a record there for each incident here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from pydantic import Field

from pipeline.models.sinks.base import FieldTemplates, TwoWay, WithSecret

POLL_SECONDS_MIN: Final = 15
"""Asked more often, an API of thousands of requests an hour has none left for what we have to say."""

LinkKind = Literal["support_case", "vendor_ticket", "problem", "change", "ticket"]


def one_line(text: str, characters_max: int) -> str:
    """A text as a title: on one line, without what cannot be seen, no longer than the field there."""
    seen = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return seen if len(seen) <= characters_max else seen[: characters_max - 1] + "…"


def of_service(mapping: Mapping[str, str], service: str | None) -> str | None:
    """What a service is there; the configuration may name it by its reference or by its name alone."""
    return of_any(mapping, service, (service or "").rpartition("/")[2])


def of_any(mapping: Mapping[str, str], *names: str | None) -> str | None:
    """What the first of the names that the configuration knows is there."""
    return next((mapping[name] for name in names if name and name in mapping), None)


class Ticketing(WithSecret, TwoWay):
    """Fields of all ticketing systems.

    Attributes:
        poll_seconds: ask so often what has changed there, where no webhook can be had; 0: do not ask.
        fields: own fields of the ticket, by template.
        notes: which entries of the timeline become notes there: those that matter for the work, all, or none.
        public_audience: messages to this audience become words that the affected users read on the ticket; empty: none
            do.
        groups: owner, domain or service here -> id of the team there.
        link_fields: own field of the ticket that holds the number of a case or ticket elsewhere -> what that is.
    """

    poll_seconds: int = Field(default=0, ge=0, le=86_400)
    fields: FieldTemplates = Field(default_factory=dict)
    notes: Literal["important", "all", "none"] = "important"
    public_audience: str = Field(default="affected_users", max_length=64)
    groups: dict[str, str] = Field(default_factory=dict)
    link_fields: dict[str, LinkKind] = Field(default_factory=dict)

    LINK_KIND: ClassVar[str | None] = "ticket"

    def person_there(self, person: str) -> str | None:
        """Whom somebody here is there, "" of nobody; None: nobody that is configured."""
        return next((there for there, here in self.people.items() if here == person), None) if person else ""

    def person_here(self, *names: str) -> str:
        """Whom somebody there is here, by any of his ids and names; where none is configured, the last one given."""
        given = [name for name in names if name]
        return next((self.people[name] for name in given if name in self.people), given[-1] if given else "")

    def group_there(self, incident: Mapping[str, Any]) -> str | None:
        """The team there that an incident goes to, by its service, else its owner, else its domain."""
        found = of_service(self.groups, incident.get("service"))
        return found or of_any(self.groups, incident.get("owner"), incident.get("domain"))
