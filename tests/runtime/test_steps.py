"""The seams that fault tests hold on to: the steps of a transaction, its writer, the restore."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from pipeline.core.step import Processor
from pipeline.runtime.transaction import TransactionStep, TransactionWriter
from pipeline.settings import Settings
from tests.runtime.inside import context, running, until
from tests.runtime.toy import OUTPUT
from tests.runtime.workers import PARTITIONS, Bench


def test_a_transaction_passes_its_steps_in_order_and_they_are_true(bench: Bench) -> None:
    passed: list[tuple[TransactionStep, int]] = []

    def note(step: TransactionStep) -> None:
        passed.append((step, bench.uncommitted(OUTPUT)))

    async def one_batch() -> None:
        async with running(replace(context(bench), on_step=note)):
            bench.send("a", b"x")
            await asyncio.to_thread(bench.flush)
            await until(lambda: len(passed) == len(TransactionStep), "all steps are passed")

    asyncio.run(one_batch())
    assert [step for step, _ in passed] == list(TransactionStep)
    written = dict(passed)
    assert written[TransactionStep.DECIDED] == written[TransactionStep.BEGUN] == 0
    assert written[TransactionStep.OUTPUTS_WRITTEN] == 1
    assert len(bench.read_all(OUTPUT)) == 1


def test_a_stage_takes_another_writer_and_another_restore(bench: Bench) -> None:
    restored: list[int] = []
    started: list[str] = []

    class Watched(TransactionWriter):
        async def start(self) -> None:
            started.append(type(self).__name__)
            await super().start()

    async def nothing(
        settings: Settings, stage: str, partition: int, processor: Processor, stopping: Callable[[], bool]
    ) -> int:
        restored.append(partition)
        processor.restored()
        return 0

    async def serve() -> None:
        async with running(replace(context(bench), writer=Watched, restore=nothing)) as hosted:
            assert sorted(restored) == sorted(hosted.host.tasks)

    asyncio.run(serve())
    assert started == ["Watched"] * PARTITIONS
