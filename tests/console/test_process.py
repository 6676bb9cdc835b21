"""The process: it serves, survives a store and brokers that are away, ends its streams, and what it accepts is kept."""

from __future__ import annotations

import signal
import socket
import threading
import uuid
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from pipeline.models.command import Role
from tests.console.real import SECONDS_MAX, Process, console, token
from tests.faults.cluster import cluster
from tests.gateway.house import make_named_topics, read_records
from tests.played import Played, fill
from tests.support import wait_until

API = "/api/v1"
TOPICS = ("commands", "bridge.commands", "problem.commands")


@pytest.fixture
def store(database: str, played: Played) -> str:
    """Address of a records store of one's own that holds the stories."""
    fill(database, played)
    return database


@pytest.fixture
def running(store: str, tmp_path: Path) -> Iterator[Process]:
    """A console without Kafka."""
    with console(tmp_path, store) as process:
        yield process


def an_incident(client: httpx.Client) -> dict[str, Any]:
    found = client.get(f"{API}/incidents", params={"open": "true", "kind": "incident"}).json()["items"]
    first: dict[str, Any] = found[0]
    return first


def test_it_serves_and_without_kafka_it_says_so(running: Process, store: str) -> None:
    with running.client(token(store)) as client:
        assert running.ready()
        incident = an_incident(client)
        refused = client.post(f"{API}/incidents/{incident['id']}/commands", json={"type": "acknowledge"})
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (503, "kafka-away")
        assert int(refused.headers["retry-after"]) > 0
        head = client.head(f"{API}/incidents/{incident['id']}")
        assert (head.status_code, head.content) == (200, b"")
        assert client.head(f"{API}/stream").status_code == 200
        assert client.get(f"{API}/incidents?q={'x' * 9_000}").status_code == 414
    assert running.client().get(f"{API}/incidents").status_code == 401
    metrics = running.metrics()
    assert 'spillway_console_requests_total{code="200",method="GET",route="/api/v1/incidents"} 1.0' in metrics
    assert 'spillway_console_commands_total{outcome="kafka-away",type="acknowledge"} 1.0' in metrics
    told = [orjson.loads(line) for line in running.said.splitlines() if line.startswith("{")]
    line = next(each for each in told if each["event"] == "console request" and each["status"] == 503)
    assert (line["who"], line["route"]) == ("tests", f"{API}/incidents/{{incident_id}}/commands")
    assert "spw_" not in running.said, "no secret is in the log"


def test_a_stop_ends_the_streams_and_answers_what_has_come(running: Process, store: str) -> None:
    ended = threading.Event()
    pieces: list[str] = []
    with running.client(token(store)) as client, client.stream("GET", f"{API}/stream") as stream:
        lines = stream.iter_lines()
        pieces.append(next(lines))

        def read() -> None:
            pieces.extend(lines)
            ended.set()

        reading = threading.Thread(target=read)
        reading.start()
        running.popen.send_signal(signal.SIGTERM)
        assert ended.wait(SECONDS_MAX), running.said
        reading.join()
    assert running.popen.wait(SECONDS_MAX) == 0, running.said
    assert "retry: 2000" in pieces
    assert ": the end" in pieces


def test_who_is_let_in_no_more_hears_no_more(running: Process, store: str) -> None:
    ended = threading.Event()
    with (
        running.client(token(store)) as administrator,
        running.client(token(store, Role.VIEWER, name="leaver")) as client,
        client.stream("GET", f"{API}/stream") as stream,
    ):
        lines = stream.iter_lines()
        next(lines)

        def read() -> None:
            for _ in lines:
                pass
            ended.set()

        reading = threading.Thread(target=read)
        reading.start()
        (leaver,) = (each for each in administrator.get(f"{API}/tokens").json() if each["name"] == "leaver")
        assert administrator.delete(f"{API}/tokens/{leaver['id']}").is_success
        assert ended.wait(SECONDS_MAX), "the stream goes on though its token is revoked"
        reading.join()


def test_it_starts_without_a_store_and_is_there_when_that_is(tmp_path: Path) -> None:
    with console(tmp_path, "postgresql://nobody@127.0.0.1:1/none") as process:
        assert not process.ready()
        answer = process.client("spw_aaaaaaaaaaaa_" + "b" * 43).get(f"{API}/me")
        assert answer.status_code in {401, 503}
        assert httpx.get(f"{process.health_url}/healthz").status_code == 200
        assert process.client().get("/static/console.css").status_code == 200


def test_a_head_that_does_not_come_ends_its_connection(running: Process) -> None:
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS_MAX) as slow:
        slow.sendall(b"GET /api/v1/me HTTP/1.1\r\nHost: x\r\n")
        assert slow.recv(1) == b"", "it is closed"


def test_what_is_accepted_is_in_the_topic_though_the_broker_is_killed(store: str, tmp_path: Path) -> None:
    """Each request is repeated with its key until it is accepted: then it is there, whatever died meanwhile."""
    with cluster(tmp_path / "brokers", 1) as brokers:
        make_named_topics(brokers.bootstrap, "", TOPICS)
        with console(tmp_path, store, brokers.bootstrap) as process:
            asking = _Asking(process, token(store, Role.RESPONDER))
            wait_until(lambda: "kafka_up 1.0" in process.metrics(), SECONDS_MAX, "Kafka is known to be up")
            asking.start()
            wait_until(lambda: len(asking.accepted) > 50, SECONDS_MAX, "50 are accepted")
            brokers.kill(1)
            wait_until(lambda: asking.refused > 5, SECONDS_MAX, "some are refused")
            brokers.start(1)
            more = len(asking.accepted) + 50
            wait_until(lambda: len(asking.accepted) > more, SECONDS_MAX, "50 more are accepted")
            asking.stop()
        found = [orjson.loads(each.value() or b"") for each in read_records(brokers.bootstrap, "commands", 1)]
        assert not asking.strange
        assert set(asking.accepted) <= {each["command_id"] for each in found}
        assert {each["actor"] for each in found} == {"tests"}


class _Asking:
    """Asks again and again, each with a key of its own, and repeats what is refused."""

    def __init__(self, process: Process, secret: str) -> None:
        self.accepted: list[str] = []
        self.refused = 0
        self.strange: list[str] = []
        self._client = process.client(secret)
        self._path = f"{API}/incidents/{an_incident(self._client)['id']}/commands"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(SECONDS_MAX)
        self._client.close()

    def _ask(self) -> None:
        while not self._stop.is_set():
            key, given = str(uuid.uuid4()), None
            while given is None and not self._stop.is_set():
                given = self._once(key)

    def _once(self, key: str) -> str | None:
        """The command's id; None where it was refused, and is to be repeated."""
        answer = self._client.post(self._path, json={"type": "note", "note": key}, headers={"Idempotency-Key": key})
        if answer.status_code == HTTPStatus.ACCEPTED:
            given: str = answer.json()["command_id"]
            self.accepted.append(given)
            return given
        if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            self.refused += 1
        elif answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
            self.strange.append(answer.text)
        self._stop.wait(0.05)
        return None
