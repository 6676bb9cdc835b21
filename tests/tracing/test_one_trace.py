"""One trace from a request at the gateway to the request at a sink, through Kafka and the real stages."""

from __future__ import annotations

import base64
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.kafka.ports import free_ports
from tests.live.site import HANDLED_SECONDS_MAX, Site
from tests.stories import payloads
from tests.support import wait_until
from tests.tracing.collector import Collector, Taken, collecting

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
STAGES = ("ingest", "dedupe", "correlate", "bridge", "deliver")
SECRET = "whsec_" + base64.b64encode(b"of this test alone, and of no one").decode()


class Desk:
    """A receiver that keeps the headers of what it gets."""

    def __init__(self) -> None:
        self.traceparents: list[str | None] = []
        desk = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                desk.traceparents.append(self.headers.get("traceparent"))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.server.shutdown()
    desk.server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def site(kafka: str, prefix: str, tmp_path: Path, desk: Desk, collector: Collector) -> Iterator[Site]:
    site = Site(kafka, prefix, tmp_path, partitions=1, trace_url=collector.url, trace_ratio=0)
    (site.directory / "feeds.yaml").write_text("alertmanager:\n  gateway: {auth: {scheme: none}}\n")
    site.send_to(desk.url, SECRET)
    site.make_topics()
    yield site
    site.close()


def post(port: int, traceparent: str) -> int:
    labels = {"alertname": "Errors", "service": "checkout", "severity": "critical"}
    body = orjson.dumps(payloads.alertmanager(labels, "checkout fails", datetime.now(UTC)))
    connection = HTTPConnection("127.0.0.1", port, timeout=HANDLED_SECONDS_MAX)
    headers = {"Content-Type": "application/json", "traceparent": traceparent}
    connection.request("POST", "/v1/feeds/alertmanager", body, headers)
    return connection.getresponse().status


def ancestors(spans: list[Taken], last: Taken) -> list[str]:
    """Names of a span and of those above it, up to the one that the sender's is above of."""
    by_id = {span.span_id: span for span in spans}
    names = [last.name]
    while last.parent_id in by_id:
        last = by_id[last.parent_id]
        names.append(last.name)
    assert last.parent_id == SPAN, "the first one goes on with the sender's trace"
    return names


def test_one_trace_leads_from_a_request_at_the_gateway_to_the_sinks(
    site: Site, desk: Desk, collector: Collector
) -> None:
    (port,) = free_ports(1)
    worker = site.worker(stages=STAGES)
    gateway = site.worker((sys.executable, "-m", "pipeline", "gateway", "--listen", f"127.0.0.1:{port}"))
    gateway.wait_ready()
    worker.wait_ready()
    assert post(port, f"00-{TRACE}-{SPAN}-01") == 202
    wait_until(lambda: any(desk.traceparents), HANDLED_SECONDS_MAX, "the sink is told")

    def sent() -> list[Taken]:
        return [span for span in collector.of(TRACE) if span.name == "deliver desk"]

    wait_until(sent, HANDLED_SECONDS_MAX, "the spans have come")
    assert desk.traceparents[0] == f"00-{TRACE}-{sent()[0].span_id}-01"
    expected = [
        "deliver desk",
        "correlate episodes",
        "dedupe alerts",
        "ingest alerts.raw.alertmanager",
        "gateway alertmanager",
    ]

    def whole() -> bool:
        spans = collector.of(TRACE)
        return {span.name for span in spans} >= set(expected)

    wait_until(whole, HANDLED_SECONDS_MAX, "all of them")
    assert ancestors(collector.of(TRACE), sent()[0]) == expected
    assert sent()[0].attributes["spillway.incident"].startswith("INC-")
    assert {span.trace_id for span in collector.spans} == {TRACE}, "nothing else is sampled"
    assert worker.remainder() == 0
    assert worker.terminate() == 0, worker.said()
    assert gateway.terminate() == 0, gateway.said()
