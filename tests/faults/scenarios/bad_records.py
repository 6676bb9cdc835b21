"""Records at fault: poison, records that meet a defect of the code, outputs that no topic takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import orjson
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from pipeline.flow import MEBIBYTE
from pipeline.runtime.guard import EXIT_DEFECT
from pipeline.runtime.quarantine import CRASHES_MAX
from tests.faults.corpus import RAW, Sent, moment
from tests.faults.fleet import Keeper
from tests.faults.sabotage import Sabotage
from tests.faults.scenarios.base import Arena, Outcome, Run, running
from tests.faults.site import now_ms
from tests.faults.worker import STAGES, Bug
from tests.stories.payloads import alertmanager
from tests.support import wait_until

CRASHED_SECONDS_MAX: Final = 60.0
MARK: Final = "the-record-with-the-defect"


def poison(arena: Arena, seed: int, rounds: int, sabotage: Sabotage | None = None) -> Outcome:
    """One record in a hundred is bytes that nobody can read, of every kind and size; none stops the rest.

    Args:
        rounds: thousands of records.
    """
    with running("poison", arena, seed) as run:
        run.site.send(run.corpus(poison_share=0.01, begin_ms=now_ms() - 4_000 * rounds).take(1_000 * rounds))
        run.fleet.start_ready(sabotage=sabotage)
        run.fleet.faults["poison"] = len(run.site.poison)
        return run.finish()


def transient_bug(arena: Arena, seed: int, rounds: int) -> Outcome:
    """A defect shows once, on one record: the worker ends, the next one handles the same record.

    Args:
        rounds: thousands of records, one of which it is.
    """
    return _bug("bug-once", arena, seed, rounds, once=True)


def permanent_bug(arena: Arena, seed: int, rounds: int) -> Outcome:
    """A defect shows at one record each time: after three crashes the record is set aside, and the rest goes on.

    Args:
        rounds: thousands of records, one of which it is.
    """
    return _bug("bug-always", arena, seed, rounds, once=False)


def _bug(scenario: str, arena: Arena, seed: int, rounds: int, *, once: bool) -> Outcome:
    with running(scenario, arena, seed) as run:
        run.fleet.allowed_exits = (EXIT_DEFECT,)
        stage = STAGES[seed % 3]  # what the bridge reads is made of many records, and holds no mark
        flag = arena.place / f"{run.site.settings.app_id}-has-raised" if once else None
        bug = Bug(stage, MARK.encode(), flag)
        if not once:
            run.bug = bug
        records = run.corpus(begin_ms=now_ms() - 4_000 * rounds).take(1_000 * rounds)
        at = run.chance.randrange(len(records) // 4, len(records) // 2)
        records.insert(at, _marked(records[at].timestamp_ms + 2))
        run.site.send(records)
        with Keeper(run.fleet, 1, bug=bug) as keeper:
            run.site.flush()
            run.site.wait_settled(run.settle_seconds, run.fleet.check)
            crashes = keeper.restarts
        run.fleet.faults["defect once" if once else "defect for ever"] += crashes
        if crashes != (1 if once else CRASHES_MAX):
            run.outcome.failure = f"{crashes} workers have crashed"
        return run.finish()


def _marked(at_ms: int) -> Sent:
    """An alert that carries the mark through every stage."""
    at = moment(at_ms)
    labels = {"alertname": MARK, "service": "orders", "environment": "production", "severity": "error"}
    return Sent(RAW + "alertmanager", 0, None, orjson.dumps(alertmanager(labels, MARK, at)), at_ms)


def oversized(arena: Arena, seed: int, rounds: int) -> Outcome:
    """An output is larger than its topic takes: the worker ends and says which, nothing is committed past it, and
    when the topic takes it the work goes on."""
    del rounds
    with running("oversized", arena, seed, batch_records_max=20) as run:
        run.fleet.allowed_exits = (EXIT_DEFECT,)
        _limit(run, 60_000)
        with run.load():
            member = run.fleet.start_ready(0)
            run.site.send([_large()])
            wait_until(lambda: member.ended, CRASHED_SECONDS_MAX, "the worker ends at the oversized output")
            run.fleet.faults["oversized output"] += 1
            fatal = member.events("fatal")
            if member.exit_code != EXIT_DEFECT or not any("more than the topic takes" in str(each) for each in fatal):
                run.outcome.failure = f"ended with {member.exit_code}, saying {member.said()[-500:]}"
            _limit(run, MEBIBYTE)
            run.fleet.start_ready(0)
        return run.finish()


def _limit(run: Run, size: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, run.site.settings.wire("alerts"), incremental_configs=[entry])
    for answer in run.site.admin.incremental_alter_configs([resource]).values():
        answer.result()


def _large() -> Sent:
    """An alert within all bounds whose labels make a record of over 90 kB."""
    at_ms = now_ms()
    sent = _marked(at_ms)
    document = orjson.loads(sent.value or b"")
    document["alerts"][0]["labels"] |= {f"名前{number}": "値" * 512 for number in range(60)}
    return replace(sent, value=orjson.dumps(document))
