"""What is let in and what is not, over real HTTP, and what is then in the topic."""

from __future__ import annotations

import gzip
import os
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from pipeline.gateway.headers import kafka_headers
from pipeline.gateway.limits import Limits
from tests.gateway.house import BODY, HOST, SECONDS_MAX, House, headers_of
from tests.support import wait_until

TOKEN = "a-token-of-the-test"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
OPEN = {"scheme": "none"}
LIMIT = 4_096

FEEDS = {
    "open": {"adapter": "cloudwatch", "gateway": {"auth": OPEN, "body_bytes_max": LIMIT}},
    "plain": {"adapter": "cloudwatch", "gateway": {"auth": OPEN, "content_types": ["application/json"]}},
    "guarded": {"adapter": "cloudwatch", "gateway": {"auth": {"scheme": "bearer", "secrets_env": ["TOKEN"]}}},
    "address": {
        "adapter": "uptimerobot",
        "gateway": {"get": True, "auth": {"scheme": "query", "parameter": "key", "secrets_env": ["TOKEN"]}},
    },
    "slow": {
        "adapter": "cloudwatch",
        "gateway": {"auth": OPEN, "requests_per_second": 0.1, "burst": 2},
    },
    "large": {"adapter": "cloudwatch", "gateway": {"auth": OPEN, "body_bytes_max": 16 << 20}},
    "closed": {"adapter": "cloudwatch"},
    "events": {
        "adapter": "pagerduty",
        "gateway": {"auth": {"scheme": "pagerduty-routing-key", "secrets_env": ["TOKEN"]}},
    },
}


@pytest.fixture(scope="module")
def house(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    limits = Limits(idle_seconds=1.0, body_seconds=1.0)
    place: Path = tmp_path_factory.mktemp("door")
    with House(kafka, f"door-{os.getpid()}.", place, FEEDS, {"TOKEN": TOKEN}, limits=limits) as made:
        yield made


@pytest.mark.parametrize(
    "body", [BODY, b"\x00\xff\xfe not text", b"[1,  2]", b'{"open": ', b" ", b"x" * LIMIT], ids=repr
)
def test_a_body_is_the_record_byte_for_byte(house: House, body: bytes) -> None:
    before = len(house.values("open", 0))
    answer = house.feed("open", body)
    assert answer.status == 202
    assert answer.json == {"status": "accepted", "feed": "open", "request_id": answer.headers["X-Request-Id"]}
    assert house.values("open", before + 1)[-1] == body


def test_delivery_ids_and_the_media_type_become_headers_and_secrets_do_not(house: House) -> None:
    kept = {
        "Content-Type": "application/json; charset=utf-8",
        "X-Atlassian-Webhook-Identifier": "a1",
        "X-Xurrent-Delivery": "x1",
        "traceparent": "00-1",
    }
    assert house.send("/v1/feeds/guarded", BODY, {**kept, **BEARER, "Cookie": "c=1", "X-Other": "no"}).status == 202
    assert headers_of(house.records("guarded")[-1]) == {name.lower(): value.encode() for name, value in kept.items()}


def test_the_header_that_proves_the_sender_stays_out_whatever_list_it_is_on() -> None:
    given = CIMultiDictProxy(
        CIMultiDict({"X-Secret": "s", "Webhook-Id": "s", "ce-token": "s", "ce-specversion": "1.0"})
    )
    for secret in ("X-Secret", "webhook-id", "CE-Token"):
        assert secret.lower().replace("ce-", "ce_") not in dict(kafka_headers(given, ("X-Secret",), secret))
    assert dict(kafka_headers(given, ("X-Secret",))).keys() == {"x-secret", "webhook-id", "ce_token", "ce_specversion"}


def test_bytes_of_a_cloudevent_that_are_no_utf_8_pass_as_they_came() -> None:
    given = CIMultiDictProxy(CIMultiDict({"ce-specversion": "1.0", "ce-subject": "caf\udce9", "ce-" + "x" * 999: "y"}))
    assert kafka_headers(given) == [("ce_specversion", b"1.0"), ("ce_subject", b"caf\xe9")]


@pytest.mark.parametrize(
    ("path", "method", "headers", "status"),
    [
        ("/", "POST", {}, 404),
        ("/v1/feeds/", "POST", {}, 404),
        ("/v1/feeds/nobody", "POST", {}, 404),
        ("/v1/feeds/closed", "POST", {}, 404),
        ("/v1/feeds/events", "POST", {}, 404),
        ("/v1/feeds/open/more", "POST", {}, 404),
        ("/v1/feeds/..%2fopen", "POST", {}, 404),
        ("/v1/feeds/open", "GET", {}, 405),
        ("/v1/feeds/open", "PUT", {}, 405),
        ("/v2/enqueue", "GET", {}, 405),
        ("/v1/feeds/guarded", "POST", {}, 401),
        ("/v1/feeds/guarded", "POST", {"Authorization": "Bearer nonsense"}, 401),
        ("/v1/feeds/guarded", "POST", {"Authorization": f"Basic {TOKEN}"}, 401),
        ("/v1/feeds/guarded", "POST", {"Authorization": TOKEN}, 401),
        ("/v1/feeds/address?key=wrong", "GET", {}, 401),
        (f"/v1/feeds/address?key={TOKEN}&key={TOKEN}", "GET", {}, 401),
        ("/v1/feeds/plain", "POST", {"Content-Type": "text/plain"}, 415),
        ("/v1/feeds/open", "POST", {"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ("/v1/feeds/open", "POST", {"Content-Type": "application/cloudevents-batch+json"}, 415),
        ("/v1/feeds/open", "POST", {"Content-Encoding": "br"}, 415),
        ("/v1/feeds/open", "POST", {"Content-Encoding": "gzip"}, 400),
    ],
)
def test_what_is_not_taken_is_told_in_a_sentence(
    house: House, path: str, method: str, headers: dict[str, str], status: int
) -> None:
    answer = house.send(path, BODY if method != "GET" else None, headers, method)
    assert answer.status == status
    assert answer.headers["X-Request-Id"]
    if not path.startswith("/v2"):
        assert len(answer.json["error"]) > 20


def test_all_failures_of_authentication_read_the_same(house: House) -> None:
    said = {house.feed("guarded", BODY, **each).json["error"] for each in ({}, {"Authorization": "Bearer x"})}
    assert len(said) == 1


def test_an_empty_body_is_refused(house: House) -> None:
    assert house.feed("open", b"").status == 400


def test_a_query_is_the_message_of_a_feed_that_allows_it_without_the_secret(house: House) -> None:
    assert (
        house.send(f"/v1/feeds/address?monitorID=7&key={TOKEN}&alertType=1&x=%C3%A4", None, method="GET").status == 202
    )
    record = house.records("address")[-1]
    assert record.value() == b"monitorID=7&alertType=1&x=%C3%A4"
    assert headers_of(record)["content-type"] == b"application/x-www-form-urlencoded"
    assert house.send(f"/v1/feeds/address?key={TOKEN}", None, method="GET").status == 400


def test_a_sane_request_id_is_kept_and_another_is_replaced(house: House) -> None:
    assert house.feed("open", BODY, X_Request_Id="deploy-2026.11:42").headers["X-Request-Id"] == "deploy-2026.11:42"
    for bad in ("short", "x" * 200, "with space in it", 'quo"te-quote-quote'):
        made = house.feed("open", BODY, X_Request_Id=bad).headers["X-Request-Id"]
        assert made != bad
        assert len(made) == 32


def test_a_body_over_the_limit_is_refused_before_it_is_read(house: House) -> None:
    with socket.create_connection((HOST, house.port), SECONDS_MAX) as line:
        line.sendall(f"POST /v1/feeds/open HTTP/1.1\r\nHost: x\r\nContent-Length: {10 << 30}\r\n\r\n".encode())
        assert line.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_grows_over_the_limit_is_refused_there(house: House) -> None:
    with socket.create_connection((HOST, house.port), SECONDS_MAX) as line:
        line.sendall(b"POST /v1/feeds/open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        line.sendall(b"1001\r\n" + b"x" * 0x1001 + b"\r\n")  # and no end
        assert line.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_large_body_is_taken_where_the_feed_allows_it(house: House) -> None:
    body = os.urandom(1 << 20) * 15
    assert house.send("/v1/feeds/large", body, {"Expect": "100-continue"}).status == 202
    assert house.values("large")[-1] == body


def test_a_gzip_body_is_inflated_into_the_record(house: House) -> None:
    before = len(house.values("open", 0))
    assert house.feed("open", gzip.compress(BODY), Content_Encoding="gzip").status == 202
    assert house.values("open", before + 1)[-1] == BODY


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(b"0" * (256 << 20)), 413),
        (gzip.compress(b"0" * (LIMIT + 1)), 413),
        (gzip.compress(b"0" * LIMIT), 202),
        (gzip.compress(BODY)[:-4], 400),
        (gzip.compress(BODY) + b"more", 400),
        (gzip.compress(BODY) * 2, 400),
        (zlib.compress(BODY), 400),
    ],
    ids=["bomb", "one byte too many", "just fits", "cut", "more behind", "two streams", "zlib"],
)
def test_inflating_has_a_limit_and_broken_streams_are_refused(house: House, body: bytes, status: int) -> None:
    assert (
        house.feed("large" if status == 413 and len(body) > LIMIT else "open", body, Content_Encoding="gzip").status
        == status
    )


def test_a_feed_has_its_rate_and_says_when_to_come_back(house: House) -> None:
    answers = [house.feed("slow") for _ in range(3)]
    assert [answer.status for answer in answers] == [202, 202, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 10
    assert house.feed("open").status == 202


def test_a_slow_head_is_cut_off(house: House) -> None:
    with socket.create_connection((HOST, house.port), SECONDS_MAX) as line:
        line.sendall(b"POST /v1/feeds/open HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        assert line.recv(100) == b""


def test_a_slow_body_is_told_and_cut_off(house: House) -> None:
    with socket.create_connection((HOST, house.port), SECONDS_MAX) as line:
        line.sendall(b"POST /v1/feeds/open HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert line.recv(100).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "head", [b"X-Long: " + b"s3cret" * 2_000, b"\r\n".join(b"X-%d: s3cret" % n for n in range(200)), b"s3cret"]
)
def test_a_broken_head_is_refused_and_neither_logged_nor_repeated(
    house: House, head: bytes, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection((HOST, house.port), SECONDS_MAX) as line:
        line.sendall(b"POST /v1/feeds/open HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n" + head + b"\r\n\r\n{}")
        answer = line.recv(1_000)
    assert b" 400 " in answer.splitlines()[0]
    assert "s3cret" not in answer.decode() + capfd.readouterr().err + caplog.text
    assert 'spillway_gateway_refused_total{feed="none",reason="broken_head"}' in house.page("/metrics").body.decode()


def test_a_connection_that_breaks_off_leaves_nothing_behind(house: House) -> None:
    with socket.create_connection((HOST, house.port), SECONDS_MAX) as line:
        line.sendall(b"POST /v1/feeds/open HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    wait_until(lambda: house.gateway.server.in_flight == 0, SECONDS_MAX, "nothing is in flight")
    assert house.gateway.server._door._room.bytes_taken == 0


def test_what_happened_is_in_the_metrics(house: House) -> None:
    house.feed("guarded")
    page = house.page("/metrics").body.decode()
    assert 'spillway_gateway_requests_total{code="401",feed="guarded"}' in page
    assert 'spillway_gateway_refused_total{feed="guarded",reason="unauthenticated"}' in page
    assert 'spillway_gateway_request_seconds_bucket{feed="open",le="0.05"}' in page
    assert "spillway_gateway_requests_in_flight 0.0" in page
    assert house.page("/healthz").status == 200
    assert house.page("/readyz").json["ready"] is True


def test_a_head_that_does_not_end_is_closed_before_it_fills_the_memory(kafka: str, prefix: str, tmp_path: Path) -> None:
    part = b"X-Part: " + b"x" * 4_000 + b"\r\n"
    with House(kafka, prefix, tmp_path, {"open": FEEDS["open"]}, {}, limits=Limits()) as house:
        with socket.create_connection((HOST, house.port), timeout=Limits().idle_seconds / 4) as line:
            line.sendall(b"POST /v1/feeds/open HTTP/1.1\r\nHost: x\r\n")
            try:
                line.sendall(part * 90)  # fewer and shorter headers than are allowed one by one
                left = line.recv(1)
            except ConnectionError:
                left = b""
        assert left == b""
        assert house.feed("open", BODY, **{f"X-{number}": "y" * 900 for number in range(20)}).status == 202


def test_many_requests_on_one_connection_are_no_long_head(house: House) -> None:
    request = b"POST /v1/feeds/open HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX-Long: " + b"y" * 4_000 + b"\r\n\r\n{}"
    with socket.create_connection((HOST, house.port), SECONDS_MAX) as line:
        for _ in range(20):
            line.sendall(request)
            assert line.recv(1_000).startswith(b"HTTP/1.1 202 ")


def test_too_many_connections_are_closed_at_once(kafka: str, prefix: str, tmp_path: Path) -> None:
    limits = Limits(connections=2)
    with House(kafka, prefix, tmp_path, {"open": FEEDS["open"]}, {}, limits=limits) as house:
        lines = [socket.create_connection((HOST, house.port), SECONDS_MAX) for _ in range(2)]
        for line in lines:
            line.sendall(b"POST /v1/feeds/nobody HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            assert line.recv(100).startswith(b"HTTP/1.1 404 ")
        with socket.create_connection((HOST, house.port), SECONDS_MAX) as third:
            assert third.recv(100) == b""
        for line in lines:
            line.close()


def test_room_for_bodies_is_shared_and_bounded(kafka: str, prefix: str, tmp_path: Path) -> None:
    limits = Limits(bodies_bytes=5_000)
    with House(kafka, prefix, tmp_path, {"open": FEEDS["open"]}, {}, limits=limits) as house:
        assert house.feed("open", b"x" * LIMIT).status == 202
        with socket.create_connection((HOST, house.port), SECONDS_MAX) as line:
            line.sendall(b"POST /v1/feeds/open HTTP/1.1\r\nHost: x\r\nContent-Length: 4096\r\n\r\n" + b"x" * 4_000)
            wait_until(lambda: house.gateway.server._door._room.bytes_taken == 4_000, SECONDS_MAX, "room is taken")
            answer = house.feed("open", b"x" * LIMIT)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            line.sendall(b"x" * 96)
            assert line.recv(100).startswith(b"HTTP/1.1 202 ")
        assert house.feed("open", b"x" * LIMIT).status == 202


def test_more_requests_at_once_than_allowed_are_told_to_come_back(kafka: str, prefix: str, tmp_path: Path) -> None:
    with House(kafka, prefix, tmp_path, {"open": FEEDS["open"]}, {}, limits=Limits(requests=1)) as house:
        with socket.create_connection((HOST, house.port), SECONDS_MAX) as line:
            line.sendall(b"POST /v1/feeds/open HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{")
            wait_until(lambda: house.gateway.server.in_flight == 1, SECONDS_MAX, "a request is under way")
            answer = house.feed("open")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            line.sendall(b"}")
            assert line.recv(100).startswith(b"HTTP/1.1 202 ")
        assert house.feed("open").status == 202
