"""A worker with a toy stage, started by the tests as a process of its own.

python -m tests.runtime.toy BOOTSTRAP PREFIX APP_ID [--option ...]

The toy hosts the stage "dedupe": for each record it writes how often its key was seen, so that a lost or repeated
record shows as a gap or a repeat. It prints ``ready PORT`` when it serves.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from typing import Any, cast

from prometheus_client import CollectorRegistry

from pipeline.app import create_app
from pipeline.core.step import Effects, Output, Processor, Record
from pipeline.models.decision import BadRecord, Decision, Disposition, Origin, Reason
from pipeline.runtime.broker import existing_topics
from pipeline.runtime.context import StageContext
from pipeline.runtime.guard import STOP_SECONDS_MAX, RefusedError, refuse
from pipeline.runtime.health import HealthServer
from pipeline.runtime.history import check_replication, stage_topics, topic_makes
from pipeline.runtime.hooks import StageHooks
from pipeline.runtime.metrics import Metrics
from pipeline.runtime.process import HostedStage, serve, status_of
from pipeline.settings import Settings

STAGE = "dedupe"
INPUT = "alerts"
OUTPUT = "episodes"
# Many small transactions, so that kills find one open.
BATCH_RECORDS_MAX = 100
# Two beats and a little, so that a test of a stuck loop is short.
SILENCE_SECONDS_MAX = 2.5


def _say(event: str, **facts: object) -> None:
    """One line of the toy's own: the process's log leaves lines out where there are many, and tests count these."""
    sys.stderr.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stderr.flush()


class Count(Processor):
    """Counts by key. Values steer it.

    ``bad`` is refused, ``crash`` raises, ``defect`` raises unless it is mended, ``timer MS`` sets a deadline,
    ``trap MS`` one that raises, ``stick MS`` holds the loop, ``huge BYTES`` writes that much, ``hook NAME`` breaks a
    hook, ``wait MS`` keeps a batch from its commit that long, and ``plan COUNT`` sets that many deadlines which
    survive a restart, a millisecond apart, from the record's time on.
    """

    stage = STAGE
    mended = False

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.breaks_hook = ""
        self.wait_ms = 0
        self.traps: set[str] = set()
        self.planned: dict[str, int] = {}

    def process(self, record: Record, effects: Effects) -> None:
        word, _, argument = (record.value or b"").decode().partition(" ")
        if word == "bad":
            raise BadRecord(Reason.BROKEN_JSON, "the toy was told so")
        if word == "crash":
            raise RuntimeError("the toy was told to crash")
        if word == "defect" and not self.mended:
            raise RuntimeError("the toy has a defect")
        assert record.key is not None
        key = record.key.decode()
        if word == "stick":
            time.sleep(int(argument) / 1000)  # the whole event loop, as a defect would
        if word == "huge":
            self.say(record.key.decode(), b"1" * int(argument), record.timestamp, effects)
            return
        if word == "plan":
            for number in range(int(argument)):
                self.plan(f"plan/{number}", record.timestamp + number)
            return
        if word == "wait":
            self.wait_ms = int(argument)
        if word == "hook":
            self.breaks_hook = argument
        if word in ("timer", "trap"):
            self.traps |= {key} if word == "trap" else set()
            self.timers.set(key, record.timestamp + int(argument))
        self.ledger.received += 1
        self.counts[key] = self.counts.get(key, 0) + 1
        self.touch(key)
        origin = Origin(record.topic, record.partition, record.offset, 0)
        self.decide(effects, Decision(origin, Disposition.REPEATED, Reason.STILL_FIRING, record.timestamp))
        self.say(key, b"%d" % self.counts[key], record.timestamp, effects)

    def on_timer(self, key: str, due_ms: int, effects: Effects) -> None:
        if key in self.traps:
            raise RuntimeError("the toy's deadline is a trap")
        self.say(key, b"fired %d" % due_ms, due_ms, effects)
        if self.planned.pop(key, None) is not None:
            self.touch(key)

    def plan(self, key: str, due_ms: int) -> None:
        self.planned[key] = due_ms
        self.timers.set(key, due_ms)
        self.touch(key)

    def say(self, key: str, value: bytes, timestamp_ms: int, effects: Effects) -> None:
        effects.outputs.append(Output(OUTPUT, key.encode(), value, timestamp_ms, (("toy", b"yes"),)))

    def load(self, key: str, value: bytes) -> None:
        if key.startswith("plan/"):
            self.plan(key, int(value))
            self.forget_changes()
        else:
            self.counts[key] = int(value)

    def dump(self, key: str) -> bytes | None:
        if key.startswith("plan/"):
            return b"%d" % self.planned[key] if key in self.planned else None
        return b"%d" % self.counts[key]

    def gauges(self) -> dict[str, dict[str, float]]:
        return {"open_episodes": {"": len(self.counts)}}


class Telling(StageHooks):
    """Tells on standard error what it is called for.

    Attributes:
        member: gives the Faust app whose group membership a record can end.
    """

    member: Any = None

    async def on_assigned(self, partition: int, processor: Processor) -> None:
        _say("on_assigned", partition=partition)

    async def before_commit(
        self, partition: int, processor: Processor, records: Sequence[Record], effects: Effects
    ) -> None:
        _say("before_commit", partition=partition, records=len(records))
        if isinstance(processor, Count) and processor.wait_ms:
            await asyncio.sleep(processor.wait_ms / 1000)
            processor.wait_ms = 0
        _break_if_told("before_commit", processor)

    async def after_commit(self, partition: int, processor: Processor, effects: Effects) -> None:
        _say("after_commit", partition=partition)
        _break_if_told("after_commit", processor)
        if isinstance(processor, Count) and processor.breaks_hook == "member":
            thread = self.member.consumer._thread
            coordination = thread._ensure_consumer()._coordinator._coordination_task
            thread.thread_loop.call_soon_threadsafe(coordination.cancel)

    async def on_revoked(self, partition: int) -> None:
        _say("on_revoked", partition=partition)

    async def stop(self) -> None:
        _say("stop")


def _break_if_told(hook: str, processor: Processor) -> None:
    if isinstance(processor, Count) and processor.breaks_hook == hook:
        raise RuntimeError(f"the toy was told to break {hook}")


def context_of(settings: Settings, registry: CollectorRegistry) -> StageContext:
    makes = topic_makes(settings, stage_topics(STAGE, (INPUT,)))
    check_replication(settings, makes)
    return StageContext(
        settings=settings,
        stage=STAGE,
        inputs=(INPUT,),
        partition_counts=existing_topics(settings),
        topic_ids={topic: make.id for topic, make in makes.items()},
        factory=Count,
        metrics=Metrics(registry, [STAGE]),
        hooks=Telling(),
    )


def settings_of(given: argparse.Namespace) -> Settings:
    return Settings(
        bootstrap=given.bootstrap,
        topic_prefix=given.prefix,
        app_id=given.app_id,
        http_port=0,
        session_timeout_seconds=given.session_seconds,
        clock=given.clock,
        batch_records_max=given.batch_records_max,
        instance_id=given.instance,
        on_stop=given.on_stop,
        production=given.production,
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("bootstrap", "prefix", "app_id"):
        parser.add_argument(name)
    parser.add_argument("--session-seconds", type=float, default=3.0)
    parser.add_argument("--clock", default="wall")
    parser.add_argument("--batch-records-max", type=int, default=BATCH_RECORDS_MAX)
    parser.add_argument("--mended", action="store_true")
    parser.add_argument("--instance")
    parser.add_argument("--on-stop", default="leave")
    parser.add_argument("--stop-seconds", type=float, default=STOP_SECONDS_MAX)
    parser.add_argument("--production", action="store_true")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    settings = settings_of(given)
    Count.mended = given.mended
    registry = CollectorRegistry()
    try:
        context = context_of(settings, registry)
    except RefusedError as refused:
        refuse(refused)

    def say_ready(health: HealthServer) -> None:
        sys.stdout.write(f"ready {health.port}\n")
        sys.stdout.flush()

    def make_health(stages: Sequence[HostedStage]) -> HealthServer:
        return HealthServer(0, registry, status_of(stages), silence_seconds_max=SILENCE_SECONDS_MAX)

    def make_stages() -> Sequence[HostedStage]:
        hosted = create_app(context)
        cast(Telling, context.hooks).member = hosted.app
        return [hosted]

    asyncio.run(serve(make_stages, make_health, say_ready, given.stop_seconds))


if __name__ == "__main__":
    main()
