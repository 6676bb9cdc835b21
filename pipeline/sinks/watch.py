"""What runs beside the sender while a worker has partitions: loops that ask sinks what has become of our records.

A watcher is a coroutine function. It runs from the first partition until the worker stops or the sinks are configured
otherwise, and is cancelled then. What it finds out it publishes as updates; deliver's core decides about them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.core.identity import partition_of
from pipeline.core.outward.deliver import DeliverProcessor
from pipeline.models.policy import Config
from pipeline.models.remote import SinkUpdate
from pipeline.sinks.base import SinkClient


def _not_counted(sink: str, what: str, result: str) -> None:
    """Nobody looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a watcher sees.

    Attributes:
        config: the sinks' rules, and all else.
        clients: of the sinks that are switched on.
        processors: partition -> what decides there and has its outboxes and its ledger; those of this worker, as they
            come and go.
        partitions: how many there are, of all workers.
        publish: puts an update on ``sink.updates``, and returns when the brokers have it.
        counted: told of each poll and look: sink, ``poll`` or ``look``, and what came of it.
    """

    config: Config
    clients: Mapping[str, SinkClient]
    processors: Mapping[int, DeliverProcessor]
    partitions: int
    publish: Callable[[SinkUpdate], Awaitable[None]]
    counted: Callable[[str, str, str], None] = _not_counted

    def leads(self, sink: str) -> bool:
        """Whether this worker is the one that does what must be done once for a sink, such as asking for changes."""
        return partition_of(sink.encode(), self.partitions) in self.processors


Watcher = Callable[[Watched], Coroutine[Any, Any, None]]
