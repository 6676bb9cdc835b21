"""Status pages: what the world is told, from messages that people have approved."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from pipeline.models.sinks.base import Address, ByService, TwoWay, WithSecret


class StatusPage(WithSecret, TwoWay):
    """Fields of all status pages.

    Attributes:
        audience: messages to this audience are published there; drafts never are.
        channel: only of those that go to this channel; empty: any.
        approval: `required`: only messages that somebody has approved (`audiences.<name>.approval` of the pack); `none`:
            also what the pack publishes by itself, for a page that only colleagues read.
        components: service here -> id of the component there.
    """

    audience: str = Field(default="public", min_length=1, max_length=64)
    channel: str = ""
    approval: Literal["required", "none"] = "required"
    components: ByService = Field(default_factory=dict)

    LINK_KIND: ClassVar[str | None] = "status_page"


class Statuspage(StatusPage):
    """Atlassian Statuspage."""

    type: Literal["statuspage"] = "statuspage"
    url: Address = "https://api.statuspage.io"
    page_id: str = Field(min_length=1, max_length=100)


class IncidentIo(StatusPage):
    """incident.io status pages."""

    type: Literal["incident_io"] = "incident_io"
    url: Address = "https://api.incident.io"
    page_id: str = Field(min_length=1, max_length=100)
