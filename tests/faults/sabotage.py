"""Protections switched off, one at a time, to prove that the suite would notice their absence."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from aiokafka.structs import TopicPartition

from pipeline.core.step import Effects, Output, Processor, Record
from pipeline.models.decision import BadRecord
from pipeline.runtime.context import StageContext
from pipeline.runtime.transaction import TransactionStep, TransactionWriter
from pipeline.settings import Settings


class Sabotage(StrEnum):
    """What is switched off."""

    FENCING = "fencing"
    TRANSACTION = "transaction"
    RESTORE = "restore"
    DEAD_LETTER = "dead-letter"
    AHEAD = "ahead"


class UnfencedWriter(TransactionWriter):
    """Every owner has a transactional id of its own, so a new one fences nobody."""

    def _new_producer(self) -> Any:
        producer = super()._new_producer()
        manager = producer._txn_manager
        manager.transactional_id = f"{manager.transactional_id}-{os.getpid()}-{time.monotonic_ns()}"
        return producer


class TornWriter(TransactionWriter):
    """Two transactions for a batch, the offsets in the second: what a crash between them does is done twice."""

    async def commit(
        self,
        outputs: Iterable[Output],
        changes: Iterable[tuple[bytes, bytes | None]],
        changed_at_ms: int,
        offsets: Mapping[str, int],
        *more: Any,
        **others: Any,
    ) -> None:
        producer = self._producer
        await producer.begin_transaction()
        self._on_step(TransactionStep.BEGUN)
        for (topic, partition), records in self._grouped(outputs, changes, changed_at_ms).items():
            for written in await self._send(topic, partition, records):
                await written
        await producer.commit_transaction()
        self._on_step(TransactionStep.OUTPUTS_WRITTEN)
        await producer.begin_transaction()
        ours = {TopicPartition(topic, self._partition): offset for topic, offset in offsets.items()}
        await producer.send_offsets_to_transaction(ours, self._group)
        self._on_step(TransactionStep.OFFSETS_WRITTEN)
        await producer.commit_transaction()
        self._on_step(TransactionStep.COMMITTED)


class ForgetfulWriter(TransactionWriter):
    """Nothing stands beside an offset: nobody after this worker knows what went before its turn."""

    def _noted(self, offsets: Mapping[str, int], notes: Mapping[str, str]) -> Any:
        del notes
        return super()._noted(offsets, {})


async def restore_nothing(
    settings: Settings, stage: str, partition: int, processor: Processor, stopping: Callable[[], bool]
) -> int:
    """Serve at once, as if there had never been anything."""
    del settings, stage, partition, stopping
    processor.restored()
    return 0


def dropping(processor: Processor) -> Processor:
    """The processor, but a bad record is gone instead of in the dead letter."""

    def refuse(record: Record, bad: BadRecord, effects: Effects) -> None:
        del record, bad, effects

    changed: Any = processor
    changed.refuse = refuse
    return processor


def sabotaged(context: StageContext, sabotage: Sabotage | None) -> StageContext:
    """The stage with a protection switched off."""
    match sabotage:
        case Sabotage.FENCING:
            return replace(context, writer=UnfencedWriter)
        case Sabotage.TRANSACTION:
            return replace(context, writer=TornWriter)
        case Sabotage.RESTORE:
            return replace(context, restore=restore_nothing)
        case Sabotage.DEAD_LETTER:
            factory = context.factory
            return replace(context, factory=lambda: dropping(factory()))
        case Sabotage.AHEAD:
            return replace(context, writer=ForgetfulWriter)
        case None:
            return context
