"""A stop ends in time, whatever the worker waits for: a broker that is gone, a decision that does not return."""

from __future__ import annotations

from pathlib import Path

from pipeline.kafka.embedded import EmbeddedKafka
from pipeline.runtime.guard import EXIT_DEFECT, EXIT_STOP_TOO_SLOW
from pipeline.settings import Settings
from tests.live import worker as live
from tests.runtime.workers import Bench, app_id

STOP_SECONDS = 3.0
ENDED = (0, EXIT_DEFECT, EXIT_STOP_TOO_SLOW)


def test_a_worker_whose_broker_is_gone_stops_when_asked_to(tmp_path: Path, prefix: str) -> None:
    with EmbeddedKafka(tmp_path) as broker:
        bench = Bench(broker.bootstrap, prefix)
        worker = bench.worker(f"--stop-seconds={STOP_SECONDS}").wait_ready()
    assert worker.terminate() in ENDED, worker.said
    bench.close()


def test_fausts_own_worker_whose_broker_is_gone_stops_when_asked_to(tmp_path: Path, prefix: str) -> None:
    with EmbeddedKafka(tmp_path / "kafka") as broker:
        Bench(broker.bootstrap, prefix)
        settings = Settings(
            bootstrap=broker.bootstrap,
            topic_prefix=prefix,
            app_id=app_id(prefix),
            stages=("dedupe",),
            stop_seconds=STOP_SECONDS,
        )
        worker = live.Worker(settings, tmp_path / "log", live.FAUST_WORKER, {}).wait_ready()
    try:
        assert worker.terminate() in ENDED, worker.said()
    finally:
        worker.kill()


def test_a_decision_that_does_not_return_does_not_keep_a_stop(bench: Bench) -> None:
    worker = bench.worker(f"--stop-seconds={STOP_SECONDS}").wait_ready()
    bench.send("a", b"stick 60000")
    bench.flush()
    worker.wait_stuck()
    assert worker.terminate() == EXIT_STOP_TOO_SLOW, worker.said
    assert worker.events()[-1]["event"] == "stop took too long"
    assert bench.committed() == 0
