"""``/v2/enqueue`` answers as PagerDuty does: to PagerDuty's own client library, and to what it would refuse."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pagerduty
import pytest

from pipeline.feeds import ADAPTERS, RawMessage
from pipeline.models.alert import Alert
from tests.gateway.house import House
from tests.gateway.tls import tls_before

SAMPLES = Path(__file__).parents[1] / "feeds" / "samples"
KEY, SECOND_KEY, OTHER_KEY = "R0UT1NGKEY0000000000000000000001", "R0UT1NGKEY0000000000000000000002", "R0UT1NGKEY" * 3
PAYLOAD = {"summary": "disk full", "source": "db-1", "severity": "error"}


def auth(*names: str) -> dict[str, Any]:
    return {"scheme": "pagerduty-routing-key", "secrets_env": list(names)}


@pytest.fixture(scope="module")
def house(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    feeds = {
        "pagerduty": {"gateway": {"auth": auth("FIRST", "SECOND")}},
        "other": {"adapter": "pagerduty", "gateway": {"auth": auth("OTHER"), "requests_per_second": 0.01, "burst": 1}},
    }
    secrets = {"FIRST": KEY, "SECOND": SECOND_KEY, "OTHER": OTHER_KEY}
    place = tmp_path_factory.mktemp("pagerduty")
    with House(kafka, f"pagerduty-{os.getpid()}.", place, feeds, secrets) as made:
        yield made


def event(**fields: Any) -> bytes:
    document = {"routing_key": KEY, "event_action": "trigger", "payload": PAYLOAD, **fields}
    return orjson.dumps({name: value for name, value in document.items() if value is not None})


def alert_of(value: bytes) -> Alert:
    (found,) = ADAPTERS["pagerduty"](orjson.loads(value), RawMessage("pagerduty", "saas"))
    assert isinstance(found, Alert)
    return found


@pytest.fixture(scope="module")
def front(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ssl.SSLContext]]:
    """The client insists on https, so there is a front that ends TLS, as in production."""
    with tls_before(house.port, tmp_path_factory.mktemp("front")) as made:
        yield made


def test_pagerduty_s_own_client_works_with_a_new_address_alone(house: House, front: tuple[str, ssl.SSLContext]) -> None:
    before = len(house.values("pagerduty", 0))
    client = pagerduty.EventsApiV2Client(KEY, base_url=front[0], verify=front[1])
    key = client.trigger("disk full", "db-1", severity="critical", custom_details={"mount": "/var"})
    client.acknowledge(key)
    client.resolve(key)
    records = house.records("pagerduty", before + 3)[-3:]
    alerts = [alert_of(record.value() or b"") for record in records]
    assert [alert.kind for alert in alerts] == ["firing", "acknowledged", "resolved"]
    assert len({alert.alert_key for alert in alerts}) == 1
    assert len({record.key() for record in records}) == len({record.partition() for record in records}) == 1
    assert orjson.loads(records[0].value() or b"")["dedup_key"] == key


def test_the_client_sees_what_is_wrong(front: tuple[str, ssl.SSLContext]) -> None:
    client = pagerduty.EventsApiV2Client("x" * 32, base_url=front[0], verify=front[1])
    with pytest.raises(pagerduty.Error) as failed:
        client.trigger("disk full", "db-1")
    assert "routing_key" in str(failed.value.response.text)  # type: ignore[union-attr]
    with pytest.raises(pagerduty.Error):
        client.submit("deployed", "ci", timestamp="2026-03-04T02:11:42Z")


@pytest.mark.parametrize("name", ["firing", "ack", "resolved"])
def test_an_event_with_its_key_goes_on_byte_for_byte(house: House, name: str) -> None:
    body = (SAMPLES / f"pagerduty-events-{name}.json").read_bytes()
    given = orjson.loads(body)
    body = body.replace(given["routing_key"].encode(), SECOND_KEY.encode())
    before = len(house.values("pagerduty", 0))
    answer = house.send("/v2/enqueue", body)
    assert answer.status == 202
    assert answer.json == {"status": "success", "message": "Event processed", "dedup_key": given["dedup_key"]}
    assert house.values("pagerduty", before + 1)[-1] == body


@pytest.mark.parametrize("given", [None, "", 0], ids=["absent", "blank", "null"])
def test_a_trigger_without_a_key_gets_one_that_stands_in_the_record(house: House, given: Any) -> None:
    body = event(dedup_key=given) if given != 0 else event()[:-1] + b', "dedup_key": null , "n": 1.50 }\n'
    before = len(house.values("pagerduty", 0))
    answer = house.send("/v2/enqueue", body)
    record = house.values("pagerduty", before + 1)[-1]
    made = answer.json["dedup_key"]
    assert len(made) == 32
    assert orjson.loads(record) == {**orjson.loads(body), "dedup_key": made}
    assert record.startswith(body.rstrip()[:-1])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "'routing_key' is missing"),
        (event(routing_key=7), "'routing_key' is missing"),
        (event(routing_key="x" * 32), "'routing_key' is not one"),
        (event(routing_key=None), "'routing_key' is missing"),
        (event(event_action=None), "'event_action' is missing"),
        (event(event_action="open"), "'event_action' is missing or not one of trigger, acknowledge, resolve"),
        (event(event_action=["trigger"]), "'event_action'"),
        (event(event_action="resolve"), "'dedup_key' is missing"),
        (event(event_action="acknowledge", dedup_key=""), "'dedup_key' is missing"),
        (event(dedup_key=7), "'dedup_key' is not a string"),
        (event(dedup_key="x" * 256), "longer than 255"),
        (event(payload=None), "'payload' is missing"),
        (event(payload="disk full"), "'payload' is missing or not an object"),
        (event(payload={**PAYLOAD, "summary": ""}), "'payload.summary'"),
        (event(payload={**PAYLOAD, "source": None}), "'payload.source'"),
        (event(payload={**PAYLOAD, "severity": "bad"}), "'payload.severity' is not one of critical"),
        (event(payload={**PAYLOAD, "severity": ["error"]}), "'payload.severity' is missing"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_pagerduty_would_refuse_is_refused_in_its_shape(house: House, body: bytes, words: str) -> None:
    answer = house.send("/v2/enqueue", body)
    assert answer.status == 400
    assert answer.json["status"] == "invalid event"
    assert answer.json["message"] == "Event object is invalid"
    assert any(words in error for error in answer.json["errors"])


def test_all_that_is_wrong_is_told_at_once(house: House) -> None:
    answer = house.send("/v2/enqueue", event(dedup_key=7, payload={}))
    assert len(answer.json["errors"]) == 4


def test_an_event_over_pagerduty_s_limit_is_refused(house: House) -> None:
    answer = house.send("/v2/enqueue", event(client="x" * (512 << 10)))
    assert answer.status == 413
    assert answer.json["errors"]


def test_each_routing_key_has_its_feed_and_its_rate(house: House) -> None:
    assert house.send("/v2/enqueue", event(routing_key=OTHER_KEY)).status == 202
    assert orjson.loads(house.values("other")[-1])["routing_key"] == OTHER_KEY
    answer = house.send("/v2/enqueue", event(routing_key=OTHER_KEY))
    assert (answer.status, answer.json["status"]) == (429, "throttle exceeded")
    assert int(answer.headers["Retry-After"]) > 1
    assert house.send("/v2/enqueue", event()).status == 202


def test_change_events_are_refused_with_a_sentence(house: House) -> None:
    answer = house.send("/v2/change/enqueue", event())
    assert answer.status == 404
    assert "change events are not taken" in answer.json["error"]
