"""The process: it is told what is wrong with its configuration, it drains, and what it accepts is in the topic."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline.settings import Settings
from tests.faults.cluster import cluster
from tests.gateway.house import BODY, HOST, SECONDS_MAX, make_topics, read_records, send, written
from tests.support import wait_until

TOKEN = "a-token-of-the-test"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
FEEDS: dict[str, Any] = {
    "open": {
        "adapter": "cloudwatch",
        "gateway": {"auth": {"scheme": "bearer", "secrets_env": ["GATEWAY_TOKEN"]}, "requests_per_second": 100_000},
    }
}
FEEDS["open"]["gateway"]["burst"] = 100_000
RETRY_SECONDS = 0.05
"""A sender that is refused comes back sooner than it is told, and leaves the machine to the broker meanwhile."""

ROUTING_KEY = {"scheme": "pagerduty-routing-key", "secrets_env": ["GATEWAY_TOKEN"]}
LISTENING = re.compile(r"taking messages on [\d.]+:(\d+) .* on port (\d+)")


class Process:
    """``spillway gateway``, as an operator runs it."""

    def __init__(self, bootstrap: str, prefix: str, place: Path, secrets: Mapping[str, str], *arguments: str) -> None:
        settings = Settings(bootstrap=bootstrap, topic_prefix=prefix, http_port=0, config_dir=place)
        self.log = place / "gateway.log"
        with self.log.open("w") as log:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "pipeline", "gateway", "--listen", f"{HOST}:0", *arguments],
                env={**settings.to_environment(), **secrets},
                stderr=log,
                stdout=log,
            )

    def wait_ready(self) -> Process:
        wait_until(lambda: self._found() or self.popen.poll() is not None, SECONDS_MAX, "the gateway listens")
        found = self._found()
        assert found, self.said
        self.port, self.health_port = int(found[1]), int(found[2])
        return self

    def _found(self) -> re.Match[str] | None:
        return LISTENING.search(self.said)

    @property
    def said(self) -> str:
        return self.log.read_text()

    def ready(self) -> bool:
        return send(self.health_port, "/readyz", None, None, "GET").status == 200

    def ended(self) -> int:
        return self.popen.wait(SECONDS_MAX)


@contextmanager
def gateway(bootstrap: str, prefix: str, place: Path, feeds: Mapping[str, Any] = FEEDS) -> Iterator[Process]:
    process = Process(bootstrap, prefix, written(place, feeds), {"GATEWAY_TOKEN": TOKEN})
    try:
        yield process.wait_ready()
    finally:
        process.popen.kill()
        process.popen.wait()


@dataclass
class Senders:
    """Threads that send numbered messages, one after another each, and note what was answered."""

    port: int
    threads: int = 8
    accepted: list[bytes] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    broken: int = 0
    untold: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._running = [threading.Thread(target=self._send, args=(number,)) for number in range(self.threads)]
        for thread in self._running:
            thread.start()

    def join(self) -> None:
        self.stop.set()
        for thread in self._running:
            thread.join(SECONDS_MAX)
            assert not thread.is_alive()

    def wait_accepted(self, more: int) -> None:
        count = len(self.accepted) + more
        wait_until(lambda: len(self.accepted) > count, SECONDS_MAX, f"{more} more messages are accepted")

    def wait_refused(self, more: int) -> None:
        count = self.statuses.count(503) + more
        wait_until(lambda: self.statuses.count(503) > count, SECONDS_MAX, f"{more} more messages are refused")

    def _send(self, sender: int) -> None:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=SECONDS_MAX)
        number = 0
        while not self.stop.is_set():
            number += 1
            body = b'{"sender": %d, "number": %d}' % (sender, number)
            try:
                connection.request("POST", "/v1/feeds/open", body, BEARER)
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                self.broken += 1
                self.stop.wait(RETRY_SECONDS)
                continue
            self.statuses.append(response.status)
            if response.status == 202:
                self.accepted.append(body)
                continue
            self.stop.wait(RETRY_SECONDS)
            if response.status != 503 or not response.headers["Retry-After"]:
                self.untold.append(f"{response.status} without Retry-After")


def test_what_was_accepted_is_in_the_topic_though_the_broker_was_killed_under_load(tmp_path: Path) -> None:
    with cluster(tmp_path / "brokers", 1) as brokers:
        make_topics(brokers.bootstrap, "", FEEDS)
        with gateway(brokers.bootstrap, "", tmp_path / "config") as process:
            senders = Senders(process.port)
            senders.start()
            for _ in range(2):
                senders.wait_accepted(500)
                brokers.kill(1)
                senders.wait_refused(100)
                wait_until(lambda: not process.ready(), SECONDS_MAX, "the gateway is not ready")
                brokers.start(1)
                wait_until(process.ready, SECONDS_MAX, "the gateway is ready again")
            senders.wait_accepted(500)
            senders.join()
            assert process.popen.poll() is None, process.said
            kept = [
                record.value() for record in read_records(brokers.bootstrap, "alerts.raw.open", len(senders.accepted))
            ]
        assert not senders.untold
        assert not senders.broken
        assert len(senders.accepted) > 1_500
        assert set(senders.accepted) <= set(kept)


def test_a_gateway_that_is_stopped_under_load_answers_what_has_come_and_loses_nothing(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    make_topics(kafka, prefix, FEEDS)
    with gateway(kafka, prefix, tmp_path) as process:
        senders = Senders(process.port, threads=8)
        senders.start()
        wait_until(lambda: len(senders.accepted) > 200, SECONDS_MAX, "messages are accepted")
        process.popen.send_signal(signal.SIGTERM)
        assert process.ended() == 0
        senders.join()
        assert set(senders.statuses) == {202}
        kept = {record.value() for record in read_records(kafka, f"{prefix}alerts.raw.open", len(senders.accepted))}
        assert set(senders.accepted) <= kept


def test_a_request_under_way_is_answered_after_sigterm_and_new_ones_are_not_let_in(
    kafka: str, prefix: str, tmp_path: Path
) -> None:
    make_topics(kafka, prefix, FEEDS)
    with gateway(kafka, prefix, tmp_path) as process:
        connection = http.client.HTTPConnection(HOST, process.port, timeout=SECONDS_MAX)
        connection.putrequest("POST", "/v1/feeds/open")
        connection.putheader("Authorization", BEARER["Authorization"])
        connection.putheader("Content-Length", str(len(BODY)))
        connection.endheaders(BODY[:10])
        wait_until(lambda: in_flight(process) == 1, SECONDS_MAX, "the request has begun")
        process.popen.send_signal(signal.SIGTERM)
        wait_until(lambda: not process.ready(), SECONDS_MAX, "the gateway is not ready")
        wait_until(lambda: not listens(process.port), SECONDS_MAX, "no new connection is taken")
        connection.send(BODY[10:])
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Connection"]) == (202, "close")
        assert process.ended() == 0
        assert [record.value() for record in read_records(kafka, f"{prefix}alerts.raw.open", 1)] == [BODY]


def in_flight(process: Process) -> float:
    page = send(process.health_port, "/metrics", None, None, "GET").body.decode()
    found = re.search(r"^spillway_gateway_requests_in_flight (\S+)", page, re.MULTILINE)
    assert found
    return float(found[1])


def listens(port: int) -> bool:
    try:
        http.client.HTTPConnection(HOST, port, timeout=1).connect()
    except OSError:
        return False
    return True


def test_without_kafka_it_starts_is_not_ready_and_asks_to_come_back(tmp_path: Path) -> None:
    with gateway(f"{HOST}:1", "", tmp_path) as process:
        assert not process.ready()
        assert send(process.health_port, "/healthz", None, None, "GET").status == 200
        began = time.monotonic()
        answer = send(process.port, "/v1/feeds/open", BODY, BEARER)
        assert time.monotonic() - began < 2
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        process.popen.send_signal(signal.SIGTERM)
        assert process.ended() == 0


def test_no_secret_and_no_payload_is_logged(kafka: str, prefix: str, tmp_path: Path) -> None:
    make_topics(kafka, prefix, FEEDS)
    with gateway(kafka, prefix, tmp_path) as process:
        for path in ("/v1/feeds/open", "/v1/feeds/nobody", "/v1/feeds/open?token=an-unknown-token", "/v2/enqueue"):
            for headers in (BEARER, {"Authorization": "Bearer an-unknown-token"}, {"Content-Encoding": "gzip"}):
                send(process.port, path, b'{"password": "in-the-payload"}', headers)
        wait_until(lambda: process.said.count("gateway refused") >= 9, SECONDS_MAX, "refusals are logged")
        assert not [word for word in (TOKEN, "an-unknown-token", "in-the-payload") if word in process.said]


@pytest.mark.parametrize(
    ("feeds", "words"),
    [
        ({"jira": {}}, "no feed in feeds.yaml has a 'gateway:' section"),
        ({"jira": {"gateway": {}}}, "field 'gateway.auth' is missing"),
        ({"jira": {"gateway": {"auth": {"scheme": "magic"}}}}, "gateway.auth"),
        ({"jira": {"gateway": {"auth": {"scheme": "bearer"}}}}, "secrets_env' is missing"),
        (
            {"jira": {"gateway": {"auth": {"scheme": "bearer", "secrets_env": ["s3cret value!"]}}}},
            "must be the NAME of",
        ),
        ({"jira": {"gateway": {"auth": {"scheme": "bearer", "secrets_env": ["NOT_SET"]}}}}, "NOT_SET is not set"),
        ({"jira": {"gateway": {"auth": {"scheme": "sns", "topics": []}}}}, "gateway.auth.sns.topics"),
        (
            {"jira": {"gateway": {"get": True, "auth": {"scheme": "sentry", "secrets_env": ["A"]}}}},
            "nothing is signed in an address",
        ),
        ({"jira": {"gateway": {"auth": {"scheme": "none"}, "key": ["issue"]}}}, "key: paths begin with"),
        ({"jira": {"gateway": {"auth": {"scheme": "none"}, "headers": ["Authorization"]}}}, "stays out of the record"),
        (
            {name: {"adapter": "pagerduty", "gateway": {"auth": ROUTING_KEY}} for name in ("one", "two")},
            "feeds one and two share a routing key",
        ),
        (
            {"jira": {"gateway": {"auth": {"scheme": "standard-webhooks", "secrets_env": ["GATEWAY_TOKEN"]}}}},
            "feed jira: the secret of scheme standard-webhooks: a secret of Standard Webhooks is base64",
        ),
        (
            {
                "xurrent": {
                    "gateway": {
                        "auth": {
                            "scheme": "xurrent-jwt",
                            "public_keys_env": ["GATEWAY_TOKEN"],
                            "issuer": "https://a.example",
                        }
                    }
                }
            },
            "must hold a public key in PEM",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_with_the_configuration_is_told_in_one_line(
    tmp_path: Path, feeds: dict[str, Any], words: str
) -> None:
    process = Process(f"{HOST}:1", "", written(tmp_path, feeds), {"GATEWAY_TOKEN": TOKEN})
    assert process.ended() == 1
    assert words in process.said
    assert "Traceback" not in process.said
    assert "s3cret" not in process.said
    assert TOKEN not in process.said


def test_a_missing_topic_is_told_with_what_to_do(kafka: str, prefix: str, tmp_path: Path) -> None:
    process = Process(kafka, prefix, written(tmp_path, FEEDS), {"GATEWAY_TOKEN": TOKEN})
    assert process.ended() == 1
    assert f"no topic {prefix}alerts.raw.open: make it with `spillway topics apply`" in process.said


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with gateway(f"{HOST}:1", "", tmp_path / "first") as first:
        place = written(tmp_path / "second", FEEDS)
        arguments = ("--listen", f"{HOST}:{first.port}")
        second = Process(f"{HOST}:1", "", place, {"GATEWAY_TOKEN": TOKEN}, *arguments)
        assert second.ended() == 1
        assert f"cannot listen on {HOST}:{first.port}" in second.said
