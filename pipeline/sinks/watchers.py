"""The watchers of the deliver worker: one loop for each sink that is polled, and one for each that is reconciled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.runtime.guard import log_line
from pipeline.sinks.base import Trouble
from pipeline.sinks.limits import RANK_RECONCILE, ranked
from pipeline.sinks.looking import Ledger, OutboxLedger, Surroundings, patience_seconds
from pipeline.sinks.poller import Poller, polling_partition
from pipeline.sinks.reconciler import Reconciler
from pipeline.sinks.watch import Watched, Watcher

NOT_OURS_SECONDS: Final = 5.0
"""Who does not poll a sink looks so often whether it is his turn: a rebalance takes about as long."""

LedgerOf = Callable[[DeliverProcessor], Ledger]


async def poll_sinks(watched: Watched, around: Surroundings | None = None, ledger_of: LedgerOf = OutboxLedger) -> None:
    """Ask the sinks that are polled what has changed there, while this worker is the one that does.

    Raises:
        ExceptionGroup: an update could not be written.
    """
    async with asyncio.TaskGroup() as group:
        for name, rules in watched.config.sinks.items():
            seconds = float(getattr(rules, "poll_seconds", 0))
            if seconds > 0 and name in watched.clients:
                loop = _poll(
                    watched,
                    name,
                    seconds,
                    around or Surroundings(write=watched.publish, counted=watched.counted),
                    ledger_of,
                )
                group.create_task(loop, name=f"poll-{name}")


async def reconcile_sinks(
    watched: Watched, around: Surroundings | None = None, ledger_of: LedgerOf = OutboxLedger
) -> None:
    """Look whether the records of this worker's partitions are as they should be.

    Raises:
        ExceptionGroup: an update could not be written.
    """
    async with asyncio.TaskGroup() as group:
        for name, rules in watched.config.sinks.items():
            minutes = float(getattr(rules, "reconcile_minutes", 0))
            if minutes > 0 and name in watched.clients:
                surroundings = around or Surroundings(write=watched.publish, counted=watched.counted)
                ledgers = partial(_ledgers, watched, ledger_of)
                reconciler = Reconciler(rules, watched.clients[name], minutes, ledgers, surroundings)
                with ranked(RANK_RECONCILE):  # the task keeps it
                    group.create_task(reconciler.run(), name=f"reconcile-{name}")


WATCHERS: Final[tuple[Watcher, ...]] = (poll_sinks, reconcile_sinks)
"""Every loop there is."""


def _ledgers(watched: Watched, ledger_of: LedgerOf) -> list[Ledger]:
    return [ledger_of(processor) for processor in watched.processors.values()]


async def _poll(watched: Watched, sink: str, seconds: float, around: Surroundings, ledger_of: LedgerOf) -> None:
    partition, poller, failures = polling_partition(sink, watched.partitions), None, 0
    while True:
        processor = watched.processors.get(partition)
        if processor is None:
            poller = None  # another worker goes on; should it come back, what that one has read counts
            await around.sleep(min(seconds, NOT_OURS_SECONDS))
            continue
        poller = poller or Poller(sink, watched.clients[sink], ledger_of(processor), around)
        wait = seconds
        try:
            await poller.poll()
            failures = 0
        except Trouble as trouble:
            failures += 1
            wait = max(seconds, patience_seconds(failures, trouble.answer.retry_after_seconds))
            if failures == 1:
                log_line("sink not polled", sink=sink, detail=trouble.answer.detail)
        await around.sleep(wait)
