"""The night of the samples as one recording: every message at the moment at which it would have come.

python -m tests.outage > outage.ndjson
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.core.step import StreamRecord
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.recording import to_ms, write_line
from tests.feeds.payloads import SAMPLE_OF, Sample

COMPANY: Final = Path(__file__).parent / "company"

PLACED: Final[dict[str, str]] = {
    # What the message itself says of its sending, which is no fact of an alert.
    "aws-health-firing": "2026-03-04T02:25:00Z",
    "aws-health-resolved": "2026-03-04T04:05:00Z",
    "aws-health-scheduled": "2026-03-04T09:00:00Z",
    "icinga2-downtime": "2026-03-04T05:00:00Z",
    "azure-monitor-servicehealth": "2026-03-04T02:20:15.700Z",
    "cloudwatch-sns-subscription": "2026-03-01T08:00:00Z",
    # Always firing, and sent again and again.
    "alertmanager-watchdog": "2026-03-04T02:10:00Z",
    # Copies of another message of their source, its time included; the story has them before or after it.
    "datadog-warn": "2026-03-04T02:15:51Z",
    "datadog-nodata": "2026-03-04T02:31:51Z",
    "grafana-nodata": "2026-03-04T02:25:10Z",
    "nagios-flapping": "2026-03-04T02:48:22Z",
    "newrelic-ack": "2026-03-04T02:24:30Z",
    "dynatrace-merged": "2026-03-04T02:31:00Z",
    "pagerduty-webhook-v3-resolved": "2026-03-04T02:52:30Z",
    # Without any time of their own.
    "pagerduty-events-ack": "2026-03-04T02:24:10Z",
    "pagerduty-events-resolved": "2026-03-04T02:52:00Z",
    "xurrent-ticket-verify": "2026-03-01T08:00:00Z",
    "xurrent-ticket-firing": "2026-03-04T02:26:30Z",
    "xurrent-ticket-resolved": "2026-03-04T03:35:00Z",
}
"""When a message came, where the newest time that its alerts tell is not it."""


CERTIFICATES: Final = ("blackbox-cert", "cert-manager", "x509-exporter")
"""Sources behind an Alertmanager of their own, as feeds.yaml has it."""


def feed_of(sample: Sample) -> str:
    """Name of the feed that a sample comes in by."""
    return "certificates" if sample.name.startswith(CERTIFICATES) else sample.adapter


def arrival_ms(sample: Sample) -> int:
    """When a message came, epoch milliseconds."""
    if (placed := PLACED.get(sample.name)) is not None:
        return to_ms(placed)
    told = [alert[name] for alert in sample.alerts for name in ("event_at_ms", "ended_at_ms") if name in alert]
    if not told:
        raise LookupError(f"{sample.name} tells no time: give it a place in the story, in PLACED")
    return int(max(told))


def recording() -> list[StreamRecord]:
    """All samples as records of their feeds' topics, in arrival order; each feed counts its own offsets."""
    offsets: dict[str, int] = {}
    records = []
    for sample in sorted(SAMPLE_OF.values(), key=lambda each: (arrival_ms(each), each.name)):
        topic = RAW_TOPIC_PREFIX + feed_of(sample)
        offset = offsets.setdefault(topic, 0)
        offsets[topic] += 1
        records.append(StreamRecord(topic, 0, offset, arrival_ms(sample), None, value_of(sample), sample.headers))
    return records


def value_of(sample: Sample) -> bytes:
    """The bytes of a message on its topic."""
    value = sample.file.read_bytes()
    if b'"kafka"' not in value:
        return value
    written: Any = orjson.loads(value)  # a whole Kafka record, written down: its value is the message
    return orjson.dumps(written["kafka"]["value"]) if set(written) == {"kafka"} else value


def sample_names() -> dict[tuple[str, int], str]:
    """Which sample a record is: by topic and offset."""
    found: dict[tuple[str, int], str] = {}
    ordered = sorted(SAMPLE_OF.values(), key=lambda each: (arrival_ms(each), each.name))
    for record, sample in zip(recording(), ordered, strict=True):
        found[record.topic, record.offset] = sample.name
    return found


def lines() -> bytes:
    """The recording as NDJSON."""
    return b"".join(map(write_line, recording()))
