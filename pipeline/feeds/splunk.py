"""Splunk webhook alert action: one saved search that found something, with the first row of what it found.

Splunk never says that it is over, so silence does. Every value of a row is text; a field with several values is an
array. What tells conditions of one search apart is known to whoever wrote it: the feed's options name the fields.
"""

from __future__ import annotations

import re
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, first_line, put_link, scalar_text
from pipeline.feeds.severity import LABEL_WORDS, grade
from pipeline.feeds.times import epoch_ms, iso_ms
from pipeline.models.alert import Alert, FeedClass, Kind, Severity
from pipeline.models.decision import BadRecord, Reason
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

# Searches that alert run every few minutes; one that finds nothing for an hour has nothing to find.
TTL_SECONDS: Final = 60 * 60

# ``scheduler__owner_app__RMD5..._at_1772591040_4411``: when the search was due.
_SCHEDULED: Final = re.compile(r"_at_(\d{9,11})_", re.ASCII)
_SUMMARY_FIELDS: Final = ("summary", "message", "title", "description")
_TIME: Final = "_time"
_RAW: Final = "_raw"
_HIDDEN_PREFIX: Final = "_"
_SECONDS: Final = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)


class Options(BaseModel):
    """What a feed may set.

    Attributes:
        identity: fields of a row that tell conditions of one search apart, such as ``host``; none: one a search.
        severity_field: field of a row that holds the severity.
        severity_words: its values that we do not know, or know otherwise, in lower case; numbers as text.
        ttl_seconds: silence after which it is over; three times the longest interval of your searches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    identity: tuple[str, ...] = ()
    severity_field: str = "severity"
    severity_words: dict[str, Severity] = Field(default_factory=dict)
    ttl_seconds: int = Field(default=TTL_SECONDS, gt=0)


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one alert."""
    options: Options = message.options
    top = Fields.of(document)
    search, app = top.text("search_name"), top.text_or_none("app") or ""
    row = top.section_or_empty("result")
    texts = _texts(row)
    words = {**LABEL_WORDS, **options.severity_words}
    graded = grade(texts.get(options.severity_field), words, f"result.{options.severity_field}")
    sid = top.text_or_none("sid")
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=Kind.FIRING,
        alert_key=content_hash(message.feed, app, search, *_identity(texts, options.identity)),
        delivery_id=sid,
        name=search,
        summary=_summary(texts) or search,
        description=texts.get(_RAW, ""),
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=_time_ms(row) if row.has(_TIME) else _scheduled_ms(sid),
        labels=_labels(texts, app, top.text_or_none("owner")),
        ttl_seconds=options.ttl_seconds,
    )
    put_link(alert.links, "search results", top.text_or_none("results_link"))
    return [alert]


def _texts(row: Fields) -> dict[str, str]:
    """Fields of the row as text; of one with several values all of them."""
    texts = row.scalars()
    for name, value in row.values.items():
        if isinstance(value, list) and (several := [text for each in value if (text := scalar_text(each))]):
            texts[name] = ", ".join(several)
    return texts


def _identity(texts: dict[str, str], names: tuple[str, ...]) -> tuple[str, ...]:
    """Names and values, so that a field that is absent is another condition than one that is there."""
    return tuple(part for name in names if name in texts for part in (name, texts[name]))


def _summary(texts: dict[str, str]) -> str:
    return next((line for name in _SUMMARY_FIELDS if (line := first_line(texts.get(name, "")))), "")


def _labels(texts: dict[str, str], app: str, owner: str | None) -> dict[str, str]:
    """The row's own fields. Splunk's app is where a search is kept: as ``app`` it would look like a service."""
    labels = {name: text for name, text in texts.items() if not name.startswith(_HIDDEN_PREFIX)}
    if app:
        labels["splunk_app"] = app
    if owner:
        labels["splunk_owner"] = owner
    return labels


def _time_ms(row: Fields) -> int | None:
    """The row's time: seconds since 1970, as a number or text, with or without a fraction; or ISO 8601."""
    value = row.values[_TIME]
    try:
        if isinstance(value, str) and _SECONDS.fullmatch(value) is None:
            return iso_ms(value)
        if isinstance(value, bool):
            return epoch_ms(value, per_second=1)  # refuses it
        seconds = float(value) if isinstance(value, str) else value
        return epoch_ms(round(seconds * 1_000), per_second=1_000)
    except (ValueError, TypeError, OverflowError) as error:
        expected = "expected seconds since 1970, or ISO 8601 with a zone"
        raise BadRecord(Reason.WRONG_TYPE, f"{row.at(_TIME)}: {expected}") from error


def _scheduled_ms(sid: str | None) -> int | None:
    """When the search was due, by its id, where the row has no time: a table of counts has none."""
    found = _SCHEDULED.search(sid or "")
    return epoch_ms(found.group(1), per_second=1) if found else None
