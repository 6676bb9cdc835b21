"""Record's effects outside Kafka: the batch goes into the records store before its offsets are committed.

How far each topic is in the store is written in the transaction of the rows. So a crash in between reads the same
records again, finds them written, and writes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from pipeline.agents.shared import Shared
from pipeline.core.outward.record import RecordProcessor, Told
from pipeline.core.step import Effects, Processor, Record
from pipeline.models.policy import Config
from pipeline.records.projected import Ends, ends_of, next_offsets
from pipeline.records.retention import RETENTION_LOCK, due, retain
from pipeline.records.source import Source
from pipeline.records.store import RecordsStore
from pipeline.runtime.broker import StartError
from pipeline.runtime.guard import log_line
from pipeline.runtime.hooks import StageHooks
from pipeline.settings import Settings

# A database that fails over or restarts is back within half a minute. Then the process ends, and whatever
# started it decides: nothing of the batch is committed, so nothing is lost.
RETRY_WAITS_SECONDS: Final = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 15.0)

NO_IDS: Final[Mapping[str, str]] = {}

LOOK_SECONDS: Final = 3_600.0
"""How often a worker looks whether today's retention has been run."""

_TRANSIENT: Final = (OperationalError, InterfaceError)


def processor(shared: Shared) -> RecordProcessor:
    """What collects the rows of one partition; it needs nothing of the configuration."""
    del shared
    return RecordProcessor()


def hooks(settings: Settings, config: Config, registry: CollectorRegistry) -> StageHooks:
    """What happens around a commit: rows are written.

    Raises:
        StartError: no records store is configured.
    """
    del registry
    if settings.records_url is None:
        raise StartError("stage record needs a PostgreSQL: set SPILLWAY_RECORDS_URL, or use --embedded")
    months = config.privacy.retention_months
    return RecordHooks(RecordsStore(settings.records_url), Source(settings), retention_months=months)


class RecordHooks(StageHooks):
    """Writes each batch, off the event loop's thread."""

    def __init__(
        self,
        store: RecordsStore,
        source: Source | None = None,
        waits_seconds: Sequence[float] = RETRY_WAITS_SECONDS,
        retention_months: int | None = None,
    ) -> None:
        """Describe; nothing connects yet.

        Args:
            store: where to.
            source: the topics that it comes of; None: offsets belong to topics of any make, and nothing is caught up.
            waits_seconds: waits between attempts while the database is away.
            retention_months: months that are kept; what ended before goes, once a day. None: all is kept.
        """
        self._store = store
        self._source = source
        self._topic_ids = source.topic_ids if source is not None else NO_IDS
        self._waits_seconds = waits_seconds
        self._migrating = asyncio.Lock()
        self._migrated = False
        self._retention_months = retention_months
        self._retaining: asyncio.Task[None] | None = None
        self._stopped = False

    async def on_assigned(self, partition: int, processor: Processor) -> None:
        """Bring the schema to this release's version, once; and the store to where the partition is read from.

        A store that is an older copy lacks what was committed since: it is read again from where the copy ends.

        Raises:
            StoreVersionError: the database is of a newer release.
            SQLAlchemyError: the database stayed away, or refused.
            ScanError: the brokers stayed away, or refused.
        """
        async with self._migrating:  # partitions are assigned at the same time
            if not self._migrated:
                await self._persist(self._migrate)
                self._migrated = True
                if self._retention_months is not None:
                    self._retaining = asyncio.create_task(self._retain_daily(self._retention_months), name="retention")
        await self._persist(partial(self._catch_up, partition))

    async def before_commit(
        self, partition: int, processor: Processor, records: Sequence[Record], effects: Effects
    ) -> None:
        """Write the batch's rows.

        Raises:
            SQLAlchemyError: the database stayed away, or refused.
        """
        if isinstance(processor, RecordProcessor) and records:
            told, ends = processor.take(), ends_of(records, self._topic_ids)
            await self._persist(lambda: self._write(told, ends))

    async def stop(self) -> None:
        """End what is under way between two transactions, and disconnect."""
        self._stopped = True
        if self._retaining is not None:
            self._retaining.cancel()
            await asyncio.gather(self._retaining, return_exceptions=True)
        await asyncio.to_thread(self._store.close)

    async def _persist(self, write: Callable[[], None]) -> None:
        """Write, off the event loop's thread; again while the database is away."""
        for wait_seconds in self._waits_seconds:
            try:
                await asyncio.to_thread(write)
            except _TRANSIENT:
                await asyncio.sleep(wait_seconds)
            else:
                return
        await asyncio.to_thread(write)

    async def _retain_daily(self, months: int) -> None:
        """Once a day, by one of all workers. What fails is logged and tried again within the hour."""
        while True:
            try:
                await asyncio.to_thread(self._retain_if_due, months)
            except SQLAlchemyError as error:
                log_line("retention failed", stage="record", error=type(error).__name__, do="see the database's log")
            await asyncio.sleep(LOOK_SECONDS)

    def _retain_if_due(self, months: int) -> None:
        now = datetime.now(UTC)
        with self._store.alone(RETENTION_LOCK) as alone:
            if alone and self._store.ask(partial(due, now=now)):
                removed = retain(self._store, months, now, goes_on=lambda: not self._stopped)
                log_line("retention", stage="record", cutoff=removed.cutoff.isoformat(), removed=removed.rows)

    def _catch_up(self, partition: int) -> None:
        if self._source is None:
            return
        missed = self._source.missed(self._store.ask(next_offsets), partition)
        if missed:
            counted = self._source.project(self._store, missed, tells=True)
            log_line("store caught up", stage="record", partition=partition, records=counted.records)

    def _migrate(self) -> None:
        self._store.migrate()

    def _write(self, told: Sequence[Told], ends: Ends) -> None:
        self._store.write(told, ends)
