"""Nagios and what descends from it (Naemon, Centreon): macros that a notification command puts into one JSON object.

Names are those of the macros in lower case: ``$SERVICESTATE$`` is ``servicestate``. A macro that Nagios does not
know stays ``$LIKE_THIS$``, and counts as absent. Without ``servicedesc`` it is about the host itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, first_line, put_link, unknown_word
from pipeline.feeds.local_times import ZoneName, local_ms
from pipeline.feeds.severity import grade
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.catalog import Frozen
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

SERVICE_STATES: Final[Mapping[str, Severity]] = {
    "ok": Severity.INFO, "warning": Severity.WARNING, "critical": Severity.CRITICAL, "unknown": Severity.WARNING,
}  # fmt: skip
HOST_STATES: Final[Mapping[str, Severity]] = {
    "up": Severity.INFO, "down": Severity.CRITICAL, "unreachable": Severity.ERROR,
}  # fmt: skip
WELL: Final = frozenset({"ok", "up"})
"""States in which nothing is wrong."""

_KINDS: Final[Mapping[str, Kind]] = {
    "PROBLEM": Kind.FIRING,
    "RECOVERY": Kind.RESOLVED,
    "ACKNOWLEDGEMENT": Kind.ACKNOWLEDGED,
    "FLAPPINGSTART": Kind.FIRING,
    "FLAPPINGSTOP": Kind.RESOLVED,
    "FLAPPINGDISABLED": Kind.RESOLVED,
    "DOWNTIMESTART": Kind.MAINTENANCE_START,
    "DOWNTIMEEND": Kind.MAINTENANCE_END,
    "DOWNTIMECANCELLED": Kind.MAINTENANCE_END,
    "CUSTOM": Kind.CONTROL,
}
_MAINTENANCE: Final = frozenset({Kind.MAINTENANCE_START, Kind.MAINTENANCE_END})
_MACRO: Final = re.compile(r"\$[A-Z0-9_:]+\$")
_LABELS: Final = (
    ("host", "hostname"),
    ("host_alias", "hostalias"),
    ("address", "hostaddress"),
    ("check", "servicedesc"),
    ("servicegroups", "servicegroupnames"),
    ("hostgroups", "hostgroupnames"),
)
_DATE_ORDERS: Final = {
    "us": re.compile(r"(?P<month>\d\d)-(?P<day>\d\d)-(?P<year>\d{4}) (?P<time>\d\d:\d\d:\d\d)"),
    "euro": re.compile(r"(?P<day>\d\d)-(?P<month>\d\d)-(?P<year>\d{4}) (?P<time>\d\d:\d\d:\d\d)"),
}


class Options(Frozen):
    """What a feed may set.

    Attributes:
        zone: time zone of ``shortdatetime``; without it a text says no time. ``timet`` needs none.
        date_format: ``date_format`` of ``nagios.cfg``, for ``shortdatetime``.
    """

    zone: ZoneName | None = None
    date_format: Literal["us", "euro", "iso8601"] = "iso8601"


class _About(NamedTuple):
    """What a notification is about: a host or one of its services, and in which state that is."""

    host: str
    service: str | None
    prefix: str
    state: str


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one notification."""
    top = _filled(Fields.of(document))
    about = _about(top)
    # Event handlers and the commands after each check have no notification type: there the state says it.
    kind_word = top.text_or_none("notificationtype") or ("RECOVERY" if about.state in WELL else "PROBLEM")
    if kind_word not in _KINDS:
        raise unknown_word("$.notificationtype", tuple(_KINDS))
    kind = _kind(kind_word, about.state)
    soft = (top.text_or_none(f"{about.prefix}statetype") or "").upper() == "SOFT"
    if soft and kind_word in ("PROBLEM", "RECOVERY"):
        kind = Kind.CONTROL
    alert = _alert(top, about, kind, message)
    if kind_word.startswith("FLAPPING"):
        alert.labels["flapping"] = kind_word
        if kind == Kind.FIRING and about.state in WELL:
            alert.severity = Severity.WARNING
            alert.severity_default_reason = "flapping counts as warning while the state is well"
    if kind == Kind.CONTROL:
        alert.summary = (
            "a SOFT state: Nagios checks again before it is sure" if soft else "a notification that a person sent"
        )
    return [alert]


def _filled(top: Fields) -> Fields:
    """Without the macros that were not replaced."""
    values = {
        name: value
        for name, value in top.values.items()
        if not (isinstance(value, str) and _MACRO.fullmatch(value.strip()))
    }
    return Fields(values, top.path)


def _about(top: Fields) -> _About:
    service = top.text_or_none("servicedesc")
    prefix = "host" if service is None else "service"
    state = top.text(f"{prefix}state").strip().lower()
    words = HOST_STATES if service is None else SERVICE_STATES
    if state not in words:
        raise unknown_word(top.at(f"{prefix}state"), tuple(words))
    return _About(top.text("hostname"), service, prefix, state)


def _kind(word: str, state: str) -> Kind:
    """While it flaps Nagios tells nothing, so what it says at the end of flapping is what holds from then on."""
    if word in ("FLAPPINGSTOP", "FLAPPINGDISABLED") and state not in WELL:
        return Kind.FIRING
    return _KINDS[word]


def _alert(top: Fields, about: _About, kind: Kind, message: RawMessage) -> Alert:
    at_ms = _time_ms(top, message.options)
    over = kind in (Kind.RESOLVED, Kind.MAINTENANCE_END)
    words = HOST_STATES if about.service is None else SERVICE_STATES
    graded = grade(top.text(f"{about.prefix}state"), words, f"{about.prefix}state")
    name = about.service or "Host"
    comment = top.text_or_none("notificationcomment")
    output = first_line(top.text_or_none(f"{about.prefix}output") or "")
    condition = ("downtime",) if kind in _MAINTENANCE else ("host",) if about.service is None else ("service",)
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, *condition, about.host, about.service or ""),
        source_episode_id=None if kind in _MAINTENANCE else _problem_id(top, about.prefix),
        delivery_id=_id(top, f"{about.prefix}notificationid"),
        name=name,
        summary=(comment if kind in (Kind.ACKNOWLEDGED, *_MAINTENANCE) else None) or output or name,
        description=top.text_or_none(f"long{about.prefix}output") or "",
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=None if over else at_ms,
        ended_at_ms=at_ms if over else None,
        labels={label: text for label, field in _LABELS if (text := top.text_or_none(field))},
    )
    put_link(alert.links, "notes", top.text_or_none(f"{about.prefix}notesurl"))
    put_link(alert.links, "action", top.text_or_none(f"{about.prefix}actionurl"))
    return alert


def _problem_id(top: Fields, prefix: str) -> str | None:
    """The id of the problem; 0 where there is none any more, and then that of the last one is meant."""
    return _id(top, f"{prefix}problemid") or _id(top, f"last{prefix}problemid")


def _id(top: Fields, name: str) -> str | None:
    value = top.identifier_or_none(name)
    return None if value == "0" else value


def _time_ms(top: Fields, options: Options) -> int | None:
    """``$TIMET$``, else ``$SHORTDATETIME$`` as the feed's options say to read it."""
    if top.has("timet"):
        return top.epoch_or_none("timet", per_second=1)
    text = top.text_or_none("shortdatetime")
    if text is None or options.zone is None:
        return None
    if (order := _DATE_ORDERS.get(options.date_format)) is not None:
        found = order.fullmatch(text.strip())
        text = "{year}-{month}-{day} {time}".format(**found.groupdict()) if found else ""
    try:
        return local_ms(text, options.zone)
    except ValueError as error:
        raise BadRecord(
            Reason.WRONG_TYPE, f"$.shortdatetime: not a time in date_format {options.date_format}"
        ) from error
