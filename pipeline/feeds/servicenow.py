"""ServiceNow incidents, as our business rule posts them: every value is a string, every time is UTC.

ServiceNow has no webhooks of its own, so the shape is our template's (docs/feeds/servicenow.md). It sends stored
values, not display values: those depend on who is looking, by language, format and time zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from pydantic import BaseModel, ConfigDict

from pipeline.feeds.fields import Fields
from pipeline.feeds.severity import Graded, grade
from pipeline.feeds.tickets import Ticket, TicketLabels, kind_of, page_of
from pipeline.feeds.times import iso_ms
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.DESK

STATE_WORDS: Final[Mapping[str, str]] = {
    "1": "New", "2": "In Progress", "3": "On Hold", "6": "Resolved", "7": "Closed", "8": "Canceled",
}  # fmt: skip
"""States of an incident, as ServiceNow ships them."""

PRIORITY_WORDS: Final[Mapping[str, Severity]] = {
    "1": Severity.CRITICAL, "2": Severity.ERROR, "3": Severity.WARNING, "4": Severity.INFO, "5": Severity.INFO,
}  # fmt: skip

_STORED_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_STATE: Final = re.compile(r"-?\d{1,9}", re.ASCII)
_NEVER_CHANGED: Final = "0"
_DELETED: Final = "delete"


class Options(BaseModel):
    """What a feed may set.

    Attributes:
        site: address of the instance (``https://example.service-now.com``), for links to tickets.
        tables: whose records are read; states of other tables mean other things.
        done_states: states in which a ticket is over. Every other one counts as open, your own states too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    site: str | None = None
    tables: tuple[str, ...] = ("incident",)
    done_states: tuple[str, ...] = ("6", "7", "8")


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one incident record.

    An open ticket's time is the update's: one that is reopened after its end must not look older than the end.
    """
    options: Options = message.options
    record = Fields.of(document)
    table = record.text_or_none("sys_class_name")
    if table is not None and table not in options.tables:
        raise BadRecord(
            Reason.UNKNOWN_SHAPE, "$.sys_class_name: not a table of this feed; name it in its option tables"
        )
    sys_id = record.text("sys_id")
    state = _state(record)
    updates = record.identifier_or_none("sys_mod_count")
    updated_ms = _stored_time(record, "sys_updated_on")
    opened_ms = _stored_time(record, "opened_at")
    done = state in options.done_states or record.text_or_none("operation") == _DELETED
    began = done or updates == _NEVER_CHANGED or updated_ms is None
    resolved_ms = _stored_time(record, "resolved_at") or _stored_time(record, "closed_at") or updated_ms
    ticket = Ticket(
        identity=(sys_id,),
        number=record.text_or_none("number") or sys_id,
        kind=kind_of(Kind.RESOLVED if done else Kind.TICKET, record.text_or_none("correlation_id")),
        summary=record.text_or_none("short_description"),
        description=record.text_or_none("description"),
        graded=_grade(record),
        labels=_labels(record, table, state),
        reporter=record.text_or_none("caller_id"),
        delivery_id=f"{sys_id}/{updates}" if updates else None,
        address=page_of(options.site, f"nav_to.do?uri=incident.do?sys_id={sys_id}"),
        event_at_ms=opened_ms if began else updated_ms,
        ended_at_ms=resolved_ms if done else None,
    )
    return [ticket.alert(message)]


def _state(record: Fields) -> str:
    state = record.identifier_or_none("state") or record.identifier("incident_state")
    if _STATE.fullmatch(state) is None:
        raise BadRecord(
            Reason.WRONG_TYPE,
            "$.state: expected the number of a state; send stored values (getValue), not display values",
        )
    return state


def _grade(record: Fields) -> Graded:
    return grade(record.identifier_or_none("priority"), PRIORITY_WORDS, "priority")


def _labels(record: Fields, table: str | None, state: str) -> TicketLabels:
    return TicketLabels(
        type=table,
        status=STATE_WORDS.get(state, state),
        category=record.text_or_none("category"),
        service_instance=record.text_or_none("business_service"),
        component=record.text_or_none("cmdb_ci"),
        team=record.text_or_none("assignment_group"),
        channel=record.text_or_none("contact_type"),
    )


def _stored_time(record: Fields, name: str) -> int | None:
    """A time as ServiceNow stores it: UTC, without saying so.

    Raises:
        BadRecord: another spelling, which would be somebody's local time.
    """
    text = record.text_or_none(name)
    if text is None:
        return None
    if _STORED_TIME.fullmatch(text) is not None:
        with suppress(ValueError):
            return iso_ms(f"{text}+00:00")
    expected = "expected YYYY-MM-DD HH:MM:SS in UTC; send stored values (getValue), not display values"
    raise BadRecord(Reason.WRONG_TYPE, f"{record.at(name)}: {expected}")
