"""The reconciler: looks whether records there are as they should be, and tells deliver what is not.

Someone may close or delete a ticket behind our back, and the message about it may be lost. So each record is looked up
once in an interval, at a moment of its own that follows from its name: looks are spread evenly over the interval,
whoever owns the partition, and a restart neither bunches nor repeats them. It repairs nothing itself: what it reads
goes to ``sink.updates``, where it is decided like what people tell us.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pipeline.core.identity import content_hash
from pipeline.models.remote import Remote, SinkUpdate, UpdateKind
from pipeline.models.sinks import SinkRules
from pipeline.runtime.guard import log_line
from pipeline.sinks.asked import asked
from pipeline.sinks.base import SinkClient, Trouble
from pipeline.sinks.looking import Known, Ledger, Surroundings

TICKS_EACH_INTERVAL: Final = 60
"""How finely looks are spread: of an hour, each minute its share."""

TICK_SECONDS_MIN: Final = 1.0

TROUBLES_MAX: Final = 3
"""One after the other: the sink is away then, and the rest of a tick's records wait for their next interval."""

_MINUTE_MS: Final = 60_000

Ledgers = Callable[[], Iterable[Ledger]]
"""Those of the partitions that are ours now."""


def moment_ms(sink: str, incident_id: str, interval_ms: int) -> int:
    """The moment of a record within an interval."""
    return int(content_hash("reconcile", sink, incident_id)[:12], 16) % interval_ms


def is_due(sink: str, incident_id: str, interval_ms: int, after_ms: int, until_ms: int) -> bool:
    """Whether a record's moment lies after one time and not after the other."""
    moment = moment_ms(sink, incident_id, interval_ms)
    return (until_ms - moment) // interval_ms > (after_ms - moment) // interval_ms


class Reconciler:
    """Reconciles the records of one sink in the partitions that this process owns."""

    def __init__(
        self, rules: SinkRules, client: SinkClient, minutes: float, ledgers: Ledgers, around: Surroundings
    ) -> None:
        """Describe it; nothing is looked up yet.

        Args:
            rules: of the sink.
            client: of the sink.
            minutes: length of the interval; more than 0.
            ledgers: of the partitions that are ours.
            around: the world.
        """
        self._rules = rules
        self._sink = rules.name
        self._client = client
        self._interval_ms = max(1, int(minutes * _MINUTE_MS))
        self._ledgers = ledgers
        self._around = around
        self._looked_ms = self._now_ms()

    async def run(self) -> None:
        """Look until cancelled.

        Raises:
            KafkaError: an update could not be written.
        """
        seconds = max(TICK_SECONDS_MIN, self._interval_ms / 1_000 / TICKS_EACH_INTERVAL)
        while True:
            await self._around.sleep(seconds)
            await self.tick()

    async def tick(self) -> int:
        """Look at what has become due since the last tick; the number of records that are not as they should be."""
        after_ms, self._looked_ms = self._looked_ms, self._now_ms()
        due = [
            each
            for ledger in self._ledgers()
            for each in ledger.known(self._sink)
            if is_due(self._sink, each.incident_id, self._interval_ms, after_ms, self._looked_ms)
        ]
        troubles = drifted = 0
        for known in sorted(due, key=lambda each: each.incident_id):
            try:
                drifted += await self._look(known)
                troubles = 0
            except Trouble as trouble:
                self._around.counted(self._sink, "look", "failed")
                troubles += 1
                if troubles >= TROUBLES_MAX:
                    log_line("sink not reconciled", sink=self._sink, detail=trouble.answer.detail)
                    break
        return drifted

    async def _look(self, known: Known) -> bool:
        """Look one record up, and tell where it is not as we know it; whether it is not."""
        look = self._client.look(known.incident_id, known.remote, self._around.clock())
        update = await asked(self._sink, look)
        if update is None:
            self._around.counted(self._sink, "look", "cannot_be_read")
            return False
        if not differs(update, known.remote, self._rules):
            self._around.counted(self._sink, "look", "as_it_should_be")
            return False
        if not self._is_so_still(known):
            self._around.counted(self._sink, "look", "overtaken")
            return False
        self._around.counted(self._sink, "look", "gone" if update.kind is UpdateKind.GONE else "drifted")
        await self._around.write(update)
        return True

    def _is_so_still(self, known: Known) -> bool:
        """Whether nothing was decided meanwhile: else what was read may be from before our own next write."""
        return any(each == known for ledger in self._ledgers() for each in ledger.known(self._sink))

    def _now_ms(self) -> int:
        return int(self._around.clock().timestamp() * 1_000)


def differs(update: SinkUpdate, remote: Remote, rules: SinkRules) -> bool:
    """Whether a record that was looked up is not as it is known, or says more than is known."""
    if update.kind is UpdateKind.GONE or drift(update, remote, rules):
        return True
    return bool(update.notes or update.links or update.duplicate_of)


def drift(update: SinkUpdate, remote: Remote, rules: SinkRules) -> dict[str, tuple[str, str]]:
    """Fields that are not as they were last written or read: field -> what is known, and what is there."""
    said = {name: str(value) for name, value in update.fields.model_dump(exclude_none=True).items()}
    there = {name: rules.canonical(name, value) for name, value in said.items()}
    known = {"state": str(remote.state), **remote.fields}
    return {name: (known.get(name, ""), value) for name, value in there.items() if known.get(name, "") != value}
