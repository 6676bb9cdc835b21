"""What must hold of an alert that goes on, and of a dead letter, whatever the message was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import orjson

import pipeline.feeds
from pipeline.core.alerts.ingest import (
    DESCRIPTION_CHARS_MAX,
    ID_CHARS_MAX,
    LABEL_NAME_CHARS_MAX,
    LABEL_VALUE_CHARS_MAX,
    LABELS_MAX,
    LINKS_MAX,
    NAME_CHARS_MAX,
    SUMMARY_CHARS_MAX,
)
from pipeline.core.step import Output
from pipeline.flow import DEAD_LETTER_RECORD_BYTES_MAX, MEBIBYTE
from pipeline.models.alert import Alert, FeedClass, Kind, Severity, alert_from_wire
from pipeline.models.decision import Reason
from tests.fuzz.mutants import DONORS, Mutant
from tests.fuzz.trees import places

RECORD_OVERHEAD_BYTES: Final = 512
"""Of a record of ours beside key, value and headers; generous."""

TIME_MS_MAX: Final = 253_402_300_799_999
"""The end of the year 9999: times of maintenance may lie ahead, as far as a time can be shown at all."""

DETAIL_CHARS_MAX: Final = 1_000
SECRET_CHARS_MIN: Final = 6
"""Shorter pieces of a payload are in any sentence by chance."""

_SAID_REASONS: Final = frozenset(
    (
        Reason.EMPTY,
        Reason.TOO_LARGE,
        Reason.BROKEN_JSON,
        Reason.WRONG_TYPE,
        Reason.MISSING_FIELD,
        Reason.UNKNOWN_SHAPE,
        Reason.UNKNOWN_FEED,
    )
)
_OPTIONAL_TEXTS: Final = (
    "source_episode_id",
    "delivery_id",
    "severity_native",
    "severity_default_reason",
    "ticket",
    "reporter",
)
_ALERT_KEY: Final = re.compile(r"[0-9a-f]{32}")
_TOKEN: Final = re.compile(rf"[^\s\"'`,;:()\[\]{{}}<>=$.*]{{{SECRET_CHARS_MIN},}}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SOURCES: Final = sorted(Path(pipeline.feeds.__file__).parent.rglob("*.py"))
_FIELD_NAMES: Final = sorted({key for _, key in places(DONORS) if isinstance(key, str)})
_OUR_WORDS: Final = "\n".join([*(file.read_text() for file in _SOURCES), *_FIELD_NAMES])
"""What the adapters may say: their own words and the sources' field names. Another word of a refusal that is in the
payload is the payload's."""


def _size(output: Output) -> int:
    headers = sum(len(name) + len(value or b"") + 8 for name, value in output.headers)
    return len(output.key or b"") + len(output.value or b"") + headers + RECORD_OVERHEAD_BYTES


# -- alerts


def alert_problems(output: Output) -> Iterator[str]:
    """What is wrong with an alert."""
    if output.topic != "alerts":
        yield f"a record on {output.topic}"
    if _size(output) > MEBIBYTE:
        yield f"an alert of {_size(output)} bytes does not fit its topic"
    alert = alert_from_wire(orjson.loads(output.value or b""))
    if output.key != alert.alert_key.encode() or not _ALERT_KEY.fullmatch(alert.alert_key):
        yield "the alert key is not a hash, or not the record's key"
    for name, known in (("kind", Kind), ("severity", Severity), ("feed_class", FeedClass)):
        if getattr(alert, name) not in set(known):
            yield f"{name} is {getattr(alert, name)!r}"
    if alert.severity == Severity.UNKNOWN and not alert.severity_default_reason:
        yield "severity is unknown, and nothing says why"
    yield from _type_problems(alert)
    yield from _bound_problems(alert)


def _type_problems(alert: Alert) -> Iterator[str]:
    for name in ("event_at_ms", "ended_at_ms"):
        at_ms = getattr(alert, name)
        if at_ms is not None and (type(at_ms) is not int or not 0 <= at_ms <= TIME_MS_MAX):
            yield f"{name} is {at_ms!r}"
    for name in ("users_affected", "ttl_seconds", "clock_skew_ms"):
        count = getattr(alert, name)
        if count is not None and (type(count) is not int or not 0 <= count < 1 << 53):
            yield f"{name} is {count!r}"
    for name in ("name", "summary", "description"):
        if type(getattr(alert, name)) is not str:
            yield f"{name} is no text"
    for name in (
        "source_episode_id",
        "delivery_id",
        "severity_native",
        "severity_default_reason",
        "ticket",
        "reporter",
    ):
        said = getattr(alert, name)
        if said is not None and (type(said) is not str or not said):
            yield f"{name} is {said!r}"
    if not all(type(value) is str for value in alert.labels.values()):
        yield "a label is no text"
    if not all(link.startswith(("https://", "http://")) for link in alert.links.values()):
        yield "a link does not lead to a web page"


def _bound_problems(alert: Alert) -> Iterator[str]:
    for name, chars_max in (
        ("name", NAME_CHARS_MAX),
        ("summary", SUMMARY_CHARS_MAX),
        ("description", DESCRIPTION_CHARS_MAX),
        ("source_episode_id", ID_CHARS_MAX),
        ("delivery_id", ID_CHARS_MAX),
        ("ticket", ID_CHARS_MAX),
        ("reporter", ID_CHARS_MAX),
        ("severity_native", ID_CHARS_MAX),
        ("severity_default_reason", ID_CHARS_MAX),
    ):
        text = getattr(alert, name) or ""
        if len(text) > chars_max:
            yield f"{name} has {len(text)} characters"
        if _CONTROL.search(text):
            yield f"{name} holds control characters"
    if len(alert.labels) > LABELS_MAX or len(alert.links) > LINKS_MAX:
        yield f"{len(alert.labels)} labels, {len(alert.links)} links"
    for name, value in alert.labels.items():
        if len(name) > LABEL_NAME_CHARS_MAX or len(value) > LABEL_VALUE_CHARS_MAX or _CONTROL.search(name + value):
            yield "a label is too long or holds control characters"


# -- dead letters


def letter_problems(output: Output, mutant: Mutant) -> Iterator[str]:
    """What is wrong with a dead letter."""
    said = dict(output.headers[len(mutant.headers) :])
    reason, detail = said["spillway-reason"].decode(), said["spillway-detail"].decode()
    if reason not in _SAID_REASONS:
        yield f"refused with the undeclared reason {reason}"
    if _size(output) > DEAD_LETTER_RECORD_BYTES_MAX:
        yield f"a dead letter of {_size(output)} bytes does not fit its topic"
    if output.value != mutant.value and "spillway-bytes-in" not in said:
        yield "a dead letter without the bytes as they came"
    if output.headers[: len(mutant.headers)] != tuple(mutant.headers):
        yield "a dead letter without the headers as they came"
    if not detail or len(detail) > DETAIL_CHARS_MAX:
        yield f"a detail of {len(detail)} characters"
    yield from (f"the detail tells the payload's {word!r}" for word in leaks(detail, mutant))


def leaks(detail: str, mutant: Mutant) -> list[str]:
    """Words of a detail that are the payload's or its headers', and none of ours."""
    suspects = [word for word in _TOKEN.findall(detail) if word not in _OUR_WORDS]
    if not suspects:
        return []
    told = "\n".join([*_readable(mutant.value), *(_text(value or b"") for _, value in mutant.headers)])
    return [word for word in suspects if word in told]


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _readable(value: bytes) -> Iterator[str]:
    """Bytes as text, and where they are JSON its texts with their escapes resolved."""
    yield _text(value)
    try:
        waiting: list[Any] = [orjson.loads(value)]
    except orjson.JSONDecodeError:
        return
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str):
            yield each
