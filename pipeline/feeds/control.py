"""Messages of a source that are no alerts: a test that somebody sends to see whether messages arrive."""

from __future__ import annotations

from pipeline.core.identity import content_hash
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.feed import RawMessage


def channel_test(message: RawMessage, summary: str) -> Alert:
    """What a source's button *test* sends.

    Args:
        message: in which it came.
        summary: which source tests what, in one line.
    """
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.CONTROL,
        alert_key=content_hash(message.feed, "control", "test"),
        name="test",
        summary=summary,
        severity=Severity.INFO,
        severity_default_reason="a test has no severity",
    )
