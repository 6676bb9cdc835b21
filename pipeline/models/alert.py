"""The alert: one normalised message about one condition, whatever its source looked like.

Alerts travel on our own topics only, so they are plain slotted dataclasses: validated once at the raw
edge by the adapters, then trusted. Times are epoch milliseconds, UTC. A missing fact is None, never invented.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

from pipeline.models.wire import to_json

ALERT_SCHEMA: Final = 1


class Kind(StrEnum):
    """What a message says happened. ``own``: it is about a record that Spillway itself made in the source."""

    FIRING = "firing"
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    MAINTENANCE_START = "maintenance_start"
    MAINTENANCE_END = "maintenance_end"
    HEARTBEAT = "heartbeat"
    TICKET = "ticket"
    MERGED = "merged"
    CONTROL = "control"
    OWN = "own"


class Severity(StrEnum):
    """Our severity scale; the source's own value is kept beside it."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    UNKNOWN = "unknown"


SEVERITY_RANK: Final[dict[str, int]] = {
    Severity.UNKNOWN: 0,
    Severity.INFO: 1,
    Severity.WARNING: 2,
    Severity.ERROR: 3,
    Severity.CRITICAL: 4,
}


class FeedClass(StrEnum):
    """Where a feed's source runs; ``desk`` is the service desk: reports by people."""

    CLOUD = "cloud"
    ON_PREM = "on_prem"
    SAAS = "saas"
    DESK = "desk"


@dataclass(slots=True, kw_only=True)
class Alert:
    """One normalised message about one condition.

    The first block is filled by the adapter, the second by enrichment, the third by ingest.

    Attributes:
        feed: name of the feed.
        feed_class: a `FeedClass`.
        kind: a `Kind`. A ticket's closing message is ``resolved``.
        alert_key: hash of what identifies the condition; equal in firing and resolved messages.
        source_episode_id: the source's id of this one firing-to-resolved run.
        delivery_id: the source's id of this message, for duplicate deliveries.
        name: the condition's name (alert rule, alarm); what stays equal over its runs.
        summary: the symptom in one line, as the source worded it.
        description: longer text, or "".
        severity: a `Severity`; ``unknown`` where the source has none.
        severity_native: the source's own word.
        severity_default_reason: why a default was used, where one was.
        event_at_ms: when it happened, by the source's clock; None when the source does not say.
        ended_at_ms: when it ended, by the source's clock.
        clock_skew_ms: how far ahead of ours the source's clock is, where it told a time that had not come yet; its
            times are put back by that much then. A clock that is behind looks like a slow delivery, so nobody knows.
        labels: flat facts, source's spelling.
        links: title -> address, back to the source.
        ticket: the ticket's id in its system, for service-desk feeds.
        reporter: who reported, an opaque id, to count distinct users.
        users_affected: users affected as far as the message itself says.
        ttl_seconds: for sources that never resolve: when silence means that it is over.

        space: correlation space.
        entity: catalogue reference (``component:default/checkout``) of the most specific match.
        service: catalogue reference of the Component that the entity is or belongs to.
        host: host or node name as reported, lower case.
        domain: service domain.
        mentions: catalogue references of entities that the text names by business term.
        matched_by: how the entity was found: ``label:service``, ``host``, ``alias``...

        origin: topic, partition, offset, index of the raw record.
        received_at_ms: timestamp of the raw record.
        overtaken: a newer message of the condition was read before this one, and has said how it is since.
    """

    feed: str
    feed_class: str
    kind: str
    alert_key: str
    name: str
    summary: str
    source_episode_id: str | None = None
    delivery_id: str | None = None
    description: str = ""
    severity: str = Severity.UNKNOWN
    severity_native: str | None = None
    severity_default_reason: str | None = None
    event_at_ms: int | None = None
    ended_at_ms: int | None = None
    clock_skew_ms: int | None = None
    labels: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    ticket: str | None = None
    reporter: str | None = None
    users_affected: int | None = None
    ttl_seconds: int | None = None

    space: str = ""
    entity: str | None = None
    service: str | None = None
    host: str | None = None
    domain: str | None = None
    mentions: list[str] = field(default_factory=list)
    matched_by: str | None = None

    origin: tuple[str, int, int, int] = ("", 0, 0, 0)
    received_at_ms: int = 0
    overtaken: bool = False
    schema: int = ALERT_SCHEMA


_FIELDS: Final[dict[str, str]] = {each.name: each.name for each in fields(Alert)}


def alert_to_wire(alert: Alert) -> bytes:
    """JSON of an alert for our own topics. What it does not say is left out: null and empty cost every reader."""
    document: dict[str, Any] = {
        "schema": alert.schema,
        "feed": alert.feed,
        "feed_class": alert.feed_class,
        "kind": alert.kind,
        "alert_key": alert.alert_key,
        "name": alert.name,
        "summary": alert.summary,
        "severity": alert.severity,
        "labels": alert.labels,
        "space": alert.space,
        "origin": alert.origin,
        "received_at_ms": alert.received_at_ms,
    }
    _put_said(document, alert)
    _put_found(document, alert)
    return to_json(document)


# One line a field: a loop over their names takes twice as long, and every alert passes here.


def _put_said(document: dict[str, Any], alert: Alert) -> None:
    if alert.source_episode_id is not None:
        document["source_episode_id"] = alert.source_episode_id
    if alert.delivery_id is not None:
        document["delivery_id"] = alert.delivery_id
    if alert.description:
        document["description"] = alert.description
    if alert.severity_native is not None:
        document["severity_native"] = alert.severity_native
    if alert.severity_default_reason is not None:
        document["severity_default_reason"] = alert.severity_default_reason
    if alert.event_at_ms is not None:
        document["event_at_ms"] = alert.event_at_ms
    if alert.ended_at_ms is not None:
        document["ended_at_ms"] = alert.ended_at_ms
    if alert.clock_skew_ms is not None:
        document["clock_skew_ms"] = alert.clock_skew_ms
    if alert.links:
        document["links"] = alert.links
    if alert.ttl_seconds is not None:
        document["ttl_seconds"] = alert.ttl_seconds


def _put_found(document: dict[str, Any], alert: Alert) -> None:
    if alert.ticket is not None:
        document["ticket"] = alert.ticket
    if alert.reporter is not None:
        document["reporter"] = alert.reporter
    if alert.users_affected is not None:
        document["users_affected"] = alert.users_affected
    if alert.entity is not None:
        document["entity"] = alert.entity
    if alert.service is not None:
        document["service"] = alert.service
    if alert.host is not None:
        document["host"] = alert.host
    if alert.domain is not None:
        document["domain"] = alert.domain
    if alert.mentions:
        document["mentions"] = alert.mentions
    if alert.matched_by is not None:
        document["matched_by"] = alert.matched_by
    if alert.overtaken:
        document["overtaken"] = True


_ORIGIN: Final = b'"origin":['
_RECEIVED: Final = b'"received_at_ms":'


def received_again(wire: bytes, received_at_ms: int, origin: tuple[bytes, int, int, int], now_ms: int) -> bytes:
    """The JSON of an alert as if the same had been received elsewhere and at another time, without building it anew.

    Args:
        wire: as `alert_to_wire` wrote it.
        received_at_ms: what it says of its time.
        origin: what it shall say of its raw record.
        now_ms: what it shall say of its time.
    """
    begin = wire.index(_ORIGIN)  # inside of a string its quotes would be escaped, and no label is a list
    end = wire.index(_RECEIVED, begin) + len(_RECEIVED) + len(str(received_at_ms))
    place = b'"origin":["%b",%d,%d,%d],"received_at_ms":%d' % (*origin, now_ms)
    return b"%b%b%b" % (wire[:begin], place, wire[end:])


def as_overtaken(wire: bytes) -> bytes:
    """The JSON of an alert that a newer one of its condition has overtaken. ``wire``: as `alert_to_wire` wrote it."""
    return wire[:-1] + b',"overtaken":true}'


FOLDED_SCHEMA: Final = 2
"""Of a record that stands for several alerts: readers that do not know it refuse it, and nothing is miscounted."""

_SINGLE_BEGIN: Final = b'{"schema":%d,' % ALERT_SCHEMA
_FOLDED_BEGIN: Final = b'{"schema":%d,' % FOLDED_SCHEMA
_MORE: Final = b',"more":'


def folded(wire: bytes, more: list[tuple[int, int]]) -> bytes:
    """The JSON of an alert that stands for others of the same content, too.

    Args:
        wire: of the first, as `alert_to_wire` wrote it.
        more: offset of the raw record and ``received_at_ms`` of each of the others, in order; at least one.
    """
    return b"%b%b%b%b}" % (_FOLDED_BEGIN, wire[len(_SINGLE_BEGIN) : -1], _MORE, to_json(more))


def unfolded(body: bytes, document: dict[str, Any]) -> tuple[bytes, list[tuple[int, int]]]:
    """The first alert of a folded record, and what is different in the others.

    Args:
        body: as `folded` made it.
        document: its JSON; becomes that of the first alert.

    Raises:
        KeyError, ValueError: it is not folded.
    """
    more: list[tuple[int, int]] = document.pop("more")
    document["schema"] = ALERT_SCHEMA
    end = body.rindex(_MORE)
    return b"%b%b}" % (_SINGLE_BEGIN, body[len(_FOLDED_BEGIN) : end]), more


def alert_from_wire(document: dict[str, Any]) -> Alert:
    """Build an alert from our own topic's JSON. Trusted: only the schema version and the names are checked.

    Raises:
        ValueError: the schema version is not one that this release reads.
        TypeError: not an object, or not with an alert's fields.
    """
    if not isinstance(document, dict):
        raise TypeError("an alert is a JSON object")
    if document.get("schema") != ALERT_SCHEMA:
        raise ValueError(f"alert schema {document.get('schema')!r}, this release reads {ALERT_SCHEMA}")
    try:
        given = {_FIELDS[name]: value for name, value in document.items()}  # our own names: matched by identity
    except KeyError as error:
        raise TypeError(f"an alert has no field {error}") from error
    return Alert(**given)
