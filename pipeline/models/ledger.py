"""The ledger: what is open in each downstream for each incident; the values on ``deliveries.state``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

from pipeline.models.remote import ENDED, Remote

LEDGER_SCHEMA: Final = 1
DELIVERIES_STATE_TOPIC: Final = "deliveries.state"


class OrphanReason(StrEnum):
    """Why a record there and its incident do not end together.

    Attributes:
        SINK_REMOVED: the sink is no longer configured, so nobody can close it.
        SINK_DISABLED: the sink is switched off.
        PARKED: what would close it was given up; a retry sends it again.
        CONTESTED: it is opened again, or deleted, there as often as we close or make it.
        STATE_IS_THEIRS: its state is not ours to write.
        NOT_CLOSED: all was told, and it is open there.
        MAY_EXIST: whether it was ever made there is not known.
        GONE: it was deleted there though the incident is open.
    """

    SINK_REMOVED = "sink_removed"
    SINK_DISABLED = "sink_disabled"
    PARKED = "parked"
    CONTESTED = "contested"
    STATE_IS_THEIRS = "state_is_theirs"
    NOT_CLOSED = "not_closed"
    MAY_EXIST = "may_exist"
    GONE = "gone"


@dataclass(slots=True, kw_only=True)
class LedgerEntry:
    """One incident in one downstream.

    Attributes:
        type: of the sink, as in sinks.yaml; "" where it is configured no longer.
        incident_state: an `IncidentState`.
        remote_id, remote_key, remote_url, remote_state: of the record there; "" where none is known.
        remote_fields: field that both sides write -> its value there as last written or read.
        remote_extra: what the sink has to remember of it, of its own.
        waiting: deliveries that wait.
        waiting_since_ms: when the oldest of what they tell happened; None: nothing waits.
        parked: deliveries that were given up and not sent again since.
        contested: fields that are left as they are there.
        last: the last outcome: ``outcome``, ``at_ms``, ``attempt``, ``status``, ``detail``; empty: none yet.
        orphan: the record there and the incident have not ended together, and nothing is under way that would end them.
        reason: an `OrphanReason`; "" where it is none.
    """

    sink: str
    type: str
    incident_id: str
    incident_state: str
    remote_id: str = ""
    remote_key: str = ""
    remote_url: str = ""
    remote_state: str = ""
    remote_fields: dict[str, str] = field(default_factory=dict)
    remote_extra: dict[str, Any] = field(default_factory=dict)
    waiting: int = 0
    waiting_since_ms: int | None = None
    parked: int = 0
    contested: list[str] = field(default_factory=list)
    last: dict[str, Any] = field(default_factory=dict)
    orphan: bool = False
    reason: str = ""
    schema: int = LEDGER_SCHEMA

    @property
    def is_open_there(self) -> bool:
        """Whether somebody there still has it to work on, as far as is known."""
        return bool(self.remote_id) and self.remote_state not in ENDED

    @property
    def remote(self) -> Remote | None:
        """The record there; None: none is known."""
        if not self.remote_id:
            return None
        return Remote(
            id=self.remote_id,
            key=self.remote_key,
            url=self.remote_url,
            state=self.remote_state,
            fields=dict(self.remote_fields),
            extra=dict(self.remote_extra),
        )

    def to_wire(self) -> dict[str, Any]:
        """The record value, before it is made JSON."""
        return asdict(self)

    @classmethod
    def from_wire(cls, document: Mapping[str, Any]) -> LedgerEntry:
        """Read a record value; fields that this release does not know pass.

        Raises:
            ValueError: of a schema that this release does not read.
        """
        if document.get("schema") != LEDGER_SCHEMA:
            raise ValueError(f"ledger of schema {document.get('schema')}, this release reads {LEDGER_SCHEMA}")
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in document.items() if name in known})
