"""Status pages: what the world is told, from messages that people have approved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, StringConstraints

from pipeline.models.remote import RemoteState
from pipeline.models.sinks.base import MAPPING_ENTRIES_MAX, Address, Owners, Refers, SinkRules, TwoWay, WithSecret

ENTRIES: Final = Field(max_length=MAPPING_ENTRIES_MAX)

StatuspageId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,64}$")]
IncidentIoId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""Only what can stand in an address as it is; how long ids are the vendors may change."""

Notify = Literal["states", "all", "never"]
"""Whether subscribers of the page are notified: of each new state, of all messages, or of none."""


class Published(SinkRules):
    """Fields of all sinks that publish messages to an audience, and nothing else of an incident.

    Attributes:
        audience: messages to this audience are published there; drafts never are.
        channel: only of those that go to this channel; empty: of the first that an incident speaks on.
        approval: `required`: only messages that somebody has approved (`audiences.<name>.approval` of the pack), and
            how it ended to who was told of it; `none`: also what the pack publishes by itself, for a page that only
            colleagues read.
        closing_text: said where an incident has ended here and its last words never came, so that nothing stays open.
    """

    audience: str = Field(default="public", min_length=1, max_length=64)
    channel: str = Field(default="", max_length=200)
    approval: Literal["required", "none"] = "required"
    closing_text: str = Field(default="This incident is over.", min_length=1, max_length=1_000)

    STATE_BY_MESSAGES: ClassVar[bool] = True
    MADE_AGAIN: ClassVar[bool] = False
    """Whoever takes down what the world reads means it."""
    STATES: ClassVar[dict[RemoteState, RemoteState]] = {
        RemoteState.ACKNOWLEDGED: RemoteState.OPEN,
        RemoteState.IN_PROGRESS: RemoteState.OPEN,
        RemoteState.WAITING: RemoteState.OPEN,
        RemoteState.CLOSED: RemoteState.RESOLVED,
    }


class StatusPage(Published, WithSecret, TwoWay):
    """Fields of all status pages.

    The state there follows the messages, so what somebody does there changes nothing here by default.

    Attributes:
        components: service here -> id of the component there.
        component_statuses: priority -> status of the affected components.
        notify: which messages its subscribers are sent.
        rename: the name there follows the subject of the newest message; False: it stays that of the first.
        mitigated: no component is shown worse than this once service is restored.
        poll_seconds: ask so often what has changed there; 0: do not ask.
    """

    owners: Owners = Owners(state="ours", priority="theirs", assignee="theirs", title="theirs", notes="theirs")
    components: Mapping[str, str] = Field(default_factory=dict)
    component_statuses: Mapping[str, str] = Field(default_factory=dict)
    notify: Notify = "states"
    rename: bool = True
    mitigated: Literal["operational", "degraded_performance", "partial_outage"] = "degraded_performance"
    poll_seconds: int = Field(default=0, ge=0, le=86_400)

    LINK_KIND: ClassVar[str | None] = "status_page"
    READS_BACK: ClassVar[bool] = False
    SEVERITIES: ClassVar[tuple[str, ...]] = ()
    """Statuses of a component, from the mildest to the worst."""

    def component_status(self, priority: str | None, rank: int | None, *, mitigated: bool) -> str:
        """How an affected component is shown.

        Args:
            priority: of the incident.
            rank: its place in its scale: the most urgent is shown worst, unless `component_statuses` names it.
            mitigated: service is restored.
        """
        worst = self.SEVERITIES
        status = by_priority(self.component_statuses, worst[:0:-1], priority, rank)
        return min(status, self.mitigated, key=worst.index) if mitigated else status


def by_priority(named: Mapping[str, str], ladder: Sequence[str], priority: str | None, rank: int | None) -> str:
    """A word by priority: as named, else by its rank on a ladder that begins with the most urgent."""
    if priority is not None and priority in named:
        return named[priority]
    return ladder[len(ladder) - 1 if rank is None else max(0, min(rank, len(ladder) - 1))]


ComponentStatus = Literal["operational", "degraded_performance", "partial_outage", "major_outage"]
Impact = Literal["none", "minor", "major", "critical"]


class Statuspage(StatusPage):
    """Atlassian Statuspage. The secret is an API key.

    Its limit is 60 requests in any 60 seconds and token, so a little less a second, and few at once.

    Attributes:
        page_id: of the page, as in its address under Manage.
        components: service here -> id of the component there.
        component_statuses: priority -> status of the affected components; by default P1 `major_outage`, the next
            `partial_outage`, the others `degraded_performance`.
        impacts: priority -> impact; by default `critical`, `major`, `minor`, `none` down the scale.
    """

    type: Literal["statuspage"] = "statuspage"
    url: Address = "https://api.statuspage.io"
    page_id: StatuspageId
    components: Annotated[dict[str, StatuspageId], Field(max_length=MAPPING_ENTRIES_MAX), Refers(keys="service")] = (
        Field(default_factory=dict)
    )
    component_statuses: Annotated[dict[str, ComponentStatus], Refers(keys="priority")] = Field(default_factory=dict)
    impacts: Annotated[dict[str, Impact], Refers(keys="priority")] = Field(default_factory=dict)
    requests_per_second: float = Field(default=0.9, ge=0, le=10_000)

    SEVERITIES: ClassVar[tuple[str, ...]] = ("operational", "degraded_performance", "partial_outage", "major_outage")
    IMPACTS: ClassVar[tuple[str, ...]] = ("critical", "major", "minor", "none")

    def impact(self, priority: str | None, rank: int | None) -> str:
        """The impact to be shown."""
        return by_priority(self.impacts, self.IMPACTS, priority, rank)


IncidentIoStatus = Literal["operational", "degraded_performance", "partial_outage", "full_outage"]


class IncidentIo(StatusPage):
    """incident.io status pages. The secret is an API key that may create status page incidents.

    Attributes:
        page_id: of the page, from `GET /v2/status_pages`.
        components: service here -> id of the component there, from `GET /v2/status_page_structures`.
        component_statuses: priority -> status of the affected components; by default P1 `full_outage`, the next
            `partial_outage`, the others `degraded_performance`.
    """

    type: Literal["incident_io"] = "incident_io"
    url: Address = "https://api.incident.io"
    page_id: IncidentIoId
    components: Annotated[dict[str, IncidentIoId], Field(max_length=MAPPING_ENTRIES_MAX), Refers(keys="service")] = (
        Field(default_factory=dict)
    )
    component_statuses: Annotated[dict[str, IncidentIoStatus], Refers(keys="priority")] = Field(default_factory=dict)
    requests_per_second: float = Field(default=10.0, ge=0, le=10_000)

    SEVERITIES: ClassVar[tuple[str, ...]] = ("operational", "degraded_performance", "partial_outage", "full_outage")


class StatusWebhook(Published, WithSecret):
    """Any status page that takes Standard Webhooks. The secret signs."""

    type: Literal["status_webhook"] = "status_webhook"

    LINK_KIND: ClassVar[str | None] = "status_page"
