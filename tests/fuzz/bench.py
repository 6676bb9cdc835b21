"""The bench: mutants through the real ingest stage and on through the pipeline, and what must hold of each of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

import pipeline.feeds
from pipeline.core.ingest import (
    DESCRIPTION_CHARS_MAX,
    ID_CHARS_MAX,
    LABEL_NAME_CHARS_MAX,
    LABEL_VALUE_CHARS_MAX,
    LABELS_MAX,
    LINKS_MAX,
    NAME_CHARS_MAX,
    SUMMARY_CHARS_MAX,
    IngestProcessor,
)
from pipeline.core.step import Effects, Output, StreamRecord
from pipeline.feeds import ADAPTERS
from pipeline.flow import DEAD_LETTER_RECORD_BYTES_MAX, DEAD_LETTER_TOPIC, MEBIBYTE, RAW_TOPIC_PREFIX
from pipeline.models.alert import Alert, FeedClass, Kind, Severity, alert_from_wire
from pipeline.models.decision import Reason
from pipeline.models.policy import Config
from pipeline.recording import TIMESTAMP_MS_MAX
from pipeline.replay import Replay
from tests.fuzz.mutants import DONORS, FEEDS, Mutant
from tests.fuzz.trees import places

NOW_MS: Final = 1_772_594_000_000  # 2026-03-04T03:13:20Z: an hour into the outage of the samples
PACE_MS: Final = 7_000
PIPELINE_RECORDS: Final = 500
"""Messages that meet in one pipeline: what has come before decides about what comes; thousands would be slow."""

RUN_ON_SECONDS: Final = 5 * 24 * 3_600
RECORD_OVERHEAD_BYTES: Final = 512
"""Of a record of ours beside key, value and headers; generous."""

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


@dataclass(slots=True)
class Tally:
    """Counts of a run.

    Attributes:
        records: by adapter.
        alerts: by adapter.
        refused: dead letters by adapter and reason.
    """

    records: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)


class Bench:
    """One ingest stage with all adapters, and behind it a pipeline that takes what it makes."""

    def __init__(self) -> None:
        self._config = Config(feeds=FEEDS)
        self._pipeline = Replay(self._config)
        self._now_ms = NOW_MS
        self.ingest = IngestProcessor(self._config, ADAPTERS, FEEDS)
        self.tally = Tally()

    def problems(self, mutant: Mutant) -> list[str]:
        """Send a mutant through; what is wrong with what came of it.

        Raises:
            Exception: whatever an adapter raises beside its declared error: the defect that is looked for.
        """
        topic = RAW_TOPIC_PREFIX + mutant.feed.name
        record = StreamRecord(topic, 0, mutant.number, NOW_MS, None, mutant.value, mutant.headers)
        effects, again = Effects(), Effects()
        self.ingest.handle_one(record, effects)
        self.ingest.handle_one(record, again)
        self._count(mutant.feed.adapter, effects)
        found = [] if effects.outputs else ["nothing came of it: neither an alert nor a dead letter"]
        if again.outputs != effects.outputs:
            found.append("the same record a second time came to something else")
        if remainder := self.ingest.ledger.remainder():
            found.append(f"the ledger's remainder is {remainder}")
        for output in effects.outputs:
            found += _letter_problems(output, mutant) if output.topic == DEAD_LETTER_TOPIC else _alert_problems(output)
        return found + self._later_problems(record)

    def _later_problems(self, record: StreamRecord) -> list[str]:
        """Let the stages after ingest decide; on and off, time runs until nothing is due any more."""
        last = record.offset % PIPELINE_RECORDS == PIPELINE_RECORDS - 1
        self._now_ms += PACE_MS
        self._pipeline.run([record._replace(timestamp=self._now_ms)], run_on_seconds=RUN_ON_SECONDS if last else 0)
        remainder = self._pipeline.remainder()
        if last or remainder:
            self._pipeline = Replay(self._config)
        return [f"the pipeline's remainder is {remainder}"] if remainder else []

    def _count(self, adapter: str, effects: Effects) -> None:
        self.tally.records[adapter] += 1
        for output in effects.outputs:
            if output.topic == DEAD_LETTER_TOPIC:
                self.tally.refused[adapter, dict(output.headers)["spillway-reason"].decode()] += 1
            else:
                self.tally.alerts[adapter] += 1


def _size(output: Output) -> int:
    headers = sum(len(name) + len(value or b"") + 8 for name, value in output.headers)
    return len(output.key or b"") + len(output.value or b"") + headers + RECORD_OVERHEAD_BYTES


# -- alerts


def _alert_problems(output: Output) -> Iterator[str]:
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
        if at_ms is not None and (type(at_ms) is not int or not 0 <= at_ms <= TIMESTAMP_MS_MAX):
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


def _letter_problems(output: Output, mutant: Mutant) -> Iterator[str]:
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
