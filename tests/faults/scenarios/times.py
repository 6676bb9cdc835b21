"""Time that nobody was there for, clocks that jump, and a backlog of a million."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import cycle, islice
from typing import Final

import orjson

from tests.faults.fleet import Member
from tests.faults.scenarios.base import Arena, Outcome, Run, running
from tests.faults.site import now_ms
from tests.support import wait_until

HOUR_MS: Final = 60 * 60 * 1_000
DOWN_SECONDS: Final = 6.0
FIRED_SECONDS_MAX: Final = 60.0
JUMPING_RECORDS: Final = 1_500
JUMP_SHARE: Final = 0.1
BACKLOG_DISTINCT: Final = 20_000
BACKLOG_SECONDS_MAX: Final = 1_200.0
# What one worker of all four stages may take, whatever waits before it.
MEMORY_BYTES_MAX: Final = 1_500 << 20


def timers(arena: Arena, seed: int, rounds: int) -> Outcome:
    """Deadlines pass while no worker runs and no record comes: the next worker fires each of them, once."""
    with running("timers", arena, seed) as run:
        member = run.fleet.start_ready()
        for number in range(rounds):
            with run.load():
                run.pause(1.5, 2.5)
            at = member.kill()
            run.fleet.faults["down past deadlines"] += 1
            before = _expired(run)
            run.wait(DOWN_SECONDS)  # longer than what is held, and than what expires by itself
            member = run.fleet.succeed(at)
            wait_until(lambda: _expired(run) > before, FIRED_SECONDS_MAX, "what was due meanwhile fires")  # noqa: B023
            arena.say(f"timers {seed}: {number + 1} of {rounds}")
        run.outcome.facts["expired"] = _expired(run)
        outcome = run.finish()
        outcome.recoveries.clear()  # they hold the time that nobody was to be there
        return outcome


def _expired(run: Run) -> int:
    """Episodes that ended because their source fell silent."""
    records = [record for place in run.site.read(["episodes"]).values() for record in place]
    return sum(orjson.loads(record.value).get("change") == "expired" for record in records if record.value)


def clocks(arena: Arena, seed: int, rounds: int) -> Outcome:
    """Records stamped an hour late or early, and workers whose own clock is an hour off, either way."""
    with running("clocks", arena, seed) as run:
        member: Member | None = None
        at = 0.0
        for number in range(rounds):
            shift_ms = (HOUR_MS, -HOUR_MS)[number % 2]
            worker_shift = (0.0, shift_ms / 1_000, -shift_ms / 1_000)[number % 3]
            member = run.fleet.start_ready(clock_shift_seconds=worker_shift)
            for record in run.corpus(begin_ms=now_ms() - 4 * JUMPING_RECORDS).take(JUMPING_RECORDS):
                jumps = run.chance.random() < JUMP_SHARE
                run.site.send([replace(record, timestamp_ms=record.timestamp_ms + shift_ms) if jumps else record])
            run.site.flush()
            run.pause(1.5, 3.0)
            run.fleet.faults["clock jump"] += 1
            at = member.kill()
            arena.say(f"clocks {seed}: {number + 1} of {rounds}")
        # Where nothing is left to do, the last would be stopped before it has begun to listen for that.
        run.fleet.wait_ready(run.fleet.succeed(at))
        return run.finish()


def backlog(arena: Arena, seed: int, rounds: int) -> Outcome:
    """Raw records that piled up before anybody reads them: all are handled, within bounded memory.

    Args:
        rounds: thousands of records.
    """
    with running("backlog", arena, seed) as run:
        run.settle_seconds = BACKLOG_SECONDS_MAX
        total = 1_000 * rounds
        begin_ms = now_ms() - 2 * total
        distinct = run.corpus(begin_ms=begin_ms, step_ms=2, poison_share=0.001).take(min(total, BACKLOG_DISTINCT))
        for number, record in enumerate(islice(cycle(distinct), total)):
            parity = record.timestamp_ms % 2
            run.site.send([replace(record, timestamp_ms=begin_ms + 2 * number + parity)])
        run.site.flush()
        run.fleet.faults["backlog"] = total
        begin = time.monotonic()
        member = run.fleet.start_ready()
        peak = 0

        def look() -> None:
            nonlocal peak
            peak = max(peak, member.memory_bytes())
            run.fleet.check()

        run.site.wait_settled(run.settle_seconds, look)
        seconds = time.monotonic() - begin
        run.outcome.facts |= {"peak MiB": peak >> 20, "seconds": round(seconds), "records/s": round(total / seconds)}
        if peak > MEMORY_BYTES_MAX:
            run.outcome.failure = f"the worker took {peak >> 20} MiB"
        return run.finish()
