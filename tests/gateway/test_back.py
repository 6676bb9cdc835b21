"""What sinks send back: verified, read, on ``sink.updates`` where its incident is, and answered only then."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from aiohttp.test_utils import make_mocked_request

from pipeline.core.identity import partition_of, short_id
from pipeline.gateway.back import ANSWER_SECONDS_MAX, BODY_BYTES_MAX, REQUESTS_BURST, OpenSink, SinkDoor
from pipeline.gateway.guards import GatewayError
from pipeline.gateway.headers import KafkaHeaders
from pipeline.gateway.limits import TokenBucket
from pipeline.gateway.process import Gateway
from pipeline.gateway.refusal import Reason, Refusal
from pipeline.gateway.tokens import Open
from pipeline.models.policy import Config
from pipeline.models.remote import Fields, RemoteState, SinkUpdate, UpdateKind
from pipeline.models.sinks.chat import Slack
from pipeline.models.sinks.servicenow import ServiceNow
from pipeline.settings import Settings
from pipeline.sinks.updates import Reader
from tests.gateway.house import HOST, House

TOKEN: Final = "a-token-of-the-test"
BEARER: Final = {"Authorization": f"Bearer {TOKEN}"}
INCIDENTS: Final = [short_id("INC", str(number)) for number in range(8)]

BY_TOKEN: Final = {"scheme": "bearer", "secrets_env": ["TOKEN"]}
DESK: Final = {"type": "servicenow", "url": "https://desk.example", "user": "spillway", "secret_env": "DESK"}
SINKS: Final[dict[str, Any]] = {
    "desk": {**DESK, "updates": BY_TOKEN},
    "signed": {**DESK, "updates": {"scheme": "pagerduty-v3", "secrets_env": ["TOKEN"]}},
    "silent": DESK,
    "chat": {"type": "slack", "channel": "C1", "secret_env": "CHAT", "updates": BY_TOKEN},
}


def read(body: bytes, headers: Mapping[str, str], rules: Any, now: datetime) -> list[SinkUpdate]:
    """A reader as a sink's builder writes one: a list of incidents that were resolved there."""
    assert "authorization" not in headers
    document = orjson.loads(body)
    if not isinstance(document, dict):
        raise ValueError("$: expected an object")  # noqa: TRY004  # what a reader may raise
    if defect := document.get("defect"):
        raise {"key": KeyError, "type": TypeError, "deep": RecursionError}[defect](TOKEN)
    return [
        SinkUpdate(
            update_id=f"{document['id']}/{each}",
            sink=rules.name,
            incident_id=each,
            at=now,
            author="mia",
            fields=Fields(state=RemoteState.RESOLVED),
        )
        for each in document["incidents"]
    ]


READERS: Final[dict[str, Reader]] = {"servicenow": read, "slack": read}


def message(*incidents: str, **more: Any) -> bytes:
    return orjson.dumps({"id": "delivery-1", "incidents": incidents, **more})


@pytest.fixture(scope="module")
def house(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    place: Path = tmp_path_factory.mktemp("back")
    secrets = {"TOKEN": TOKEN}
    with House(kafka, f"back-{os.getpid()}.", place, {}, secrets, sinks=SINKS, readers=READERS) as made:
        yield made


def count(house: House) -> int:
    return len(house.updates(0))


# -- what is taken


def test_what_is_accepted_is_in_the_topic_beside_its_incident(house: House) -> None:
    before = count(house)
    answer = house.send("/v1/sinks/desk", message(*INCIDENTS), BEARER)

    assert answer.status == 202
    request_id = answer.headers["X-Request-Id"]
    assert answer.json == {"status": "accepted", "sink": "desk", "updates": 8, "request_id": request_id}
    records = house.updates(before + 8)[before:]
    assert {(each.key() or b"").decode() for each in records} == set(INCIDENTS)
    for each in records:
        assert each.partition() == partition_of(each.key() or b"", 4)
        update = SinkUpdate.model_validate_json(each.value() or b"")
        assert (update.sink, update.kind, update.fields.state) == ("desk", UpdateKind.CHANGED, RemoteState.RESOLVED)
        assert (each.key() or b"").decode() == update.incident_id


def test_what_is_about_nothing_of_ours_is_answered_with_200_and_writes_nothing(house: House) -> None:
    before = count(house)
    answer = house.send("/v1/sinks/desk", message(), BEARER)

    assert (answer.status, answer.json["status"], answer.json["updates"]) == (200, "about nothing of ours", 0)
    assert count(house) == before


def test_slack_gets_200_without_words_which_it_would_show(house: House) -> None:
    before = count(house)
    answer = house.send("/v1/sinks/chat", message(INCIDENTS[0]), BEARER)

    assert (answer.status, answer.body) == (200, b"")
    assert count(house) == before + 1


def test_a_signature_over_the_body_is_checked_by_the_schemes_of_feeds(house: House) -> None:
    body = message(INCIDENTS[1])
    signature = "v1=" + hmac.new(TOKEN.encode(), body, hashlib.sha256).hexdigest()
    assert house.send("/v1/sinks/signed", body, {"X-PagerDuty-Signature": signature}).status == 202
    assert house.send("/v1/sinks/signed", body + b" ", {"X-PagerDuty-Signature": signature}).status == 401


# -- what is not


@pytest.mark.parametrize(
    ("path", "headers", "method", "status"),
    [
        ("/v1/sinks/desk", {}, "POST", 401),
        ("/v1/sinks/desk", {"Authorization": "Bearer another"}, "POST", 401),
        ("/v1/sinks/signed", BEARER, "POST", 401),
        ("/v1/sinks/silent", BEARER, "POST", 404),
        ("/v1/sinks/none", BEARER, "POST", 404),
        ("/v1/sinks/", BEARER, "POST", 404),
        ("/v1/sinks/desk/more", BEARER, "POST", 404),
        ("/v1/sinks/..%2Ffeeds%2Fdesk", BEARER, "POST", 404),
        ("/v1/sinks/desk", BEARER, "GET", 405),
        ("/v1/sinks/desk", BEARER, "PUT", 405),
        ("/v1/sinks/desk", {**BEARER, "Content-Type": "multipart/form-data; boundary=x"}, "POST", 415),
        ("/v1/sinks/desk", {**BEARER, "Content-Encoding": "br"}, "POST", 415),
        ("/v1/sinks/desk", {**BEARER, "Content-Encoding": "gzip"}, "POST", 400),
    ],
)
def test_who_may_not_send_or_sends_wrongly_is_refused_and_nothing_is_written(
    house: House, path: str, headers: dict[str, str], method: str, status: int
) -> None:
    before = count(house)
    body = None if method == "GET" else message(INCIDENTS[0])
    assert house.send(path, body, headers, method).status == status
    assert count(house) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\xff\xfe",
        b"null",
        b"[" * 100_000,
        b'{"id": "1", "incidents": ["\\ud800"]}',
        message("I" * 1_000),
        orjson.dumps({"id": "1", "incidents": [INCIDENTS[0]] * 201}),
    ],
    ids=lambda body: body[:20],
)
def test_a_hostile_body_is_refused_with_a_sentence_that_repeats_none_of_it(house: House, body: bytes) -> None:
    before = count(house)
    answer = house.send("/v1/sinks/desk", body, BEARER)

    assert answer.status == 400
    assert b"IIIII" not in answer.body
    assert count(house) == before
    assert house.send("/v1/sinks/desk", message(), BEARER).status == 200


@pytest.mark.parametrize("defect", ["key", "type", "deep"])
def test_a_reader_with_a_defect_costs_its_sender_an_answer_and_nobody_else(house: House, defect: str) -> None:
    answer = house.send("/v1/sinks/desk", message(defect=defect), BEARER)

    assert answer.status == 500
    assert TOKEN.encode() not in answer.body
    assert house.send("/v1/sinks/desk", message(INCIDENTS[2]), BEARER).status == 202
    assert 'spillway_gateway_refused_total{feed="sinks/desk",reason="defect"}' in house.page("/metrics").body.decode()


def test_a_body_may_not_be_larger_than_a_feeds(house: House) -> None:
    answer = house.send("/v1/sinks/desk", b" " * (BODY_BYTES_MAX + 1), BEARER)
    assert answer.status == 413


def test_without_a_broker_nothing_is_accepted(tmp_path: Path) -> None:
    place: Any = {"sinks": SINKS, "readers": READERS, "topics": False}
    with House(f"{HOST}:1", "", tmp_path, {}, {"TOKEN": TOKEN}, **place) as house:
        answer = house.send("/v1/sinks/desk", message(INCIDENTS[0]), BEARER)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert house.send("/v1/sinks/desk", message(), BEARER).status == 200


# -- what a process needs


def test_a_sink_from_which_nothing_comes_back_is_told_at_the_start() -> None:
    rules = ServiceNow.model_validate({"name": "desk", **SINKS["desk"]})

    async def start() -> None:
        Gateway(Settings(), Config(sinks={"desk": rules}), lambda _: TOKEN, readers={})

    with pytest.raises(GatewayError, match="sink desk: nothing comes back from type servicenow"):
        asyncio.run(start())


class Stuck:
    """Brokers that do not answer."""

    def __init__(self) -> None:
        self.asked = 0

    async def send(self, topic: str, key: bytes | None, value: bytes, headers: KafkaHeaders) -> None:
        self.asked += 1
        await asyncio.Event().wait()


def test_who_waits_for_three_seconds_is_told_before_they_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ANSWER_SECONDS_MAX["slack"] < 3
    monkeypatch.setitem(ANSWER_SECONDS_MAX, "slack", 0.01)
    rules, stuck = Slack(name="chat", channel="C1", secret_env="CHAT"), Stuck()
    sink = OpenSink(
        name="chat", type="slack", rules=rules, guard=Open(), reader=read, rate=TokenBucket(1, REQUESTS_BURST)
    )
    door = SinkDoor({"chat": sink}, "sink.updates", stuck)

    async def take() -> None:
        await door.take(sink, make_mocked_request("POST", "/v1/sinks/chat"), message(INCIDENTS[0]), "request")

    with pytest.raises(Refusal) as refused:
        asyncio.run(take())
    assert (refused.value.status, refused.value.reason) == (HTTPStatus.SERVICE_UNAVAILABLE, Reason.KAFKA)
    assert stuck.asked == 1


def test_more_than_a_sinks_rate_is_told_when_to_come_again() -> None:
    rules = ServiceNow.model_validate({"name": "desk", **SINKS["desk"]})
    now = [0.0]
    rate = TokenBucket(0.5, 1, lambda: now[0])
    sink = OpenSink(name="desk", type="servicenow", rules=rules, guard=Open(), reader=read, rate=rate)
    sink.take_token()
    with pytest.raises(Refusal) as refused:
        sink.take_token()
    assert (refused.value.status, refused.value.retry_after_seconds) == (HTTPStatus.TOO_MANY_REQUESTS, 2)


def test_the_time_of_an_update_is_aware() -> None:
    [update] = read(message(INCIDENTS[0]), {}, Slack(name="chat", channel="C1", secret_env="CHAT"), datetime.now(UTC))
    assert update.at.tzinfo is not None
