"""What a downstream sends back to the gateway, read into updates: one reader a type of sink, pure.

A reader gets a body whose sender was verified. It gives no update where the message is about nothing of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from pipeline.models.remote import SinkUpdate
from pipeline.sinks import (
    jira_updates,
    pagerduty_updates,
    servicenow_updates,
    statuspage_updates,
    xurrent_updates,
)
from pipeline.sinks.slack_updates import slack_updates

Reader = Callable[[bytes, Mapping[str, str], Any, datetime], list[SinkUpdate]]
"""Body, headers by lower-case name, the sink's rules, when it came; raises ``ValueError`` with one line that
quotes nothing of the body: it is logged, and told to the sender."""

READERS: Final[Mapping[str, Reader]] = {
    "pagerduty": pagerduty_updates.read_webhook,
    "slack": slack_updates,
    "jira": jira_updates.read,
    "servicenow": servicenow_updates.read,
    "statuspage": statuspage_updates.webhook,
    "xurrent": xurrent_updates.read_webhook,
}
"""``type`` in sinks.yaml -> its reader."""
