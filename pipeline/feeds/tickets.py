"""What service-desk feeds share: one way to say a ticket, whichever desk it is in.

Every ticket is one condition, so its alert key is the ticket, and it has one name: people word one failure in a
hundred ways. Who reported stays opaque. What a desk's form says has the same label in every desk.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import put_link
from pipeline.feeds.severity import Graded
from pipeline.models.alert import Alert, Kind
from pipeline.models.feed import RawMessage
from pipeline.models.mark import marked_id

TICKET_NAME: Final = "ticket"
"""Name of every ticket's condition: people word one failure in a hundred ways, so the subject is no name."""

TICKET_LINK: Final = "ticket"
"""Title of the link to the ticket's page for people."""

# 64 bits tell the users of any company apart; the hash is there to count people, not to hide them.
_REPORTER_DIGITS: Final = 16


class TicketLabels(NamedTuple):
    """What a form says, by the label that it has in every desk. None and "" are left out.

    Attributes:
        type: what sort of ticket: incident, request, ...
        status: where it is, as the desk words it.
        category: what it is about, by the desk's own list.
        service_instance: the service that the form names.
        component: the part or configuration item that the form names.
        components: all of them, where it names several.
        project: the queue or project that it is in.
        team: the group that has it.
        channel: how it came: portal, mail, phone, ...
        tags: words that people put on it, with commas between.
    """

    type: str | None = None
    status: str | None = None
    category: str | None = None
    service_instance: str | None = None
    component: str | None = None
    components: str | None = None
    project: str | None = None
    team: str | None = None
    channel: str | None = None
    tags: str | None = None


class Ticket(NamedTuple):
    """One message about one ticket, as every desk can say it.

    Attributes:
        identity: what tells the ticket from every other one of the feed; its last part is the desk's id for it.
        number: what people call it.
        kind: ``ticket`` while it is open, ``resolved`` or ``merged`` once it is not, ``own`` where Spillway made it.
        reporter: who has the trouble, as the desk names people; it is hashed.
        address: of the ticket's page for people.
        event_at_ms: when this event happened; of an end: when the ticket was opened.
        ended_at_ms: when the ticket was done.
    """

    identity: tuple[str, ...]
    number: str
    kind: Kind
    summary: str | None
    description: str | None
    graded: Graded
    labels: TicketLabels
    reporter: str | None
    delivery_id: str | None
    address: str | None = None
    event_at_ms: int | None = None
    ended_at_ms: int | None = None

    def alert(self, message: RawMessage) -> Alert:
        """The alert that says so."""
        alert = Alert(
            feed=message.feed,
            feed_class=message.feed_class,
            kind=self.kind,
            alert_key=content_hash(message.feed, *self.identity),
            source_episode_id=self.identity[-1],
            delivery_id=self.delivery_id,
            name=TICKET_NAME,
            summary=self.summary or "",
            description=self.description or "",
            severity=self.graded.severity,
            severity_native=self.graded.native,
            severity_default_reason=self.graded.default_reason,
            event_at_ms=self.event_at_ms,
            ended_at_ms=self.ended_at_ms,
            labels={label: value for label, value in self.labels._asdict().items() if value},
            ticket=self.number,
            reporter=reporter_id(message.feed, self.reporter),
        )
        put_link(alert.links, TICKET_LINK, self.address)
        return alert


def kind_of(kind: Kind, *marks: str | None) -> Kind:
    """The kind of a message about a ticket; ``own`` where it bears the mark of Spillway.

    A ticket that Spillway made for an incident is no report of a user: taken for one it would open an incident again,
    which would make a ticket again.

    Args:
        kind: of any other ticket.
        marks: what stands where ids and labels of other systems stand.
    """
    return Kind.OWN if any(marked_id(mark) for mark in marks) else kind


def reporter_id(feed: str, person: str | None) -> str | None:
    """An opaque id for a person of a desk, equal in all of their tickets; None where nobody is named."""
    return content_hash(feed, "reporter", person)[:_REPORTER_DIGITS] if person else None


def page_of(site: str | None, path: str) -> str | None:
    """The address of a page of a desk; None where nobody says where the desk is."""
    return f"{site.rstrip('/')}/{path}" if site else None
