"""What Amazon's feeds share: the envelope of SNS, and what a CloudWatch alarm is, whichever way it comes.

CloudWatch has no severity: teams put it, with the service, as JSON into the alarm's description. One alarm comes
through SNS and through EventBridge in two shapes; both give the same alert key within a feed, the alarm's ARN.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, first_line, put_link, unknown_word
from pipeline.feeds.severity import LABEL_WORDS, Graded, grade
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

ALARM_KINDS: Final = {"ALARM": Kind.FIRING, "INSUFFICIENT_DATA": Kind.FIRING, "OK": Kind.RESOLVED}
"""State of an alarm -> kind. An alarm without data fires: nobody is watching what it should watch."""

_CONTROL_TYPES: Final = frozenset({"SubscriptionConfirmation", "UnsubscribeConfirmation"})
_ARN_PARTS: Final = 7  # arn:aws:cloudwatch:<region>:<account>:alarm:<name>
_SUPPRESSED: Final = "CloudWatch suppresses the alarm's actions: it counts as info until that ends"


class Delivered(NamedTuple):
    """What SNS delivered, or what came without it.

    Attributes:
        body: the alarm or event.
        message_id: of the SNS message; None where there is no envelope.
    """

    body: Fields
    message_id: str | None


def opened(document: object, message: RawMessage) -> Delivered | Alert:
    """Take a message out of its SNS envelope, if it has one; a control message of SNS is an alert of its own.

    Raises:
        BadRecord: an envelope of another type, or around something else than a JSON object.
    """
    top = Fields.of(document)
    if top.values.get("Type") is None:
        return Delivered(top, None)
    kind = top.text("Type")
    if kind in _CONTROL_TYPES:
        return _control(top, message, kind)
    if kind != "Notification":
        raise unknown_word("$.Type", ("Notification", *sorted(_CONTROL_TYPES)))
    try:
        body = orjson.loads(top.text("Message"))
    except orjson.JSONDecodeError as error:
        raise BadRecord(Reason.UNKNOWN_SHAPE, "$.Message: not the JSON of an alarm or event") from error
    return Delivered(Fields.of(body, "$.Message"), top.text_or_none("MessageId"))


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


class Alarm(NamedTuple):
    """What both shapes of a CloudWatch alarm say.

    Attributes:
        identity: the ARN; where a message has none, what else identifies the alarm.
        state: one of `ALARM_KINDS`.
        description: as its owner wrote it: text, or JSON with facts.
        suppressed: whether CloudWatch suppresses its actions just now.
        labels: without the facts of the description, which these hide.
    """

    name: str
    identity: tuple[str, ...]
    state: str
    reason: str
    description: str
    changed_ms: int | None
    delivery_id: str | None
    suppressed: bool
    labels: dict[str, str]


def alarm_alert(alarm: Alarm, message: RawMessage) -> Alert:
    """The alert of a change of state."""
    kind = ALARM_KINDS[alarm.state]
    facts, text = _described(alarm.description)
    graded = _grade(facts.get("severity"), alarm)
    links: dict[str, str] = {}
    put_link(links, "runbook", facts.get("runbook"))
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, *alarm.identity),
        delivery_id=alarm.delivery_id,
        name=alarm.name,
        summary=_summary(alarm, text),
        description=alarm.reason,
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=alarm.changed_ms if kind == Kind.FIRING else None,
        ended_at_ms=alarm.changed_ms if kind == Kind.RESOLVED else None,
        labels={**facts, **alarm.labels},
        links=links,
    )


def _described(description: str) -> tuple[dict[str, str], str]:
    """Facts of a description that is a JSON object, and what it says in words."""
    if not description.lstrip().startswith("{"):
        return {}, description
    try:
        facts = Fields.of(orjson.loads(description)).scalars()
    except orjson.JSONDecodeError:
        return {}, description
    return facts, facts.get("summary") or facts.get("description") or ""


def _summary(alarm: Alarm, text: str) -> str:
    """The owner's words for the symptom; they do not fit an alarm without data.

    CloudWatch's reason alone ("Threshold Crossed: 3 datapoints ...") reads the same for every alarm.
    """
    told, why = first_line(text), first_line(alarm.reason)
    if told and alarm.state != "INSUFFICIENT_DATA":
        return told
    return f"{alarm.name}: {why}" if why else alarm.name


def _grade(native: str | None, alarm: Alarm) -> Graded:
    if alarm.suppressed:
        return Graded(Severity.INFO, native, _SUPPRESSED)
    if alarm.state == "INSUFFICIENT_DATA":
        return Graded(Severity.WARNING, native, "an alarm without data says only that nobody is watching")
    return grade(native, LABEL_WORDS, "severity in AlarmDescription", Severity.ERROR)


def region_of(arn: str | None) -> str | None:
    """The region in an alarm's ARN; None where it is no such ARN. Field ``Region`` is a name for people."""
    parts = (arn or "").split(":", _ARN_PARTS - 1)
    return parts[3] if len(parts) == _ARN_PARTS else None


def name_of(arn: str) -> str:
    """What an ARN names: its last part, behind ``:`` or ``/``; any other text is a name already."""
    return arn.rpartition(":")[2].rpartition("/")[2] or arn if arn.startswith("arn:") else arn


def json_object(text: str | None) -> dict[str, Any]:
    """The object that a string holds as JSON; empty where it holds something else, as it is no more than a detail."""
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
