"""The other side: what is known of an incident's record in a downstream, and what comes back from there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from pipeline.models.command import ID_CHARACTERS_MAX, NOTE_CHARACTERS_MAX, Moment, WaitingFor, Wire
from pipeline.models.incident import IncidentState

SINK_UPDATE_SCHEMA: Final = 1
SINK_UPDATES_TOPIC: Final = "sink.updates"

STEPS_KEPT_MAX: Final = 200
"""Calls that a paging sink remembers having made: an incident that called more people has other troubles."""

ADDRESS_CHARACTERS_MAX: Final = 2_000
"""Of where people find a record: what browsers open."""

_WEB: Final = re.compile(r"https?://[^\s<>\"\x00-\x20\x7f-\x9f]+", re.ASCII | re.IGNORECASE)


def web_address(url: str | None) -> str:
    """The address, where it is one of the web; else "": a downstream names it, and people click on it."""
    return url if isinstance(url, str) and _WEB.fullmatch(url) else ""


Short = Annotated[str, StringConstraints(max_length=ID_CHARACTERS_MAX)]


class RemoteState(StrEnum):
    """State of a record in a downstream, in our words; each sink maps its own to these."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    CLOSED = "closed"
    GONE = "gone"


ENDED: Final = frozenset({RemoteState.RESOLVED, RemoteState.CLOSED, RemoteState.GONE})
"""Nobody there works on it any more."""

STATES: Final[Mapping[str, RemoteState]] = MappingProxyType(
    {
        IncidentState.DETECTED: RemoteState.OPEN,
        IncidentState.LOGGED: RemoteState.OPEN,
        IncidentState.ACKNOWLEDGED: RemoteState.ACKNOWLEDGED,
        IncidentState.IN_PROGRESS: RemoteState.IN_PROGRESS,
        IncidentState.ESCALATED: RemoteState.OPEN,
        IncidentState.WAITING_CUSTOMER: RemoteState.WAITING,
        IncidentState.WAITING_VENDOR: RemoteState.WAITING,
        IncidentState.WAITING_PROVIDER: RemoteState.WAITING,
        IncidentState.MITIGATED: RemoteState.MITIGATED,
        IncidentState.RESOLVED: RemoteState.RESOLVED,
        IncidentState.REOPENED: RemoteState.OPEN,
        IncidentState.CLOSED: RemoteState.CLOSED,
        IncidentState.MERGED: RemoteState.CLOSED,
        IncidentState.CANCELLED: RemoteState.CLOSED,
    }
)
"""State of an incident -> the one that its record in a downstream should be in."""


@dataclass(slots=True, kw_only=True)
class Remote:
    """An incident's record in one downstream, as far as is known.

    Attributes:
        id: its id there, which addresses it: a sys_id, a message's time stamp.
        key: what people call it there, such as ``INC0012345``; the id where they have no other.
        url: where people find it; "" where nowhere.
        state: a `RemoteState`.
        fields: the fields that both sides write -> the value there as last written or read, in our words: ``state``,
            ``priority``, ``assignee``, ``title``. What equals it is an echo, and need not be written.
        extra: what the sink has to remember, of its own: a thread, posted messages, a reopen count. JSON, at most some
            kilobytes: it travels with each outcome.
    """

    id: str
    key: str = ""
    url: str = ""
    state: str = RemoteState.OPEN
    fields: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether nobody there works on it any more."""
        return self.state in ENDED


class Fields(Wire):
    """Values of the fields that both sides write, in our words; None: not said."""

    state: RemoteState | None = None
    priority: Short | None = None
    assignee: Short | None = None
    title: Annotated[str, StringConstraints(max_length=1_000)] | None = None


class RemoteNote(Wire):
    """Words of a person there. ``public``: the affected users see it there."""

    id: Short
    author: Short = ""
    text: str = Field(max_length=NOTE_CHARACTERS_MAX)
    public: bool = False


class RemoteLink(Wire):
    """A provider's case or a vendor's ticket that hangs on the record there."""

    kind: Literal["support_case", "vendor_ticket", "problem", "change", "ticket"]
    id: Short
    url: Annotated[str | None, AfterValidator(lambda url: web_address(url) or None)] = Field(
        default=None, max_length=ADDRESS_CHARACTERS_MAX
    )
    state: Short | None = None


class UpdateKind(StrEnum):
    """What an update is.

    ``read``: the record as it was looked up, by a poll or the reconciler. ``retry``: a person asks that what was given
    up be sent again; `EVERY` as its sink or incident is all of them that the partition has, so one record is written to
    each partition then.
    ``polled``: of no record; a poll has read the changes of a sink up to ``at``. Keyed by the sink's name.
    """

    CHANGED = "changed"
    READ = "read"
    GONE = "gone"
    RETRY = "retry"
    POLLED = "polled"


EVERY: Final = "*"
"""In place of a sink or an incident of a ``retry``: all of them."""


class SinkUpdate(Wire):
    """One change that comes back: the value of a record on ``sink.updates``, keyed by incident id.

    Attributes:
        update_id: of the delivery or of what was read, so that a repeated one changes nothing.
        sink: its name in sinks.yaml.
        incident_id: ours, from what we wrote there.
        at: when it changed there, by the clock there.
        author: who changed it there; "" where that is not said.
        own: it was our own account.
        person: a person changed it; False: some machine there.
        fields: the values after it.
        notes: words that are new.
        version: number of the change, where a record's changes are counted there: a clock of seconds does not tell the
            order of two within one.
        waiting_for: whom it waits for there, of what waits; None: it is not said.
        resolution_code, resolution: how it was resolved there.
        links: cases and vendor tickets that hang on it.
        duplicate_of: our id of the incident that it was merged into there.
        remote_id, remote_key, remote_url: of the record.
    """

    schema_: int = Field(default=SINK_UPDATE_SCHEMA, alias="schema")
    kind: UpdateKind = UpdateKind.CHANGED
    update_id: Short
    sink: Short
    incident_id: Short
    at: Moment
    author: Short = ""
    own: bool = False
    person: bool = True
    fields: Fields = Fields()
    version: int | None = Field(default=None, ge=0, le=2**53)
    notes: tuple[RemoteNote, ...] = Field(default=(), max_length=50)
    waiting_for: WaitingFor | None = None
    resolution_code: Short | None = None
    resolution: str | None = Field(default=None, max_length=NOTE_CHARACTERS_MAX)
    links: tuple[RemoteLink, ...] = Field(default=(), max_length=50)
    duplicate_of: Short | None = None
    remote_id: Short = ""
    remote_key: Short = ""
    remote_url: Annotated[str, AfterValidator(web_address)] = Field(default="", max_length=ADDRESS_CHARACTERS_MAX)

    def to_bytes(self) -> bytes:
        """The record value."""
        return self.model_dump_json(exclude_none=True, by_alias=True).encode()
