"""Amazon CloudWatch alarms through SNS: an envelope with the alarm as a JSON string, or the alarm alone.

Events of EventBridge are read too, so that one feed takes an alarm whichever way it comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipeline.feeds.amazon import ALARM_KINDS, Alarm, alarm_alert, name_of, opened, region_of
from pipeline.feeds.cloudwatch_eventbridge import read_event
from pipeline.feeds.fields import Fields, missing, unknown_word
from pipeline.feeds.labels import known
from pipeline.models.alert import Alert, FeedClass
from pipeline.models.decision import BadRecord
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.CLOUD


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read an SNS notification, an alarm that SNS delivered raw, or an event of EventBridge."""
    found = opened(document, message)
    if isinstance(found, Alert):
        return [found]
    if found.body.has("detail-type"):
        return [read_event(found.body, message)]
    return [alarm_alert(_alarm(found.body, found.message_id), message)]


def _alarm(alarm: Fields, delivery_id: str | None) -> Alarm:
    name = alarm.text("AlarmName")
    state = alarm.text("NewStateValue")
    if state not in ALARM_KINDS:
        raise unknown_word(alarm.at("NewStateValue"), tuple(ALARM_KINDS))
    return Alarm(
        name=name,
        identity=_identity(alarm, name),
        state=state,
        reason=alarm.text_or_none("NewStateReason") or "",
        description=alarm.text_or_none("AlarmDescription") or "",
        changed_ms=alarm.time_or_none("StateChangeTime"),
        delivery_id=delivery_id,
        suppressed=False,  # an alarm whose actions are suppressed sends nothing to SNS
        labels=_labels(alarm, name, state),
    )


def _identity(alarm: Fields, name: str) -> tuple[str, ...]:
    arn = alarm.text_or_none("AlarmArn")
    if arn is not None:
        return (arn,)
    account, region = alarm.identifier_or_none("AWSAccountId"), alarm.text_or_none("Region")
    if account is None or region is None:
        raise missing(alarm.at("AlarmArn"))
    return account, region, name


def _labels(alarm: Fields, name: str, state: str) -> dict[str, str]:
    trigger = alarm.section_or_empty("Trigger")
    labels = {each.text("name"): each.text_or_none("value") or "" for each in _dimensions(trigger)}
    children = [name_of(each.text("Arn")) for each in alarm.sections("TriggeringChildren")]
    return labels | known(
        {
            "alarm_name": name,
            "state": state,
            "account": alarm.identifier_or_none("AWSAccountId"),
            "region": region_of(alarm.text_or_none("AlarmArn")),
            "namespace": trigger.text_or_none("Namespace"),
            "metric": trigger.text_or_none("MetricName"),
            "alarm_rule": alarm.text_or_none("AlarmRule"),
            "triggered_by": ", ".join(children),
        }
    )


def _dimensions(trigger: Fields) -> Iterator[Fields]:
    """Dimensions of a plain alarm, and of each metric of a metric-math alarm."""
    yield from trigger.sections("Dimensions")
    for metric in trigger.sections("Metrics"):
        yield from metric.section_or_empty("MetricStat").section_or_empty("Metric").sections("Dimensions")
