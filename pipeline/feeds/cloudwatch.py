"""Amazon CloudWatch alarms through SNS: an envelope with the alarm as a JSON string, or the alarm alone.

CloudWatch has no severity: teams put it, with the service, as JSON into the alarm's description. ``Region``
is a name for people ("EU (Frankfurt)"), so the region is taken from the ARN.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import orjson

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, first_line, missing, put_link, unknown_word
from pipeline.feeds.severity import LABEL_WORDS, Graded, grade
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.CLOUD

_KINDS: Final = {"ALARM": Kind.FIRING, "INSUFFICIENT_DATA": Kind.FIRING, "OK": Kind.RESOLVED}
_CONTROL_TYPES: Final = frozenset({"SubscriptionConfirmation", "UnsubscribeConfirmation"})
_ARN_PARTS: Final = 7  # arn:aws:cloudwatch:<region>:<account>:alarm:<name>


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read an SNS notification, or an alarm that SNS delivered raw."""
    top = Fields.of(document)
    if top.values.get("Type") is None:
        return [_alarm(top, message, None)]
    kind = top.text("Type")
    if kind in _CONTROL_TYPES:
        return [_control(top, message, kind)]
    if kind != "Notification":
        raise unknown_word("$.Type", ("Notification", *sorted(_CONTROL_TYPES)))
    try:
        body = orjson.loads(top.text("Message"))
    except orjson.JSONDecodeError as error:
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$.Message: not the JSON of an alarm") from error
    return [_alarm(Fields.of(body, "$.Message"), message, top.text_or_none("MessageId"))]


def _control(top: Fields, message: RawMessage, kind: str) -> Alert:
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.CONTROL,
        alert_key=content_hash(message.feed, "control", kind, top.text_or_none("TopicArn") or ""),
        delivery_id=top.text_or_none("MessageId"),
        name=kind,
        summary="Amazon SNS asks to confirm a subscription",
        severity=Severity.INFO,
        severity_default_reason="a control message has no severity",
    )


class _Description(NamedTuple):
    """An alarm description: facts where it is a JSON object, text otherwise."""

    facts: dict[str, str]
    text: str


def _alarm(alarm: Fields, message: RawMessage, delivery_id: str | None) -> Alert:
    name = alarm.text("AlarmName")
    state = alarm.text("NewStateValue")
    if state not in _KINDS:
        raise unknown_word(alarm.at("NewStateValue"), tuple(_KINDS))
    kind = _KINDS[state]
    described = _describe(alarm)
    reason = alarm.text_or_none("NewStateReason") or ""
    changed_ms = alarm.time_or_none("StateChangeTime")
    graded = _grade(described.facts.get("severity"), state)
    links: dict[str, str] = {}
    put_link(links, "runbook", described.facts.get("runbook"))
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, *_identity(alarm, name)),
        delivery_id=delivery_id,
        name=name,
        summary=first_line(described.text) or first_line(reason) or name,
        description=reason,
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=changed_ms if kind == Kind.FIRING else None,
        ended_at_ms=changed_ms if kind == Kind.RESOLVED else None,
        labels=_labels(alarm, name, described.facts),
        links=links,
    )


def _identity(alarm: Fields, name: str) -> tuple[str, ...]:
    arn = alarm.text_or_none("AlarmArn")
    if arn is not None:
        return (arn,)
    account, region = alarm.identifier_or_none("AWSAccountId"), alarm.text_or_none("Region")
    if account is None or region is None:
        raise missing(alarm.at("AlarmArn"))
    return account, region, name


def _describe(alarm: Fields) -> _Description:
    text = alarm.text_or_none("AlarmDescription") or ""
    if text.lstrip().startswith("{"):
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError:
            return _Description({}, text)
        facts = Fields(document, alarm.at("AlarmDescription")).scalars()
        return _Description(facts, facts.get("summary") or facts.get("description") or "")
    return _Description({}, text)


def _grade(native: str | None, state: str) -> Graded:
    if state == "INSUFFICIENT_DATA":
        return Graded(Severity.WARNING, native, "an alarm without data says only that nobody is watching")
    return grade(native, LABEL_WORDS, "severity in AlarmDescription", Severity.ERROR)


def _labels(alarm: Fields, name: str, facts: dict[str, str]) -> dict[str, str]:
    labels = dict(facts)
    for dimension in _dimensions(alarm.section_or_empty("Trigger")):
        labels[dimension.text("name")] = dimension.text_or_none("value") or ""
    trigger = alarm.section_or_empty("Trigger")
    arn = (alarm.text_or_none("AlarmArn") or "").split(":", _ARN_PARTS - 1)
    known = {
        "alarm_name": name,
        "state": alarm.text("NewStateValue"),
        "account": alarm.identifier_or_none("AWSAccountId"),
        "region": arn[3] if len(arn) == _ARN_PARTS else None,
        "namespace": trigger.text_or_none("Namespace"),
        "metric": trigger.text_or_none("MetricName"),
    }
    labels.update({label: value for label, value in known.items() if value})
    return labels


def _dimensions(trigger: Fields) -> Iterator[Fields]:
    """Dimensions of a plain alarm, and of each metric of a metric-math alarm."""
    yield from trigger.sections("Dimensions")
    for metric in trigger.sections("Metrics"):
        yield from metric.section_or_empty("MetricStat").section_or_empty("Metric").sections("Dimensions")
