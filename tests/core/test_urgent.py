"""Which messages are urgent: what is critical and begins, whatever source says it, and whoever asks first."""

from __future__ import annotations

from typing import Final

import pytest

from pipeline.core.alerts.sources import sources_of
from pipeline.core.alerts.urgent import Urgent, may_be_urgent
from pipeline.feeds import ADAPTERS
from pipeline.flow import RAW_VALUE_BYTES_MAX
from pipeline.models.alert import Alert, Kind, Severity
from pipeline.models.policy import Feed
from tests.feeds.payloads import SAMPLE_OF, Sample

WITHOUT_A_WORD: Final = {"syslog-rfc5424-firing"}
"""Critical by a number alone."""


def read_by(sample: Sample) -> Urgent:
    feed = Feed(name=sample.adapter, adapter=sample.adapter, options=sample.options)
    return Urgent(sources_of(ADAPTERS, {sample.adapter: feed}))


def begins(sample: Sample) -> list[str]:
    """Alert keys of what is critical and begins in a sample."""
    return [
        each.alert_key
        for each in sample.read(sample.document())
        if isinstance(each, Alert) and each.severity == Severity.CRITICAL and each.kind in (Kind.FIRING, Kind.TICKET)
    ]


@pytest.mark.parametrize("sample", SAMPLE_OF.values(), ids=SAMPLE_OF)
def test_a_sample_is_urgent_where_something_critical_begins_in_it(sample: Sample) -> None:
    found = read_by(sample).keys(f"alerts.raw.{sample.adapter}", sample.file.read_bytes(), sample.headers)

    assert list(found) == begins(sample)


def test_all_that_is_urgent_has_a_word_of_it_but_what_says_it_by_a_number() -> None:
    urgent = {name: sample for name, sample in SAMPLE_OF.items() if begins(sample)}
    wordless = {name for name, sample in urgent.items() if not may_be_urgent(sample.file.read_bytes())}

    assert len(urgent) > 12
    assert wordless == WITHOUT_A_WORD


@pytest.mark.parametrize(
    ("topic", "value"),
    [
        ("alerts.raw.nobody", b"{}"),
        ("alerts.raw.alertmanager", None),
        ("alerts.raw.alertmanager", b""),
        ("alerts.raw.alertmanager", b"{"),
        ("alerts.raw.alertmanager", b"[]"),
        ("alerts.raw.alertmanager", b" " * (RAW_VALUE_BYTES_MAX + 1)),
    ],
    ids=["unknown feed", "no value", "empty", "broken", "another shape", "too large"],
)
def test_what_cannot_be_read_is_not_urgent(topic: str, value: bytes | None) -> None:
    urgent = Urgent(sources_of(ADAPTERS, {"alertmanager": Feed(name="alertmanager", adapter="alertmanager")}))

    assert urgent.keys(topic, value, ()) == ()
