"""OpenTelemetry logs, as exporters write them in OTLP's JSON: every log record that is bad enough is an alert.

Logs have no states. What ends a condition is a harmless record of the same exception or event whose words say so;
otherwise silence does. Numbers of 64 bits come as strings, and from some producers as numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

import orjson
from pydantic import Field

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import MEMBERS_MAX, Fields, first_line, missing, scalar_text, wrong_type
from pipeline.feeds.log_text import RECOVERY_WORDS, template, words_say_recovery
from pipeline.feeds.severity import LABEL_WORDS
from pipeline.feeds.times import epoch_ms
from pipeline.models.alert import SEVERITY_RANK, Alert, FeedClass, Kind, Severity
from pipeline.models.catalog import Frozen
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

# Nobody says that it is over, so an hour of silence does: hourly jobs fail again within it.
SILENCE_SECONDS_DEFAULT: Final = 3_600
# Deeper values are data, not facts.
VALUE_DEPTH_MAX: Final = 8

_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000
_SEVERITIES: Final = ((21, Severity.CRITICAL), (17, Severity.ERROR), (13, Severity.WARNING), (1, Severity.INFO))
_SEVERITY_NUMBER_MAX: Final = 24
_ENUM_PREFIX: Final = "SEVERITY_NUMBER_"
_ENUM_BASES: Final = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
_TEXT_WORDS: Final[Mapping[str, Severity]] = {**LABEL_WORDS, "trace": Severity.INFO, "debug": Severity.INFO}

# Semantic conventions, by the names that enrichment knows. Older producers write the older names.
_LABEL_NAMES: Final[Mapping[str, str]] = {
    "service.name": "service",
    "deployment.environment.name": "environment",
    "deployment.environment": "environment",
    "host.name": "host",
    "k8s.pod.name": "pod",
    "k8s.namespace.name": "namespace",
    "k8s.cluster.name": "cluster",
    "k8s.deployment.name": "deployment",
    "k8s.statefulset.name": "statefulset",
    "k8s.container.name": "container",
}
# Pages of text, which the raw record still has.
_NO_LABELS: Final = frozenset({"exception.stacktrace", "exception.message"})
# Every failure of a program is one of these, so they name none.
_SAY_NOTHING: Final = frozenset({
    "", "Error", "Exception", "RuntimeError", "RuntimeException", "java.lang.Exception", "java.lang.RuntimeException",
    "java.lang.Error", "System.Exception", "*errors.errorString", "*fmt.wrapError", "panic",
})  # fmt: skip
_TEXT_KEYS: Final = ("message", "msg", "event", "error")


class Options(Frozen):
    """What a feed may set.

    Attributes:
        severity_at_least: records that are less severe are control messages, unless they end something.
        identity_attributes: attributes that name the condition; without one of them the text does, masked.
        recovery_words: words of a harmless record that say that it is over.
        ttl_seconds: silence that ends a condition.
    """

    severity_at_least: Literal["critical", "error", "warning", "info"] = "error"
    identity_attributes: tuple[str, ...] = ("exception.type",)
    recovery_words: tuple[str, ...] = RECOVERY_WORDS
    ttl_seconds: int = Field(default=SILENCE_SECONDS_DEFAULT, gt=0)


class _Graded(NamedTuple):
    severity: Severity
    native: str | None
    default_reason: str | None


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read an export request: every record in order; a bad one takes its place and the others go on."""
    results: list[Alert | BadRecord] = []
    for resource, scope, record in _records(Fields.of(document)):
        if len(results) == MEMBERS_MAX:
            raise BadRecord(Reason.TOO_LARGE, f"$.resourceLogs: more than {MEMBERS_MAX} log records")
        try:
            results.append(_alert(resource, scope, record, message))
        except BadRecord as bad:
            results.append(bad)
    if not results:
        raise missing("$.resourceLogs[0].scopeLogs[0].logRecords")
    return results


def _records(top: Fields) -> Iterator[tuple[dict[str, str], str | None, Fields]]:
    """Every log record with the attributes of its resource and the name of its scope."""
    for of_resource in top.sections("resourceLogs"):
        resource = _attributes(of_resource.section_or_empty("resource"))
        for of_scope in of_resource.sections("scopeLogs"):
            scope = of_scope.section_or_empty("scope").text_or_none("name")
            for record in of_scope.sections("logRecords"):
                yield resource, scope, record


def _alert(resource: dict[str, str], scope: str | None, record: Fields, message: RawMessage) -> Alert:
    options: Options = message.options
    attributes = _attributes(record)
    text = _text(record)
    graded = _grade(record)
    event = record.text_or_none("eventName") or attributes.get("event.name")
    named = [attributes[name] for name in options.identity_attributes if attributes.get(name, "") not in _SAY_NOTHING]
    condition = ("event", event) if event else ("attributes", *named) if named else ("text", template(text))
    severe = SEVERITY_RANK[graded.severity] >= SEVERITY_RANK[options.severity_at_least]
    over = not severe and bool(event or named) and words_say_recovery(text, options.recovery_words)
    at_ms = _time_ms(record, "timeUnixNano") or _time_ms(record, "observedTimeUnixNano")
    name = event or ", ".join(named) or template(text)
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.RESOLVED if over else Kind.FIRING if severe else Kind.CONTROL,
        alert_key=content_hash(message.feed, *_place(resource), *condition),
        name=name or "log record",
        summary=first_line(text) or name or "a log record without text",
        description=text.strip() if "\n" in text.strip() else attributes.get("exception.message", ""),
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=None if over else at_ms,
        ended_at_ms=at_ms if over else None,
        labels=_labels(resource, scope, record, attributes),
        ttl_seconds=options.ttl_seconds if severe else None,
    )
    if alert.kind == Kind.CONTROL:
        alert.summary = (
            f"{graded.native or 'no severity'} is below {options.severity_at_least}, from which on records are alerts"
        )
    return alert


def _place(resource: dict[str, str]) -> tuple[str, ...]:
    """Whose condition it is: a service in an environment, whichever of its instances wrote."""
    environment = resource.get("deployment.environment.name") or resource.get("deployment.environment") or ""
    return environment, resource.get("service.namespace", ""), resource.get("service.name", "")


def _grade(record: Fields) -> _Graded:
    """By number; where a producer leaves it out, by the word."""
    text = record.text_or_none("severityText")
    number = _severity_number(record)
    if number:
        severity = next(severity for lowest, severity in _SEVERITIES if number >= lowest)
        return _Graded(severity, text or str(number), None)
    if text is None:
        return _Graded(Severity.UNKNOWN, None, "severityNumber is absent")
    found = _TEXT_WORDS.get(text.strip().lower())
    if found is None:
        return _Graded(Severity.UNKNOWN, text, "severityText is not a word that we know")
    return _Graded(found, text, None)


def _severity_number(record: Fields) -> int:
    """1 to 24; 0 where it is not said. Some producers write the name of the enumeration."""
    value = record.values.get("severityNumber")
    if isinstance(value, str) and value.startswith(_ENUM_PREFIX):
        word = value.removeprefix(_ENUM_PREFIX)
        base = _ENUM_BASES.get(word.rstrip("234"), 0)
        return base + int(word[-1]) - 1 if base and word[-1].isdigit() else base
    number = record.integer_or_none("severityNumber") or 0
    if not 0 <= number <= _SEVERITY_NUMBER_MAX:
        raise BadRecord(Reason.WRONG_TYPE, f"{record.at('severityNumber')}: expected a number from 0 to 24")
    return number


def _time_ms(record: Fields, name: str) -> int | None:
    """A time in nanoseconds, as string or number; 0 means that it is not known."""
    value = record.values.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(2**64)):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRecord(Reason.WRONG_TYPE, f"{record.at(name)}: expected nanoseconds since 1970")
    try:
        return epoch_ms(int(value) // _NANOSECONDS_PER_MILLISECOND, 1_000) or None
    except ValueError as error:
        raise BadRecord(Reason.WRONG_TYPE, f"{record.at(name)}: expected nanoseconds since 1970") from error


def _text(record: Fields) -> str:
    """What the body says: its text, the message in a map, or all of it as JSON."""
    body = record.values.get("body")
    if body is None:
        return ""
    value = _plain(Fields.of(body, record.at("body"))) if isinstance(body, dict) else body
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for key in _TEXT_KEYS:
            if isinstance(value.get(key), str) and value[key]:
                return str(value[key])
    return "" if value is None else orjson.dumps(value).decode()


def _attributes(holder: Fields) -> dict[str, str]:
    """Attributes as text; maps and arrays as JSON."""
    found: dict[str, str] = {}
    for attribute in holder.sections("attributes"):
        value = _plain(attribute.section_or_empty("value"))
        text = orjson.dumps(value).decode() if isinstance(value, dict | list) else scalar_text(value)
        if text is not None:
            found.setdefault(attribute.text("key"), text)
    return found


def _plain(value: Fields, depth: int = 0) -> Any:
    """A typed value (``stringValue``, ``intValue``, ``kvlistValue``...) as plain JSON; None for one of another type."""
    if depth > VALUE_DEPTH_MAX:
        raise wrong_type(value.path, f"at most {VALUE_DEPTH_MAX} levels", value.values)
    for name in ("stringValue", "boolValue", "intValue", "doubleValue", "bytesValue"):
        if value.has(name):
            plain = value.values[name]
            if isinstance(plain, dict | list):
                raise wrong_type(value.at(name), "a plain value", plain)
            return plain
    if value.has("arrayValue"):
        return [_plain(item, depth + 1) for item in value.section("arrayValue").sections("values")]
    if value.has("kvlistValue"):
        entries = value.section("kvlistValue").sections("values")
        return {entry.text("key"): _plain(entry.section_or_empty("value"), depth + 1) for entry in entries}
    return None


def _labels(resource: dict[str, str], scope: str | None, record: Fields, attributes: dict[str, str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for name, value in resource.items():
        labels.setdefault(_LABEL_NAMES.get(name, name), value)
    if scope:
        labels.setdefault("logger", scope)
    for name, value in attributes.items():
        if name not in _NO_LABELS:
            labels.setdefault(name, value)
    if trace := record.text_or_none("traceId"):
        labels.setdefault("trace_id", trace)
    return labels
