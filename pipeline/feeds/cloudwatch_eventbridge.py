"""Amazon CloudWatch alarms through EventBridge: plain, metric-math and composite alarms that changed their state.

EventBridge also tells of a composite alarm whose actions are suppressed, and again when the suppression ends.
"""

from __future__ import annotations

from typing import Final

from pipeline.feeds.amazon import ALARM_KINDS, Alarm, alarm_alert, json_object, name_of, opened, region_of
from pipeline.feeds.fields import Fields, missing, scalar_text, unknown_word
from pipeline.feeds.labels import known
from pipeline.models.alert import Alert, FeedClass
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.CLOUD

_STATE_CHANGE: Final = "CloudWatch Alarm State Change"


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one event; it may have come through an SNS topic."""
    found = opened(document, message)
    return [found if isinstance(found, Alert) else read_event(found.body, message)]


def read_event(event: Fields, message: RawMessage) -> Alert:
    """Read a change of state.

    Raises:
        BadRecord: it is another event, or lacks what every change of state has.
    """
    if event.text("detail-type") != _STATE_CHANGE:
        raise BadRecord(Reason.UNKNOWN_SHAPE, f"{event.at('detail-type')}: only {_STATE_CHANGE} is read")
    detail = event.section("detail")
    state = detail.section("state")
    word = state.text("value")
    if word not in ALARM_KINDS:
        raise unknown_word(state.at("value"), tuple(ALARM_KINDS))
    arn, name = _arn(event), detail.text("alarmName")
    alarm = Alarm(
        name=name,
        identity=(arn,),
        state=word,
        reason=state.text_or_none("reason") or "",
        description=detail.section_or_empty("configuration").text_or_none("description") or "",
        changed_ms=state.time_or_none("timestamp") or event.time_or_none("time"),
        delivery_id=event.identifier_or_none("id"),
        suppressed=state.has("actionsSuppressedBy"),
        labels=_labels(event, detail, state, arn),
    )
    return alarm_alert(alarm, message)


def _arn(event: Fields) -> str:
    resources = event.items("resources")
    if not resources or not isinstance(resources[0], str) or not resources[0]:
        raise missing(f"{event.at('resources')}[0]")
    return resources[0]


def _labels(event: Fields, detail: Fields, state: Fields, arn: str) -> dict[str, str]:
    configuration = detail.section_or_empty("configuration")
    labels: dict[str, str] = {}
    namespaces: dict[str, str] = {}
    for each in configuration.sections("metrics"):
        metric = each.section_or_empty("metricStat").section_or_empty("metric")
        labels.update(metric.section_or_empty("dimensions").scalars())
        if named := metric.text_or_none("name"):
            namespaces.setdefault(named, metric.text_or_none("namespace") or "")
    return labels | known(
        {
            "alarm_name": detail.text("alarmName"),
            "state": state.text("value"),
            "account": event.identifier_or_none("account"),
            "region": region_of(arn) or event.text_or_none("region"),
            "namespace": ", ".join(filter(None, dict.fromkeys(namespaces.values()))),
            "metric": ", ".join(namespaces),
            "alarm_rule": configuration.text_or_none("alarmRule"),
            "actions_suppressed_by": state.text_or_none("actionsSuppressedBy"),
            "actions_suppressed_reason": state.text_or_none("actionsSuppressedReason"),
            **_measured(state.text_or_none("reasonData")),
        }
    )


def _measured(reason_data: str | None) -> dict[str, str | None]:
    """What the reason's data, JSON in a string, adds to its words; nothing where it is no JSON."""
    data = json_object(reason_data)
    datapoints, alarms = data.get("recentDatapoints"), data.get("triggeringAlarms")
    points = filter(None, map(scalar_text, datapoints)) if isinstance(datapoints, list) else ()
    arns = [each.get("arn") for each in alarms if isinstance(each, dict)] if isinstance(alarms, list) else []
    return {
        "threshold": scalar_text(data.get("threshold")),
        "datapoints": ", ".join(points),
        "triggered_by": ", ".join(name_of(arn) for arn in arns if isinstance(arn, str)),
    }
