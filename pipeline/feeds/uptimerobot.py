"""UptimeRobot webhook, variables as JSON: a monitor is down or up, or a certificate or domain expires.

All values are strings. UptimeRobot has no severity, and never says that an expiry is over.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, missing, put_link, unknown_word
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.SAAS

# Reminders of an expiry come 30, 14, 7 and 1 days before; the last week is the one that matters.
EXPIRY_TTL_SECONDS: Final = 7 * 24 * 60 * 60


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


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one notification."""
    top = Fields.of(document)
    monitor = _filled(top, "monitorID")
    type_id = top.identifier("alertType")
    if type_id not in _TYPES:
        raise unknown_word("$.alertType", tuple(_TYPES))
    kind, condition, severity, words = _TYPES[type_id]
    title = _filled(top, "monitorFriendlyName")
    details = top.text_or_none("alertDetails") or ""
    at_ms = top.epoch_or_none("alertDateTime", per_second=1)
    labels = {"monitor": title}
    if url := top.text_or_none("monitorURL"):
        labels["url"] = url
    if expiry := top.text_or_none("sslExpiryDate"):
        labels["expires"] = expiry
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
        labels=labels,
        ttl_seconds=None if condition == "availability" else EXPIRY_TTL_SECONDS,
    )
    put_link(alert.links, "monitored", url)
    return [alert]


def _filled(top: Fields, name: str) -> str:
    """A required field whose template variable was replaced: ``*monitorID*`` itself means that it was not."""
    value = top.identifier(name)
    if value == f"*{name}*":
        raise missing(top.at(name))
    return value
