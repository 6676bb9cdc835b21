"""What the runtime promises on real Kafka: every record takes effect once, through kills and rebalances."""

from __future__ import annotations

import random

from pipeline.flow import DEAD_LETTER_TOPIC
from pipeline.runtime.guard import EXIT_DEFECT
from tests.runtime.toy import INPUT, OUTPUT, STAGE
from tests.runtime.workers import PARTITIONS, Bench, headers_of, out_of_sequence, served, stamp_ms
from tests.support import wait_until

KEYS = 200


def send_counted(bench: Bench, count: int, start: int = 0) -> None:
    """Send records whose key decides the partition."""
    for number in range(start, start + count):
        key = number % KEYS
        bench.send(f"k{key}", b"x" * 100, partition=key % PARTITIONS)
    bench.flush()


def test_every_record_takes_effect_once_though_workers_are_killed(bench: Bench) -> None:
    seed, phase, kills = 20260304, 3000, 5
    chance = random.Random(seed)  # noqa: S311 a repeatable sequence, not a secret
    workers = [bench.worker().wait_ready(), bench.worker().wait_ready()]
    for round_number in range(kills):
        send_counted(bench, phase, round_number * phase)
        bench.wait_committed(round_number * phase // 2 + chance.randrange(1, phase // 2))
        victim = chance.randrange(len(workers))
        workers[victim].kill()
        workers[victim] = bench.worker()
    found = bench.read(OUTPUT, kills * phase)
    for worker in workers:
        worker.wait_ready()
        assert worker.terminate() == 0, worker.said
    assert out_of_sequence(found) == {}, f"seed {seed}"
    assert len(bench.read_all(OUTPUT)) == kills * phase, f"seed {seed}"


def test_a_frozen_worker_that_wakes_up_after_its_session_changes_nothing(bench: Bench) -> None:
    frozen = bench.worker().wait_ready()
    send_counted(bench, 3000)
    bench.wait_committed(1)
    frozen.freeze()
    heir = bench.worker().wait_ready()
    send_counted(bench, 1000, 3000)
    bench.wait_committed(4000)
    frozen.thaw()
    # It finds its transaction fenced and ends, or finds its partitions gone and joins again.
    wait_until(
        lambda: frozen.ended() or sorted(served(frozen) + served(heir)) == list(range(PARTITIONS)), 20, "it settles"
    )
    send_counted(bench, 1000, 4000)
    assert out_of_sequence(bench.read(OUTPUT, 5000)) == {}
    assert not frozen.ended() or frozen.exit_code() == EXIT_DEFECT
    heir.terminate()
    frozen.terminate()
    assert len(bench.read_all(OUTPUT)) == 5000


def test_state_is_restored_after_a_restart(bench: Bench) -> None:
    first = bench.worker().wait_ready()
    send_counted(bench, 1000)
    bench.read(OUTPUT, 1000)
    first.kill()
    second = bench.worker().wait_ready()
    send_counted(bench, 400, 1000)
    assert out_of_sequence(bench.read(OUTPUT, 1400)) == {}
    assert "spillway_restore_records_total" in second.get("/metrics")


def test_partitions_move_when_a_worker_joins_and_leaves(bench: Bench) -> None:
    first = bench.worker().wait_ready()
    send_counted(bench, 400)
    bench.read(OUTPUT, 400)
    second = bench.worker().wait_ready()
    wait_until(lambda: len(served(first)) == PARTITIONS // 2, 20, "half of the partitions moved")
    wait_until(lambda: sorted(served(first) + served(second)) == list(range(PARTITIONS)), 20, "all are served")
    send_counted(bench, 400, 400)
    bench.read(OUTPUT, 800)
    assert first.terminate() == 0
    send_counted(bench, 400, 800)
    assert out_of_sequence(bench.read(OUTPUT, 1200)) == {}
    assert served(second) == list(range(PARTITIONS))


def test_a_bad_record_reaches_the_dead_letter_with_bytes_and_headers_and_the_rest_goes_on(bench: Bench) -> None:
    worker = bench.worker().wait_ready()
    bench.send("a", b"bad \x00\x7f", headers=[("traceparent", b"00-1"), ("raw", b"\xff\x00")])
    bench.send("b", b"x")
    bench.flush()
    (dead,) = bench.read(DEAD_LETTER_TOPIC, 1)
    assert (dead.key(), dead.value()) == (b"a", b"bad \x00\x7f")
    headers = headers_of(dead)
    assert headers["traceparent"] == b"00-1"
    assert headers["raw"] == b"\xff\x00"
    assert headers["spillway-topic"] == INPUT.encode()
    assert headers["spillway-offset"] == b"0"
    (out,) = bench.read(OUTPUT, 1)
    assert (out.key(), out.value(), headers_of(out)) == (b"b", b"1", {"toy": b"yes"})
    metrics = worker.get("/metrics")
    assert 'spillway_dead_letters_total{reason="broken_json",stage="dedupe"} 1.0' in metrics
    assert 'spillway_records_total{stage="dedupe"} 2.0' in metrics


def test_records_of_megabytes_pass_beside_small_ones(bench: Bench) -> None:
    bench.worker().wait_ready()
    large = [b"bad " + bytes([65 + number]) * (size << 20) for number, size in enumerate((5, 16))]
    for value in large:
        bench.send("small", b"x")
        bench.send("large", value)
    bench.flush()
    assert [dead.value() for dead in bench.read(DEAD_LETTER_TOPIC, 2)] == large
    assert out_of_sequence(bench.read(OUTPUT, 2)) == {}


def test_a_stop_finishes_the_running_work_and_exits_cleanly(bench: Bench) -> None:
    worker = bench.worker().wait_ready()
    send_counted(bench, 20_000)
    bench.wait_committed(1)
    assert worker.terminate() == 0, worker.said
    events = worker.events()
    assert events[-1]["event"] == "stop"
    for partition in range(PARTITIONS):
        called = [event["event"] for event in events if event.get("partition") == partition]
        batches = called.count("before_commit")
        assert called == ["on_assigned", *["before_commit", "after_commit"] * batches, "on_revoked"]
    # What was written and what counts as read agree: each record gives one.
    assert len(bench.read_all(OUTPUT)) == bench.committed() < 20_000
    bench.worker().wait_ready()
    assert out_of_sequence(bench.read(OUTPUT, 20_000)) == {}


def test_a_defect_ends_the_process_and_nothing_of_its_batch_is_committed(bench: Bench) -> None:
    worker = bench.worker().wait_ready()
    bench.send("a", b"x")
    bench.send("b", b"crash")
    bench.flush()
    assert worker.exit_code() == EXIT_DEFECT
    told = worker.events()[-1]
    assert told["event"] == "fatal"
    assert (told["stage"], told["partition"]) == (STAGE, 0)
    assert "RuntimeError" in told["error"]
    # The record before the crash may have been a batch of its own; the crashing one never counts.
    assert len(bench.read_all(OUTPUT)) == bench.committed() <= 1


def test_a_deadline_fires_on_an_idle_partition(bench: Bench) -> None:
    bench.worker().wait_ready()
    sent_ms = stamp_ms()
    bench.send("a", b"timer 1500", partition=2)
    bench.flush()
    counted, fired = bench.read(OUTPUT, 2)
    assert counted.value() == b"1"
    word, due_ms = (fired.value() or b"").split()
    assert word == b"fired"
    assert sent_ms + 1500 <= int(due_ms) <= stamp_ms()
    assert fired.timestamp()[1] == int(due_ms)
