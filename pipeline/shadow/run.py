"""The process that runs the shadow: one loop of reading, deciding, committing and telling.

It is a process of its own, outside of every stage's consumer group, so nothing that happens to it can slow or stop the
active pipeline; and it writes to the shadow's two topics alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from time import monotonic, time
from typing import Any, Final

import orjson

from pipeline.backtest.compare import Difference
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.kafka.client import librdkafka
from pipeline.kafka.scan import Place, all_topics, offsets_from
from pipeline.runtime.garbage import release_former_objects
from pipeline.runtime.guard import log_line
from pipeline.settings import Settings
from pipeline.shadow.engine import Beginning, Engine
from pipeline.shadow.marker import ShadowError, checked, read_beginning
from pipeline.shadow.metrics import ShadowMetrics, disagreement
from pipeline.shadow.reader import MergedReader
from pipeline.shadow.store import ShadowStore

BATCH_RECORDS_MAX: Final = 1_000
"""Records of one transaction at most."""

LOOK_SECONDS: Final = 1.0
"""Between two looks at the shadow's directory."""

TELL_SECONDS: Final = 1.0
"""Between two comparisons, at the least; a comparison that takes long is made more seldom."""

BEAT_SECONDS: Final = 10.0
"""A status is told so often also without news, so that its age says whether the process lives."""

TELL_SHARE: Final = 10
"""At most one part in so many of the time is spent on comparing."""

TOPICS_SECONDS: Final = 30.0
"""Between two looks for new topics."""

TICK_DELAY_MS: Final = 1_000
"""Time goes on by the machine's clock where nothing comes; so much later, for what is on its way."""

DIFFERENCES_TOLD_MAX: Final = 50
"""Of the most important; a status has to fit a record."""

NAMES_TOLD_MAX: Final = 20
"""Incidents and people named of one difference; a storm may split into hundreds."""

READ_BESIDE_RAW: Final = ("changes", "commands", "episodes", "incidents")


class ShadowProcess:
    """Runs whatever shadow the directory holds, one after another, until it is stopped."""

    def __init__(self, settings: Settings, place: Path, metrics: ShadowMetrics) -> None:
        """Describe; nothing connects yet.

        Args:
            settings: brokers, names, clock.
            place: the shadow's directory.
            metrics: the process's series.
        """
        self._settings = settings
        self._place = place
        self._metrics = metrics
        self._store = ShadowStore(settings)
        self._client: dict[str, Any] = {**librdkafka(settings), "group.id": settings.group("shadow")}
        self._progress_at = monotonic()
        self._ready = False
        self.stopped = threading.Event()

    def status(self) -> dict[str, dict[str, object]]:
        """What the health page asks."""
        stalled = round(monotonic() - self._progress_at, 3)
        return {"shadow": {"ready": self._ready, "stalled_seconds": stalled}}

    def run(self) -> None:
        """Run until stopped.

        Raises:
            StoreError: the shadow's topics are missing, or a record was not written.
            ScanError: the brokers refuse a read.
            KafkaException: the brokers do not answer, or another process has taken over.
        """
        self._store.start()
        told = ""
        while not self.stopped.is_set():
            self._progress_at = monotonic()
            try:
                beginning = read_beginning(self._place)
                engine = None if beginning is None else self._engine(beginning)
            except ShadowError as error:
                if told != str(error):
                    log_line("shadow refused", why=str(error))
                told = str(error)
                self._rest()  # perhaps it can be read again in a moment: its state is kept
                continue
            if beginning is not None and engine is not None:
                self._serve(beginning, engine)
            else:
                self._store.clear()
                self._rest()
        self._store.stop()

    def _engine(self, beginning: Beginning) -> Engine:
        config = checked(self._place)
        if config.version != beginning.version:
            raise ShadowError(
                f"the files in {self._place} are not those of the shadow's beginning: drop it and start it again"
            )
        return Engine(config, beginning, self._settings.privacy_key(config.privacy))

    def _rest(self) -> None:
        """Nothing to decide by: look again."""
        self._metrics.runs(None)
        self._metrics.compared({})
        self._ready = True
        while not self.stopped.wait(LOOK_SECONDS):
            self._progress_at = monotonic()
            try:
                if read_beginning(self._place) is not None:
                    return
            except ShadowError:
                return

    def _serve(self, beginning: Beginning, engine: Engine) -> None:
        """Decide by one shadow until it is gone or the process is stopped."""
        positions, state = self._store.restore(beginning.id)
        engine.restore(state)
        release_former_objects()
        self._metrics.runs(beginning.version)
        log_line("shadow runs", id=beginning.id, version=beginning.version, state_records=len(state))
        with closing(MergedReader(self._client, self._settings.topic_prefix)) as reader:
            turn = _Turn(self._settings, self._client, self._store, self._metrics, beginning, engine, reader, positions)
            looked_at = monotonic()
            while not self.stopped.is_set():
                turn.once()
                self._progress_at, self._ready = monotonic(), True
                if monotonic() - looked_at > LOOK_SECONDS:
                    looked_at = monotonic()
                    if not _is_still(self._place, beginning):
                        log_line("shadow ended", id=beginning.id, version=beginning.version)
                        return


def _is_still(place: Path, beginning: Beginning) -> bool:
    try:
        return read_beginning(place) == beginning
    except ShadowError:
        return False


class _Turn:
    """One shadow at work: what `once` needs, and what it remembers from one time to the next."""

    def __init__(
        self,
        settings: Settings,
        client: dict[str, Any],
        store: ShadowStore,
        metrics: ShadowMetrics,
        beginning: Beginning,
        engine: Engine,
        reader: MergedReader,
        positions: dict[Place, int],
    ) -> None:
        self._settings, self._client, self._store, self._metrics = settings, client, store, metrics
        self._beginning, self._engine, self._reader, self._positions = beginning, engine, reader, positions
        self._topics_at = self._tell_at = self._beat_at = 0.0
        self._is_fresh = not positions
        self._has_news = True

    def once(self) -> None:
        """Take what is ready, commit it, and tell now and then what is found."""
        if monotonic() >= self._topics_at:
            self._look_for_topics()
        records = self._reader.poll(BATCH_RECORDS_MAX)
        prefix = self._settings.topic_prefix
        for record in records:
            self._engine.take(record)
            self._positions[prefix + record.topic, record.partition] = record.offset + 1
        if not records and self._settings.clock == "wall" and self._reader.idle():
            self._engine.advance(int(time() * 1_000) - TICK_DELAY_MS)
        changes = self._engine.take_changes()
        self._has_news = self._has_news or bool(changes or records)
        is_due = monotonic() >= (self._tell_at if self._has_news else self._beat_at)
        status = self._status() if is_due else None
        if changes or records or status:
            self._store.commit(self._beginning.id, changes, self._positions, status)
            self._metrics.records.inc(len(records))

    def _look_for_topics(self) -> None:
        """Read whatever raw topics there are, and what the active pipeline makes of them."""
        self._topics_at = monotonic() + TOPICS_SECONDS
        prefix = self._settings.topic_prefix
        beside = {prefix + name for name in READ_BESIDE_RAW}
        wanted = {
            name: partitions
            for name, partitions in all_topics(self._client).items()
            if name.startswith(prefix + RAW_TOPIC_PREFIX) or name in beside
        }
        missing = {name: tuple(self._unknown(name, partitions)) for name, partitions in wanted.items()}
        # A topic that appears later is read from its beginning.
        since_ms = self._beginning.from_ms if self._is_fresh else 0
        self._positions |= offsets_from(self._client, {name: each for name, each in missing.items() if each}, since_ms)
        self._is_fresh = False
        self._reader.assign({at: offset for at, offset in self._positions.items() if at[0] in wanted})

    def _unknown(self, topic: str, partitions: Iterable[int]) -> Iterable[int]:
        return (each for each in partitions if (topic, each) not in self._positions)

    def _status(self) -> bytes:
        """Compare, set the series, and give the status as it is written."""
        began = monotonic()
        engine, metrics, beginning = self._engine, self._metrics, self._beginning
        comparison = engine.compare()
        summary = comparison.summary
        metrics.compared(summary)
        metrics.commands_skipped.set(engine.skipped)
        metrics.remainder.set(engine.remainder())
        lag = self._reader.lag()
        lag_seconds = max(0.0, time() - engine.clock_ms / 1_000) if lag and self._settings.clock == "wall" else 0.0
        metrics.lag_records.set(lag)
        metrics.lag_seconds.set(lag_seconds)
        took = monotonic() - began
        self._tell_at = began + max(TELL_SECONDS, took * TELL_SHARE)
        self._beat_at = began + BEAT_SECONDS
        # What began within the last seconds is not settled: it is told by the next status.
        self._has_news = engine.unsettled()
        return orjson.dumps(
            {
                "id": beginning.id,
                "version": beginning.version,
                "baseline": beginning.baseline,
                "started_at_ms": beginning.started_at_ms,
                "at_ms": int(time() * 1_000),
                "clock_ms": engine.clock_ms,
                "records": engine.taken,
                "lag_records": lag,
                "lag_seconds": round(lag_seconds, 1),
                "commands_skipped": engine.skipped,
                "remainder": engine.remainder(),
                "disagreement_ratio": round(disagreement(summary), 4),
                "summary": summary,
                "differences_total": len(comparison.differences),
                "differences": [_told(each) for each in comparison.differences[:DIFFERENCES_TOLD_MAX]],
            }
        )


def _told(difference: Difference) -> dict[str, Any]:
    """A difference with as many names as fit."""
    told = difference.document()
    for side in ("baseline", "new"):
        told[side] = told[side][:NAMES_TOLD_MAX]
    if "people" in told["facts"]:
        told["facts"]["people"] = told["facts"]["people"][:NAMES_TOLD_MAX]
    return told
