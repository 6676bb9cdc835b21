"""The health page of a worker, asked while its event loop turns and while it does not."""

from __future__ import annotations

import time

import orjson
from prometheus_client import CollectorRegistry

from pipeline.runtime.health import HealthServer
from pipeline.runtime.host import StageHost
from pipeline.runtime.partition import PartitionTask
from tests.runtime.inside import context
from tests.runtime.toy import INPUT, OUTPUT, STAGE
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


def test_a_partition_that_has_records_and_handles_none_is_told_and_an_idle_one_is_well(bench: Bench) -> None:
    host = StageHost(context(bench))
    task = PartitionTask(host.context, 0)
    task.serving = True
    task.progress_at -= 200
    host.tasks, host.assigned = {0: task}, True
    health = HealthServer(0, CollectorRegistry(), lambda: {STAGE: host.status()})
    topic = bench.prefix + INPUT
    host.observe({(topic, 0): 1})
    status, _, body = health.answer("/healthz")
    assert (status, orjson.loads(body)["stuck"]) == (503, [STAGE])
    assert orjson.loads(body)["stalled_seconds"] > 199
    host.observe({(topic, 0): 0})
    assert health.answer("/healthz")[0] == 200


def test_a_worker_without_an_assignment_is_alive_and_not_ready(bench: Bench) -> None:
    host = StageHost(context(bench))
    health = HealthServer(0, CollectorRegistry(), lambda: {STAGE: host.status()})
    assert health.answer("/healthz")[0] == 200
    status, _, body = health.answer("/readyz")
    assert status == 503
    assert orjson.loads(body)["stages"][STAGE]["assigned"] is False


def test_the_lag_in_seconds_is_known_after_a_restart_before_the_first_batch(bench: Bench) -> None:
    worker = bench.worker().wait_ready()
    bench.send("a", b"x")
    bench.flush()
    bench.read(OUTPUT, 1)
    worker.kill()
    handled_at = time.time()
    again = bench.worker()
    bench.send("a", b"wait 8000")
    bench.flush()
    again.wait_ready()
    wait_until(lambda: again.sample("spillway_lag_seconds", stage=STAGE) > 0, 8, "the lag shows")
    assert again.sample("spillway_lag_seconds", stage=STAGE) <= time.time() - handled_at + 5
    assert bench.committed() == 1
