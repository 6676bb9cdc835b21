"""The health page of a worker, asked while its event loop turns and while it does not."""

from __future__ import annotations

import orjson

from tests.runtime.workers import Bench
from tests.support import wait_until


def test_a_stuck_event_loop_is_told_with_its_silence_and_so_is_its_recovery(bench: Bench) -> None:
    worker = bench.worker().wait_ready()
    assert worker.ask("/healthz", {200, 503})[0] == 200
    bench.send("a", b"stick 5000")
    bench.flush()
    wait_until(lambda: worker.ask("/healthz", {200, 503})[0] == 503, 10, "the stuck loop is noticed")
    told = orjson.loads(worker.ask("/healthz", {503})[1])
    assert told["alive"] is False
    assert told["loop_silent_seconds"] > 2.5
    assert "spillway_records_total" in worker.get("/metrics")
    wait_until(lambda: worker.ask("/healthz", {200, 503})[0] == 200, 10, "the loop turns again")
