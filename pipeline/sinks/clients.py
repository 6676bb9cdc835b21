"""Which sink is made for which type of sinks.yaml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pipeline.models.sinks import SinkRules
from pipeline.models.sinks.chat import Slack, Teams
from pipeline.models.sinks.jira import Jira
from pipeline.models.sinks.paging import PagerDuty
from pipeline.models.sinks.servicenow import ServiceNow
from pipeline.models.sinks.status_pages import IncidentIo, Statuspage, StatusWebhook
from pipeline.models.sinks.streams import KafkaEvents, Mail, Webhook
from pipeline.models.sinks.xurrent import Xurrent
from pipeline.sinks.base import SinkClient, SinkError
from pipeline.sinks.incident_io import IncidentIoSink
from pipeline.sinks.jira import JiraSink
from pipeline.sinks.kafka_events import KafkaSink
from pipeline.sinks.limits import Bucket
from pipeline.sinks.mail import MailSink
from pipeline.sinks.pagerduty import PagerDutySink
from pipeline.sinks.servicenow import ServiceNowSink
from pipeline.sinks.slack import SlackSink
from pipeline.sinks.status_webhook import StatusWebhookSink
from pipeline.sinks.statuspage import StatuspageSink
from pipeline.sinks.teams import TeamsSink
from pipeline.sinks.webhook import WebhookSink
from pipeline.sinks.xurrent import XurrentSink

Maker = Callable[[Any, Mapping[str, str], Bucket], SinkClient]

_MAKERS: Final[Mapping[type[SinkRules], Maker]] = {
    IncidentIo: IncidentIoSink,
    PagerDuty: PagerDutySink,
    KafkaEvents: KafkaSink,
    Mail: MailSink,
    Slack: SlackSink,
    Statuspage: StatuspageSink,
    StatusWebhook: StatusWebhookSink,
    Teams: TeamsSink,
    Webhook: WebhookSink,
    Jira: JiraSink,
    ServiceNow: ServiceNowSink,
    Xurrent: XurrentSink,
}


def client_of(rules: SinkRules, secrets: Mapping[str, str], bucket: Bucket) -> SinkClient:
    """The client of a sink. Called inside a running event loop; nothing connects yet.

    Args:
        rules: the configuration.
        secrets: what the variables of ``rules.secret_names`` hold, by name.
        bucket: of its credential.

    Raises:
        SinkError: it cannot be used as configured.
    """
    maker = _MAKERS.get(type(rules))
    if maker is None:
        raise SinkError(f"sink {rules.name}: type {type(rules).__name__} cannot be used yet")
    bucket.secrets.learn(secrets[name] for name in rules.secret_names)
    return maker(rules, secrets, bucket)
