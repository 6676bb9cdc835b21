"""``spillway health`` against the real health server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import orjson
import pytest
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry

from pipeline.cli import main
from pipeline.runtime.health import HealthServer

SERVING = {"dedupe": {"ready": True, "stalled_seconds": 0.0}, "correlate": {"ready": True, "stalled_seconds": 0.0}}
RESTORING = {**SERVING, "correlate": {"ready": False, "stalled_seconds": 0.0}}
STALLED = {**SERVING, "dedupe": {"ready": True, "stalled_seconds": 500.0}}


@contextmanager
def process(status: Mapping[str, Mapping[str, object]], **more: float) -> Iterator[int]:
    server = HealthServer(0, CollectorRegistry(), lambda: status, host="127.0.0.1", **more)
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


def ask(*words: str, port: int | None = None, environment: Mapping[str, str] | None = None) -> Result:
    given = [] if port is None else [f"--port={port}"]
    return CliRunner().invoke(main, ["health", *given, *words], env=dict(environment or {}))


def test_a_process_that_is_well_is_alive_and_ready() -> None:
    with process(SERVING) as port:
        alive, ready = ask(port=port), ask("--ready", port=port)
    assert (alive.exit_code, alive.output) == (0, "alive\n")
    assert (ready.exit_code, ready.output) == (0, "ready: dedupe, correlate\n")


def test_a_stage_that_restores_is_alive_and_not_ready() -> None:
    with process(RESTORING) as port:
        alive, ready = ask(port=port), ask("--ready", port=port)
    assert alive.exit_code == 0
    assert (ready.exit_code, ready.output) == (1, "not ready: correlate\n")


def test_a_process_without_stages_yet_is_not_ready() -> None:
    with process({}) as port:
        assert ask("--ready", port=port).output == "not ready: nothing is served yet\n"


def test_a_stage_that_handles_nothing_is_named() -> None:
    with process(STALLED) as port:
        stuck = ask(port=port)
    assert (stuck.exit_code, stuck.output) == (1, "stuck: dedupe, no record handled for 500.0 s\n")


def test_an_event_loop_that_is_silent_is_told() -> None:
    with process(SERVING, silence_seconds_max=0.0) as port:
        stuck = ask(port=port)
    assert stuck.exit_code == 1
    assert stuck.output.startswith("stuck: the event loop has been silent for ")


def test_json_is_the_answer_itself() -> None:
    with process(RESTORING) as port:
        told = orjson.loads(ask("--ready", "--json", port=port).output)
    assert told == {"ready": False, "stages": RESTORING}


def test_the_port_is_that_of_the_settings() -> None:
    with process(SERVING) as port:
        assert ask(environment={"SPILLWAY_HTTP_PORT": str(port)}).exit_code == 0


def test_any_free_port_cannot_be_asked() -> None:
    refused = ask(environment={"SPILLWAY_HTTP_PORT": "0"})
    assert refused.exit_code == 1
    assert refused.output == "Error: SPILLWAY_HTTP_PORT is 0, which is any free port: give --port\n"


def test_where_nothing_answers_it_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    refused = ask(port=port)
    assert refused.exit_code == 1
    assert refused.output == f"Error: nothing answers on port {port} (Connection refused): is the process up?\n"


def test_what_hangs_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hung = ask("--timeout=0.2", port=silent.getsockname()[1])
    assert hung.exit_code == 1
    assert "timed out" in hung.output


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_something_else_on_the_port_is_not_taken_for_spillway(body: bytes) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the library's name
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        refused = ask(port=other.server_address[1])
        other.shutdown()
        thread.join()
    assert refused.exit_code == 1
    assert "is not Spillway" in refused.output
