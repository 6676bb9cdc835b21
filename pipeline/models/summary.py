"""The summary of an incident: what correlate tells the bridge and problem, on a topic of our own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

SUMMARY_SCHEMA: Final = 2

LINKS_TOLD_MAX: Final = 40
"""Records elsewhere that one incident tells the bridge of: cases and vendor tickets first, then tickets. The hundreds
of a bad morning say no more, and would be sent again with every change of state."""


@dataclass(slots=True, kw_only=True)
class Summary:
    """What the bridge and problem need to know of an incident; the value on ``incidents.summaries``.

    Sent when anything but the last three fields is new.

    Attributes:
        entities: as on the incident; ``services`` likewise.
        impacts: per affected service, a `pipeline.core.practice.impacts.Impact`; populations are counted once over all.
            Of more than `pipeline.models.incident.NAMED_MAX` the rest is one impact, so that the sum is that of all.
        depends: references within reach of the incident's entities, for relating incidents; likewise.
        suspects: the first, where there is one.
        actions: corrective actions, as on the incident: of one that ended they are still owed.
        sites: where what it is about stands.
        reporters: distinct people who reported.
        fires: something in it is not over.
        links: its provider cases, vendor tickets and service-desk tickets with their states, at most
            `LINKS_TOLD_MAX`: ``kind``, ``id``, ``state``, ``url``.
        declared: that a person declared it a Major Incident, as on the incident.
        corrected_at_ms: when a person put its impact right last; the impacts are the corrected ones.
        merged_into: the incident that took its members in.
        cause: what is suspected most, identified or not; None: nothing is.
        change_id: the change on it that is suspected.
        stated_cause: the cause as its resolution says.
        review_due: the day by which a problem review is owed.
        revision: of the incident; ``at_ms`` and ``received_at_ms`` are its times.
    """

    incident_id: str
    space: str
    domain: str
    state: str
    title: str
    priority: str
    service: str | None
    owner: str | None
    entities: list[str]
    services: list[str]
    depends: list[str]
    suspects: list[str]
    identified: str | None
    regulatory: list[str]
    impacts: dict[str, tuple[str, int, float, str]]
    tickets: int
    merged_into: str | None = None
    actions: list[dict[str, Any]] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    reporters: int = 0
    fires: bool = False
    links: list[dict[str, Any]] = field(default_factory=list)
    declared: dict[str, Any] | None = None
    corrected_at_ms: int | None = None
    cause: str | None = None
    category: str | None = None
    change_id: str | None = None
    opened_at_ms: int = 0
    resolved_at_ms: int | None = None
    bridge_id: str | None = None
    stated_cause: str | None = None
    review_due: str | None = None
    schema: int = SUMMARY_SCHEMA
    revision: int = 0
    at_ms: int = 0
    received_at_ms: int = 0


_UNDATED: Final = b'"revision":0,"at_ms":0,"received_at_ms":0}'
"""The end of a summary's JSON before it says which revision it is of, and when."""


def summary_dated(content: bytes, revision: int, at_ms: int, received_at_ms: int) -> bytes:
    """The JSON of a summary whose last three fields are 0, with these in their place: without building it anew."""
    dated = b'"revision":%d,"at_ms":%d,"received_at_ms":%d}' % (revision, at_ms, received_at_ms)
    return content.removesuffix(_UNDATED) + dated


def summary_from_wire(document: Any) -> Summary:
    """Read a summary back.

    Raises:
        ValueError: the schema version is not one that this release reads.
        TypeError: it is no summary.
    """
    if not isinstance(document, dict):
        raise TypeError("a summary is a JSON object")
    if document.get("schema") != SUMMARY_SCHEMA:
        raise ValueError(f"summary schema {document.get('schema')!r}, this release reads {SUMMARY_SCHEMA}")
    summary = Summary(**document)
    # An older release named no populations: that of a system was its own.
    summary.impacts = {ref: (*each, each[0])[:4] for ref, each in summary.impacts.items()}
    return summary
