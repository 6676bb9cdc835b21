"""Sinks as sinks.yaml names them: one model a kind of downstream, told apart by ``type``."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from pipeline.models.sinks.base import SinkRules
from pipeline.models.sinks.chat import Slack, Teams
from pipeline.models.sinks.jira import Jira
from pipeline.models.sinks.paging import PagerDuty
from pipeline.models.sinks.servicenow import ServiceNow
from pipeline.models.sinks.status_pages import IncidentIo, Statuspage, StatusWebhook
from pipeline.models.sinks.streams import KafkaEvents, Mail, Webhook
from pipeline.models.sinks.xurrent import Xurrent

__all__ = ["SINK_TYPES", "Sink", "SinkRules"]

Sink = Annotated[
    Webhook
    | ServiceNow
    | Jira
    | Xurrent
    | PagerDuty
    | Statuspage
    | IncidentIo
    | StatusWebhook
    | Slack
    | Teams
    | Mail
    | KafkaEvents,
    Field(discriminator="type"),
]

SINK_TYPES: Final[dict[str, type[SinkRules]]] = {
    "webhook": Webhook,
    "servicenow": ServiceNow,
    "jira": Jira,
    "xurrent": Xurrent,
    "pagerduty": PagerDuty,
    "statuspage": Statuspage,
    "incident_io": IncidentIo,
    "status_webhook": StatusWebhook,
    "slack": Slack,
    "teams": Teams,
    "mail": Mail,
    "kafka": KafkaEvents,
}
"""``type`` in sinks.yaml -> its model; an entry without a type is a webhook."""
