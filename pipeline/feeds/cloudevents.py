"""CloudEvents 1.0 on Kafka, with any JSON as data: attributes in headers (binary) or around the data (structured).

CloudEvents says who tells what about what, not whether something is broken: that is a word at the end of the type
(``com.example.check.failed``), or in the data, and which words mean what is the feed's to choose. What is left of
the type without that word is the same in firing and resolved events, and part of the condition.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, first_line, missing, put_link, scalar_text
from pipeline.feeds.severity import LABEL_WORDS, Graded, grade
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

FIRING_WORDS: Final = (
    "failed", "failure", "failing", "firing", "fired", "triggered", "opened", "open", "raised", "started", "detected",
    "alarm", "alert", "problem", "error", "critical", "warning", "degraded", "down", "unhealthy", "breached",
)  # fmt: skip
RESOLVED_WORDS: Final = (
    "recovered", "recovery", "resolved", "cleared", "closed", "ended", "restored", "passed", "succeeded", "ok", "up",
    "healthy", "normal",
)  # fmt: skip
ACKNOWLEDGED_WORDS: Final = ("acknowledged", "acked")

_ATTRIBUTE_PREFIX: Final = "ce_"
_CONTENT_TYPE: Final = "content-type"
_STRUCTURED: Final = "application/cloudevents"
_BATCH: Final = "application/cloudevents-batch"
_JSON_STRUCTURED: Final = "application/cloudevents+json"
_VERSION: Final = re.compile(r"v?\d{1,4}", re.ASCII)
_VERSIONS_READ: Final = "1."
# States are a few words; a type of a mebibyte, looked at from each of its hyphens on, would take minutes.
_STATE_CHARACTERS_MAX: Final = 256
_WORD_ENDS: Final = re.compile(r"[-_]|(?<=[a-z])(?=[A-Z])")
_SUMMARY_FIELDS: Final = ("summary", "message", "title", "description")
_LINK_FIELDS: Final = ("url", "link")


class Options(BaseModel):
    """What a feed may set. Words are compared in lower case.

    Attributes:
        firing_words: last words of a type, or states in the data, that say that something is broken.
        resolved_words: those that say that it is over.
        acknowledged_words: those that say that somebody has it.
        ignored_types: beginnings of types that are no alerts; they are counted and otherwise let go.
        state_fields: fields of the data that are asked where the type does not say it.
        severity_field: field of the data, or extension attribute, that holds the severity.
        severity_words: its values that we do not know, or know otherwise.
        ttl_seconds: silence after which it is over, for events that never say so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    firing_words: tuple[str, ...] = FIRING_WORDS
    resolved_words: tuple[str, ...] = RESOLVED_WORDS
    acknowledged_words: tuple[str, ...] = ACKNOWLEDGED_WORDS
    ignored_types: tuple[str, ...] = ()
    state_fields: tuple[str, ...] = ("state", "status")
    severity_field: str = "severity"
    severity_words: dict[str, Severity] = Field(default_factory=dict)
    ttl_seconds: int | None = Field(default=None, gt=0)

    def kind_of(self, word: str) -> Kind | None:
        """What a word says; None where it is none of the feed's words."""
        lowered = word.strip().lower()
        for words, kind in (
            (self.resolved_words, Kind.RESOLVED),
            (self.firing_words, Kind.FIRING),
            (self.acknowledged_words, Kind.ACKNOWLEDGED),
        ):
            if lowered in words:
                return kind
        return None


class NotJson(str):
    """What a record's value holds where it is not JSON: text; "" where there is no value."""

    __slots__ = ()


class _Event(NamedTuple):
    """One event, whichever mode it came in.

    Attributes:
        attributes: of the context, extensions too.
        data: its fields, or none where the data is no object.
        text: the data where it is text.
    """

    attributes: Fields
    data: Fields
    text: str = ""


class _State(NamedTuple):
    """What an event says of its condition.

    Attributes:
        family: the type without the word of the state.
        word: the state's word, as the event has it.
    """

    kind: Kind
    family: str
    word: str


def decode(value: bytes) -> object:
    """The data or the event of a record's value: JSON, else `NotJson`."""
    if not value:
        return NotJson()
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        try:
            return NotJson(value.decode())
        except UnicodeDecodeError:
            detail = "$: neither JSON nor text; only these kinds of data are read"
            raise BadRecord(Reason.BROKEN_JSON, detail) from error


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one event."""
    event = _structured(document) if _is_structured(document, message) else _binary(document, message)
    version = event.attributes.text("specversion")
    if not version.startswith(_VERSIONS_READ):
        raise BadRecord(Reason.UNKNOWN_SHAPE, f"{event.attributes.at('specversion')}: not 1.0, which is what is read")
    options: Options = message.options
    event_type = event.attributes.text("type")
    if _is_tombstone(document):
        return [_control(event, message, "a tombstone: an event without data, nothing to alert on")]
    if options.ignored_types and event_type.startswith(options.ignored_types):
        return [_control(event, message, "an event of a type that this feed ignores")]
    return [_alert(event, _state(event, event_type, options), message, options)]


def _is_tombstone(document: object) -> bool:
    return isinstance(document, NotJson) and not document


# -- the two modes


def _is_structured(document: object, message: RawMessage) -> bool:
    """By the content type, as the binding says; by the shape where a bridge dropped the headers.

    Raises:
        BadRecord: a batch, or a format that is not JSON.
    """
    content_type = (message.header(_CONTENT_TYPE) or "").strip().lower()
    if content_type.startswith(_BATCH):
        raise BadRecord(
            Reason.UNKNOWN_SHAPE,
            "$: a batch, which Kafka's binding does not have; write each event as a record of its own",
        )
    if content_type.startswith(_STRUCTURED):
        if not content_type.startswith(_JSON_STRUCTURED):
            raise BadRecord(Reason.UNKNOWN_SHAPE, f"$: not JSON; of structured events only {_JSON_STRUCTURED} is read")
        return True
    if any(name.lower().startswith(_ATTRIBUTE_PREFIX) for name, _ in message.headers):
        return False
    return isinstance(document, dict) and "specversion" in document


def _structured(document: object) -> _Event:
    if isinstance(document, NotJson):
        raise BadRecord(Reason.BROKEN_JSON, "$: not JSON")
    envelope = Fields.of(document)
    data = envelope.values.get("data")
    if data is None and (encoded := envelope.text_or_none("data_base64")):
        try:
            data = decode(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError) as error:
            raise BadRecord(Reason.WRONG_TYPE, "$.data_base64: expected base64") from error
    return _event(envelope, data, "$.data")


def _binary(document: object, message: RawMessage) -> _Event:
    attributes: dict[str, Any] = {}
    for name, value in message.headers:
        if name.lower().startswith(_ATTRIBUTE_PREFIX):
            try:
                attributes[name.lower().removeprefix(_ATTRIBUTE_PREFIX)] = value.decode()
            except UnicodeDecodeError as error:
                raise BadRecord(Reason.WRONG_TYPE, "$headers: an attribute that is not UTF-8") from error
    if not attributes and _is_tombstone(document):
        raise BadRecord(Reason.EMPTY, "$: the record has neither a value nor attributes in its headers")
    if not attributes:
        raise missing("$headers.ce_specversion")
    content_type = (message.header(_CONTENT_TYPE) or "").lower()
    if isinstance(document, NotJson) and document and "json" in content_type:
        raise BadRecord(Reason.BROKEN_JSON, "$: not JSON, which the content type says it is")
    return _event(Fields(attributes, "$headers"), document, "$")


def _event(attributes: Fields, data: object, path: str) -> _Event:
    if isinstance(data, dict):
        return _Event(attributes, Fields(data, path))
    return _Event(attributes, Fields({}, path), data if isinstance(data, str) else "")


# -- what an event says


def _state(event: _Event, event_type: str, options: Options) -> _State:
    """The state by the last word of the type, else by the data.

    Raises:
        BadRecord: neither has one of the feed's words.
    """
    parts = event_type.split(".")
    if len(parts) > 1 and _VERSION.fullmatch(parts[-1]):
        parts.pop()  # ``...failed.v1``
    for length, word in _words(parts[-1]):
        if kind := options.kind_of(word):
            rest = parts[-1][:length].rstrip("-_")
            return _State(kind, ".".join(filter(None, (*parts[:-1], rest))), word)
    for field in options.state_fields:
        text = scalar_text(event.data.values.get(field))
        if text is not None and (kind := options.kind_of(text)):
            return _State(kind, ".".join(parts), text)
    raise BadRecord(
        Reason.UNKNOWN_SHAPE,
        f"{event.attributes.at('type')}: neither it nor the data's {' or '.join(options.state_fields) or 'state'} ends "
        "in a word of the feed; add the word to firing_words or resolved_words, or the type to ignored_types",
    )


def _words(segment: str) -> Iterator[tuple[int, str]]:
    """What a segment may end in, longest first, with the length of what is before: ``check_failed``, ``failed``."""
    begin = max(0, len(segment) - _STATE_CHARACTERS_MAX)
    if not begin:
        yield 0, segment
    for end in _WORD_ENDS.finditer(segment, begin):
        yield end.start(), segment[end.end() :]


def _alert(event: _Event, state: _State, message: RawMessage, options: Options) -> Alert:
    source, subject = event.attributes.text("source"), event.attributes.text_or_none("subject")
    name = subject or state.family or source
    at_ms = event.attributes.time_or_none("time")
    graded = _grade(event, options)
    resolved = state.kind == Kind.RESOLVED
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=state.kind,
        alert_key=content_hash(message.feed, source, subject or "", state.family),
        delivery_id=_delivery_id(event.attributes, source),
        name=name,
        summary=_summary(event) or f"{name}: {state.word}",
        description=event.text,
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=None if resolved else at_ms,
        ended_at_ms=at_ms if resolved else None,
        labels=_labels(event.data.scalars(), event.attributes),
        ttl_seconds=None if resolved else options.ttl_seconds,
    )
    for field in _LINK_FIELDS:
        put_link(alert.links, field, scalar_text(event.data.values.get(field)))
    for field in ("runbook", "runbook_url"):
        put_link(alert.links, "runbook", scalar_text(event.data.values.get(field)))
    put_link(alert.links, "source", source)
    return alert


def _delivery_id(attributes: Fields, source: str) -> str:
    """An id is unique within its source. It comes first, as ids that are too long are cut at their end."""
    return f"{attributes.text('id')} {source}"


def _summary(event: _Event) -> str:
    texts = (scalar_text(event.data.values.get(field)) or "" for field in _SUMMARY_FIELDS)
    return next((line for text in texts if (line := first_line(text))), "")


def _grade(event: _Event, options: Options) -> Graded:
    words: Mapping[str, Severity] = {**LABEL_WORDS, **options.severity_words}
    field = options.severity_field
    native = scalar_text(event.data.values.get(field)) or scalar_text(event.attributes.values.get(field))
    return grade(native, words, f"data.{field}")


def _labels(data: dict[str, str], attributes: Fields) -> dict[str, str]:
    """The data's plain fields, and what the event is about, spelled as in Kafka's headers: data has its own words."""
    labels = dict(data)
    for name in ("source", "type", "subject"):
        if value := attributes.text_or_none(name):
            labels[_ATTRIBUTE_PREFIX + name] = value
    return labels


def _control(event: _Event, message: RawMessage, why: str) -> Alert:
    attributes = event.attributes
    source, event_type = attributes.text("source"), attributes.text("type")
    return Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.CONTROL,
        alert_key=content_hash(message.feed, "control", source, attributes.text_or_none("subject") or "", event_type),
        delivery_id=_delivery_id(attributes, source),
        name=event_type,
        summary=why,
        severity=Severity.INFO,
        severity_default_reason="a control message has no severity",
        event_at_ms=attributes.time_or_none("time"),
        labels=_labels({}, attributes),
    )
