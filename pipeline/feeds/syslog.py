"""Syslog as lines: what rsyslog, syslog-ng and devices write, one line a record."""

from __future__ import annotations

from typing import Final

from pipeline.feeds.fields import wrong_type
from pipeline.feeds.syslog_alert import Options, line_alert
from pipeline.feeds.syslog_line import frame, read_line
from pipeline.models.alert import Alert, FeedClass
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

__all__ = ["FEED_CLASS", "Options", "decode", "parse"]


def decode(value: bytes) -> str:
    """The line in a record."""
    if not value.strip():
        raise BadRecord(Reason.EMPTY, "$: the record holds no line")
    return frame(value)


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one line."""
    if not isinstance(document, str):
        raise wrong_type("$", "a line of text", document)
    return [line_alert(read_line(document, message.options.zone), message)]
