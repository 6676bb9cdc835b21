"""Hooks for stages whose work reaches outside Kafka: a database, an HTTP service.

A stage derives from `StageHooks` and overrides what it needs. An exception in a hook ends the process before
anything is committed, except in `after_commit`, where the batch is already committed.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.step import Effects, Processor, Record
from pipeline.models.policy import Config
from pipeline.runtime.tracing import Exporter


class StageHooks:
    """Called around each batch and each assignment of one stage. Does nothing unless overridden.

    Attributes:
        exporter: where spans of what is done outside go; None: traces are off.
    """

    exporter: Exporter | None = None

    async def on_assigned(self, partition: int, processor: Processor) -> None:
        """The partition is ours and its state is restored; its first batch follows."""

    async def before_commit(
        self, partition: int, processor: Processor, records: Sequence[Record], effects: Effects
    ) -> None:
        """The batch is decided and not yet committed. May run again for the same records after a crash."""

    async def after_commit(self, partition: int, processor: Processor, effects: Effects) -> None:
        """The batch is committed. Does not run for a batch whose process died in between."""

    async def on_revoked(self, partition: int) -> None:
        """The partition's last batch is committed and the partition is about to leave us."""

    async def stop(self) -> None:
        """The process is about to end; every partition is revoked."""

    async def renewed(self, config: Config) -> StageHooks:
        """The hooks for another configuration; these themselves where it makes no difference.

        Raises:
            ValueError: they could not work under it; the message is one line.
        """
        del config
        return self
