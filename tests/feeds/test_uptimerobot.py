"""UptimeRobot: one notification in three spellings, and variables that nobody filled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from pipeline.feeds import ADAPTERS
from pipeline.models.decision import BadRecord, Reason
from tests.feeds.payloads import document, only


def decoded(value: bytes) -> object:
    decode = ADAPTERS["uptimerobot"].decode
    assert decode is not None
    return decode(value)


SPELLINGS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "json": orjson.dumps,
    "form": lambda fields: urlencode(fields).encode(),
    "query": lambda fields: b"?" + urlencode(fields).encode(),
    "json with a newline": lambda fields: b"\n" + orjson.dumps(fields) + b"\n",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("word", ["firing", "resolved", "ssl"])
def test_a_notification_is_the_same_in_every_spelling(spelling: str, word: str) -> None:
    fields: dict[str, Any] = document(f"uptimerobot-{word}")
    fields["monitorFriendlyName"] = "Tracking & tracing, Köln 100 %"

    assert only("uptimerobot", decoded(SPELLINGS[spelling](fields))) == only("uptimerobot", fields)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"  ", Reason.EMPTY),
        (b"{", Reason.BROKEN_JSON),
        (b"hello", Reason.UNKNOWN_SHAPE),
        (b"monitorID=%ff", Reason.UNKNOWN_SHAPE),
        (b"\xff=1", Reason.UNKNOWN_SHAPE),
        (b"&".join(b"a%d=1" % number for number in range(1_000)), Reason.UNKNOWN_SHAPE),
    ],
)
def test_what_is_no_notification_is_refused(value: bytes, reason: Reason) -> None:
    with pytest.raises(BadRecord) as caught:
        decoded(value)

    assert caught.value.reason == reason
    assert caught.value.detail.startswith("$")


def test_a_variable_that_stayed_as_it_was_written_is_absent() -> None:
    payload = {
        **document("uptimerobot-firing"),
        "sslExpiryDate": "*sslExpiryDate*", "alertDateTime": "*alertDateTime*", "monitorURL": "*monitorURL*",
    }  # fmt: skip
    alert = only("uptimerobot", payload)

    assert (alert.event_at_ms, alert.links) == (None, {})
    assert alert.labels == {"monitor": "Public tracking page"}


@pytest.mark.parametrize("name", ["monitorID", "monitorFriendlyName", "alertType"])
def test_what_tells_nothing_without_its_variable_is_refused(name: str) -> None:
    with pytest.raises(BadRecord) as caught:
        only("uptimerobot", {**document("uptimerobot-firing"), name: f"*{name}*"})

    assert caught.value.reason == Reason.MISSING_FIELD
    assert caught.value.detail.startswith(f"$.{name}: ")


def test_an_expiry_of_a_domain_is_a_condition_of_its_own() -> None:
    fields = document("uptimerobot-ssl")
    keys = {only("uptimerobot", {**fields, "alertType": type_id}).alert_key for type_id in ("1", "3", "4")}

    assert len(keys) == 3
