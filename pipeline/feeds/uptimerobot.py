"""UptimeRobot webhook: a monitor is down or up, or a certificate or domain expires.

The variables come as JSON, as a form or as a query string, as the alert contact is set; all values are strings, and
a variable that UptimeRobot does not know stays as it was written (``*monitorID*``). UptimeRobot has no severity, and
never says that an expiry is over.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import orjson

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, put_link, unknown_word
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.SAAS

# Reminders of an expiry come 30, 14, 7 and 1 days before; the last week is the one that matters.
EXPIRY_TTL_SECONDS: Final = 7 * 24 * 60 * 60

# UptimeRobot has about 15 variables; the rest of the limit is for what people add to the address.
_FORM_FIELDS_MAX: Final = 64


class _Type(NamedTuple):
    """What an alert type means.

    Attributes:
        kind: a `Kind`.
        condition: what the monitor watches; one alert key each.
        severity: the default that we take, as UptimeRobot has none.
        words: for the name.
    """

    kind: Kind
    condition: str
    severity: Severity
    words: str


_TYPES: Final = {
    "1": _Type(Kind.FIRING, "availability", Severity.ERROR, "down"),
    "2": _Type(Kind.RESOLVED, "availability", Severity.INFO, "down"),
    "3": _Type(Kind.FIRING, "certificate", Severity.WARNING, "certificate expires"),
    "4": _Type(Kind.FIRING, "domain", Severity.WARNING, "domain expires"),
}


def decode(value: bytes) -> object:
    """The variables of a body: JSON, or a form, or what stands after ``?`` in an address."""
    text = value.strip()
    if not text:
        raise BadRecord(Reason.EMPTY, "$: the record has no value")
    if text.startswith((b"{", b"[", b'"')):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            detail = f"$: line {error.lineno}, column {error.colno}: not JSON"
            raise BadRecord(Reason.BROKEN_JSON, detail) from error
    try:
        form = text.decode().removeprefix("?")
        pairs = parse_qsl(
            form, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_FORM_FIELDS_MAX
        )
    except ValueError as error:
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$: neither JSON nor a form nor a query string") from error
    return dict(pairs)


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one notification."""
    top = _filled(Fields.of(document))
    monitor = top.identifier("monitorID")
    type_id = top.identifier("alertType")
    if type_id not in _TYPES:
        raise unknown_word("$.alertType", tuple(_TYPES))
    kind, condition, severity, words = _TYPES[type_id]
    title = top.identifier("monitorFriendlyName")
    details = top.text_or_none("alertDetails") or ""
    at_ms = top.epoch_or_none("alertDateTime", per_second=1)
    url, expiry = top.text_or_none("monitorURL"), top.text_or_none("sslExpiryDate")
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, monitor, condition),
        name=f"{title}: {words}",
        summary=f"{title}: {details}" if details else title,
        description=details,
        severity=severity,
        severity_native=top.text_or_none("alertTypeFriendlyName"),
        severity_default_reason="UptimeRobot has no severity: down counts as error, an expiry as warning",
        event_at_ms=at_ms if kind == Kind.FIRING else None,
        ended_at_ms=at_ms if kind == Kind.RESOLVED else None,
        labels={name: text for name, text in (("monitor", title), ("url", url), ("expires", expiry)) if text},
        ttl_seconds=None if condition == "availability" else EXPIRY_TTL_SECONDS,
    )
    put_link(alert.links, "monitored", url)
    return [alert]


def _filled(top: Fields) -> Fields:
    """The variables that were filled.

    Raises:
        BadRecord: the monitor's id was not, so the whole template is not UptimeRobot's.
    """
    values = {name: value for name, value in top.values.items() if value != f"*{name}*"}
    if "monitorID" in top.values and "monitorID" not in values:
        detail = f"{top.at('monitorID')}: UptimeRobot did not fill its variable; send this to a webhook alert contact"
        raise BadRecord(Reason.MISSING_FIELD, detail)
    return Fields(values, top.path)
