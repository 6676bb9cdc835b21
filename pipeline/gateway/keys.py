"""The key of a raw record: what keeps the messages of one condition in order, as Kafka orders within a partition only.

``source`` takes what the source itself orders by, where firing and resolved messages both carry it at a known place;
else all messages of the feed share one key. One partition then does the feed's work, which is slower than several and
never wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from pipeline.core.identity import content_hash
from pipeline.gateway.headers import KafkaHeaders

SOURCE_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "alertmanager": ("$.groupKey",),
    "aws-health": ("$.detail.eventArn",),
    "cloudwatch-eventbridge": ("$.resources.0",),
    "datadog": ("$.alert_id", "$.alert_scope"),
    "dynatrace": ("$.PID",),
    "gcp-monitoring": ("$.incident.incident_id",),
    "newrelic": ("$.id",),
    "grafana": ("$.groupKey",),
    "cloudevents": ("$.source", "$.subject"),
    "jira": ("$.issue.key",),
    "pagerduty": ("$.routing_key", "$.dedup_key"),
    "xurrent": ("$.account_id", "$.object_id"),
    "zendesk": ("$.detail.id",),
}
"""Adapter -> where its source's identity stands."""

_BINARY_CLOUDEVENT: Final = ("ce_source", "ce_subject")


class RecordKey:
    """How one feed's records are keyed."""

    def __init__(self, feed: str, adapter: str, rule: str | tuple[str, ...]) -> None:
        """Prepare a rule: ``source``, ``feed``, ``none`` or paths."""
        self._feed = feed
        self._whole_feed = content_hash(feed).encode() if rule != "none" else None
        paths = SOURCE_PATHS.get(adapter, ()) if rule == "source" else rule if isinstance(rule, tuple) else ()
        self._paths = [tuple(path.removeprefix("$.").split(".")) for path in paths]
        self._by_headers = rule == "source" and adapter == "cloudevents"

    def of(self, body: bytes, headers: KafkaHeaders) -> bytes | None:
        """The key of a record; a hash, because identities may hold credentials."""
        if self._by_headers and (values := _attributes(headers)):
            return content_hash(self._feed, *values).encode()
        if not self._paths:
            return self._whole_feed
        return self.of_document(_parsed(body))

    def of_document(self, document: object) -> bytes | None:
        """The key of a body that is already parsed."""
        found = [_scalar_at(document, path) for path in self._paths]
        values = [value for value in found if value is not None]
        return content_hash(self._feed, *values).encode() if values else self._whole_feed


def _attributes(headers: KafkaHeaders) -> list[str]:
    """Source and subject of a CloudEvent in binary mode."""
    return [value.decode(errors="replace") for name, value in headers if name in _BINARY_CLOUDEVENT]


def _parsed(body: bytes) -> object:
    """The document; None for what is not JSON, which is the adapter's to refuse."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def _scalar_at(document: Any, path: Sequence[str]) -> str | None:
    for part in path:
        if isinstance(document, dict):
            document = document.get(part)
        elif isinstance(document, list) and part.isdecimal() and int(part) < len(document):
            document = document[int(part)]
        else:
            return None
    return str(document) if isinstance(document, str | int) else None
