"""The dead-man's switch, on Kafka with a real HTTP server: pings come while a probe gets through, and only then."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipeline.flow import STAGE_BY_NAME
from tests.live.conftest import MakeSite
from tests.live.site import HANDLED_SECONDS_MAX, Site
from tests.support import wait_until

VARIABLE = "OUTSIDE"
PATH = "/ping/a-secret-token"
WATCH = (sys.executable, "-m", "pipeline", "watch", "--every", "1", "--within", "10", "--ping-env", VARIABLE)
STOPPED = "correlate"


class Outside:
    """Whoever is pinged."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        outside = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outside.paths.append(self.path)
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the library's name
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}{PATH}"


@pytest.fixture
def outside() -> Iterator[Outside]:
    outside = Outside()
    yield outside
    outside.server.shutdown()
    outside.server.server_close()


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    site = make_site(partitions=1)
    (site.directory / "feeds.yaml").write_text("spillway:\n  adapter: alertmanager\n")
    site.make_topics()
    return site


def test_pings_stop_with_a_stage_and_return_with_it(site: Site, outside: Outside) -> None:
    others = tuple(stage for stage in STAGE_BY_NAME if stage != STOPPED)
    worker = site.worker(stages=others).wait_ready()
    one = site.worker(stages=(STOPPED,)).wait_ready()
    site.secrets[VARIABLE] = outside.address
    watch = site.worker(WATCH)
    wait_until(lambda: len(outside.paths) >= 2, HANDLED_SECONDS_MAX, "pings arrive")

    assert one.terminate() == 0, one.said()

    def withheld() -> int:
        return watch.series()["spillway_pings_total"].get(("withheld",), 0)

    wait_until(lambda: withheld() >= 1, HANDLED_SECONDS_MAX, "a ping is withheld")
    before = len(outside.paths)
    wait_until(lambda: withheld() >= 2, HANDLED_SECONDS_MAX, "and another one")
    assert len(outside.paths) == before, "while a stage is down nobody is told that all is well"

    site.worker(stages=(STOPPED,)).wait_ready()
    wait_until(lambda: len(outside.paths) > before, HANDLED_SECONDS_MAX, "pings return")
    assert set(outside.paths) == {PATH}
    assert watch.series()["spillway_probe_success"] == {(): 1}
    assert "a-secret-token" not in watch.said()
    assert worker.dispositions()["opened"] == 0, "a probe opens nothing"
    assert worker.dispositions()["dead_lettered"] == 0
    assert watch.terminate() == 0, watch.said()


def test_a_stop_in_the_midst_of_a_probe_waits_for_no_stage(site: Site) -> None:
    """No worker runs, so this probe would wait for its whole time."""
    watch = site.worker((sys.executable, "-m", "pipeline", "watch", "--every", "1", "--within", "300"))
    (outward,) = site.read("deliveries", len, "the probe is under way")
    (raw,) = site.read("alerts.raw.spillway", len, "its message is there")
    assert outward.timestamp()[1] == raw.timestamp()[1], "its tick has the brokers' time, and not this machine's"
    assert watch.terminate() == 0, watch.said()
